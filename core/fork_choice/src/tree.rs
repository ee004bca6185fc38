//! The proto-array: blocks in a flat array, every parent before its children.
//!
//! What the passes touch for every block is in [`Link`], a small array of its own; what is only looked up is
//! in [`Node`]. Invariants: `nodes` and `links` have equal length; entry 0 is the root of the tree and the
//! only one without a parent; `link.parent < index`; slots grow from parent to child.

use std::collections::BTreeMap;

use types::{Checkpoint, Epoch, Root, Slot, Spec, ValidatorIndex};

use crate::ExecutionStatus;

/// The most blocks the store holds. Half a year of slots without finality; further blocks are refused.
pub const BLOCKS_MAX: usize = 1 << 20;

/// The index that stands for no block.
pub(crate) const NONE: u32 = u32::MAX;

/// A block of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Slot of the block.
    pub slot: Slot,
    /// Root of the block.
    pub root: Root,
    /// Root of its parent.
    pub parent_root: Root,
    /// Who proposed it.
    pub proposer_index: ValidatorIndex,
    /// Root of its post-state.
    pub state_root: Root,
    /// `current_justified_checkpoint` of its post-state.
    pub justified: Checkpoint,
    /// `finalized_checkpoint` of its post-state.
    pub finalized: Checkpoint,
    /// The justified checkpoint after counting the votes its chain already holds.
    pub unrealized_justified: Checkpoint,
    /// The finalized checkpoint after counting the votes its chain already holds.
    pub unrealized_finalized: Checkpoint,
    /// True where it came in its slot and before attestations were due.
    pub timely: bool,
    /// What the execution layer says of its payload.
    pub execution: ExecutionStatus,
}

/// What the passes over the whole tree touch.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub slot: Slot,
    /// Votes for the block and its descendants, in Gwei.
    pub weight: u64,
    /// `weight` and the proposer's boost, where it applies.
    pub score: u64,
    /// Change of votes for exactly this block that `settle` has yet to carry to its ancestors.
    pub delta: i64,
    pub parent: u32,
    /// The viable child with most score, or [`NONE`].
    pub best_child: u32,
    /// True where a block builds on it whose payload is not invalid.
    pub has_children: bool,
    /// True where the block's checkpoint at the finalized epoch is the finalized root.
    pub conforms: bool,
    /// True where the block is in the filtered block tree of the whole array.
    pub viable: bool,
}

/// What decides whether a leaf may be head.
pub(crate) struct Viability<'a> {
    pub spec: &'a Spec,
    pub current_epoch: Epoch,
    pub justified_epoch: Epoch,
    pub finalized_epoch: Epoch,
}

impl Viability<'_> {
    /// The leaf's part of
    /// [`filter_block_tree`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#filter_block_tree).
    fn of_leaf(&self, node: &Node, conforms: bool) -> bool {
        let voting_source = self.get_voting_source(node);
        let correct_justified = self.justified_epoch == 0
            || voting_source == self.justified_epoch
            || voting_source.saturating_add(2) >= self.current_epoch;
        let correct_finalized = self.finalized_epoch == 0 || conforms;
        correct_justified && correct_finalized
    }

    /// The epoch of
    /// [`get_voting_source`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_voting_source).
    fn get_voting_source(&self, node: &Node) -> Epoch {
        if self.current_epoch > node.slot.epoch(self.spec) {
            node.unrealized_justified.epoch
        } else {
            node.justified.epoch
        }
    }
}

/// The proto-array.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    links: Vec<Link>,
    // Ordered, not hashed: the core draws no randomness, and a fixed hash could be ground against.
    indices: BTreeMap<Root, u32>,
    finalized: u32,
    finalized_slot: Slot,
}

