//! What valid sidecars were seen: the part of the specification's `Seen` that is about them.
//!
//! Entries are made only once signatures and proofs are verified, and for expected proposers only, so there are at most
//! as many as slots, branches and indices. [`SeenSidecars::prune`] drops what is finalized. While nothing is finalized
//! the newest [`SLOTS_MAX`] slots are kept and the oldest forgotten first: a sidecar of a forgotten slot would be
//! verified and forwarded once more, which costs work but is no error.

use std::collections::{BTreeMap, BTreeSet};

use types::{PartialDataColumnHeader, Root, Slot, ValidatorIndex};

use crate::{BlobIndex, ColumnIndex, Sidecar};

/// Of how many slots entries are kept.
pub const SLOTS_MAX: usize = 1024;

/// How many headers of partial columns are kept.
const HEADERS_MAX: usize = SLOTS_MAX;

type Tuples = BTreeSet<(Slot, ValidatorIndex, u64)>;

/// What valid sidecars were seen.
#[derive(Clone, Debug, Default)]
pub struct SeenSidecars {
    pub(super) blob_sidecar_tuples: BTreeSet<(Slot, ValidatorIndex, BlobIndex)>,
    pub(super) data_column_sidecar_tuples: BTreeSet<(Slot, ValidatorIndex, ColumnIndex)>,
    partial_data_column_headers: BTreeMap<Root, PartialDataColumnHeader>,
}

impl SeenSidecars {
    /// Forgets what is of slots up to the finalized one.
    pub fn prune(&mut self, finalized_slot: Slot) {
        self.keep_from(finalized_slot.saturating_add(1));
    }

    /// Remembers a sidecar that is known to be valid though it did not come by gossip. False where it, or another one of
    /// its slot, proposer and index, was seen before.
    pub fn insert(&mut self, sidecar: &Sidecar) -> bool {
        let header = &sidecar.header().message;
        let tuple = (header.slot, header.proposer_index, sidecar.index());
        let is_new = match sidecar {
            Sidecar::Blob(_) => self.blob_sidecar_tuples.insert(tuple),
            Sidecar::Column(_) => self.data_column_sidecar_tuples.insert(tuple),
        };
        self.bound();
        is_new
    }

    /// The header of partial columns that was found valid for a block.
    pub fn partial_data_column_header(&self, block_root: &Root) -> Option<&PartialDataColumnHeader> {
        self.partial_data_column_headers.get(block_root)
    }

    /// Remembers a valid header, be it of a message or of an imported block; where there is no room, the one of the
    /// lowest slot goes.
    pub fn insert_partial_data_column_header(&mut self, block_root: Root, header: PartialDataColumnHeader) {
        self.partial_data_column_headers.insert(block_root, header);
        if self.partial_data_column_headers.len() > HEADERS_MAX {
            let slot_of = |header: &PartialDataColumnHeader| header.signed_block_header.message.slot;
            let oldest = self.partial_data_column_headers.iter().min_by_key(|(_, header)| slot_of(header));
            if let Some(root) = oldest.map(|(root, _)| *root) {
                self.partial_data_column_headers.remove(&root);
            }
        }
    }

    fn keep_from(&mut self, first: Slot) {
        let keep = |tuples: &mut Tuples| *tuples = tuples.split_off(&(first, ValidatorIndex(0), 0));
        keep(&mut self.blob_sidecar_tuples);
        keep(&mut self.data_column_sidecar_tuples);
        self.partial_data_column_headers.retain(|_, header| header.signed_block_header.message.slot >= first);
    }

    /// Forgets the slots that lie too far behind the newest.
    pub(super) fn bound(&mut self) {
        let newest = [&self.blob_sidecar_tuples, &self.data_column_sidecar_tuples]
            .into_iter()
            .filter_map(|tuples| tuples.last().map(|(slot, ..)| slot.0))
            .max()
            .unwrap_or(0);
        let first = Slot(newest.saturating_sub(SLOTS_MAX as u64 - 1));
        let is_behind = |tuples: &Tuples| tuples.first().is_some_and(|(slot, ..)| *slot < first);
        if is_behind(&self.blob_sidecar_tuples) || is_behind(&self.data_column_sidecar_tuples) {
            self.keep_from(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_slots_are_forgotten_first_and_finalized_ones_at_once() {
        let mut seen = SeenSidecars::default();
        for slot in 0..SLOTS_MAX as u64 + 10 {
            seen.blob_sidecar_tuples.insert((Slot(slot), ValidatorIndex(1), 0));
            seen.data_column_sidecar_tuples.insert((Slot(slot), ValidatorIndex(1), 0));
            seen.bound();
        }
        assert_eq!(seen.blob_sidecar_tuples.len(), SLOTS_MAX);
        assert_eq!(seen.data_column_sidecar_tuples.first().unwrap().0, Slot(10));
        seen.prune(Slot(1000));
        assert_eq!(seen.blob_sidecar_tuples.first().unwrap().0, Slot(1001));
    }

    #[test]
    fn headers_of_partial_columns_are_bounded() {
        let mut seen = SeenSidecars::default();
        for slot in 0..HEADERS_MAX as u64 + 3 {
            let mut header = PartialDataColumnHeader::default();
            header.signed_block_header.message.slot = Slot(slot);
            // Roots in another order than slots.
            let mut root = Root::ZERO;
            root.0[..8].copy_from_slice(&(u64::MAX - slot).to_be_bytes());
            seen.insert_partial_data_column_header(root, header);
        }
        assert_eq!(seen.partial_data_column_headers.len(), HEADERS_MAX);
        let mut oldest = Root::ZERO;
        oldest.0[..8].copy_from_slice(&u64::MAX.to_be_bytes());
        assert!(seen.partial_data_column_header(&oldest).is_none());
    }
}
