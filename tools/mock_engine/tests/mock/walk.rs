//! A chain of a few blocks, asked for in the order in which a consensus client asks.

use engine::{
    BuiltPayload, EngineReply, EngineRequest, ForkchoiceState, NewPayload, PayloadAttributes, PayloadStatus,
};
use mock_engine::MockEngine;
use types::{FixedBytes, ForkName, Gwei, Root, ValidatorIndex, Withdrawal};

/// Attributes that differ from block to block.
pub fn attributes(fork: ForkName, timestamp: u64) -> PayloadAttributes {
    let byte = timestamp as u8;
    let withdrawal = Withdrawal {
        index: timestamp,
        validator_index: ValidatorIndex(3),
        address: FixedBytes([byte; 20]),
        amount: Gwei(timestamp * 1000),
    };
    PayloadAttributes {
        timestamp,
        prev_randao: Root::from([byte; 32]),
        suggested_fee_recipient: FixedBytes([0xfe; 20]),
        withdrawals: if fork >= ForkName::Capella { vec![withdrawal; 3] } else { Vec::new() },
        parent_beacon_block_root: if fork >= ForkName::Deneb { Root::from([0xbb; 32]) } else { Root::ZERO },
    }
}

/// What a block that holds a built payload asks of an engine.
pub fn new_payload(built: &BuiltPayload, attributes: &PayloadAttributes) -> NewPayload {
    let hashes = engine::blob_versioned_hashes(&built.payload).unwrap();
    NewPayload {
        fork: built.fork,
        payload: built.payload.clone(),
        versioned_hashes: hashes,
        parent_beacon_block_root: attributes.parent_beacon_block_root,
        execution_requests: built.execution_requests.clone(),
    }
}

pub fn head(hash: Root) -> ForkchoiceState {
    ForkchoiceState { head_block_hash: hash, ..ForkchoiceState::default() }
}

/// Builds on a head, at time 0 of the mock.
pub fn build(mock: &mut MockEngine, fork: ForkName, on: Root, timestamp: u64) -> NewPayload {
    let attributes = attributes(fork, timestamp);
    let request =
        EngineRequest::ForkchoiceUpdated { fork, state: head(on), attributes: Some(attributes.clone()) };
    let EngineReply::ForkchoiceUpdated { payload_id: Some(id), .. } = mock.handle(0, &request) else {
        panic!("nothing is built")
    };
    let EngineReply::Payload(built) = mock.handle(0, &EngineRequest::GetPayload { fork, id }) else {
        panic!("nothing was built")
    };
    new_payload(&built, &attributes)
}

pub fn give(mock: &mut MockEngine, now_ms: u64, payload: &NewPayload) -> PayloadStatus {
    match mock.handle(now_ms, &EngineRequest::NewPayload(payload.clone().into())) {
        EngineReply::NewPayload(status) => status,
        other => panic!("{other:?}"),
    }
}

/// Builds a block and gives it; it is valid.
pub fn extend(mock: &mut MockEngine, fork: ForkName, on: Root, timestamp: u64) -> NewPayload {
    let payload = build(mock, fork, on, timestamp);
    assert_eq!(give(mock, 0, &payload), PayloadStatus::valid(payload.payload.block_hash));
    payload
}
