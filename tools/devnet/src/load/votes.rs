//! What became of the votes of an epoch.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use transition::accessors::{
    get_attesting_indices, get_beacon_committee, get_block_root, get_block_root_at_slot,
    get_committee_count_per_slot,
};
use types::{AttestationData, BeaconState, CommitteeIndex, Epoch, ForkName, Root, SignedBeaconBlock, Slot};

use crate::missed::slots_without_block;

/// Votes that are lacking and are named one by one; of more only the number is.
const NAMED_MAX: usize = 16;

/// Votes that were due, and what of them the chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoteCount {
    /// Validators whose turn it was.
    pub assigned: u64,
    /// Those of them whose vote is in a block.
    pub included: u64,
    /// Those whose vote is for the justified checkpoint of its time; no block holds others.
    pub source: u64,
    /// Those whose vote is for the block that begins the epoch on this chain.
    pub target: u64,
    /// Those whose vote is for the block that is the head of this chain in the vote's slot.
    pub head: u64,
    /// Those whose vote for the head came into the very next slot's block, which is what the protocol pays in full.
    pub timely_head: u64,
    /// Votes by the number of slots from the vote to the first block that holds it.
    pub delays: BTreeMap<u64, u64>,
}

impl VoteCount {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.assigned += other.assigned;
        self.included += other.included;
        self.source += other.source;
        self.target += other.target;
        self.head += other.head;
        self.timely_head += other.timely_head;
        for (delay, count) in &other.delays {
            *self.delays.entry(*delay).or_default() += count;
        }
    }

    /// Percent of the assigned validators; nobody is no percent.
    pub fn percent(&self, of: u64) -> f64 {
        if self.assigned == 0 { 0.0 } else { of as f64 * 100.0 / self.assigned as f64 }
    }

    /// Mean number of slots until a vote was included, of those that were; none where none was.
    pub fn mean_delay(&self) -> Option<f64> {
        let sum: u64 = self.delays.iter().map(|(delay, count)| delay * count).sum();
        (self.included > 0).then(|| sum as f64 / self.included as f64)
    }
}

/// What an epoch has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochVotes {
    /// The epoch.
    pub epoch: Epoch,
    /// Its votes.
    pub votes: VoteCount,
    /// The slots that its votes were looked for in: up to this one.
    pub until: Slot,
    /// Its slots without a block.
    pub missed: Vec<Slot>,
    /// Votes of the sync committee in the epoch's blocks, and the places that there are; none before Altair.
    pub sync_votes: Option<(u64, u64)>,
    /// Places whose vote is lacking: slot, committee and how many of it, the first ones.
    pub lacking: Vec<(Slot, CommitteeIndex, u64)>,
}

/// The first block that holds a validator's vote, and the vote.
type Found<'a> = BTreeMap<u64, (Slot, &'a AttestationData)>;

impl EpochVotes {
    /// Judges the votes of the epoch before the state's by the blocks of the state's chain, in their order: those of
    /// both epochs, before the state's slot. A vote that a later block holds is not seen.
    ///
    /// # Errors
    /// Where the state is of the first epoch, or the blocks are not of its chain.
    pub fn judge(state: &BeaconState, blocks: &[SignedBeaconBlock]) -> anyhow::Result<Self> {
        let spec = state.spec();
        let current = state.slot.epoch(spec);
        ensure!(current > 0, "there is no epoch before the first");
        let epoch = current - 1;
        let mut judged = Self { epoch, until: state.slot - 1, ..Self::default() };
        judged.missed = slots_without_block(state, epoch)?;
        let found = first_inclusions(state, epoch, blocks)?;
        for slot in (epoch.start_slot(spec).0..current.start_slot(spec).0).map(Slot) {
            judged.count_slot(state, slot, &found)?;
        }
        for block in blocks.iter().filter(|block| block.message.slot.epoch(spec) == epoch) {
            if spec.fork_name_at_slot(block.message.slot) >= ForkName::Altair {
                let bits = &block.message.body.sync_aggregate.sync_committee_bits;
                let (votes, places) = judged.sync_votes.get_or_insert_default();
                *votes += bits.count_ones() as u64;
                *places += bits.len() as u64;
            }
        }
        Ok(judged)
    }

