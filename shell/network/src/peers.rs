//! The peer book: who is connected, how well each behaves, who is banned. Pure bookkeeping on instants
//! that are passed in; the wire acts on what it says.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use crate::event::Direction;

/// At this score a peer is sent away and banned.
pub(crate) const BAN_SCORE: f64 = -100.0;
/// Scores lie between the negative and the positive of this.
const SCORE_MAX: f64 = 200.0;
/// A score halves in this time.
const SCORE_HALF_LIFE: Duration = Duration::from_secs(600);
/// Scores and bans remembered; beyond, scores nearest to 0 and bans nearest to their end are forgotten.
const SCORES_MAX: usize = 2048;
const BANS_MAX: usize = 1024;
/// Two connections with a peer that began within this time are a simultaneous dial.
const SIMULTANEOUS: Duration = Duration::from_secs(10);
/// A second connection is closed only after this, so that both sides have seen both and choose the same.
const DUPLICATE_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
struct Connection {
    id: ConnectionId,
    direction: Direction,
    since: Instant,
}

/// A connected peer.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    connections: Vec<Connection>,
    pub(crate) since: Instant,
    pub(crate) status_seen: bool,
    pub(crate) metadata_seq: Option<u64>,
    /// Subnets of the columns that it has in custody, as far as is known.
    pub(crate) columns: BTreeSet<u64>,
    pub(crate) next_ping: Instant,
    pub(crate) ping_failures: u32,
    /// Goodbye was said: connections close at this time at the latest.
    pub(crate) leaving: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Score {
    value: f64,
    at: Instant,
}

impl Score {
    fn now(self, now: Instant) -> f64 {
        let lives = now.saturating_duration_since(self.at).as_secs_f64() / SCORE_HALF_LIFE.as_secs_f64();
        self.value * 0.5f64.powf(lives)
    }
}

/// Whether a new connection is a new peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    New,
    Duplicate,
    Banned,
}

/// All peers.
#[derive(Debug)]
pub(crate) struct PeerBook {
    local: PeerId,
    peers: HashMap<PeerId, Peer>,
    scores: HashMap<PeerId, Score>,
    bans: HashMap<PeerId, Instant>,
}

impl PeerBook {
    pub(crate) fn new(local: PeerId) -> Self {
        Self { local, peers: HashMap::new(), scores: HashMap::new(), bans: HashMap::new() }
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<&Peer> {
        self.peers.get(peer)
    }

    pub(crate) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(peer)
    }

    pub(crate) fn ids(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Peers that we have not said goodbye to.
    pub(crate) fn staying(&self) -> usize {
        self.peers.values().filter(|peer| peer.leaving.is_none()).count()
    }

    /// Records a new connection.
    pub(crate) fn connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        direction: Direction,
        now: Instant,
    ) -> Admission {
        let connection = Connection { id, direction, since: now };
        if let Some(known) = self.peers.get_mut(&peer) {
            known.connections.push(connection);
            return Admission::Duplicate;
        }
        let entry = Peer {
            connections: vec![connection],
            since: now,
            status_seen: false,
            metadata_seq: None,
            columns: BTreeSet::new(),
            next_ping: now + Duration::from_secs(30),
            ping_failures: 0,
            leaving: None,
        };
        self.peers.insert(peer, entry);
        if self.is_banned(&peer, now) { Admission::Banned } else { Admission::New }
    }

    /// Records a lost connection; the peer if that was its last.
    pub(crate) fn disconnected(&mut self, peer: &PeerId, id: ConnectionId) -> Option<Peer> {
        let entry = self.peers.get_mut(peer)?;
        entry.connections.retain(|connection| connection.id != id);
        if entry.connections.is_empty() { self.peers.remove(peer) } else { None }
    }

