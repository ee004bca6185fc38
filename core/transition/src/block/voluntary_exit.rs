//! Voluntary exits.

use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, SignedVoluntaryExit};

use super::VoluntaryExitInvalid;
use crate::accessors::{get_current_epoch, get_pending_balance_to_withdraw};
use crate::mutators::ExitQueue;
use crate::predicates::is_active_validator;
use crate::signatures::{Signatures, voluntary_exit_set};

/// All rules for an exit, its signature included; changes nothing.
pub fn check_voluntary_exit(
    state: &BeaconState,
    exit: &SignedVoluntaryExit,
    signatures: &mut Signatures,
) -> Result<(), VoluntaryExitInvalid> {
    let (message, current) = (&exit.message, get_current_epoch(state));
    let index = message.validator_index;
    let validator = state.validators.get(index.as_usize()).ok_or(VoluntaryExitInvalid::NoValidator(index))?;
    if !is_active_validator(validator, current) {
        return Err(VoluntaryExitInvalid::NotActive);
    }
    if validator.exit_epoch != FAR_FUTURE_EPOCH {
        return Err(VoluntaryExitInvalid::AlreadyLeaving);
    }
    if current < message.epoch {
        return Err(VoluntaryExitInvalid::NotYet(message.epoch));
    }
    let earliest = validator.activation_epoch.saturating_add(state.spec().config.shard_committee_period);
    if current < earliest {
        return Err(VoluntaryExitInvalid::TooYoung(earliest));
    }
    // Since Electra; before it there are none.
    if get_pending_balance_to_withdraw(state, index)? > 0 {
        return Err(VoluntaryExitInvalid::PendingWithdrawals);
    }
    if !signatures.take(|| voluntary_exit_set(state, exit)) {
        return Err(VoluntaryExitInvalid::Signature);
    }
    Ok(())
}

/// [`process_voluntary_exit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#voluntary-exits).
pub fn process_voluntary_exit(
    state: &mut BeaconState,
    exit: &SignedVoluntaryExit,
    signatures: &mut Signatures,
) -> Result<(), VoluntaryExitInvalid> {
    let_exit(state, exit, signatures, &mut ExitQueue::default())
}

/// [`process_voluntary_exit`] with the queue of exits that the block's operations share.
pub(super) fn let_exit(
    state: &mut BeaconState,
    exit: &SignedVoluntaryExit,
    signatures: &mut Signatures,
    exits: &mut ExitQueue,
) -> Result<(), VoluntaryExitInvalid> {
    check_voluntary_exit(state, exit, signatures)?;
    Ok(exits.enter(state, exit.message.validator_index)?)
}