    fn count_slot(&mut self, state: &BeaconState, slot: Slot, found: &Found<'_>) -> anyhow::Result<()> {
        let right = Right::new(state, self.epoch, slot)?;
        for index in 0..get_committee_count_per_slot(state, self.epoch) {
            let committee = get_beacon_committee(state, slot, CommitteeIndex(index))?;
            let mut lacking = 0;
            for validator in committee.iter() {
                self.votes.assigned += 1;
                match found.get(&validator.0) {
                    Some((block, data)) if data.slot == slot => right.count(&mut self.votes, *block, data),
                    _ => lacking += 1,
                }
            }
            if lacking > 0 && self.lacking.len() < NAMED_MAX {
                self.lacking.push((slot, CommitteeIndex(index), lacking));
            }
        }
        Ok(())
    }
}

/// What a vote of a slot should be for.
struct Right {
    source: types::Checkpoint,
    target: Root,
    head: Root,
}

impl Right {
    fn new(state: &BeaconState, epoch: Epoch, slot: Slot) -> anyhow::Result<Self> {
        Ok(Self {
            // In the epoch after, this is what was justified while the votes were made.
            source: state.previous_justified_checkpoint.clone(),
            target: get_block_root(state, epoch)?,
            head: get_block_root_at_slot(state, slot)?,
        })
    }

    fn count(&self, votes: &mut VoteCount, block: Slot, data: &AttestationData) {
        let delay = block.0 - data.slot.0;
        let source = data.source == self.source;
        let target = source && data.target.root == self.target;
        let head = target && data.beacon_block_root == self.head;
        votes.included += 1;
        *votes.delays.entry(delay).or_default() += 1;
        votes.source += u64::from(source);
        votes.target += u64::from(target);
        votes.head += u64::from(head);
        votes.timely_head += u64::from(head && delay == 1);
    }
}

