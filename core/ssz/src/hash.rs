//! SHA-256 of the nodes of Merkle trees, whole layers at once.
//!
//! Where a processor has several lanes (two interleaved SHA-NI streams, or 4 to 16 messages side by side in AVX
//! registers), a batch of pairs is hashed two to three times as fast as one pair after the other. On x86-64 the
//! `hashtree` library chooses the lanes at run time, down to plain C where the processor has nothing; its build needs
//! the machine's own compiler, so every other architecture uses `sha2`, which chooses at run time too.

use crate::Root;

/// A node of a Merkle tree as bytes.
pub type Node = [u8; 32];

/// Pairs that are hashed at once: enough for all lanes, and small enough for the stack.
const BATCH: usize = 64;

/// SHA-256 of every two adjacent nodes, in order.
///
/// Panics where `out` has not half the length of `nodes`.
pub fn hash_pairs(nodes: &[Node], out: &mut [Node]) {
    assert_eq!(nodes.len(), 2 * out.len(), "every two nodes have one parent");
    lanes::hash(nodes.as_flattened(), out.as_flattened_mut());
}

/// SHA-256 of the two nodes, one behind the other.
pub fn hash_concat(left: &Root, right: &Root) -> Root {
    let mut out = [[0; 32]];
    hash_pairs(&[left.0, right.0], &mut out);
    Root::from(out[0])
}

/// Hashes a layer of an even number of nodes: afterwards the first half of `nodes` are their parents.
pub(crate) fn hash_layer(nodes: &mut [Node]) {
    assert!(nodes.len().is_multiple_of(2), "every two nodes have one parent");
    let pairs = nodes.len() / 2;
    if pairs == 1 {
        let mut out = [[0; 32]];
        hash_pairs(nodes, &mut out);
        nodes[0] = out[0];
        return;
    }
    // Parents are written below what is still to be read, through a buffer, since a batch may overlap itself.
    let mut out = [[0; 32]; BATCH];
    for done in (0..pairs).step_by(BATCH) {
        let count = BATCH.min(pairs - done);
        hash_pairs(&nodes[2 * done..2 * (done + count)], &mut out[..count]);
        nodes[done..done + count].copy_from_slice(&out[..count]);
    }
}

/// Hashes so many layers over `nodes`, whose number they divide: afterwards the first of `nodes` are the roots.
pub(crate) fn hash_layers(nodes: &mut [Node], layers: usize) {
    let mut count = nodes.len();
    for _ in 0..layers {
        hash_layer(&mut nodes[..count]);
        count /= 2;
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use std::sync::LazyLock;

    /// The library's own first call would choose too, but without synchronization.
    static CHOSEN: LazyLock<()> = LazyLock::new(|| {
        hashtree_rs::init();
    });

    /// Hashes every 64 bytes of `blocks` into 32 bytes of `out`; the caller has checked the lengths.
    pub fn hash(blocks: &[u8], out: &mut [u8]) {
        LazyLock::force(&CHOSEN);
        let count = out.len() / 32;
        // The library trusts the count it is given, so it is given what both slices hold.
        assert!(blocks.len() >= 64 * count);
        if count > 0 {
            hashtree_rs::hash(out, blocks, count);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod lanes {
    /// Hashes every 64 bytes of `blocks` into 32 bytes of `out`; the caller has checked the lengths.
    pub fn hash(blocks: &[u8], out: &mut [u8]) {
        super::hash_one_by_one(blocks, out);
    }
}

/// The same without lanes: what other architectures use, and what tests compare with.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn hash_one_by_one(blocks: &[u8], out: &mut [u8]) {
    use sha2::{Digest, Sha256};
    for (block, out) in blocks.as_chunks::<64>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        *out = Sha256::digest(block).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> Vec<Node> {
        (0..count)
            .map(|number| std::array::from_fn(|byte| (number * 37 + byte * 101 + number * byte) as u8))
            .collect()
    }

    fn expected(nodes: &[Node]) -> Vec<Node> {
        let mut out = vec![[0; 32]; nodes.len() / 2];
        hash_one_by_one(nodes.as_flattened(), out.as_flattened_mut());
        out
    }

    #[test]
    fn batches_of_every_length_give_what_one_by_one_gives() {
        for pairs in (0..70).chain([127, 128, 129, 1000]) {
            let nodes = nodes(2 * pairs);
            let mut out = vec![[0xaa; 32]; pairs];
            hash_pairs(&nodes, &mut out);
            assert_eq!(out, expected(&nodes), "{pairs} pairs");
        }
    }

    #[test]
    fn a_known_hash_is_found() {
        let zeros = hash_concat(&Root::ZERO, &Root::ZERO);
        assert_eq!(zeros.to_string(), "0xf5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
    }

    #[test]
    fn layers_are_hashed_in_place() {
        for pairs in [1, 2, 3, 63, 64, 65, 200] {
            let mut layer = nodes(2 * pairs);
            let parents = expected(&layer);
            hash_layer(&mut layer);
            assert_eq!(layer[..pairs], parents, "{pairs} pairs");
        }
        let mut all = nodes(96);
        let three_up = expected(&expected(&expected(&all)));
        hash_layers(&mut all, 3);
        assert_eq!(all[..12], three_up);
    }

    #[test]
    fn many_threads_hash_at_once() {
        let nodes = nodes(400);
        let expected = expected(&nodes);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut out = vec![[0; 32]; 200];
                    hash_pairs(&nodes, &mut out);
                    assert_eq!(out, expected);
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "every two nodes have one parent")]
    fn room_for_too_few_parents_is_refused() {
        hash_pairs(&nodes(4), &mut [[0; 32]]);
    }
}
