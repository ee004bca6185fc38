//! Trie roots and block hashes against those of an implementation of the execution layer that is not ours.

#![allow(clippy::unwrap_used)]

use crypto::hash;
use engine::{
    ExecutionHeader, block_hash, compute_requests_hash, get_execution_requests_list, keccak256,
    ordered_trie_root,
};
use serde_json::Value;
use types::{
    BlsSignature, Bytes, DepositRequest, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Gwei,
    Root, Uint256, ValidatorIndex, Withdrawal, WithdrawalRequest,
};

fn known() -> Value {
    serde_json::from_str(include_str!("hashes.json")).unwrap()
}

fn value(index: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..4).flat_map(|part| hash(format!("value {index} {part}").as_bytes())).collect();
    bytes.truncate(index * 37 % 120 + 1);
    bytes
}

fn named(name: &str) -> Root {
    Root::from(hash(name.as_bytes()))
}

/// The first `N` bytes of the hashes of `name 0`, `name 1` and so on.
fn long<const N: usize>(name: &str, first: usize) -> FixedBytes<N> {
    let parts = (first..first + N.div_ceil(32)).flat_map(|part| named(&format!("{name} {part}")).0);
    FixedBytes(parts.take(N).collect::<Vec<u8>>().try_into().unwrap())
}

fn payload() -> ExecutionPayload {
    let withdrawal = |index: u64| Withdrawal {
        index: index * 1000,
        validator_index: ValidatorIndex(index * 300),
        address: FixedBytes(named(&format!("address {index}")).0[..20].try_into().unwrap()),
        amount: Gwei(index * 32_000_000_000),
    };
    ExecutionPayload {
        parent_hash: named("parent"),
        fee_recipient: FixedBytes(named("coinbase").0[..20].try_into().unwrap()),
        state_root: named("state"),
        receipts_root: named("receipts"),
        logs_bloom: long("bloom", 0),
        prev_randao: named("randao"),
        block_number: 19_000_000,
        gas_limit: 30_000_000,
        gas_used: 0,
        timestamp: 1_800_000_000,
        extra_data: Bytes(b"interlock".to_vec()),
        base_fee_per_gas: Uint256::from_decimal("12345678901234567890123").unwrap(),
        block_hash: Root::ZERO,
        transactions: (0..5).map(|index| Bytes(value(index))).collect(),
        withdrawals: (0..3).map(withdrawal).collect(),
        blob_gas_used: 131_072 * 3,
        excess_blob_gas: 131_072 * 70,
    }
}

fn requests() -> ExecutionRequests {
    let deposit = {
        let all: FixedBytes<192> = long("deposit", 0);
        DepositRequest {
            pubkey: FixedBytes(all.0[..48].try_into().unwrap()),
            withdrawal_credentials: FixedBytes(all.0[48..80].try_into().unwrap()),
            amount: Gwei(u64::from_le_bytes(all.0[80..88].try_into().unwrap())),
            signature: BlsSignature::try_from(&all.0[88..184]).unwrap(),
            index: u64::from_le_bytes(all.0[184..].try_into().unwrap()),
        }
    };
    let withdrawal = {
        let all: FixedBytes<76> = long("withdrawal", 0);
        WithdrawalRequest {
            source_address: FixedBytes(all.0[..20].try_into().unwrap()),
            validator_pubkey: FixedBytes(all.0[20..68].try_into().unwrap()),
            amount: Gwei(u64::from_le_bytes(all.0[68..].try_into().unwrap())),
        }
    };
    ExecutionRequests { deposits: vec![deposit], withdrawals: vec![withdrawal], consolidations: Vec::new() }
}

#[test]
fn roots_of_lists_are_those_of_another_implementation() {
    let known = known();
    let cases = known["trie"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let count = case["count"].as_u64().unwrap() as usize;
        let values: Vec<Vec<u8>> = (0..count).map(value).collect();
        let root = ordered_trie_root(&values.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(root.to_string(), case["root"].as_str().unwrap(), "of {count} values");
    }
}

#[test]
fn block_hashes_of_every_fork_are_those_of_another_implementation() {
    let known = known();
    let (payload, requests) = (payload(), requests());
    let mut forks = Vec::new();
    for case in known["headers"].as_array().unwrap() {
        let fork: ForkName = case["fork"].as_str().unwrap().parse().unwrap();
        let header = ExecutionHeader::of(fork, &payload, named("beacon"), &requests);
        let text = |root: Option<Root>| root.map_or(Value::Null, |root| root.to_string().into());
        assert_eq!(text(Some(header.transactions_root)), case["transactions_root"], "{fork}");
        assert_eq!(text(header.withdrawals_root), case["withdrawals_root"], "{fork}");
        assert_eq!(text(header.requests_hash), case["requests_hash"], "{fork}");
        assert_eq!(
            text(Some(block_hash(fork, &payload, named("beacon"), &requests))),
            case["hash"],
            "{fork}"
        );
        forks.push(fork);
    }
    assert_eq!(forks, [ForkName::Bellatrix, ForkName::Capella, ForkName::Deneb, ForkName::Electra]);
    // Fulu changes nothing of the header.
    let [electra, fulu] = [ForkName::Electra, ForkName::Fulu]
        .map(|fork| block_hash(fork, &payload, named("beacon"), &requests));
    assert_eq!(electra, fulu);
}

#[test]
fn every_field_counts_for_the_hash() {
    let (base, requests) = (payload(), requests());
    let hash_of =
        |payload: &ExecutionPayload| block_hash(ForkName::Electra, payload, named("beacon"), &requests);
    let changes: [fn(&mut ExecutionPayload); 8] = [
        |payload| payload.parent_hash.0[31] ^= 1,
        |payload| payload.block_number += 1,
        |payload| payload.base_fee_per_gas.0[0] ^= 1,
        |payload| payload.extra_data.0.push(0),
        |payload| payload.transactions[3].0[0] ^= 1,
        |payload| payload.withdrawals[2].amount.0 += 1,
        |payload| payload.excess_blob_gas += 1,
        |payload| payload.withdrawals.truncate(2),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = base.clone();
        change(&mut changed);
        assert_ne!(hash_of(&changed), hash_of(&base), "change {index}");
    }
    // The hash that the payload claims is no part of what it claims it of.
    assert_eq!(hash_of(&ExecutionPayload { block_hash: keccak256(b"x"), ..base.clone() }), hash_of(&base));
    assert_ne!(compute_requests_hash(&get_execution_requests_list(&requests)), compute_requests_hash(&[]));
}
