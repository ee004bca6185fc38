//! Attester slashings.

use types::{AttesterSlashing, BeaconState, ValidatorIndex};

use super::AttesterSlashingInvalid;
use crate::accessors::get_current_epoch;
use crate::mutators::{ExitQueue, slash};
use crate::predicates::{has_valid_indices, is_slashable_attestation_data, is_slashable_validator};
use crate::signatures::{Signatures, indexed_attestation_set};

/// Who made both attestations and can still be slashed, in ascending order. The indices must be sorted, as
/// [`has_valid_indices`] tells.
pub fn slashable_indices(state: &BeaconState, slashing: &AttesterSlashing) -> Vec<ValidatorIndex> {
    let second = &slashing.attestation_2.attesting_indices;
    let epoch = get_current_epoch(state);
    let slashable = |index: &ValidatorIndex| {
        let validator = state.validators.get(index.as_usize());
        second.binary_search(index).is_ok()
            && validator.is_some_and(|validator| is_slashable_validator(validator, epoch))
    };
    slashing.attestation_1.attesting_indices.iter().copied().filter(slashable).collect()
}

/// All rules for an attester slashing, signatures included; answers with whom it slashes and changes nothing.
pub fn check_attester_slashing(
    state: &BeaconState,
    slashing: &AttesterSlashing,
    signatures: &mut Signatures,
) -> Result<Vec<ValidatorIndex>, AttesterSlashingInvalid> {
    let attestations = [&slashing.attestation_1, &slashing.attestation_2];
    if !is_slashable_attestation_data(&attestations[0].data, &attestations[1].data) {
        return Err(AttesterSlashingInvalid::NotSlashable);
    }
    for attestation in attestations {
        if !has_valid_indices(state, attestation) {
            return Err(AttesterSlashingInvalid::Indices);
        }
        if !signatures.take(|| indexed_attestation_set(state, attestation)) {
            return Err(AttesterSlashingInvalid::Signature);
        }
    }
    let slashable = slashable_indices(state, slashing);
    if slashable.is_empty() {
        return Err(AttesterSlashingInvalid::NobodySlashable);
    }
    Ok(slashable)
}

/// [`process_attester_slashing`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attester-slashings).
pub fn process_attester_slashing(
    state: &mut BeaconState,
    slashing: &AttesterSlashing,
    signatures: &mut Signatures,
) -> Result<(), AttesterSlashingInvalid> {
    slash_attesters(state, slashing, signatures, &mut ExitQueue::default())
}

/// [`process_attester_slashing`] with the queue of exits that the block's operations share.
pub(super) fn slash_attesters(
    state: &mut BeaconState,
    slashing: &AttesterSlashing,
    signatures: &mut Signatures,
    exits: &mut ExitQueue,
) -> Result<(), AttesterSlashingInvalid> {
    let slashed = check_attester_slashing(state, slashing, signatures)?;
    Ok(slashed.into_iter().try_for_each(|index| slash(state, index, exits))?)
}
