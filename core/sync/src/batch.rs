//! A batch of range sync: a run of slots, who served it, and what is known of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::{Root, SignedBeaconBlock, Slot, Spec, SszExt};

use crate::gathering::Gathering;
use crate::traffic::PeerId;

/// The blocks of a batch.
#[derive(Debug)]
pub struct Served {
    /// Who sent them.
    pub peer: PeerId,
    /// The blocks.
    pub blocks: Vec<Arc<SignedBeaconBlock>>,
    /// Their data, which others may have sent.
    pub data: Gathering,
}

/// How far a batch has come.
#[derive(Debug)]
pub enum Progress {
    /// To be asked for.
    Waiting,
    /// Asked for.
    Downloading,
    /// Served by a peer; the blocks' data is yet to come.
    Gathering(Served),
    /// All there, waiting for the batches before it.
    Ready(Served),
    /// With the chain.
    Importing(Served),
}

/// A run of slots.
#[derive(Debug)]
pub struct Batch {
    /// The first slot.
    pub start: Slot,
    /// How many slots.
    pub count: u64,
    /// How far it has come.
    pub progress: Progress,
    /// Peers that served it badly or not at all; they are asked again only when nobody else is left.
    pub failed: BTreeSet<PeerId>,
    /// How often it was asked for.
    pub attempts: u32,
}

impl Batch {
    /// A batch to be asked for.
    pub fn new(start: Slot, count: u64) -> Self {
        Self { start, count, progress: Progress::Waiting, failed: BTreeSet::new(), attempts: 0 }
    }

    /// To be asked for again, from somebody else where possible.
    pub fn retry(&mut self, failed: PeerId) {
        self.failed.insert(failed);
        self.progress = Progress::Waiting;
    }

    /// The batch's blocks and data, while data is still to come.
    pub fn gathering(&mut self) -> Option<&mut Served> {
        match &mut self.progress {
            Progress::Gathering(served) => Some(served),
            _ => None,
        }
    }

    /// The chain wants more or other data of the blocks that it was given: they are gathered for again.
    pub fn gather_again(&mut self) -> Option<&mut Served> {
        match std::mem::replace(&mut self.progress, Progress::Waiting) {
            Progress::Importing(served) => {
                self.progress = Progress::Gathering(served);
                self.attempts += 1;
                self.gathering()
            }
            other => {
                self.progress = other;
                None
            }
        }
    }
}

/// The root of a block.
pub fn block_root(spec: &'static Spec, block: &SignedBeaconBlock) -> Root {
    block.message.hash_tree_root(spec.ctx_at_slot(block.message.slot))
}

/// True where `next` may follow the blocks that came so far: in range, later, and linked to the one before.
pub fn follows(
    spec: &'static Spec,
    before: Option<&SignedBeaconBlock>,
    next: &SignedBeaconBlock,
    range: std::ops::Range<u64>,
) -> bool {
    let slot = next.message.slot;
    if !range.contains(&slot.0) {
        return false;
    }
    match before {
        Some(before) => before.message.slot < slot && next.message.parent_root == block_root(spec, before),
        None => true,
    }
}
