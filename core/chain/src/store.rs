//! What the chain writes to and reads from storage.
//!
//! Invariant: every block of the fork-choice snapshot in the store is in the store itself, and so is some state of
//! its chain from which its own can be replayed. It holds because batches are atomic and ordered, a block is put in
//! the batch of its import (before or with the snapshot that names it), the anchor's state is in the first batch, and
//! finality deletes a state only where a newer one, at or before the finalized block, takes its place.

use std::sync::Arc;

use data_availability::Sidecar;
use types::{BeaconState, Checkpoint, Root, SignedBeaconBlock, Slot};

/// Writes that belong together: all or none of them survive a crash, and none without all earlier batches.
#[derive(Clone, Debug)]
pub struct StoreBatch {
    /// One more than that of the batch before.
    pub seq: u64,
    /// The writes, in order.
    pub ops: Vec<StoreOp>,
}

/// A write. Each overwrites what it meets, so that a batch may be written twice.
#[derive(Clone, Debug)]
pub enum StoreOp {
    /// A block that fork choice took.
    PutBlock {
        /// The block's root.
        root: Root,
        /// The block.
        block: Arc<SignedBeaconBlock>,
    },
    /// The blobs or columns of a block that was put before, or in the same batch.
    PutSidecars {
        /// The block's root.
        root: Root,
        /// The block's slot.
        slot: Slot,
        /// Verified sidecars.
        sidecars: Vec<Sidecar>,
    },
    /// The sidecars of all blocks before this slot, which peers may not ask for any more.
    PruneSidecars {
        /// The first slot whose sidecars stay.
        before: Slot,
    },
    /// The post-state of a block (at the block's slot, not advanced further): of the anchor, and of the first block
    /// of each epoch on each branch, or of every few epochs where states are large.
    PutState {
        /// The block whose post-state it is.
        block_root: Root,
        /// The state.
        state: Arc<BeaconState>,
    },
    /// The chain's own snapshot, which replaces the one before and empties the journal. See [`crate::StoredStart`].
    PutSnapshot(Vec<u8>),
    /// Appends a block, put in this batch, to the journal of blocks that came after the snapshot. Snapshots of large
    /// registries are too large to be written with every block.
    AppendJournal(Root),
    /// Finality advanced: these blocks are canonical for ever, and can be indexed by slot.
    Finalize {
        /// The finalized checkpoint.
        checkpoint: Checkpoint,
        /// Slot and root of the blocks that became final, oldest first, the checkpoint's own last.
        canonical: Vec<(Slot, Root)>,
    },
    /// Blocks off the finalized chain, which nothing needs any more.
    DeleteBlocks(Vec<Root>),
    /// States, by the roots of their blocks, that nothing needs any more.
    DeleteStates(Vec<Root>),
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKey {
    /// The newest stored state of the chain that ends with this block, and the blocks after it. Storage walks from the
    /// block to its parents until it meets a block whose state it has.
    State {
        /// The block whose post-state is wanted.
        block_root: Root,
    },
    /// The stored blocks of the chain that ends with this block, the oldest first: at most this many, and fewer where
    /// storage does not have more of them. Answered with [`Loaded::Blocks`], or [`Loaded::Missing`] where there is none.
    Blocks {
        /// The last block.
        last: Root,
        /// How many are wanted.
        count: usize,
    },
}

/// What was read.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// The state that was found, and what is to be replayed on it.
    State(LoadedState),
    /// Blocks, each the parent of the next.
    Blocks(Vec<Arc<SignedBeaconBlock>>),
    /// It is not there.
    Missing,
    /// Reading failed; the text says how.
    Failed(String),
}

/// A state, and the blocks that lead from it to the block that was asked for.
#[derive(Clone, Debug)]
pub struct LoadedState {
    /// The post-state of a block.
    pub state: Arc<BeaconState>,
    /// The root of that block.
    pub block_root: Root,
    /// The blocks after it, oldest first, the one asked for last; empty where the state is that of the block itself.
    pub blocks: Vec<Arc<SignedBeaconBlock>>,
}
