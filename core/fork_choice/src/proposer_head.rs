//! `get_proposer_head`: whether the next proposer should build on the head or orphan it.

use types::{Checkpoint, Gwei, Root, Slot, ValidatorIndex};

use crate::{ForkChoice, Node, ProposerHeadInvalid};

impl ForkChoice {
    /// [`get_proposer_head`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_proposer_head):
    /// the block to build on for a proposal at `slot` when the head is `head`.
    ///
    /// `head_committees` are the members of all committees of the head's slot, by the head's post-state;
    /// [`is_head_weak`](Self::is_head_weak) reads them. They matter only where a member equivocated, and
    /// may be empty where [`Self::is_equivocating`] is false for all.
    pub fn get_proposer_head(
        &mut self,
        head: &Root,
        slot: Slot,
        head_committees: &[ValidatorIndex],
    ) -> Result<Root, ProposerHeadInvalid> {
        let head_block = self.block(head).ok_or(ProposerHeadInvalid::HeadUnknown)?;
        let parent_root = head_block.parent_root;
        let parent_block = self.block(&parent_root).ok_or(ProposerHeadInvalid::ParentUnknown)?;
        if self.proposer_boost_root == *head {
            return Err(ProposerHeadInvalid::HeadIsBoosted);
        }

        let current_time_ok = head_block.slot + 1 == slot;
        if !current_time_ok || !self.is_head_weak(head, head_committees) {
            return Ok(*head);
        }
        let single_slot_reorg = parent_block.slot + 1 == head_block.slot;
        let late_and_weak = is_head_late(&head_block)
            && self.is_not_epoch_boundary(slot)
            && is_ffg_competitive(&head_block, &parent_block)
            && self.is_finalization_ok(slot)
            && self.is_proposing_on_time()
            && single_slot_reorg
            && self.is_parent_strong(&parent_root);
        match late_and_weak || self.is_proposer_equivocation(&head_block) {
            true => Ok(parent_root),
            false => Ok(*head),
        }
    }

    /// [`is_head_weak`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_head_weak);
    /// true where the head is not known. `head_committees` as in [`Self::get_proposer_head`]. Who equivocated counts with
    /// its balance though it is slashed, so that more attestations never make a head weaker.
    pub fn is_head_weak(&mut self, head: &Root, head_committees: &[ValidatorIndex]) -> bool {
        let threshold = self.calculate_committee_fraction(self.spec.config.reorg_head_weight_threshold);
        let votes = self.get_attestation_score(head).unwrap_or_default();
        let equivocators = head_committees.iter().filter(|index| self.is_equivocating(**index));
        let equivocated: Gwei = equivocators.map(|index| self.balances.raw(*index)).sum();
        votes.saturating_add(equivocated) < threshold
    }

    /// [`is_parent_strong`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_parent_strong),
    /// given the root of the parent; false where it is not known.
    pub fn is_parent_strong(&mut self, parent_root: &Root) -> bool {
        let threshold = self.calculate_committee_fraction(self.spec.config.reorg_parent_weight_threshold);
        self.get_attestation_score(parent_root).unwrap_or_default() > threshold
    }

    /// [`is_not_epoch_boundary`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_not_epoch_boundary).
    fn is_not_epoch_boundary(&self, slot: Slot) -> bool {
        !slot.0.is_multiple_of(self.spec.preset.slots_per_epoch)
    }

    /// [`is_finalization_ok`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_finalization_ok).
    fn is_finalization_ok(&self, slot: Slot) -> bool {
        let epochs = slot.epoch(self.spec).saturating_sub(self.finalized_checkpoint.epoch);
        epochs <= self.spec.config.reorg_max_epochs_since_finalization
    }

    /// [`is_proposing_on_time`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_proposing_on_time).
    fn is_proposing_on_time(&self) -> bool {
        let cutoff = self.spec.get_slot_component_duration_ms(self.spec.config.proposer_reorg_cutoff_bps);
        self.ms_into_slot(self.time) <= cutoff
    }

    /// [`is_proposer_equivocation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_proposer_equivocation).
    fn is_proposer_equivocation(&self, block: &Node) -> bool {
        let at_once = self.tree.indices_at(block.slot);
        at_once.filter(|index| self.tree.proposer_index(*index) == block.proposer_index).nth(1).is_some()
    }
}

/// [`is_head_late`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_head_late).
fn is_head_late(head: &Node) -> bool {
    !head.timely
}

/// [`is_ffg_competitive`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#is_ffg_competitive).
fn is_ffg_competitive(head: &Node, parent: &Node) -> bool {
    let unrealized: [&Checkpoint; 2] = [&head.unrealized_justified, &parent.unrealized_justified];
    unrealized[0] == unrealized[1]
}
