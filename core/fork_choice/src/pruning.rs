//! What leaves the tree: blocks that finality passed by, and those whose payload is invalid.

use types::Root;

use crate::ExecutionStatus;
use crate::index::Index;
use crate::tree::{Flags, NONE, Tree};

/// The fewest blocks that are gone for which the others are numbered anew, which costs a pass over all votes. With one
/// block a slot and finality each epoch this is one pass in sixteen epochs.
/// Tests renumber often, since what does not happen in them is not tested.
const GONE_MIN: usize = if cfg!(test) { 4 } else { 512 };

impl Tree {
    /// Keeps the finalized block and its descendants, and gives the roots removed. What stays keeps its index and its
    /// weight, because a block that stays has only descendants that stay.
    pub fn prune(&mut self) -> Vec<Root> {
        let mut removed = Vec::new();
        for index in self.oldest..self.places.len() as u32 {
            let parent = self.parent(index);
            let stays = index == self.finalized || (parent != NONE && !self.is_gone(parent));
            // The blocks before the finalized one are no descendants of it, and the oldest is one of them.
            if (stays && index >= self.finalized) || self.is_gone(index) {
                continue;
            }
            self.flags[index as usize].set(Flags::GONE, true);
            let root = self.root(index);
            self.index.remove(&root, index);
            removed.push(root);
        }
        self.before_oldest = self.node(self.finalized).parent_root;
        self.places[self.finalized as usize].parent = NONE;
        self.oldest = self.finalized;
        self.gone += removed.len();
        removed
    }

    /// Where more blocks are gone than are left: numbers those that are left anew, and gives the new index of every old
    /// one, [`NONE`] of those that are gone. So a block is moved less than once on average, however often finality moves.
    pub fn renumber(&mut self) -> Option<Vec<u32>> {
        if self.gone < GONE_MIN.max(self.count()) {
            return None;
        }
        let mut moved = vec![NONE; self.places.len()];
        let mut fresh = Self::empty(self.finalized_slot);
        fresh.before_oldest = self.before_oldest;
        for index in self.indices() {
            let parent = self.parent(index);
            let parent = if parent == NONE { NONE } else { moved[parent as usize] };
            let new = fresh.places.len() as u32;
            moved[index as usize] = new;
            fresh.append(self.node(index), parent, self.conforms(index));
            fresh.own[new as usize] = self.own[index as usize];
            fresh.keep_score(new, self.score(index));
            for flag in [Flags::MAY_LEAD, Flags::VIABLE] {
                fresh.flags[new as usize].set(flag, self.flags[index as usize].has(flag));
            }
        }
        fresh.index = Index::of_all(fresh.indices().map(|index| (fresh.root(index), index)));
        fresh.finalized = moved[self.finalized as usize];
        fresh.viability = self.viability;
        *self = fresh;
        Some(moved)
    }

    /// Marks a block and all that builds on it as invalid. Gives those that were not invalid before, in the order of the
    /// arrays.
    pub fn invalidate(&mut self, first: u32) -> Vec<u32> {
        let mut invalidated = Vec::new();
        for index in first..self.places.len() as u32 {
            let parent = self.parent(index);
            let follows = index == first || (parent != NONE && parent >= first && self.is_invalid(parent));
            if !follows || self.is_invalid(index) || self.is_gone(index) {
                continue;
            }
            if let Some(block_hash) = self.execution(index).block_hash() {
                self.set_execution(index, ExecutionStatus::Invalidated { block_hash });
                invalidated.push(index);
            }
        }
        for index in &invalidated {
            self.weigh_nothing(*index);
            self.flags[*index as usize].set(Flags::HAS_CHILDREN, false);
        }
        // The caller has seen that the first has a parent.
        let parent = self.parent(first);
        let is_living_child = |at: u32| self.parent(at) == parent && !self.flags[at as usize].is_out();
        let lives = (parent + 1..self.places.len() as u32).any(is_living_child);
        self.flags[parent as usize].set(Flags::HAS_CHILDREN, lives);
        invalidated
    }
}
