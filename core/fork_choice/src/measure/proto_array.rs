//! The proto-array as the literature describes it, to compare with.
//!
//! An array of nodes with optional links to parent, best child and best descendant; votes by block root, one a
//! validator; to find the head, the votes become a vector of deltas, which one pass backwards over all nodes carries to
//! their ancestors, and a second one updates the best children. Only what votes need: no viability, no boost.

use std::collections::HashMap;

use types::{Epoch, Gwei, Root, ValidatorIndex};

#[derive(Clone, Debug)]
struct ProtoNode {
    root: Root,
    parent: Option<usize>,
    weight: u64,
    best_child: Option<usize>,
    best_descendant: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct VoteTracker {
    current_root: Root,
    next_root: Root,
    next_epoch: Epoch,
}

/// A plain proto-array.
#[derive(Clone, Debug)]
pub struct ProtoArray {
    nodes: Vec<ProtoNode>,
    indices: HashMap<Root, usize>,
    votes: Vec<VoteTracker>,
    balances: Vec<Gwei>,
}

impl ProtoArray {
    /// An array with a first block.
    pub fn new(root: Root) -> Self {
        let node = ProtoNode { root, parent: None, weight: 0, best_child: None, best_descendant: None };
        Self {
            nodes: vec![node],
            indices: HashMap::from([(root, 0)]),
            votes: Vec::new(),
            balances: Vec::new(),
        }
    }

    /// Adds a block upon one that is there.
    pub fn on_block(&mut self, root: Root, parent: Root) {
        let (index, parent) = (self.nodes.len(), self.indices[&parent]);
        let node =
            ProtoNode { root, parent: Some(parent), weight: 0, best_child: None, best_descendant: None };
        self.indices.insert(root, index);
        self.nodes.push(node);
        self.maybe_update_best_child(parent, index);
    }

    /// Notes one validator's vote where it is newer than the one before.
    pub fn process_attestation(&mut self, validator: ValidatorIndex, block_root: Root, target: Epoch) {
        let index = validator.as_usize();
        if index >= self.votes.len() {
            self.votes.resize(index + 1, VoteTracker::default());
        }
        let vote = &mut self.votes[index];
        if target > vote.next_epoch || vote.next_root.is_zero() {
            vote.next_root = block_root;
            vote.next_epoch = target;
        }
    }

    /// Settles the votes with these balances, and gives the head of the tree of `justified_root`.
    pub fn find_head(&mut self, justified_root: &Root, balances: &[Gwei]) -> Root {
        let deltas = self.compute_deltas(balances);
        self.apply_score_changes(deltas);
        let justified = self.indices[justified_root];
        let head = self.nodes[justified].best_descendant.unwrap_or(justified);
        self.nodes[head].root
    }

    fn compute_deltas(&mut self, new_balances: &[Gwei]) -> Vec<i64> {
        let mut deltas = vec![0; self.nodes.len()];
        for (validator, vote) in self.votes.iter_mut().enumerate() {
            if vote.current_root.is_zero() && vote.next_root.is_zero() {
                continue;
            }
            let old = self.balances.get(validator).copied().unwrap_or_default();
            let new = new_balances.get(validator).copied().unwrap_or_default();
            if vote.current_root != vote.next_root || old != new {
                if let Some(index) = self.indices.get(&vote.current_root) {
                    deltas[*index] -= old.0 as i64;
                }
                if let Some(index) = self.indices.get(&vote.next_root) {
                    deltas[*index] += new.0 as i64;
                }
                vote.current_root = vote.next_root;
            }
        }
        self.balances = new_balances.to_vec();
        deltas
    }

    fn apply_score_changes(&mut self, mut deltas: Vec<i64>) {
        for index in (0..self.nodes.len()).rev() {
            let delta = deltas[index];
            let node = &mut self.nodes[index];
            node.weight = node.weight.checked_add_signed(delta).expect("votes leave where they were counted");
            if let Some(parent) = node.parent {
                deltas[parent] += delta;
            }
        }
        for index in (0..self.nodes.len()).rev() {
            if let Some(parent) = self.nodes[index].parent {
                self.maybe_update_best_child(parent, index);
            }
        }
    }

    fn maybe_update_best_child(&mut self, parent: usize, child: usize) {
        let best_descendant = self.nodes[child].best_descendant.unwrap_or(child);
        let wins = match self.nodes[parent].best_child {
            None => true,
            Some(best) if best == child => true,
            Some(best) => {
                let (old, new) = (&self.nodes[best], &self.nodes[child]);
                (new.weight, new.root) >= (old.weight, old.root)
            }
        };
        if wins {
            self.nodes[parent].best_child = Some(child);
            self.nodes[parent].best_descendant = Some(best_descendant);
        }
    }
}
