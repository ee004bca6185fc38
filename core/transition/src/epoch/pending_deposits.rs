//! Deposits take effect once they are finalized, as many as the churn lets in.

use types::constants::{FAR_FUTURE_EPOCH, GENESIS_SLOT};
use types::{BeaconState, DepositData, ForkName, Gwei, PendingDeposit};

use super::EpochError;
use crate::accessors::{AccessError, get_current_epoch, refresh_validator_index, validator_index};
use crate::block::{add_validator_to_registry, is_valid_deposit_signature};
use crate::churn::get_activation_exit_churn_limit;
use crate::mutators::increase_balance;

/// [`apply_pending_deposit`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-apply_pending_deposit):
/// a deposit of a new key with a wrong signature is lost.
pub fn apply_pending_deposit(state: &mut BeaconState, deposit: &PendingDeposit) -> Result<(), AccessError> {
    if let Some(index) = validator_index(state, &deposit.pubkey) {
        return increase_balance(state, index, deposit.amount);
    }
    let data = DepositData {
        pubkey: deposit.pubkey,
        withdrawal_credentials: deposit.withdrawal_credentials,
        amount: deposit.amount,
        signature: deposit.signature,
    };
    if is_valid_deposit_signature(state.spec(), &data) {
        add_validator_to_registry(state, &data)?;
    }
    Ok(())
}

/// In Electra, deposits that the execution layer asks for wait until those of the contract have been taken. Fulu knows
/// of no others.
fn is_before_its_turn(state: &BeaconState, deposit: &PendingDeposit) -> bool {
    state.fork_name() < ForkName::Fulu
        && deposit.slot > GENESIS_SLOT
        && state.eth1_deposit_index < state.deposit_requests_start_index
}

/// [`process_pending_deposits`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-process_pending_deposits);
/// modified in Fulu.
pub fn process_pending_deposits(state: &mut BeaconState) -> Result<(), EpochError> {
    let overflow = || EpochError::Overflow("the balance of pending deposits");
    let spec = state.spec();
    let next_epoch = get_current_epoch(state) + 1;
    let finalized_slot = state.finalized_checkpoint.epoch.start_slot(spec);
    let churn = get_activation_exit_churn_limit(state)?.0;
    let available = state.deposit_balance_to_consume.0.checked_add(churn).ok_or_else(overflow)?;
    let pending = state.pending_deposits.clone();
    let (mut processed_amount, mut done) = (0u64, 0);
    let mut postponed = Vec::new();
    let mut is_churn_limit_reached = false;
    refresh_validator_index(state);
    for deposit in pending.iter().take(spec.preset.max_pending_deposits_per_epoch as usize) {
        if deposit.slot > finalized_slot || is_before_its_turn(state, deposit) {
            break;
        }
        let validator =
            validator_index(state, &deposit.pubkey).map(|index| &state.validators[index.as_usize()]);
        if validator.is_some_and(|validator| validator.withdrawable_epoch < next_epoch) {
            // Such a balance will never be active, so it takes nothing of the churn.
            apply_pending_deposit(state, deposit)?;
        } else if validator.is_some_and(|validator| validator.exit_epoch < FAR_FUTURE_EPOCH) {
            // The deposit waits until its validator can be withdrawn.
            postponed.push(deposit.clone());
        } else {
            let amount = processed_amount.checked_add(deposit.amount.0).ok_or_else(overflow)?;
            is_churn_limit_reached = amount > available;
            if is_churn_limit_reached {
                break;
            }
            processed_amount = amount;
            apply_pending_deposit(state, deposit)?;
        }
        done += 1;
    }
    if done > 0 {
        state.pending_deposits = pending.iter().skip(done).cloned().chain(postponed).collect();
    }
    // Churn is saved up only where it was what ended this.
    let left = if is_churn_limit_reached { available - processed_amount } else { 0 };
    state.deposit_balance_to_consume = Gwei(left);
    Ok(())
}