    /// Connections that are one too many. Of a simultaneous dial, both sides keep the one that the
    /// smaller peer id dialled; otherwise the newer stays, since the older may be dead without our knowing.
    pub(crate) fn duplicates(&self, now: Instant) -> Vec<ConnectionId> {
        let mut close = Vec::new();
        for (id, peer) in &self.peers {
            let [.., older, newer] = peer.connections.as_slice() else { continue };
            if now.saturating_duration_since(newer.since) < DUPLICATE_GRACE {
                continue;
            }
            let simultaneous = newer.since.saturating_duration_since(older.since) < SIMULTANEOUS;
            let kept_direction = if self.local < *id { Direction::Outbound } else { Direction::Inbound };
            let keep_older =
                simultaneous && older.direction != newer.direction && older.direction == kept_direction;
            close.push(if keep_older { newer.id } else { older.id });
        }
        close
    }

    /// The peer's score now; 0 for a stranger.
    pub(crate) fn score(&self, peer: &PeerId, now: Instant) -> f64 {
        self.scores.get(peer).map_or(0.0, |score| score.now(now))
    }

    /// Adds to a score and returns the new one.
    pub(crate) fn report(&mut self, peer: PeerId, delta: f64, now: Instant) -> f64 {
        let value = (self.score(&peer, now) + delta).clamp(-SCORE_MAX, SCORE_MAX);
        self.scores.insert(peer, Score { value, at: now });
        if self.scores.len() > SCORES_MAX {
            let mildest =
                self.scores.iter().min_by(|(_, a), (_, b)| a.now(now).abs().total_cmp(&b.now(now).abs()));
            if let Some((mildest, _)) = mildest.map(|(id, score)| (*id, score.value)) {
                self.scores.remove(&mildest);
            }
        }
        value
    }

    /// Bans a peer until `until`, and clears its score so that it starts anew afterwards.
    pub(crate) fn ban(&mut self, peer: PeerId, until: Instant) {
        self.scores.remove(&peer);
        self.bans.insert(peer, until);
        if self.bans.len() > BANS_MAX {
            let first = self.bans.iter().min_by_key(|(_, until)| **until).map(|(id, _)| *id);
            if let Some(first) = first {
                self.bans.remove(&first);
            }
        }
    }

    pub(crate) fn is_banned(&self, peer: &PeerId, now: Instant) -> bool {
        self.bans.get(peer).is_some_and(|until| *until > now)
    }

    /// Forgets bans that are over; returns how many stand.
    pub(crate) fn expire_bans(&mut self, now: Instant) -> usize {
        self.bans.retain(|_, until| *until > now);
        self.bans.len()
    }

    /// True where nobody else who stays has some of these column subnets.
    pub(crate) fn is_last_of_column(&self, peer: &PeerId, wanted: &BTreeSet<u64>) -> bool {
        let Some(entry) = self.peers.get(peer) else { return false };
        let has_other = |subnet: &u64| {
            let mut others = self.peers.iter().filter(|(id, other)| *id != peer && other.leaving.is_none());
            others.any(|(_, other)| other.columns.contains(subnet))
        };
        entry.columns.intersection(wanted).any(|subnet| !has_other(subnet))
    }

    /// Whom to send away first: the lowest score, and of equals the most recent. `keep` are never chosen.
    pub(crate) fn worst(&self, now: Instant, keep: impl Fn(&PeerId) -> bool) -> Option<PeerId> {
        let candidates = self.peers.iter().filter(|(id, peer)| peer.leaving.is_none() && !keep(id));
        let worst = candidates.min_by(|(a, peer_a), (b, peer_b)| {
            let by_score = self.score(a, now).total_cmp(&self.score(b, now));
            by_score.then(peer_b.since.cmp(&peer_a.since)).then(a.cmp(b))
        });
        worst.map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> (PeerBook, Instant) {
        (PeerBook::new(PeerId::random()), Instant::now())
    }

    fn join(
        book: &mut PeerBook,
        peer: PeerId,
        direction: Direction,
        now: Instant,
    ) -> (Admission, ConnectionId) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = ConnectionId::new_unchecked(NEXT.fetch_add(1, Ordering::Relaxed));
        (book.connected(peer, id, direction, now), id)
    }

