//! Changing a state: the specification's mutators.
//!
//! Where the specification's arithmetic leaves 64 bits, it declares the block invalid, and so these answer with an
//! error.

use types::constants::{
    COMPOUNDING_WITHDRAWAL_PREFIX, FAR_FUTURE_EPOCH, G2_POINT_AT_INFINITY, GENESIS_SLOT, PROPOSER_WEIGHT,
    WEIGHT_DENOMINATOR,
};
use types::{BeaconState, Epoch, ForkName, Gwei, PendingDeposit, ValidatorIndex};

use crate::accessors::{
    AccessError, get_beacon_proposer_index, get_current_epoch, get_validator_churn_limit,
};
use crate::churn::compute_exit_epoch_and_update_churn;
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

/// [`queue_excess_active_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-queue_excess_active_balance);
/// an error where there is no such validator, or no room in the queue.
pub fn queue_excess_active_balance(
    state: &mut BeaconState,
    index: ValidatorIndex,
) -> Result<(), AccessError> {
    let least = Gwei(state.spec().preset.min_activation_balance);
    let balance = *state.balances.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    if balance <= least {
        return Ok(());
    }
    state.balances[index.as_usize()] = least;
    queue_own_balance(state, index, balance - least)
}

/// Queues what a validator has already as if it were a deposit: without a signature, and in the first slot, which
/// tells it from a deposit that was asked for.
pub(crate) fn queue_own_balance(
    state: &mut BeaconState,
    index: ValidatorIndex,
    amount: Gwei,
) -> Result<(), AccessError> {
    let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    let deposit = PendingDeposit {
        pubkey: validator.pubkey,
        withdrawal_credentials: validator.withdrawal_credentials,
        amount,
        signature: G2_POINT_AT_INFINITY,
        slot: GENESIS_SLOT,
    };
    queue_deposit(state, deposit)
}

/// Appends to the queue of deposits; an error where it is full.
pub(crate) fn queue_deposit(state: &mut BeaconState, deposit: PendingDeposit) -> Result<(), AccessError> {
    if state.pending_deposits.len() as u64 >= state.spec().preset.pending_deposits_limit {
        return Err(AccessError::Full("the queue of deposits"));
    }
    state.pending_deposits.push(deposit);
    Ok(())
}

/// [`switch_to_compounding_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-switch_to_compounding_validator).
pub fn switch_to_compounding_validator(
    state: &mut BeaconState,
    index: ValidatorIndex,
) -> Result<(), AccessError> {
    let validator = state.validators.get_mut(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    validator.withdrawal_credentials.0[0] = COMPOUNDING_WITHDRAWAL_PREFIX;
    queue_excess_active_balance(state, index)
}

/// The end of the queue of exits: the last epoch that validators leave in, and how many do.
///
/// The specification finds it anew for each exit. To look over a registry of a million takes 10 ms, so who lets many
/// go at once keeps the queue, which is found when it is first needed. It is good as long as nobody else writes exit
/// epochs of that state: for the operations of a block, or for the end of an epoch. Since Electra the queue is a part
/// of the state, and this one stays empty.
#[derive(Default)]
pub(crate) struct ExitQueue(Option<QueueEnd>);

struct QueueEnd {
    epoch: Epoch,
    churn: u64,
    churn_limit: u64,
}

impl ExitQueue {
    /// The queue of a state in which so many leave in the last epoch that anybody leaves in.
    pub(crate) fn ending(epoch: Epoch, churn: u64, churn_limit: u64) -> Self {
        Self(Some(QueueEnd { epoch, churn, churn_limit }))
    }

    /// Lets a validator exit that has not begun to.
    pub(crate) fn enter(
        &mut self,
        state: &mut BeaconState,
        index: ValidatorIndex,
    ) -> Result<(), AccessError> {
        let overflow = || AccessError::Overflow("an exit epoch");
        let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        if validator.exit_epoch != FAR_FUTURE_EPOCH {
            return Ok(());
        }
        let balance = validator.effective_balance;
        let exit_epoch = if state.fork_name() >= ForkName::Electra {
            compute_exit_epoch_and_update_churn(state, balance)?
        } else {
            self.next_epoch(state).ok_or_else(overflow)?
        };
        let delay = state.spec().config.min_validator_withdrawability_delay;
        let withdrawable = exit_epoch.0.checked_add(delay).ok_or_else(overflow)?;
        let validator = &mut state.validators[index.as_usize()];
        validator.exit_epoch = exit_epoch;
        validator.withdrawable_epoch = Epoch(withdrawable);
        Ok(())
    }

    /// Before Electra: the epoch that the next validator leaves in, which is counted as one that does.
    fn next_epoch(&mut self, state: &BeaconState) -> Option<Epoch> {
        let end = self.0.get_or_insert_with(|| QueueEnd::of(state));
        if end.churn >= end.churn_limit {
            end.epoch = Epoch(end.epoch.0.checked_add(1)?);
            end.churn = 0;
        }
        end.churn += 1;
        Some(end.epoch)
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
