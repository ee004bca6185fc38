//! Decompressed public keys, remembered by validator index.
//!
//! Decompressing and checking a key costs 60 µs, finding it here 7 ns, and a block has thousands. The table is a pure
//! memo that all states and worker threads share: append-only cells that are written once, so no lock is needed.
//! A cell also holds the compressed key: where two branches of the chain register different keys under one index,
//! the second is decompressed each time and not remembered.
//!
//! Memory is bounded by the registry: cells come in segments, each twice as large as the one before, and indices
//! from 67 million on are served without being remembered.
//!
//! A map owned by the one writer was the alternative. Worker threads would then need a snapshot of it per job, and
//! a key first met by a worker could not be remembered.

use std::sync::{Arc, OnceLock};

use crate::bls::{BlsError, PublicKey};

/// Cells in the first segment.
const FIRST: usize = 1024;
/// Segments: enough for 67 million validators, thirty times what mainnet's registry has grown to.
const SEGMENTS: usize = 16;
/// Cells of all segments.
#[cfg(test)]
const CELLS: usize = FIRST * ((1 << SEGMENTS) - 1);

type Cell = OnceLock<([u8; 48], Arc<PublicKey>)>;

/// Decompressed keys by validator index.
#[derive(Debug)]
pub struct PubkeyTable {
    segments: [OnceLock<Box<[Cell]>>; SEGMENTS],
}

impl Default for PubkeyTable {
    fn default() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }
}

impl PubkeyTable {
    /// The key of validator `index`, whose compressed form is `compressed`.
    pub fn get(&self, index: usize, compressed: &[u8; 48]) -> Result<Arc<PublicKey>, BlsError> {
        let decompress = || PublicKey::from_compressed(compressed).map(Arc::new);
        let Some(cell) = self.cell(index) else { return decompress() };
        if let Some((known, key)) = cell.get() {
            return if known == compressed { Ok(key.clone()) } else { decompress() };
        }
        let key = decompress()?;
        // Another thread may have been faster; its cell then holds the same key, or one of another branch.
        let _ = cell.set((*compressed, key.clone()));
        Ok(key)
    }

    fn cell(&self, index: usize) -> Option<&Cell> {
        let number = (index / FIRST + 1).ilog2() as usize;
        let segment = self.segments.get(number)?.get_or_init(|| {
            let cells = std::iter::repeat_with(Cell::new).take(FIRST << number);
            cells.collect()
        });
        segment.get(index - FIRST * ((1 << number) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bls::SecretKey;

    fn compressed(number: u8) -> [u8; 48] {
        SecretKey::from_bytes(&[number; 32]).unwrap().public_key().compress()
    }

    #[test]
    fn cells_do_not_overlap_across_segments() {
        let table = PubkeyTable::default();
        for (n, index) in [0, 1, 1023, 1024, 3071, 3072, 7167, 7168].into_iter().enumerate() {
            let key = compressed(n as u8 + 1);
            assert_eq!(table.get(index, &key).unwrap().compress(), key);
            assert_eq!(table.cell(index).unwrap().get().unwrap().0, key);
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
        for index in [CELLS, usize::MAX - FIRST] {
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
        assert!(Arc::ptr_eq(&table.get(2000, &key).unwrap(), &table.get(2000, &key).unwrap()));
    }
}
