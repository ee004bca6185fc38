//! Decompressed public keys, remembered by validator index.
//!
//! Decompressing and checking a key costs 60 µs, finding it here 0.1 µs, and a block has thousands. The table is a
//! pure memo that all states and worker threads share: cells that are written once, so no lock is needed.
//!
//! A cell is the point and nothing besides: 104 bytes a validator. Two branches of the chain may register different
//! keys under one index. So whoever asks brings the compressed key, and the point is compressed again to see whether
//! it is the one; where it is not, the key is decompressed each time and not remembered.
//!
//! Memory is bounded by the registry: cells come in segments of 16,384, and indices from 67 million on are served
//! without being remembered. What a table knows can be [exported](PubkeyTable::export) and
//! [imported](PubkeyTable::import) at 0.3 µs a key, so that a node that starts again decompresses nothing.
//!
//! A map owned by the one writer was the alternative. Worker threads would then need a snapshot of it per job, and
//! a key first met by a worker could not be remembered.

use std::ops::Range;
use std::sync::OnceLock;

use crate::bls::{BlsError, PublicKey, decompress_all};

/// Cells of a segment, of which none exists until one of its validators is met.
const SEGMENT: usize = 1 << 14;
/// Segments: enough for 67 million validators, thirty times what mainnet's registry has grown to.
const SEGMENTS: usize = 1 << 12;

type Segment = Box<[OnceLock<PublicKey>]>;

/// Decompressed keys by validator index.
#[derive(Debug)]
pub struct PubkeyTable {
    segments: Box<[OnceLock<Segment>]>,
}

impl Default for PubkeyTable {
    fn default() -> Self {
        Self { segments: std::iter::repeat_with(OnceLock::new).take(SEGMENTS).collect() }
    }
}

impl PubkeyTable {
    /// Bytes of an exported key.
    pub const EXPORTED: usize = 96;

    /// The key of validator `index`, whose compressed form is `compressed`.
    pub fn get(&self, index: usize, compressed: &[u8; 48]) -> Result<PublicKey, BlsError> {
        let Some(cell) = self.cell(index) else { return PublicKey::from_compressed(compressed) };
        if let Some(key) = cell.get() {
            return if key.compress() == *compressed {
                Ok(*key)
            } else {
                PublicKey::from_compressed(compressed)
            };
        }
        let key = PublicKey::from_compressed(compressed)?;
        // Another thread may have been faster; its cell then holds the same key, or one of another branch.
        let _ = cell.set(key);
        Ok(key)
    }

    /// True where a key is known for validator `index`, of whichever branch.
    pub fn is_known(&self, index: usize) -> bool {
        self.known(index).is_some()
    }

