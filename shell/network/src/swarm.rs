//! What the wire does about connections, gossip and identify.

use std::time::{Duration, Instant};

use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, MessageAcceptance};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, identify};

use crate::behaviour::BehaviourEvent;
use crate::dials;
use crate::event::{Direction, NetworkEvent, goodbye};
use crate::gossip::message_id::MessageId;
use crate::peers::Admission;
use crate::wire::Wire;

/// Longest agent string that is passed on, characters.
const AGENT_MAX: usize = 128;
/// How long discovery leaves alone a peer whose connection ended.
const REST_AFTER_LOSS: Duration = Duration::from_secs(5);
/// The same after a goodbye of either side.
const REST_AFTER_GOODBYE: Duration = Duration::from_secs(30);

impl Wire {
    pub(crate) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Reqresp(event)) => {
                self.on_streams(event.peer, event.event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            SwarmEvent::Behaviour(BehaviourEvent::Limits(never)) => match never {},
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::trace!(%peer_id, ?cause, "connection closed");
                self.on_disconnected(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                tracing::debug!(?peer_id, %error, "dial failed");
                self.dials.failed(connection_id, Instant::now());
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(%send_back_addr, %error, "inbound connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => self.emit(NetworkEvent::ListenAddr { address }),
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::error!(?reason, "the TCP listener is closed");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let now = Instant::now();
        let direction = if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
        if direction == Direction::Outbound {
            self.dials.succeeded(id, peer);
        }
        let (address, _) = dials::split_peer_id(endpoint.get_remote_address().clone());
        let admission = self.peers.connected(peer, id, direction, now);
        self.count_peers();
        match admission {
            // Of a simultaneous dial both sides may see the inbound connection first, and nobody greet.
            Admission::Duplicate => {
                let unknown = self.peers.get(&peer).is_some_and(|entry| !entry.status_seen);
                if unknown && direction == Direction::Outbound {
                    self.greet(peer);
                }
            }
            _ if self.stopping.is_some() => self.leave(peer, goodbye::SHUTDOWN),
            Admission::Banned => self.leave(peer, goodbye::BANNED),
            Admission::New => {
                let enr = self.discovery.find(&peer).map(Box::new);
                let count = enr.as_deref().and_then(|enr| crate::enr::fields(enr).custody_group_count);
                self.note_custody(peer, count);
                let score = self.peers.score(&peer, now);
                self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
                self.emit(NetworkEvent::PeerConnected { peer, direction, address, enr });
                if direction == Direction::Outbound {
                    self.greet(peer);
                }
                self.prune(now);
            }
        }
    }

    /// Sends one peer away if there are too many.
    fn prune(&mut self, now: Instant) {
        if self.peers.staying() > self.config.max_peers {
            let (dials, peers) = (&self.dials, &self.peers);
            let wanted = &self.config.column_subnets;
            let keep = |peer: &PeerId| dials.is_static(peer) || peers.is_last_of_column(peer, wanted);
            // Too many peers are worse than a column without one.
            let worst = peers.worst(now, keep).or_else(|| peers.worst(now, |peer| dials.is_static(peer)));
            if let Some(worst) = worst {
                self.leave(worst, goodbye::TOO_MANY_PEERS);
            }
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId) {
        let now = Instant::now();
        let gone = self.peers.disconnected(&peer, id);
        self.count_peers();
        if let Some(gone) = gone {
            // Who was sent away, or left by its own word, is not called back at once.
            let rest = match (gone.leaving.is_some(), self.dials.is_static(&peer)) {
                (true, false) => REST_AFTER_GOODBYE,
                (false, true) => Duration::ZERO,
                (true, true) | (false, false) => REST_AFTER_LOSS,
            };
            self.dials.lost(peer, rest, now);
            self.emit(NetworkEvent::PeerDisconnected { peer });
        }
    }

    fn count_peers(&self) {
        self.metrics.peers.set(i64::try_from(self.peers.len()).unwrap_or(i64::MAX));
    }

    fn on_identify(&mut self, event: identify::Event) {
        if let identify::Event::Received { peer_id: peer, info, .. } = event {
            let agent = info.agent_version.chars().take(AGENT_MAX).collect();
            self.emit(NetworkEvent::IdentifyInfo { peer, agent });
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source: source, message_id, message } => {
                self.metrics.gossip("received");
                let Ok(id) = <[u8; 20]>::try_from(message_id.0.as_slice()) else { return };
                let id = MessageId(id);
                let event = NetworkEvent::Gossip {
                    topic: message.topic.into_string(),
                    message_id: id,
                    source,
                    data: message.data,
                };
                let has_room = self.unjudged.note(id, Instant::now());
                if !has_room || !self.emit_or_drop(event) {
                    self.unjudged.judge(&id, Instant::now());
                    self.metrics.gossip("dropped");
                    let gossip = &mut self.swarm.behaviour_mut().gossip;
                    let ignore = MessageAcceptance::Ignore;
                    gossip.report_message_validation_result(&message_id, &source, ignore);
                }
            }
            gossipsub::Event::Subscribed { .. } => self.metrics.topics("joined"),
            gossipsub::Event::Unsubscribed { .. } => self.metrics.topics("left"),
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(%peer_id, "peer does not speak gossipsub");
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => tracing::debug!(%peer_id, "peer is slow"),
        }
    }
}
