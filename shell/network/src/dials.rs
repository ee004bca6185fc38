//! Whom to dial next: static peers with backoff, and candidates that discovery found.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};

/// Candidates that wait; beyond, new ones are dropped and found again by a later query.
const CANDIDATES_MAX: usize = 64;
/// Dials in progress.
const DIALS_MAX: usize = 16;
/// Peers whose failed dials are remembered; beyond, the one free soonest is forgotten.
const BACKOFFS_MAX: usize = 1024;
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_LAST: Duration = Duration::from_secs(60);

fn backoff(failures: u32) -> Duration {
    (BACKOFF_FIRST * 2u32.saturating_pow(failures.min(10))).min(BACKOFF_LAST)
}

#[derive(Debug)]
struct Static {
    address: Multiaddr,
    /// From the address's `/p2p` part, or learnt when it was first reached.
    peer: Option<PeerId>,
    next: Instant,
    failures: u32,
    dialling: Option<ConnectionId>,
}

/// A peer worth dialling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
    /// Asked for by a subnet: worth a place above the target number of peers.
    pub(crate) wanted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Backoff {
    until: Instant,
    failures: u32,
}

/// The dial queue.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    statics: Vec<Static>,
    candidates: VecDeque<Candidate>,
    dialling: HashMap<ConnectionId, Option<PeerId>>,
    backoffs: HashMap<PeerId, Backoff>,
}

/// Removes a trailing `/p2p/…` and returns what it names.
pub(crate) fn split_peer_id(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.iter().last() {
        Some(Part::P2p(peer)) => {
            address.pop();
            (address, Some(peer))
        }
        _ => (address, None),
    }
}

/// Options for a dial from a fresh port: to dial from the listening port would make two nodes that dial
/// each other fight over one pair of addresses.
pub(crate) fn options(peer: Option<PeerId>, addresses: Vec<Multiaddr>) -> Option<DialOpts> {
    match peer {
        Some(peer) => {
            let opts = DialOpts::peer_id(peer).addresses(addresses).allocate_new_port();
            Some(opts.condition(PeerCondition::DisconnectedAndNotDialing).build())
        }
        None => {
            let address = addresses.into_iter().next()?;
            Some(DialOpts::unknown_peer_id().address(address).allocate_new_port().build())
        }
    }
}

