//! Validators, their balances and their keys.

use std::sync::Arc;

use crypto::PublicKey;
use types::{BeaconState, BlsPubkey, Epoch, Gwei, PubkeyIndex, ValidatorIndex};

use super::{AccessError, get_current_epoch};
use crate::predicates::is_active_validator;

/// Validators that joined since the index was made are searched one by one; beyond so many it is made again.
const TAIL_MAX: usize = 256;

/// [`get_active_validator_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_active_validator_indices).
pub fn get_active_validator_indices(state: &BeaconState, epoch: Epoch) -> Vec<ValidatorIndex> {
    let active =
        state.validators.iter().enumerate().filter(|(_, validator)| is_active_validator(validator, epoch));
    active.map(|(index, _)| ValidatorIndex(index as u64)).collect()
}

/// [`get_validator_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_validator_churn_limit).
pub fn get_validator_churn_limit(state: &BeaconState) -> u64 {
    let epoch = get_current_epoch(state);
    let active =
        state.validators.iter().filter(|validator| is_active_validator(validator, epoch)).count() as u64;
    let config = &state.spec().config;
    config.min_per_epoch_churn_limit.max(active / config.churn_limit_quotient)
}

/// [`get_total_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_total_balance).
pub fn get_total_balance(state: &BeaconState, indices: impl Iterator<Item = ValidatorIndex>) -> Gwei {
    let sum: Gwei = indices.map(|index| state.validators[index.as_usize()].effective_balance).sum();
    sum.max(Gwei(state.spec().preset.effective_balance_increment))
}

/// [`get_total_active_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_total_active_balance).
pub fn get_total_active_balance(state: &BeaconState) -> Gwei {
    let epoch = get_current_epoch(state);
    let compute = || {
        let active = state.validators.iter().filter(|validator| is_active_validator(validator, epoch));
        let sum: Gwei = active.map(|validator| validator.effective_balance).sum();
        sum.max(Gwei(state.spec().preset.effective_balance_increment))
    };
    let caches = &state.context.caches;
    if caches.epoch == epoch { *caches.total_active_balance.get_or_init(compute) } else { compute() }
}

/// The decompressed key of a validator.
pub fn public_key(state: &BeaconState, index: ValidatorIndex) -> Result<Arc<PublicKey>, AccessError> {
    let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    let table = &state.context.caches.pubkeys;
    table.get(index.as_usize(), &validator.pubkey.0).map_err(|_| AccessError::BadPubkey(index))
}

/// The validator with a key.
pub fn validator_index(state: &BeaconState, pubkey: &BlsPubkey) -> Option<ValidatorIndex> {
    let index = state.context.caches.pubkey_index.get_or_init(|| Arc::new(index_of_all(state)));
    if state.validators.len() > index.count + TAIL_MAX {
        return index_of_all(state).places.get(pubkey).map(|place| ValidatorIndex(u64::from(*place)));
    }
    if let Some(place) = index.places.get(pubkey) {
        return Some(ValidatorIndex(u64::from(*place)));
    }
    let tail = (index.count..state.validators.len()).find(|place| state.validators[*place].pubkey == *pubkey);
    tail.map(|place| ValidatorIndex(place as u64))
}

/// Makes the index again where too many validators joined since; deposits call it before they search.
pub(crate) fn refresh_validator_index(state: &mut BeaconState) {
    let stale = |index: &Arc<PubkeyIndex>| state.validators.len() > index.count + TAIL_MAX;
    if state.context.caches.pubkey_index.get().is_some_and(stale) {
        let index = Arc::new(index_of_all(state));
        state.context.caches.pubkey_index = index.into();
    }
}

fn index_of_all(state: &BeaconState) -> PubkeyIndex {
    let mut index = PubkeyIndex { count: state.validators.len(), ..PubkeyIndex::default() };
    index.places.reserve(index.count);
    for (place, validator) in state.validators.iter().enumerate() {
        // The first of equal keys is the one that the specification finds.
        index.places.entry(validator.pubkey).or_insert(place as u32);
    }
    index
}
