//! From the network to the core: a thread that decodes what comes in, so that neither the network's tasks nor the
//! core spend time on it.
//!
//! Overflow rule: where the core's queue of gossip is full, a message is ignored; everything else waits here, and
//! with it the network, whose own rule then holds.

use std::sync::Arc;
use std::time::Instant;

use chain::GossipMessage;
use data_availability::Sidecar;
use network::{
    EnrSummary, ForkSchedule, MessageId, Method, NetworkEvent, PeerId, Protocol, Topic, Verdict, goodbye,
    node_id_of,
};
use ssz::SszExt;
use sync::RequestId;
use tokio::runtime;
use tokio::sync::mpsc;
use types::{BlobSidecar, DataColumnSidecar, ForkName, SignedBeaconBlock, Spec};

use crate::clock;
use crate::custody::columns_of_peer;
use crate::loads::Loads;
use crate::mailbox::{Gossip, Mailbox, Refused, Urgent};
use crate::metrics::{Counts, topic_name};
use crate::outbox::{Outbox, ToNetwork};
use crate::peers::Peers;
use crate::published::Published;
use crate::relevance::judge;
use crate::requests::request_error;
use crate::serve::Serve;
use crate::status::read_status;
use crate::wire_message::{Decoded, decode};

/// What the bridge needs of the node.
pub struct Bridge {
    /// The network's rules.
    pub spec: &'static Spec,
    /// The way to the core.
    pub mailbox: Mailbox,
    /// The way back to the network.
    pub outbox: Outbox,
    /// Who is connected.
    pub peers: Arc<Peers>,
    /// What the core shows.
    pub published: Arc<Published>,
    /// What is stored.
    pub loads: Arc<Loads>,
    /// Answers to peers.
    pub serve: Serve,
    /// The digests of all forks that are scheduled.
    pub schedule: Arc<ForkSchedule>,
    /// Counts what happens.
    pub counts: Arc<Counts>,
}

impl Bridge {
    /// Runs until the network or the core ends. For a thread of its own.
    pub fn run(self, runtime: &runtime::Handle, mut events: mpsc::Receiver<NetworkEvent>) {
        let _inside = runtime.enter();
        while let Some(event) = events.blocking_recv() {
            if let Err(Refused::Closed) = self.take(event) {
                return;
            }
        }
    }

    fn take(&self, event: NetworkEvent) -> Result<(), Refused> {
        match event {
            NetworkEvent::Gossip { topic, message_id, source, data } => {
                return self.gossip(&topic, message_id, source, &data);
            }
            NetworkEvent::PeerConnected { peer, direction, address, enr } => {
                tracing::debug!(%peer, ?direction, %address, "peer connected");
                let summary = enr.as_deref().map(EnrSummary::of);
                let groups = summary.as_ref().and_then(|summary| summary.custody_group_count);
                let number =
                    self.peers.connected(peer, direction, address, summary.map(|summary| summary.text));
                return self.custody(number, peer, groups);
            }
            NetworkEvent::PeerDisconnected { peer } => {
                tracing::debug!(%peer, "peer disconnected");
                if let Some(number) = self.peers.disconnected(&peer) {
                    return self.mailbox.urgent_waiting(Urgent::Gone(number));
                }
            }
            NetworkEvent::PeerStatus { peer, status, earliest_available_slot } => {
                return self.status(peer, &status, earliest_available_slot);
            }
            NetworkEvent::InboundRequest { inbound_id, protocol, ssz, .. } => {
                self.serve.answer(inbound_id, protocol, ssz);
            }
            NetworkEvent::ResponseChunk { request_id, peer, protocol, context, ssz } => {
                let answer = self.chunk(RequestId(request_id), peer, (protocol, context), &ssz);
                return self.mailbox.urgent_waiting(answer);
            }
            NetworkEvent::ResponseEnd { request_id, .. } => {
                return self.mailbox.urgent_waiting(Urgent::Done(RequestId(request_id)));
            }
            NetworkEvent::ResponseError { request_id, peer, failure } => {
                tracing::debug!(%peer, ?failure, "a request failed");
                let failed = Urgent::Failed(RequestId(request_id), request_error(&failure));
                return self.mailbox.urgent_waiting(failed);
            }
            NetworkEvent::IdentifyInfo { peer, agent } => self.peers.agent(&peer, agent),
            NetworkEvent::PeerGoodbye { peer, reason } => tracing::debug!(%peer, reason, "peer said goodbye"),
            NetworkEvent::PeerMetadata { peer, metadata } => {
                tracing::trace!(%peer, ?metadata, "peer metadata");
                if let Some(number) = self.peers.number(&peer)
                    && metadata.custody_group_count.is_some()
                {
                    return self.custody(number, peer, metadata.custody_group_count);
                }
            }
            NetworkEvent::ListenAddr { address } => tracing::debug!(%address, "listening"),
            NetworkEvent::LocalEnr { enr } => tracing::debug!(enr = enr.to_base64(), "our record changed"),
        }
        Ok(())
    }

