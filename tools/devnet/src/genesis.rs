//! The first state of a network whose keys everyone knows.

use anyhow::ensure;
use crypto::PublicKey;
use mock_engine::MockConfig;
use ssz::Root;
use transition::block::header_of;
use transition::genesis::{GenesisValidator, genesis_of_validators, is_valid_genesis_state};
use types::constants::GENESIS_EPOCH;
use types::{BeaconState, BlsPubkey, ForkName, Gwei, Spec};

/// The block hash that stands for a deposit chain that is not there; the value that interop tools share.
const ETH1_BLOCK_HASH: [u8; 32] = [0x42; 32];

fn public_key(index: u64) -> PublicKey {
    keys::interop_secret_key(index).public_key()
}

/// The public key of interop validator `index`.
pub fn interop_pubkey(index: u64) -> BlsPubkey {
    BlsPubkey::from(public_key(index).compress())
}

/// The genesis state of `validators` interop keys, all active with the largest effective balance, at `genesis_time`
/// (Unix seconds). Their withdrawal keys are their signing keys. The state is one of the first epoch's fork; from
/// Bellatrix on the chain is merged from its start, with the block that mock engines of this genesis time begin with. An
/// error where the configuration does not take the state for a valid genesis.
pub fn interop_genesis(
    spec: &'static Spec,
    validators: u64,
    genesis_time: u64,
) -> anyhow::Result<BeaconState> {
    let validator = |index| {
        let key = public_key(index);
        GenesisValidator {
            pubkey: BlsPubkey::from(key.compress()),
            withdrawal_credentials: keys::bls_withdrawal_credentials(&key),
            amount: Gwei(spec.preset.max_effective_balance),
        }
    };
    let validators: Vec<_> = (0..validators).map(validator).collect();
    let state = if spec.fork_name_at_epoch(GENESIS_EPOCH) >= ForkName::Bellatrix {
        let payload = MockConfig::genesis_payload(genesis_time.saturating_sub(1));
        let mut state = genesis_of_validators(spec, &validators, genesis_time, payload.block_hash)?;
        state.latest_execution_payload_header = header_of(&payload, &state.ctx());
        state
    } else {
        genesis_of_validators(spec, &validators, genesis_time, Root::from(ETH1_BLOCK_HASH))?
    };
    ensure!(
        is_valid_genesis_state(&state),
        "{} validators at {genesis_time} are no valid genesis of this configuration",
        validators.len()
    );
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DevnetPlan;

    #[test]
    fn the_registry_is_that_of_every_client_with_these_keys() {
        let plan = DevnetPlan::new(1, 8, "interlock".into(), "net".into());
        let spec = plan.spec(1_700_000_000).unwrap();
        let state = interop_genesis(spec, 8, 1_700_000_000).unwrap();
        // Another client printed this root for eight interop validators of the minimal preset.
        let known = "0x270d43e74ce340de4bca2b1936beca0f4f5408d9e78aec4850920baf659d5b69";
        assert_eq!(state.genesis_validators_root.to_string(), known);
        assert_eq!(state.genesis_time, 1_700_000_000);
        assert_eq!(state.fork.current_version, spec.config.genesis_fork_version);
    }

    #[test]
    fn a_merged_genesis_names_the_first_block_of_the_engines() {
        for fork in ForkName::ALL.into_iter().filter(|fork| *fork >= ForkName::Bellatrix) {
            let mut plan = DevnetPlan::new(1, 64, "interlock".into(), "net".into());
            plan.forks = [(fork, types::Epoch(0))].into();
            let state = interop_genesis(plan.spec(1_700_000_000).unwrap(), 64, 1_700_000_000).unwrap();
            assert_eq!(state.fork_name(), fork);
            let first = MockConfig::genesis_block(1_699_999_999);
            let header = &state.latest_execution_payload_header;
            assert_eq!((header.block_hash, header.timestamp), (first.hash, first.timestamp));
            // Every client must read it again.
            BeaconState::decode_at(state.spec(), fork, &state.encoded()).unwrap();
        }
    }

    #[test]
    fn too_few_validators_are_no_genesis() {
        let plan = DevnetPlan::new(1, 16, "interlock".into(), "net".into());
        let spec = plan.spec(1_700_000_000).unwrap();
        assert!(interop_genesis(spec, 15, 1_700_000_000).is_err());
    }
}
