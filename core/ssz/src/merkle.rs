//! [Merkleization](https://github.com/ethereum/consensus-specs/blob/master/ssz/simple-serialize.md#merkleization).

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::Root;

/// The deepest tree whose padding is known: more than any `u64` limit needs.
const DEPTH_MAX: usize = 65;

static ZERO_HASHES: LazyLock<[Root; DEPTH_MAX]> = LazyLock::new(|| {
    let mut hashes = [Root::ZERO; DEPTH_MAX];
    for depth in 1..DEPTH_MAX {
        hashes[depth] = hash_concat(&hashes[depth - 1], &hashes[depth - 1]);
    }
    hashes
});

/// SHA-256 of the two nodes, one behind the other.
pub fn hash_concat(left: &Root, right: &Root) -> Root {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&left.0);
    block[32..].copy_from_slice(&right.0);
    Root::from(<[u8; 32]>::from(Sha256::digest(block)))
}

/// The root of a tree of `depth` whose leaves are all zero.
pub fn zero_hash(depth: usize) -> Root {
    ZERO_HASHES[depth]
}

/// The depth of a tree with room for `leaves`.
pub fn depth_of(leaves: u64) -> usize {
    leaves.max(1).next_power_of_two().trailing_zeros() as usize
}

/// The root over `nodes`, which are roots of subtrees of depth `base`, in a tree with `depth` levels above them.
///
/// Works in place and leaves `nodes` in an unspecified state: it is scratch space.
pub fn merkleize_nodes(mut nodes: Vec<Root>, base: usize, depth: usize) -> Root {
    assert!(depth >= depth_of(nodes.len() as u64), "more nodes than the tree has room for");
    if nodes.is_empty() {
        return zero_hash(base + depth);
    }
    for level in 0..depth {
        let pairs = nodes.len() / 2;
        for pair in 0..pairs {
            nodes[pair] = hash_concat(&nodes[2 * pair], &nodes[2 * pair + 1]);
        }
        if nodes.len() % 2 == 1 {
            nodes[pairs] = hash_concat(&nodes[2 * pairs], &zero_hash(base + level));
            nodes.truncate(pairs + 1);
        } else {
            nodes.truncate(pairs);
        }
    }
    nodes[0]
}

/// The root over `chunks`, padded to `limit` leaves.
pub fn merkleize(chunks: Vec<Root>, limit: u64) -> Root {
    merkleize_nodes(chunks, 0, depth_of(limit))
}

/// [`merkleize_progressive`](https://eips.ethereum.org/EIPS/eip-7916): subtrees of 1, 4, 16, … leaves.
pub fn merkleize_progressive(chunks: &[Root]) -> Root {
    let mut subtrees = Vec::new();
    let (mut rest, mut leaves) = (chunks, 1);
    while !rest.is_empty() {
        let (subtree, further) = rest.split_at(rest.len().min(leaves));
        subtrees.push(merkleize(subtree.to_vec(), leaves as u64));
        rest = further;
        leaves *= 4;
    }
    subtrees.into_iter().rev().fold(Root::ZERO, |rest, subtree| hash_concat(&subtree, &rest))
}

/// `hash(root, length)`.
pub fn mix_in_length(root: &Root, length: usize) -> Root {
    hash_concat(root, &chunk_of_number(length as u64))
}

/// A number as a chunk: little endian, zero padded.
pub fn chunk_of_number(number: u64) -> Root {
    let mut chunk = Root::ZERO;
    chunk.0[..8].copy_from_slice(&number.to_le_bytes());
    chunk
}

/// The bytes as chunks, the last one zero padded.
pub fn chunks_of_bytes(bytes: &[u8]) -> Vec<Root> {
    bytes
        .chunks(32)
        .map(|part| {
            let mut chunk = Root::ZERO;
            chunk.0[..part.len()].copy_from_slice(part);
            chunk
        })
        .collect()
}
