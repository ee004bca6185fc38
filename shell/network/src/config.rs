//! What an operator or the node decides about the network. Plain data, all limits explicit.

use std::net::{IpAddr, Ipv4Addr};

use crate::key::SecretKey;

/// Everything [`crate::Network::start`] needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address that TCP and UDP bind to.
    pub listen_address: IpAddr,
    /// TCP port of libp2p; 0 lets the system choose (the bound one is reported).
    pub tcp_port: u16,
    /// UDP port of discv5; 0 lets the system choose.
    pub udp_port: u16,
    /// What the ENR says of our address.
    pub advertised: Advertised,
    /// The node key.
    pub secret_key: SecretKey,
    /// ENRs (`enr:…`) to start discovery from; those with a TCP port are dialled as well.
    pub bootnodes: Vec<String>,
    /// Multiaddrs that are dialled always, and again with backoff when they are lost.
    pub static_peers: Vec<String>,
    /// Below this many peers, discovery looks for more.
    pub target_peers: usize,
    /// Above this many peers, the worst is sent away (goodbye 129).
    pub max_peers: usize,
    /// Whether discv5 runs.
    pub discovery: bool,
    /// Gossipsub parameters.
    pub gossip: GossipParams,
    /// Req/resp limits.
    pub requests: RequestLimits,
    /// `MAX_PAYLOAD_SIZE`: greatest uncompressed payload of a gossip message or chunk, bytes.
    pub max_payload_size: usize,
    /// Agent string shown to peers by identify.
    pub agent: String,
    /// What we tell peers about ourselves before the first update.
    pub local: LocalState,
    /// How long a banned peer stays banned, seconds.
    pub ban_seconds: u64,
    /// Capacity of the event channel.
    pub event_queue: usize,
    /// Capacity of the command channel.
    pub command_queue: usize,
}

/// Address fields of the ENR. A missing field is left to discv5's observation of our own address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertised {
    /// IP address, loopback allowed.
    pub ip: Option<IpAddr>,
    /// TCP port if it differs from the bound one.
    pub tcp_port: Option<u16>,
    /// UDP port if it differs from the bound one.
    pub udp_port: Option<u16>,
}

/// The local facts that the shell answers by itself.
#[derive(Debug, Clone, Default)]
pub struct LocalState {
    /// SSZ `Status` (84 bytes); without it the handshake waits for `set_status`.
    pub status: Option<Vec<u8>>,
    /// SSZ `ENRForkID`; its first 4 bytes are our fork digest.
    pub eth2: [u8; 16],
    /// Metadata sequence number.
    pub metadata_seq: u64,
    /// Attestation subnet bitfield.
    pub attnets: [u8; 8],
    /// Sync committee subnet bitfield.
    pub syncnets: u8,
}

/// [Gossipsub parameters](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#the-gossip-domain-gossipsub),
/// none left to a library default.
#[derive(Debug, Clone)]
pub struct GossipParams {
    /// `D`: wanted mesh peers a topic.
    pub mesh_n: usize,
    /// `D_low`.
    pub mesh_n_low: usize,
    /// `D_high`.
    pub mesh_n_high: usize,
    /// `D_lazy`: peers told of message ids.
    pub gossip_lazy: usize,
    /// Heartbeat, milliseconds.
    pub heartbeat_ms: u64,
    /// `fanout_ttl`, seconds.
    pub fanout_ttl_seconds: u64,
    /// `mcache_len`, heartbeats.
    pub history_length: usize,
    /// `mcache_gossip`, heartbeats.
    pub history_gossip: usize,
    /// `SLOTS_PER_EPOCH` and the slot in milliseconds: `seen_ttl` is two epochs of them.
    pub slots_per_epoch: u64,
    /// `SLOT_DURATION_MS`.
    pub slot_ms: u64,
    /// `MESSAGE_DOMAIN_VALID_SNAPPY`.
    pub message_domain_valid_snappy: [u8; 4],
    /// Fork digest whose topics use the phase 0 message id; `None` if the network has no phase 0.
    pub phase0_digest: Option<[u8; 4]>,
    /// Peers behind one IP address before they lose score; `None` disables it, as loopback and private
    /// networks need.
    pub ip_colocation_max: Option<u32>,
}

impl GossipParams {
    /// `seen_ttl`, milliseconds: how long a message id is remembered.
    pub fn seen_ttl_ms(&self) -> u64 {
        self.slot_ms.saturating_mul(self.slots_per_epoch).saturating_mul(2)
    }
}

impl Default for GossipParams {
    fn default() -> Self {
        Self {
            mesh_n: 8,
            mesh_n_low: 6,
            mesh_n_high: 12,
            gossip_lazy: 6,
            heartbeat_ms: 700,
            fanout_ttl_seconds: 60,
            history_length: 6,
            history_gossip: 3,
            slots_per_epoch: 32,
            slot_ms: 12_000,
            message_domain_valid_snappy: [1, 0, 0, 0],
            phase0_digest: None,
            ip_colocation_max: None,
        }
    }
}

