//! The header of an execution block, and its hash.
//!
//! A payload holds all that the header says but three things: the parent's beacon block root (since Deneb) and the
//! requests (since Electra) come from the beacon block, and what was proof of work once is constant.

use types::{
    Bytes, ExecutionAddress, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Root, Uint256,
    Withdrawal,
};

use crate::keccak::keccak256;
use crate::requests_list::{compute_requests_hash, get_execution_requests_list};
use crate::rlp;
use crate::trie::ordered_trie_root;

/// The hash of the RLP of an empty list: what every header since the merge says of its ommers.
pub const OMMERS_HASH_OF_NONE: Root = FixedBytes([
    0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a, 0xd3,
    0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
]);

/// The bloom filter of a block without logs.
pub const BLOOM_OF_NOTHING: FixedBytes<256> = FixedBytes::ZERO;

/// The header of an execution block, in the order of its RLP. A field that is none is one that the block's fork does
/// not have; none may be followed by some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ExecutionHeader {
    pub parent_hash: Root,
    pub fee_recipient: ExecutionAddress,
    pub state_root: Root,
    pub transactions_root: Root,
    pub receipts_root: Root,
    pub logs_bloom: FixedBytes<256>,
    pub block_number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    pub extra_data: Bytes,
    pub prev_randao: Root,
    pub base_fee_per_gas: Uint256,
    pub withdrawals_root: Option<Root>,
    pub blob_gas_used: Option<u64>,
    pub excess_blob_gas: Option<u64>,
    pub parent_beacon_block_root: Option<Root>,
    pub requests_hash: Option<Root>,
}

impl ExecutionHeader {
    /// The header of a payload at a fork, Bellatrix or later. What the fork does not have is not looked at.
    pub fn of(
        fork: ForkName,
        payload: &ExecutionPayload,
        parent_beacon_block_root: Root,
        requests: &ExecutionRequests,
    ) -> Self {
        let transactions: Vec<&[u8]> = payload.transactions.iter().map(|bytes| bytes.0.as_slice()).collect();
        let since = |first: ForkName| fork >= first;
        Self {
            parent_hash: payload.parent_hash,
            fee_recipient: payload.fee_recipient,
            state_root: payload.state_root,
            transactions_root: ordered_trie_root(&transactions),
            receipts_root: payload.receipts_root,
            logs_bloom: payload.logs_bloom,
            block_number: payload.block_number,
            gas_limit: payload.gas_limit,
            gas_used: payload.gas_used,
            timestamp: payload.timestamp,
            extra_data: payload.extra_data.clone(),
            prev_randao: payload.prev_randao,
            base_fee_per_gas: payload.base_fee_per_gas,
            withdrawals_root: since(ForkName::Capella).then(|| withdrawals_root(&payload.withdrawals)),
            blob_gas_used: since(ForkName::Deneb).then_some(payload.blob_gas_used),
            excess_blob_gas: since(ForkName::Deneb).then_some(payload.excess_blob_gas),
            parent_beacon_block_root: since(ForkName::Deneb).then_some(parent_beacon_block_root),
            requests_hash: since(ForkName::Electra)
                .then(|| compute_requests_hash(&get_execution_requests_list(requests))),
        }
    }

    /// The RLP.
    pub fn to_rlp(&self) -> Vec<u8> {
        let mut items = Vec::with_capacity(700);
        rlp::bytes(&mut items, &self.parent_hash.0);
        rlp::bytes(&mut items, &OMMERS_HASH_OF_NONE.0);
        rlp::bytes(&mut items, &self.fee_recipient.0);
        rlp::bytes(&mut items, &self.state_root.0);
        rlp::bytes(&mut items, &self.transactions_root.0);
        rlp::bytes(&mut items, &self.receipts_root.0);
        rlp::bytes(&mut items, &self.logs_bloom.0);
        // The difficulty.
        rlp::number(&mut items, 0);
        rlp::number(&mut items, self.block_number);
        rlp::number(&mut items, self.gas_limit);
        rlp::number(&mut items, self.gas_used);
        rlp::number(&mut items, self.timestamp);
        rlp::bytes(&mut items, &self.extra_data.0);
        rlp::bytes(&mut items, &self.prev_randao.0);
        // The nonce, which is eight bytes and not a number.
        rlp::bytes(&mut items, &[0; 8]);
        let mut base_fee = self.base_fee_per_gas.0;
        base_fee.reverse();
        rlp::big_number(&mut items, &base_fee);
        self.append_later_fields(&mut items);
        let mut out = Vec::with_capacity(items.len() + 3);
        rlp::list(&mut out, &items);
        out
    }

