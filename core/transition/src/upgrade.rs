//! A state becomes one of the next fork, at the first slot of the fork's first epoch.
//!
//! Each function changes the state of the fork before it in place. One that fails leaves it partly changed.

use types::constants::{FAR_FUTURE_EPOCH, UNSET_DEPOSIT_REQUESTS_START_INDEX};
use types::{
    BeaconState, Epoch, ExecutionPayloadHeader, Fork, ForkName, Gwei, List, PendingAttestation, Root,
    Validator, ValidatorIndex,
};

use crate::accessors::{
    AccessError, committee_attesters, compute_activation_exit_epoch,
    get_attestation_participation_flag_indices, get_current_epoch, get_next_sync_committee,
    initialize_proposer_lookahead,
};
use crate::churn::{get_activation_exit_churn_limit, get_consolidation_churn_limit};
use crate::error::TransitionError;
use crate::mutators::{queue_excess_active_balance, queue_own_balance};
use crate::predicates::has_compounding_withdrawal_credential;

/// Upgrades the state to a fork, from the one before it.
pub fn upgrade_to(state: &mut BeaconState, fork: ForkName) -> Result<(), TransitionError> {
    match fork {
        ForkName::Altair => upgrade_to_altair(state),
        ForkName::Bellatrix => upgrade_to_bellatrix(state),
        ForkName::Capella => upgrade_to_capella(state),
        ForkName::Deneb => upgrade_to_deneb(state),
        ForkName::Electra => upgrade_to_electra(state),
        ForkName::Fulu => upgrade_to_fulu(state),
        ForkName::Phase0 => Err(TransitionError::NoUpgrade(fork)),
    }
}

/// The version and the fork's name, which every upgrade begins with.
fn begin(state: &mut BeaconState, fork: ForkName) {
    state.fork = Fork {
        previous_version: state.fork.current_version,
        current_version: state.spec().fork_version(fork),
        epoch: get_current_epoch(state),
    };
    state.set_fork_name(fork);
}

/// [`upgrade_to_altair`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/fork.md#upgrading-the-state).
pub fn upgrade_to_altair(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Altair);
    let count = state.validators.len();
    state.previous_epoch_participation = vec![0u8; count].into();
    state.current_epoch_participation = vec![0u8; count].into();
    state.inactivity_scores = vec![0u64; count].into();
    let pending = std::mem::take(&mut state.previous_epoch_attestations);
    state.current_epoch_attestations.clear();
    translate_participation(state, &pending)?;
    // The fork begins with one committee for two periods.
    let committee = get_next_sync_committee(state)?;
    state.current_sync_committee = committee.clone();
    state.next_sync_committee = committee;
    Ok(())
}

/// [`translate_participation`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/fork.md#upgrading-the-state):
/// the attestations of the previous epoch as flags of those who made them.
pub fn translate_participation(
    state: &mut BeaconState,
    pending_attestations: &List<PendingAttestation>,
) -> Result<(), TransitionError> {
    for attestation in pending_attestations {
        let data = &attestation.data;
        let flags = get_attestation_participation_flag_indices(state, data, attestation.inclusion_delay)?
            .ok_or(TransitionError::UpgradeSource)?;
        for index in committee_attesters(state, data.slot, data.index, &attestation.aggregation_bits)? {
            let known = state.previous_epoch_participation.get_mut(index.as_usize());
            *known.ok_or(AccessError::NoValidator(index))? |= flags;
        }
    }
    Ok(())
}

/// [`upgrade_to_bellatrix`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork.md#upgrading-the-state).
pub fn upgrade_to_bellatrix(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Bellatrix);
    state.latest_execution_payload_header = ExecutionPayloadHeader::default();
    Ok(())
}

/// [`upgrade_to_capella`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/fork.md#upgrading-the-state).
pub fn upgrade_to_capella(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Capella);
    state.latest_execution_payload_header.withdrawals_root = Root::ZERO;
    state.next_withdrawal_index = 0;
    state.next_withdrawal_validator_index = ValidatorIndex(0);
    state.historical_summaries.clear();
    Ok(())
}

/// [`upgrade_to_deneb`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/fork.md#upgrading-the-state).
pub fn upgrade_to_deneb(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Deneb);
    state.latest_execution_payload_header.blob_gas_used = 0;
    state.latest_execution_payload_header.excess_blob_gas = 0;
    Ok(())
}

/// [`upgrade_to_electra`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/fork.md#upgrading-the-state).
pub fn upgrade_to_electra(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Electra);
    let first = compute_activation_exit_epoch(state.spec(), get_current_epoch(state));
    let exits = state.validators.iter().map(|validator| validator.exit_epoch);
    let last_exit = exits.filter(|epoch| *epoch != FAR_FUTURE_EPOCH).fold(first, Epoch::max);
    let after_last = last_exit.0.checked_add(1).ok_or(AccessError::Overflow("an exit epoch"))?;
    state.deposit_requests_start_index = UNSET_DEPOSIT_REQUESTS_START_INDEX;
    state.deposit_balance_to_consume = Gwei(0);
    state.earliest_exit_epoch = Epoch(after_last);
    state.earliest_consolidation_epoch = first;
    state.exit_balance_to_consume = get_activation_exit_churn_limit(state)?;
    state.consolidation_balance_to_consume = get_consolidation_churn_limit(state)?;
    state.pending_deposits.clear();
    state.pending_partial_withdrawals.clear();
    state.pending_consolidations.clear();
    queue_balances_before_activation(state)?;
    // Who has such credentials already goes through the churn with what others could not have.
    for index in validators_with(state, has_compounding_withdrawal_credential) {
        queue_excess_active_balance(state, index)?;
    }
    Ok(())
}

/// [`upgrade_to_fulu`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/fork.md#upgrading-the-state).
pub fn upgrade_to_fulu(state: &mut BeaconState) -> Result<(), TransitionError> {
    begin(state, ForkName::Fulu);
    state.proposer_lookahead = initialize_proposer_lookahead(state)?.into();
    Ok(())
}

/// Validators that wait for their activation are made anew by the queue of deposits, in the order that they wait in.
fn queue_balances_before_activation(state: &mut BeaconState) -> Result<(), AccessError> {
    let mut waiting = validators_with(state, |validator| validator.activation_epoch == FAR_FUTURE_EPOCH);
    // The order among equals stays that of the registry.
    waiting.sort_by_key(|index| state.validators[index.as_usize()].activation_eligibility_epoch);
    for index in waiting {
        let balance = state.balances.get_mut(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        let amount = std::mem::take(balance);
        let validator = &mut state.validators[index.as_usize()];
        validator.effective_balance = Gwei(0);
        validator.activation_eligibility_epoch = FAR_FUTURE_EPOCH;
        queue_own_balance(state, index, amount)?;
    }
    Ok(())
}

fn validators_with(state: &BeaconState, wanted: impl Fn(&Validator) -> bool) -> Vec<ValidatorIndex> {
    let found = state.validators.iter().enumerate().filter(|(_, validator)| wanted(validator));
    found.map(|(index, _)| ValidatorIndex(index as u64)).collect()
}
