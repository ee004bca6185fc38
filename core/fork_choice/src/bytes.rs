//! Little-endian values in a row, and columns of values of which few differ.

use types::{Checkpoint, Epoch, FixedBytes, Root};

use crate::SnapshotInvalid;

/// The most different values that a column lists; one with more has its values in full.
const LISTED_MAX: usize = 1 << 16;
/// In place of the number of values listed: none is.
const IN_FULL: u32 = u32::MAX;

pub(crate) fn ensure(holds: bool, otherwise: &'static str) -> Result<(), SnapshotInvalid> {
    if holds { Ok(()) } else { Err(SnapshotInvalid::Contradiction(otherwise)) }
}

pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn bool(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub fn root(&mut self, root: &Root) {
        self.0.extend_from_slice(root.as_slice());
    }

    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        self.u64(checkpoint.epoch.0);
        self.root(&checkpoint.root);
    }

    /// Values of which few differ: those, in the order of their first use, then for each value its place among them in one
    /// or two bytes. A million votes are for some hundred pairs of block and epoch.
    pub fn column(&mut self, values: &[u64]) {
        self.u32(values.len() as u32);
        let Some((listed, places)) = list(values) else {
            self.u32(IN_FULL);
            return values.iter().for_each(|value| self.u64(*value));
        };
        self.u32(listed.len() as u32);
        listed.iter().for_each(|value| self.u64(*value));
        match listed.len() <= 256 {
            true => self.0.extend(places.iter().map(|place| *place as u8)),
            false => self.0.extend(places.iter().flat_map(|place| place.to_le_bytes())),
        }
    }
}

/// The different values, and the place of each value among them; none where they are too many.
fn list(values: &[u64]) -> Option<(Vec<u64>, Vec<u16>)> {
    // At most half full, so that a free slot is near. The values are ours: nobody gains from making them collide.
    let slots = (values.len().min(LISTED_MAX) * 2).next_power_of_two().max(16);
    let mut table: Vec<u32> = vec![IN_FULL; slots];
    let mut listed: Vec<u64> = Vec::new();
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        let mut slot = (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % slots;
        let place = loop {
            match table[slot] {
                IN_FULL if listed.len() == LISTED_MAX => return None,
                IN_FULL => {
                    table[slot] = listed.len() as u32;
                    listed.push(*value);
                    break table[slot];
                }
                place if listed[place as usize] == *value => break place,
                _ => slot = (slot + 1) % slots,
            }
        };
        places.push(place as u16);
    }
    Some((listed, places))
}

pub(crate) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotInvalid> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SnapshotInvalid::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, SnapshotInvalid> {
        self.take().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, SnapshotInvalid> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, SnapshotInvalid> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn bool(&mut self) -> Result<bool, SnapshotInvalid> {
        let byte = self.u8()?;
        ensure(byte <= 1, "a truth value is neither 0 nor 1")?;
        Ok(byte == 1)
    }

    pub fn root(&mut self) -> Result<Root, SnapshotInvalid> {
        self.take().map(FixedBytes)
    }

    pub fn checkpoint(&mut self) -> Result<Checkpoint, SnapshotInvalid> {
        Ok(Checkpoint { epoch: Epoch(self.u64()?), root: self.root()? })
    }

    /// A count of items of `item_bytes` each, all of which are still there.
    pub fn count(&mut self, item_bytes: usize, max: usize) -> Result<usize, SnapshotInvalid> {
        let count = self.u32()? as usize;
        self.expect(count, item_bytes, max)
    }

    fn expect(&self, count: usize, item_bytes: usize, max: usize) -> Result<usize, SnapshotInvalid> {
        if count > max {
            return Err(SnapshotInvalid::TooLong);
        }
        if self.0.len() / item_bytes < count {
            return Err(SnapshotInvalid::Truncated);
        }
        Ok(count)
    }

    /// What [`Writer::column`] wrote, at most `max` values, each as `read` has it: it is asked once for every value listed.
    pub fn column<T: Copy>(
        &mut self,
        max: usize,
        read: impl Fn(u64) -> Result<T, SnapshotInvalid>,
    ) -> Result<Vec<T>, SnapshotInvalid> {
        let count = self.count(1, max)?;
        let listed = self.u32()?;
        if listed == IN_FULL {
            self.expect(count, 8, max)?;
            return (0..count).map(|_| read(self.u64()?)).collect();
        }
        let listed = self.expect(listed as usize, 8, LISTED_MAX.min(count))?;
        let listed = (0..listed).map(|_| read(self.u64()?)).collect::<Result<Vec<_>, _>>()?;
        let width = if listed.len() <= 256 { 1 } else { 2 };
        self.expect(count, width, max)?;
        let (places, rest) = self.0.split_at(count * width);
        self.0 = rest;
        let place = |bytes: &[u8]| bytes.iter().rev().fold(0, |place, byte| place << 8 | usize::from(*byte));
        let values = places.chunks_exact(width).map(|bytes| listed.get(place(bytes)).copied());
        values
            .collect::<Option<Vec<_>>>()
            .ok_or(SnapshotInvalid::Contradiction("a column names what it does not list"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_comes_back_however_many_values_differ() {
        for (count, different) in [(0, 1), (1, 1), (300, 1), (1000, 256), (1000, 257), (70_000, 70_000)] {
            let values: Vec<u64> = (0..count).map(|at: u64| (at * 7 % different) << 22).collect();
            let mut out = Writer(Vec::new());
            out.column(&values);
            let mut input = Reader(&out.0);
            assert_eq!(input.column(70_000, Ok), Ok(values));
            assert!(input.0.is_empty());
            for end in 0..out.0.len().min(3000) {
                assert_eq!(Reader(&out.0[..end]).column(70_000, Ok), Err(SnapshotInvalid::Truncated));
            }
        }
    }
}
