//! What the core and the API tell the network.
//!
//! The core thread never waits for the network, since the network may be waiting for the core: it puts commands into
//! a bounded queue that a task empties. Overflow rule: what finds it full is dropped and counted. A lost verdict
//! means that a message is not forwarded, a lost request times out in sync, a lost status is sent again next slot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chain::{GenesisInfo, GossipMessage};
use network::{Announcement, MessageId, Method, NetworkHandle, PeerId, Subnet, Verdict};
use tokio::sync::mpsc;
use types::{Slot, Spec};

use crate::clock;
use crate::misbehaviour::Withholding;
use crate::wire_message::encode;
use transition::misc::compute_fork_digest;

/// Commands that may wait for the network.
const QUEUE_MAX: usize = 8192;

/// A command to the network.
#[derive(Debug)]
pub enum ToNetwork {
    /// What to do with a gossip message.
    Verdict(MessageId, PeerId, Verdict),
    /// Send this to the topic that it belongs to.
    Publish(GossipMessage),
    /// Ask a peer; the number comes back with the answer.
    Request(u64, PeerId, Method, Vec<u8>),
    /// Ask a peer for its Status.
    RefreshStatus(PeerId),
    /// What we tell peers of our chain.
    SetStatus(Vec<u8>),
    /// Change a peer's score.
    Report(PeerId, f64, &'static str),
    /// Send a peer away, with a reason of the Goodbye message.
    Disconnect(PeerId, u64),
    /// Join a topic.
    Subscribe(String),
    /// Leave a topic.
    Unsubscribe(String),
    /// Look for peers of a subnet.
    Discover(Subnet),
    /// What metadata and record say of subnets, custody and forks.
    Announce(Announcement),
    /// The earliest slot that we serve.
    SetEarliestSlot(Slot),
    /// The column subnets that we need peers of.
    SetColumnSubnets(BTreeSet<u64>),
}

/// The sending end.
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: mpsc::Sender<ToNetwork>,
    dropped: Arc<AtomicU64>,
    withholding: Option<Arc<Withholding>>,
}

impl Outbox {
    /// A queue, and its end for [`run`]. A node that misbehaves keeps some of what it should publish.
    pub fn new(withholding: Option<Arc<Withholding>>) -> (Self, mpsc::Receiver<ToNetwork>) {
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        (Self { queue, dropped: Arc::default(), withholding }, commands)
    }

    /// How many commands wait, and as many may.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.max_capacity() - self.queue.capacity(), self.queue.max_capacity())
    }

    /// Queues a command; drops it where the queue is full.
    pub fn send(&self, command: ToNetwork) {
        if let (Some(withholding), ToNetwork::Publish(message)) = (&self.withholding, &command)
            && !withholding.publishes(message)
        {
            return;
        }
        if self.queue.try_send(command).is_err() && !self.queue.is_closed() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "the network is slower than the node: commands are dropped");
            }
        }
    }
}

/// Carries commands out until the node drops its outboxes.
pub async fn run(
    spec: &'static Spec,
    genesis: GenesisInfo,
    handle: NetworkHandle,
    mut commands: mpsc::Receiver<ToNetwork>,
) {
    while let Some(command) = commands.recv().await {
        match command {
            ToNetwork::Verdict(id, source, verdict) => handle.report_validation(id, source, verdict).await,
            ToNetwork::Publish(message) => {
                let now = clock::slot_at(spec, genesis.time, clock::now());
                let slot = message.slot().unwrap_or(now);
                let digest = compute_fork_digest(spec, genesis.validators_root, slot.epoch(spec));
                let (topic, ssz) = encode(&message, spec.ctx_at_slot(slot));
                handle.publish(topic.name(digest), ssz).await;
            }
            ToNetwork::Request(number, peer, method, ssz) => handle.request(peer, method, ssz, number).await,
            ToNetwork::RefreshStatus(peer) => handle.refresh_status(peer).await,
            ToNetwork::SetStatus(ssz) => handle.set_status(ssz).await,
            ToNetwork::Report(peer, delta, why) => handle.report_peer(peer, delta, why).await,
            ToNetwork::Disconnect(peer, reason) => handle.disconnect(peer, reason).await,
            ToNetwork::Subscribe(topic) => handle.subscribe(topic).await,
            ToNetwork::Unsubscribe(topic) => handle.unsubscribe(topic).await,
            ToNetwork::Discover(subnet) => handle.discover_subnet(subnet).await,
            ToNetwork::Announce(announcement) => handle.announce(announcement).await,
            ToNetwork::SetEarliestSlot(slot) => handle.set_earliest_available_slot(slot.0).await,
            ToNetwork::SetColumnSubnets(subnets) => handle.set_column_subnets(subnets).await,
        }
    }
}
