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

use std::io::{BufRead, Read, Write};

use crate::engine::{Entry, Reading, Table, Writing};
use crate::error::Fault;

/// Part size of the stored bytes.
const CHUNK: usize = 32_000;
/// Largest value accepted: far above any state, and a bound on what a damaged header can ask for.
const VALUE_MAX: usize = 1 << 30;
const HEADER: usize = 17;
/// Room made at once for a value that is read: that of a state of a million and a half validators.
const RAW_AT_ONCE: usize = 256 << 20;
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

/// The first part, which the header goes before, and how many bytes there are; the others are put where they belong.
struct Parts<'t> {
    tables: &'t mut dyn Writing,
    table: Table,
    key: &'t [u8],
    first: Vec<u8>,
    /// Bytes of the part that is not full yet.
    part: Vec<u8>,
    full: usize,
    /// Why a part could not be put; `std::io` cannot carry it.
    fault: Option<Fault>,
}

impl Parts<'_> {
    fn end_part(&mut self) -> Result<(), Fault> {
        match self.full {
            0 => self.first = std::mem::take(&mut self.part),
            index => self.tables.put(self.table, &chunk_key(self.key, index), &self.part)?,
        }
        self.part.clear();
        self.full += 1;
        Ok(())
    }

    /// Puts the last part; gives the first, and the bytes of all.
    fn finish(mut self) -> Result<(Vec<u8>, usize), Fault> {
        let stored = self.full * CHUNK + self.part.len();
        if !self.part.is_empty() {
            self.end_part()?;
        }
        Ok((self.first, stored))
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        if self.part.len() == CHUNK
            && let Err(fault) = self.end_part()
        {
            self.fault = Some(fault);
            return Err(std::io::Error::other("a part could not be put"));
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Puts all parts but the first, which it gives, with the bytes of all.
fn put_parts(parts: Parts<'_>, raw: &[u8]) -> Result<(Vec<u8>, usize), Fault> {
    let engine = |error: std::io::Error| Fault::Engine(error.to_string());
    let mut encoder = zstd::stream::write::Encoder::new(parts, 1).map_err(engine)?;
    encoder.include_checksum(true).map_err(engine)?;
    encoder.set_pledged_src_size(Some(raw.len() as u64)).map_err(engine)?;
    let written = encoder.write_all(raw);
    if let Err(error) = written {
        return Err(encoder.get_mut().fault.take().unwrap_or_else(|| engine(error)));
    }
    match encoder.try_finish() {
        Ok(parts) => parts.finish(),
        Err((mut encoder, error)) => Err(encoder.get_mut().fault.take().unwrap_or_else(|| engine(error))),
    }
}

/// Stores a value with an uncompressed prefix that can be read alone. Beside the value itself no more than a part of it
/// is in memory.
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
    let (first, part) = (Vec::new(), Vec::with_capacity(raw.len().min(CHUNK)));
    let parts = Parts { tables: &mut *tables, table, key, first, part, full: 0, fault: None };
    let (first_part, stored) = put_parts(parts, raw)?;
    let mut first = Vec::with_capacity(HEADER + prefix.len() + first_part.len());
    first.extend((stored as u64).to_be_bytes());
    first.extend((raw.len() as u64).to_be_bytes());
    first.push(ZSTD);
    first.extend(prefix);
    first.extend(first_part);
    tables.put(table, &chunk_key(key, 0), &first)
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
    if encoding != ZSTD {
        return Err(damaged("unknown encoding"));
    }
    let rest = 1..chunk_count(stored_len);
    let mut stored =
        Stored { tables, table, key, part: first[body..].to_vec(), at: 0, rest, len: 0, fault: None };
    let decoded = decompress(&mut stored, raw_len);
    if let Some(fault) = stored.fault {
        return Err(fault);
    }
    let raw = decoded.map_err(|error| damaged(&format!("undecodable content ({error})")))?;
    if raw.len() != raw_len || stored.len + stored.part.len() != stored_len || !stored.rest.is_empty() {
        return Err(damaged("wrong length"));
    }
    Ok(Some((prefix, raw)))
}

/// The one frame of a value, without more of it in memory than a part.
fn decompress(stored: &mut Stored<'_>, raw_len: usize) -> std::io::Result<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?.single_frame();
    // What a damaged header promises is not believed before the bytes are there.
    let mut raw = Vec::with_capacity(raw_len.min(RAW_AT_ONCE));
    decoder.by_ref().take(raw_len as u64 + 1).read_to_end(&mut raw)?;
    let stored = decoder.finish();
    match stored.fill_buf()?.is_empty() {
        true => Ok(raw),
        false => Err(std::io::Error::other("bytes follow its end")),
    }
}

/// The parts of a value, one after the other.
struct Stored<'t> {
    tables: &'t dyn Reading,
    table: Table,
    key: &'t [u8],
    part: Vec<u8>,
    /// Bytes of the part that were read.
    at: usize,
    /// Parts that come after it.
    rest: std::ops::Range<usize>,
    /// Bytes of the parts before it.
    len: usize,
    /// Why a part could not be read; `std::io` cannot carry it.
    fault: Option<Fault>,
}

impl Read for Stored<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let part = self.fill_buf()?;
        let taken = part.len().min(into.len());
        into[..taken].copy_from_slice(&part[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Stored<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while self.at == self.part.len()
            && let Some(index) = self.rest.next()
        {
            self.len += self.part.len();
            self.at = 0;
            self.part = match self.tables.get(self.table, &chunk_key(self.key, index)) {
                Ok(Some(part)) => part,
                Ok(None) => return Err(std::io::Error::other("a part is missing")),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(std::io::Error::other("a part could not be read"));
                }
            };
        }
        Ok(&self.part[self.at..])
    }

    fn consume(&mut self, read: usize) {
        self.at += read;
    }
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

    #[test]
    fn a_missing_shortened_or_prolonged_part_is_an_error() {
        let memory = Memory::default();
        memory.write(&mut |t| put(t, Table::Blobs, b"k", b"", &noise(100_000))).unwrap();
        for (key, good) in entries(&memory) {
            for bad in [None, Some(good[..good.len() - 1].to_vec()), Some([good.as_slice(), &[0]].concat())] {
                let change = |t: &mut dyn Writing| match &bad {
                    Some(bad) => t.put(Table::Blobs, &key, bad),
                    None => t.delete(Table::Blobs, &key),
                };
                memory.write(&mut |t| change(t)).unwrap();
                let found = get(&*memory.snapshot().unwrap(), Table::Blobs, b"k", 0);
                let is_first = key.ends_with(&[0; 4]);
                match found {
                    // Without its first part a value is not there at all.
                    Ok(found) => assert!(found.is_none() && is_first && bad.is_none()),
                    Err(fault) => assert!(matches!(fault, Fault::Corrupt(_)), "{fault}"),
                }
            }
            memory.write(&mut |t| t.put(Table::Blobs, &key, &good)).unwrap();
        }
        assert!(get(&*memory.snapshot().unwrap(), Table::Blobs, b"k", 0).unwrap().is_some());
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
