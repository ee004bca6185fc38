//! Execution payloads without transactions.

use transition::accessors::{get_current_epoch, get_randao_mix};
use transition::block::{get_expected_withdrawals, header_of};
use transition::misc::compute_time_at_slot;
use types::{
    BeaconState, Bytes, ExecutionPayload, ExecutionPayloadHeader, ExecutionRequests, ForkName, Root, Uint256,
};

use crate::noise;

const GAS_LIMIT: u64 = 30_000_000;

fn empty_payload(state: &BeaconState) -> anyhow::Result<ExecutionPayload> {
    Ok(ExecutionPayload {
        state_root: noise::root("execution state", 0),
        receipts_root: engine::EMPTY_TRIE_ROOT,
        prev_randao: get_randao_mix(state, get_current_epoch(state)),
        gas_limit: GAS_LIMIT,
        timestamp: compute_time_at_slot(state, state.slot)?,
        extra_data: Bytes(b"synthetic".to_vec()),
        base_fee_per_gas: Uint256::from(7),
        ..ExecutionPayload::default()
    })
}

/// The header of the last payload of a state in the middle of a chain, of which nobody asks for more than its hash.
pub fn header_at(state: &BeaconState) -> anyhow::Result<ExecutionPayloadHeader> {
    let mut payload = ExecutionPayload {
        parent_hash: noise::root("execution block", state.slot.0 - 1),
        block_number: state.slot.0,
        ..empty_payload(state)?
    };
    payload.block_hash = engine::block_hash(
        state.fork_name(),
        &payload,
        state.latest_block_header.parent_root,
        &ExecutionRequests::default(),
    );
    Ok(header_of(&payload, &state.ctx()))
}

/// The payload of a block on a state that stands at the block's slot: no transactions, and the withdrawals that are due.
pub fn next(state: &BeaconState, parent_root: Root) -> anyhow::Result<ExecutionPayload> {
    let parent = &state.latest_execution_payload_header;
    let mut payload = ExecutionPayload {
        parent_hash: parent.block_hash,
        block_number: parent.block_number + 1,
        gas_limit: parent.gas_limit,
        base_fee_per_gas: parent.base_fee_per_gas,
        ..empty_payload(state)?
    };
    if state.fork_name() >= ForkName::Capella {
        payload.withdrawals = get_expected_withdrawals(state)?.withdrawals;
    }
    payload.block_hash =
        engine::block_hash(state.fork_name(), &payload, parent_root, &ExecutionRequests::default());
    Ok(payload)
}
