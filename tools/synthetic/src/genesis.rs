//! The first state of a network of synthetic keys.

use anyhow::ensure;
use transition::block::header_of;
use transition::genesis::{GenesisValidator, genesis_of_validators};
use types::constants::{ETH1_ADDRESS_WITHDRAWAL_PREFIX, GENESIS_EPOCH};
use types::{BeaconState, ExecutionPayload, ForkName, Gwei, Root, Spec};

use crate::{Keys, noise};

/// The state that a network of the first `validators` keys starts from at `genesis_time` (Unix seconds), all of them
/// active, with withdrawals to an address.
///
/// From Bellatrix on the chain is merged from its start, on top of `first_payload`, which must be there then: what mock
/// engines begin with is `mock_engine::MockConfig::genesis_payload`. An error too where there are too few keys.
pub fn genesis_state(
    spec: &'static Spec,
    keys: &Keys,
    validators: usize,
    genesis_time: u64,
    first_payload: Option<&ExecutionPayload>,
) -> anyhow::Result<BeaconState> {
    ensure!(validators <= keys.len(), "{validators} validators, but {} keys", keys.len());
    let validators: Vec<GenesisValidator> = (0..validators)
        .map(|index| GenesisValidator {
            pubkey: keys.pubkey(index),
            withdrawal_credentials: credentials(ETH1_ADDRESS_WITHDRAWAL_PREFIX, index),
            amount: Gwei(spec.preset.max_effective_balance),
        })
        .collect();
    let is_merged = spec.fork_name_at_epoch(GENESIS_EPOCH) >= ForkName::Bellatrix;
    let block_hash = match first_payload {
        Some(payload) => payload.block_hash,
        None => Root::from([0x42; 32]),
    };
    let mut state = genesis_of_validators(spec, &validators, genesis_time, block_hash)?;
    if is_merged {
        let payload =
            first_payload.ok_or_else(|| anyhow::anyhow!("a merged genesis needs a first payload"))?;
        state.latest_execution_payload_header = header_of(payload, &state.ctx());
    }
    Ok(state)
}

/// Withdrawal credentials of a kind with an address of the validator's own.
pub fn credentials(prefix: u8, index: usize) -> Root {
    let mut credentials = noise::root("withdrawal address", index as u64);
    credentials.0[..12].fill(0);
    credentials.0[0] = prefix;
    credentials
}
