//! Which attestations to put into a block.
//!
//! Every vote is put together in a few ways; what a way is worth is what the proposer would be paid for it, and a
//! greedy choice takes the ways that together are worth most. Since Electra (EIP-7549) an attestation of a block
//! speaks for many committees, so that the ways of the committees with equal data are joined first, the best of each
//! into one attestation, the second best into another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use transition::accessors::{
    AccessError, committee_attesters, get_attestation_participation_flag_indices, get_block_root_at_slot,
    get_current_epoch, get_previous_epoch, has_flag,
};
use types::constants::PARTICIPATION_FLAG_WEIGHTS;
use types::{
    Attestation, AttestationData, BeaconState, Epoch, ForkName, List, PendingAttestation, Root, Slot,
    ValidatorIndex,
};

use crate::AttestationPool;
use crate::attestations::{Combination, Vote};
use crate::cover::maximum_cover;
use crate::on_chain::compute_on_chain_aggregate;

/// Combinations of one vote that compete for a place.
const COMBINATIONS: usize = 3;

/// A vote of a validator in an epoch: what a proposer is rewarded for, once.
type Voter = (Epoch, ValidatorIndex);

/// What including each attester is worth.
type Worth = Vec<(Voter, u64)>;

/// A part of a possible attestation: those of one committee, and what they are worth.
struct Part<'a> {
    vote: &'a Arc<Vote>,
    combination: Combination,
    worth: Worth,
}

impl AttestationPool {
    /// Attestations for a block upon `state`, which stands at the block's slot: at most `MAX_ATTESTATIONS` (since
    /// Electra `MAX_ATTESTATIONS_ELECTRA`), each valid in that block and of its form, chosen for what the chain does
    /// not have yet.
    ///
    /// Costs a pass over the attestations of two epochs, so it is for a job, not for the writer's thread.
    pub fn pack(&self, state: &BeaconState) -> Result<Vec<Attestation>, AccessError> {
        let preset = &state.spec().preset;
        let is_electra = state.fork_name() >= ForkName::Electra;
        let limit = if is_electra { preset.max_attestations_electra } else { preset.max_attestations };
        let mut candidates = if is_electra { self.joined(state)? } else { self.single(state)? };

        let sets: Vec<Worth> = candidates.iter().map(|parts| worth(parts)).collect();
        let chosen = maximum_cover(&sets, limit as usize).into_iter();
        let attestation = |mut parts: Vec<Part>| match is_electra {
            true => {
                let joined =
                    parts.iter().map(|part| (part.vote.committee_index, &part.combination)).collect();
                compute_on_chain_aggregate(state.spec(), &parts.first()?.vote.data, joined)
            }
            false => parts.pop().and_then(|part| part.combination.attestation(part.vote)),
        };
        Ok(chosen.filter_map(|place| attestation(std::mem::take(&mut candidates[place]))).collect())
    }

    /// The candidates before Electra: of one committee each.
    fn single(&self, state: &BeaconState) -> Result<Vec<Vec<Part<'_>>>, AccessError> {
        let known = Known::of(state)?;
        let votes = self.votes().filter(|(_, vote)| can_include(state, vote));
        let parts = votes.flat_map(|(_, vote)| known.parts(state, vote));
        Ok(parts.map(|part| vec![part]).collect())
    }

    /// The candidates since Electra: of all committees with equal data.
    fn joined(&self, state: &BeaconState) -> Result<Vec<Vec<Part<'_>>>, AccessError> {
        let known = Known::of(state)?;
        // By data and rank: what is best for a committee is joined with what is best for the others.
        let mut joined: BTreeMap<(Slot, Root, usize), Vec<Part<'_>>> = BTreeMap::new();
        for (data_root, vote) in self.votes().filter(|(_, vote)| can_include(state, vote)) {
            let mut parts: Vec<_> = known.parts(state, vote).into_iter().map(Some).collect();
            let sets: Vec<Worth> = parts.iter().flatten().map(|part| part.worth.clone()).collect();
            for (rank, place) in maximum_cover(&sets, COMBINATIONS).into_iter().enumerate() {
                let key = (vote.data.slot, data_root, rank);
                joined.entry(key).or_default().extend(parts[place].take());
            }
        }
        Ok(joined.into_values().collect())
    }
}

/// Committees of a slot have no member in common, so what their parts are worth adds up.
fn worth(parts: &[Part]) -> Worth {
    parts.iter().flat_map(|part| part.worth.iter().copied()).collect()
}

/// What the chain has of the attesters of two epochs.
enum Known {
    /// Before Altair: who is in a pending attestation.
    Pending(BTreeSet<Voter>),
    /// Since Altair the state has it by validator.
    Participation,
}

