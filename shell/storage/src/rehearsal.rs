//! Opening a file without changing it: what would be written stays in memory.
//!
//! A database that was not closed cannot be read before it is repaired, and a repair writes. Whether it would succeed,
//! and whose network's file it is, is found out in a rehearsal, so that a file that is refused stays as it was. Costs a
//! second walk over the file, but only after an unclean end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const BLOCK: u64 = 4096;
/// A repair writes bookkeeping only, some bytes for each megabyte of the file; beyond this it is refused.
const WRITTEN_BLOCKS_MAX: usize = (1 << 30) / BLOCK as usize;

/// A file to read from, under what was written over it.
#[derive(Debug)]
pub(crate) struct Rehearsal(Mutex<Overlay>);

#[derive(Debug)]
struct Overlay {
    file: File,
    length: u64,
    /// The part of the file that still shows: what was cut off once must read as zeros when the length grows again.
    shown: u64,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Rehearsal {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self(Mutex::new(Overlay { file, length, shown: length, written: BTreeMap::new() })))
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Overlay {
    fn check_range(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset.checked_add(length as u64);
        if end.is_some_and(|end| end <= self.length) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before what it should hold"))
    }

    /// A block as it would be read now.
    fn block(&mut self, number: u64) -> io::Result<Vec<u8>> {
        if let Some(block) = self.written.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; BLOCK as usize];
        let from = number * BLOCK;
        let length = self.shown.saturating_sub(from).min(BLOCK) as usize;
        self.file.seek(SeekFrom::Start(from))?;
        self.file.read_exact(&mut block[..length])?;
        Ok(block)
    }
}

/// The parts of a range by block: block number, place in the block, place in the range, length.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let inside = (at % BLOCK) as usize;
        let count = (BLOCK as usize - inside).min(length - done);
        let part = (at / BLOCK, inside, done, count);
        done += count;
        (count > 0).then_some(part)
    })
}

impl StorageBackend for Rehearsal {
    fn len(&self) -> io::Result<u64> {
        Ok(self.overlay().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut overlay = self.overlay();
        overlay.check_range(offset, out.len())?;
        for (number, inside, at, count) in parts(offset, out.len()) {
            let block = overlay.block(number)?;
            out[at..at + count].copy_from_slice(&block[inside..inside + count]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut overlay = self.overlay();
        overlay.length = length;
        overlay.shown = overlay.shown.min(length);
        drop(overlay.written.split_off(&length.div_ceil(BLOCK)));
        if let Some(last) = overlay.written.get_mut(&(length / BLOCK)) {
            last[(length % BLOCK) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut overlay = self.overlay();
        overlay.check_range(offset, data.len())?;
        for (number, inside, at, count) in parts(offset, data.len()) {
            if overlay.written.len() >= WRITTEN_BLOCKS_MAX {
                return Err(io::Error::other("the repair would write more than a gigabyte"));
            }
            let mut block = overlay.block(number)?;
            block[inside..inside + count].copy_from_slice(&data[at..at + count]);
            overlay.written.insert(number, block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_file_stays_as_it_was() {
        let path = std::env::temp_dir().join(format!("interlock-rehearsal-{}", std::process::id()));
        let original: Vec<u8> = (0..10_000u32).map(|number| number as u8).collect();
        std::fs::write(&path, &original).unwrap();
        let rehearsal = Rehearsal::new(&path).unwrap();
        let mut expected = original.clone();
        expected[4000..9000].fill(7);
        rehearsal.write(4000, &[7; 5000]).unwrap();
        let mut read = vec![0; 10_000];
        rehearsal.read(0, &mut read).unwrap();
        assert!(read == expected);
        assert!(rehearsal.read(9_999, &mut [0; 2]).is_err());
        assert!(rehearsal.write(u64::MAX, &[0; 2]).is_err());
        // What was cut off comes back as zeros.
        rehearsal.set_len(5000).unwrap();
        rehearsal.set_len(12_000).unwrap();
        let mut read = vec![1; 12_000];
        rehearsal.read(0, &mut read).unwrap();
        expected.truncate(5000);
        expected.resize(12_000, 0);
        assert!(read == expected);
        assert!(std::fs::read(&path).unwrap() == original);
        std::fs::remove_file(path).unwrap();
    }
}