    fn append_later_fields(&self, items: &mut Vec<u8>) {
        let root = |items: &mut Vec<u8>, root: Option<Root>| {
            root.inspect(|root| rlp::bytes(items, &root.0));
        };
        let number = |items: &mut Vec<u8>, value: Option<u64>| {
            value.inspect(|value| rlp::number(items, *value));
        };
        root(items, self.withdrawals_root);
        number(items, self.blob_gas_used);
        number(items, self.excess_blob_gas);
        root(items, self.parent_beacon_block_root);
        root(items, self.requests_hash);
    }

    /// The block's hash.
    pub fn hash(&self) -> Root {
        keccak256(&self.to_rlp())
    }
}

fn withdrawals_root(withdrawals: &[Withdrawal]) -> Root {
    let encoded: Vec<Vec<u8>> = withdrawals.iter().map(withdrawal_rlp).collect();
    ordered_trie_root(&encoded.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn withdrawal_rlp(withdrawal: &Withdrawal) -> Vec<u8> {
    let mut items = Vec::with_capacity(48);
    rlp::number(&mut items, withdrawal.index);
    rlp::number(&mut items, withdrawal.validator_index.0);
    rlp::bytes(&mut items, &withdrawal.address.0);
    rlp::number(&mut items, withdrawal.amount.0);
    let mut out = Vec::with_capacity(items.len() + 1);
    rlp::list(&mut out, &items);
    out
}

/// The hash of the execution block that a payload describes, at a fork that has payloads.
pub fn block_hash(
    fork: ForkName,
    payload: &ExecutionPayload,
    parent_beacon_block_root: Root,
    requests: &ExecutionRequests,
) -> Root {
    ExecutionHeader::of(fork, payload, parent_beacon_block_root, requests).hash()
}

/// [`is_valid_block_hash`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#modified-is_valid_block_hash):
/// whether the hash that a payload claims is that of the block it describes. An empty transaction, which is none, is
/// refused here too, as `verify_and_notify_new_payload` has it.
pub fn is_valid_block_hash(
    fork: ForkName,
    payload: &ExecutionPayload,
    parent_beacon_block_root: Root,
    requests: &ExecutionRequests,
) -> bool {
    payload.transactions.iter().all(|transaction| !transaction.0.is_empty())
        && payload.block_hash == block_hash(fork, payload, parent_beacon_block_root, requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_hashes_of_what_they_say() {
        assert_eq!(keccak256(&[0xc0]), OMMERS_HASH_OF_NONE);
        assert_eq!(keccak256(&[0x80]), crate::EMPTY_TRIE_ROOT);
    }

    #[test]
    fn the_hash_of_mainnets_genesis_block_is_the_known_one() {
        // Fifteen fields, without a base fee: an older form than the one above, of the same parts.
        let fixed = |text: &str| text.parse::<Root>().unwrap().0;
        let mut items = Vec::new();
        rlp::bytes(&mut items, &[0; 32]);
        rlp::bytes(&mut items, &OMMERS_HASH_OF_NONE.0);
        rlp::bytes(&mut items, &[0; 20]);
        rlp::bytes(&mut items, &fixed("0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"));
        rlp::bytes(&mut items, &crate::EMPTY_TRIE_ROOT.0);
        rlp::bytes(&mut items, &crate::EMPTY_TRIE_ROOT.0);
        rlp::bytes(&mut items, &BLOOM_OF_NOTHING.0);
        for value in [0x4_0000_0000, 0, 5000, 0, 0] {
            rlp::number(&mut items, value);
        }
        rlp::bytes(&mut items, &fixed("0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"));
        rlp::bytes(&mut items, &[0; 32]);
        rlp::bytes(&mut items, &0x42u64.to_be_bytes());
        let mut header = Vec::new();
        rlp::list(&mut header, &items);
        assert_eq!(
            keccak256(&header).to_string(),
            "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
        );
    }

    #[test]
    fn a_payload_with_another_hash_or_with_an_empty_transaction_is_refused() {
        let requests = ExecutionRequests::default();
        let mut payload = ExecutionPayload::default();
        payload.block_hash = block_hash(ForkName::Electra, &payload, Root::ZERO, &requests);
        assert!(is_valid_block_hash(ForkName::Electra, &payload, Root::ZERO, &requests));
        assert!(!is_valid_block_hash(ForkName::Deneb, &payload, Root::ZERO, &requests), "it has no requests");
        assert!(!is_valid_block_hash(ForkName::Electra, &payload, Root::from([1; 32]), &requests));
        payload.transactions.push(Bytes(Vec::new()));
        payload.block_hash = block_hash(ForkName::Electra, &payload, Root::ZERO, &requests);
        assert!(!is_valid_block_hash(ForkName::Electra, &payload, Root::ZERO, &requests));
    }
}