impl Known {
    fn of(state: &BeaconState) -> Result<Self, AccessError> {
        if state.fork_name() >= ForkName::Altair {
            return Ok(Self::Participation);
        }
        let mut included = included_votes(state, &state.previous_epoch_attestations)?;
        included.append(&mut included_votes(state, &state.current_epoch_attestations)?);
        Ok(Self::Pending(included))
    }

    /// The combinations of a vote and what each is worth. None where the bits do not match the committee: they cannot
    /// be included on this chain.
    fn parts<'a>(&self, state: &BeaconState, vote: &'a Arc<Vote>) -> Vec<Part<'a>> {
        let part = |combination: Combination| {
            let attesters =
                committee_attesters(state, vote.data.slot, vote.committee_index, &combination.bits).ok()?;
            let worth = self.worth(state, &vote.data, attesters)?;
            Some(Part { vote, combination, worth })
        };
        vote.combinations(COMBINATIONS).into_iter().filter_map(part).collect()
    }

    /// What those attesters are worth that are worth something.
    fn worth(
        &self,
        state: &BeaconState,
        data: &AttestationData,
        attesters: Vec<ValidatorIndex>,
    ) -> Option<Worth> {
        let epoch = data.target.epoch;
        let balance = |index: ValidatorIndex| {
            state.validators.get(index.as_usize()).map_or(0, |validator| validator.effective_balance.0)
        };
        let with_worth = |worth: &dyn Fn(ValidatorIndex) -> u64| {
            let worth = attesters.iter().map(|index| ((epoch, *index), worth(*index)));
            worth.filter(|(_, worth)| *worth > 0).collect()
        };
        match self {
            Self::Pending(included) => Some(with_worth(&|index| match included.contains(&(epoch, index)) {
                true => 0,
                false => balance(index),
            })),
            Self::Participation => {
                let delay = state.slot - data.slot;
                let flags = get_attestation_participation_flag_indices(state, data, delay).ok()??;
                let participation = match epoch == get_current_epoch(state) {
                    true => &state.current_epoch_participation,
                    false => &state.previous_epoch_participation,
                };
                let increment = state.spec().preset.effective_balance_increment;
                Some(with_worth(&|index| {
                    let new = flags & !participation.get(index.as_usize()).copied().unwrap_or(u8::MAX);
                    let weights = PARTICIPATION_FLAG_WEIGHTS.iter().enumerate();
                    let weight: u64 =
                        weights.filter(|(flag, _)| has_flag(new, *flag)).map(|(_, weight)| weight).sum();
                    weight * (balance(index) / increment)
                }))
            }
        }
    }
}

/// The rules of
/// [`process_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestations)
/// that depend on the vote alone, and that its committees are those of this chain.
fn can_include(state: &BeaconState, vote: &Vote) -> bool {
    let AttestationData { slot, index, source, target, .. } = &vote.data;
    let preset = &state.spec().preset;
    let expected_source = if target.epoch == get_current_epoch(state) {
        &state.current_justified_checkpoint
    } else if target.epoch == get_previous_epoch(state) {
        &state.previous_justified_checkpoint
    } else {
        return false;
    };
    // Since EIP-7045 only the epoch of the target says what is too late.
    let is_late = state.slot > *slot + preset.slots_per_epoch && state.fork_name() < ForkName::Deneb;
    // Data that names a committee was signed before Electra, and has no form in a block since; that of committee 0 has
    // the same bytes in both.
    let has_form = state.fork_name() < ForkName::Electra || *index == 0;
    has_form
        && !is_late
        && target.epoch == slot.epoch(state.spec())
        && *slot + preset.min_attestation_inclusion_delay <= state.slot
        && source == expected_source
        && is_shuffled_alike(state, vote)
}

/// Committees of an epoch follow from the chain up to the end of the epoch but one before it.
fn is_shuffled_alike(state: &BeaconState, vote: &Vote) -> bool {
    let Some(shuffling) = vote.shuffling else { return true };
    let spec = state.spec();
    let epoch = vote.data.target.epoch;
    if epoch <= spec.preset.min_seed_lookahead {
        return true;
    }
    let decisive = Slot((epoch - spec.preset.min_seed_lookahead).start_slot(spec).0 - 1);
    get_block_root_at_slot(state, decisive).is_ok_and(|root| root == shuffling)
}

fn included_votes(
    state: &BeaconState,
    attestations: &List<PendingAttestation>,
) -> Result<BTreeSet<Voter>, AccessError> {
    let mut included = BTreeSet::new();
    for attestation in attestations {
        let indices = committee_attesters(
            state,
            attestation.data.slot,
            attestation.data.index,
            &attestation.aggregation_bits,
        )?;
        included.extend(indices.into_iter().map(|index| (attestation.data.target.epoch, index)));
    }
    Ok(included)
}
