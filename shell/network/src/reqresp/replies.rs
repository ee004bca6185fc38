//! The way from the node back into an inbound stream.
//!
//! Each inbound request has a bounded channel that its stream drains; a node that is faster than its
//! peer waits there, and waits alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::mpsc;

use super::codec;

/// Chunks that may wait for a slow peer.
pub(crate) const REPLY_QUEUE: usize = 4;

/// Names one inbound request for as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InboundId(pub u64);

/// The request cannot be answered any more: the peer is gone, it was answered, or it took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("inbound request {} is closed", .0.0)]
pub struct RespondError(pub InboundId);

/// What goes into a stream. Chunks are encoded where they are made, off the connection's task.
#[derive(Debug)]
pub(crate) enum Reply {
    Chunk(Vec<u8>),
    End,
    Error(Vec<u8>),
}

impl Reply {
    pub(crate) fn chunk(context: Option<[u8; 4]>, ssz: &[u8]) -> Self {
        Self::Chunk(codec::encode_chunk(context, ssz))
    }

    pub(crate) fn error(code: u8, message: &str) -> Self {
        Self::Error(codec::encode_error(code, message))
    }
}

/// The sending half of an inbound request.
pub(crate) type ReplySender = mpsc::Sender<Reply>;

/// All inbound requests that the node owes an answer. Bounded by peers × open requests a peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenRequests {
    senders: Arc<Mutex<HashMap<InboundId, ReplySender>>>,
    next: Arc<AtomicU64>,
}

impl OpenRequests {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<InboundId, ReplySender>) -> T) -> T {
        change(&mut self.senders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers a request and names it.
    pub(crate) fn insert(&self, sender: ReplySender) -> InboundId {
        let id = InboundId(self.next.fetch_add(1, Ordering::Relaxed));
        self.with(|senders| senders.insert(id, sender));
        id
    }

    /// Takes a request out: nothing more will be said.
    pub(crate) fn remove(&self, id: InboundId) -> Option<ReplySender> {
        self.with(|senders| senders.remove(&id))
    }

    /// The sender of a request that is still open.
    pub(crate) fn get(&self, id: InboundId) -> Result<ReplySender, RespondError> {
        self.with(|senders| senders.get(&id).cloned()).ok_or(RespondError(id))
    }

    /// Forgets the requests whose streams are gone without an answer.
    pub(crate) fn sweep(&self) {
        self.with(|senders| senders.retain(|_, sender| !sender.is_closed()));
    }
}
