//! From the network to the core: a thread that decodes what comes in, so that neither the network's tasks nor the
//! core spend time on it.
//!
//! Overflow rule: where the core's queue of gossip is full, a message is ignored; everything else waits here, and
//! with it the network, whose own rule then holds.

use std::sync::Arc;

use chain::GossipMessage;
use network::{ForkSchedule, MessageId, NetworkEvent, PeerId, Protocol, Topic, Verdict, goodbye};
use ssz::SszExt;
use sync::RequestId;
use tokio::runtime;
use tokio::sync::mpsc;
use types::{ForkDigest, ForkName, SignedBeaconBlock, Spec};

use crate::clock;
use crate::loads::Loads;
use crate::mailbox::{Gossip, Mailbox, Refused, Urgent};
use crate::outbox::slot_in;
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
                self.peers.connected(peer, direction, address, enr.map(|enr| enr.to_base64()));
            }
            NetworkEvent::PeerDisconnected { peer } => {
                tracing::debug!(%peer, "peer disconnected");
                if let Some(number) = self.peers.disconnected(&peer) {
                    return self.mailbox.urgent_waiting(Urgent::Gone(number));
                }
            }
            NetworkEvent::PeerStatus { peer, status, .. } => return self.status(peer, &status),
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
                tracing::trace!(%peer, ?metadata, "peer metadata")
            }
            NetworkEvent::ListenAddr { address } => tracing::debug!(%address, "listening"),
            NetworkEvent::LocalEnr { enr } => tracing::debug!(enr = enr.to_base64(), "our record changed"),
        }
        Ok(())
    }

    fn gossip(&self, topic: &str, message_id: MessageId, source: PeerId, data: &[u8]) -> Result<(), Refused> {
        let verdict = |verdict| self.outbox.send(ToNetwork::Verdict(message_id, source, verdict));
        let known =
            Topic::parse(topic).and_then(|(digest, topic)| Some((self.schedule.fork_of(digest)?, topic)));
        let Some((fork, topic)) = known else {
            verdict(Verdict::Ignore);
            return Ok(());
        };
        let message = match decode(topic, data, self.spec, fork) {
            Decoded::Message(message) if is_of_fork(self.spec, fork, &message) => message,
            Decoded::Message(_) | Decoded::Unused => {
                verdict(Verdict::Ignore);
                return Ok(());
            }
            Decoded::Malformed => {
                tracing::debug!(%source, ?topic, "gossip does not decode");
                verdict(Verdict::Reject);
                return Ok(());
            }
        };
        let gossip = Gossip { message, message_id, source, peer: self.peers.number(&source) };
        if topic == Topic::BeaconBlock {
            return self.mailbox.urgent_waiting(Urgent::Block(gossip));
        }
        if self.mailbox.gossip(gossip).is_err() {
            verdict(Verdict::Ignore);
        }
        Ok(())
    }

    fn status(&self, peer: PeerId, bytes: &[u8]) -> Result<(), Refused> {
        let Some(number) = self.peers.number(&peer) else { return Ok(()) };
        let Some((digest, status)) = read_status(bytes) else { return Ok(()) };
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
        let fork = match context {
            Some(digest) => self.schedule.fork_of(ForkDigest::from(digest)),
            // The first version knows no forks.
            None => Some(ForkName::Phase0),
        };
        let block = fork.and_then(|fork| SignedBeaconBlock::from_ssz(ssz, self.spec.ctx(fork)).ok());
        match block {
            Some(block) => Urgent::Chunk(id, Arc::new(block)),
            None => {
                tracing::debug!(%peer, %protocol, "a block does not decode");
                Urgent::Failed(id, sync::RequestError::Malformed)
            }
        }
    }
}

/// A message that names its slot goes to the topics of that slot's fork: on another fork's it would be decoded in a form
/// that is not its own. Other messages have one form.
fn is_of_fork(spec: &Spec, fork: ForkName, message: &GossipMessage) -> bool {
    slot_in(message).is_none_or(|slot| spec.fork_name_at_slot(slot) == fork)
}
