//! The one task that owns the swarm: waits for commands, swarm events, discovery and its heartbeat.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, PublishError};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::command::{Announcement, Command};
use crate::config::{Config, LocalState};
use crate::dials::{self, Dials};
use crate::discovery::{Discovery, Found};
use crate::enr::Fields;
use crate::event::{NetworkEvent, ResponseFailure, Verdict, goodbye};
use crate::gossip::config::{GRAYLIST_THRESHOLD, topic_score_params};
use crate::gossip::message_id::MessageId;
use crate::gossip::topic::Topic;
use crate::gossip::unjudged::Unjudged;
use crate::metrics::Metrics;
use crate::peers::{BAN_SCORE, PeerBook};
use crate::reqresp::peer_streams::OutboundId;
use crate::reqresp::protocol::Method;
use crate::reqresp::replies::OpenRequests;

const HEARTBEAT: Duration = Duration::from_millis(250);
/// Events that may wait for the node before the swarm waits too.
const PENDING_MAX: usize = 64;
/// Events that may wait before commands wait too: a command can cause one at most.
const PENDING_MAX_COMMANDS: usize = 1024;
/// After goodbye, a connection lives this much longer at most.
const GOODBYE_GRACE: Duration = Duration::from_millis(500);
/// A shutdown takes this long at most.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(900);
/// A peer that dialled us and shows no status in this time is not an Ethereum peer.
const STATUS_DEADLINE: Duration = Duration::from_secs(15);
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// What a message costs that turns out invalid when gossipsub has forgotten it.
const LATE_REJECT_PENALTY: f64 = -20.0;

/// What a request of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Node(u64),
    Status,
    Ping,
    Metadata,
    Goodbye,
}

#[derive(Debug)]
pub(crate) struct Stopping {
    pub(crate) deadline: Instant,
    pub(crate) done: Vec<oneshot::Sender<()>>,
}

/// The state of the running network.
pub(crate) struct Wire {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) discovery: Discovery,
    pub(crate) peers: PeerBook,
    pub(crate) dials: Dials,
    pub(crate) local: LocalState,
    pub(crate) metrics: Metrics,
    pub(crate) requests: OpenRequests,
    pub(crate) asks: HashMap<OutboundId, Purpose>,
    pub(crate) unjudged: Unjudged,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<NetworkEvent>,
    /// Events that must not be lost and found the channel full.
    pub(crate) pending: VecDeque<NetworkEvent>,
    pub(crate) stopping: Option<Stopping>,
    pub(crate) config: Config,
}

enum Step<'a> {
    Room(Option<mpsc::Permit<'a, NetworkEvent>>),
    Command(Option<Command>),
    Swarm(Box<SwarmEvent<BehaviourEvent>>),
    Found(Found),
    Heartbeat,
    NobodyListens,
}

