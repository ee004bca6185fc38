//! Whose votes are in the chain, and who proposed its blocks.

use std::collections::{BTreeMap, BTreeSet};

use api::AttesterDuty;
use types::{CommitteeIndex, Epoch, ForkName, SignedBeaconBlock, Slot, Spec, ValidatorIndex};

/// A seat: slot, committee, place in the committee.
type Seat = (Slot, CommitteeIndex, u64);

/// Who sits where, by epoch.
#[derive(Default)]
pub struct Duties {
    seats: BTreeMap<Epoch, BTreeMap<Seat, ValidatorIndex>>,
}

impl Duties {
    /// Takes an epoch's duties.
    pub fn add(&mut self, epoch: Epoch, duties: &[AttesterDuty]) {
        let seat = |duty: &AttesterDuty| {
            ((duty.slot, duty.committee_index, duty.validator_committee_index), duty.validator_index)
        };
        self.seats.insert(epoch, duties.iter().map(seat).collect());
    }
}

/// Votes and blocks of the canonical chain.
#[derive(Default)]
pub struct Tally {
    voted: BTreeMap<Epoch, BTreeSet<Seat>>,
    blocks: BTreeMap<ValidatorIndex, u64>,
    by_fork: BTreeMap<ForkName, OfFork>,
}

/// What the canonical blocks of one fork hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfFork {
    /// Blocks.
    pub blocks: u64,
    /// Blocks with an execution payload.
    pub payloads: u64,
    /// Votes of sync committees, and those that there could be.
    pub sync_votes: (u64, u64),
}

impl Tally {
    /// Counts a canonical block.
    pub fn add(&mut self, spec: &Spec, block: &SignedBeaconBlock) {
        *self.blocks.entry(block.message.proposer_index).or_default() += 1;
        self.add_to_fork(spec, block);
        for attestation in &block.message.body.attestations {
            let data = &attestation.data;
            let seats = self.voted.entry(data.slot.epoch(spec)).or_default();
            let bits = &attestation.aggregation_bits;
            let places = (0..bits.len()).filter(|place| bits.get(*place));
            seats.extend(places.map(|place| (data.slot, data.index, place as u64)));
        }
    }

    fn add_to_fork(&mut self, spec: &Spec, block: &SignedBeaconBlock) {
        let (slot, body) = (block.message.slot, &block.message.body);
        let of_fork = self.by_fork.entry(spec.fork_name_at_slot(slot)).or_default();
        of_fork.blocks += 1;
        of_fork.payloads += u64::from(!body.execution_payload.block_hash.is_zero());
        if spec.fork_name_at_slot(slot) >= ForkName::Altair {
            let bits = &body.sync_aggregate.sync_committee_bits;
            of_fork.sync_votes.0 += (0..bits.len()).filter(|place| bits.get(*place)).count() as u64;
            of_fork.sync_votes.1 += bits.len() as u64;
        }
    }

    /// What the blocks of a fork hold.
    pub fn of_fork(&self, fork: ForkName) -> OfFork {
        self.by_fork.get(&fork).copied().unwrap_or_default()
    }

    /// Blocks proposed by these validators.
    pub fn blocks(&self, range: &std::ops::Range<u64>) -> u64 {
        self.blocks.iter().filter(|(index, _)| range.contains(&index.0)).map(|(_, count)| count).sum()
    }

    /// The part of these validators' votes in these epochs that the chain took; epochs of unknown duties count for
    /// nothing. None where no epoch is known.
    pub fn share(
        &self,
        duties: &Duties,
        validators: &std::ops::Range<u64>,
        epochs: std::ops::Range<u64>,
    ) -> Option<f64> {
        let (mut due, mut done) = (0u32, 0u32);
        for (epoch, seats) in duties.seats.range(Epoch(epochs.start)..Epoch(epochs.end)) {
            let voted = self.voted.get(epoch);
            for (seat, index) in seats {
                if validators.contains(&index.0) {
                    due += 1;
                    done += u32::from(voted.is_some_and(|voted| voted.contains(seat)));
                }
            }
        }
        (due > 0).then(|| f64::from(done) / f64::from(due))
    }
}

#[cfg(test)]
mod tests {
    use types::{Attestation, AttestationData, Bits};

    use super::*;

    fn duty(index: u64, slot: u64, place: u64) -> AttesterDuty {
        AttesterDuty {
            pubkey: Default::default(),
            validator_index: ValidatorIndex(index),
            committee_index: CommitteeIndex(0),
            committee_length: 2,
            committees_at_slot: 1,
            validator_committee_index: place,
            slot: Slot(slot),
        }
    }

    #[test]
    fn a_vote_counts_once_and_for_the_validator_who_sits_there() {
        let spec = Spec::minimal();
        let mut duties = Duties::default();
        duties.add(Epoch(1), &[duty(0, 8, 0), duty(1, 8, 1), duty(2, 9, 0), duty(3, 9, 1)]);
        let mut bits = Bits::zero(2);
        bits.set(1, true);
        let vote = Attestation {
            aggregation_bits: bits,
            data: AttestationData { slot: Slot(8), ..AttestationData::default() },
            ..Attestation::default()
        };
        let mut block = SignedBeaconBlock::default();
        block.message.proposer_index = ValidatorIndex(3);
        block.message.body.attestations = vec![vote];
        let mut tally = Tally::default();
        tally.add(spec, &block);
        tally.add(spec, &block);
        assert_eq!(tally.share(&duties, &(0..2), 1..2), Some(0.5));
        assert_eq!(tally.share(&duties, &(1..2), 1..2), Some(1.0));
        assert_eq!(tally.share(&duties, &(0..4), 0..9), Some(0.25));
        assert_eq!(tally.share(&duties, &(0..4), 2..9), None);
        assert_eq!((tally.blocks(&(0..3)), tally.blocks(&(3..4))), (0, 2));
    }
}
