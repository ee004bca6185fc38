//! [Merkle proofs](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md): that a node lies at
//! its place below the root of a value.
//!
//! A place is a generalized index: 1 is the root, `2n` and `2n + 1` are the children of `n`. A value is walked down
//! along the bits of the index, so each type only knows its own tree and hands the rest of the way to a field or an
//! element. Strings of bytes and bits are leaves of such a walk, and so are progressive trees.

use std::ops::Index;

use crate::merkle::{chunk_of_number, merkleize_nodes};
use crate::sequence::{leaf_limit, root_of_leaves};
use crate::{Bound, Ctx, Node, Root, Schema, Shape, Ssz, hash_concat, zero_hash};

/// A node, its place and its siblings from there up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleProof {
    /// The node.
    pub leaf: Root,
    /// The siblings, lowest first.
    pub branch: Vec<Root>,
}

/// The way down to a node: its bits below the root's, and the siblings that were passed.
#[derive(Debug)]
pub struct Descent {
    index: u64,
    bits_left: u32,
    siblings: Vec<Root>,
}

/// Where a walk through a tree of leaves ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At a node above the leaves.
    Node(Root),
    /// At the leaf with this number, which may lie behind the last one there is.
    Leaf(usize),
}

impl Descent {
    /// The way to a generalized index; none for 0, which is no place.
    fn to(generalized_index: u64) -> Option<Self> {
        let bits_left = generalized_index.checked_ilog2()?;
        Some(Self { index: generalized_index, bits_left, siblings: Vec::new() })
    }

    /// True where the node is reached.
    pub fn is_over(&self) -> bool {
        self.bits_left == 0
    }

    /// Goes one level down: true to the right.
    fn step(&mut self) -> bool {
        self.bits_left -= 1;
        (self.index >> self.bits_left) & 1 == 1
    }

    /// Goes down through a tree over `leaves` that has `depth` levels, as far as the way leads.
    pub fn through(&mut self, leaves: &[Node], depth: usize) -> Reached {
        let mut place = 0;
        for level in (0..depth).rev() {
            if self.is_over() {
                return Reached::Node(subtree(leaves, place, level + 1));
            }
            place = 2 * place + u64::from(self.step());
            self.siblings.push(subtree(leaves, place ^ 1, level));
        }
        Reached::Leaf(usize::try_from(place).unwrap_or(usize::MAX))
    }

    /// Goes down below a list's root, past its length: false where the way leads to the length itself.
    fn past_length(&mut self, data: Root, length: usize) -> bool {
        let to_the_length = self.step();
        self.siblings.push(if to_the_length { data } else { chunk_of_number(length as u64) });
        !to_the_length
    }
}

/// The root of the subtree with `level` levels that is `place` subtrees from the left.
fn subtree(leaves: &[Node], place: u64, level: usize) -> Root {
    let start = place.checked_shl(level as u32).filter(|start| start >> level == place);
    let start = start.and_then(|start| usize::try_from(start).ok()).unwrap_or(usize::MAX).min(leaves.len());
    let end = start.saturating_add(1usize.checked_shl(level as u32).unwrap_or(usize::MAX)).min(leaves.len());
    if start == end {
        return zero_hash(level);
    }
    merkleize_nodes(&mut leaves[start..end].to_vec(), 0, level)
}

/// The proof of the node at a generalized index; none where the value's tree has no such node, or it lies in a string
/// of bytes or in a progressive tree.
pub(crate) fn prove<T: Ssz>(value: &T, generalized_index: u64, ctx: &Ctx) -> Option<MerkleProof> {
    let mut descent = Descent::to(generalized_index)?;
    let leaf = value.descend(&mut descent, &Shape::Plain, ctx)?;
    let mut branch = descent.siblings;
    branch.reverse();
    Some(MerkleProof { leaf, branch })
}

