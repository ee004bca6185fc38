//! Churn by balance (EIP-7251): how much may enter or leave the active set, or move within it, in an epoch.
//!
//! A queue is two numbers of the state, the epoch that its end lies in and what is left of that epoch's churn, so that
//! an exit looks at nothing but them.

use types::{BeaconState, Epoch, Gwei};

use crate::accessors::{AccessError, get_current_epoch, get_total_active_balance};
use crate::misc::compute_activation_exit_epoch;

/// [`get_balance_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_balance_churn_limit).
pub fn get_balance_churn_limit(state: &BeaconState) -> Result<Gwei, AccessError> {
    let config = &state.spec().config;
    let share = get_total_active_balance(state)?.0 / config.churn_limit_quotient;
    let churn = Gwei(share.max(config.min_per_epoch_churn_limit_electra));
    Ok(churn - churn % state.spec().preset.effective_balance_increment)
}

/// [`get_activation_exit_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_activation_exit_churn_limit).
pub fn get_activation_exit_churn_limit(state: &BeaconState) -> Result<Gwei, AccessError> {
    let most = Gwei(state.spec().config.max_per_epoch_activation_exit_churn_limit);
    Ok(get_balance_churn_limit(state)?.min(most))
}

/// [`get_consolidation_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_consolidation_churn_limit).
pub fn get_consolidation_churn_limit(state: &BeaconState) -> Result<Gwei, AccessError> {
    Ok(get_balance_churn_limit(state)? - get_activation_exit_churn_limit(state)?)
}

/// [`compute_exit_epoch_and_update_churn`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-compute_exit_epoch_and_update_churn).
pub fn compute_exit_epoch_and_update_churn(
    state: &mut BeaconState,
    exit_balance: Gwei,
) -> Result<Epoch, AccessError> {
    let per_epoch = get_activation_exit_churn_limit(state)?;
    let end = QueueEnd { epoch: state.earliest_exit_epoch, to_consume: state.exit_balance_to_consume };
    let end = end.enter(state, exit_balance, per_epoch).ok_or(AccessError::Overflow("an exit epoch"))?;
    state.exit_balance_to_consume = end.to_consume;
    state.earliest_exit_epoch = end.epoch;
    Ok(end.epoch)
}

/// [`compute_consolidation_epoch_and_update_churn`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-compute_consolidation_epoch_and_update_churn).
pub fn compute_consolidation_epoch_and_update_churn(
    state: &mut BeaconState,
    consolidation_balance: Gwei,
) -> Result<Epoch, AccessError> {
    let per_epoch = get_consolidation_churn_limit(state)?;
    let end = QueueEnd {
        epoch: state.earliest_consolidation_epoch,
        to_consume: state.consolidation_balance_to_consume,
    };
    let end = end.enter(state, consolidation_balance, per_epoch);
    let end = end.ok_or(AccessError::Overflow("the epoch of a consolidation"))?;
    state.consolidation_balance_to_consume = end.to_consume;
    state.earliest_consolidation_epoch = end.epoch;
    Ok(end.epoch)
}

/// The end of a queue.
struct QueueEnd {
    epoch: Epoch,
    /// What is left of the epoch's churn.
    to_consume: Gwei,
}

impl QueueEnd {
    /// The end once this balance has entered; none where a number leaves 64 bits, or where there is no churn at all.
    fn enter(self, state: &BeaconState, balance: Gwei, per_epoch: Gwei) -> Option<Self> {
        let first = compute_activation_exit_epoch(state.spec(), get_current_epoch(state));
        let (mut epoch, mut to_consume) = (self.epoch.0, self.to_consume.0);
        if self.epoch < first {
            (epoch, to_consume) = (first.0, per_epoch.0);
        }
        if balance.0 > to_consume {
            let missing = balance.0 - to_consume;
            let additional_epochs = ((missing - 1).checked_div(per_epoch.0)?).checked_add(1)?;
            epoch = epoch.checked_add(additional_epochs)?;
            to_consume = to_consume.checked_add(additional_epochs.checked_mul(per_epoch.0)?)?;
        }
        Some(Self { epoch: Epoch(epoch), to_consume: Gwei(to_consume - balance.0) })
    }
}
