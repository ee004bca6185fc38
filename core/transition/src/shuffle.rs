//! The swap-or-not shuffle.
//!
//! Its cost is hashing: each of 90 rounds takes a hash for every 256 positions. All of them are of one block of 64 bytes
//! that differ in five, so the block is laid out once and handed to SHA-256's compression itself. Where a whole list is
//! shuffled the hashes of a round do not depend on each other, and a processor works at two of them at a time.

use sha2::block_api::compress256;

/// Elements whose exchange one byte of a hash decides.
const LANES: usize = 8;

/// [`compute_shuffled_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_shuffled_index):
/// where `index` of `count` goes. `index` must be below `count`.
pub fn compute_shuffled_index(index: u64, count: u64, seed: &[u8; 32], rounds: u64) -> u64 {
    Rounds::new(count, seed, rounds).place_of(index)
}

/// [`compute_shuffled_permutation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_shuffled_permutation):
/// where each of `count` goes, which must be fewer than 2^32.
pub fn compute_shuffled_permutation(count: u64, seed: &[u8; 32], rounds: u64) -> Vec<u64> {
    let count = u32::try_from(count).expect("fewer than 2^32 elements");
    let mut items: Vec<u32> = (0..count).collect();
    shuffle_list(&mut items, seed, rounds);
    items.into_iter().map(u64::from).collect()
}

/// The whole list in shuffled order: element `i` becomes `items[compute_shuffled_index(i)]`, at a fraction of the cost.
///
/// Each round exchanges pairs, and undoing a round is doing it again; so doing the rounds to the list itself, last
/// round first, puts at each place what the index would have been led to.
pub fn shuffle_list(items: &mut [u32], seed: &[u8; 32], rounds: u64) {
    let count = items.len();
    if count < 2 {
        return;
    }
    let mut source = SourceBlock::new(seed);
    let mut bits = vec![0; count.div_ceil(256) * 32];
    for round in (0..rounds as u8).rev() {
        let pivot = source.pivot(round, count as u64) as usize;
        for (number, bits) in (0u32..).zip(bits.chunks_exact_mut(32)) {
            bits.copy_from_slice(&source.bits(round, number));
        }
        // Pairs lie mirrored around half the pivot, and around the middle of what is behind the pivot.
        let (before, behind) = items.split_at_mut(pivot + 1);
        exchange(before, 0, &bits);
        exchange(behind, pivot + 1, &bits);
    }
}

/// Exchanges each element of a segment with the one that lies mirrored in it, where the bit of the higher position is
/// set. `start` is the position of the segment's first element.
fn exchange(segment: &mut [u32], start: usize, bits: &[u8]) {
    let half = segment.len() / 2;
    let first_high = segment.len() - half;
    let (low, high) = segment.split_at_mut(first_high);
    let low = &mut low[..half];
    let position = start + first_high;
    // From here on upwards in `high`, and downwards from the end of `low`: first one by one up to a whole byte of bits.
    let head = (position.next_multiple_of(LANES) - position).min(half);
    let (high_head, high) = high.split_at_mut(head);
    let (low, low_head) = low.split_at_mut(half - head);
    exchange_singly(low_head, high_head, position, bits);
    let whole = high.len() / LANES * LANES;
    let (high, high_tail) = high.split_at_mut(whole);
    let (low_tail, low) = low.split_at_mut(low.len() - whole);
    let position = position + head;
    let bytes = &bits[position / LANES..];
    let pairs = high.chunks_exact_mut(LANES).zip(low.rchunks_exact_mut(LANES));
    for ((high, low), byte) in pairs.zip(bytes) {
        let high: &mut [u32; LANES] = high.try_into().expect("chunks have this size");
        let low: &mut [u32; LANES] = low.try_into().expect("chunks have this size");
        exchange_eight(low, high, *byte);
    }
    exchange_singly(low_tail, high_tail, position + whole, bits);
}

/// Without a branch, which would be foretold wrongly every other time.
fn exchange_eight(low: &mut [u32; LANES], high: &mut [u32; LANES], byte: u8) {
    const BITS: [u32; LANES] = [1, 2, 4, 8, 16, 32, 64, 128];
    for lane in 0..LANES {
        let mask = if u32::from(byte) & BITS[lane] != 0 { u32::MAX } else { 0 };
        let difference = (high[lane] ^ low[LANES - 1 - lane]) & mask;
        high[lane] ^= difference;
        low[LANES - 1 - lane] ^= difference;
    }
}

