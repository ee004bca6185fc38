//! From the network to the core: a thread that decodes what comes in, so that neither the network's tasks nor the
//! core spend time on it.
//!
//! Overflow rule: where the core's queue of gossip is full, a message is ignored; everything else waits here, and
//! with it the network, whose own rule then holds.

use std::sync::Arc;

use network::{MessageId, NetworkEvent, PeerId, Protocol, Verdict, goodbye};
use ssz::SszExt;
use sync::RequestId;
use tokio::runtime;
use tokio::sync::mpsc;
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkDigest, ForkName, Root, SignedBeaconBlock, Spec};

use crate::clock;
use crate::gossip_names::Topic;
use crate::loads::Loads;
use crate::mailbox::{Gossip, Mailbox, Refused, Urgent};
use crate::outbox::{Outbox, ToNetwork};
use crate::peers::Peers;
use crate::published::Published;
use crate::relevance::judge;
use crate::requests::request_error;
use crate::serve::Serve;
use crate::status::{fork_digest_at, read_status};
use crate::wire_message::decode;

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
    pub digests: ForkDigests,
}

/// The forks of a network by their digests.
#[derive(Clone, Debug)]
pub struct ForkDigests(Vec<(ForkDigest, ForkName)>);

impl ForkDigests {
    /// Those of the forks that are scheduled.
    pub fn new(spec: &Spec, genesis_validators_root: Root) -> Self {
        let scheduled = ForkName::ALL.into_iter().filter(|fork| spec.fork_epoch(*fork) != FAR_FUTURE_EPOCH);
        let digest =
            |fork: ForkName| (fork_digest_at(spec, genesis_validators_root, spec.fork_epoch(fork)), fork);
        Self(scheduled.map(digest).collect())
    }

    /// The fork with a digest.
    pub fn fork(&self, digest: ForkDigest) -> Option<ForkName> {
        // Forks that share an epoch share a digest, and the last of them is the one that rules.
        self.0.iter().rev().find(|(known, _)| *known == digest).map(|(_, fork)| *fork)
    }
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
        let known = Topic::parse(topic).and_then(|(digest, topic)| Some((self.digests.fork(digest)?, topic)));
        let Some((fork, topic)) = known else {
            verdict(Verdict::Ignore);
            return Ok(());
        };
        let Some(message) = decode(topic, data, self.spec.ctx(fork)) else {
            tracing::debug!(%source, ?topic, "gossip does not decode");
            verdict(Verdict::Reject);
            return Ok(());
        };
        let gossip = Gossip { message, message_id, source, peer: self.peers.number(&source) };
        if topic == Topic::Block {
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
            Some(digest) => self.digests.fork(ForkDigest::from(digest)),
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
