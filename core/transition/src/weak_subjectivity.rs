//! [Weak subjectivity](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/weak-subjectivity.md): for
//! how long a state is a safe place to start from.

use types::{BeaconState, Checkpoint, Epoch, ForkName};

use crate::accessors::{
    AccessError, get_active_validator_indices, get_block_root, get_current_epoch, get_total_active_balance,
    get_validator_churn_limit,
};
use crate::churn::get_balance_churn_limit;

/// The part of the safety margin of finality that may be lost, in percent.
pub const SAFETY_DECAY: u64 = 10;

const ETH_TO_GWEI: u64 = 1_000_000_000;

/// [`compute_weak_subjectivity_period`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/weak-subjectivity.md#compute_weak_subjectivity_period),
/// in epochs; modified in Electra. An error without active validators, and where the numbers leave 64 bits.
pub fn compute_weak_subjectivity_period(state: &BeaconState) -> Result<u64, AccessError> {
    if state.fork_name() >= ForkName::Electra {
        return period_of_balances(state).ok_or(AccessError::Overflow("the weak subjectivity period"))?;
    }
    let active = get_active_validator_indices(state, get_current_epoch(state)).len() as u64;
    if active == 0 {
        return Err(AccessError::NoActiveValidators);
    }
    let average_ether = get_total_active_balance(state)?.0 / active / ETH_TO_GWEI;
    let churn_limit = get_validator_churn_limit(state);
    period(state, active, average_ether, churn_limit)
        .ok_or(AccessError::Overflow("the weak subjectivity period"))
}

/// Since Electra churn is counted by balance. None where a number leaves 64 bits or there is no churn.
fn period_of_balances(state: &BeaconState) -> Option<Result<u64, AccessError>> {
    let (total, churn) = match (get_total_active_balance(state), get_balance_churn_limit(state)) {
        (Ok(total), Ok(churn)) => (total.0, churn.0),
        (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
    };
    let epochs = SAFETY_DECAY.checked_mul(total)?.checked_div(churn.checked_mul(2 * 100)?)?;
    Some(Ok(state.spec().config.min_validator_withdrawability_delay.checked_add(epochs)?))
}

/// None where a number leaves 64 bits or the settings make a divisor zero.
fn period(state: &BeaconState, active: u64, average_ether: u64, churn_limit: u64) -> Option<u64> {
    let (config, preset) = (&state.spec().config, &state.spec().preset);
    let [active, average, churn_limit] = [active, average_ether, churn_limit].map(u128::from);
    let most = u128::from(preset.max_effective_balance / ETH_TO_GWEI);
    let decay = u128::from(SAFETY_DECAY);
    let top_ups = u128::from(preset.max_deposits) * u128::from(preset.slots_per_epoch);
    let (gained, lost) = (average * (200 + 12 * decay), most * (200 + 3 * decay));
    let added = if gained > lost {
        let churned = active.checked_mul(gained - lost)?;
        let by_churn = churned.checked_div(600 * churn_limit * (2 * average + most))?;
        by_churn.max((active * (200 + 3 * decay)).checked_div(600 * top_ups)?)
    } else {
        (3 * active * decay * average).checked_div(200 * top_ups * most.checked_sub(average)?)?
    };
    config.min_validator_withdrawability_delay.checked_add(u64::try_from(added).ok()?)
}

/// [`is_within_weak_subjectivity_period`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/weak-subjectivity.md#is_within_weak_subjectivity_period)
/// at `current_epoch`. False where the state is not that of the checkpoint.
pub fn is_within_weak_subjectivity_period(
    state: &BeaconState,
    checkpoint: &Checkpoint,
    current_epoch: Epoch,
) -> Result<bool, AccessError> {
    let epoch = get_current_epoch(state);
    if epoch != checkpoint.epoch || get_block_root(state, epoch)? != checkpoint.root {
        return Ok(false);
    }
    let period = compute_weak_subjectivity_period(state)?;
    Ok(current_epoch <= epoch.saturating_add(period))
}

#[cfg(test)]
mod tests {
    use types::constants::FAR_FUTURE_EPOCH;
    use types::{Gwei, Root, Slot, Spec, Validator};

    use super::*;

    fn state(count: u64, ether: u64) -> BeaconState {
        state_of(Spec::mainnet(), ForkName::Phase0, count, ether)
    }

    fn state_of(spec: &'static Spec, fork: ForkName, count: u64, ether: u64) -> BeaconState {
        let mut state = BeaconState::empty(spec, fork);
        let balance = Gwei(ether * ETH_TO_GWEI);
        for _ in 0..count {
            let validator = Validator {
                effective_balance: balance,
                exit_epoch: FAR_FUTURE_EPOCH,
                ..Validator::default()
            };
            state.validators.push(validator);
            state.balances.push(balance);
        }
        state
    }

    #[test]
    fn periods_are_those_of_the_specification_s_table() {
        for (ether, count, expected) in
            [(28, 32768, 504), (28, 65536, 752), (28, 262_144, 2241), (32, 32768, 665), (32, 262_144, 3532)]
        {
            assert_eq!(
                compute_weak_subjectivity_period(&state(count, ether)),
                Ok(expected),
                "{count} of {ether}"
            );
        }
    }

    #[test]
    fn periods_are_those_of_the_executable_specification_at_every_preset_and_fork() {
        const COUNTS: [(u64, u64); 6] =
            [(512, 28), (512, 32), (4096, 31), (32768, 32), (2048, 2048), (16384, 2048)];
        let (mainnet, minimal) = (Spec::mainnet(), Spec::minimal());
        // Before Electra no validator has more than 32 ether.
        let expected: [(&'static Spec, ForkName, &[u64]); 6] = [
            (mainnet, ForkName::Phase0, &[259, 262, 302, 665]),
            (minimal, ForkName::Phase0, &[257, 257, 268, 354]),
            (mainnet, ForkName::Capella, &[259, 262, 302, 665]),
            (mainnet, ForkName::Electra, &[261, 262, 305, 665, 1894, 3532]),
            (minimal, ForkName::Electra, &[257, 257, 257, 257, 257, 257]),
            (mainnet, ForkName::Fulu, &[261, 262, 305, 665, 1894, 3532]),
        ];
        for (spec, fork, periods) in expected {
            for ((count, ether), period) in COUNTS.into_iter().zip(periods) {
                let found = compute_weak_subjectivity_period(&state_of(spec, fork, count, ether));
                assert_eq!(found, Ok(*period), "{fork}: {count} of {ether}");
            }
        }
    }

    #[test]
    fn a_state_without_validators_has_no_period() {
        assert_eq!(compute_weak_subjectivity_period(&state(0, 0)), Err(AccessError::NoActiveValidators));
    }

    #[test]
    fn a_checkpoint_is_stale_after_its_period_and_must_be_that_of_the_state() {
        let mut state = state(32768, 32);
        state.slot = Slot(32 * 100 + 1);
        let root = Root::from([7; 32]);
        state.block_roots[32 * 100] = root;
        let checkpoint = Checkpoint { epoch: Epoch(100), root };
        let within = |checkpoint: &Checkpoint, now| {
            is_within_weak_subjectivity_period(&state, checkpoint, Epoch(now)).unwrap()
        };
        assert!(within(&checkpoint, 765));
        assert!(!within(&checkpoint, 766));
        assert!(!within(&Checkpoint { epoch: Epoch(99), root }, 100));
        assert!(!within(&Checkpoint { epoch: Epoch(100), root: Root::ZERO }, 100));
    }
}
