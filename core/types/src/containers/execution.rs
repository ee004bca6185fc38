//! Execution payloads.

use ssz::{Bytes, FixedBytes, Root, Ssz, Uint256};

use crate::bounds::{
    MAX_BYTES_PER_TRANSACTION, MAX_EXTRA_DATA_BYTES, MAX_TRANSACTIONS_PER_PAYLOAD,
    MAX_WITHDRAWALS_PER_PAYLOAD,
};
use crate::{ExecutionAddress, ForkName, Gwei, ValidatorIndex};

/// An execution block.
///
/// [`ExecutionPayload`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#executionpayload)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ExecutionPayload {
    pub parent_hash: Root,
    pub fee_recipient: ExecutionAddress,
    pub state_root: Root,
    pub receipts_root: Root,
    pub logs_bloom: FixedBytes<256>,
    pub prev_randao: Root,
    pub block_number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    #[ssz(list(MAX_EXTRA_DATA_BYTES))]
    pub extra_data: Bytes,
    pub base_fee_per_gas: Uint256,
    pub block_hash: Root,
    #[ssz(list(MAX_TRANSACTIONS_PER_PAYLOAD, list(MAX_BYTES_PER_TRANSACTION)))]
    pub transactions: Vec<Bytes>,
    #[ssz(since = Capella, list(MAX_WITHDRAWALS_PER_PAYLOAD))]
    pub withdrawals: Vec<Withdrawal>,
    #[ssz(since = Deneb)]
    pub blob_gas_used: u64,
    #[ssz(since = Deneb)]
    pub excess_blob_gas: u64,
}

/// An execution block with its lists by root.
///
/// [`ExecutionPayloadHeader`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/beacon-chain.md#executionpayloadheader)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ExecutionPayloadHeader {
    pub parent_hash: Root,
    pub fee_recipient: ExecutionAddress,
    pub state_root: Root,
    pub receipts_root: Root,
    pub logs_bloom: FixedBytes<256>,
    pub prev_randao: Root,
    pub block_number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    #[ssz(list(MAX_EXTRA_DATA_BYTES))]
    pub extra_data: Bytes,
    pub base_fee_per_gas: Uint256,
    pub block_hash: Root,
    pub transactions_root: Root,
    #[ssz(since = Capella)]
    pub withdrawals_root: Root,
    #[ssz(since = Deneb)]
    pub blob_gas_used: u64,
    #[ssz(since = Deneb)]
    pub excess_blob_gas: u64,
}

/// A withdrawal to the execution layer.
///
/// [`Withdrawal`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#withdrawal)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct Withdrawal {
    pub index: u64,
    pub validator_index: ValidatorIndex,
    pub address: ExecutionAddress,
    pub amount: Gwei,
}

/// A proof-of-work block, for the merge.
///
/// [`PowBlock`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork-choice.md#powblock)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct PowBlock {
    pub block_hash: Root,
    pub parent_hash: Root,
    pub total_difficulty: Uint256,
}