impl Wire {
    pub(crate) async fn run(mut self) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = self.events.clone();
        let listeners: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        for address in listeners {
            self.emit(NetworkEvent::ListenAddr { address });
        }
        loop {
            let stopping = self.stopping.is_some();
            let room = self.pending.len() < PENDING_MAX || stopping;
            let step = tokio::select! {
                permit = events.reserve(), if !self.pending.is_empty() => Step::Room(permit.ok()),
                () = events.closed(), if !stopping => Step::NobodyListens,
                command = self.commands.recv(), if self.pending.len() < PENDING_MAX_COMMANDS && !stopping => {
                    Step::Command(command)
                }
                event = self.swarm.select_next_some(), if room => Step::Swarm(Box::new(event)),
                found = self.discovery.next(), if room && !stopping => Step::Found(found),
                _ = heartbeat.tick() => Step::Heartbeat,
            };
            match step {
                Step::Room(permit) => {
                    if let (Some(permit), Some(event)) = (permit, self.pending.pop_front()) {
                        permit.send(event);
                    }
                }
                Step::Command(Some(command)) => self.on_command(command),
                Step::Command(None) | Step::NobodyListens => self.stop(None),
                Step::Swarm(event) => self.on_swarm_event(*event),
                Step::Found(found) => self.on_found(found),
                Step::Heartbeat => self.on_heartbeat(Instant::now()),
            }
            if self.is_stopped() {
                break;
            }
        }
        // Only when the sockets are closed is it done: who waits may want to bind the ports again.
        let waiting = self.stopping.take().into_iter().flat_map(|stopping| stopping.done);
        drop(self);
        for done in waiting {
            let _ = done.send(());
        }
    }

    fn is_stopped(&self) -> bool {
        let Some(stopping) = &self.stopping else { return false };
        let quiet = self.swarm.connected_peers().next().is_none() && self.pending.is_empty();
        quiet || Instant::now() >= stopping.deadline
    }

    /// Hands an event to the node. It waits here if the channel is full; after the stop it may be lost.
    pub(crate) fn emit(&mut self, event: NetworkEvent) {
        if !self.pending.is_empty() {
            self.pending.push_back(event);
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.pending.push_back(event);
        }
    }

    /// Hands an event to the node only if it has room at once.
    pub(crate) fn emit_or_drop(&mut self, event: NetworkEvent) -> bool {
        self.pending.is_empty() && self.events.try_send(event).is_ok()
    }

    /// Asks a peer on our own behalf or the node's.
    pub(crate) fn ask(&mut self, peer: PeerId, method: Method, ssz: Vec<u8>, purpose: Purpose) {
        self.metrics.request_sent(method);
        let id = self.swarm.behaviour_mut().reqresp.ask(peer, method, ssz);
        self.asks.insert(id, purpose);
    }

    /// Sends our status, if we have one.
    pub(crate) fn greet(&mut self, peer: PeerId) {
        if let Some(status) = self.local.full_status() {
            self.ask(peer, Method::Status, status, Purpose::Status);
        }
    }

    /// Says goodbye; the connections close when the peer has heard it, or soon after.
    pub(crate) fn leave(&mut self, peer: PeerId, reason: u64) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        if entry.leaving.is_some() {
            return;
        }
        entry.leaving = Some(Instant::now() + GOODBYE_GRACE);
        tracing::debug!(%peer, reason, "saying goodbye");
        self.ask(peer, Method::Goodbye, reason.to_le_bytes().to_vec(), Purpose::Goodbye);
    }

    /// Changes a peer's score, and bans it if that is too low.
    pub(crate) fn report(&mut self, peer: PeerId, delta: f64, why: &str) {
        let now = Instant::now();
        let score = self.peers.report(peer, delta, now);
        tracing::debug!(%peer, delta, score, why, "peer reported");
        self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
        if score <= BAN_SCORE {
            tracing::info!(%peer, why, "peer banned");
            self.peers.ban(peer, now + Duration::from_secs(self.config.ban_seconds));
            self.leave(peer, goodbye::BAD_SCORE);
        }
    }

    fn stop(&mut self, done: Option<oneshot::Sender<()>>) {
        let deadline = Instant::now() + SHUTDOWN_GRACE;
        let stopping = self.stopping.get_or_insert(Stopping { deadline, done: Vec::new() });
        stopping.done.extend(done);
        for peer in self.peers.ids() {
            self.leave(peer, goodbye::SHUTDOWN);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Subscribe(topic) => self.subscribe(topic),
            Command::Unsubscribe(topic) => {
                self.swarm.behaviour_mut().gossip.unsubscribe(&IdentTopic::new(topic));
            }
            Command::Publish { topic, ssz } => self.publish(topic, ssz),
            Command::ReportValidation { message_id, source, verdict } => {
                self.report_validation(message_id, source, verdict);
            }
            Command::Request { peer, method, ssz, request_id } => {
                let leaving = self.peers.get(&peer).is_some_and(|entry| entry.leaving.is_some());
                if leaving {
                    let failure = ResponseFailure::Disconnected;
                    self.emit(NetworkEvent::ResponseError { request_id, peer, failure });
                } else {
                    self.ask(peer, method, ssz, Purpose::Node(request_id));
                }
            }
            Command::RefreshStatus(peer) => {
                if self.peers.get(&peer).is_some_and(|entry| entry.leaving.is_none()) {
                    self.greet(peer);
                }
            }
            Command::SetStatus(status) => self.set_status(status),
            Command::SetMetadata { seq, attnets, syncnets } => {
                self.local.metadata_seq = seq;
                self.local.attnets = attnets;
                self.local.syncnets = syncnets;
            }
            Command::SetEarliestSlot(slot) => self.local.earliest_available_slot = slot,
            Command::SetColumnSubnets(subnets) => self.config.column_subnets = subnets,
            Command::Announce(announcement) => self.announce(&announcement),
            Command::UpdateEnr { eth2, attnets, syncnets } => {
                let old = self.discovery.fields();
                let syncnets = syncnets.unwrap_or(old.syncnets);
                self.update_record(Fields { eth2: Some(eth2), attnets, syncnets, ..old });
            }
            Command::Disconnect { peer, reason } => self.leave(peer, reason),
            Command::ReportPeer { peer, delta, why } => self.report(peer, delta, why),
            Command::Dial(address) => self.dial_once(address),
            Command::DiscoverSubnet(subnet) => self.discovery.search(subnet),
            Command::LocalEnr(reply) => {
                let _ = reply.send(self.discovery.local_enr());
            }
            Command::Shutdown(done) => self.stop(Some(done)),
        }
    }

    /// Notes which columns a peer has in custody, where it says how many.
    pub(crate) fn note_custody(&mut self, peer: PeerId, groups: Option<u64>) {
        let node_id = crate::enr::node_id_of(&peer);
        if let (Some(entry), Some(groups), Some(node_id)) = (self.peers.get_mut(&peer), groups, node_id) {
            entry.columns = self.config.custody.subnets_of(&node_id, groups);
        }
    }

    fn announce(&mut self, announcement: &Announcement) {
        let Announcement { attnets, syncnets, eth2, .. } = *announcement;
        self.local.metadata_seq = announcement.metadata_seq;
        self.local.attnets = attnets;
        self.local.syncnets = syncnets;
        let custody = announcement.custody_group_count.or(self.local.custody_group_count);
        self.local.custody_group_count = custody;
        let old = self.discovery.fields();
        let next_fork_digest = announcement.next_fork_digest.or(old.next_fork_digest);
        let eth2 = Some(eth2);
        self.update_record(Fields {
            eth2,
            attnets,
            syncnets,
            custody_group_count: custody,
            next_fork_digest,
        });
    }

    fn update_record(&mut self, fields: Fields) {
        if self.discovery.update(fields) {
            self.emit_local_enr();
        }
    }

    fn subscribe(&mut self, name: String) {
        let kind = Topic::parse(&name).map(|(_, topic)| topic);
        let topic = IdentTopic::new(name);
        let params = topic_score_params(&self.config.gossip, kind);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if let Err(error) = gossip.set_topic_params(topic.clone(), params) {
            tracing::warn!(%topic, error, "no score parameters for this topic");
        }
        if let Err(error) = gossip.subscribe(&topic) {
            tracing::warn!(%topic, ?error, "cannot subscribe");
        }
    }

    fn publish(&mut self, name: String, ssz: Vec<u8>) {
        let topic = IdentTopic::new(name);
        match self.swarm.behaviour_mut().gossip.publish(topic.hash(), ssz) {
            Ok(_) => self.metrics.gossip("published"),
            // A first node of a network, and one that publishes what it also received, do nothing wrong.
            Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => {
                self.metrics.gossip("unsent");
            }
            Err(error) => {
                self.metrics.gossip("unsent");
                tracing::warn!(%topic, %error, "a message could not be published");
            }
        }
    }

    /// Tells gossipsub the verdict upon a message. Where it comes too late to forward the message, a verdict against
    /// the sender counts all the same.
    fn report_validation(&mut self, id: MessageId, source: PeerId, verdict: Verdict) {
        if !self.unjudged.judge(&id, Instant::now()) {
            self.metrics.gossip("late");
            if verdict == Verdict::Reject {
                self.report(source, LATE_REJECT_PENALTY, "an invalid message, found so late");
            }
            return;
        }
        let (acceptance, kind) = match verdict {
            Verdict::Accept => (MessageAcceptance::Accept, "accepted"),
            Verdict::Ignore => (MessageAcceptance::Ignore, "ignored"),
            Verdict::Reject => (MessageAcceptance::Reject, "rejected"),
        };
        let id = gossipsub::MessageId::new(&id.0);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let in_time = gossip.report_message_validation_result(&id, &source, acceptance);
        self.metrics.gossip(if in_time { kind } else { "late" });
    }

    fn set_status(&mut self, status: Vec<u8>) {
        if status.len() != 84 {
            tracing::error!(length = status.len(), "a Status has 84 bytes; this one is not used");
            return;
        }
        let first = self.local.status.replace(status).is_none();
        if first {
            for peer in self.peers.ids() {
                if self.peers.get(&peer).is_some_and(|entry| !entry.status_seen) {
                    self.greet(peer);
                }
            }
        }
    }

    fn dial_once(&mut self, address: Multiaddr) {
        let (address, peer) = dials::split_peer_id(address);
        if peer.is_some_and(|peer| self.peers.get(&peer).is_some()) {
            return;
        }
        if let Some(opts) = dials::options(peer, vec![address]) {
            self.dial(opts);
        }
    }

    fn dial(&mut self, opts: libp2p::swarm::dial_opts::DialOpts) {
        let (id, peer) = (opts.connection_id(), opts.get_peer_id());
        self.metrics.dials.inc();
        tracing::debug!(?peer, "dialling");
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(?peer, %error, "dial not started");
            self.dials.failed(id, Instant::now());
        }
    }

    pub(crate) fn emit_local_enr(&mut self) {
        let enr = Box::new(self.discovery.local_enr());
        self.emit(NetworkEvent::LocalEnr { enr });
    }

    fn on_found(&mut self, found: Found) {
        match found {
            Found::RecordChanged => self.emit_local_enr(),
            Found::Candidates(candidates) => {
                let now = Instant::now();
                tracing::debug!(peers = ?candidates.iter().map(|candidate| candidate.peer).collect::<Vec<_>>(), "discovered");
                for candidate in candidates {
                    let here = self.peers.get(&candidate.peer).is_some();
                    if !here && !self.peers.is_banned(&candidate.peer, now) {
                        self.metrics.discovered.inc();
                        self.dials.offer(candidate, now);
                    }
                }
                self.dial_due(now);
            }
        }
    }

    fn dial_due(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        let peers = &self.peers;
        let mut due = self.dials.due_statics(now, |peer| peers.get(peer).is_some());
        let counts = (peers.staying(), self.config.target_peers, self.config.max_peers);
        let unwanted = |peer: &PeerId| peers.get(peer).is_some() || peers.is_banned(peer, now);
        due.extend(self.dials.due_candidates(counts, unwanted));
        for opts in due {
            self.dial(opts);
        }
    }

    fn on_heartbeat(&mut self, now: Instant) {
        for id in self.peers.duplicates(now) {
            self.swarm.close_connection(id);
        }
        for peer in self.peers.ids() {
            self.tend(peer, now);
        }
        let bans = self.peers.expire_bans(now);
        self.metrics.bans.set(i64::try_from(bans).unwrap_or(i64::MAX));
        self.requests.sweep();
        self.unjudged.expire(now);
        let staying = self.peers.staying();
        self.discovery.set_hunger(staying < self.config.target_peers, staying == 0);
        self.dial_due(now);
    }

    /// What time alone makes due for one peer.
    fn tend(&mut self, peer: PeerId, now: Instant) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        if let Some(close_at) = entry.leaving {
            if close_at <= now {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            return;
        }
        if entry.status_seen && entry.next_ping <= now {
            entry.next_ping = now + PING_INTERVAL;
            let seq = self.local.metadata_seq.to_le_bytes().to_vec();
            self.ask(peer, Method::Ping, seq, Purpose::Ping);
            return;
        }
        let mute = !entry.status_seen && now.saturating_duration_since(entry.since) > STATUS_DEADLINE;
        if mute && self.local.status.is_some() {
            self.leave(peer, goodbye::UNVERIFIED_NETWORK);
            return;
        }
        let score = self.swarm.behaviour().gossip.peer_score(&peer);
        if score.is_some_and(|score| score < GRAYLIST_THRESHOLD) {
            tracing::info!(%peer, ?score, "gossip score too low");
            self.leave(peer, goodbye::BAD_SCORE);
        }
    }
}