/// What `Vec<T>` and [`List<T>`](crate::List) do in a descent through a tree over these leaves.
pub(crate) fn descend_sequence<T: Ssz>(
    mut leaves: Vec<Node>,
    items: &impl Index<usize, Output = T>,
    len: usize,
    descent: &mut Descent,
    (shape, ctx): (&Shape, &Ctx),
) -> Option<Root> {
    if descent.is_over() {
        return Some(root_of_leaves::<T>(&mut leaves, len, shape, ctx));
    }
    let Bound::Limit(limit) = shape.bound(ctx) else { return None };
    let depth = crate::merkle::depth_of(leaf_limit::<T>(limit, shape, ctx));
    if !shape.is_vector() && !descent.past_length(merkleize_nodes(&mut leaves.clone(), 0, depth), len) {
        return descent.is_over().then(|| chunk_of_number(len as u64));
    }
    match descent.through(&leaves, depth) {
        Reached::Node(root) => Some(root),
        Reached::Leaf(place) if descent.is_over() => {
            Some(leaves.get(place).copied().unwrap_or_default().into())
        }
        Reached::Leaf(_) if T::BASIC => None,
        Reached::Leaf(place) if place < len => items[place].descend(descent, shape.element(), ctx),
        Reached::Leaf(_) => None,
    }
}

/// [`is_valid_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_valid_merkle_branch)
/// by generalized index: `leaf` lies there below `root`. False too where the branch has another length.
pub fn is_valid_merkle_proof(leaf: &Root, branch: &[Root], generalized_index: u64, root: &Root) -> bool {
    if generalized_index.checked_ilog2().is_none_or(|depth| depth as usize != branch.len()) {
        return false;
    }
    let mut index = generalized_index;
    let mut node = *leaf;
    for sibling in branch {
        node = if index % 2 == 1 { hash_concat(sibling, &node) } else { hash_concat(&node, sibling) };
        index /= 2;
    }
    node == *root
}

/// A step of a path from a value to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// To the field of a container.
    Field(&'static str),
    /// To an element of a sequence; numbers lie several in a chunk, which is then meant.
    Index(u64),
    /// To the length of a list.
    Length,
}

/// [`get_generalized_index`](https://github.com/ethereum/consensus-specs/blob/master/ssz/merkle-proofs.md#ssz-object-to-index)
/// of the part that a path leads to; none where there is no such part, it lies in a progressive tree, or is deeper
/// than 63 levels.
pub fn get_generalized_index(schema: &Schema, path: &[PathStep]) -> Option<u64> {
    let mut schema = schema;
    let mut index = 1u64;
    for step in path {
        let (place, depth, inner) = schema.child(step)?;
        index = index.checked_mul(1u64.checked_shl(depth as u32)?)?.checked_add(place)?;
        schema = inner;
    }
    Some(index)
}

/// What the length of a list is.
const LENGTH: Schema = Schema::Uint(64);

impl Schema {
    /// The place of a part among the nodes so many levels below, and its own schema.
    fn child(&self, step: &PathStep) -> Option<(u64, usize, &Self)> {
        use crate::merkle::depth_of;
        match (self, step) {
            (Self::Container { fields, active_fields: None, .. }, PathStep::Field(name)) => {
                let place = fields.iter().position(|(field, _)| field == name)?;
                Some((place as u64, depth_of(fields.len() as u64), &fields[place].1))
            }
            (Self::List(_, Bound::Limit(_)), PathStep::Length) => Some((1, 1, &LENGTH)),
            (Self::List(element, Bound::Limit(limit)), PathStep::Index(index)) if index < limit => {
                let per_chunk = element.per_chunk();
                // Below the root a list has its data on the left and its length on the right.
                Some((index / per_chunk, depth_of(limit.div_ceil(per_chunk)) + 1, element))
            }
            (Self::Vector(element, length), PathStep::Index(index)) if *index < *length as u64 => {
                let per_chunk = element.per_chunk();
                Some((index / per_chunk, depth_of((*length as u64).div_ceil(per_chunk)), element))
            }
            _ => None,
        }
    }

