//! The specification's predicates.

use crypto::hash_concat;
use types::constants::FAR_FUTURE_EPOCH;
use types::{AttestationData, BeaconState, Epoch, IndexedAttestation, Root, Spec, Validator};

use crate::signatures::{Signatures, indexed_attestation_set};

/// [`is_active_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_active_validator).
pub fn is_active_validator(validator: &Validator, epoch: Epoch) -> bool {
    validator.activation_epoch <= epoch && epoch < validator.exit_epoch
}

/// [`is_eligible_for_activation_queue`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_eligible_for_activation_queue).
pub fn is_eligible_for_activation_queue(spec: &Spec, validator: &Validator) -> bool {
    validator.activation_eligibility_epoch == FAR_FUTURE_EPOCH
        && validator.effective_balance == spec.preset.max_effective_balance
}

/// [`is_eligible_for_activation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_eligible_for_activation).
pub fn is_eligible_for_activation(state: &BeaconState, validator: &Validator) -> bool {
    validator.activation_eligibility_epoch <= state.finalized_checkpoint.epoch
        && validator.activation_epoch == FAR_FUTURE_EPOCH
}

/// [`is_slashable_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_slashable_validator).
pub fn is_slashable_validator(validator: &Validator, epoch: Epoch) -> bool {
    !validator.slashed && validator.activation_epoch <= epoch && epoch < validator.withdrawable_epoch
}

/// [`is_slashable_attestation_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_slashable_attestation_data).
pub fn is_slashable_attestation_data(data_1: &AttestationData, data_2: &AttestationData) -> bool {
    let double_vote = data_1 != data_2 && data_1.target.epoch == data_2.target.epoch;
    let surround_vote =
        data_1.source.epoch < data_2.source.epoch && data_2.target.epoch < data_1.target.epoch;
    double_vote || surround_vote
}

/// The part of [`is_valid_indexed_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_valid_indexed_attestation)
/// that needs no signature: some indices, in order, none twice, all of the registry.
pub fn has_valid_indices(state: &BeaconState, attestation: &IndexedAttestation) -> bool {
    let indices = &attestation.attesting_indices;
    let sorted = indices.windows(2).all(|pair| pair[0] < pair[1]);
    sorted && indices.last().is_some_and(|last| last.as_usize() < state.validators.len())
}

/// [`is_valid_indexed_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_valid_indexed_attestation);
/// true too where the signature was collected or is trusted.
pub fn is_valid_indexed_attestation(
    state: &BeaconState,
    attestation: &IndexedAttestation,
    signatures: &mut Signatures,
) -> bool {
    has_valid_indices(state, attestation) && signatures.take(|| indexed_attestation_set(state, attestation))
}

/// [`is_valid_merkle_branch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_valid_merkle_branch);
/// a branch of another length than `depth` is invalid.
pub fn is_valid_merkle_branch(leaf: Root, branch: &[Root], depth: usize, index: u64, root: Root) -> bool {
    branch.len() == depth && compute_merkle_branch_root(leaf, branch, index) == root
}

/// [`compute_merkle_branch_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_merkle_branch_root);
/// the depth is the length of the branch.
pub fn compute_merkle_branch_root(leaf: Root, branch: &[Root], index: u64) -> Root {
    let value = branch.iter().enumerate().fold(leaf.0, |value, (level, sibling)| {
        let is_right = index.checked_shr(level as u32).unwrap_or(0) & 1 == 1;
        if is_right { hash_concat(&sibling.0, &value) } else { hash_concat(&value, &sibling.0) }
    });
    Root::from(value)
}
