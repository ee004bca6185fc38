//! Validators enter the activation queue, are activated, or are ejected for want of balance.

use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, Epoch, ForkName, ValidatorIndex};

use super::{EpochError, EpochSummary};
use crate::accessors::{
    compute_activation_exit_epoch, is_active_validator, is_eligible_for_activation_queue,
};
use crate::mutators::ExitQueue;

/// [`process_registry_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#registry-updates);
/// modified in Deneb and Electra.
pub fn process_registry_updates(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    let found = Found::new(state, summary.current_epoch);
    for index in found.newly_eligible {
        state.validators[index].activation_eligibility_epoch = summary.current_epoch + 1;
    }
    let churn_limit = activation_churn_limit(state, summary);
    let mut exits = ExitQueue::default();
    for index in found.ejected {
        exits.enter(state, ValidatorIndex(index as u64))?;
    }
    let activation_epoch = compute_activation_exit_epoch(state.spec(), summary.current_epoch);
    for index in first_in_queue(found.activation_queue, churn_limit) {
        state.validators[index].activation_epoch = activation_epoch;
    }
    Ok(())
}

/// The places of the few validators that change, found in one look over the registry without copying any of it.
#[derive(Default)]
struct Found {
    newly_eligible: Vec<usize>,
    ejected: Vec<usize>,
    /// Those that may be activated, with the epoch since when they may be.
    activation_queue: Vec<(Epoch, usize)>,
}

impl Found {
    fn new(state: &BeaconState, current_epoch: Epoch) -> Self {
        let ejection_balance = state.spec().config.ejection_balance;
        let fork = state.fork_name();
        // Since Electra at most one of these happens to a validator.
        let is_one_of_three = fork >= ForkName::Electra;
        let mut found = Self::default();
        for (index, validator) in state.validators.iter().enumerate() {
            let mut eligible_since = validator.activation_eligibility_epoch;
            if is_eligible_for_activation_queue(state.spec(), fork, validator) {
                found.newly_eligible.push(index);
                eligible_since = current_epoch + 1;
                if is_one_of_three {
                    continue;
                }
            }
            if is_active_validator(validator, current_epoch)
                && validator.effective_balance <= ejection_balance
            {
                if validator.exit_epoch == FAR_FUTURE_EPOCH {
                    found.ejected.push(index);
                }
                if is_one_of_three {
                    continue;
                }
            }
            // `is_eligible_for_activation`, as it will be once the marks above are written.
            if eligible_since <= state.finalized_checkpoint.epoch
                && validator.activation_epoch == FAR_FUTURE_EPOCH
            {
                found.activation_queue.push((eligible_since, index));
            }
        }
        found
    }
}

/// The places of those who are activated now: the longest waiting, as many as the churn limit lets in.
fn first_in_queue(mut queue: Vec<(Epoch, usize)>, churn_limit: u64) -> impl Iterator<Item = usize> {
    let count = usize::try_from(churn_limit).unwrap_or(usize::MAX).min(queue.len());
    // Only who is among the first matters, not their order, so that a long queue need not be sorted.
    if count < queue.len() {
        queue.select_nth_unstable(count);
        queue.truncate(count);
    }
    queue.into_iter().map(|(_, index)| index)
}

