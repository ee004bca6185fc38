//! Changing a state: the specification's mutators.
//!
//! Where the specification's arithmetic leaves 64 bits, it declares the block invalid, and so these answer with an
//! error.

use types::constants::{FAR_FUTURE_EPOCH, PROPOSER_WEIGHT, WEIGHT_DENOMINATOR};
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
    ExitQueue::default().enter(state, index)
}

/// [`slash_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#slash_validator)
/// with the proposer as the whistleblower; modified in Altair, Bellatrix and Electra.
pub fn slash_validator(state: &mut BeaconState, slashed: ValidatorIndex) -> Result<(), AccessError> {
    slash(state, slashed, &mut ExitQueue::default())
}

/// [`slash_validator`] with a queue of exits that is kept: an attester slashing may be of thousands.
pub(crate) fn slash(
    state: &mut BeaconState,
    slashed: ValidatorIndex,
    queue: &mut ExitQueue,
) -> Result<(), AccessError> {
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
    let fork = state.fork_name();
    let penalty_quotient = match fork {
        ForkName::Phase0 => preset.min_slashing_penalty_quotient,
        ForkName::Altair => preset.min_slashing_penalty_quotient_altair,
        ForkName::Bellatrix | ForkName::Capella | ForkName::Deneb => {
            preset.min_slashing_penalty_quotient_bellatrix
        }
        ForkName::Electra | ForkName::Fulu => preset.min_slashing_penalty_quotient_electra,
    };
    decrease_balance(state, slashed, effective_balance / penalty_quotient)?;

    let proposer = get_beacon_proposer_index(state)?;
    let reward_quotient = if fork >= ForkName::Electra {
        preset.whistleblower_reward_quotient_electra
    } else {
        preset.whistleblower_reward_quotient
    };
    let whistleblower_reward = effective_balance / reward_quotient;
    let proposer_reward = if fork >= ForkName::Altair {
        let product = whistleblower_reward.0.checked_mul(PROPOSER_WEIGHT);
        Gwei(product.ok_or(AccessError::Overflow("a proposer's reward"))? / WEIGHT_DENOMINATOR)
    } else {
        whistleblower_reward / preset.proposer_reward_quotient
    };
    increase_balance(state, proposer, proposer_reward)?;
    increase_balance(state, proposer, whistleblower_reward - proposer_reward)
}

/// The end of the queue of exits: the last epoch that validators leave in, and how many do.
///
/// The specification finds it anew for each exit. To look over a registry of a million takes 10 ms, so who lets many
/// go at once keeps the queue, which is found when it is first needed. It is good as long as nobody else writes exit
/// epochs of that state: for the operations of a block, or for the end of an epoch.
#[derive(Default)]
pub(crate) struct ExitQueue(Option<QueueEnd>);

struct QueueEnd {
    epoch: Epoch,
    churn: u64,
    churn_limit: u64,
}

impl ExitQueue {
    /// Lets a validator exit that has not begun to.
    pub(crate) fn enter(
        &mut self,
        state: &mut BeaconState,
        index: ValidatorIndex,
    ) -> Result<(), AccessError> {
        require_built(state, ForkName::Deneb)?;
        let overflow = || AccessError::Overflow("an exit epoch");
        let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        if validator.exit_epoch != FAR_FUTURE_EPOCH {
            return Ok(());
        }
        let end = self.0.get_or_insert_with(|| QueueEnd::of(state));
        if end.churn >= end.churn_limit {
            end.epoch = Epoch(end.epoch.0.checked_add(1).ok_or_else(overflow)?);
            end.churn = 0;
        }
        let delay = state.spec().config.min_validator_withdrawability_delay;
        let withdrawable = end.epoch.0.checked_add(delay).ok_or_else(overflow)?;
        end.churn += 1;
        let validator = &mut state.validators[index.as_usize()];
        validator.exit_epoch = end.epoch;
        validator.withdrawable_epoch = Epoch(withdrawable);
        Ok(())
    }
}

impl QueueEnd {
    fn of(state: &BeaconState) -> Self {
        let first = compute_activation_exit_epoch(state.spec(), get_current_epoch(state));
        let (mut epoch, mut churn) = (first, 0);
        for exit in state.validators.iter().map(|validator| validator.exit_epoch) {
            if exit == FAR_FUTURE_EPOCH || exit < epoch {
                continue;
            }
            churn = if exit == epoch { churn + 1 } else { 1 };
            epoch = exit;
        }
        Self { epoch, churn, churn_limit: get_validator_churn_limit(state) }
    }
}
