//! The lists of operations in a block.

use types::{BeaconBlockBody, BeaconState, ExecutionRequests, ForkName};

use super::attestation::attest;
use super::attester_slashing::slash_attesters;
use super::participation::Participation;
use super::proposer_slashing::slash_proposer;
use super::voluntary_exit::let_exit;
use super::{
    BlockInvalid, process_bls_to_execution_change, process_consolidation_request, process_deposit,
    process_deposit_request, process_withdrawal_request,
};
use crate::mutators::ExitQueue;
use crate::signatures::Signatures;

/// [`process_operations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#operations);
/// modified in Capella, Electra and Fulu.
pub fn process_operations(
    state: &mut BeaconState,
    body: &BeaconBlockBody,
    signatures: &mut Signatures,
) -> Result<(), BlockInvalid> {
    check_deposit_count(state, body)?;
    let mut exits = ExitQueue::default();
    for (place, slashing) in body.proposer_slashings.iter().enumerate() {
        slash_proposer(state, slashing, signatures, &mut exits)
            .map_err(|error| BlockInvalid::ProposerSlashing(place, error))?;
    }
    for (place, slashing) in body.attester_slashings.iter().enumerate() {
        slash_attesters(state, slashing, signatures, &mut exits)
            .map_err(|error| BlockInvalid::AttesterSlashing(place, error))?;
    }
    let bits = body.attestations.iter().map(|attestation| attestation.aggregation_bits.len()).sum();
    let mut participation = Participation::for_bits(bits, state);
    for (place, attestation) in body.attestations.iter().enumerate() {
        attest(state, attestation, signatures, &mut participation)
            .map_err(|error| BlockInvalid::Attestation(place, error))?;
    }
    participation.put_back(state);
    for (place, deposit) in body.deposits.iter().enumerate() {
        process_deposit(state, deposit).map_err(|error| BlockInvalid::Deposit(place, error))?;
    }
    for (place, exit) in body.voluntary_exits.iter().enumerate() {
        let_exit(state, exit, signatures, &mut exits)
            .map_err(|error| BlockInvalid::VoluntaryExit(place, error))?;
    }
    // None before Capella.
    for (place, change) in body.bls_to_execution_changes.iter().enumerate() {
        process_bls_to_execution_change(state, change, signatures)
            .map_err(|error| BlockInvalid::BlsToExecutionChange(place, error))?;
    }
    process_requests(state, &body.execution_requests)
}

/// The rule that [`process_operations`] begins with: the deposits that are due are in the block, and no others.
pub fn check_deposit_count(state: &BeaconState, body: &BeaconBlockBody) -> Result<(), BlockInvalid> {
    let due = deposits_due(state)?;
    let found = body.deposits.len() as u64;
    if found == due { Ok(()) } else { Err(BlockInvalid::DepositCount { found, due }) }
}

/// How many deposits of the contract must be in a block. Since Electra (EIP-6110) those that the execution layer asks
/// for take their place, and since Fulu there are no others.
fn deposits_due(state: &BeaconState) -> Result<u64, BlockInvalid> {
    let (count, taken) = (state.eth1_data.deposit_count, state.eth1_deposit_index);
    let waiting = match state.fork_name() {
        ForkName::Fulu => 0,
        ForkName::Electra => count.min(state.deposit_requests_start_index).saturating_sub(taken),
        _ => count.checked_sub(taken).ok_or(BlockInvalid::DepositIndex)?,
    };
    Ok(waiting.min(state.spec().preset.max_deposits))
}

/// What the execution layer asks for since Electra; before it the lists are empty.
fn process_requests(state: &mut BeaconState, requests: &ExecutionRequests) -> Result<(), BlockInvalid> {
    for (place, request) in requests.deposits.iter().enumerate() {
        process_deposit_request(state, request)
            .map_err(|error| BlockInvalid::Request("deposit", place, error))?;
    }
    for (place, request) in requests.withdrawals.iter().enumerate() {
        process_withdrawal_request(state, request)
            .map_err(|error| BlockInvalid::Request("withdrawal", place, error))?;
    }
    for (place, request) in requests.consolidations.iter().enumerate() {
        process_consolidation_request(state, request)
            .map_err(|error| BlockInvalid::Request("consolidation", place, error))?;
    }
    Ok(())
}
