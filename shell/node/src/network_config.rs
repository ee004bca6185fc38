//! The network shell's configuration, from the operator's choices and the network's rules.

use chain::View;
use network::{Advertised, Config, SecretKey};
use types::{ForkName, Spec};

use crate::clock;
use crate::config::BeaconConfig;
use crate::status::{enr_fork_id, fork_digest_at, local_status};

/// Peers above the target that are let in: they came to us, and some will leave.
const PEERS_ABOVE_TARGET: usize = 16;

/// The network shell's configuration. Subnets are announced later: they follow from the record's id.
pub fn network_config(config: &BeaconConfig, key: SecretKey, view: &View) -> Config {
    let spec = view.spec;
    let mut settings = Config::new(key);
    settings.listen_address = config.listen_address;
    settings.tcp_port = config.tcp_port;
    settings.udp_port = config.udp_port;
    settings.advertised = Advertised { ip: config.enr_address, ..Advertised::default() };
    settings.bootnodes = config.network.bootnodes.iter().chain(&config.bootnodes).cloned().collect();
    settings.static_peers.clone_from(&config.static_peers);
    settings.target_peers = config.target_peers;
    settings.max_peers = config.target_peers + PEERS_ABOVE_TARGET;
    settings.max_payload_size = usize::try_from(spec.config.max_payload_size).unwrap_or(usize::MAX);
    settings.requests.blocks_max = spec.config.max_request_blocks;

    let gossip = &mut settings.gossip;
    gossip.slots_per_epoch = spec.preset.slots_per_epoch;
    gossip.slot_ms = spec.config.slot_duration_ms;
    gossip.message_domain_valid_snappy = spec.config.message_domain_valid_snappy.0;
    gossip.phase0_digest = phase0_digest(spec, view);

    let epoch = clock::slot_at(spec, view.genesis.time, clock::now()).epoch(spec);
    settings.local.eth2 = enr_fork_id(spec, view.genesis.validators_root, epoch);
    settings.local.status = Some(local_status(view));
    settings
}

/// The digest whose topics name messages in the way of phase 0; none where the network begins with a later fork.
fn phase0_digest(spec: &Spec, view: &View) -> Option<[u8; 4]> {
    let genesis_epoch = spec.fork_epoch(ForkName::Phase0);
    let begins = spec.fork_name_at_epoch(genesis_epoch) == ForkName::Phase0;
    begins.then(|| fork_digest_at(spec, view.genesis.validators_root, genesis_epoch).0)
}
