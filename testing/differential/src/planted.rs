//! The fault that the harness is put to the test with: a copy of one step of the epoch in which effective balances rise
//! a quarter of an increment too early, and the parts of the transition that lead to it.

use transition::TransitionError;
use transition::epoch::{self as steps, EpochError, EpochSummary};
use transition::predicates::get_max_effective_balance;
use transition::process_slot;
use types::{BeaconState, ForkName, Gwei, Slot};

/// [`process_effective_balance_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#effective-balances-updates),
/// but with a fault: the threshold upward is a quarter of an increment too low.
pub fn process_effective_balance_updates(
    state: &mut BeaconState,
    _summary: &EpochSummary,
) -> Result<(), EpochError> {
    let preset = &state.spec().preset;
    let increment = preset.effective_balance_increment;
    let part = increment / preset.hysteresis_quotient;
    let downward = part * preset.hysteresis_downward_multiplier;
    // The fault: one less than the multiplier that the specification has.
    let upward = part * (preset.hysteresis_upward_multiplier - 1);
    for index in 0..state.validators.len() {
        let (balance, effective) = (state.balances[index].0, state.validators[index].effective_balance.0);
        if balance.saturating_add(downward) < effective || effective.saturating_add(upward) < balance {
            let most = get_max_effective_balance(state, &state.validators[index]).0;
            state.validators[index].effective_balance = Gwei((balance - balance % increment).min(most));
        }
    }
    state.context.caches.forget();
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
    let fork = state.fork_name();
    let summary = EpochSummary::new(state)?;
    steps::process_justification_and_finalization(state, &summary)?;
    if fork >= ForkName::Altair {
        steps::process_inactivity_updates(state, &summary)?;
    }
    steps::process_rewards_and_penalties(state, &summary)?;
    steps::process_registry_updates(state, &summary)?;
    steps::process_slashings(state, &summary)?;
    steps::process_eth1_data_reset(state);
    if fork >= ForkName::Electra {
        steps::process_pending_deposits(state)?;
        steps::process_pending_consolidations(state)?;
    }
    process_effective_balance_updates(state, &summary)?;
    steps::process_slashings_reset(state);
    steps::process_randao_mixes_reset(state);
    if fork >= ForkName::Capella {
        steps::process_historical_summaries_update(state)?;
    } else {
        steps::process_historical_roots_update(state)?;
    }
    if fork >= ForkName::Altair {
        steps::process_participation_flag_updates(state);
        steps::process_sync_committee_updates(state)?;
    } else {
        steps::process_participation_record_updates(state);
    }
    if fork >= ForkName::Fulu {
        steps::process_proposer_lookahead(state)?;
    }
    Ok(())
}
