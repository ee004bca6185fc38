//! Validators, their balances and their keys.

use std::sync::Arc;

use crypto::PublicKey;
use types::{BeaconState, BlsPubkey, Epoch, Gwei, PubkeyIndex, ValidatorIndex};

use super::{AccessError, committees::count_active, get_current_epoch};
use crate::predicates::is_active_validator;

/// Validators that joined since the index of keys was made are searched one by one. The index is made again when they
/// are more than this,
const TAIL_MAX: usize = 256;
/// and more than one in so many of those that it knows: of a million, 15,000 take 40 µs to search.
const TAIL_PART: usize = 64;

/// [`get_active_validator_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_active_validator_indices).
pub fn get_active_validator_indices(state: &BeaconState, epoch: Epoch) -> Vec<ValidatorIndex> {
    let active =
        state.validators.iter().enumerate().filter(|(_, validator)| is_active_validator(validator, epoch));
    active.map(|(index, _)| ValidatorIndex(index as u64)).collect()
}

/// [`get_validator_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_validator_churn_limit).
pub fn get_validator_churn_limit(state: &BeaconState) -> u64 {
    let config = &state.spec().config;
    config.min_per_epoch_churn_limit.max(count_active(state) / config.churn_limit_quotient)
}

/// [`get_total_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_total_balance)
/// of validators that exist; an error where one does not, or where the sum exceeds 64 bits.
pub fn get_total_balance(
    state: &BeaconState,
    mut indices: impl Iterator<Item = ValidatorIndex>,
) -> Result<Gwei, AccessError> {
    let total = indices.try_fold(0u64, |total, index| {
        let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        total.checked_add(validator.effective_balance.0).ok_or(AccessError::Overflow("a total balance"))
    });
    Ok(Gwei(total?.max(state.spec().preset.effective_balance_increment)))
}

/// [`get_total_active_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_total_active_balance).
/// An error where the sum exceeds 64 bits, which no valid block leads to.
pub fn get_total_active_balance(state: &BeaconState) -> Result<Gwei, AccessError> {
    let epoch = get_current_epoch(state);
    let cell = &state.context.caches.total_active_balance;
    if let Some((_, total)) = cell.get().filter(|(of, _)| *of == epoch) {
        return Ok(*total);
    }
    let mut sum = 0u64;
    for validator in state.validators.iter().filter(|validator| is_active_validator(validator, epoch)) {
        let next = sum.checked_add(validator.effective_balance.0);
        sum = next.ok_or(AccessError::Overflow("the total active balance"))?;
    }
    let total = Gwei(sum.max(state.spec().preset.effective_balance_increment));
    // The cell may be taken: by another thread with the same total, or by that of another epoch.
    let _ = cell.set((epoch, total));
    Ok(total)
}

/// [`get_pending_balance_to_withdraw`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_pending_balance_to_withdraw);
/// none before Electra. An error where the sum exceeds 64 bits.
pub fn get_pending_balance_to_withdraw(
    state: &BeaconState,
    index: ValidatorIndex,
) -> Result<Gwei, AccessError> {
    let pending = state.pending_partial_withdrawals.iter();
    let of_it = pending.filter(|withdrawal| withdrawal.validator_index == index);
    let sum = of_it.map(|withdrawal| withdrawal.amount.0).try_fold(0u64, u64::checked_add);
    sum.map(Gwei).ok_or(AccessError::Overflow("a balance to be withdrawn"))
}

/// The decompressed key of a validator.
pub fn public_key(state: &BeaconState, index: ValidatorIndex) -> Result<PublicKey, AccessError> {
    let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    let table = &state.context.caches.pubkeys;
    table.get(index.as_usize(), &validator.pubkey.0).map_err(|_| AccessError::BadPubkey(index))
}

/// The validator with a key.
pub fn validator_index(state: &BeaconState, pubkey: &BlsPubkey) -> Option<ValidatorIndex> {
    let has_key = |place: &usize| state.validators.get(*place).is_some_and(|v| v.pubkey == *pubkey);
    let index = state.context.caches.pubkey_index.get_or_init(|| Arc::new(index_of_all(state)));
    let indexed = index.places.get(pubkey).map(|place| *place as usize).filter(has_key);
    let place = indexed.or_else(|| (index.count..state.validators.len()).find(has_key))?;
    Some(ValidatorIndex(place as u64))
}

/// Makes the index of keys again where many validators joined since it was made; deposits call it before they search.
pub(crate) fn refresh_validator_index(state: &mut BeaconState) {
    // In proportion, so that a registry that grows from nothing is not indexed over and over.
    let stale = |index: &Arc<PubkeyIndex>| {
        state.validators.len() > index.count + TAIL_MAX.max(index.count / TAIL_PART)
    };
    if state.context.caches.pubkey_index.get().is_some_and(stale) {
        let index = Arc::new(index_of_all(state));
        state.context.caches.pubkey_index = index.into();
    }
}

fn index_of_all(state: &BeaconState) -> PubkeyIndex {
    let mut index = PubkeyIndex { count: state.validators.len(), ..PubkeyIndex::default() };
    index.places.reserve(index.count);
    for (place, validator) in state.validators.iter().enumerate() {
        let place = u32::try_from(place).expect("a registry of 2^32 validators fits in no memory");
        // The first of equal keys is the one that the specification finds.
        index.places.entry(validator.pubkey).or_insert(place);
    }
    index
}
