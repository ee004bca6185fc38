//! What the core asks the disk to do: batches of operations, each applied wholly or not at all.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use crate::Root;

/// Encodes a value when it is written: what is large should be encoded neither on the thread that hands it over nor
/// while it waits.
pub trait Encoding: Debug + Send + Sync {
    /// Bytes of the encoding.
    fn encoded_len(&self) -> usize;

    /// The encoding; each call gives the same.
    fn encode(&self) -> Vec<u8>;
}

/// The bytes of a value, or what makes them.
#[derive(Clone, Debug)]
pub enum Value {
    /// The bytes.
    Bytes(Vec<u8>),
    /// What makes them.
    Encoded(Arc<dyn Encoding>),
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Value::Bytes(bytes) => bytes.len(),
            Value::Encoded(value) => value.encoded_len(),
        }
    }

    /// The bytes, made now where they have to be.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Bytes(bytes) => Cow::Borrowed(bytes),
            Value::Encoded(value) => Cow::Owned(value.encode()),
        }
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Value {}

/// Operations that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Strictly greater than the sequence number of every batch stored before.
    pub seq: u64,
    /// Applied in this order; a later operation sees what an earlier one did.
    pub ops: Vec<Op>,
}

/// One operation on the chain database. Putting an existing key replaces its value, deleting an
/// absent key does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Stores a signed block under its root and indexes it by slot.
    PutBlock {
        /// Root of the block.
        root: Root,
        /// Slot of the block.
        slot: u64,
        /// Root of its parent block.
        parent: Root,
        /// The signed block, SSZ.
        ssz: Vec<u8>,
    },
    /// Removes a block, its index entry and its sidecars.
    DeleteBlock {
        /// Root of the block.
        root: Root,
    },
    /// Stores a state under its root.
    PutState {
        /// Root of the state.
        root: Root,
        /// Slot of the state.
        slot: u64,
        /// The state, SSZ.
        ssz: Value,
    },
    /// Removes a state.
    DeleteState {
        /// Root of the state.
        root: Root,
    },
    /// Stores a sidecar of a block: one blob, or one column since Fulu. It lives as long as its block, or until
    /// [`Op::PruneSidecars`], and is found through its block.
    PutSidecar {
        /// Root of the block.
        root: Root,
        /// Slot of the block.
        slot: u64,
        /// Place of the blob or column.
        index: u64,
        /// The sidecar, SSZ.
        ssz: Vec<u8>,
    },
    /// Drops the sidecars of all blocks below the slot, oldest first and at most 65,536 parts of them per operation, for
    /// the same reason as [`Op::DropHistory`]. Repeat it to drop more.
    PruneSidecars {
        /// First slot whose sidecars stay.
        below_slot: u64,
    },
    /// Records the block of a slot of finalized history. A slot without a block has no entry.
    PutCanonical {
        /// Slot of the block.
        slot: u64,
        /// Root of the block.
        root: Root,
    },
    /// Replaces the fork-choice snapshot.
    PutForkChoice(Vec<u8>),
    /// Replaces the snapshot of the operation pool.
    PutPool(Vec<u8>),
    /// Replaces a piece of the decompressed keys of the registry. It can be made again, and speeds up a start.
    PutKeys {
        /// The number of the piece.
        piece: u32,
        /// The keys.
        bytes: Vec<u8>,
    },
    /// Stores a small value under a name, see [`crate::meta_key`]. Names that start with `_` belong to
    /// the database itself and are refused.
    PutMeta(String, Vec<u8>),
    /// Drops what finality has made useless: every block at or below `finalized_slot` that is not in
    /// the canonical table, and every state below it whose root is not kept. `finalized_slot` is the
    /// slot of the finalized *block*, and the canonical table must reach it.
    Prune {
        /// Slot of the finalized block.
        finalized_slot: u64,
        /// Roots of older states to keep.
        keep_states: Vec<Root>,
    },
    /// Drops finalized history: blocks and canonical entries below the slot, oldest first and at
    /// most 4,096 of them per operation, so that a first run over a long history does not stall the
    /// batches behind it. Repeat it to drop more.
    DropHistory {
        /// First slot that stays.
        below_slot: u64,
    },
}

impl Op {
    /// Payload bytes, the measure by which the writer bounds what it groups.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Op::PutBlock { ssz, .. } | Op::PutSidecar { ssz, .. } => ssz.len(),
            Op::PutState { ssz, .. } => ssz.len(),
            Op::PutForkChoice(bytes) | Op::PutPool(bytes) | Op::PutMeta(_, bytes) => bytes.len(),
            Op::PutKeys { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}
