//! Large values: compressed with zstd and split into chunks.
//!
//! redb rounds a value above its page size up to a power of two, so that 131,072 bytes plus a header
//! take 256 KiB; parts of at most 32,000 bytes waste 3 % at most. Level 1, because SSZ of states is
//! mostly repetition which every level finds, and the writer thread should not become the bottleneck.
//!
//! ```text
//!  key ‖ 0  ->  stored_len u64 ‖ raw_len u64 ‖ encoding u8 ‖ prefix ‖ first part
//!  key ‖ 1  ->  next part …                          (chunk index u32, all big-endian)
//! ```

use crate::engine::{Entry, Reading, Table, Writing};
use crate::error::Fault;

/// Part size of the stored bytes.
const CHUNK: usize = 32_000;
/// Largest value accepted: far above any state, and a bound on what a damaged header can ask for.
const VALUE_MAX: usize = 1 << 30;
const HEADER: usize = 17;
/// The only encoding: one zstd frame with a checksum. Bytes that do not shrink are stored in a frame all the same, which
/// costs some twenty bytes, because only the checksum makes a flipped bit on the disk an error instead of a wrong block.
const ZSTD: u8 = 1;

fn chunk_key(key: &[u8], index: usize) -> Vec<u8> {
    let index = u32::try_from(index).expect("a value of at most 1 GiB has few chunks");
    [key, &index.to_be_bytes()].concat()
}

fn chunk_count(stored_len: usize) -> usize {
    stored_len.div_ceil(CHUNK).max(1)
}

fn compress(raw: &[u8]) -> Result<Vec<u8>, Fault> {
    let engine = |error: std::io::Error| Fault::Engine(error.to_string());
    let mut compressor = zstd::bulk::Compressor::new(1).map_err(engine)?;
    compressor.include_checksum(true).map_err(engine)?;
    compressor.compress(raw).map_err(engine)
}

/// Stores a value with an uncompressed prefix that can be read alone.
pub(crate) fn put(
    tables: &mut dyn Writing,
    table: Table,
    key: &[u8],
    prefix: &[u8],
    raw: &[u8],
) -> Result<(), Fault> {
    if raw.len() > VALUE_MAX {
        return Err(Fault::TooLarge(raw.len()));
    }
    // A shorter value must not leave the tail of a longer one behind.
    delete(tables, table, key)?;
    let stored = compress(raw)?;
    let mut first = Vec::with_capacity(HEADER + prefix.len() + stored.len().min(CHUNK));
    first.extend((stored.len() as u64).to_be_bytes());
    first.extend((raw.len() as u64).to_be_bytes());
    first.push(ZSTD);
    first.extend(prefix);
    let mut parts = stored.chunks(CHUNK);
    first.extend(parts.next().unwrap_or_default());
    tables.put(table, &chunk_key(key, 0), &first)?;
    for (index, part) in parts.enumerate() {
        tables.put(table, &chunk_key(key, index + 1), part)?;
    }
    Ok(())
}

struct Header {
    stored_len: usize,
    raw_len: usize,
    encoding: u8,
}

fn header(table: Table, first: &[u8]) -> Result<Header, Fault> {
    let damaged = || Fault::Corrupt(format!("the header of a value in {} is wrong", table.name()));
    let number = |at: usize| -> Result<usize, Fault> {
        let bytes = first.get(at..at + 8).ok_or_else(damaged)?;
        let value = u64::from_be_bytes(bytes.try_into().map_err(|_| damaged())?);
        usize::try_from(value).ok().filter(|&value| value <= VALUE_MAX).ok_or_else(damaged)
    };
    let encoding = *first.get(16).ok_or_else(damaged)?;
    Ok(Header { stored_len: number(0)?, raw_len: number(8)?, encoding })
}

/// Reads a value: its prefix of `prefix_len` bytes, and the value itself.
pub(crate) fn get(
    tables: &dyn Reading,
    table: Table,
    key: &[u8],
    prefix_len: usize,
) -> Result<Option<Entry>, Fault> {
    let damaged =
        |what: &str| Fault::Corrupt(format!("{what} of the value {} in {}", crate::hex(key), table.name()));
    let Some(first) = tables.get(table, &chunk_key(key, 0))? else { return Ok(None) };
    let Header { stored_len, raw_len, encoding } = header(table, &first)?;
    let body = HEADER + prefix_len;
    let prefix = first.get(HEADER..body).ok_or_else(|| damaged("wrong prefix"))?.to_vec();
    let mut stored = Vec::with_capacity(stored_len);
    stored.extend(&first[body..]);
    for index in 1..chunk_count(stored_len) {
        let part = tables.get(table, &chunk_key(key, index))?;
        stored.extend(part.ok_or_else(|| damaged("missing part"))?);
    }
    if stored.len() != stored_len {
        return Err(damaged("wrong length"));
    }
    if encoding != ZSTD {
        return Err(damaged("unknown encoding"));
    }
    let raw = zstd::bulk::decompress(&stored, raw_len)
        .map_err(|error| damaged(&format!("undecodable content ({error})")))?;
    if raw.len() != raw_len {
        return Err(damaged("wrong length"));
    }
    Ok(Some((prefix, raw)))
}

