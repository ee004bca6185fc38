//! What the node tells the network, and the handle it does so with.

use std::collections::BTreeSet;
use std::sync::Arc;

use discv5::Enr;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};

use crate::event::Verdict;
use crate::gossip::message_id::MessageId;
use crate::reqresp::protocol::Method;
use crate::reqresp::replies::{InboundId, OpenRequests, Reply, RespondError};

/// A subnet to find peers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subnet {
    /// Attestation subnet, 0 to 63.
    Attestation(u8),
    /// Sync committee subnet, 0 to 3.
    Sync(u8),
    /// Column subnet: peers that have one of its columns in custody.
    DataColumn(u64),
}

/// What the node tells of itself in its metadata and its record, which must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Sequence number of the metadata, one higher whenever the rest of the metadata changes.
    pub metadata_seq: u64,
    /// Attestation subnet bitfield.
    pub attnets: [u8; 8],
    /// Sync committee subnet bitfield.
    pub syncnets: u8,
    /// Custody group count; `None` leaves what was announced.
    pub custody_group_count: Option<u64>,
    /// SSZ `ENRForkID`, for the record alone.
    pub eth2: [u8; 16],
    /// Digest of the next fork, for the record alone; `None` leaves what was announced.
    pub next_fork_digest: Option<[u8; 4]>,
}

