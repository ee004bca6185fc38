//! What goes into and comes out of the sync machine.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_availability::{BlobIndex, ColumnIndex, Sidecar};
use types::{Epoch, Root, SignedBeaconBlock, Slot};

/// A peer, by the number that the shell gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// A request that this machine made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Blocks or sidecars that this machine gave to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(pub u64);

/// What a peer says of its chain in a Status message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its finalized block.
    pub finalized_root: Root,
    /// The epoch of its finalized checkpoint.
    pub finalized_epoch: Epoch,
    /// Its head.
    pub head_root: Root,
    /// The slot of its head.
    pub head_slot: Slot,
    /// The first slot that it serves blocks and their data of; 0 where it does not say.
    pub earliest_available_slot: Slot,
}

/// Where our own chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ChainStatus {
    /// Our head's slot.
    pub head_slot: Slot,
    /// Our head.
    pub head_root: Root,
    /// The epoch of our finalized checkpoint.
    pub finalized_epoch: Epoch,
    /// The slot that the clock says.
    pub current_slot: Slot,
}

/// What we ask a peer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Blocks of `count` slots from `start` on, in order.
    BlocksByRange {
        /// The first slot.
        start: Slot,
        /// How many slots, not blocks.
        count: u64,
    },
    /// Single blocks.
    BlocksByRoot(Vec<Root>),
    /// All blobs of the blocks of `count` slots from `start` on, in order.
    BlobsByRange {
        /// The first slot.
        start: Slot,
        /// How many slots.
        count: u64,
    },
    /// Single blobs, by the roots of their blocks.
    BlobsByRoot(Vec<(Root, BlobIndex)>),
    /// These columns of the blocks of `count` slots from `start` on, in order.
    ColumnsByRange {
        /// The first slot.
        start: Slot,
        /// How many slots.
        count: u64,
        /// Which columns, in ascending order.
        columns: Vec<ColumnIndex>,
    },
    /// Columns of single blocks, in ascending order for each.
    ColumnsByRoot(Vec<(Root, Vec<ColumnIndex>)>),
}

/// Why a request brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No answer in time.
    Timeout,
    /// The peer said that it cannot, or cannot now.
    Refused,
    /// The answer was no valid message.
    Malformed,
    /// The connection ended.
    Disconnected,
}

/// How the import of blocks ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// All are in (or were already).
    Imported,
    /// The first block's parent is not known.
    UnknownParent,
    /// A block is invalid: whoever sent it is to blame.
    Invalid,
    /// Blobs or columns of a block are missing; the blocks before it are in.
    DataMissing {
        /// The block's root.
        root: Root,
        /// What is missing, in ascending order.
        missing: Vec<u64>,
    },
    /// A blob or column is not what its block commits to: whoever sent it is to blame.
    InvalidSidecar {
        /// The root of its block.
        root: Root,
        /// Its place.
        index: u64,
    },
    /// It failed for a reason of our own; nobody is to blame.
    Failed,
}

/// What became of sidecars that were looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidecarsOutcome {
    /// They are right, or nobody needs them any more.
    Taken,
    /// One of them is not what its block commits to: whoever sent it is to blame.
    Invalid {
        /// The root of its block.
        root: Root,
        /// Its place.
        index: u64,
    },
    /// It failed for a reason of our own; nobody is to blame.
    Failed,
}

/// What the machine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A peer's Status.
    Status(PeerId, Status),
    /// The columns that a peer has in custody, as far as is known.
    Custody(PeerId, BTreeSet<ColumnIndex>),
    /// The columns that this node samples from now on.
    Columns(BTreeSet<ColumnIndex>),
    /// A peer has gone.
    Gone(PeerId),
    /// Our chain has moved.
    Chain(ChainStatus),
    /// A block came in answer to a request.
    Chunk(RequestId, Arc<SignedBeaconBlock>),
    /// A blob or column came in answer to a request.
    Sidecar(RequestId, Sidecar),
    /// The answer is complete.
    Done(RequestId),
    /// The answer failed.
    Failed(RequestId, RequestError),
    /// The chain has decided on blocks.
    Decided(ImportId, ImportOutcome),
    /// The chain has met a root that it lacks; the peer that mentioned it, where known.
    Want(Root, Option<PeerId>),
    /// The chain has a block whose blobs or columns it lacks. Said again, it replaces what was said of the block.
    WantSidecars {
        /// The block's root.
        root: Root,
        /// Its slot, which tells blobs from columns.
        slot: Slot,
        /// What is missing; nothing ends the lookup.
        indices: Vec<u64>,
        /// The peer that sent the block, where known.
        from: Option<PeerId>,
    },
    /// These columns of these blocks, which the chain has, are wanted when there is nothing else to do. It takes the
    /// place of what was wanted before.
    Backfill {
        /// The shell's number for it.
        number: u64,
        /// The blocks.
        blocks: Vec<Arc<SignedBeaconBlock>>,
        /// The columns.
        columns: BTreeSet<ColumnIndex>,
    },
    /// The shell has looked at [`Output::Backfilled`].
    BackfillDecided {
        /// The number of the backfill.
        number: u64,
        /// The block and place of a column whose proofs are wrong; its sender is to blame, and it is asked for again.
        invalid: Option<(Root, ColumnIndex)>,
    },
    /// The chain has decided on sidecars.
    SidecarsDecided(ImportId, SidecarsOutcome),
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// It sent an invalid block.
    InvalidBlock,
    /// It sent a blob or column that is not what its block commits to.
    InvalidSidecar,
    /// It sent blocks or sidecars that were not asked for, out of order, or not linked.
    BadAnswer,
    /// It did not answer.
    NoAnswer,
}

/// How far behind we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// As far as any peer, or without peers.
    Synced,
    /// Behind by that many slots.
    Syncing {
        /// Slots between our head and the target.
        distance: u64,
        /// The slot that we are heading for.
        target: Slot,
    },
}

/// What the machine wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a request.
    Request(RequestId, PeerId, Request),
    /// Import blocks: ascending, each the parent of the next; with the blobs and columns that came for them. It gets
    /// exactly one [`Input::Decided`].
    Import(ImportId, Vec<Arc<SignedBeaconBlock>>, Vec<Sidecar>),
    /// Blobs or columns of a block that the chain has. They get exactly one [`Input::SidecarsDecided`].
    ImportSidecars(ImportId, Vec<Sidecar>),
    /// All columns of a backfill. It gets exactly one [`Input::BackfillDecided`].
    Backfilled(u64, Vec<Sidecar>),
    /// Lower a peer's score.
    Charge(PeerId, Offence),
    /// Ask a peer for its Status again.
    RefreshStatus(PeerId),
    /// The state has changed.
    State(SyncState),
}
