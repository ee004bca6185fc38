//! Open requests: whom they went to, what they are for, and when we stop waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{Root, SignedBeaconBlock, Time};

use crate::peers::Lane;
use crate::traffic::{PeerId, RequestId};

/// How long an answer may take between two of its parts. The shell's own time limits are shorter; this one
/// guards against a shell that forgets.
const PATIENCE_MS: u64 = 20_000;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A batch of range sync.
    Batch(u64),
    /// A lookup of the block with this root.
    Lookup(Root),
    /// Data of the blocks of a batch.
    BatchData(u64),
    /// Data of the blocks of a lookup.
    LookupData(Root),
    /// Data of a block that the chain has.
    Sidecars(Root),
    /// Columns of old blocks.
    Backfill(u64),
}

impl Purpose {
    /// True for blobs and columns.
    pub fn is_data(self) -> bool {
        self.lane() == Lane::Data
    }

    /// Which of a peer's requests it counts among.
    pub fn lane(self) -> Lane {
        match self {
            Self::Batch(_) | Self::Lookup(_) => Lane::Blocks,
            Self::BatchData(_) | Self::LookupData(_) | Self::Sidecars(_) | Self::Backfill(_) => Lane::Data,
        }
    }
}

/// An open request.
#[derive(Debug)]
pub struct Open {
    /// Whom it went to.
    pub peer: PeerId,
    /// What it is for.
    pub purpose: Purpose,
    /// Blocks that came so far.
    pub blocks: Vec<Arc<SignedBeaconBlock>>,
    deadline: Time,
}

/// All open requests; bounded by the peers and the requests that each may have open.
#[derive(Debug, Default)]
pub struct Requests {
    open: BTreeMap<RequestId, Open>,
    next: u64,
}

impl Requests {
    /// Opens a request.
    pub fn open(&mut self, now: Time, peer: PeerId, purpose: Purpose) -> RequestId {
        let id = RequestId(self.next);
        self.next += 1;
        let deadline = now.after_ms(PATIENCE_MS);
        self.open.insert(id, Open { peer, purpose, blocks: Vec::new(), deadline });
        id
    }

    /// The request, to add a block to it; its time starts again.
    pub fn progress(&mut self, now: Time, id: RequestId) -> Option<&mut Open> {
        let open = self.open.get_mut(&id)?;
        open.deadline = now.after_ms(PATIENCE_MS);
        Some(open)
    }

    /// Ends a request.
    pub fn close(&mut self, id: RequestId) -> Option<Open> {
        self.open.remove(&id)
    }

    /// Requests to a peer.
    pub fn of_peer(&self, peer: PeerId) -> Vec<RequestId> {
        self.open.iter().filter(|(_, open)| open.peer == peer).map(|(id, _)| *id).collect()
    }

    /// Requests whose time is over.
    pub fn overdue(&self, now: Time) -> Vec<RequestId> {
        self.open.iter().filter(|(_, open)| open.deadline <= now).map(|(id, _)| *id).collect()
    }

    /// When the next request's time is over.
    pub fn deadline(&self) -> Option<Time> {
        self.open.values().map(|open| open.deadline).min()
    }
}
