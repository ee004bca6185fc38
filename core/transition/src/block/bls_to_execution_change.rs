//! Changes of withdrawal credentials from a key to an address.

use crypto::hash;
use types::constants::{BLS_WITHDRAWAL_PREFIX, ETH1_ADDRESS_WITHDRAWAL_PREFIX};
use types::{BeaconState, Root, SignedBLSToExecutionChange};

use super::BlsToExecutionChangeInvalid;
use crate::signatures::{Signatures, bls_to_execution_change_set};

/// All rules for a change, its signature included; changes nothing.
pub fn check_bls_to_execution_change(
    state: &BeaconState,
    signed: &SignedBLSToExecutionChange,
    signatures: &mut Signatures,
) -> Result<(), BlsToExecutionChangeInvalid> {
    let change = &signed.message;
    let index = change.validator_index;
    let validator =
        state.validators.get(index.as_usize()).ok_or(BlsToExecutionChangeInvalid::NoValidator(index))?;
    let credentials = &validator.withdrawal_credentials.0;
    if credentials[0] != BLS_WITHDRAWAL_PREFIX {
        return Err(BlsToExecutionChangeInvalid::NoKey);
    }
    if credentials[1..] != hash(&change.from_bls_pubkey.0)[1..] {
        return Err(BlsToExecutionChangeInvalid::OtherKey);
    }
    if !signatures.take(|| bls_to_execution_change_set(state, signed)) {
        return Err(BlsToExecutionChangeInvalid::Signature);
    }
    Ok(())
}

/// [`process_bls_to_execution_change`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#new-process_bls_to_execution_change).
pub fn process_bls_to_execution_change(
    state: &mut BeaconState,
    signed: &SignedBLSToExecutionChange,
    signatures: &mut Signatures,
) -> Result<(), BlsToExecutionChangeInvalid> {
    check_bls_to_execution_change(state, signed, signatures)?;
    let mut credentials = [0; 32];
    credentials[0] = ETH1_ADDRESS_WITHDRAWAL_PREFIX;
    credentials[12..].copy_from_slice(&signed.message.to_execution_address.0);
    let index = signed.message.validator_index.as_usize();
    state.validators[index].withdrawal_credentials = Root::from(credentials);
    Ok(())
}