impl Tree {
    /// A tree of one block, which is finalized at `finalized_slot`.
    pub fn new(root: Node, finalized_slot: Slot) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            links: Vec::new(),
            indices: BTreeMap::new(),
            finalized: 0,
            finalized_slot,
        };
        tree.append(root, NONE, true);
        tree
    }

    /// Adds a child of `parent`. The caller has checked that the root is new, the slot is after the
    /// parent's and the tree is not full.
    pub fn insert(&mut self, node: Node, parent: u32) {
        let conforms = self.child_conforms(parent, node.slot);
        self.links[parent as usize].has_children |= !node.execution.is_invalid();
        self.append(node, parent, conforms);
    }

    fn append(&mut self, node: Node, parent: u32, conforms: bool) {
        let index = self.nodes.len() as u32;
        self.indices.insert(node.root, index);
        self.links.push(Link {
            slot: node.slot,
            weight: 0,
            score: 0,
            delta: 0,
            parent,
            best_child: NONE,
            has_children: false,
            conforms,
            viable: false,
        });
        self.nodes.push(node);
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn index_of(&self, root: &Root) -> Option<u32> {
        self.indices.get(root).copied()
    }

    pub fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    pub fn link(&self, index: u32) -> &Link {
        &self.links[index as usize]
    }

    pub fn links_mut(&mut self) -> &mut [Link] {
        &mut self.links
    }

    /// In the order of the array: parents before children.
    pub fn iter(&self) -> impl Iterator<Item = (&Node, &Link)> {
        self.nodes.iter().zip(&self.links)
    }

    /// The last block of the chain of `index` that is not after `slot`; none where the tree begins later.
    pub fn ancestor_at(&self, index: u32, slot: Slot) -> Option<u32> {
        let mut at = index;
        while self.links[at as usize].slot > slot {
            at = self.links[at as usize].parent;
            if at == NONE {
                return None;
            }
        }
        Some(at)
    }

    /// True where `ancestor` is `index` or before it in its chain.
    pub fn is_ancestor(&self, index: u32, ancestor: u32) -> bool {
        let mut at = index;
        // A parent comes before its children, so the walk may stop below the index it looks for.
        while at != NONE && at > ancestor {
            at = self.links[at as usize].parent;
        }
        at == ancestor
    }

    /// Whether a block at `slot` upon `parent` keeps the finalized root as its checkpoint at the finalized
    /// epoch: it does unless it comes between the finalized block and the start of that epoch.
    pub fn child_conforms(&self, parent: u32, slot: Slot) -> bool {
        self.links[parent as usize].conforms && (parent != self.finalized || slot > self.finalized_slot)
    }

    /// Makes the block of `index` the finalized one, at an epoch that starts at `slot`. One forward pass.
    pub fn set_finalized(&mut self, index: u32, slot: Slot) {
        self.finalized = index;
        self.finalized_slot = slot;
        for at in 0..self.links.len() {
            let link = &self.links[at];
            let (parent, slot) = (link.parent, link.slot);
            self.links[at].conforms =
                at as u32 == index || (parent != NONE && self.child_conforms(parent, slot));
        }
    }

    /// Carries deltas to the ancestors, and finds weight, score, viability and best child of every block.
    /// `boost` is the boosted block and the score it gives to its chain.
    ///
    /// One pass suffices because children come after their parent: going backwards, a block is complete
    /// when it is reached. A parent's `best_child` is set exactly when one of its children is viable, so
    /// viability needs no second pass.
    pub fn settle(&mut self, viability: &Viability<'_>, boost: Option<(u32, u64)>) {
        for link in &mut self.links {
            link.best_child = NONE;
        }
        let (mut boosted, boost_score) = boost.unwrap_or((NONE, 0));
        for index in (0..self.links.len()).rev() {
            let link = &mut self.links[index];
            let delta = std::mem::take(&mut link.delta);
            if self.nodes[index].execution.is_invalid() {
                // Votes for it, and votes that leave it, are nobody's. What it weighed was taken from its ancestors when
                // it became invalid.
                (link.weight, link.score, link.viable) = (0, 0, false);
                continue;
            }
            link.weight = link.weight.checked_add_signed(delta).expect("votes leave where they were counted");
            link.score = link.weight;
            if index as u32 == boosted {
                link.score = link.weight.saturating_add(boost_score);
                boosted = link.parent;
            }
            link.viable = if link.has_children {
                link.best_child != NONE
            } else {
                viability.of_leaf(&self.nodes[index], link.conforms)
            };
            let (parent, viable) = (link.parent, link.viable);
            if parent == NONE {
                continue;
            }
            self.links[parent as usize].delta += delta;
            if viable {
                self.offer_child(parent, index as u32);
            }
        }
    }

    /// Makes `child` the best of its parent where it beats the best so far; the higher root breaks a tie.
    fn offer_child(&mut self, parent: u32, child: u32) {
        let best = self.links[parent as usize].best_child;
        let wins = best == NONE || {
            let (old, new) = (&self.links[best as usize], &self.links[child as usize]);
            new.score > old.score
                || (new.score == old.score
                    && self.nodes[child as usize].root > self.nodes[best as usize].root)
        };
        if wins {
            self.links[parent as usize].best_child = child;
        }
    }

    /// Says what is known of a payload.
    pub fn set_execution(&mut self, index: u32, execution: ExecutionStatus) {
        self.nodes[index as usize].execution = execution;
    }

    /// Marks a block and all that builds on it as invalid, and takes their weight from what comes before. Gives those
    /// that were not invalid before, in the order of the array.
    pub fn invalidate(&mut self, first: u32) -> Vec<u32> {
        let mut invalidated = Vec::new();
        for index in first..self.nodes.len() as u32 {
            let Link { parent, .. } = self.links[index as usize];
            let follows = index == first
                || (parent != NONE && parent >= first && self.nodes[parent as usize].execution.is_invalid());
            let Some(block_hash) = self.nodes[index as usize].execution.block_hash().filter(|_| follows)
            else {
                continue;
            };
            if !self.nodes[index as usize].execution.is_invalid() {
                self.set_execution(index, ExecutionStatus::Invalidated { block_hash });
                invalidated.push(index);
            }
        }
        let parent = self.links[first as usize].parent;
        if parent != NONE && !invalidated.is_empty() {
            self.links[parent as usize].delta -= self.links[first as usize].weight as i64;
            let lives = |at: u32| {
                self.links[at as usize].parent == parent && !self.nodes[at as usize].execution.is_invalid()
            };
            let has_children = (parent + 1..self.nodes.len() as u32).any(lives);
            self.links[parent as usize].has_children = has_children;
        }
        for index in &invalidated {
            let link = &mut self.links[*index as usize];
            (link.weight, link.score, link.viable, link.has_children) = (0, 0, false, false);
        }
        invalidated
    }

    /// The end of the chain of best children.
    pub fn best_descendant(&self, from: u32) -> u32 {
        let mut at = from;
        while self.links[at as usize].best_child != NONE {
            at = self.links[at as usize].best_child;
        }
        at
    }

    /// Keeps the finalized block and its descendants. Gives the roots removed, and the new index of every
    /// old one ([`NONE`] where removed). Weights stay right, because a block that stays has only
    /// descendants that stay.
    pub fn prune(&mut self) -> (Vec<Root>, Vec<u32>) {
        let old_links = std::mem::take(&mut self.links);
        let old_nodes = std::mem::take(&mut self.nodes);
        let mut removed = Vec::new();
        let mut moved = Vec::with_capacity(old_links.len());
        for (index, (node, mut link)) in old_nodes.into_iter().zip(old_links).enumerate() {
            let is_root = index as u32 == self.finalized;
            let parent = if link.parent == NONE { NONE } else { moved[link.parent as usize] };
            if !is_root && parent == NONE {
                self.indices.remove(&node.root);
                removed.push(node.root);
                moved.push(NONE);
                continue;
            }
            let new_index = self.links.len() as u32;
            link.parent = parent;
            // Found anew by the next `settle`; an index of before would point elsewhere.
            link.best_child = NONE;
            self.indices.insert(node.root, new_index);
            moved.push(new_index);
            self.links.push(link);
            self.nodes.push(node);
        }
        self.finalized = 0;
        (removed, moved)
    }
}
