//! [Merkleization](https://github.com/ethereum/consensus-specs/blob/master/ssz/simple-serialize.md#merkleization).

use std::sync::LazyLock;

use crate::Root;
use crate::hash::{Node, hash_concat, hash_layer};

/// The deepest tree whose padding is known: more than any `u64` limit needs.
const DEPTH_MAX: usize = 65;

static ZERO_HASHES: LazyLock<[Root; DEPTH_MAX]> = LazyLock::new(|| {
    let mut hashes = [Root::ZERO; DEPTH_MAX];
    for depth in 1..DEPTH_MAX {
        hashes[depth] = hash_concat(&hashes[depth - 1], &hashes[depth - 1]);
    }
    hashes
});

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
pub fn merkleize_nodes(nodes: &mut [Node], base: usize, depth: usize) -> Root {
    assert!(depth >= depth_of(nodes.len() as u64), "more nodes than the tree has room for");
    if nodes.is_empty() {
        return zero_hash(base + depth);
    }
    let mut count = nodes.len();
    for level in 0..depth {
        let pairs = count / 2;
        hash_layer(&mut nodes[..2 * pairs]);
        if count % 2 == 1 {
            nodes[pairs] = hash_concat(&nodes[count - 1].into(), &zero_hash(base + level)).0;
        }
        count = count.div_ceil(2);
    }
    nodes[0].into()
}

/// The root over `chunks`, padded to `limit` leaves; `chunks` is scratch space.
pub fn merkleize(chunks: &mut [Node], limit: u64) -> Root {
    merkleize_nodes(chunks, 0, depth_of(limit))
}

/// [`merkleize_progressive`](https://eips.ethereum.org/EIPS/eip-7916): subtrees of 1, 4, 16, … leaves; `chunks` is
/// scratch space.
pub fn merkleize_progressive(chunks: &mut [Node]) -> Root {
    let mut subtrees = Vec::new();
    let (mut rest, mut leaves) = (chunks, 1);
    while !rest.is_empty() {
        let (subtree, further) = rest.split_at_mut(rest.len().min(leaves));
        subtrees.push(merkleize(subtree, leaves as u64));
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
pub fn chunks_of_bytes(bytes: &[u8]) -> Vec<Node> {
    let mut chunks = vec![[0; 32]; bytes.len().div_ceil(32)];
    chunks.as_flattened_mut()[..bytes.len()].copy_from_slice(bytes);
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without batches and without padding that is known beforehand.
    fn naive(nodes: &[Node], depth: usize) -> Root {
        if depth == 0 {
            return nodes.first().copied().unwrap_or_default().into();
        }
        let (left, right) = nodes.split_at(nodes.len().min(1 << (depth - 1)));
        hash_concat(&naive(left, depth - 1), &naive(right, depth - 1))
    }

    #[test]
    fn trees_of_every_small_size_have_the_root_of_the_definition() {
        let nodes: Vec<Node> = (0..70).map(|number| [number + 1; 32]).collect();
        for count in 0..nodes.len() {
            for depth in depth_of(count as u64)..=8 {
                let mut scratch = nodes[..count].to_vec();
                let root = merkleize_nodes(&mut scratch, 0, depth);
                assert_eq!(root, naive(&nodes[..count], depth), "{count} nodes in {depth} levels");
            }
        }
    }
}
