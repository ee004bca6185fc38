//! What the chain wants done.

use types::Root;

use crate::{
    CommandId, Event, GossipId, GossipMessage, Job, JobId, LoadId, LoadKey, Priority, Reply, SegmentId,
    StoreBatch, Verdict,
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
    /// The answer to a command.
    Reply(CommandId, Reply),
    /// Something that subscribers of the API hear.
    Event(Event),
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
    /// It failed for a reason of our own, or for lack of room; nobody is to blame, and it may be tried again.
    Failed(String),
}
