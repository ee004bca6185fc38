//! The execution payload.
//!
//! The transition does not ask an execution engine: what the engine says of a payload comes in as a [`PayloadStatus`].
//! A block is processed before the engine has answered, as
//! [optimistic sync](https://github.com/ethereum/consensus-specs/blob/master/sync/optimistic.md) has it; whoever imports
//! the block asks ([`NewPayloadRequest`]) and drops it, with all that follows, where the answer is that the payload is
//! invalid.

use crypto::hash;
use types::bounds::{MAX_BYTES_PER_TRANSACTION, MAX_TRANSACTIONS_PER_PAYLOAD, MAX_WITHDRAWALS_PER_PAYLOAD};
use types::constants::VERSIONED_HASH_VERSION_KZG;
use types::{
    BeaconBlock, BeaconBlockBody, BeaconState, Ctx, ExecutionPayload, ExecutionPayloadHeader,
    ExecutionRequests, ForkName, KzgCommitment, Root, Shape, Ssz,
};

use super::ExecutionPayloadInvalid;
use crate::accessors::{get_current_epoch, get_randao_mix};
use crate::misc::compute_time_at_slot;

/// What the execution engine says of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadStatus {
    /// It is valid.
    Valid,
    /// It, or one that it builds on, is invalid.
    Invalidated,
    /// It was not asked yet, or does not know yet.
    NotValidated,
}

/// [`NewPayloadRequest`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#modified-newpayloadrequest):
/// what the engine is asked about. The hashes are none before Deneb, the requests none before Electra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayloadRequest<'a> {
    /// The payload.
    pub execution_payload: &'a ExecutionPayload,
    /// The hashes of the blobs' commitments, in their order.
    pub versioned_hashes: Vec<Root>,
    /// The parent of the block, which the engine is told since Deneb (EIP-4788).
    pub parent_beacon_block_root: Root,
    /// The requests that the payload gave rise to.
    pub execution_requests: &'a ExecutionRequests,
}

impl<'a> NewPayloadRequest<'a> {
    /// The request for the payload of a block.
    pub fn of(block: &'a BeaconBlock) -> Self {
        let commitments = block.body.blob_kzg_commitments.iter();
        Self {
            execution_payload: &block.body.execution_payload,
            versioned_hashes: commitments.map(kzg_commitment_to_versioned_hash).collect(),
            parent_beacon_block_root: block.parent_root,
            execution_requests: &block.body.execution_requests,
        }
    }
}

/// [`kzg_commitment_to_versioned_hash`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/beacon-chain.md#kzg_commitment_to_versioned_hash).
pub fn kzg_commitment_to_versioned_hash(kzg_commitment: &KzgCommitment) -> Root {
    let mut versioned = hash(&kzg_commitment.0);
    versioned[0] = VERSIONED_HASH_VERSION_KZG;
    Root::from(versioned)
}

/// [`is_merge_transition_complete`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#is_merge_transition_complete).
pub fn is_merge_transition_complete(state: &BeaconState) -> bool {
    state.latest_execution_payload_header != ExecutionPayloadHeader::default()
}

/// [`is_merge_transition_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#is_merge_transition_block).
pub fn is_merge_transition_block(state: &BeaconState, body: &BeaconBlockBody) -> bool {
    !is_merge_transition_complete(state) && body.execution_payload != ExecutionPayload::default()
}

/// [`is_execution_enabled`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#is_execution_enabled);
/// always since Capella.
pub fn is_execution_enabled(state: &BeaconState, body: &BeaconBlockBody) -> bool {
    match state.fork_name() {
        ForkName::Phase0 | ForkName::Altair => false,
        ForkName::Bellatrix => is_merge_transition_block(state, body) || is_merge_transition_complete(state),
        _ => true,
    }
}

/// [`process_execution_payload`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#process_execution_payload)
/// with what the engine says of the payload; modified in Capella, Deneb, Electra and Fulu.
pub fn process_execution_payload(
    state: &mut BeaconState,
    body: &BeaconBlockBody,
    status: PayloadStatus,
) -> Result<(), ExecutionPayloadInvalid> {
    let payload = &body.execution_payload;
    let parent = state.latest_execution_payload_header.block_hash;
    // Before Capella the first payload of all has a parent that the beacon chain does not know.
    let has_parent = state.fork_name() >= ForkName::Capella || is_merge_transition_complete(state);
    if has_parent && payload.parent_hash != parent {
        return Err(ExecutionPayloadInvalid::Parent { found: payload.parent_hash, expected: parent });
    }
    if payload.prev_randao != get_randao_mix(state, get_current_epoch(state)) {
        return Err(ExecutionPayloadInvalid::PrevRandao);
    }
    let expected = compute_time_at_slot(state, state.slot)?;
    if payload.timestamp != expected {
        return Err(ExecutionPayloadInvalid::Timestamp { found: payload.timestamp, expected });
    }
    let (blobs, most) = (body.blob_kzg_commitments.len() as u64, max_blobs(state));
    if blobs > most {
        return Err(ExecutionPayloadInvalid::TooManyBlobs { found: blobs, most });
    }
    if status == PayloadStatus::Invalidated {
        return Err(ExecutionPayloadInvalid::Invalidated);
    }
    state.latest_execution_payload_header = header_of(payload, &state.ctx());
    Ok(())
}

/// The most blobs that a block may commit to at the state's epoch.
fn max_blobs(state: &BeaconState) -> u64 {
    let (spec, fork) = (state.spec(), state.fork_name());
    match fork {
        ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella => 0,
        ForkName::Deneb => spec.config.max_blobs_per_block,
        ForkName::Electra => spec.config.max_blobs_per_block_electra,
        ForkName::Fulu => spec.get_blob_parameters(get_current_epoch(state)).max_blobs_per_block,
    }
}

/// The header of a payload.
pub fn header_of(payload: &ExecutionPayload, ctx: &Ctx) -> ExecutionPayloadHeader {
    const TRANSACTIONS: Shape =
        Shape::List(MAX_TRANSACTIONS_PER_PAYLOAD, &Shape::List(MAX_BYTES_PER_TRANSACTION, &Shape::Plain));
    const WITHDRAWALS: Shape = Shape::List(MAX_WITHDRAWALS_PER_PAYLOAD, &Shape::Plain);
    let has_withdrawals = ctx.fork >= ForkName::Capella as u8;
    ExecutionPayloadHeader {
        parent_hash: payload.parent_hash,
        fee_recipient: payload.fee_recipient,
        state_root: payload.state_root,
        receipts_root: payload.receipts_root,
        logs_bloom: payload.logs_bloom,
        prev_randao: payload.prev_randao,
        block_number: payload.block_number,
        gas_limit: payload.gas_limit,
        gas_used: payload.gas_used,
        timestamp: payload.timestamp,
        extra_data: payload.extra_data.clone(),
        base_fee_per_gas: payload.base_fee_per_gas,
        block_hash: payload.block_hash,
        transactions_root: payload.transactions.root(&TRANSACTIONS, ctx),
        withdrawals_root: if has_withdrawals {
            payload.withdrawals.root(&WITHDRAWALS, ctx)
        } else {
            Root::ZERO
        },
        blob_gas_used: payload.blob_gas_used,
        excess_blob_gas: payload.excess_blob_gas,
    }
}
