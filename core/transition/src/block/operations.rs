//! The lists of operations in a block.

use types::{BeaconBlockBody, BeaconState, ForkName};

use super::attester_slashing::slash_attesters;
use super::proposer_slashing::slash_proposer;
use super::voluntary_exit::let_exit;
use super::{BlockInvalid, process_attestation, process_bls_to_execution_change, process_deposit};
use crate::accessors::require_built;
use crate::mutators::ExitQueue;
use crate::signatures::Signatures;

/// [`process_operations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#operations).
pub fn process_operations(
    state: &mut BeaconState,
    body: &BeaconBlockBody,
    signatures: &mut Signatures,
) -> Result<(), BlockInvalid> {
    // Electra has other lists.
    require_built(state, ForkName::Deneb)?;
    let waiting = state.eth1_data.deposit_count.checked_sub(state.eth1_deposit_index);
    let due = waiting.ok_or(BlockInvalid::DepositIndex)?.min(state.spec().preset.max_deposits);
    let found = body.deposits.len() as u64;
    if found != due {
        return Err(BlockInvalid::DepositCount { found, due });
    }
    let mut exits = ExitQueue::default();
    for (place, slashing) in body.proposer_slashings.iter().enumerate() {
        slash_proposer(state, slashing, signatures, &mut exits)
            .map_err(|error| BlockInvalid::ProposerSlashing(place, error))?;
    }
    for (place, slashing) in body.attester_slashings.iter().enumerate() {
        slash_attesters(state, slashing, signatures, &mut exits)
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
        let_exit(state, exit, signatures, &mut exits)
            .map_err(|error| BlockInvalid::VoluntaryExit(place, error))?;
    }
    // None before Capella.
    for (place, change) in body.bls_to_execution_changes.iter().enumerate() {
        process_bls_to_execution_change(state, change, signatures)
            .map_err(|error| BlockInvalid::BlsToExecutionChange(place, error))?;
    }
    Ok(())
}
