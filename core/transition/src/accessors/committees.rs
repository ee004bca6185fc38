//! Committees, through the shuffling of a whole epoch.

use std::ops::{Deref, Range};
use std::sync::Arc;

use types::constants::DOMAIN_BEACON_ATTESTER;
use types::{
    Attestation, AttestationData, BeaconState, Bits, CommitteeCache, CommitteeIndex, Epoch,
    IndexedAttestation, Slot, ValidatorIndex,
};

use super::{AccessError, get_active_validator_indices, get_current_epoch, get_seed};
use crate::shuffle::shuffle_list;

/// A committee: a part of the epoch's shuffling, which it keeps alive.
#[derive(Clone, Debug)]
pub struct Committee {
    cache: Arc<CommitteeCache>,
    range: Range<usize>,
}

impl Deref for Committee {
    type Target = [ValidatorIndex];

    fn deref(&self) -> &[ValidatorIndex] {
        &self.cache.shuffling[self.range.clone()]
    }
}

/// The committees of the state's previous, current or next epoch.
pub fn committee_cache(state: &BeaconState, epoch: Epoch) -> Result<Arc<CommitteeCache>, AccessError> {
    let current = get_current_epoch(state);
    let place = (epoch.0.checked_add(1).and_then(|next| next.checked_sub(current.0)))
        .filter(|place| *place <= 2)
        .ok_or(AccessError::CommitteeEpoch { epoch, state: current })?;
    let caches = &state.context.caches;
    if caches.epoch != current {
        return Ok(Arc::new(compute_committees(state, epoch)));
    }
    Ok(caches.committees[place as usize].get_or_init(|| Arc::new(compute_committees(state, epoch))).clone())
}

fn compute_committees(state: &BeaconState, epoch: Epoch) -> CommitteeCache {
    let preset = &state.spec().preset;
    let active = get_active_validator_indices(state, epoch);
    let seed = get_seed(state, epoch, DOMAIN_BEACON_ATTESTER);
    CommitteeCache {
        epoch,
        first_slot: epoch.start_slot(state.spec()),
        slots_per_epoch: preset.slots_per_epoch,
        committees_per_slot: committees_per_slot(state, active.len()),
        shuffling: shuffle_list(active, &seed, preset.shuffle_round_count),
    }
}

/// [`get_committee_count_per_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_committee_count_per_slot).
pub fn get_committee_count_per_slot(state: &BeaconState, epoch: Epoch) -> u64 {
    match committee_cache(state, epoch) {
        Ok(cache) => cache.committees_per_slot,
        Err(_) => committees_per_slot(state, get_active_validator_indices(state, epoch).len()),
    }
}

fn committees_per_slot(state: &BeaconState, active: usize) -> u64 {
    let preset = &state.spec().preset;
    let wanted = active as u64 / preset.slots_per_epoch / preset.target_committee_size;
    wanted.clamp(1, preset.max_committees_per_slot)
}

/// [`get_beacon_committee`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_beacon_committee).
pub fn get_beacon_committee(
    state: &BeaconState,
    slot: Slot,
    index: CommitteeIndex,
) -> Result<Committee, AccessError> {
    let cache = committee_cache(state, slot.epoch(state.spec()))?;
    let range = cache.range(slot, index.0).ok_or(AccessError::NoCommittee { slot, index })?;
    Ok(Committee { cache, range })
}

/// [`get_attesting_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_attesting_indices),
/// in ascending order.
pub fn get_attesting_indices(
    state: &BeaconState,
    data: &AttestationData,
    bits: &Bits,
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let committee = get_beacon_committee(state, data.slot, data.index)?;
    if bits.len() != committee.len() {
        return Err(AccessError::BitsLength { bits: bits.len(), members: committee.len() });
    }
    let mut indices: Vec<ValidatorIndex> = bits.ones().map(|place| committee[place]).collect();
    indices.sort_unstable();
    Ok(indices)
}

/// [`get_indexed_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_indexed_attestation).
pub fn get_indexed_attestation(
    state: &BeaconState,
    attestation: &Attestation,
) -> Result<IndexedAttestation, AccessError> {
    Ok(IndexedAttestation {
        attesting_indices: get_attesting_indices(state, &attestation.data, &attestation.aggregation_bits)?,
        data: attestation.data.clone(),
        signature: attestation.signature,
    })
}
