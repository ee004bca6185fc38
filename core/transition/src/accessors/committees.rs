//! Committees, through the shuffling of a whole epoch.

use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use types::constants::DOMAIN_BEACON_ATTESTER;
use types::{
    Attestation, BeaconState, Bits, CommitteeCache, CommitteeIndex, Epoch, IndexedAttestation, KeySums, Root,
    ShufflingKey, Slot, ValidatorIndex,
};

use super::{
    AccessError, active_set, get_active_validator_indices, get_block_root_at_slot, get_current_epoch,
    get_seed,
};
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

/// The committees of the state's previous, current or next epoch; computed where the state does not remember them.
pub fn committee_cache(state: &BeaconState, epoch: Epoch) -> Result<Arc<CommitteeCache>, AccessError> {
    let (cell, key) = (committee_cell(state, epoch)?, shuffling_key(state, epoch)?);
    if let Some(cache) = cell.get().filter(|cache| cache.key == key) {
        return Ok(cache.clone());
    }
    let cache = Arc::new(compute_committees(state, key));
    // The cell may be taken: by another thread with the same committees, or by ones that no longer fit.
    let _ = cell.set(cache.clone());
    Ok(cache)
}

/// Gives the state committees that another state of the same key computed, to spare it the shuffling. False where they
/// are not the state's, or where it has them already.
pub fn offer_committees(state: &BeaconState, cache: &Arc<CommitteeCache>) -> bool {
    let epoch = cache.key.epoch;
    let fits = shuffling_key(state, epoch).is_ok_and(|key| key == cache.key);
    fits && committee_cell(state, epoch).is_ok_and(|cell| cell.set(cache.clone()).is_ok())
}

/// What decides the committees of the state's previous, current or next epoch.
pub fn shuffling_key(state: &BeaconState, epoch: Epoch) -> Result<ShufflingKey, AccessError> {
    committee_cell(state, epoch)?;
    let spec = state.spec();
    let settled =
        epoch.0.checked_sub(spec.preset.min_seed_lookahead).map(|epoch| Epoch(epoch).start_slot(spec));
    let decision_root = match settled.and_then(|slot| slot.0.checked_sub(1)) {
        Some(slot) => get_block_root_at_slot(state, Slot(slot))?,
        None => Root::ZERO,
    };
    Ok(ShufflingKey { epoch, decision_root, seed: get_seed(state, epoch, DOMAIN_BEACON_ATTESTER) })
}

fn committee_cell(state: &BeaconState, epoch: Epoch) -> Result<&OnceLock<Arc<CommitteeCache>>, AccessError> {
    let current = get_current_epoch(state);
    let place = epoch.0.checked_add(1).and_then(|next| next.checked_sub(current.0));
    let cell = place.and_then(|place| state.context.caches.committees.get(usize::try_from(place).ok()?));
    cell.ok_or(AccessError::CommitteeEpoch { epoch, state: current })
}

fn compute_committees(state: &BeaconState, key: ShufflingKey) -> CommitteeCache {
    let preset = &state.spec().preset;
    let mut shuffled = active_set(state, key.epoch).indices();
    let committees_per_slot = committees_per_slot(state, shuffled.len());
    shuffle_list(&mut shuffled, &key.seed, preset.shuffle_round_count);
    CommitteeCache {
        key,
        first_slot: key.epoch.start_slot(state.spec()),
        slots_per_epoch: preset.slots_per_epoch,
        committees_per_slot,
        shuffling: shuffled.into_iter().map(|index| ValidatorIndex(u64::from(index))).collect(),
        key_sums: KeySums::default(),
    }
}

/// [`get_committee_count_per_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_committee_count_per_slot),
/// for any epoch.
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
/// in ascending order; modified in Electra.
pub fn get_attesting_indices(
    state: &BeaconState,
    attestation: &Attestation,
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let (data, bits) = (&attestation.data, &attestation.aggregation_bits);
    // An attestation of a fork before Electra has no such bits, whatever the fork of the state.
    if attestation.committee_bits.is_empty() {
        return committee_attesters(state, data.slot, data.index, bits);
    }
    let (mut indices, mut offset) = (Vec::new(), 0);
    for index in get_committee_indices(&attestation.committee_bits) {
        let committee = get_beacon_committee(state, data.slot, index)?;
        let members = committee.iter().enumerate();
        indices.extend(members.filter(|(place, _)| bits.get(offset + place)).map(|(_, member)| *member));
        offset += committee.len();
    }
    if bits.len() != offset {
        return Err(AccessError::BitsLength { bits: bits.len(), members: offset });
    }
    indices.sort_unstable();
    Ok(indices)
}

/// [`get_committee_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_committee_indices).
pub fn get_committee_indices(committee_bits: &Bits) -> impl Iterator<Item = CommitteeIndex> + '_ {
    committee_bits.ones().map(|index| CommitteeIndex(index as u64))
}

/// The members of one committee whose bits are set, in ascending order.
pub fn committee_attesters(
    state: &BeaconState,
    slot: Slot,
    index: CommitteeIndex,
    bits: &Bits,
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let committee = get_beacon_committee(state, slot, index)?;
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
        attesting_indices: get_attesting_indices(state, attestation)?,
        data: attestation.data.clone(),
        signature: attestation.signature,
    })
}
