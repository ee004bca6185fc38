//! `on_attestation` and `on_attester_slashing`: votes come and go.

use types::constants::GENESIS_EPOCH;
use types::{Epoch, Root, ValidatorIndex};

use crate::naive::LatestMessage;
use crate::tree::NONE;
use crate::votes::{EPOCHS_MAX, VALIDATORS_MAX};
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

/// Votes of the current slot, in the order in which they came. All have the epoch of that slot as target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// Who votes: after each other the voters of every run.
    pub voters: Vec<ValidatorIndex>,
    /// Which block, and where its voters end.
    pub runs: Vec<(u32, usize)>,
}

impl Queue {
    /// The votes, by block.
    pub fn runs(&self) -> impl Iterator<Item = (u32, &[ValidatorIndex])> {
        let mut start = 0;
        self.runs
            .iter()
            .map(move |(block, end)| (*block, &self.voters[std::mem::replace(&mut start, *end)..*end]))
    }

    pub fn push(&mut self, voters: &[ValidatorIndex], block: u32) {
        self.voters.extend_from_slice(voters);
        match self.runs.last_mut() {
            Some((last, end)) if *last == block => *end = self.voters.len(),
            _ if voters.is_empty() => {}
            _ => self.runs.push((block, self.voters.len())),
        }
    }

    /// Follows a renumbering of the blocks.
    pub fn renumber(&mut self, moved: &[u32]) {
        self.retain(|block, _| moved[block as usize] != NONE);
        self.runs.iter_mut().for_each(|(block, _)| *block = moved[*block as usize]);
    }

    fn retain(&mut self, mut stays: impl FnMut(u32, ValidatorIndex) -> bool) {
        let mut kept = Self::default();
        for (block, voters) in self.runs() {
            let voters: Vec<_> = voters.iter().copied().filter(|voter| stays(block, *voter)).collect();
            kept.push(&voters, block);
        }
        *self = kept;
    }

    /// Adds votes for one block, or none of them.
    fn add(&mut self, validators: &[ValidatorIndex], block: u32) -> Result<(), AttestationInvalid> {
        if self.voters.len() + validators.len() > QUEUED_VOTES_MAX {
            // Of each validator the earliest stays.
            let mut seen = vec![false; VALIDATORS_MAX as usize];
            self.retain(|_, voter| !std::mem::replace(&mut seen[voter.as_usize()], true));
        }
        if self.voters.len() + validators.len() > QUEUED_VOTES_MAX {
            return Err(AttestationInvalid::QueueFull);
        }
        self.push(validators, block);
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
        let block = self.block_voted_for(attestation, origin)?;
        self.validate_slot_is_past(attestation)?;
        check_countable(attestation.target.epoch, attesting_indices)?;
        self.update_latest_messages(attesting_indices, block, attestation.target.epoch);
        Ok(())
    }

    /// As `on_attestation` from the wire, but an attestation of the current slot is kept until it counts.
    pub fn queue_attestation(
        &mut self,
        attestation: &AttestationFacts,
        attesting_indices: &[ValidatorIndex],
    ) -> Result<Counted, AttestationInvalid> {
        let block = self.block_voted_for(attestation, Origin::Wire)?;
        // The slot is the last check, so that everything else is known to be right.
        let is_past = self.validate_slot_is_past(attestation);
        if is_past.is_err() && attestation.slot != self.get_current_slot() {
            return is_past.map(|()| Counted::Now);
        }
        check_countable(attestation.target.epoch, attesting_indices)?;
        if is_past.is_ok() {
            self.update_latest_messages(attesting_indices, block, attestation.target.epoch);
            return Ok(Counted::Now);
        }
        self.queue.add(attesting_indices, block)?;
        Ok(Counted::FromNextSlot)
    }

    /// How many votes wait for the next slot.
    pub fn queued_votes(&self) -> usize {
        self.queue.voters.len()
    }

    /// Counts the votes of the slot that just ended, which was of `target`.
    pub(crate) fn count_queued(&mut self, target: Epoch) {
        let queue = std::mem::take(&mut self.queue);
        for (block, voters) in queue.runs() {
            // As if it came now: a vote for a block that is pruned is not valid.
            if !self.tree.is_gone(block) {
                self.update_latest_messages(voters, block, target);
            }
        }
    }