    /// Decompresses the keys of consecutive validators from `first` on that are not known yet, and gives how many
    /// those were. What is no key is passed over.
    ///
    /// Several thousand at once cost 20 µs a key, a third of what they cost one by one. It is work that any thread
    /// may do in pieces; `seed` must be unforeseeable to whoever registered the keys.
    pub fn prefill<'a>(
        &self,
        first: usize,
        compressed: impl Iterator<Item = &'a [u8; 48]>,
        seed: [u8; 32],
    ) -> usize {
        let unknown = compressed.enumerate().map(|(place, key)| (first + place, key));
        let unknown = unknown.filter(|(index, _)| self.cell(*index).is_some_and(|cell| cell.get().is_none()));
        let (indices, keys): (Vec<usize>, Vec<[u8; 48]>) = unknown.map(|(index, key)| (index, *key)).unzip();
        for (index, key) in indices.iter().zip(decompress_all(&keys, seed)) {
            if let (Some(cell), Ok(key)) = (self.cell(*index), key) {
                let _ = cell.set(key);
            }
        }
        indices.len()
    }

    /// What is known of a range of validators, 96 bytes each: the uncompressed point, zeros where none is known.
    pub fn export(&self, range: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(range.len() * Self::EXPORTED);
        for index in range {
            let key = self.known(index).map(|key| key.0.serialize());
            bytes.extend_from_slice(&key.unwrap_or([0; Self::EXPORTED]));
        }
        bytes
    }

    /// Takes in what [`PubkeyTable::export`] gave of validators from `first` on, and gives how many keys were taken.
    /// What is no point of the curve is passed over, and so is what comes after a cell that has its key.
    ///
    /// Points are checked to lie on the curve and, whenever they are asked for, to be those of the compressed key. That
    /// they lie in the subgroup is what the bytes are trusted for.
    pub fn import(&self, first: usize, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for (place, bytes) in bytes.chunks_exact(Self::EXPORTED).enumerate() {
            let (Some(cell), Ok(key)) = (self.cell(first + place), PublicKey::from_exported(bytes)) else {
                continue;
            };
            taken += usize::from(cell.set(key).is_ok());
        }
        taken
    }

    fn known(&self, index: usize) -> Option<&PublicKey> {
        self.segments.get(index / SEGMENT)?.get()?.get(index % SEGMENT)?.get()
    }

    fn cell(&self, index: usize) -> Option<&OnceLock<PublicKey>> {
        let segment = self.segments.get(index / SEGMENT)?;
        let segment = segment.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(SEGMENT).collect());
        segment.get(index % SEGMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::SecretKey;

    const CELLS: usize = SEGMENT * SEGMENTS;

    fn compressed(number: u8) -> [u8; 48] {
        SecretKey::from_bytes(&[number; 32]).unwrap().public_key().compress()
    }

    #[test]
    fn a_validator_takes_104_bytes() {
        assert_eq!(size_of::<OnceLock<PublicKey>>(), 104);
    }

    #[test]
    fn cells_do_not_overlap_across_segments() {
        let table = PubkeyTable::default();
        let places = [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT - 1, 2 * SEGMENT, CELLS - 1];
        for (n, index) in places.into_iter().enumerate() {
            assert!(!table.is_known(index));
            let key = compressed(n as u8 + 1);
            assert_eq!(table.get(index, &key).unwrap().compress(), key);
            assert_eq!(table.known(index).unwrap().compress(), key);
        }
    }

    #[test]
    fn another_key_under_the_same_index_is_served_and_not_mixed_up() {
        let table = PubkeyTable::default();
        let (first, second) = (compressed(1), compressed(2));
        assert_eq!(table.get(5, &first).unwrap().compress(), first);
        assert_eq!(table.get(5, &second).unwrap().compress(), second);
        assert_eq!(table.get(5, &first).unwrap().compress(), first);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused_each_time() {
        let table = PubkeyTable::default();
        assert_eq!(table.get(0, &[0; 48]), Err(BlsError::PublicKey));
        assert_eq!(table.get(0, &[0; 48]), Err(BlsError::PublicKey));
    }

    #[test]
    fn an_index_beyond_the_table_is_served_and_takes_no_memory() {
        let table = PubkeyTable::default();
        let key = compressed(1);
        for index in [CELLS, usize::MAX] {
            assert_eq!(table.get(index, &key).unwrap().compress(), key);
        }
        assert!(table.segments.iter().all(|segment| segment.get().is_none()));
    }

    #[test]
    fn threads_that_ask_at_once_get_the_same_key() {
        let table = PubkeyTable::default();
        let key = compressed(9);
        std::thread::scope(|scope| {
            let ask = || table.get(2000, &key).unwrap();
            let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            for thread in asked {
                assert_eq!(thread.join().unwrap().compress(), key);
            }
        });
    }

    #[test]
    fn keys_are_known_after_they_were_filled_in_and_what_is_no_key_is_not() {
        let table = PubkeyTable::default();
        let mut keys: Vec<[u8; 48]> = (1..10).map(compressed).collect();
        keys[4] = [0xff; 48];
        table.get(102, &keys[2]).unwrap();
        assert_eq!(table.prefill(100, keys.iter(), [3; 32]), 8, "one was known");
        for (place, key) in keys.iter().enumerate() {
            assert_eq!(table.is_known(100 + place), place != 4);
            assert_eq!(table.get(100 + place, key).is_ok(), place != 4);
        }
        assert_eq!(table.prefill(100, keys.iter(), [3; 32]), 1, "what is no key is tried again");
    }

    #[test]
    fn an_exported_table_is_imported_as_it_was() {
        let (table, other) = (PubkeyTable::default(), PubkeyTable::default());
        for index in [SEGMENT - 2, SEGMENT, SEGMENT + 1] {
            table.get(index, &compressed((index % 7) as u8 + 3)).unwrap();
        }
        let mut bytes = table.export(SEGMENT - 3..SEGMENT + 2);
        assert_eq!(bytes.len(), 5 * PubkeyTable::EXPORTED);
        // No point of the curve.
        bytes[4 * 96 + 95] ^= 1;
        assert_eq!(other.import(SEGMENT - 3, &bytes), 2);
        for (place, known) in [false, true, false, true, false].into_iter().enumerate() {
            assert_eq!(other.is_known(SEGMENT - 3 + place), known);
        }
        assert_eq!(other.known(SEGMENT), table.known(SEGMENT));
        // The point at infinity is nobody's key.
        let mut infinity = [0; 96];
        infinity[0] = 0x40;
        assert_eq!(other.import(0, &infinity), 0);
        // A key of another branch does no harm.
        assert_eq!(other.import(7, &bytes[96..192]), 1);
        assert_eq!(other.get(7, &compressed(1)).unwrap().compress(), compressed(1));
    }
}