    #[test]
    fn both_sides_of_a_simultaneous_dial_keep_the_same_connection() {
        let (mut ours, now) = book();
        let them = PeerId::random();
        let mut theirs = PeerBook::new(them);
        let us = ours.local;
        // Connection x is dialled by us, y by them; each side saw them in another order.
        let (_, x_ours) = join(&mut ours, them, Direction::Outbound, now);
        let (second, y_ours) = join(&mut ours, them, Direction::Inbound, now);
        let (_, y_theirs) = join(&mut theirs, us, Direction::Outbound, now);
        let (_, x_theirs) = join(&mut theirs, us, Direction::Inbound, now);
        assert_eq!(second, Admission::Duplicate);
        assert!(ours.duplicates(now).is_empty(), "not before the grace is over");
        let later = now + DUPLICATE_GRACE;
        let expected =
            if us < them { (vec![y_ours], vec![y_theirs]) } else { (vec![x_ours], vec![x_theirs]) };
        assert_eq!((ours.duplicates(later), theirs.duplicates(later)), expected);
    }

    #[test]
    fn a_peer_that_comes_back_replaces_its_old_connection() {
        let (mut book, now) = book();
        let peer = PeerId::random();
        let (_, old) = join(&mut book, peer, Direction::Inbound, now);
        let later = now + Duration::from_secs(60);
        join(&mut book, peer, Direction::Inbound, later);
        assert_eq!(book.duplicates(later + DUPLICATE_GRACE), vec![old]);
        assert!(book.disconnected(&peer, old).is_none());
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn scores_fade_and_bans_end() {
        let (mut book, now) = book();
        let peer = PeerId::random();
        assert_eq!(book.report(peer, -50.0, now), -50.0);
        let later = now + SCORE_HALF_LIFE;
        assert!((book.score(&peer, later) + 25.0).abs() < 1e-9);
        assert!(book.report(peer, -80.0, later) <= BAN_SCORE);
        book.ban(peer, later + Duration::from_secs(10));
        assert_eq!(join(&mut book, peer, Direction::Inbound, later).0, Admission::Banned);
        assert!(!book.is_banned(&peer, later + Duration::from_secs(10)));
        assert_eq!(book.score(&peer, later), 0.0);
    }

    #[test]
    fn bans_and_scores_are_bounded() {
        let (mut book, now) = book();
        for second in 0..BANS_MAX as u64 + 10 {
            book.ban(PeerId::random(), now + Duration::from_secs(second + 1));
        }
        assert_eq!(book.expire_bans(now), BANS_MAX);
        for _ in 0..SCORES_MAX + 10 {
            book.report(PeerId::random(), -1.0, now);
        }
        assert_eq!(book.scores.len(), SCORES_MAX);
    }

    #[test]
    fn the_last_peer_of_a_column_that_is_wanted_is_known() {
        let (mut book, now) = book();
        let peers: Vec<_> = (0..3).map(|_| PeerId::random()).collect();
        for (peer, columns) in peers.iter().zip([vec![1, 2], vec![2, 3], vec![3]]) {
            join(&mut book, *peer, Direction::Inbound, now);
            book.get_mut(peer).unwrap().columns = columns.into_iter().collect();
        }
        let last = |book: &PeerBook, wanted: &[u64]| -> Vec<bool> {
            let wanted = wanted.iter().copied().collect();
            peers.iter().map(|peer| book.is_last_of_column(peer, &wanted)).collect()
        };
        assert_eq!(last(&book, &[1, 2, 3]), [true, false, false]);
        assert_eq!(last(&book, &[2, 3, 9]), [false; 3]);
        book.get_mut(&peers[2]).unwrap().leaving = Some(now);
        assert_eq!(last(&book, &[3]), [false, true, false], "who leaves is not counted on");
    }

    #[test]
    fn the_worst_peer_has_the_lowest_score_then_the_latest_arrival() {
        let (mut book, now) = book();
        let peers: Vec<_> = (0..3).map(|_| PeerId::random()).collect();
        for (index, peer) in peers.iter().enumerate() {
            join(&mut book, *peer, Direction::Inbound, now + Duration::from_secs(index as u64));
        }
        assert_eq!(book.worst(now, |_| false), Some(peers[2]));
        book.report(peers[0], -1.0, now);
        assert_eq!(book.worst(now, |_| false), Some(peers[0]));
        assert_eq!(book.worst(now, |peer| *peer == peers[0]), Some(peers[2]));
    }
}
