//! Peers as data: their status, what they are busy with, and when they may be asked again.

use std::collections::{BTreeMap, BTreeSet};

use data_availability::ColumnIndex;
use types::Time;

use crate::traffic::{PeerId, Status};

/// The most peers that are kept; the node holds fewer connections than this. Further ones are not used.
const PEERS_MAX: usize = 512;
/// The first pause of a peer that failed, doubled with each failure.
const PAUSE_MS: u64 = 500;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 30_000;
/// Requests that a peer may have open at once in one lane (`MAX_CONCURRENT_REQUESTS`, which is by protocol).
const OPEN_MAX: usize = types::constants::MAX_CONCURRENT_REQUESTS as usize;

/// Blocks and their data are asked for by different protocols, and one does not wait for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Blocks.
    Blocks,
    /// Blobs and columns.
    Data,
}

/// A peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its last status.
    pub status: Status,
    /// When the status came.
    pub updated: Time,
    open: [usize; 2],
    failures: u32,
    pause_until: Time,
}

impl Peer {
    /// True where it may be asked now.
    pub fn is_free(&self, now: Time, lane: Lane) -> bool {
        self.open[lane as usize] < OPEN_MAX && self.pause_until <= now
    }

    /// How little it is wished to be asked: less is better.
    pub fn burden(&self) -> (usize, u32) {
        (self.open.iter().sum(), self.failures)
    }
}

/// All peers with a status.
#[derive(Debug, Default)]
pub struct Peers {
    map: BTreeMap<PeerId, Peer>,
    /// The columns that peers have in custody, also of those whose status is yet to come.
    custody: BTreeMap<PeerId, BTreeSet<ColumnIndex>>,
}

impl Peers {
    /// Takes a peer's status.
    pub fn update(&mut self, now: Time, id: PeerId, status: Status) {
        if let Some(peer) = self.map.get_mut(&id) {
            peer.status = status;
            peer.updated = now;
        } else if self.map.len() < PEERS_MAX {
            self.map
                .insert(id, Peer { status, updated: now, open: [0; 2], failures: 0, pause_until: Time(0) });
        }
    }

    /// Learns which columns a peer has.
    pub fn set_custody(&mut self, id: PeerId, columns: BTreeSet<ColumnIndex>) {
        if self.custody.contains_key(&id) || self.custody.len() < PEERS_MAX {
            self.custody.insert(id, columns);
        }
    }

    /// True where the peer is known to have a column.
    pub fn has_column(&self, id: PeerId, column: ColumnIndex) -> bool {
        self.custody.get(&id).is_some_and(|columns| columns.contains(&column))
    }

    /// Forgets a peer.
    pub fn remove(&mut self, id: PeerId) {
        self.map.remove(&id);
        self.custody.remove(&id);
    }

    /// All peers in order.
    pub fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.map.iter().map(|(id, peer)| (*id, peer))
    }

    /// A request went out to the peer.
    pub fn opened(&mut self, id: PeerId, lane: Lane) {
        if let Some(peer) = self.map.get_mut(&id) {
            peer.open[lane as usize] += 1;
        }
    }

    /// A request to the peer ended, well or not.
    pub fn closed(&mut self, now: Time, id: PeerId, lane: Lane, well: bool) {
        let Some(peer) = self.map.get_mut(&id) else { return };
        let open = &mut peer.open[lane as usize];
        *open = open.saturating_sub(1);
        if well {
            peer.failures = 0;
        } else {
            let pause = PAUSE_MS.saturating_mul(1 << peer.failures.min(16)).min(PAUSE_MS_MAX);
            peer.failures = peer.failures.saturating_add(1);
            peer.pause_until = now.after_ms(pause);
        }
    }

    /// The peer to ask for blocks among those that `may`: the least busy one that is free now. Ties go to the peer after
    /// `last`, so that work goes round.
    pub fn choose(
        &self,
        now: Time,
        last: Option<PeerId>,
        may: impl Fn(PeerId, &Peer) -> bool,
    ) -> Option<PeerId> {
        self.iter()
            .filter(|(id, peer)| peer.is_free(now, Lane::Blocks) && may(*id, peer))
            .min_by_key(|(id, peer)| {
                (peer.open[Lane::Blocks as usize], peer.failures, Some(*id) <= last, *id)
            })
            .map(|(id, _)| id)
    }

    /// When the next paused peer becomes free.
    pub fn next_free(&self, now: Time) -> Option<Time> {
        self.map.values().map(|peer| peer.pause_until).filter(|until| *until > now).min()
    }
}
