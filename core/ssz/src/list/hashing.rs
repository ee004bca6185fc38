//! The root of a [`List`]: what is not remembered is hashed, layer by layer over many pages at once.

use std::slice;
use std::sync::Arc;

use super::List;
use super::tree::{Branch, Children, FAN, FAN_BITS, Page, Part, Tree};
use crate::hash::hash_layers;
use crate::merkle::{depth_of, merkleize_nodes, mix_in_length};
use crate::{Bound, Ctx, Node, Root, Shape, Ssz, sequence, zero_hash};

/// A list's own root, and what tree it is the root of: the same elements have another root as a vector, or below
/// another limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Memo {
    is_vector: bool,
    bound: Bound,
    root: Root,
}

impl<T: Ssz> List<T> {
    pub(super) fn remembered_root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        let (is_vector, bound) = (shape.is_vector(), shape.bound(ctx));
        match self.memo.get() {
            Some(memo) if memo.is_vector == is_vector && memo.bound == bound => return memo.root,
            _ => {}
        }
        let root = self.computed_root(bound, shape, ctx);
        // Where there is a memo already, for another shape, that one stays.
        let _ = self.memo.set(Memo { is_vector, bound, root });
        root
    }

    fn computed_root(&self, bound: Bound, shape: &Shape, ctx: &Ctx) -> Root {
        let root = match bound {
            Bound::Limit(limit) => {
                self.tree_root(depth_of(sequence::leaf_limit::<T>(limit, shape, ctx)), shape, ctx)
            }
            // Subtrees of 1, 4, 16 … leaves do not meet page borders, so a progressive list is hashed whole.
            Bound::Progressive => {
                return sequence::root_of_leaves::<T>(&mut self.leaves(shape, ctx), self.len, shape, ctx);
            }
        };
        if shape.is_vector() { root } else { mix_in_length(&root, self.len) }
    }

    /// The leaves of the hash tree over all elements.
    pub(super) fn leaves(&self, shape: &Shape, ctx: &Ctx) -> Vec<Node> {
        let mut leaves = vec![[0; 32]; self.slices().count() << Page::<T>::DEPTH];
        for (page, part) in self.slices().zip(leaves.chunks_mut(1 << Page::<T>::DEPTH)) {
            sequence::write_leaves(page, part, shape, ctx);
        }
        let count = if T::BASIC { (self.len * size_of::<T>()).div_ceil(32) } else { self.len };
        leaves.truncate(count);
        leaves
    }

    /// The root of a hash tree with `depth` levels.
    fn tree_root(&self, depth: usize, shape: &Shape, ctx: &Ctx) -> Root {
        let own = super::tree::depth::<T>(self.height);
        let mut hasher = Hasher { scratch: Vec::new(), shape, ctx };
        let (mut nodes, below) = match &self.tree {
            None => (Vec::new(), 0),
            // The limit cuts the topmost branch, or the only page: its root is not the one that it would remember.
            Some(Tree::Page(_)) if depth < own => (self.leaves(shape, ctx), 0),
            Some(Tree::Branch(top)) if depth < own => hasher.children(top, self.height),
            Some(Tree::Page(page)) => {
                hasher.pages(slice::from_ref(page));
                (vec![known(page)], own)
            }
            Some(Tree::Branch(top)) => {
                hasher.branches(slice::from_ref(top), self.height);
                (vec![known(top)], own)
            }
        };
        assert!(depth >= below, "more elements than the tree has room for");
        merkleize_nodes(&mut nodes, below, depth - below)
    }
}

/// The root of a part that was hashed.
fn known<T, P: Part<T>>(part: &Arc<P>) -> Node {
    *part.memo().get().expect("a part is hashed before its root is read")
}

/// The parts that were not hashed yet. Neighbours that are one and the same, as in a list of equal numbers, count once.
fn unknown<T, P: Part<T>>(parts: &[Arc<P>]) -> Vec<&Arc<P>> {
    let mut unknown: Vec<&Arc<P>> = Vec::new();
    for part in parts {
        if part.memo().get().is_none() && !unknown.last().is_some_and(|last| Arc::ptr_eq(last, part)) {
            unknown.push(part);
        }
    }
    unknown
}

/// Computes the roots of parts of a tree: the layers of up to [`FAN`] parts are hashed together, which is wide enough
/// for all lanes of the processor, and stays in its nearer caches. One for a whole list, so that its scratch space is
/// allocated once.
struct Hasher<'a> {
    scratch: Vec<Node>,
    shape: &'a Shape,
    ctx: &'a Ctx,
}

impl Hasher<'_> {
    /// Sees to it that all these pages know their roots.
    fn pages<T: Ssz>(&mut self, pages: &[Arc<Page<T>>]) {
        let (shape, ctx) = (self.shape, self.ctx);
        self.hash(&unknown(pages), Page::<T>::DEPTH, |page, leaves| {
            if page.items().len() < Page::<T>::ROOM {
                leaves.fill([0; 32]);
            }
            sequence::write_leaves(page.items(), leaves, shape, ctx);
        });
    }

    /// The same for branches of this height.
    fn branches<T: Ssz>(&mut self, branches: &[Arc<Branch<T>>], height: usize) {
        let unknown = unknown(branches);
        for branch in &unknown {
            match branch.children() {
                Children::Pages(pages) => self.pages(pages),
                Children::Branches(branches) => self.branches(branches, height - 1),
            }
        }
        let padding = zero_hash(super::tree::depth::<T>(height - 1)).0;
        self.hash(&unknown, FAN_BITS, |branch, roots| {
            let count = match branch.children() {
                Children::Pages(pages) => write_roots(pages, roots),
                Children::Branches(branches) => write_roots(branches, roots),
            };
            roots[count..].fill(padding);
        });
    }

    /// The roots of the children of a branch, and how deep the trees below them are.
    fn children<T: Ssz>(&mut self, branch: &Branch<T>, height: usize) -> (Vec<Node>, usize) {
        let mut roots = vec![[0; 32]; FAN];
        let count = match branch.children() {
            Children::Pages(pages) => {
                self.pages(pages);
                write_roots(pages, &mut roots)
            }
            Children::Branches(branches) => {
                self.branches(branches, height - 1);
                write_roots(branches, &mut roots)
            }
        };
        roots.truncate(count);
        (roots, super::tree::depth::<T>(height - 1))
    }

    /// Hashes trees of so many layers, whose leaves `fill` writes.
    fn hash<T, P: Part<T>>(&mut self, parts: &[&Arc<P>], layers: usize, fill: impl Fn(&P, &mut [Node])) {
        let count = parts.len() << layers;
        if self.scratch.len() < count {
            self.scratch.resize(count, [0; 32]);
        }
        let nodes = &mut self.scratch[..count];
        parts.iter().zip(nodes.chunks_exact_mut(1 << layers)).for_each(|(part, leaves)| fill(part, leaves));
        hash_layers(nodes, layers);
        for (part, root) in parts.iter().zip(nodes) {
            // Another thread may have been faster; it found the same.
            let _ = part.memo().set(*root);
        }
    }
}

/// Writes the roots of parts that were hashed; returns how many there are.
fn write_roots<T, P: Part<T>>(parts: &[Arc<P>], out: &mut [Node]) -> usize {
    parts.iter().zip(out).for_each(|(part, out)| *out = known(part));
    parts.len()
}
