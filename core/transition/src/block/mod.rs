//! Block processing.

mod attestation;
mod attester_slashing;
mod bls_to_execution_change;
mod deposit;
mod eth1_data;
mod execution_payload;
mod header;
mod invalid;
mod operations;
mod participation;
mod proposer_slashing;
mod randao;
mod requests;
mod sync_aggregate;
mod voluntary_exit;
mod withdrawals;

use types::{BeaconBlock, BeaconState, ForkName};

pub use attestation::process_attestation;
pub use attester_slashing::{check_attester_slashing, process_attester_slashing, slashable_indices};
pub use bls_to_execution_change::{check_bls_to_execution_change, process_bls_to_execution_change};
pub use deposit::{
    add_validator_to_registry, apply_deposit, get_validator_from_deposit, is_valid_deposit_signature,
    process_deposit,
};
pub use eth1_data::process_eth1_data;
pub use execution_payload::{
    NewPayloadRequest, PayloadStatus, header_of, is_execution_enabled, is_merge_transition_block,
    is_merge_transition_complete, kzg_commitment_to_versioned_hash, process_execution_payload,
};
pub use header::process_block_header;
pub use invalid::{
    AttestationInvalid, AttesterSlashingInvalid, BlockInvalid, BlsToExecutionChangeInvalid, DepositInvalid,
    ExecutionPayloadInvalid, HeaderInvalid, ProposerSlashingInvalid, SyncAggregateInvalid,
    VoluntaryExitInvalid, WithdrawalsInvalid,
};
pub use operations::{check_deposit_count, process_operations};
pub use proposer_slashing::{check_proposer_slashing, process_proposer_slashing};
pub use randao::process_randao;
pub use requests::{process_consolidation_request, process_deposit_request, process_withdrawal_request};
pub use sync_aggregate::process_sync_aggregate;
pub use voluntary_exit::{check_voluntary_exit, process_voluntary_exit};
pub use withdrawals::{ExpectedWithdrawals, get_expected_withdrawals, process_withdrawals};

use crate::signatures::Signatures;

/// [`process_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#block-processing);
/// modified in Altair, Bellatrix and Capella. The execution engine is not asked, see [`PayloadStatus`].
pub fn process_block(
    state: &mut BeaconState,
    block: &BeaconBlock,
    signatures: &mut Signatures,
) -> Result<(), BlockInvalid> {
    process_block_header(state, block)?;
    if state.fork_name() >= ForkName::Capella {
        process_withdrawals(state, &block.body.execution_payload)?;
    }
    if is_execution_enabled(state, &block.body) {
        process_execution_payload(state, &block.body, PayloadStatus::NotValidated)?;
    }
    process_randao(state, &block.body, signatures)?;
    process_eth1_data(state, &block.body)?;
    process_operations(state, &block.body, signatures)?;
    if state.fork_name() >= ForkName::Altair {
        process_sync_aggregate(state, &block.body.sync_aggregate, signatures)?;
    }
    Ok(())
}
