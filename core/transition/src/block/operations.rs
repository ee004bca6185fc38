//! The lists of operations in a block.

use types::{BeaconBlockBody, BeaconState};

use super::{
    BlockInvalid, process_attestation, process_attester_slashing, process_deposit, process_proposer_slashing,
    process_voluntary_exit,
};
use crate::signatures::Signatures;

/// [`process_operations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#operations).
pub fn process_operations(
    state: &mut BeaconState,
    body: &BeaconBlockBody,
    signatures: &mut Signatures,
) -> Result<(), BlockInvalid> {
    let waiting = state.eth1_data.deposit_count.checked_sub(state.eth1_deposit_index);
    let due = waiting.ok_or(BlockInvalid::DepositIndex)?.min(state.spec().preset.max_deposits);
    let found = body.deposits.len() as u64;
    if found != due {
        return Err(BlockInvalid::DepositCount { found, due });
    }
    for (place, slashing) in body.proposer_slashings.iter().enumerate() {
        process_proposer_slashing(state, slashing, signatures)
            .map_err(|error| BlockInvalid::ProposerSlashing(place, error))?;
    }
    for (place, slashing) in body.attester_slashings.iter().enumerate() {
        process_attester_slashing(state, slashing, signatures)
            .map_err(|error| BlockInvalid::AttesterSlashing(place, error))?;
    }
    for (place, attestation) in body.attestations.iter().enumerate() {
        process_attestation(state, attestation, signatures)
            .map_err(|error| BlockInvalid::Attestation(place, error))?;
    }
    for (place, deposit) in body.deposits.iter().enumerate() {
        process_deposit(state, deposit).map_err(|error| BlockInvalid::Deposit(place, error))?;
    }
    for (place, exit) in body.voluntary_exits.iter().enumerate() {
        process_voluntary_exit(state, exit, signatures)
            .map_err(|error| BlockInvalid::VoluntaryExit(place, error))?;
    }
    Ok(())
}
