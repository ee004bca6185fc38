//! The mock engine that fits a network.

use mock_engine::{DepositSchedule, MockBlock, MockConfig, Schedule};
use types::{BeaconState, ForkName, Spec};

/// A mock engine whose chain id, first block and forks are those of a network with this genesis state.
///
/// A network that begins after the merge names the first block in its genesis state. Another one merges with whatever
/// block its engines begin with, so that all of them must begin with the same one: it follows from the genesis time.
pub fn mock_config(spec: &Spec, genesis: &BeaconState) -> MockConfig {
    let header = &genesis.latest_execution_payload_header;
    let is_merged = genesis.fork_name() >= ForkName::Bellatrix && !header.block_hash.is_zero();
    let first = match is_merged {
        true => MockBlock {
            hash: header.block_hash,
            parent_hash: header.parent_hash,
            number: header.block_number,
            timestamp: header.timestamp,
            payload: None,
        },
        false => MockConfig::genesis_block(genesis.genesis_time.saturating_sub(1)),
    };
    MockConfig {
        chain_id: spec.config.deposit_chain_id,
        genesis: first,
        schedule: Some(Schedule::of_network(spec, genesis.genesis_time)),
        // Validators of the beginning count as deposits that the contract has.
        deposits: DepositSchedule::new(genesis.eth1_data.deposit_count),
        ..MockConfig::default()
    }
}
