//! What came of one block's data.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{DataColumnSidecar, KzgCommitment, Slot};

use crate::{Refused, Sidecar};

/// What came of one block's data.
#[derive(Debug)]
pub struct Entry {
    slot: Slot,
    /// Those of the block, once it is here.
    commitments: Option<Vec<KzgCommitment>>,
    verified: BTreeMap<u64, Sidecar>,
    /// By index, with the numbers of their tickets.
    waiting: BTreeMap<u64, Vec<(u64, Sidecar)>>,
    bytes: usize,
    is_recovering: bool,
}

impl Entry {
    /// Nothing yet, of a block of this slot.
    pub fn new(slot: Slot) -> Self {
        let (verified, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self { slot, commitments: None, verified, waiting, bytes: 0, is_recovering: false }
    }

    /// The slot of the block.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Bytes of all sidecars.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What goes first where there is no room: what has no block, then what is of a lower slot.
    pub fn rank(&self) -> (bool, Slot) {
        (self.commitments.is_some(), self.slot)
    }

    /// True where neither the block nor a sidecar is here.
    pub fn is_empty(&self) -> bool {
        self.commitments.is_none() && self.verified.is_empty() && self.waiting.is_empty()
    }

    /// How many blobs the block has; none while it is not here.
    pub fn commitment_count(&self) -> Option<u64> {
        self.commitments.as_ref().map(|commitments| commitments.len() as u64)
    }

    /// Learns the block's commitments, and drops sidecars with others.
    pub fn set_commitments(&mut self, commitments: &[KzgCommitment]) {
        self.verified.retain(|_, sidecar| sidecar.has_commitments(commitments));
        for candidates in self.waiting.values_mut() {
            candidates.retain(|(_, sidecar)| sidecar.has_commitments(commitments));
        }
        self.waiting.retain(|_, candidates| !candidates.is_empty());
        self.commitments = Some(commitments.to_vec());
        self.count_bytes();
    }

    /// False where the block is here and commits to other blobs.
    pub fn agrees(&self, sidecar: &Sidecar) -> bool {
        self.commitments.as_ref().is_none_or(|commitments| sidecar.has_commitments(commitments))
    }

    /// How many sidecars are verified.
    pub fn verified_count(&self) -> usize {
        self.verified.len()
    }

    /// The verified sidecar of the lowest index.
    pub fn first(&self) -> Option<&Sidecar> {
        self.verified.values().next()
    }

    /// A verified sidecar.
    pub fn get(&self, index: u64) -> Option<&Sidecar> {
        self.verified.get(&index)
    }

    /// Refuses what waits already, and more than so many in one place.
    pub fn check_waiting(&self, sidecar: &Sidecar, candidates_max: usize) -> Result<(), Refused> {
        let Some(candidates) = self.waiting.get(&sidecar.index()) else { return Ok(()) };
        if candidates.iter().any(|(_, other)| other == sidecar) {
            return Err(Refused::Known);
        }
        if candidates.len() >= candidates_max { Err(Refused::Candidates) } else { Ok(()) }
    }

    /// Lets a sidecar wait.
    pub fn wait(&mut self, number: u64, sidecar: Sidecar) {
        self.bytes += sidecar.size();
        self.waiting.entry(sidecar.index()).or_default().push((number, sidecar));
    }

    /// Moves a waiting sidecar to its place, and drops its rivals.
    pub fn verify(&mut self, index: u64, number: u64) -> Option<Sidecar> {
        let candidates = self.waiting.get(&index)?;
        let sidecar = candidates.iter().find(|(other, _)| *other == number)?.1.clone();
        self.waiting.remove(&index);
        self.verified.insert(index, sidecar.clone());
        self.count_bytes();
        Some(sidecar)
    }

    /// Drops a waiting sidecar.
    pub fn fail(&mut self, index: u64, number: u64) {
        if let Some(candidates) = self.waiting.get_mut(&index) {
            candidates.retain(|(other, _)| *other != number);
            if candidates.is_empty() {
                self.waiting.remove(&index);
            }
            self.count_bytes();
        }
    }

    /// The verified columns, where they are at least half of all but not all, and this was not asked before.
    pub fn begin_recovery(&mut self, columns: u64) -> Option<Vec<Arc<DataColumnSidecar>>> {
        let count = self.verified.len() as u64;
        if self.is_recovering || count >= columns || count < columns.div_ceil(2) {
            return None;
        }
        let column = |sidecar: &Sidecar| match sidecar {
            Sidecar::Column(sidecar) => Some(sidecar.clone()),
            Sidecar::Blob(_) => None,
        };
        let columns = self.verified.values().map(column).collect::<Option<Vec<_>>>()?;
        self.is_recovering = true;
        Some(columns)
    }

    /// A recovery may be begun again.
    pub fn abandon_recovery(&mut self) {
        self.is_recovering = false;
    }

    /// The verified sidecars, by index.
    pub fn into_verified(self) -> Vec<Sidecar> {
        self.verified.into_values().collect()
    }

    fn count_bytes(&mut self) {
        let waiting = self.waiting.values().flatten().map(|(_, sidecar)| sidecar.size());
        self.bytes = self.verified.values().map(Sidecar::size).sum::<usize>() + waiting.sum::<usize>();
    }
}