    /// [`validate_on_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#validate_on_attestation).
    pub fn validate_on_attestation(
        &self,
        attestation: &AttestationFacts,
        origin: Origin,
    ) -> Result<(), AttestationInvalid> {
        self.block_voted_for(attestation, origin)?;
        self.validate_slot_is_past(attestation)
    }

    /// The checks of `validate_on_attestation` but the last; gives the block voted for.
    fn block_voted_for(
        &self,
        attestation: &AttestationFacts,
        origin: Origin,
    ) -> Result<u32, AttestationInvalid> {
        let target = &attestation.target;
        if origin == Origin::Wire {
            self.validate_target_epoch_against_current_time(target.epoch)?;
        }
        if target.epoch != attestation.slot.epoch(self.spec) {
            return Err(AttestationInvalid::TargetEpochNotOfSlot);
        }
        let block = self.tree.index_of(&attestation.beacon_block_root);
        let start = target.epoch.start_slot(self.spec);
        let checkpoint_block = block.and_then(|block| self.tree.ancestor_at(block, start));
        let is_right = checkpoint_block.is_some_and(|index| self.tree.root(index) == target.root);
        // Where the target is found to be right, it need not be looked for.
        if !is_right && !self.contains(&target.root) {
            return Err(AttestationInvalid::TargetUnknown);
        }
        let block = block.ok_or(AttestationInvalid::BlockUnknown)?;
        if self.tree.slot(block) > attestation.slot {
            return Err(AttestationInvalid::BlockAfterAttestation);
        }
        if !is_right {
            return Err(AttestationInvalid::TargetNotCheckpointOfBlock);
        }
        Ok(block)
    }

    fn validate_slot_is_past(&self, attestation: &AttestationFacts) -> Result<(), AttestationInvalid> {
        match self.get_current_slot() > attestation.slot {
            true => Ok(()),
            false => Err(AttestationInvalid::SlotNotPast),
        }
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
    fn update_latest_messages(&mut self, validators: &[ValidatorIndex], block: u32, target: Epoch) {
        if self.votes.update(validators, (block, target), &self.balances, &mut self.tree.own) {
            self.head = None;
        }
    }

    /// [`on_attester_slashing`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#on_attester_slashing)
    /// for the validators that a verified slashing shows in both attestations: their votes are removed and
    /// never count again.
    pub fn on_attester_slashing(&mut self, indices: &[ValidatorIndex]) -> Result<(), AttestationInvalid> {
        check_indices(indices)?;
        if self.votes.equivocate(indices, &self.balances, &mut self.tree.own) {
            self.head = None;
        }
        Ok(())
    }

    /// The latest message of every validator that sent one: none for a validator that equivocated, the
    /// zero root where the block voted for is pruned.
    pub fn latest_messages(&self) -> impl Iterator<Item = (ValidatorIndex, Option<LatestMessage>)> {
        let votes = self.votes.as_slice().iter().zip(0..);
        votes.filter(|(vote, _)| vote.moves_from() != 0).map(|(vote, index)| {
            let is_there = vote.block() != NONE && !self.tree.is_gone(vote.block());
            let root = if is_there { self.tree.root(vote.block()) } else { Root::ZERO };
            (ValidatorIndex(index), vote.epoch().map(|epoch| LatestMessage { epoch, root }))
        })
    }

    /// True where the validator's votes are excluded for ever.
    pub fn is_equivocating(&self, validator: ValidatorIndex) -> bool {
        self.votes.is_equivocator(validator.0)
    }
}

fn check_countable(target: Epoch, indices: &[ValidatorIndex]) -> Result<(), AttestationInvalid> {
    if target.0 >= EPOCHS_MAX {
        return Err(AttestationInvalid::TargetEpochTooLarge);
    }
    check_indices(indices)
}

fn check_indices(indices: &[ValidatorIndex]) -> Result<(), AttestationInvalid> {
    // The bound is a power of two, so that it is kept by all where it is kept by their bits together.
    const { assert!(VALIDATORS_MAX.is_power_of_two()) };
    match indices.iter().fold(0, |bits, index| bits | index.0) < VALIDATORS_MAX {
        true => Ok(()),
        false => Err(AttestationInvalid::ValidatorIndexTooLarge),
    }
}
