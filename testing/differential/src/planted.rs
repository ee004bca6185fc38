//! The fault that the harness is put to the test with: a copy of one step of the epoch in which effective balances rise
//! a quarter of an increment too early, and the parts of the transition that lead to it.

use transition::TransitionError;
use transition::epoch::{EpochError, EpochStep, EpochSteps};
use transition::predicates::get_max_effective_balance;
use transition::process_slot;
use types::{BeaconState, Gwei, Slot};

/// [`process_effective_balance_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#effective-balances-updates),
/// but with a fault: the threshold upward is a quarter of an increment too low.
fn process_effective_balance_updates(state: &mut BeaconState) -> Result<(), EpochError> {
    let (spec, fork) = (state.spec(), state.fork_name());
    let preset = &spec.preset;
    let increment = preset.effective_balance_increment;
    let part = increment / preset.hysteresis_quotient;
    let downward = part * preset.hysteresis_downward_multiplier;
    // The fault: one less than the multiplier that the specification has.
    let upward = part * (preset.hysteresis_upward_multiplier - 1);
    for index in 0..state.validators.len() {
        let (balance, effective) = (state.balances[index].0, state.validators[index].effective_balance.0);
        if balance.saturating_add(downward) < effective || effective.saturating_add(upward) < balance {
            let most = get_max_effective_balance(spec, fork, &state.validators[index]).0;
            state.validators[index].effective_balance = Gwei((balance - balance % increment).min(most));
        }
    }
    Ok(())
}

/// [`process_slots`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beacon-chain-state-transition-function)
/// with the fault at the end of epochs; within one fork.
pub fn process_slots(state: &mut BeaconState, slot: Slot) -> Result<(), TransitionError> {
    if state.slot >= slot {
        return Err(TransitionError::SlotNotAfterState { from: state.slot, to: slot });
    }
    while state.slot < slot {
        process_slot(state)?;
        let next = state.slot + 1;
        let ends = next.0.is_multiple_of(state.spec().preset.slots_per_epoch);
        if ends {
            process_epoch(state)?;
        }
        state.slot = next;
        if ends {
            state.context.caches.enter_epoch(next.epoch(state.spec()));
        }
    }
    Ok(())
}

/// [`process_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#epoch-processing)
/// with the fault in one of its steps.
fn process_epoch(state: &mut BeaconState) -> Result<(), EpochError> {
    let mut steps = EpochSteps::begin(state)?;
    EpochStep::of(state.fork_name()).try_for_each(|step| take_step(&mut steps, state, step))
}

/// Takes a step, or what stands in for it.
pub fn take_step(steps: &mut EpochSteps, state: &mut BeaconState, step: EpochStep) -> Result<(), EpochError> {
    match step {
        EpochStep::EffectiveBalanceUpdates => process_effective_balance_updates(state)?,
        step => steps.take(state, step)?,
    }
    // What the steps leave for the next epoch knows nothing of what stood in.
    state.context.caches.forget();
    Ok(())
}