/// `tokens` may be spent at once and grow back evenly over `per_ms` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Burst and refill, at least 1.
    pub tokens: u32,
    /// Time in which all of them grow back, milliseconds.
    pub per_ms: u64,
}

/// Limits of the req/resp domain. A peer over its quota is served late, never refused: the specification
/// forbids an error or a close for rate limiting.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// Quota of blocks, each of by-range and by-root, counted by the blocks asked for.
    pub blocks: Quota,
    /// Quota of status, ping and metadata requests, each.
    pub small: Quota,
    /// `MAX_REQUEST_BLOCKS`.
    pub blocks_max: u64,
    /// `MAX_CONCURRENT_REQUESTS` of one method that we have open to one peer.
    pub outbound_concurrent_max: u32,
    /// Requests of one method that one peer may have open to us. One above the specification's 2, since a
    /// peer may see its stream's end before we have dropped it.
    pub inbound_concurrent_max: u32,
    /// Requests that may wait for a free stream to one peer; more fail as overloaded.
    pub outbound_queue_max: usize,
    /// Deadline for negotiation, for each chunk, and for the node to produce one, milliseconds.
    pub timeout_ms: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            blocks: Quota { tokens: 1024, per_ms: 10_000 },
            small: Quota { tokens: 10, per_ms: 10_000 },
            blocks_max: 1024,
            outbound_concurrent_max: 2,
            inbound_concurrent_max: 3,
            outbound_queue_max: 64,
            timeout_ms: 10_000,
        }
    }
}

impl Config {
    /// A configuration with the specification's values, all interfaces, port 9000 and this key.
    pub fn new(secret_key: SecretKey) -> Self {
        Self {
            listen_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            tcp_port: 9000,
            udp_port: 9000,
            advertised: Advertised::default(),
            secret_key,
            bootnodes: Vec::new(),
            static_peers: Vec::new(),
            target_peers: 64,
            max_peers: 80,
            discovery: true,
            gossip: GossipParams::default(),
            requests: RequestLimits::default(),
            max_payload_size: 10 * 1024 * 1024,
            agent: concat!("interlock/", env!("CARGO_PKG_VERSION")).to_owned(),
            local: LocalState::default(),
            ban_seconds: 3600,
            event_queue: 1024,
            command_queue: 1024,
        }
    }

    /// The same, bound and advertised on 127.0.0.1 with ports of the system's choice: local networks.
    pub fn loopback(secret_key: SecretKey) -> Self {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            listen_address: ip,
            tcp_port: 0,
            udp_port: 0,
            advertised: Advertised { ip: Some(ip), ..Advertised::default() },
            ..Self::new(secret_key)
        }
    }

    /// The first rule that this configuration breaks, in words.
    pub fn check(&self) -> Result<(), String> {
        let gossip = &self.gossip;
        let ordered = gossip.mesh_n_low <= gossip.mesh_n && gossip.mesh_n <= gossip.mesh_n_high;
        let rules = [
            (ordered && gossip.mesh_n_low > 0, "gossip mesh sizes must satisfy 0 < D_low <= D <= D_high"),
            (gossip.history_gossip <= gossip.history_length, "mcache_gossip must not exceed mcache_len"),
            (gossip.heartbeat_ms > 0 && gossip.seen_ttl_ms() > 0, "heartbeat and seen_ttl must be above 0"),
            (
                self.max_peers > 0 && self.target_peers <= self.max_peers,
                "target_peers must not exceed max_peers",
            ),
            (self.max_payload_size >= 1024, "max_payload_size must be at least 1024 bytes"),
            (self.event_queue > 0 && self.command_queue > 0, "queues must hold at least one entry"),
            (self.requests.blocks.tokens > 0 && self.requests.small.tokens > 0, "quotas must be above 0"),
            (self.requests.timeout_ms > 0, "the request timeout must be above 0"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err((*rule).to_owned()),
            None => Ok(()),
        }
    }
}

/// [`max_compressed_len`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#max_compressed_len)
pub(crate) fn max_compressed_len(n: usize) -> usize {
    32 + n + n / 6
}

/// [`max_message_size`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#max_message_size)
pub(crate) fn max_message_size(max_payload_size: usize) -> usize {
    (max_compressed_len(max_payload_size) + 1024).max(1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_their_own_rules_and_a_broken_mesh_is_named() {
        let mut config = Config::new(SecretKey::generate());
        assert_eq!(config.check(), Ok(()));
        config.gossip.mesh_n_low = 9;
        assert!(config.check().unwrap_err().contains("D_low"));
    }

    #[test]
    fn message_sizes_are_those_of_the_specification() {
        assert_eq!(max_compressed_len(10 * 1024 * 1024), 32 + 10_485_760 + 1_747_626);
        assert_eq!(max_message_size(1024), 1024 * 1024);
        assert_eq!(GossipParams::default().seen_ttl_ms(), 768_000);
    }
}
