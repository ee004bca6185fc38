//! Validators enter the activation queue, are activated, or are ejected for want of balance.

use types::{BeaconState, Epoch, ForkName, ValidatorIndex};

use super::{EpochError, EpochSummary};
use crate::accessors::compute_activation_exit_epoch;
use crate::mutators::ExitQueue;

/// [`process_registry_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#registry-updates);
/// modified in Deneb and Electra.
///
/// Whom it concerns was noticed when the summary was made, so that the registry is not gone through again.
pub fn process_registry_updates(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    let findings = &summary.findings;
    for index in &findings.newly_eligible {
        state.validators[*index as usize].activation_eligibility_epoch = summary.current_epoch + 1;
    }
    let (last_exit, exits) = findings.last_exit;
    let mut exits = ExitQueue::ending(last_exit, exits, churn_limit(state, summary));
    for index in &findings.ejected {
        exits.enter(state, ValidatorIndex(u64::from(*index)))?;
    }
    let activation_epoch = compute_activation_exit_epoch(state.spec(), summary.current_epoch);
    // `is_eligible_for_activation`, but for what the summary knew already.
    let finalized = state.finalized_checkpoint.epoch;
    let queue = findings.waiting.iter().filter(|(since, _)| *since <= finalized).copied().collect();
    for index in first_in_queue(queue, activation_churn_limit(state, summary)) {
        state.validators[index as usize].activation_epoch = activation_epoch;
    }
    Ok(())
}

/// The places of those who are activated now: the longest waiting, as many as the churn limit lets in.
fn first_in_queue(mut queue: Vec<(Epoch, u32)>, churn_limit: u64) -> impl Iterator<Item = u32> {
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
    let limit = churn_limit(state, summary);
    match state.fork_name() {
        // Since Electra the queue of deposits keeps the churn.
        ForkName::Electra | ForkName::Fulu => u64::MAX,
        ForkName::Deneb => limit.min(state.spec().config.max_per_epoch_activation_churn_limit),
        _ => limit,
    }
}

/// `get_validator_churn_limit`, with the active validators that the summary counted.
fn churn_limit(state: &BeaconState, summary: &EpochSummary) -> u64 {
    let config = &state.spec().config;
    config.min_per_epoch_churn_limit.max(summary.active_validators / config.churn_limit_quotient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accessors::AccessError;
    use types::constants::FAR_FUTURE_EPOCH;
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
