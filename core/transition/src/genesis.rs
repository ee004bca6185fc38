//! The first state.

use types::constants::GENESIS_EPOCH;
use types::{
    BeaconBlock, BeaconBlockBody, BeaconBlockHeader, BeaconState, BlsPubkey, BoundRef, Ctx, Deposit,
    DepositData, Eth1Data, Fork, ForkName, Gwei, List, Root, Shape, SignedBeaconBlock, Spec, Ssz, SszExt,
    Validator,
};

use crate::accessors::get_active_validator_indices;
use crate::block::{DepositInvalid, process_deposit};

/// The list of all deposits, whose root the contract keeps.
const DEPOSITS: Shape = Shape::List(BoundRef::Const(1 << 32), &Shape::Plain);

/// A validator that is there from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenesisValidator {
    /// Its key.
    pub pubkey: BlsPubkey,
    /// What its withdrawals need.
    pub withdrawal_credentials: Root,
    /// Its deposit.
    pub amount: Gwei,
}

fn blank(spec: &'static Spec, eth1_block_hash: Root, deposit_count: u64) -> BeaconState {
    let version = spec.fork_version(ForkName::Phase0);
    let mut state = BeaconState::empty(spec, ForkName::Phase0);
    state.fork = Fork { previous_version: version, current_version: version, epoch: GENESIS_EPOCH };
    state.eth1_data = Eth1Data { deposit_count, block_hash: eth1_block_hash, ..Eth1Data::default() };
    let ctx = spec.ctx(ForkName::Phase0);
    state.latest_block_header = BeaconBlockHeader {
        body_root: BeaconBlockBody::new_default(ctx).hash_tree_root(ctx),
        ..BeaconBlockHeader::default()
    };
    let mixes = vec![eth1_block_hash; spec.preset.epochs_per_historical_vector as usize];
    state.randao_mixes = mixes.into();
    state
}

/// [`initialize_beacon_state_from_eth1`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#genesis).
pub fn initialize_beacon_state_from_eth1(
    spec: &'static Spec,
    eth1_block_hash: Root,
    eth1_timestamp: u64,
    deposits: &[Deposit],
) -> Result<BeaconState, DepositInvalid> {
    let mut state = blank(spec, eth1_block_hash, deposits.len() as u64);
    state.genesis_time = eth1_timestamp + spec.config.genesis_delay;
    let mut seen: List<DepositData> = List::default();
    for deposit in deposits {
        seen.push(deposit.data.clone());
        state.eth1_data.deposit_root = seen.root(&DEPOSITS, &Ctx::PLAIN);
        process_deposit(&mut state, deposit)?;
    }
    activate(&mut state);
    Ok(state)
}

/// The state that a chain of these validators starts from, without a contract: what local networks use. The validators
/// count as deposits that were taken.
pub fn genesis_of_validators(
    spec: &'static Spec,
    validators: &[GenesisValidator],
    genesis_time: u64,
    eth1_block_hash: Root,
) -> BeaconState {
    let mut state = blank(spec, eth1_block_hash, validators.len() as u64);
    state.genesis_time = genesis_time;
    state.eth1_deposit_index = validators.len() as u64;
    for validator in validators {
        let data = DepositData {
            pubkey: validator.pubkey,
            withdrawal_credentials: validator.withdrawal_credentials,
            amount: validator.amount,
            ..DepositData::default()
        };
        crate::block::add_validator_to_registry(&mut state, &data);
    }
    activate(&mut state);
    state
}

fn activate(state: &mut BeaconState) {
    let preset = &state.spec().preset;
    let (increment, max) = (preset.effective_balance_increment, Gwei(preset.max_effective_balance));
    let balances = state.balances.clone();
    state.validators.update(|index, validator| {
        let balance = balances[index];
        let effective_balance = (balance - balance % increment).min(max);
        let mut validator = Validator { effective_balance, ..validator.clone() };
        if effective_balance == max {
            validator.activation_eligibility_epoch = GENESIS_EPOCH;
            validator.activation_epoch = GENESIS_EPOCH;
        }
        Some(validator)
    });
    state.genesis_validators_root = genesis_validators_root(state);
    // What was derived while validators were added belongs to a registry that was not active yet.
    state.context = types::StateContext::at(state.spec(), state.fork_name(), state.slot);
}

/// The root of a state's registry; at genesis, the network's `genesis_validators_root`.
pub fn genesis_validators_root(state: &BeaconState) -> Root {
    const REGISTRY: Shape = Shape::List(types::bounds::VALIDATOR_REGISTRY_LIMIT, &Shape::Plain);
    state.validators.root(&REGISTRY, &state.ctx())
}

/// [`is_valid_genesis_state`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#genesis-state).
pub fn is_valid_genesis_state(state: &BeaconState) -> bool {
    let config = &state.spec().config;
    state.genesis_time >= config.min_genesis_time
        && get_active_validator_indices(state, GENESIS_EPOCH).len() as u64
            >= config.min_genesis_active_validator_count
}

/// [The block of the genesis state](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#genesis-block),
/// which nobody signed.
pub fn genesis_block(state: &BeaconState) -> SignedBeaconBlock {
    let message = BeaconBlock { state_root: state.state_root(), ..BeaconBlock::new_default(state.ctx()) };
    SignedBeaconBlock { message, ..SignedBeaconBlock::default() }
}
