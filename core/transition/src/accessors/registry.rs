//! Validators, their balances and their keys.

use std::sync::Arc;

use crypto::PublicKey;
use types::{BeaconState, BlsPubkey, Epoch, Gwei, PubkeyIndex, ValidatorIndex};

use super::active::{active_set, remember_active};
use super::{AccessError, get_current_epoch};
use crate::predicates::is_active_validator;

/// [`get_active_validator_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_active_validator_indices).
pub fn get_active_validator_indices(state: &BeaconState, epoch: Epoch) -> Vec<ValidatorIndex> {
    let active =
        state.validators.iter().enumerate().filter(|(_, validator)| is_active_validator(validator, epoch));
    active.map(|(index, _)| ValidatorIndex(index as u64)).collect()
}

/// [`get_validator_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_validator_churn_limit).
pub fn get_validator_churn_limit(state: &BeaconState) -> u64 {
    let config = &state.spec().config;
    config
        .min_per_epoch_churn_limit
        .max(active_set(state, get_current_epoch(state)).count() as u64 / config.churn_limit_quotient)
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
    remember_active(state);
    match cell.get().filter(|(of, _)| *of == epoch) {
        Some((_, total)) => Ok(*total),
        None => total_active_balance(state, epoch),
    }
}

/// The same, from the registry itself.
pub(super) fn total_active_balance(state: &BeaconState, epoch: Epoch) -> Result<Gwei, AccessError> {
    let mut sum = 0u64;
    for validator in state.validators.iter().filter(|validator| is_active_validator(validator, epoch)) {
        let next = sum.checked_add(validator.effective_balance.0);
        sum = next.ok_or(AccessError::Overflow("the total active balance"))?;
    }
    Ok(Gwei(sum.max(state.spec().preset.effective_balance_increment)))
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
    let validators = &state.validators;
    let index = state.context.caches.pubkey_index.get_or_init(|| Arc::new(PubkeyIndex::of(validators)));
    let has_key = |place: &usize| validators.get(*place).is_some_and(|v| v.pubkey == *pubkey);
    // Those that joined since the index was made are few, see `refresh_validator_index`.
    let indexed = index.get(validators, pubkey);
    let place = indexed.or_else(|| (index.count()..validators.len()).find(has_key))?;
    Some(ValidatorIndex(place as u64))
}

/// Takes validators that joined since the index of keys was made into it; deposits call it before they search.
pub(crate) fn refresh_validator_index(state: &mut BeaconState) {
    let stale = |index: &&Arc<PubkeyIndex>| index.count() < state.validators.len();
    if let Some(index) = state.context.caches.pubkey_index.get().filter(stale) {
        let extended = Arc::new(index.extended(&state.validators));
        state.context.caches.pubkey_index = extended.into();
    }
}
