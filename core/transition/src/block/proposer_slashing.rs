//! Proposer slashings.

use types::{BeaconState, ProposerSlashing};

use super::ProposerSlashingInvalid;
use crate::accessors::get_current_epoch;
use crate::mutators::{ExitQueue, slash};
use crate::predicates::is_slashable_validator;
use crate::signatures::{Signatures, header_set};

/// All rules for a proposer slashing, signatures included; changes nothing.
pub fn check_proposer_slashing(
    state: &BeaconState,
    slashing: &ProposerSlashing,
    signatures: &mut Signatures,
) -> Result<(), ProposerSlashingInvalid> {
    let (header_1, header_2) = (&slashing.signed_header_1.message, &slashing.signed_header_2.message);
    if header_1.slot != header_2.slot {
        return Err(ProposerSlashingInvalid::SlotsDiffer);
    }
    if header_1.proposer_index != header_2.proposer_index {
        return Err(ProposerSlashingInvalid::ProposersDiffer);
    }
    if header_1 == header_2 {
        return Err(ProposerSlashingInvalid::HeadersSame);
    }
    let index = header_1.proposer_index;
    let proposer =
        state.validators.get(index.as_usize()).ok_or(ProposerSlashingInvalid::NoValidator(index))?;
    if !is_slashable_validator(proposer, get_current_epoch(state)) {
        return Err(ProposerSlashingInvalid::NotSlashable);
    }
    for header in [&slashing.signed_header_1, &slashing.signed_header_2] {
        if !signatures.take(|| header_set(state, header)) {
            return Err(ProposerSlashingInvalid::Signature);
        }
    }
    Ok(())
}

/// [`process_proposer_slashing`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#proposer-slashings).
pub fn process_proposer_slashing(
    state: &mut BeaconState,
    slashing: &ProposerSlashing,
    signatures: &mut Signatures,
) -> Result<(), ProposerSlashingInvalid> {
    slash_proposer(state, slashing, signatures, &mut ExitQueue::default())
}

/// [`process_proposer_slashing`] with the queue of exits that the block's operations share.
pub(super) fn slash_proposer(
    state: &mut BeaconState,
    slashing: &ProposerSlashing,
    signatures: &mut Signatures,
    exits: &mut ExitQueue,
) -> Result<(), ProposerSlashingInvalid> {
    check_proposer_slashing(state, slashing, signatures)?;
    Ok(slash(state, slashing.signed_header_1.message.proposer_index, exits)?)
}
