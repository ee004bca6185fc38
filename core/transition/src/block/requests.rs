//! What the execution layer asks for: deposits (EIP-6110), withdrawals (EIP-7002) and consolidations (EIP-7251).
//!
//! A request that breaks a rule is passed over, for the contract that took it does not know the beacon chain. Errors
//! are for what the state cannot hold.

use types::constants::{FAR_FUTURE_EPOCH, FULL_EXIT_REQUEST_AMOUNT, UNSET_DEPOSIT_REQUESTS_START_INDEX};
use types::{
    BeaconState, BlsPubkey, ConsolidationRequest, DepositRequest, Epoch, ForkName, Gwei,
    PendingConsolidation, PendingDeposit, PendingPartialWithdrawal, Validator, ValidatorIndex,
    WithdrawalRequest,
};

use crate::accessors::{AccessError, get_current_epoch, get_pending_balance_to_withdraw, validator_index};
use crate::churn::{
    compute_consolidation_epoch_and_update_churn, compute_exit_epoch_and_update_churn,
    get_consolidation_churn_limit,
};
use crate::mutators::{initiate_validator_exit, queue_deposit, switch_to_compounding_validator};
use crate::predicates::{
    has_compounding_withdrawal_credential, has_eth1_withdrawal_credential,
    has_execution_withdrawal_credential, is_active_validator, withdrawal_address,
};

/// [`process_deposit_request`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-process_deposit_request);
/// modified in Fulu.
pub fn process_deposit_request(state: &mut BeaconState, request: &DepositRequest) -> Result<(), AccessError> {
    // Since Fulu nothing asks any more where these deposits began.
    let is_unset = state.deposit_requests_start_index == UNSET_DEPOSIT_REQUESTS_START_INDEX;
    if is_unset && state.fork_name() < ForkName::Fulu {
        state.deposit_requests_start_index = request.index;
    }
    let deposit = PendingDeposit {
        pubkey: request.pubkey,
        withdrawal_credentials: request.withdrawal_credentials,
        amount: request.amount,
        signature: request.signature,
        slot: state.slot,
    };
    queue_deposit(state, deposit)
}

/// [`process_withdrawal_request`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-process_withdrawal_request).
pub fn process_withdrawal_request(
    state: &mut BeaconState,
    request: &WithdrawalRequest,
) -> Result<(), AccessError> {
    let preset = &state.spec().preset;
    let is_full_exit = request.amount == FULL_EXIT_REQUEST_AMOUNT;
    let is_full = state.pending_partial_withdrawals.len() as u64 >= preset.pending_partial_withdrawals_limit;
    if is_full && !is_full_exit {
        return Ok(());
    }
    let Some((index, validator)) = find(state, &request.validator_pubkey) else { return Ok(()) };
    if !has_execution_withdrawal_credential(validator)
        || withdrawal_address(validator) != request.source_address
        || !is_staying(state, validator)
        || !is_old_enough(state, validator)
    {
        return Ok(());
    }
    let pending = get_pending_balance_to_withdraw(state, index)?;
    if is_full_exit {
        // Who has withdrawals that are due stays until they are done.
        return if pending == 0 { initiate_validator_exit(state, index) } else { Ok(()) };
    }
    let kept = preset.min_activation_balance.checked_add(pending.0);
    let kept = Gwei(kept.ok_or(AccessError::Overflow("a balance to be withdrawn"))?);
    let balance = *state.balances.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    if has_compounding_withdrawal_credential(validator)
        && validator.effective_balance >= preset.min_activation_balance
        && balance > kept
    {
        let amount = (balance - kept).min(request.amount);
        let exit_epoch = compute_exit_epoch_and_update_churn(state, amount)?;
        let withdrawable_epoch = withdrawable_after(state, exit_epoch)?;
        let withdrawal = PendingPartialWithdrawal { validator_index: index, amount, withdrawable_epoch };
        state.pending_partial_withdrawals.push(withdrawal);
    }
    Ok(())
}

/// [`process_consolidation_request`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-process_consolidation_request).
pub fn process_consolidation_request(
    state: &mut BeaconState,
    request: &ConsolidationRequest,
) -> Result<(), AccessError> {
    if let Some(index) = switched_to_compounding(state, request) {
        return switch_to_compounding_validator(state, index);
    }
    let preset = &state.spec().preset;
    // Else a consolidation could serve as an exit.
    if request.source_pubkey == request.target_pubkey
        || state.pending_consolidations.len() as u64 >= preset.pending_consolidations_limit
        || get_consolidation_churn_limit(state)? <= preset.min_activation_balance
    {
        return Ok(());
    }
    let Some((source_index, source)) = find(state, &request.source_pubkey) else { return Ok(()) };
    let Some((target_index, target)) = find(state, &request.target_pubkey) else { return Ok(()) };
    if !has_execution_withdrawal_credential(source)
        || withdrawal_address(source) != request.source_address
        || !has_compounding_withdrawal_credential(target)
        || !is_staying(state, source)
        || !is_staying(state, target)
        || !is_old_enough(state, source)
        || get_pending_balance_to_withdraw(state, source_index)? > 0
    {
        return Ok(());
    }
    let balance = source.effective_balance;
    let exit_epoch = compute_consolidation_epoch_and_update_churn(state, balance)?;
    let withdrawable_epoch = withdrawable_after(state, exit_epoch)?;
    let source = &mut state.validators[source_index.as_usize()];
    source.exit_epoch = exit_epoch;
    source.withdrawable_epoch = withdrawable_epoch;
    state.pending_consolidations.push(PendingConsolidation { source_index, target_index });
    Ok(())
}

/// [`is_valid_switch_to_compounding_request`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-is_valid_switch_to_compounding_request),
/// and the validator that it is for.
fn switched_to_compounding(state: &BeaconState, request: &ConsolidationRequest) -> Option<ValidatorIndex> {
    if request.source_pubkey != request.target_pubkey {
        return None;
    }
    let (index, validator) = find(state, &request.source_pubkey)?;
    let is_valid = withdrawal_address(validator) == request.source_address
        && has_eth1_withdrawal_credential(validator)
        && is_staying(state, validator);
    is_valid.then_some(index)
}

fn find<'a>(state: &'a BeaconState, pubkey: &BlsPubkey) -> Option<(ValidatorIndex, &'a Validator)> {
    let index = validator_index(state, pubkey)?;
    Some((index, state.validators.get(index.as_usize())?))
}

/// Active, and not about to leave.
fn is_staying(state: &BeaconState, validator: &Validator) -> bool {
    is_active_validator(validator, get_current_epoch(state)) && validator.exit_epoch == FAR_FUTURE_EPOCH
}

fn is_old_enough(state: &BeaconState, validator: &Validator) -> bool {
    let since = validator.activation_epoch.saturating_add(state.spec().config.shard_committee_period);
    get_current_epoch(state) >= since
}

fn withdrawable_after(state: &BeaconState, exit_epoch: Epoch) -> Result<Epoch, AccessError> {
    let epoch = exit_epoch.0.checked_add(state.spec().config.min_validator_withdrawability_delay);
    epoch.map(Epoch).ok_or(AccessError::Overflow("an exit epoch"))
}