/// [`get_validator_activation_churn_limit`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/beacon-chain.md#new-get_validator_activation_churn_limit);
/// before Deneb the churn limit, since Electra none.
fn activation_churn_limit(state: &BeaconState, summary: &EpochSummary) -> u64 {
    let config = &state.spec().config;
    // Since Electra the queue of deposits keeps the churn.
    if state.fork_name() >= ForkName::Electra {
        return u64::MAX;
    }
    let limit = config.min_per_epoch_churn_limit.max(summary.active_validators / config.churn_limit_quotient);
    if state.fork_name() >= ForkName::Deneb {
        limit.min(config.max_per_epoch_activation_churn_limit)
    } else {
        limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accessors::AccessError;
    use types::{Gwei, Slot, Spec, Validator};

    fn state(count: usize) -> BeaconState {
        let spec = Spec::minimal();
        let mut state = BeaconState::empty(spec, ForkName::Phase0);
        state.slot = Slot(8 * 10 + 7);
        for _ in 0..count {
            state.validators.push(Validator {
                effective_balance: Gwei(spec.preset.max_effective_balance),
                exit_epoch: FAR_FUTURE_EPOCH,
                withdrawable_epoch: FAR_FUTURE_EPOCH,
                ..Validator::default()
            });
            state.balances.push(Gwei(spec.preset.max_effective_balance));
        }
        state
    }

    fn process(state: &mut BeaconState) -> Result<(), EpochError> {
        let summary = EpochSummary::new(state)?;
        process_registry_updates(state, &summary)
    }

    /// The specification word for word: the whole registry for each exit.
    fn initiate_validator_exit(state: &mut BeaconState, index: usize, churn_limit: usize) {
        let exits = |validator: &Validator| validator.exit_epoch != FAR_FUTURE_EPOCH;
        let last = state.validators.iter().filter(|v| exits(v)).map(|v| v.exit_epoch).max();
        let first = compute_activation_exit_epoch(state.spec(), Epoch(10));
        let mut epoch = last.unwrap_or(first).max(first);
        if state.validators.iter().filter(|v| v.exit_epoch == epoch).count() >= churn_limit {
            epoch += 1;
        }
        state.validators[index].exit_epoch = epoch;
        state.validators[index].withdrawable_epoch =
            epoch + state.spec().config.min_validator_withdrawability_delay;
    }

    #[test]
    fn many_ejections_queue_as_one_after_the_other_would() {
        let spec = Spec::minimal();
        let mut state = state(60);
        let limit = spec.config.min_per_epoch_churn_limit as usize;
        for index in 0..limit + 1 {
            state.validators[index].exit_epoch = Epoch(20 + index as u64 / 2);
        }
        let mut expected = state.clone();
        for index in (10..60).step_by(3) {
            state.validators[index].effective_balance = spec.config.ejection_balance;
            expected.validators[index].effective_balance = spec.config.ejection_balance;
            initiate_validator_exit(&mut expected, index, limit);
        }
        process(&mut state).unwrap();
        assert_eq!(state, expected);
    }

    #[test]
    fn the_longest_waiting_are_activated_first_and_then_the_lower_index() {
        let spec = Spec::minimal();
        let mut state = state(40);
        state.finalized_checkpoint.epoch = Epoch(8);
        let waiting = [(30, 8), (31, 7), (32, 7), (33, 9), (34, 2), (35, 7), (36, 8)];
        for (index, since) in waiting {
            state.validators[index].activation_epoch = FAR_FUTURE_EPOCH;
            state.validators[index].activation_eligibility_epoch = Epoch(since);
        }
        process(&mut state).unwrap();
        let activated: Vec<usize> =
            (30..37).filter(|index| state.validators[*index].activation_epoch != FAR_FUTURE_EPOCH).collect();
        let mut expected = vec![34, 31, 32, 35, 30, 36];
        expected.truncate(spec.config.min_per_epoch_churn_limit as usize);
        expected.sort_unstable();
        assert_eq!(activated, expected);
    }

    #[test]
    fn a_validator_with_full_balance_enters_the_queue_but_is_not_activated_before_finality() {
        let mut state = state(3);
        state.validators[1].activation_eligibility_epoch = FAR_FUTURE_EPOCH;
        state.validators[1].activation_epoch = FAR_FUTURE_EPOCH;
        process(&mut state).unwrap();
        assert_eq!(state.validators[1].activation_eligibility_epoch, Epoch(11));
        assert_eq!(state.validators[1].activation_epoch, FAR_FUTURE_EPOCH);
    }

    #[test]
    fn an_exit_epoch_without_room_for_the_withdrawal_delay_is_an_error() {
        let mut state = state(3);
        state.validators[0].exit_epoch = FAR_FUTURE_EPOCH - 1;
        state.validators[1].effective_balance = Gwei(0);
        assert_eq!(process(&mut state), Err(AccessError::Overflow("an exit epoch").into()));
    }
}
