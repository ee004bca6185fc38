//! What an operator or the node decides about the network. Plain data, all limits explicit.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use types::Spec;

use crate::custody::ColumnCustody;
use crate::forks::ForkSchedule;
use crate::gossip::sizes::PayloadSizes;
use crate::key::SecretKey;
use crate::reqresp::protocol::{Method, Protocol};
use crate::reqresp::sizes::RequestSizes;

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
    /// How columns are dealt, to find peers that have them.
    pub custody: ColumnCustody,
    /// Column subnets that the node needs peers of: the last one of each is not sent away for others.
    pub column_subnets: BTreeSet<u64>,
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
    /// Custody group count; `None` before a network has Fulu.
    pub custody_group_count: Option<u64>,
    /// Digest of the next fork, for the record; `None` before a network has Fulu.
    pub next_fork_digest: Option<[u8; 4]>,
    /// The field that `Status` has from version 2 on: the earliest slot that we can serve.
    pub earliest_available_slot: u64,
}

impl LocalState {
    /// SSZ `Status` of version 2; its first 84 bytes are version 1.
    pub(crate) fn full_status(&self) -> Option<Vec<u8>> {
        let earliest = self.earliest_available_slot.to_le_bytes();
        self.status.as_ref().map(|status| [&status[..], &earliest].concat())
    }

    /// SSZ `MetaData` of a version.
    pub(crate) fn metadata(&self, version: u8) -> Vec<u8> {
        let mut metadata = self.metadata_seq.to_le_bytes().to_vec();
        metadata.extend(self.attnets);
        if version >= 2 {
            metadata.push(self.syncnets);
        }
        if version >= 3 {
            metadata.extend(self.custody_group_count.unwrap_or_default().to_le_bytes());
        }
        metadata
    }
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
    /// Greatest payloads by topic, each within `max_payload_size`.
    pub payloads: PayloadSizes,
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
            payloads: PayloadSizes::of(Spec::mainnet()),
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
    /// Quota of blob sidecars, each of by-range and by-root, counted by the sidecars asked for.
    pub blobs: Quota,
    /// Quota of data column sidecars, each of by-range and by-root, counted by the sidecars asked for.
    pub columns: Quota,
    /// Quota of updates for light clients, counted by those asked for.
    pub light_client_updates: Quota,
    /// Quota of requests with one answer, by method: status, ping, metadata, and those of light clients.
    pub small: Quota,
    /// What is spoken on both sides. A method of which no version is here fails as unsupported.
    pub protocols: BTreeSet<Protocol>,
    /// Bounds of requests and chunks by their types.
    pub sizes: RequestSizes,
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
            // As much as one full request asks for.
            blobs: Quota { tokens: 1152, per_ms: 10_000 },
            columns: Quota { tokens: 16_384, per_ms: 10_000 },
            light_client_updates: Quota { tokens: 128, per_ms: 10_000 },
            small: Quota { tokens: 10, per_ms: 10_000 },
            protocols: Protocol::basic(),
            sizes: RequestSizes::of(Spec::mainnet()),
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
            custody: ColumnCustody::of(Spec::mainnet()),
            column_subnets: BTreeSet::new(),
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

    /// Takes over all that a network's specification and forks decide: sizes, message ids, protocols, custody.
    /// Methods for light clients are not among the protocols; a node that serves them adds them.
    pub fn follow(&mut self, schedule: &ForkSchedule) {
        let spec = schedule.spec();
        self.max_payload_size = usize::try_from(spec.config.max_payload_size).unwrap_or(usize::MAX);
        self.custody = ColumnCustody::of(spec);
        let requests = &mut self.requests;
        requests.blocks_max = spec.config.max_request_blocks;
        requests.sizes = RequestSizes::of(spec);
        requests.protocols = Protocol::scheduled(schedule);
        let gossip = &mut self.gossip;
        gossip.slots_per_epoch = spec.preset.slots_per_epoch;
        gossip.slot_ms = spec.config.slot_duration_ms;
        gossip.message_domain_valid_snappy = spec.config.message_domain_valid_snappy.0;
        gossip.phase0_digest = schedule.phase0_digest().map(|digest| digest.0);
        gossip.payloads = PayloadSizes::of(spec);
        if schedule.is_scheduled(types::ForkName::Fulu) {
            self.local.custody_group_count.get_or_insert(spec.config.custody_requirement);
        }
    }

    /// The first rule that this configuration breaks, in words.
    pub fn check(&self) -> Result<(), String> {
        let gossip = &self.gossip;
        let ordered = gossip.mesh_n_low <= gossip.mesh_n && gossip.mesh_n <= gossip.mesh_n_high;
        let quotas = &self.requests;
        let quotas = [quotas.blocks, quotas.blobs, quotas.columns, quotas.light_client_updates, quotas.small];
        let protocols = &self.requests.protocols;
        let is_spoken = |method: Method| protocols.iter().any(|protocol| protocol.method == method);
        let needed = [Method::Status, Method::Goodbye, Method::Ping, Method::Metadata];
        let announces_custody = self.local.custody_group_count.is_some()
            || !protocols.contains(&Protocol { method: Method::Metadata, version: 3 });
        let rules = [
            (needed.into_iter().all(is_spoken), "status, goodbye, ping and metadata must be spoken"),
            (
                protocols.iter().all(|protocol| protocol.method.versions().contains(protocol)),
                "a protocol has a version that does not exist",
            ),
            (announces_custody, "metadata 3 needs a custody group count"),
            (ordered && gossip.mesh_n_low > 0, "gossip mesh sizes must satisfy 0 < D_low <= D <= D_high"),
            (gossip.history_gossip <= gossip.history_length, "mcache_gossip must not exceed mcache_len"),
            (gossip.heartbeat_ms > 0 && gossip.seen_ttl_ms() > 0, "heartbeat and seen_ttl must be above 0"),
            (
                self.max_peers > 0 && self.target_peers <= self.max_peers,
                "target_peers must not exceed max_peers",
            ),
            (self.max_payload_size >= 1024, "max_payload_size must be at least 1024 bytes"),
            (self.event_queue > 0 && self.command_queue > 0, "queues must hold at least one entry"),
            (quotas.iter().all(|quota| quota.tokens > 0), "quotas must be above 0"),
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
    fn a_configuration_that_follows_a_network_speaks_its_protocols() {
        let mut config = Config::new(SecretKey::generate());
        let schedule = crate::forks::tests::schedule();
        config.follow(&schedule);
        assert_eq!(config.check(), Ok(()));
        let metadata = Protocol { method: Method::Metadata, version: 3 };
        assert!(config.requests.protocols.contains(&metadata));
        assert_eq!(config.local.custody_group_count, Some(4));
        assert_eq!(config.gossip.phase0_digest, Some(schedule.periods()[0].digest.0));
        config.local.custody_group_count = None;
        assert!(config.check().unwrap_err().contains("custody"));
        config.requests.protocols = Protocol::basic();
        assert_eq!(config.check(), Ok(()));
        config.requests.protocols.retain(|protocol| protocol.method != Method::Ping);
        assert!(config.check().unwrap_err().contains("ping"));
    }

    #[test]
    fn message_sizes_are_those_of_the_specification() {
        assert_eq!(max_compressed_len(10 * 1024 * 1024), 32 + 10_485_760 + 1_747_626);
        assert_eq!(max_message_size(1024), 1024 * 1024);
        assert_eq!(GossipParams::default().seen_ttl_ms(), 768_000);
    }
}
