//! Payloads that the engine builds.

use engine::{BlobsBundle, BuiltPayload, EMPTY_TRIE_ROOT, PayloadAttributes, block_hash, keccak256, rlp};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use types::{Bytes, ExecutionPayload, ExecutionRequests, ForkName, Root, Uint256};

use crate::blobs::{GAS_PER_BLOB, MockBlob, random_blob};
use crate::conduct::Lie;
use crate::tree::MockBlock;

/// What every block may use; nothing votes on it.
const GAS_LIMIT: u64 = 30_000_000;
/// What the simplest transaction uses.
const TRANSACTION_GAS: u64 = 21_000;
/// In wei; it never changes.
const BASE_FEE: u64 = 7;

/// What goes into a payload besides its attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'a> {
    pub(crate) transactions: usize,
    pub(crate) blobs: usize,
    pub(crate) requests: &'a ExecutionRequests,
    pub(crate) lie: Option<Lie>,
}

/// The payload of a fork on a parent, and the blobs in it. The same randomness gives the same payload.
pub(crate) fn build(
    fork: ForkName,
    parent: &MockBlock,
    attributes: &PayloadAttributes,
    contents: Contents<'_>,
    random: &mut ChaCha8Rng,
) -> (BuiltPayload, Vec<MockBlob>) {
    let blobs: Vec<MockBlob> = if fork >= ForkName::Deneb {
        (0..contents.blobs).map(|_| random_blob(random)).collect()
    } else {
        Vec::new()
    };
    let mut transactions: Vec<Bytes> = (0..contents.transactions).map(|_| some_transaction(random)).collect();
    if !blobs.is_empty() {
        transactions.push(blob_transaction(&blobs));
    }
    let requests =
        if fork >= ForkName::Electra { contents.requests.clone() } else { ExecutionRequests::default() };
    let gas_used = transactions.len() as u64 * TRANSACTION_GAS;
    let mut payload = ExecutionPayload {
        parent_hash: parent.hash,
        fee_recipient: attributes.suggested_fee_recipient,
        state_root: made_up_state_root(parent.hash, attributes),
        receipts_root: EMPTY_TRIE_ROOT,
        prev_randao: attributes.prev_randao,
        block_number: parent.number + 1,
        gas_limit: GAS_LIMIT,
        gas_used,
        timestamp: attributes.timestamp,
        extra_data: Bytes(b"interlock mock engine".to_vec()),
        base_fee_per_gas: Uint256::from(BASE_FEE),
        transactions,
        blob_gas_used: blobs.len() as u64 * GAS_PER_BLOB,
        ..ExecutionPayload::default()
    };
    if fork >= ForkName::Capella && contents.lie != Some(Lie::WithoutWithdrawals) {
        payload.withdrawals = attributes.withdrawals.clone();
    }
    payload.block_hash = block_hash(fork, &payload, attributes.parent_beacon_block_root, &requests);
    if contents.lie == Some(Lie::WrongBlockHash) {
        payload.block_hash.0[0] ^= 1;
    }
    let built = BuiltPayload {
        fork,
        payload,
        block_value: if fork >= ForkName::Capella { Uint256::from(gas_used) } else { Uint256::default() },
        blobs_bundle: bundle(fork, &blobs),
        should_override_builder: false,
        execution_requests: requests,
    };
    (built, blobs)
}

fn bundle(fork: ForkName, blobs: &[MockBlob]) -> BlobsBundle {
    BlobsBundle {
        commitments: blobs.iter().map(|blob| blob.commitment).collect(),
        proofs: blobs.iter().flat_map(|blob| proofs(fork, blob)).collect(),
        blobs: blobs.iter().map(|blob| blob.blob.clone()).collect(),
    }
}

/// The proofs of a blob that a fork goes by.
pub(crate) fn proofs(fork: ForkName, blob: &MockBlob) -> Vec<types::KzgProof> {
    if fork >= ForkName::Fulu { blob.cell_proofs.clone() } else { vec![blob.proof] }
}

fn made_up_state_root(parent: Root, attributes: &PayloadAttributes) -> Root {
    keccak256(&[parent.0.as_slice(), &attributes.prev_randao.0, &attributes.timestamp.to_be_bytes()].concat())
}

/// Bytes that have a transaction's type and nothing else of one.
fn some_transaction(random: &mut ChaCha8Rng) -> Bytes {
    let mut bytes = vec![0; 110];
    random.fill_bytes(&mut bytes);
    bytes[0] = 2;
    Bytes(bytes)
}

/// A transaction of EIP-4844 that names the blobs. Its signature is none.
fn blob_transaction(blobs: &[MockBlob]) -> Bytes {
    let (mut fields, mut empty_list, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    rlp::list(&mut empty_list, &[]);
    blobs.iter().for_each(|blob| rlp::bytes(&mut hashes, &blob.versioned_hash.0));
    // Chain id, nonce, priority fee, fee, gas.
    for number in [1, 0, 1, BASE_FEE + 1, TRANSACTION_GAS] {
        rlp::number(&mut fields, number);
    }
    rlp::bytes(&mut fields, &[0; 20]);
    rlp::number(&mut fields, 0);
    rlp::bytes(&mut fields, &[]);
    fields.extend(empty_list);
    rlp::number(&mut fields, 1);
    rlp::list(&mut fields, &hashes);
    for number in [0, 1, 1] {
        rlp::number(&mut fields, number);
    }
    let mut out = vec![3];
    rlp::list(&mut out, &fields);
    Bytes(out)
}