impl Dials {
    pub(crate) fn new(statics: Vec<Multiaddr>, now: Instant) -> Self {
        let entry = |address| {
            let (address, peer) = split_peer_id(address);
            Static { address, peer, next: now, failures: 0, dialling: None }
        };
        Self { statics: statics.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// Whether the peer is one that is always kept.
    pub(crate) fn is_static(&self, peer: &PeerId) -> bool {
        self.statics.iter().any(|entry| entry.peer == Some(*peer))
    }

    /// Queues a candidate unless it is known, resting after failures, or the queue is full.
    pub(crate) fn offer(&mut self, candidate: Candidate, now: Instant) {
        let resting = self.backoffs.get(&candidate.peer).is_some_and(|rest| rest.until > now);
        let known = self.candidates.iter().any(|other| other.peer == candidate.peer)
            || self.dialling.values().any(|peer| *peer == Some(candidate.peer));
        if !resting && !known && self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push_back(candidate);
        }
    }

    /// Static peers that are due and not connected.
    pub(crate) fn due_statics(&mut self, now: Instant, connected: impl Fn(&PeerId) -> bool) -> Vec<DialOpts> {
        let mut dials = Vec::new();
        for entry in &mut self.statics {
            let here = entry.peer.as_ref().is_some_and(&connected);
            if here || entry.dialling.is_some() || entry.next > now {
                continue;
            }
            if let Some(opts) = options(entry.peer, vec![entry.address.clone()]) {
                entry.dialling = Some(opts.connection_id());
                self.dialling.insert(opts.connection_id(), entry.peer);
                dials.push(opts);
            }
        }
        dials
    }

    /// Candidates to dial while there is room for them.
    pub(crate) fn due_candidates(
        &mut self,
        (peers, target, max): (usize, usize, usize),
        unwanted: impl Fn(&PeerId) -> bool,
    ) -> Vec<DialOpts> {
        let mut dials = Vec::new();
        let waiting = std::mem::take(&mut self.candidates);
        for candidate in waiting {
            if unwanted(&candidate.peer) {
                continue;
            }
            let room = if candidate.wanted { max } else { target };
            if peers + self.dialling.len() >= room {
                // Of those that only raise the number of peers none is needed now.
                if candidate.wanted {
                    self.candidates.push_back(candidate);
                }
                continue;
            }
            if self.dialling.len() >= DIALS_MAX {
                self.candidates.push_back(candidate);
                continue;
            }
            if let Some(opts) = options(Some(candidate.peer), candidate.addresses) {
                self.dialling.insert(opts.connection_id(), Some(candidate.peer));
                dials.push(opts);
            }
        }
        dials
    }

    /// A dial led to a connection with `peer`.
    pub(crate) fn succeeded(&mut self, id: ConnectionId, peer: PeerId) {
        self.dialling.remove(&id);
        self.backoffs.remove(&peer);
        for entry in self.statics.iter_mut().filter(|entry| entry.dialling == Some(id)) {
            entry.dialling = None;
            entry.failures = 0;
            entry.peer = Some(peer);
        }
    }

    /// A dial failed: its target rests, longer each time.
    pub(crate) fn failed(&mut self, id: ConnectionId, now: Instant) {
        let peer = self.dialling.remove(&id).flatten();
        let mut is_static = false;
        for entry in self.statics.iter_mut().filter(|entry| entry.dialling == Some(id)) {
            entry.dialling = None;
            entry.next = now + backoff(entry.failures);
            entry.failures += 1;
            is_static = true;
        }
        if let (Some(peer), false) = (peer, is_static) {
            let failures = self.backoffs.get(&peer).map_or(0, |rest| rest.failures + 1);
            self.rest(peer, backoff(failures + 2), failures, now);
        }
    }

    /// A connected peer left: a static one is dialled again soon, others rest for `rest`.
    pub(crate) fn lost(&mut self, peer: PeerId, rest: Duration, now: Instant) {
        for entry in self.statics.iter_mut().filter(|entry| entry.peer == Some(peer)) {
            entry.next = now + BACKOFF_FIRST.max(rest);
        }
        self.rest(peer, rest, 0, now);
    }

    fn rest(&mut self, peer: PeerId, time: Duration, failures: u32, now: Instant) {
        self.backoffs.insert(peer, Backoff { until: now + time, failures });
        if self.backoffs.len() > BACKOFFS_MAX {
            let first = self.backoffs.iter().min_by_key(|(_, rest)| rest.until).map(|(peer, _)| *peer);
            if let Some(first) = first {
                self.backoffs.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_static_peer_is_dialled_until_it_is_reached_and_again_when_lost() {
        let now = Instant::now();
        let mut dials = Dials::new(vec![address(1)], now);
        let first = dials.due_statics(now, |_| false);
        assert_eq!(first.len(), 1);
        assert!(dials.due_statics(now, |_| false).is_empty(), "one dial at a time");
        dials.failed(first[0].connection_id(), now);
        assert!(dials.due_statics(now, |_| false).is_empty(), "it rests after a failure");
        let later = now + Duration::from_secs(1);
        let second = dials.due_statics(later, |_| false);
        let peer = PeerId::random();
        dials.succeeded(second[0].connection_id(), peer);
        assert!(dials.is_static(&peer));
        assert!(dials.due_statics(later, |id| *id == peer).is_empty());
        dials.lost(peer, Duration::ZERO, later);
        assert_eq!(dials.due_statics(later + Duration::from_secs(2), |_| false).len(), 1);
    }

    #[test]
    fn candidates_stop_at_the_target_and_wanted_ones_at_the_maximum() {
        let now = Instant::now();
        let mut dials = Dials::default();
        let candidate = |wanted| Candidate { peer: PeerId::random(), addresses: vec![address(2)], wanted };
        for wanted in [false, false, true] {
            dials.offer(candidate(wanted), now);
        }
        assert_eq!(dials.due_candidates((3, 4, 5), |_| false).len(), 2);
        dials.offer(candidate(true), now);
        assert!(dials.due_candidates((3, 4, 5), |_| false).is_empty());
        assert_eq!(dials.candidates.len(), 1, "a wanted candidate waits for room");
    }

    #[test]
    fn a_candidate_that_failed_rests_and_the_queue_is_bounded() {
        let now = Instant::now();
        let mut dials = Dials::default();
        let candidate = Candidate { peer: PeerId::random(), addresses: vec![address(3)], wanted: false };
        dials.offer(candidate.clone(), now);
        let dial = dials.due_candidates((0, 4, 5), |_| false);
        dials.failed(dial[0].connection_id(), now);
        dials.offer(candidate.clone(), now);
        assert!(dials.candidates.is_empty());
        dials.offer(candidate.clone(), now + BACKOFF_LAST);
        assert_eq!(dials.candidates.len(), 1);
        for _ in 0..CANDIDATES_MAX * 2 {
            dials.offer(Candidate { peer: PeerId::random(), ..candidate.clone() }, now);
        }
        assert_eq!(dials.candidates.len(), CANDIDATES_MAX);
    }

    #[test]
    fn the_peer_id_is_taken_off_an_address() {
        let peer = PeerId::random();
        let whole = address(4).with(Part::P2p(peer));
        assert_eq!(split_peer_id(whole), (address(4), Some(peer)));
        assert_eq!(split_peer_id(address(4)), (address(4), None));
    }
}