fn exchange_singly(low: &mut [u32], high: &mut [u32], position: usize, bits: &[u8]) {
    for (place, (high, low)) in high.iter_mut().zip(low.iter_mut().rev()).enumerate() {
        let position = position + place;
        if bits[position / 8] >> (position % 8) & 1 == 1 {
            std::mem::swap(low, high);
        }
    }
}

/// The rounds of a shuffle of so many elements, for single ones of them.
pub(crate) struct Rounds {
    count: u64,
    source: SourceBlock,
    pivots: Vec<u64>,
}

impl Rounds {
    /// The pivots are hashed here, once for all elements. `count` must not be zero.
    pub(crate) fn new(count: u64, seed: &[u8; 32], rounds: u64) -> Self {
        let source = SourceBlock::new(seed);
        let pivots = (0..rounds as u8).map(|round| source.pivot(round, count)).collect();
        Self { count, source, pivots }
    }

    /// Where an element goes.
    pub(crate) fn place_of(&self, index: u64) -> u64 {
        let count = self.count;
        assert!(index < count, "index {index} of {count}");
        let (mut index, mut source) = (index, self.source.clone());
        for (round, pivot) in (0u8..).zip(&self.pivots) {
            let flip = if index <= *pivot { pivot - index } else { pivot + (count - index) };
            let position = flip.max(index);
            let bits = source.bits(round, (position / 256) as u32);
            let is_swapped = bits[(position % 256 / 8) as usize] >> (position % 8) & 1 == 1;
            index = if is_swapped { flip } else { index };
        }
        index
    }
}

/// The one block that SHA-256 sees of a seed, a round and the number of 256 positions, with its padding.
#[derive(Clone)]
struct SourceBlock([u8; 64]);

impl SourceBlock {
    fn new(seed: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(seed);
        block[37] = 0x80;
        block[56..].copy_from_slice(&(37 * 8u64).to_be_bytes());
        Self(block)
    }

    /// 256 bits, of the positions `number * 256` and following.
    fn bits(&mut self, round: u8, number: u32) -> [u8; 32] {
        self.0[32] = round;
        self.0[33..37].copy_from_slice(&number.to_le_bytes());
        digest(&self.0)
    }

    fn pivot(&self, round: u8, count: u64) -> u64 {
        let mut block = self.0;
        block[32] = round;
        block[33..38].copy_from_slice(&[0x80, 0, 0, 0, 0]);
        block[56..].copy_from_slice(&(33 * 8u64).to_be_bytes());
        crate::math::bytes_to_uint64(&digest(&block)) % count
    }
}

/// SHA-256 of a message that is padded to one block already.
fn digest(block: &[u8; 64]) -> [u8; 32] {
    let mut state = INITIAL_STATE;
    compress256(&mut state, std::slice::from_ref(block));
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// What SHA-256 begins with (FIPS 180-4, 5.3.3).
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::hash;

    /// The specification word for word.
    fn naive(index: u64, count: u64, seed: &[u8; 32], rounds: u64) -> u64 {
        let mut index = index;
        for round in 0..rounds as u8 {
            let first = hash(&[&seed[..], &[round]].concat());
            let pivot = crate::math::bytes_to_uint64(&first) % count;
            let flip = (pivot + count - index) % count;
            let position = index.max(flip);
            let number = (position / 256) as u32;
            let source = hash(&[&seed[..], &[round], &number.to_le_bytes()].concat());
            if source[(position % 256 / 8) as usize] >> (position % 8) & 1 == 1 {
                index = flip;
            }
        }
        index
    }

    #[test]
    fn the_list_is_shuffled_as_each_index_is() {
        let small = 0..40u64;
        for count in small.chain([64, 255, 256, 257, 511, 513, 1000, 4095]) {
            let seed = hash(&count.to_le_bytes());
            let list = compute_shuffled_permutation(count, &seed, 10);
            for (place, item) in list.iter().enumerate() {
                let expected = naive(place as u64, count, &seed, 10);
                assert_eq!(*item, expected, "{place} of {count}");
                assert_eq!(compute_shuffled_index(place as u64, count, &seed, 10), expected);
            }
        }
    }

    #[test]
    fn no_rounds_leave_all_in_place() {
        assert_eq!(compute_shuffled_permutation(9, &[1; 32], 0), (0..9).collect::<Vec<u64>>());
    }
}
