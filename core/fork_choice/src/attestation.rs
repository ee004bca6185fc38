//! `on_attestation` and `on_attester_slashing`: votes come and go.

use types::constants::GENESIS_EPOCH;
use types::{Epoch, Root, ValidatorIndex};

use crate::naive::LatestMessage;
use crate::tree::NONE;
use crate::votes::VALIDATORS_MAX;
use crate::{AttestationFacts, AttestationInvalid, ForkChoice, Origin};

/// The most votes that wait for the next slot. When full, later votes of a validator that waits already are
/// thrown out (the first counts); where that makes no room, new ones are refused. Honest traffic of one slot
/// has one thirty-second of the validators.
pub const QUEUED_VOTES_MAX: usize = 1 << 20;

/// From when a vote counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It counts now.
    Now,
    /// It is of the current slot, and counts from the next tick into a later slot.
    FromNextSlot,
}

/// Votes of the current slot: validator and block. All have the epoch of that slot as target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue(pub Vec<(u32, u32)>);

impl Queue {
    /// Follows a renumbering of the blocks.
    pub fn renumber(&mut self, moved: &[u32]) {
        self.0.retain_mut(|(_, block)| {
            *block = moved[*block as usize];
            *block != NONE
        });
    }

    /// Adds votes for one block, or none of them.
    fn add(&mut self, validators: &[ValidatorIndex], block: u32) -> Result<(), AttestationInvalid> {
        if self.0.len() + validators.len() > QUEUED_VOTES_MAX {
            // The sort is stable: of each validator the earliest stays.
            self.0.sort_by_key(|(validator, _)| *validator);
            self.0.dedup_by_key(|(validator, _)| *validator);
        }
        if self.0.len() + validators.len() > QUEUED_VOTES_MAX {
            return Err(AttestationInvalid::QueueFull);
        }
        self.0.extend(validators.iter().map(|validator| (validator.0 as u32, block)));
        Ok(())
    }
}

impl ForkChoice {
    /// [`on_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#on_attestation)
    /// for a verified attestation of the validators `attesting_indices`.
    pub fn on_attestation(
        &mut self,
        attestation: &AttestationFacts,
        attesting_indices: &[ValidatorIndex],
        origin: Origin,
    ) -> Result<(), AttestationInvalid> {
        self.validate_on_attestation(attestation, origin)?;
        check_indices(attesting_indices)?;
        self.update_latest_messages(attestation, attesting_indices);
        Ok(())
    }

    /// As `on_attestation` from the wire, but an attestation of the current slot is kept until it counts.
    pub fn queue_attestation(
        &mut self,
        attestation: &AttestationFacts,
        attesting_indices: &[ValidatorIndex],
    ) -> Result<Counted, AttestationInvalid> {
        match self.validate_on_attestation(attestation, Origin::Wire) {
            Ok(()) => {
                check_indices(attesting_indices)?;
                self.update_latest_messages(attestation, attesting_indices);
                Ok(Counted::Now)
            }
            // The slot is the last check, so that everything else is known to be right.
            Err(AttestationInvalid::SlotNotPast) if attestation.slot == self.get_current_slot() => {
                check_indices(attesting_indices)?;
                let block = self.tree.index_of(&attestation.beacon_block_root).expect("just validated");
                self.queue.add(attesting_indices, block)?;
                Ok(Counted::FromNextSlot)
            }
            Err(invalid) => Err(invalid),
        }
    }

    /// How many votes wait for the next slot.
    pub fn queued_votes(&self) -> usize {
        self.queue.0.len()
    }

    /// Counts the votes of the slot that just ended, which was of `target`.
    pub(crate) fn count_queued(&mut self, target: Epoch) {
        for (validator, block) in std::mem::take(&mut self.queue.0) {
            if self.votes.update(validator, block, target) {
                self.head = None;
            }
        }
    }

    /// [`validate_on_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#validate_on_attestation).
    pub fn validate_on_attestation(
        &self,
        attestation: &AttestationFacts,
        origin: Origin,
    ) -> Result<(), AttestationInvalid> {
        let target = &attestation.target;
        if origin == Origin::Wire {
            self.validate_target_epoch_against_current_time(target.epoch)?;
        }
        if target.epoch != attestation.slot.epoch(self.spec) {
            return Err(AttestationInvalid::TargetEpochNotOfSlot);
        }
        if !self.contains(&target.root) {
            return Err(AttestationInvalid::TargetUnknown);
        }
        let block =
            self.tree.index_of(&attestation.beacon_block_root).ok_or(AttestationInvalid::BlockUnknown)?;
        if self.tree.link(block).slot > attestation.slot {
            return Err(AttestationInvalid::BlockAfterAttestation);
        }
        let checkpoint_block = self.tree.ancestor_at(block, target.epoch.start_slot(self.spec));
        if checkpoint_block.is_none_or(|index| self.tree.node(index).root != target.root) {
            return Err(AttestationInvalid::TargetNotCheckpointOfBlock);
        }
        if self.get_current_slot() <= attestation.slot {
            return Err(AttestationInvalid::SlotNotPast);
        }
        Ok(())
    }

    /// [`validate_target_epoch_against_current_time`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#validate_target_epoch_against_current_time).
    fn validate_target_epoch_against_current_time(&self, target: Epoch) -> Result<(), AttestationInvalid> {
        let current_epoch = self.get_current_store_epoch();
        let previous_epoch = if current_epoch > GENESIS_EPOCH { current_epoch - 1 } else { GENESIS_EPOCH };
        if target > current_epoch {
            return Err(AttestationInvalid::TargetEpochInFuture);
        }
        if target < previous_epoch {
            return Err(AttestationInvalid::TargetEpochTooOld);
        }
        Ok(())
    }

    /// [`update_latest_messages`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_latest_messages).
    fn update_latest_messages(&mut self, attestation: &AttestationFacts, indices: &[ValidatorIndex]) {
        let block = self.tree.index_of(&attestation.beacon_block_root).expect("just validated");
        for index in indices {
            if self.votes.update(index.0 as u32, block, attestation.target.epoch) {
                self.head = None;
            }
        }
    }

    /// [`on_attester_slashing`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#on_attester_slashing)
    /// for the validators that a verified slashing shows in both attestations: their votes are removed and
    /// never count again.
    pub fn on_attester_slashing(&mut self, indices: &[ValidatorIndex]) -> Result<(), AttestationInvalid> {
        check_indices(indices)?;
        for index in indices {
            if self.votes.equivocate(index.0 as u32) {
                self.head = None;
            }
        }
        Ok(())
    }

    /// The latest message of every validator that sent one: none for a validator that equivocated, the
    /// zero root where the block voted for is pruned.
    pub fn latest_messages(&self) -> impl Iterator<Item = (ValidatorIndex, Option<LatestMessage>)> {
        let votes = self.votes.as_slice().iter().zip(0..);
        votes.filter(|(vote, _)| vote.moves_from != 0).map(|(vote, index)| {
            let root = if vote.next == NONE { Root::ZERO } else { self.tree.node(vote.next).root };
            (ValidatorIndex(index), vote.epoch().map(|epoch| LatestMessage { epoch, root }))
        })
    }

    /// True where the validator's votes are excluded for ever.
    pub fn is_equivocating(&self, validator: ValidatorIndex) -> bool {
        self.votes.is_equivocator(validator.0)
    }
}

fn check_indices(indices: &[ValidatorIndex]) -> Result<(), AttestationInvalid> {
    match indices.iter().all(|index| index.0 < VALIDATORS_MAX) {
        true => Ok(()),
        false => Err(AttestationInvalid::ValidatorIndexTooLarge),
    }
}