/// For each validator the first of these blocks that holds its vote of an epoch.
fn first_inclusions<'a>(
    state: &BeaconState,
    epoch: Epoch,
    blocks: &'a [SignedBeaconBlock],
) -> anyhow::Result<Found<'a>> {
    let mut found = Found::new();
    let mut before = None;
    for block in blocks {
        let slot = block.message.slot;
        ensure!(before.is_none_or(|before| before < slot), "the blocks are not in the order of their slots");
        before = Some(slot);
        let votes = &block.message.body.attestations;
        for attestation in votes.iter().filter(|attestation| attestation.data.target.epoch == epoch) {
            let attesters = get_attesting_indices(state, attestation);
            for index in attesters.with_context(|| format!("the block of slot {slot}"))? {
                found.entry(index.0).or_insert((slot, &attestation.data));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DevnetPlan, interop_genesis};
    use types::{Attestation, Bits, Checkpoint};

    /// One committee of four in each slot.
    const VALIDATORS: u64 = 32;

    /// A chain of two epochs of the minimal preset, in the second epoch's last slot: with a block in
    /// every slot but these, each with a root of its own.
    fn chain(fork: ForkName, missed: &[u64]) -> BeaconState {
        let mut plan = DevnetPlan::new(1, VALIDATORS, "interlock".into(), "net".into());
        if fork > ForkName::Phase0 {
            plan.forks = [(fork, Epoch(0))].into();
        }
        let mut state =
            interop_genesis(plan.spec(1_700_000_000).unwrap(), VALIDATORS, 1_700_000_000).unwrap();
        transition::process_slots(&mut state, Slot(15)).unwrap();
        for slot in 0..15u64 {
            let of = (0..=slot).rev().find(|of| !missed.contains(of)).unwrap();
            state.block_roots[slot as usize] = root(of);
        }
        state
    }

    fn root(slot: u64) -> Root {
        Root::from([slot as u8 + 1; 32])
    }

    /// The votes of a slot's first committee, of these places in it.
    fn votes(state: &BeaconState, slot: u64, head: Root, places: &[usize]) -> Attestation {
        let size = get_beacon_committee(state, Slot(slot), CommitteeIndex(0)).unwrap().len();
        let mut bits = Bits::zero(size);
        places.iter().for_each(|place| bits.set(*place, true));
        let target = Checkpoint { epoch: Epoch(0), root: root(0) };
        let data = AttestationData {
            slot: Slot(slot),
            beacon_block_root: head,
            target,
            ..AttestationData::default()
        };
        let mut attestation = Attestation { aggregation_bits: bits, data, ..Attestation::default() };
        if state.fork_name() >= ForkName::Electra {
            attestation.committee_bits = Bits::zero(state.spec().preset.max_committees_per_slot as usize);
            attestation.committee_bits.set(0, true);
        }
        attestation
    }

    fn block(slot: u64, attestations: Vec<Attestation>) -> SignedBeaconBlock {
        let mut block = SignedBeaconBlock::default();
        block.message.slot = Slot(slot);
        block.message.body.attestations = attestations;
        block
    }

    const ALL: [usize; 4] = [0, 1, 2, 3];

    /// Everybody votes for the head, and the next slot's block holds it all.
    fn perfect(state: &BeaconState) -> Vec<SignedBeaconBlock> {
        (0..8).map(|slot| block(slot + 1, vec![votes(state, slot, root(slot), &ALL)])).collect()
    }

    #[test]
    fn a_chain_without_fault_is_a_hundred_percent_in_every_fork() {
        for fork in [ForkName::Phase0, ForkName::Altair, ForkName::Deneb, ForkName::Electra, ForkName::Fulu] {
            let state = chain(fork, &[]);
            let judged = EpochVotes::judge(&state, &perfect(&state)).unwrap();
            let votes = &judged.votes;
            assert_eq!(
                (judged.epoch, judged.until, votes.assigned),
                (Epoch(0), Slot(14), VALIDATORS),
                "{fork}"
            );
            assert_eq!([votes.included, votes.source, votes.target], [VALIDATORS; 3], "{fork}");
            assert_eq!((votes.head, votes.timely_head), (VALIDATORS, VALIDATORS), "{fork}");
            assert_eq!(votes.delays, [(1, VALIDATORS)].into());
            assert!(judged.missed.is_empty() && judged.lacking.is_empty());
            assert_eq!(judged.sync_votes.is_some(), fork >= ForkName::Altair);
        }
    }

    #[test]
    fn votes_in_no_block_late_ones_and_wrong_ones_are_told_apart() {
        let state = chain(ForkName::Phase0, &[5]);
        let mut blocks = perfect(&state);
        // Slot 5 has no block, so its head is the block of slot 4, and slot 4's votes come a block later.
        let late = blocks.remove(4).message.body.attestations;
        blocks[4].message.body.attestations = vec![votes(&state, 5, root(4), &ALL), late[0].clone()];
        // In slot 2 one did not vote, one voted for an old head, and one for another target.
        let mut wrong = votes(&state, 2, root(2), &[1]);
        wrong.data.target.root = root(1);
        let parts = vec![votes(&state, 2, root(1), &[0]), wrong, votes(&state, 2, root(2), &[2])];
        blocks[2].message.body.attestations = parts;
        let judged = EpochVotes::judge(&state, &blocks).unwrap();
        let votes = &judged.votes;
        assert_eq!((votes.assigned, votes.included, votes.source), (32, 31, 31));
        assert_eq!((votes.target, votes.head), (30, 29));
        assert_eq!(votes.timely_head, 25, "the four of slot 4 were two slots late");
        assert_eq!(votes.delays, [(1, 27), (2, 4)].into());
        assert_eq!(votes.mean_delay(), Some(35.0 / 31.0));
        assert_eq!(judged.missed, [Slot(5)]);
        assert_eq!(judged.lacking, [(Slot(2), CommitteeIndex(0), 1)]);
        assert_eq!(votes.percent(votes.included), 96.875);
    }

    #[test]
    fn a_vote_counts_once_with_the_block_that_held_it_first() {
        let state = chain(ForkName::Electra, &[]);
        let mut blocks = perfect(&state);
        let again = blocks[0].message.body.attestations[0].clone();
        blocks[3].message.body.attestations.push(again);
        let judged = EpochVotes::judge(&state, &blocks).unwrap();
        assert_eq!((judged.votes.included, judged.votes.delays), (VALIDATORS, [(1, VALIDATORS)].into()));
        // Votes of another epoch are another epoch's.
        for attestation in blocks.iter_mut().flat_map(|block| &mut block.message.body.attestations) {
            attestation.data.target.epoch = Epoch(1);
        }
        assert_eq!(EpochVotes::judge(&state, &blocks).unwrap().votes.included, 0);
    }

    #[test]
    fn what_cannot_be_judged_is_an_error() {
        let state = chain(ForkName::Phase0, &[]);
        let mut blocks = perfect(&state);
        blocks.swap(0, 1);
        assert!(EpochVotes::judge(&state, &blocks).unwrap_err().to_string().contains("order"));
        let mut state = state;
        state.slot = Slot(7);
        assert!(EpochVotes::judge(&state, &[]).unwrap_err().to_string().contains("before the first"));
    }
}