    fn gossip(&self, topic: &str, message_id: MessageId, source: PeerId, data: &[u8]) -> Result<(), Refused> {
        let arrived = Instant::now();
        let refuse = |topic, verdict: chain::Verdict| {
            self.counts.refused(topic, verdict);
            let verdict = match verdict {
                chain::Verdict::Reject(_) => Verdict::Reject,
                _ => Verdict::Ignore,
            };
            self.outbox.send(ToNetwork::Verdict(message_id, source, verdict));
        };
        let known =
            Topic::parse(topic).and_then(|(digest, topic)| Some((self.schedule.fork_of(digest)?, topic)));
        let Some((fork, topic)) = known else {
            refuse("other", chain::Verdict::ignore("the topic is none of this network"));
            return Ok(());
        };
        let name = topic_name(topic);
        let message = match decode(topic, data, self.spec, fork) {
            Decoded::Message(message) if is_of_fork(self.spec, fork, &message) => message,
            Decoded::Message(_) | Decoded::Unused => {
                refuse(name, chain::Verdict::ignore("the message is of another fork, or of no use"));
                return Ok(());
            }
            Decoded::Malformed => {
                tracing::debug!(%source, ?topic, "gossip does not decode");
                refuse(name, chain::Verdict::reject("the message does not decode"));
                return Ok(());
            }
        };
        let gossip = Gossip { message, message_id, source, peer: self.peers.number(&source), arrived };
        let is_of_block =
            matches!(topic, Topic::BeaconBlock | Topic::BlobSidecar(_) | Topic::DataColumnSidecar(_));
        if is_of_block {
            return self.mailbox.urgent_waiting(Urgent::Block(gossip));
        }
        if self.mailbox.gossip(gossip).is_err() {
            refuse(name, chain::Verdict::ignore("too much gossip waits"));
        }
        Ok(())
    }

    /// Tells sync which columns a peer has.
    fn custody(&self, number: sync::PeerId, peer: PeerId, groups: Option<u64>) -> Result<(), Refused> {
        // A peer whose key is of another kind has no id to deal columns by.
        let Some(node_id) = node_id_of(&peer) else { return Ok(()) };
        if !self.schedule.is_scheduled(ForkName::Fulu) {
            return Ok(());
        }
        let columns = columns_of_peer(self.spec, &node_id, groups);
        self.peers.set_columns(&peer, &columns);
        self.mailbox.urgent_waiting(Urgent::Custody(number, columns))
    }

    fn status(&self, peer: PeerId, bytes: &[u8], earliest: Option<u64>) -> Result<(), Refused> {
        let Some(number) = self.peers.number(&peer) else { return Ok(()) };
        let Some((digest, status)) = read_status(bytes, earliest) else { return Ok(()) };
        let view = self.published.view();
        let now = clock::slot_at(self.spec, view.genesis.time, clock::now());
        match judge(&view, &self.loads, now, digest, &status) {
            Ok(()) => self.mailbox.urgent_waiting(Urgent::Status(number, status)),
            Err(why) => {
                tracing::info!(%peer, %why, "a peer is of no use to us");
                self.outbox.send(ToNetwork::Disconnect(peer, goodbye::IRRELEVANT_NETWORK));
                Ok(())
            }
        }
    }

    fn chunk(
        &self,
        id: RequestId,
        peer: PeerId,
        (protocol, context): (Protocol, Option<[u8; 4]>),
        ssz: &[u8],
    ) -> Urgent {
        let fork = self.schedule.fork_of_chunk(protocol, context);
        let ctx = fork.map(|fork| self.spec.ctx(fork));
        let decoded = ctx.and_then(|ctx| match protocol.method {
            Method::BlobsByRange | Method::BlobsByRoot => {
                let sidecar = BlobSidecar::from_ssz(ssz, ctx).ok()?;
                Some(Urgent::Sidecar(id, Sidecar::Blob(Arc::new(sidecar))))
            }
            Method::ColumnsByRange | Method::ColumnsByRoot => {
                let sidecar = DataColumnSidecar::from_ssz(ssz, ctx).ok()?;
                Some(Urgent::Sidecar(id, Sidecar::Column(Arc::new(sidecar))))
            }
            _ => Some(Urgent::Chunk(id, Arc::new(SignedBeaconBlock::from_ssz(ssz, ctx).ok()?))),
        });
        decoded.unwrap_or_else(|| {
            tracing::debug!(%peer, %protocol, "a chunk does not decode");
            Urgent::Failed(id, sync::RequestError::Malformed)
        })
    }
}

/// A message that names its slot goes to the topics of that slot's fork: on another fork's it would be decoded in a form
/// that is not its own. Other messages have one form.
fn is_of_fork(spec: &Spec, fork: ForkName, message: &GossipMessage) -> bool {
    message.slot().is_none_or(|slot| spec.fork_name_at_slot(slot) == fork)
}
