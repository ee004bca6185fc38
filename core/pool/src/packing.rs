//! Which attestations to put into a block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use transition::accessors::{
    AccessError, committee_attesters, get_block_root_at_slot, get_current_epoch, get_previous_epoch,
};
use types::{
    Attestation, AttestationData, BeaconState, Epoch, List, PendingAttestation, Slot, ValidatorIndex,
};

use crate::AttestationPool;
use crate::attestations::{Combination, Vote};
use crate::cover::maximum_cover;

/// Combinations of one vote that compete for a place.
const COMBINATIONS: usize = 3;

/// A vote of a validator in an epoch: what a proposer is rewarded for, once.
type Voter = (Epoch, ValidatorIndex);

impl AttestationPool {
    /// Attestations for a block upon `state`, which stands at the block's slot: at most `MAX_ATTESTATIONS`, each valid
    /// in that block, chosen for the balance of attesters whose vote the chain does not have yet.
    ///
    /// Costs a pass over the attestations of two epochs, so it is for a job, not for the writer's thread.
    pub fn pack(&self, state: &BeaconState) -> Result<Vec<Attestation>, AccessError> {
        let mut included = included_votes(state, &state.previous_epoch_attestations)?;
        included.append(&mut included_votes(state, &state.current_epoch_attestations)?);

        let mut candidates: Vec<(&Arc<Vote>, Combination)> = Vec::new();
        let mut sets = Vec::new();
        for vote in self.votes().filter(|vote| can_include(state, vote)) {
            for combination in vote.combinations(COMBINATIONS) {
                // Bits that do not match the committee cannot be included on this chain.
                let Ok(attesters) =
                    committee_attesters(state, vote.data.slot, vote.data.index, &combination.bits)
                else {
                    continue;
                };
                let epoch = vote.data.target.epoch;
                let new = attesters.into_iter().filter(|index| !included.contains(&(epoch, *index)));
                sets.push(new.map(|index| ((epoch, index), weight(state, index))).collect::<Vec<_>>());
                candidates.push((vote, combination));
            }
        }
        let limit = state.spec().preset.max_attestations as usize;
        let mut candidates: BTreeMap<usize, _> = candidates.into_iter().enumerate().collect();
        let chosen = maximum_cover(&sets, limit).into_iter();
        Ok(chosen
            .filter_map(|place| {
                let (vote, combination) = candidates.remove(&place)?;
                combination.attestation(vote)
            })
            .collect())
    }
}

/// The rules of
/// [`process_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestations)
/// that depend on the vote alone, and that its committees are those of this chain.
fn can_include(state: &BeaconState, vote: &Vote) -> bool {
    let AttestationData { slot, source, target, .. } = &vote.data;
    let preset = &state.spec().preset;
    let expected_source = if target.epoch == get_current_epoch(state) {
        &state.current_justified_checkpoint
    } else if target.epoch == get_previous_epoch(state) {
        &state.previous_justified_checkpoint
    } else {
        return false;
    };
    target.epoch == slot.epoch(state.spec())
        && *slot + preset.min_attestation_inclusion_delay <= state.slot
        && state.slot <= *slot + preset.slots_per_epoch
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

fn weight(state: &BeaconState, index: ValidatorIndex) -> u64 {
    state.validators.get(index.as_usize()).map_or(0, |validator| validator.effective_balance.0)
}
