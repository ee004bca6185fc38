//! What the wire does about req/resp: answers what the shell can answer, passes the rest on to the node.

use std::time::{Duration, Instant};

use libp2p::PeerId;
use types::constants::SYNC_COMMITTEE_SUBNET_COUNT;

use crate::event::{Metadata, NetworkEvent, ResponseFailure, goodbye};
use crate::reqresp::peer_streams::{FromStreams, OutboundId};
use crate::reqresp::protocol::{Method, Protocol, code};
use crate::reqresp::replies::{Reply, ReplySender};
use crate::reqresp::sizes::STATUS_LEN;
use crate::wire::{Purpose, Wire};

/// Score for a malformed or excessive request.
const FAULT_DELTA: f64 = -10.0;
/// Unanswered pings before a peer is taken for dead.
const PING_FAILURES_MAX: u32 = 2;
/// First ping after the handshake; it leads to the peer's metadata.
const FIRST_PING: Duration = Duration::from_millis(500);
/// Connections of a peer that said goodbye close after this, so that it can close them first.
const PARTING: Duration = Duration::from_millis(250);

fn le_u64(bytes: &[u8]) -> u64 {
    bytes.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map_or(0, u64::from_le_bytes)
}

/// A single-chunk answer; the channel of a fresh request has room for it.
fn answer(replies: &ReplySender, ssz: &[u8]) {
    let _ = replies.try_send(Reply::chunk(None, ssz));
    let _ = replies.try_send(Reply::End);
}

impl Wire {
    pub(crate) fn on_streams(&mut self, peer: PeerId, event: FromStreams) {
        match event {
            FromStreams::Request { protocol, ssz, replies } => {
                self.metrics.request_received(protocol.method);
                self.on_request(peer, protocol, ssz, replies);
            }
            FromStreams::Chunk { id, protocol, context, ssz } => {
                self.metrics.response("chunk");
                self.on_chunk(peer, id, (protocol, context), ssz);
            }
            FromStreams::End { id } => {
                self.metrics.response("end");
                match self.asks.remove(&id) {
                    Some(Purpose::Node(request_id)) => {
                        self.emit(NetworkEvent::ResponseEnd { request_id, peer });
                    }
                    Some(Purpose::Goodbye) => self.part(peer),
                    _ => {}
                }
            }
            FromStreams::Failed { id, failure } => {
                self.metrics.response("failure");
                self.on_failed(peer, id, failure);
            }
            FromStreams::Fault(what) => self.report(peer, FAULT_DELTA, &what),
        }
    }