    /// How many elements share a chunk.
    fn per_chunk(&self) -> u64 {
        match self {
            Self::Uint(bits) => 256 / u64::from(*bits),
            Self::Boolean => 32,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedBytes, List, SszExt};

    #[derive(Clone, Debug, Default, PartialEq, Ssz)]
    struct Inner {
        number: u64,
        key: FixedBytes<32>,
        #[ssz(vector(5))]
        small: Vec<u64>,
    }

    #[derive(Clone, Debug, Default, PartialEq, Ssz)]
    struct Outer {
        first: u64,
        #[ssz(list(1000))]
        inners: Vec<Inner>,
        #[ssz(list(1099511627776))]
        numbers: List<u64>,
        inner: Inner,
        #[ssz(list(70))]
        pages: List<Inner>,
    }

    fn inner(seed: u64) -> Inner {
        Inner { number: seed, key: FixedBytes([seed as u8; 32]), small: (seed..seed + 5).collect() }
    }

    fn outer() -> Outer {
        Outer {
            first: 9,
            inners: (0..7).map(inner).collect(),
            numbers: (0..103).collect(),
            inner: inner(11),
            pages: (20..60).map(inner).collect(),
        }
    }

    fn check(path: &[PathStep], leaf: Root) {
        let value = outer();
        let index = get_generalized_index(&Outer::schema_of(Ctx::PLAIN), path).unwrap();
        let proof = value.compute_merkle_proof(index, Ctx::PLAIN).unwrap();
        assert_eq!(proof.leaf, leaf, "{path:?}");
        let root = value.hash_tree_root(Ctx::PLAIN);
        assert!(is_valid_merkle_proof(&leaf, &proof.branch, index, &root), "{path:?}");
        // Only where the sibling is the same does the leaf lie there too.
        let twin = proof.branch.first() == Some(&leaf);
        assert_eq!(is_valid_merkle_proof(&leaf, &proof.branch, index ^ 1, &root), twin, "{path:?}");
        assert!(!is_valid_merkle_proof(&leaf, &proof.branch, 2 * index, &root), "{path:?}");
    }

    #[test]
    fn fields_elements_and_lengths_are_proved_to_lie_below_the_root() {
        use PathStep::{Field, Index, Length};
        let value = outer();
        check(&[], value.hash_tree_root(Ctx::PLAIN));
        check(&[Field("first")], chunk_of_number(9));
        check(&[Field("inner")], inner(11).hash_tree_root(Ctx::PLAIN));
        check(&[Field("inner"), Field("key")], FixedBytes([11; 32]));
        check(&[Field("inners"), Index(6)], inner(6).hash_tree_root(Ctx::PLAIN));
        check(&[Field("inners"), Index(6), Field("number")], chunk_of_number(6));
        check(&[Field("inners"), Index(999)], Root::ZERO);
        check(&[Field("inners"), Length], chunk_of_number(7));
        check(&[Field("numbers"), Length], chunk_of_number(103));
        check(&[Field("pages"), Index(39), Field("number")], chunk_of_number(59));
        check(&[Field("inner"), Field("small"), Index(4)], chunk_of_number(15));
        let mut chunk = Root::ZERO;
        chunk.0[..24].copy_from_slice(&[100u64, 101, 102].map(u64::to_le_bytes).concat());
        check(&[Field("numbers"), Index(101)], chunk);
    }

    #[test]
    fn every_node_down_to_the_fields_is_proved() {
        let value = outer();
        let root = value.hash_tree_root(Ctx::PLAIN);
        for index in 1..16 {
            let proof = value.compute_merkle_proof(index, Ctx::PLAIN).unwrap();
            assert!(is_valid_merkle_proof(&proof.leaf, &proof.branch, index, &root), "{index}");
        }
    }

    #[test]
    fn a_place_outside_of_the_tree_has_no_proof() {
        use PathStep::{Field, Index, Length};
        let value = outer();
        // No place; below a number; below padding; below an element that is not there.
        for index in [0, 16, 17, 29, 31 << 20] {
            assert_eq!(value.compute_merkle_proof(index, Ctx::PLAIN), None, "{index}");
        }
        let schema = Outer::schema_of(Ctx::PLAIN);
        for path in [
            &[Field("second")][..],
            &[Field("inners"), Index(1000)],
            &[Field("inner"), Field("small"), Length],
            &[Field("inner"), Field("small"), Index(5)],
            &[Field("first"), Index(0)],
        ] {
            assert_eq!(get_generalized_index(&schema, path), None, "{path:?}");
        }
        let absent = get_generalized_index(&schema, &[Field("inners"), Index(7), Field("key")]).unwrap();
        assert_eq!(value.compute_merkle_proof(absent, Ctx::PLAIN), None);
    }
}
