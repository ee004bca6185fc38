//! The network of the drill: it begins after the merge, on the first block of the execution clients.

use std::path::Path;

use devnet::{NetworkFolder, interop_genesis};
use types::{Config, Epoch, ExecutionPayloadHeader, ForkName, Root, Settings, Spec, Uint256};

use super::ethereumjs::CHAIN_ID;

/// The rules: the minimal preset, Capella from genesis.
pub fn rules(
    slot_seconds: u64,
    validators: u64,
    upgrades: &[(ForkName, Epoch)],
) -> anyhow::Result<&'static Spec> {
    let mut settings = Settings::parse(Config::MINIMAL_YAML)?;
    settings.set("CONFIG_NAME", "interop");
    settings.set("SLOT_DURATION_MS", slot_seconds * 1000);
    settings.set("SECONDS_PER_SLOT", slot_seconds);
    settings.set("MIN_GENESIS_ACTIVE_VALIDATOR_COUNT", validators);
    settings.set("TERMINAL_TOTAL_DIFFICULTY", 0);
    settings.set("DEPOSIT_CHAIN_ID", CHAIN_ID);
    settings.set("DEPOSIT_NETWORK_ID", CHAIN_ID);
    for (fork, epoch) in upgrades {
        settings.set(&format!("{}_FORK_EPOCH", fork.as_str().to_uppercase()), epoch);
    }
    Ok(Spec::from_settings(settings, None)?)
}

/// Writes the network's folder; its genesis state stands on the execution block of this hash.
pub fn write(
    dir: &Path,
    spec: &'static Spec,
    (validators, genesis_time): (u64, u64),
    first_block: Root,
) -> anyhow::Result<NetworkFolder> {
    let mut genesis = interop_genesis(spec, validators, genesis_time)?;
    genesis.latest_execution_payload_header = ExecutionPayloadHeader {
        block_hash: first_block,
        gas_limit: 30_000_000,
        base_fee_per_gas: Uint256::from(7),
        ..genesis.latest_execution_payload_header
    };
    NetworkFolder::write(dir, spec, &genesis)
}