    fn on_request(&mut self, peer: PeerId, protocol: Protocol, ssz: Vec<u8>, replies: ReplySender) {
        match protocol.method {
            Method::Status => {
                match self.local.full_status() {
                    Some(status) => answer(&replies, protocol.cut(&status)),
                    None => {
                        let _ = replies.try_send(Reply::error(code::RESOURCE_UNAVAILABLE, "no status yet"));
                    }
                }
                self.on_status(peer, ssz);
            }
            Method::Ping => {
                answer(&replies, &self.local.metadata_seq.to_le_bytes());
                self.on_metadata_seq(peer, le_u64(&ssz));
            }
            Method::Metadata => {
                answer(&replies, &self.local.metadata(protocol.version));
            }
            Method::Goodbye => {
                answer(&replies, &0u64.to_le_bytes());
                self.emit(NetworkEvent::PeerGoodbye { peer, reason: le_u64(&ssz) });
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.leaving.get_or_insert(Instant::now() + PARTING);
                }
            }
            _ => {
                let inbound_id = self.requests.insert(replies);
                let event = NetworkEvent::InboundRequest { peer, inbound_id, protocol, ssz };
                if !self.emit_or_drop(event)
                    && let Some(replies) = self.requests.remove(inbound_id)
                {
                    let _ = replies.try_send(Reply::error(code::RESOURCE_UNAVAILABLE, "busy"));
                }
            }
        }
    }

    fn on_chunk(
        &mut self,
        peer: PeerId,
        id: OutboundId,
        (protocol, context): (Protocol, Option<[u8; 4]>),
        ssz: Vec<u8>,
    ) {
        match self.asks.get(&id) {
            Some(Purpose::Node(request_id)) => {
                let request_id = *request_id;
                self.emit(NetworkEvent::ResponseChunk { request_id, peer, protocol, context, ssz });
            }
            Some(Purpose::Status) => self.on_status(peer, ssz),
            Some(Purpose::Ping) => {
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.ping_failures = 0;
                }
                self.on_metadata_seq(peer, le_u64(&ssz));
            }
            Some(Purpose::Metadata) => self.on_metadata(peer, &ssz),
            Some(Purpose::Goodbye) | None => {}
        }
    }

    fn on_failed(&mut self, peer: PeerId, id: OutboundId, failure: ResponseFailure) {
        match self.asks.remove(&id) {
            Some(Purpose::Node(request_id)) => {
                self.emit(NetworkEvent::ResponseError { request_id, peer, failure });
            }
            Some(Purpose::Status) => {
                tracing::debug!(%peer, ?failure, "no status from peer");
                let seen = self.peers.get(&peer).is_none_or(|entry| entry.status_seen);
                match failure {
                    // One of two connections may be gone; the peer is asked on the other.
                    ResponseFailure::Disconnected if !seen && self.swarm.is_connected(&peer) => {
                        self.greet(peer);
                    }
                    ResponseFailure::Disconnected => {}
                    _ if seen => {}
                    _ => self.leave(peer, goodbye::UNVERIFIED_NETWORK),
                }
            }
            Some(Purpose::Ping) => {
                let Some(entry) = self.peers.get_mut(&peer) else { return };
                entry.ping_failures += 1;
                if entry.ping_failures >= PING_FAILURES_MAX {
                    self.leave(peer, goodbye::FAULT);
                }
            }
            Some(Purpose::Goodbye) => self.part(peer),
            Some(Purpose::Metadata) | None => {}
        }
    }

    /// The peer has heard our goodbye, or never will.
    fn part(&mut self, peer: PeerId) {
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    fn on_status(&mut self, peer: PeerId, mut status: Vec<u8>) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        if entry.leaving.is_some() {
            return;
        }
        if !entry.status_seen {
            entry.status_seen = true;
            entry.next_ping = Instant::now() + FIRST_PING;
        }
        // Lengths were held to those of the two versions when the message was read.
        let later = status.split_off(status.len().min(STATUS_LEN));
        let earliest_available_slot = (!later.is_empty()).then(|| le_u64(&later));
        self.emit(NetworkEvent::PeerStatus { peer, status, earliest_available_slot });
    }

    /// A peer's metadata is fetched when its number is not the one we know.
    fn on_metadata_seq(&mut self, peer: PeerId, seq: u64) {
        let Some(entry) = self.peers.get(&peer) else { return };
        if entry.metadata_seq.is_none_or(|known| known < seq) && entry.leaving.is_none() {
            self.ask(peer, Method::Metadata, Vec::new(), Purpose::Metadata);
        }
    }

    fn on_metadata(&mut self, peer: PeerId, ssz: &[u8]) {
        if ssz.get(16).is_some_and(|syncnets| u64::from(*syncnets) >> SYNC_COMMITTEE_SUBNET_COUNT != 0) {
            self.report(peer, FAULT_DELTA, "metadata with sync committee subnets that do not exist");
            return;
        }
        let seq = le_u64(ssz);
        let attnets = ssz.get(8..16).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let metadata = Metadata {
            seq,
            attnets,
            syncnets: ssz.get(16).copied(),
            custody_group_count: ssz.get(17..25).map(le_u64),
        };
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.metadata_seq = Some(seq);
            self.note_custody(peer, metadata.custody_group_count);
            self.emit(NetworkEvent::PeerMetadata { peer, metadata });
        }
    }
}
