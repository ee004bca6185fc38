//! The network's first state and its keys: interop validators, dealt to the nodes in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::SecretKey;
use keys::{bls_withdrawal_credentials, interop_secret_key};
use transition::genesis::{GenesisError, GenesisValidator, genesis_of_validators};
use types::{BeaconState, BlsPubkey, FixedBytes, Gwei, Time};

use crate::Scenario;
use crate::engine::EngineSeat;

/// When every world begins. Any moment would do.
pub const GENESIS: Time = Time(1_700_000_000_000);

/// The network's first state and its keys.
#[derive(Debug)]
pub struct Genesis {
    /// The state.
    pub state: Arc<BeaconState>,
    /// The keys of each node's validators.
    pub keys: Vec<BTreeMap<BlsPubkey, SecretKey>>,
}

impl Genesis {
    /// The genesis of a scenario; fails where the spec's first fork is not implemented.
    pub fn new(scenario: &Scenario) -> Result<Self, GenesisError> {
        let mut keys: Vec<BTreeMap<BlsPubkey, SecretKey>> = vec![BTreeMap::new(); scenario.nodes];
        let mut validators = Vec::new();
        for index in 0..scenario.validators {
            let secret = interop_secret_key(index as u64);
            let public = secret.public_key();
            let pubkey = FixedBytes(public.compress());
            validators.push(GenesisValidator {
                pubkey,
                withdrawal_credentials: bls_withdrawal_credentials(&public),
                amount: Gwei(scenario.spec.preset.max_effective_balance),
            });
            keys[index % scenario.nodes].insert(pubkey, secret);
        }
        // Those that will be deposited for wait until they are in the registry.
        for index in scenario.validators..scenario.validators + scenario.deposits.blocks.len() {
            let secret = interop_secret_key(index as u64);
            keys[index % scenario.nodes].insert(FixedBytes(secret.public_key().compress()), secret);
        }
        // A network that begins after the merge goes on from the engines' first block.
        let hash = EngineSeat::first_block();
        let state = genesis_of_validators(scenario.spec, &validators, GENESIS.0 / 1000, hash)?;
        Ok(Self { state: Arc::new(state), keys })
    }
}
