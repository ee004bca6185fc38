//! What the network tells the node.

use libp2p::{Multiaddr, PeerId};

use crate::gossip::message_id::MessageId;
use crate::reqresp::protocol::Protocol;
use crate::reqresp::replies::InboundId;

/// [Goodbye reasons](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#goodbye-v1);
/// those from 128 are in common use among clients.
pub mod goodbye {
    /// The client shuts down.
    pub const SHUTDOWN: u64 = 1;
    /// The peer is on another network.
    pub const IRRELEVANT_NETWORK: u64 = 2;
    /// A fault or error.
    pub const FAULT: u64 = 3;
    /// The peer's network could not be verified.
    pub const UNVERIFIED_NETWORK: u64 = 128;
    /// Too many peers.
    pub const TOO_MANY_PEERS: u64 = 129;
    /// The peer's score is too low.
    pub const BAD_SCORE: u64 = 250;
    /// The peer is banned.
    pub const BANNED: u64 = 251;
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer dialled us.
    Inbound,
    /// We dialled the peer.
    Outbound,
}

/// The outcome of gossip validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Do not forward it, nobody is blamed.
    Ignore,
    /// Do not forward it, and its senders lose score.
    Reject,
}

/// A peer's `MetaData`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// `seq_number`.
    pub seq: u64,
    /// Attestation subnets.
    pub attnets: [u8; 8],
    /// Sync committee subnets; `None` from a peer that speaks version 1 only.
    pub syncnets: Option<u8>,
    /// Custody group count; `None` from a peer that does not speak version 3.
    pub custody_group_count: Option<u64>,
}

/// Why a request of ours brought no (further) chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseFailure {
    /// The peer did not negotiate, answer or continue in time.
    Timeout,
    /// The peer answered with an error chunk; [`crate::code`] names the codes.
    Refused {
        /// The result byte, 1 to 255.
        code: u8,
        /// The peer's words, at most 256 bytes, invalid UTF-8 replaced.
        message: String,
    },
    /// The peer broke the encoding or its bounds, with the reason.
    InvalidData(String),
    /// The peer speaks no version of the method.
    Unsupported,
    /// The connection is gone, or there never was one.
    Disconnected,
    /// Too many of our own requests wait for this peer.
    Overloaded,
}

/// Events, in the order they happened. See the crate's page for what happens when they are not read.
#[derive(Debug, Clone)]
pub enum NetworkEvent {
    /// A gossip message to validate: answer with `report_validation`.
    Gossip {
        /// Topic as on the wire, `/eth2/…/ssz_snappy`; [`crate::Topic::parse`] tells its kind and digest, and
        /// [`crate::ForkSchedule::fork_of`] the fork whose types it has.
        topic: String,
        /// Its id, to report the verdict under.
        message_id: MessageId,
        /// The peer it came from.
        source: PeerId,
        /// Uncompressed SSZ.
        data: Vec<u8>,
    },
    /// The first connection with a peer stands.
    PeerConnected {
        /// The peer.
        peer: PeerId,
        /// Who dialled.
        direction: Direction,
        /// The remote address.
        address: Multiaddr,
        /// Its ENR, if discovery knows it.
        enr: Option<Box<discv5::Enr>>,
    },
    /// The last connection with a peer is gone.
    PeerDisconnected {
        /// The peer.
        peer: PeerId,
    },
    /// A peer said goodbye; it is being disconnected.
    PeerGoodbye {
        /// The peer.
        peer: PeerId,
        /// Its reason, see [`goodbye`].
        reason: u64,
    },
    /// A peer's `Status`, from either side's request.
    PeerStatus {
        /// The peer.
        peer: PeerId,
        /// SSZ `Status` of version 1, 84 bytes.
        status: Vec<u8>,
        /// The earliest slot that it can serve, from a peer that speaks version 2.
        earliest_available_slot: Option<u64>,
    },
    /// A peer's metadata, new or changed.
    PeerMetadata {
        /// The peer.
        peer: PeerId,
        /// What it said.
        metadata: Metadata,
    },
    /// A peer's software.
    IdentifyInfo {
        /// The peer.
        peer: PeerId,
        /// Its agent string, cut to 128 characters.
        agent: String,
    },
    /// A request that the node must answer: `respond_chunk`…, then `respond_end` or `respond_error`.
    InboundRequest {
        /// The peer.
        peer: PeerId,
        /// To respond under.
        inbound_id: InboundId,
        /// Method and version asked in.
        protocol: Protocol,
        /// SSZ request.
        ssz: Vec<u8>,
    },
    /// One successful chunk of a response.
    ResponseChunk {
        /// The id the node gave.
        request_id: u64,
        /// Who answered.
        peer: PeerId,
        /// The version that was negotiated.
        protocol: Protocol,
        /// Fork digest of the chunk, for protocols that carry one; [`crate::ForkSchedule::fork_of_chunk`] tells
        /// the fork whose types the chunk has.
        context: Option<[u8; 4]>,
        /// Uncompressed SSZ.
        ssz: Vec<u8>,
    },
    /// The response is complete.
    ResponseEnd {
        /// The id the node gave.
        request_id: u64,
        /// Who answered.
        peer: PeerId,
    },
    /// The response failed; chunks delivered before stand.
    ResponseError {
        /// The id the node gave.
        request_id: u64,
        /// Who was asked.
        peer: PeerId,
        /// What went wrong.
        failure: ResponseFailure,
    },
    /// A new listening address.
    ListenAddr {
        /// The address, without a peer id.
        address: Multiaddr,
    },
    /// Our ENR changed.
    LocalEnr {
        /// The new record.
        enr: Box<discv5::Enr>,
    },
}