#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(String),
    Unsubscribe(String),
    Publish { topic: String, ssz: Vec<u8> },
    ReportValidation { message_id: MessageId, source: PeerId, verdict: Verdict },
    Request { peer: PeerId, method: Method, ssz: Vec<u8>, request_id: u64 },
    RefreshStatus(PeerId),
    SetStatus(Vec<u8>),
    SetMetadata { seq: u64, attnets: [u8; 8], syncnets: u8 },
    SetEarliestSlot(u64),
    SetColumnSubnets(BTreeSet<u64>),
    Announce(Announcement),
    UpdateEnr { eth2: [u8; 16], attnets: [u8; 8], syncnets: Option<u8> },
    Disconnect { peer: PeerId, reason: u64 },
    ReportPeer { peer: PeerId, delta: f64, why: &'static str },
    Dial(Multiaddr),
    DiscoverSubnet(Subnet),
    LocalEnr(oneshot::Sender<Enr>),
    Shutdown(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Facts {
    peer_id: PeerId,
    listen_address: Multiaddr,
    udp_port: Option<u16>,
    enr: Enr,
}

/// A cloneable handle to a running network. Commands after its end are dropped silently, the event
/// channel's end tells. Every command waits for room in the bounded command channel.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    requests: OpenRequests,
    facts: Arc<Facts>,
}

impl Handle {
    pub(crate) fn new(
        commands: mpsc::Sender<Command>,
        requests: OpenRequests,
        (peer_id, listen_address): (PeerId, Multiaddr),
        (enr, udp_port): (Enr, Option<u16>),
    ) -> Self {
        let facts = Arc::new(Facts { peer_id, listen_address, udp_port, enr });
        Self { commands, requests, facts }
    }

    async fn send(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// Our peer id.
    pub fn peer_id(&self) -> PeerId {
        self.facts.peer_id
    }

    /// The bound TCP address, without a peer id.
    pub fn listen_address(&self) -> &Multiaddr {
        &self.facts.listen_address
    }

    /// The bound UDP port; `None` without discovery.
    pub fn udp_port(&self) -> Option<u16> {
        self.facts.udp_port
    }

    /// Our ENR as it was at the start; [`Self::local_enr`] asks for the present one.
    pub fn initial_enr(&self) -> &Enr {
        &self.facts.enr
    }

    /// Our present ENR; the initial one if the network has ended.
    pub async fn local_enr(&self) -> Enr {
        let (reply, answer) = oneshot::channel();
        self.send(Command::LocalEnr(reply)).await;
        answer.await.unwrap_or_else(|_| self.facts.enr.clone())
    }

    /// Joins a topic, given as on the wire. Topics that are not `/eth2/…/ssz_snappy` are logged and dropped.
    pub async fn subscribe(&self, topic: String) {
        self.send(Command::Subscribe(topic)).await;
    }

    /// Leaves a topic.
    pub async fn unsubscribe(&self, topic: String) {
        self.send(Command::Unsubscribe(topic)).await;
    }

    /// Publishes uncompressed SSZ. To have no peer to send it to is not an error.
    pub async fn publish(&self, topic: String, ssz: Vec<u8>) {
        self.send(Command::Publish { topic, ssz }).await;
    }

    /// The verdict on a gossip message; without one it is never forwarded.
    pub async fn report_validation(&self, message_id: MessageId, source: PeerId, verdict: Verdict) {
        self.send(Command::ReportValidation { message_id, source, verdict }).await;
    }

    /// Asks a peer, offering all versions of the method, newest first. The answer comes as events with
    /// `request_id`: any number of chunks, then exactly one end or error.
    pub async fn request(&self, peer: PeerId, method: Method, ssz: Vec<u8>, request_id: u64) {
        self.send(Command::Request { peer, method, ssz, request_id }).await;
    }

    /// Sends our status to a peer again; its answer comes as `PeerStatus`.
    pub async fn refresh_status(&self, peer: PeerId) {
        self.send(Command::RefreshStatus(peer)).await;
    }

    /// Sets the SSZ `Status` we answer and greet with.
    pub async fn set_status(&self, ssz: Vec<u8>) {
        self.send(Command::SetStatus(ssz)).await;
    }

    /// Sets our `MetaData`, for pings and metadata requests.
    pub async fn set_metadata(&self, seq: u64, attnets: [u8; 8], syncnets: u8) {
        self.send(Command::SetMetadata { seq, attnets, syncnets }).await;
    }

    /// Sets the earliest slot that we can serve, which a `Status` has from version 2 on.
    pub async fn set_earliest_available_slot(&self, slot: u64) {
        self.send(Command::SetEarliestSlot(slot)).await;
    }

    /// Sets the column subnets that the node needs peers of, as in [`crate::Config::column_subnets`].
    pub async fn set_column_subnets(&self, subnets: BTreeSet<u64>) {
        self.send(Command::SetColumnSubnets(subnets)).await;
    }

    /// Sets all that metadata and record say of forks, subnets and custody, in one step. Discovery then looks for
    /// peers with this fork digest.
    pub async fn announce(&self, announcement: Announcement) {
        self.send(Command::Announce(announcement)).await;
    }

    /// Sets the consensus fields of our ENR; discovery then looks for peers with this fork digest.
    pub async fn update_enr(&self, eth2: [u8; 16], attnets: [u8; 8], syncnets: Option<u8>) {
        self.send(Command::UpdateEnr { eth2, attnets, syncnets }).await;
    }

    /// Says goodbye to a peer (reasons in [`crate::goodbye`]) and closes its connections.
    pub async fn disconnect(&self, peer: PeerId, reason: u64) {
        self.send(Command::Disconnect { peer, reason }).await;
    }

    /// Changes a peer's score (0 at first, -100 bans it, decays by half in ten minutes).
    pub async fn report_peer(&self, peer: PeerId, delta: f64, why: &'static str) {
        self.send(Command::ReportPeer { peer, delta, why }).await;
    }

    /// Dials an address once.
    pub async fn dial(&self, address: Multiaddr) {
        self.send(Command::Dial(address)).await;
    }

    /// Looks for peers on a subnet and dials them.
    pub async fn discover_subnet(&self, subnet: Subnet) {
        self.send(Command::DiscoverSubnet(subnet)).await;
    }

    /// Says goodbye to everyone and closes; returns when it is done, within about a second.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        self.send(Command::Shutdown(done)).await;
        let _ = wait.await;
    }

    /// Sends one chunk of a response, with the fork digest if the protocol carries one. Waits while the
    /// peer is slow.
    pub async fn respond_chunk(
        &self,
        id: InboundId,
        context: Option<[u8; 4]>,
        ssz: &[u8],
    ) -> Result<(), RespondError> {
        let sender = self.requests.get(id)?;
        sender.send(Reply::chunk(context, ssz)).await.map_err(|_| self.forget(id))
    }

    /// [`Self::respond_chunk`] for a thread outside the runtime.
    pub fn respond_chunk_blocking(
        &self,
        id: InboundId,
        context: Option<[u8; 4]>,
        ssz: &[u8],
    ) -> Result<(), RespondError> {
        let sender = self.requests.get(id)?;
        sender.blocking_send(Reply::chunk(context, ssz)).map_err(|_| self.forget(id))
    }

    /// Ends a response.
    pub async fn respond_end(&self, id: InboundId) -> Result<(), RespondError> {
        let sender = self.requests.remove(id).ok_or(RespondError(id))?;
        sender.send(Reply::End).await.map_err(|_| RespondError(id))
    }

    /// [`Self::respond_end`] for a thread outside the runtime.
    pub fn respond_end_blocking(&self, id: InboundId) -> Result<(), RespondError> {
        let sender = self.requests.remove(id).ok_or(RespondError(id))?;
        sender.blocking_send(Reply::End).map_err(|_| RespondError(id))
    }

    /// Ends a response with an error chunk (codes in [`crate::code`], message cut to 256 bytes).
    pub async fn respond_error(&self, id: InboundId, code: u8, message: &str) -> Result<(), RespondError> {
        let sender = self.requests.remove(id).ok_or(RespondError(id))?;
        sender.send(Reply::error(code, message)).await.map_err(|_| RespondError(id))
    }

    /// [`Self::respond_error`] for a thread outside the runtime.
    pub fn respond_error_blocking(&self, id: InboundId, code: u8, message: &str) -> Result<(), RespondError> {
        let sender = self.requests.remove(id).ok_or(RespondError(id))?;
        sender.blocking_send(Reply::error(code, message)).map_err(|_| RespondError(id))
    }

    fn forget(&self, id: InboundId) -> RespondError {
        self.requests.remove(id);
        RespondError(id)
    }
}
