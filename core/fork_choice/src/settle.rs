//! From votes to the head: weights, viability and best children of all blocks in one pass.

use types::{Checkpoint, Epoch, Slot, Spec};

use crate::checkpoints::Quad;
use crate::tree::{Flags, NONE, Tree};

/// What follows from the votes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Votes for the block and its descendants in Gwei, with the proposer's boost where it applies.
    score: u64,
    /// The viable child with most score, or [`NONE`].
    best_child: u32,
    /// The end of the chain of best children, as of the last `settle`.
    best_descendant: u32,
}

impl Link {
    /// What is told of a block before the votes are counted.
    pub const UNSETTLED: Self = Self { score: 0, best_child: NONE, best_descendant: NONE };
}

/// What decides whether a leaf may be head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Viability {
    current_epoch: Epoch,
    /// The first slot of that epoch.
    epoch_start: Slot,
    justified_epoch: Epoch,
    finalized_epoch: Epoch,
}

impl Viability {
    pub fn new(spec: &Spec, current_epoch: Epoch, justified: &Checkpoint, finalized: &Checkpoint) -> Self {
        Self {
            current_epoch,
            epoch_start: current_epoch.start_slot(spec),
            justified_epoch: justified.epoch,
            finalized_epoch: finalized.epoch,
        }
    }

    /// The leaf's part of
    /// [`filter_block_tree`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#filter_block_tree).
    pub fn of_leaf(&self, slot: Slot, checkpoints: &Quad, conforms: bool) -> bool {
        let voting_source = self.get_voting_source(slot, checkpoints);
        let correct_justified = self.justified_epoch == 0
            || voting_source == self.justified_epoch
            || voting_source.saturating_add(2) >= self.current_epoch;
        let correct_finalized = self.finalized_epoch == 0 || conforms;
        correct_justified && correct_finalized
    }

    /// The epoch of
    /// [`get_voting_source`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_voting_source).
    fn get_voting_source(&self, slot: Slot, checkpoints: &Quad) -> Epoch {
        let is_of_an_epoch_before = slot < self.epoch_start;
        let source =
            if is_of_an_epoch_before { &checkpoints.unrealized_justified } else { &checkpoints.justified };
        source.epoch
    }
}

impl Tree {
    /// Finds which blocks may lead as leaves, where that was not found with the same viability.
    pub fn judge_leaves(&mut self, viability: Viability) {
        if self.viability == Some(viability) {
            return;
        }
        self.viability = Some(viability);
        for index in self.oldest as usize..self.places.len() {
            let flags = &mut self.flags[index];
            let quad = self.checkpoints.get(self.quads[index]);
            let may_lead = viability.of_leaf(self.places[index].slot, quad, flags.has(Flags::CONFORMS));
            flags.set(Flags::MAY_LEAD, may_lead);
        }
    }

    /// Finds score, viability, best child and best descendant of every block. `boost` is the boosted block and the score
    /// it gives to its chain.
    ///
    /// One pass suffices because children come after their parent: going backwards, a block is complete when it is
    /// reached. A parent's `best_child` is set exactly when one of its children is viable, so viability needs no second
    /// pass. Everything is added up anew: carrying differences costs the same pass and has to be right for ever after.
    pub fn settle(&mut self, boost: Option<(u32, u64)>) {
        let oldest = self.oldest as usize;
        for (link, own) in self.links[oldest..].iter_mut().zip(&self.own[oldest..]) {
            *link = Link { score: *own, ..Link::UNSETTLED };
        }
        if let Some((boosted, score)) = boost {
            self.links[boosted as usize].score += score;
        }
        for index in (oldest..self.places.len()).rev() {
            let flags = &mut self.flags[index];
            let link = &mut self.links[index];
            if flags.is_out() {
                link.score = 0;
                flags.set(Flags::VIABLE, false);
                continue;
            }
            let viable = match flags.has(Flags::HAS_CHILDREN) {
                true => link.best_child != NONE,
                false => flags.has(Flags::MAY_LEAD),
            };
            flags.set(Flags::VIABLE, viable);
            if link.best_child == NONE {
                link.best_descendant = index as u32;
            }
            let parent = self.places[index].parent;
            if parent != NONE {
                let score = link.score;
                self.links[parent as usize].score += score;
                if viable {
                    self.offer_child(parent, index as u32);
                }
            }
        }
    }

    /// Makes `child` the best of its parent where it beats the best so far.
    fn offer_child(&mut self, parent: u32, child: u32) {
        let best = self.links[parent as usize].best_child;
        if best == NONE || self.is_better(child, best) {
            let best_descendant = self.links[child as usize].best_descendant;
            let link = &mut self.links[parent as usize];
            (link.best_child, link.best_descendant) = (child, best_descendant);
        }
    }

    /// Whether a block has a higher score than another; the higher root breaks a tie.
    fn is_better(&self, new: u32, old: u32) -> bool {
        let (new, old) = (new as usize, old as usize);
        let (new_score, old_score) = (self.links[new].score, self.links[old].score);
        if new_score != old_score {
            return new_score > old_score;
        }
        match self.keys[new] == self.keys[old] {
            true => self.rows[new].root > self.rows[old].root,
            false => self.keys[new] > self.keys[old],
        }
    }

    /// Given the head before the last block was added, which nobody voted for yet, the head with it; none where that takes
    /// a pass. `was_leaf` tells whether the parent of the new block had no child that counts.
    pub fn head_with_last(&mut self, head: u32, was_leaf: bool) -> Option<u32> {
        let block = self.places.len() as u32 - 1;
        let parent = self.parent(block);
        let viable = self.flags[block as usize].has(Flags::MAY_LEAD);
        if !viable {
            // An inner block stays as viable as its other children make it; a leaf is now one of a leaf that is not.
            return (!was_leaf).then_some(head);
        }
        if !self.is_viable(parent) {
            return None;
        }
        let sibling = self.links[parent as usize].best_child;
        if sibling != NONE && self.links[sibling as usize].score == 0 {
            return None;
        }
        self.flags[block as usize].set(Flags::VIABLE, true);
        self.links[block as usize].best_descendant = block;
        if sibling == NONE {
            self.links[parent as usize].best_child = block;
        }
        Some(if parent == head { block } else { head })
    }

    /// The end of the chain of best children, right after `settle`.
    pub fn best_descendant(&self, from: u32) -> u32 {
        self.links[from as usize].best_descendant
    }

    /// Votes for the block and its descendants with the proposer boost, as of the last `settle`.
    pub fn score(&self, index: u32) -> u64 {
        self.links[index as usize].score
    }

    /// True where the block was in the filtered block tree at the last `settle`.
    pub fn is_viable(&self, index: u32) -> bool {
        self.flags[index as usize].has(Flags::VIABLE)
    }

    /// Follows `settle` where blocks are numbered anew: children are found again by the next one.
    pub(crate) fn keep_score(&mut self, index: u32, score: u64) {
        self.links[index as usize] = Link { score, ..Link::UNSETTLED };
    }

    /// What a block that became invalid weighs.
    pub(crate) fn weigh_nothing(&mut self, index: u32) {
        self.links[index as usize] = Link::UNSETTLED;
        self.flags[index as usize].set(Flags::VIABLE, false);
    }
}
