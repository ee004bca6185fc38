//! The store of what came of the data of blocks that are not imported yet.
//!
//! A sidecar enters once its header's signature and its inclusion proof are verified, waits while a job verifies its
//! KZG proofs, and then is *verified* or gone. Several may wait in one place, since whoever copies a header can join it
//! to wrong cells: the first that is found right takes the place. Blocks and sidecars come in any order. A block is
//! complete when every blob is verified (Deneb, Electra), or every column that the node samples (Fulu); half of all
//! columns make the rest, see [`Recovery`].
//!
//! ```text
//!   receive ──▶ waiting ──verified──▶ verified ──▶ Progress::Complete ──take──▶ to the database
//!                  └──────failed────▶ gone
//! ```
//!
//! Everything is bounded by [`Limits`], which also say what goes first.

mod entry;

use std::collections::{BTreeMap, BTreeSet};

use types::{ForkName, KzgCommitment, Root, Slot, Spec};

use crate::blobs::max_blobs_per_block;
use crate::{ColumnIndex, Held, Limits, Needed, Progress, Recovery, Refused, Sidecar};
use entry::Entry;

/// A sidecar that waits for its verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    block_root: Root,
    index: u64,
    number: u64,
}

impl Ticket {
    /// The root of the sidecar's block.
    pub fn block_root(&self) -> Root {
        self.block_root
    }
}

/// The data of blocks that are not imported yet.
#[derive(Debug)]
pub struct Availability {
    spec: &'static Spec,
    limits: Limits,
    /// The columns that the node samples.
    columns: BTreeSet<ColumnIndex>,
    finalized_slot: Slot,
    entries: BTreeMap<Root, Entry>,
    bytes: usize,
    next_ticket: u64,
}

impl Availability {
    /// An empty store of a node that samples these columns.
    pub fn new(spec: &'static Spec, columns: BTreeSet<ColumnIndex>, limits: Limits) -> Self {
        let (entries, finalized_slot) = (BTreeMap::new(), Slot(0));
        Self { spec, limits, columns, finalized_slot, entries, bytes: 0, next_ticket: 0 }
    }

    /// Samples other columns from now on, for blocks that are waiting too.
    pub fn sample(&mut self, columns: BTreeSet<ColumnIndex>) {
        self.columns = columns;
    }

    /// Learns what a block commits to, and drops sidecars that say otherwise. Nothing is kept of a block without
    /// blobs, nor of one of a fork without them: it is complete at once. An error leaves the store as it was.
    pub fn block_arrived(
        &mut self,
        block_root: Root,
        slot: Slot,
        commitments: &[KzgCommitment],
    ) -> Result<Progress, Refused> {
        if commitments.is_empty() || self.kind(slot) == Needed::Nothing {
            self.remove(&block_root);
            return Ok(Progress::Complete);
        }
        if slot <= self.finalized_slot {
            return Err(Refused::Finalized);
        }
        let entry = self.entries.entry(block_root).or_insert_with(|| Entry::new(slot));
        let before = entry.bytes();
        entry.set_commitments(commitments);
        self.bytes -= before - entry.bytes();
        if let Err(refused) = self.make_room(&block_root) {
            // Only a new block takes room, so nothing else is lost with it.
            self.remove(&block_root);
            return Err(refused);
        }
        Ok(self.progress(&block_root))
    }

    /// Takes a sidecar that waits for the verification of its KZG proofs.
    pub fn receive(&mut self, sidecar: Sidecar) -> Result<Ticket, Refused> {
        let (block_root, index) = (sidecar.block_root(), sidecar.index());
        self.check(&block_root, &sidecar)?;
        let entry = self.entries.entry(block_root).or_insert_with(|| Entry::new(sidecar.slot()));
        entry.check_waiting(&sidecar, self.limits.candidates_max)?;
        let ticket = Ticket { block_root, index, number: self.next_ticket };
        self.next_ticket += 1;
        self.bytes += sidecar.size();
        entry.wait(ticket.number, sidecar);
        match self.make_room(&block_root) {
            Ok(()) => Ok(ticket),
            Err(refused) => {
                self.failed(&ticket);
                Err(refused)
            }
        }
    }

    /// The KZG proofs of a waiting sidecar are right. None where the ticket is no longer good, because another one
    /// took the place or the block is gone.
    pub fn verified(&mut self, ticket: &Ticket) -> Option<(Sidecar, Progress)> {
        let entry = self.entries.get_mut(&ticket.block_root)?;
        let before = entry.bytes();
        let sidecar = entry.verify(ticket.index, ticket.number)?;
        self.bytes -= before - entry.bytes();
        Some((sidecar, self.progress(&ticket.block_root)))
    }

    /// The KZG proofs of a waiting sidecar are wrong, or nobody will verify them.
    pub fn failed(&mut self, ticket: &Ticket) {
        let Some(entry) = self.entries.get_mut(&ticket.block_root) else { return };
        let before = entry.bytes();
        entry.fail(ticket.index, ticket.number);
        self.bytes -= before - entry.bytes();
        if entry.is_empty() {
            self.entries.remove(&ticket.block_root);
        }
    }

    /// Takes a sidecar that needs no verification: one of our own, one that was recovered, or one from the database.
    pub fn insert_verified(&mut self, sidecar: Sidecar) -> Result<Progress, Refused> {
        let ticket = self.receive(sidecar)?;
        let (_, progress) = self.verified(&ticket).expect("the sidecar was just received");
        Ok(progress)
    }

