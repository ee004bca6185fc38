//! The specification's predicates.

use crypto::hash_concat;
use types::constants::{COMPOUNDING_WITHDRAWAL_PREFIX, ETH1_ADDRESS_WITHDRAWAL_PREFIX, FAR_FUTURE_EPOCH};
use types::{
    AttestationData, BeaconState, Epoch, ExecutionAddress, ForkName, Gwei, IndexedAttestation, Root, Spec,
    Validator,
};

use crate::signatures::{Signatures, indexed_attestation_set};

/// [`is_active_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_active_validator).
pub fn is_active_validator(validator: &Validator, epoch: Epoch) -> bool {
    validator.activation_epoch <= epoch && epoch < validator.exit_epoch
}

/// [`is_eligible_for_activation_queue`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_eligible_for_activation_queue);
/// modified in Electra.
pub fn is_eligible_for_activation_queue(spec: &Spec, fork: ForkName, validator: &Validator) -> bool {
    let has_balance = if fork >= ForkName::Electra {
        validator.effective_balance >= spec.preset.min_activation_balance
    } else {
        validator.effective_balance == spec.preset.max_effective_balance
    };
    validator.activation_eligibility_epoch == FAR_FUTURE_EPOCH && has_balance
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

/// [`has_eth1_withdrawal_credential`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#has_eth1_withdrawal_credential).
pub fn has_eth1_withdrawal_credential(validator: &Validator) -> bool {
    validator.withdrawal_credentials.0[0] == ETH1_ADDRESS_WITHDRAWAL_PREFIX
}

/// [`has_compounding_withdrawal_credential`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-has_compounding_withdrawal_credential).
pub fn has_compounding_withdrawal_credential(validator: &Validator) -> bool {
    validator.withdrawal_credentials.0[0] == COMPOUNDING_WITHDRAWAL_PREFIX
}

/// [`has_execution_withdrawal_credential`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-has_execution_withdrawal_credential).
pub fn has_execution_withdrawal_credential(validator: &Validator) -> bool {
    has_eth1_withdrawal_credential(validator) || has_compounding_withdrawal_credential(validator)
}

/// The address that withdrawals go to, where the credentials are those of an address.
pub fn withdrawal_address(validator: &Validator) -> ExecutionAddress {
    ExecutionAddress::try_from(&validator.withdrawal_credentials.0[12..]).expect("20 bytes")
}

/// True where the fork knows the credentials as those of an address.
fn is_withdrawable(fork: ForkName, validator: &Validator) -> bool {
    has_eth1_withdrawal_credential(validator)
        || fork >= ForkName::Electra && has_compounding_withdrawal_credential(validator)
}

/// [`is_fully_withdrawable_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#is_fully_withdrawable_validator);
/// modified in Electra.
pub fn is_fully_withdrawable_validator(
    fork: ForkName,
    validator: &Validator,
    balance: Gwei,
    epoch: Epoch,
) -> bool {
    is_withdrawable(fork, validator) && validator.withdrawable_epoch <= epoch && balance > 0
}

/// [`is_partially_withdrawable_validator`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#is_partially_withdrawable_validator);
/// modified in Electra.
pub fn is_partially_withdrawable_validator(
    spec: &Spec,
    fork: ForkName,
    validator: &Validator,
    balance: Gwei,
) -> bool {
    let most = get_max_effective_balance(spec, fork, validator);
    is_withdrawable(fork, validator) && validator.effective_balance == most && balance > most
}

/// [`is_eligible_for_partial_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-is_eligible_for_partial_withdrawals).
pub fn is_eligible_for_partial_withdrawals(spec: &Spec, validator: &Validator, balance: Gwei) -> bool {
    let least = spec.preset.min_activation_balance;
    validator.exit_epoch == FAR_FUTURE_EPOCH && validator.effective_balance >= least && balance > least
}

/// [`get_max_effective_balance`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_max_effective_balance);
/// before Electra that of all validators.
pub fn get_max_effective_balance(spec: &Spec, fork: ForkName, validator: &Validator) -> Gwei {
    let preset = &spec.preset;
    Gwei(if fork < ForkName::Electra {
        preset.max_effective_balance
    } else if has_compounding_withdrawal_credential(validator) {
        preset.max_effective_balance_electra
    } else {
        preset.min_activation_balance
    })
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
