//! `get_head` and weights.

use types::{Gwei, Root};

use crate::settle::Viability;
use crate::{ForkChoice, NodeView};

impl ForkChoice {
    /// [`get_head`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_head).
    ///
    /// At once where nothing changed since the last call, nor where a block came upon the head or somewhere it does not
    /// matter; else one pass over all blocks, however many votes moved.
    pub fn get_head(&mut self) -> Root {
        let head = self.head_index();
        self.tree.root(head)
    }

    pub(crate) fn head_index(&mut self) -> u32 {
        if let Some(head) = self.head {
            return head;
        }
        let epoch = self.get_current_store_epoch();
        let (justified, finalized) = (&self.justified_checkpoint, &self.finalized_checkpoint);
        self.tree.judge_leaves(Viability::new(self.spec, epoch, justified, finalized));
        self.tree.settle(self.boost());
        let head = self.tree.best_descendant(self.start_of_head());
        self.head = Some(head);
        head
    }

    /// The boosted block and what it gives to its chain.
    fn boost(&self) -> Option<(u32, u64)> {
        if self.proposer_boost_root.is_zero() {
            return None;
        }
        // A boosted block may be pruned or invalid: then its boost is of no chain, and still no other block gets one.
        let boosted = self.tree.index_of(&self.proposer_boost_root)?;
        // All votes together weigh less than half of what fits, so that this is as good as more.
        let score = self.get_proposer_score().0.min(u64::MAX / 2);
        (!self.tree.is_invalid(boosted)).then_some((boosted, score))
    }

    /// Where the walk to the head begins: at the justified block. Where that is invalid the specification has no head; the
    /// walk begins at its last ancestor that is not, and finds what the votes say of the blocks that can be executed.
    fn start_of_head(&self) -> u32 {
        let mut at = self.index_expected(&self.justified_checkpoint);
        while self.tree.is_invalid(at) {
            at = self.tree.parent(at);
        }
        at
    }

    /// [`get_weight`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_weight);
    /// none where the block is not known.
    pub fn get_weight(&mut self, root: &Root) -> Option<Gwei> {
        let index = self.tree.index_of(root)?;
        self.head_index();
        Some(Gwei(self.tree.score(index)))
    }

    /// [`get_attestation_score`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_attestation_score);
    /// none where the block is not known.
    pub fn get_attestation_score(&mut self, root: &Root) -> Option<Gwei> {
        let index = self.tree.index_of(root)?;
        self.head_index();
        let boost = self.boost().filter(|(boosted, _)| self.tree.is_ancestor(*boosted, index));
        Some(Gwei(self.tree.score(index) - boost.map_or(0, |(_, score)| score)))
    }

    /// [`get_proposer_score`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_proposer_score).
    pub fn get_proposer_score(&self) -> Gwei {
        self.calculate_committee_fraction(self.spec.config.proposer_score_boost)
    }

    /// [`calculate_committee_fraction`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#calculate_committee_fraction)
    /// of the justified balances.
    pub(crate) fn calculate_committee_fraction(&self, committee_percent: u64) -> Gwei {
        committee_fraction(self.balances.total_active(), self.spec.preset.slots_per_epoch, committee_percent)
    }

    /// The leaves of the filtered block tree with their weights: the blocks that votes could make head.
    pub fn viable_heads(&mut self) -> Vec<NodeView> {
        self.head_index();
        let start = self.start_of_head();
        let viable = |index: &u32| {
            self.tree.is_viable(*index)
                && !self.tree.has_children(*index)
                && self.tree.is_ancestor(*index, start)
        };
        self.tree.indices().filter(viable).map(|index| self.view_of(index)).collect()
    }
}

/// A percentage of what one slot's committees weigh on average; at most `u64::MAX`.
pub(crate) fn committee_fraction(total_active: Gwei, slots_per_epoch: u64, percent: u64) -> Gwei {
    let committee_weight = u128::from(total_active.0 / slots_per_epoch);
    let fraction = committee_weight * u128::from(percent) / 100;
    Gwei(u64::try_from(fraction).unwrap_or(u64::MAX))
}
