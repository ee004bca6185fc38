//! Changing a state: the specification's mutators.

use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, Epoch, Gwei, ValidatorIndex};

use crate::accessors::{
    AccessError, get_beacon_proposer_index, get_current_epoch, get_validator_churn_limit,
};
use crate::misc::compute_activation_exit_epoch;

/// [`increase_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#increase_balance).
/// A balance stops at the largest number: more Gwei than that do not exist.
pub fn increase_balance(state: &mut BeaconState, index: ValidatorIndex, delta: Gwei) {
    let balance = &mut state.balances[index.as_usize()];
    *balance = balance.saturating_add(delta);
}

/// [`decrease_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#decrease_balance):
/// down to zero.
pub fn decrease_balance(state: &mut BeaconState, index: ValidatorIndex, delta: Gwei) {
    let balance = &mut state.balances[index.as_usize()];
    *balance = balance.saturating_sub(delta);
}

/// [`initiate_validator_exit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#initiate_validator_exit).
pub fn initiate_validator_exit(state: &mut BeaconState, index: ValidatorIndex) {
    if state.validators[index.as_usize()].exit_epoch != FAR_FUTURE_EPOCH {
        return;
    }
    let spec = state.spec();
    let earliest = compute_activation_exit_epoch(spec, get_current_epoch(state));
    let exits = || {
        state
            .validators
            .iter()
            .map(|validator| validator.exit_epoch)
            .filter(|epoch| *epoch != FAR_FUTURE_EPOCH)
    };
    let mut exit_queue_epoch = exits().max().unwrap_or(earliest).max(earliest);
    let exit_queue_churn = exits().filter(|epoch| *epoch == exit_queue_epoch).count() as u64;
    if exit_queue_churn >= get_validator_churn_limit(state) {
        exit_queue_epoch += 1;
    }
    let delay: u64 = spec.config.min_validator_withdrawability_delay;
    let validator = &mut state.validators[index.as_usize()];
    validator.exit_epoch = exit_queue_epoch;
    validator.withdrawable_epoch = exit_queue_epoch.saturating_add(delay);
}

/// [`slash_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#slash_validator)
/// with the proposer as the whistleblower.
pub fn slash_validator(state: &mut BeaconState, slashed: ValidatorIndex) -> Result<(), AccessError> {
    let preset = &state.spec().preset;
    let epoch = get_current_epoch(state);
    initiate_validator_exit(state, slashed);
    let until = epoch + preset.epochs_per_slashings_vector;
    let validator = &mut state.validators[slashed.as_usize()];
    validator.slashed = true;
    validator.withdrawable_epoch = Epoch::max(validator.withdrawable_epoch, until);
    let effective_balance = validator.effective_balance;
    let place = (epoch % preset.epochs_per_slashings_vector).as_usize();
    state.slashings[place] = state.slashings[place].saturating_add(effective_balance);
    decrease_balance(state, slashed, effective_balance / preset.min_slashing_penalty_quotient);

    let proposer = get_beacon_proposer_index(state)?;
    let whistleblower_reward = effective_balance / preset.whistleblower_reward_quotient;
    let proposer_reward = whistleblower_reward / preset.proposer_reward_quotient;
    increase_balance(state, proposer, proposer_reward);
    increase_balance(state, proposer, whistleblower_reward - proposer_reward);
    Ok(())
}
