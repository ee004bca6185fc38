//! The swap-or-not shuffle.

use crypto::hash;

use crate::math::bytes_to_uint64;

/// [`compute_shuffled_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_shuffled_index):
/// where `index` of `count` goes. `index` must be below `count`.
pub fn compute_shuffled_index(index: u64, count: u64, seed: &[u8; 32], rounds: u64) -> u64 {
    assert!(index < count, "index {index} of {count}");
    let mut index = index;
    for round in 0..rounds as u8 {
        let flip = (pivot(seed, round, count) + count - index) % count;
        let position = index.max(flip);
        if is_swapped(&source(seed, round, position / 256), position) {
            index = flip;
        }
    }
    index
}

/// The whole list in shuffled order: element `i` is `items[compute_shuffled_index(i)]`, at a fraction of the cost.
///
/// Each round exchanges pairs, and undoing a round is doing it again; so doing the rounds to the list itself, last
/// round first, puts at each place what the index would have been led to.
pub fn shuffle_list<T>(mut items: Vec<T>, seed: &[u8; 32], rounds: u64) -> Vec<T> {
    let count = items.len() as u64;
    if count < 2 {
        return items;
    }
    for round in (0..rounds as u8).rev() {
        let pivot = pivot(seed, round, count);
        let sources: Vec<[u8; 32]> =
            (0..count.div_ceil(256)).map(|block| source(seed, round, block)).collect();
        // Pairs lie mirrored around half the pivot, and around the middle of what is behind the pivot.
        let mut exchange = |low: u64, high: u64| {
            if is_swapped(&sources[(high / 256) as usize], high) {
                items.swap(low as usize, high as usize);
            }
        };
        for low in 0..pivot.div_ceil(2) {
            exchange(low, pivot - low);
        }
        for (step, low) in (pivot + 1..(pivot + 1 + count) / 2).enumerate() {
            exchange(low, count - 1 - step as u64);
        }
    }
    items
}

/// [`compute_shuffled_permutation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_shuffled_permutation):
/// where each of `count` goes.
pub fn compute_shuffled_permutation(count: u64, seed: &[u8; 32], rounds: u64) -> Vec<u64> {
    shuffle_list((0..count).collect(), seed, rounds)
}

fn pivot(seed: &[u8; 32], round: u8, count: u64) -> u64 {
    let mut bytes = seed.to_vec();
    bytes.push(round);
    bytes_to_uint64(&hash(&bytes)) % count
}

fn source(seed: &[u8; 32], round: u8, block: u64) -> [u8; 32] {
    let mut bytes = seed.to_vec();
    bytes.push(round);
    bytes.extend_from_slice(&(block as u32).to_le_bytes());
    hash(&bytes)
}

fn is_swapped(source: &[u8; 32], position: u64) -> bool {
    source[(position % 256 / 8) as usize] >> (position % 8) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_shuffled_as_each_index_is() {
        for count in [0u64, 1, 2, 3, 5, 64, 255, 256, 257, 1000] {
            let seed = hash(&count.to_le_bytes());
            let list = compute_shuffled_permutation(count, &seed, 10);
            for (place, item) in list.iter().enumerate() {
                assert_eq!(
                    *item,
                    compute_shuffled_index(place as u64, count, &seed, 10),
                    "{place} of {count}"
                );
            }
        }
    }
}