/// Reads only the prefix, without the cost of the value.
pub(crate) fn prefix(
    tables: &dyn Reading,
    table: Table,
    key: &[u8],
    prefix_len: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(first) = tables.get(table, &chunk_key(key, 0))? else { return Ok(None) };
    header(table, &first)?;
    let prefix = first.get(HEADER..HEADER + prefix_len);
    let prefix = prefix.ok_or_else(|| Fault::Corrupt("a value is too short".to_owned()))?;
    Ok(Some(prefix.to_vec()))
}

/// Removes a value with all its parts.
pub(crate) fn delete(tables: &mut dyn Writing, table: Table, key: &[u8]) -> Result<(), Fault> {
    let Some(first) = tables.get(table, &chunk_key(key, 0))? else { return Ok(()) };
    let Header { stored_len, .. } = header(table, &first)?;
    for index in 0..chunk_count(stored_len) {
        tables.delete(table, &chunk_key(key, index))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, collect};
    use crate::memory::Memory;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn entries(memory: &Memory) -> Vec<(Vec<u8>, Vec<u8>)> {
        let snapshot = memory.snapshot().unwrap();
        collect(&*snapshot, Table::Blobs, (&[], &[0xff; 8]), usize::MAX).unwrap()
    }

    #[test]
    fn values_of_every_size_come_back_and_no_part_exceeds_a_chunk() {
        let memory = Memory::default();
        for length in [0, 1, 127, 128, 31_999, 32_000, 32_001, 64_000, 64_001, 200_000] {
            for raw in [noise(length), vec![0; length]] {
                memory.write(&mut |t| put(t, Table::Blobs, b"key", b"prefix", &raw)).unwrap();
                let snapshot = memory.snapshot().unwrap();
                let (prefix_read, value) = get(&*snapshot, Table::Blobs, b"key", 6).unwrap().unwrap();
                assert_eq!((prefix_read.as_slice(), value), (b"prefix".as_slice(), raw));
                drop(snapshot);
                assert!(entries(&memory).iter().all(|(_, part)| part.len() <= CHUNK + HEADER + 6));
            }
        }
    }

    #[test]
    fn a_shorter_value_leaves_no_tail_and_deletion_leaves_nothing() {
        let memory = Memory::default();
        memory.write(&mut |t| put(t, Table::Blobs, b"k", b"", &noise(150_000))).unwrap();
        assert_eq!(entries(&memory).len(), 5);
        memory.write(&mut |t| put(t, Table::Blobs, b"k", b"", b"short")).unwrap();
        assert_eq!(entries(&memory).len(), 1);
        memory.write(&mut |t| delete(t, Table::Blobs, b"k")).unwrap();
        assert!(entries(&memory).is_empty());
    }

    #[test]
    fn damage_anywhere_in_a_value_is_an_error_and_never_wrong_bytes() {
        for raw in [noise(2_000), noise(300).into_iter().flat_map(|byte| [byte; 9]).collect(), vec![7]] {
            damage_everywhere(&raw);
        }
    }

    fn damage_everywhere(raw: &[u8]) {
        let memory = Memory::default();
        memory.write(&mut |t| put(t, Table::Blobs, b"k", b"", raw)).unwrap();
        let (key, good) = entries(&memory).remove(0);
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 0x10;
            memory.write(&mut |t| t.put(Table::Blobs, &key, &bad)).unwrap();
            let snapshot = memory.snapshot().unwrap();
            match get(&*snapshot, Table::Blobs, b"k", 0) {
                // Bits that zstd ignores in its frame header may flip; the content may not.
                Ok(value) => assert_eq!(value.unwrap().1, raw, "byte {position}"),
                Err(fault) => assert!(matches!(fault, Fault::Corrupt(_)), "byte {position}"),
            }
        }
    }
}
