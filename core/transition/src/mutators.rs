//! Changing a state: the specification's mutators.
//!
//! Where the specification's arithmetic leaves 64 bits, it declares the block invalid, and so these answer with an
//! error.

use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, Epoch, ForkName, Gwei, ValidatorIndex};

use crate::accessors::{
    AccessError, get_beacon_proposer_index, get_current_epoch, get_validator_churn_limit, require_built,
};
use crate::misc::compute_activation_exit_epoch;

/// [`increase_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#increase_balance);
/// an error where there is no such validator, or no room for the sum.
pub fn increase_balance(
    state: &mut BeaconState,
    index: ValidatorIndex,
    delta: Gwei,
) -> Result<(), AccessError> {
    let balance = state.balances.get_mut(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    *balance = Gwei(balance.0.checked_add(delta.0).ok_or(AccessError::Overflow("a balance"))?);
    Ok(())
}

/// [`decrease_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#decrease_balance):
/// down to zero; an error where there is no such validator.
pub fn decrease_balance(
    state: &mut BeaconState,
    index: ValidatorIndex,
    delta: Gwei,
) -> Result<(), AccessError> {
    let balance = state.balances.get_mut(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    *balance = balance.saturating_sub(delta);
    Ok(())
}

/// [`initiate_validator_exit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#initiate_validator_exit);
/// an error where there is no such validator, or no room for its epochs.
pub fn initiate_validator_exit(state: &mut BeaconState, index: ValidatorIndex) -> Result<(), AccessError> {
    ExitQueue::of(state)?.enter(state, index)
}

/// [`slash_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#slash_validator)
/// with the proposer as the whistleblower.
pub fn slash_validator(state: &mut BeaconState, slashed: ValidatorIndex) -> Result<(), AccessError> {
    slash_validators(state, &[slashed])
}

/// [`slash_validator`] one after the other, with one look over the registry instead of one for each: an attester
/// slashing may be of thousands.
pub fn slash_validators(state: &mut BeaconState, slashed: &[ValidatorIndex]) -> Result<(), AccessError> {
    let mut queue = ExitQueue::of(state)?;
    slashed.iter().try_for_each(|index| slash(state, *index, &mut queue))
}

fn slash(state: &mut BeaconState, slashed: ValidatorIndex, queue: &mut ExitQueue) -> Result<(), AccessError> {
    let preset = &state.spec().preset;
    let epoch = get_current_epoch(state);
    queue.enter(state, slashed)?;
    let until = epoch.saturating_add(preset.epochs_per_slashings_vector);
    let validator = &mut state.validators[slashed.as_usize()];
    validator.slashed = true;
    validator.withdrawable_epoch = Epoch::max(validator.withdrawable_epoch, until);
    let effective_balance = validator.effective_balance;
    let sum = &mut state.slashings[(epoch % preset.epochs_per_slashings_vector).as_usize()];
    let total = sum.0.checked_add(effective_balance.0);
    *sum = Gwei(total.ok_or(AccessError::Overflow("the sum of slashed balances"))?);
    decrease_balance(state, slashed, effective_balance / preset.min_slashing_penalty_quotient)?;

    let proposer = get_beacon_proposer_index(state)?;
    let whistleblower_reward = effective_balance / preset.whistleblower_reward_quotient;
    let proposer_reward = whistleblower_reward / preset.proposer_reward_quotient;
    increase_balance(state, proposer, proposer_reward)?;
    increase_balance(state, proposer, whistleblower_reward - proposer_reward)
}

/// The end of the queue of exits: the last epoch that validators leave in, and how many do.
///
/// The specification finds it anew for each exit. To look over a registry of a million takes 10 ms, so who lets many
/// go at once keeps the queue. It is good as long as nobody else writes exit epochs.
struct ExitQueue {
    epoch: Epoch,
    churn: u64,
    churn_limit: u64,
}

impl ExitQueue {
    fn of(state: &BeaconState) -> Result<Self, AccessError> {
        require_built(state, ForkName::Phase0)?;
        let first = compute_activation_exit_epoch(state.spec(), get_current_epoch(state));
        let (mut epoch, mut churn) = (first, 0);
        for exit in state.validators.iter().map(|validator| validator.exit_epoch) {
            if exit == FAR_FUTURE_EPOCH || exit < epoch {
                continue;
            }
            churn = if exit == epoch { churn + 1 } else { 1 };
            epoch = exit;
        }
        Ok(Self { epoch, churn, churn_limit: get_validator_churn_limit(state) })
    }

    fn enter(&mut self, state: &mut BeaconState, index: ValidatorIndex) -> Result<(), AccessError> {
        let overflow = || AccessError::Overflow("an exit epoch");
        let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        if validator.exit_epoch != FAR_FUTURE_EPOCH {
            return Ok(());
        }
        if self.churn >= self.churn_limit {
            self.epoch = Epoch(self.epoch.0.checked_add(1).ok_or_else(overflow)?);
            self.churn = 0;
        }
        let delay = state.spec().config.min_validator_withdrawability_delay;
        let withdrawable = self.epoch.0.checked_add(delay).ok_or_else(overflow)?;
        self.churn += 1;
        let validator = &mut state.validators[index.as_usize()];
        validator.exit_epoch = self.epoch;
        validator.withdrawable_epoch = Epoch(withdrawable);
        Ok(())
    }
}
