//! The network shell's configuration, from the operator's choices and the network's rules.

use chain::View;
use network::{Advertised, Config, ForkSchedule, SecretKey};
use types::ForkName;

use crate::clock;
use crate::config::BeaconConfig;
use crate::custody::Custody;
use crate::status::local_status;

/// Peers above the target that are let in: they came to us, and some will leave.
const PEERS_ABOVE_TARGET: usize = 16;

/// The network shell's configuration. Subnets are announced later: they follow from the record's id.
pub fn network_config(config: &BeaconConfig, key: SecretKey, view: &View, custody: &Custody) -> Config {
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
    let schedule = ForkSchedule::new(spec, view.genesis.validators_root);
    // Before Fulu nobody asks, and the record has no entry for it.
    if schedule.is_scheduled(ForkName::Fulu) {
        settings.local.custody_group_count = Some(custody.groups);
        settings.column_subnets = custody.subnets(spec);
    }
    settings.follow(&schedule);

    let epoch = clock::slot_at(spec, view.genesis.time, clock::now()).epoch(spec);
    settings.local.eth2 = schedule.enr_fork_id(epoch);
    settings.local.next_fork_digest = schedule.next_fork_digest(epoch);
    settings.local.status = Some(local_status(view));
    settings
}