    /// How far the data of a block is there.
    pub fn progress(&self, block_root: &Root) -> Progress {
        let Some(entry) = self.entries.get(block_root) else { return Progress::NoBlock };
        let Some(blobs) = entry.commitment_count() else { return Progress::NoBlock };
        let missing: Vec<u64> = match self.kind(entry.slot()) {
            Needed::Nothing => Vec::new(),
            Needed::Blobs => (0..blobs).filter(|index| entry.get(*index).is_none()).collect(),
            Needed::Columns => {
                self.columns.iter().copied().filter(|index| entry.get(*index).is_none()).collect()
            }
        };
        if missing.is_empty() { Progress::Complete } else { Progress::Missing(missing) }
    }

    /// The recovery of the columns of a block that are not there, where half of all are, and none was begun since.
    /// It is worth doing for a complete block too: others may miss those columns.
    pub fn recovery(&mut self, block_root: &Root) -> Option<Recovery> {
        let entry = self.entries.get_mut(block_root)?;
        let columns = entry.begin_recovery(self.spec.preset.number_of_columns)?;
        Recovery::new(self.spec, columns).ok()
    }

    /// A recovery came to nothing, and may be begun again.
    pub fn abandon_recovery(&mut self, block_root: &Root) {
        if let Some(entry) = self.entries.get_mut(block_root) {
            entry.abandon_recovery();
        }
    }

    /// A verified sidecar.
    pub fn get(&self, block_root: &Root, index: u64) -> Option<&Sidecar> {
        self.entries.get(block_root)?.get(index)
    }

    /// How many sidecars of a block are verified.
    pub fn verified_count(&self, block_root: &Root) -> usize {
        self.entries.get(block_root).map_or(0, Entry::verified_count)
    }

    /// A verified sidecar of a block, whichever has the lowest index.
    pub fn any(&self, block_root: &Root) -> Option<&Sidecar> {
        self.entries.get(block_root)?.first()
    }

    /// All verified sidecars of a block, by index; it is forgotten with all that waits for it.
    pub fn take(&mut self, block_root: &Root) -> Vec<Sidecar> {
        self.remove(block_root).map(Entry::into_verified).unwrap_or_default()
    }

    /// Forgets blocks of slots up to the finalized one, and takes no more of them.
    pub fn prune(&mut self, finalized_slot: Slot) {
        self.finalized_slot = finalized_slot;
        let old: Vec<Root> =
            self.entries.iter().filter(|(_, entry)| entry.slot() <= finalized_slot).map(root).collect();
        for root in old {
            self.remove(&root);
        }
    }

    /// How much is kept.
    pub fn held(&self) -> Held {
        Held { blocks: self.entries.len(), bytes: self.bytes }
    }

    /// What the fork of a slot asks, however old it is.
    fn kind(&self, slot: Slot) -> Needed {
        match self.spec.fork_name_at_slot(slot) {
            fork if fork < ForkName::Deneb => Needed::Nothing,
            fork if fork < ForkName::Fulu => Needed::Blobs,
            _ => Needed::Columns,
        }
    }

    fn check(&self, block_root: &Root, sidecar: &Sidecar) -> Result<(), Refused> {
        let (slot, index) = (sidecar.slot(), sidecar.index());
        if slot <= self.finalized_slot {
            return Err(Refused::Finalized);
        }
        let count = match (self.kind(slot), sidecar) {
            (Needed::Blobs, Sidecar::Blob(_)) => max_blobs_per_block(self.spec, slot),
            (Needed::Columns, Sidecar::Column(_)) => self.spec.preset.number_of_columns,
            _ => return Err(Refused::Kind),
        };
        if index >= count {
            return Err(Refused::Index);
        }
        match self.entries.get(block_root) {
            Some(entry) if !entry.agrees(sidecar) => Err(Refused::Commitments),
            Some(entry) if entry.get(index).is_some() => Err(Refused::Known),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, block_root: &Root) -> Option<Entry> {
        let entry = self.entries.remove(block_root)?;
        self.bytes -= entry.bytes();
        Some(entry)
    }

    /// Drops blocks until the limits hold; where the newcomer would be among them, nothing is dropped.
    fn make_room(&mut self, newcomer: &Root) -> Result<(), Refused> {
        let (mut blocks, mut bytes) = (self.entries.len(), self.bytes);
        if blocks <= self.limits.blocks_max && bytes <= self.limits.bytes_max {
            return Ok(());
        }
        let mut by_rank: Vec<(&Root, &Entry)> = self.entries.iter().collect();
        by_rank.sort_by_key(|(root, entry)| (entry.rank(), **root));
        let mut victims = Vec::new();
        for (root, entry) in by_rank {
            if blocks <= self.limits.blocks_max && bytes <= self.limits.bytes_max {
                break;
            }
            if root == newcomer {
                return Err(Refused::Full);
            }
            victims.push(*root);
            (blocks, bytes) = (blocks - 1, bytes - entry.bytes());
        }
        for victim in victims {
            self.remove(&victim);
        }
        Ok(())
    }
}

fn root((root, _): (&Root, &Entry)) -> Root {
    *root
}

#[cfg(test)]
mod tests;
