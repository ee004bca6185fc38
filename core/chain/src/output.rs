//! What the chain wants done.

use engine::{EngineCallId, EngineRequest};
use types::{Root, Slot};

use crate::{
    CommandId, Event, Evidence, GossipId, GossipMessage, Job, JobId, LoadId, LoadKey, Priority, Reply,
    SegmentId, SidecarsId, StoreBatch, Verdict,
};

/// What the chain wants done.
#[derive(Debug)]
pub enum Output {
    /// What to do with a gossip message.
    Verdict(GossipId, Verdict),
    /// Send this to the network; it passed the same rules as what comes from there.
    Publish(GossipMessage),
    /// Run this off the writer's thread: `job.run()`, and answer [`crate::Input::JobDone`]. A panic in it is caught
    /// by whoever runs it and answered with [`crate::JobResult::Panicked`].
    Job(JobId, Priority, Job),
    /// Write these, after all earlier batches, all or nothing, and answer [`crate::Input::Stored`].
    Store(StoreBatch),
    /// Read this, and answer [`crate::Input::Loaded`].
    Load(LoadId, LoadKey),
    /// Something that the chain lacks; no answer is owed.
    Fetch(Want),
    /// How the import of a segment ended.
    SegmentDone(SegmentId, SegmentOutcome),
    /// What became of sidecars that were looked up.
    SidecarsDone(SidecarsId, SidecarsOutcome),
    /// Ask the execution engine, and answer [`crate::Input::EngineDone`]. New payloads and fork choice updates are
    /// asked in this order, one after the other.
    Engine(EngineCallId, EngineRequest),
    /// The answer to a command.
    Reply(CommandId, Reply),
    /// Something that subscribers of the API hear.
    Event(Event),
    /// Something happened that is worth keeping and looking into; no answer is owed.
    Evidence(Box<Evidence>),
    /// We are broken in some way that no peer is to blame for: worth a log line at error level.
    Fault(String),
}

/// Something that the chain lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// A block, to be looked up by its root and given back as [`crate::Input::Segment`].
    Block {
        /// The block's root.
        root: Root,
        /// Who needs it.
        reason: WantReason,
    },
    /// Blobs or columns of a block, to be looked up by its root and given back as [`crate::Input::Sidecars`].
    Sidecars {
        /// The block's root.
        root: Root,
        /// The block's slot, which tells blobs from columns.
        slot: Slot,
        /// Those that are missing, in ascending order; empty where nothing is missing any more.
        indices: Vec<u64>,
        /// The gossip message that brought the block; none from the API.
        from: Option<GossipId>,
    },
}

/// Why a block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantReason {
    /// It is the parent of a block that came by gossip or from the API.
    Parent {
        /// The gossip message that named it; none from the API.
        from: Option<GossipId>,
    },
    /// An attestation votes for it.
    Attested {
        /// The gossip message that named it; none from the API.
        from: Option<GossipId>,
    },
}

/// How the import of a segment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentOutcome {
    /// All blocks are in.
    Imported {
        /// How many of them were new.
        count: usize,
    },
    /// A block is invalid; those before it are in. Whoever sent it is to blame.
    Invalid {
        /// The place of the invalid block in the segment.
        at: usize,
        /// Its root.
        root: Root,
        /// The rule that it broke.
        why: String,
    },
    /// The parent of the first block is not known; nothing is in.
    UnknownParent,
    /// Blobs or columns of a block are missing; the blocks before it are in. Nothing of the others is kept: they are to be
    /// given again with all of their data.
    DataMissing {
        /// The place of the block in the segment.
        at: usize,
        /// Its root.
        root: Root,
        /// The blobs or columns that are missing, in ascending order.
        missing: Vec<u64>,
    },
    /// A sidecar is not of its block, or its proofs are wrong; the blocks before its block are in. Whoever sent it is to
    /// blame.
    InvalidSidecar {
        /// The root of the block that it claims to be of.
        root: Root,
        /// The place of the blob or column.
        index: u64,
        /// The rule that it broke.
        why: String,
    },
    /// It failed for a reason of our own, or for lack of room; nobody is to blame, and it may be tried again.
    Failed(String),
}

/// What became of sidecars that were looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidecarsOutcome {
    /// They are right, or nobody needs them any more.
    Taken,
    /// One is not of its block, or its proofs are wrong. Whoever sent it is to blame.
    Invalid {
        /// The root of the block that it claims to be of.
        root: Root,
        /// The place of the blob or column.
        index: u64,
        /// The rule that it broke.
        why: String,
    },
    /// They could not be verified for a reason of our own, or for lack of room; nobody is to blame.
    Failed(String),
}
