//! The first state.

use types::constants::{GENESIS_EPOCH, UNSET_DEPOSIT_REQUESTS_START_INDEX};
use types::{
    BeaconBlock, BeaconBlockBody, BeaconBlockHeader, BeaconState, BlsPubkey, BoundRef, Ctx, Deposit,
    DepositData, Eth1Data, ExecutionPayload, Fork, ForkName, Gwei, List, Root, Shape, SignedBeaconBlock,
    Spec, Ssz, SszExt, Validator,
};

use crate::accessors::{
    AccessError, get_active_validator_indices, get_next_sync_committee, initialize_proposer_lookahead,
};
use crate::block::{DepositInvalid, add_validator_to_registry, header_of, process_deposit};
use crate::predicates::get_max_effective_balance;

/// The list of all deposits, whose root the contract keeps.
const DEPOSITS: Shape = Shape::List(BoundRef::Const(1 << 32), &Shape::Plain);

/// Why there is no genesis state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A network that starts from a contract starts in phase 0.
    #[error("a network that starts in {0} does not start from deposits")]
    DepositsOfFork(ForkName),
    /// The genesis delay leads past the end of time.
    #[error("the genesis time exceeds 64 bits")]
    Time,
    /// A deposit does not fit the tree of those before it.
    #[error("deposit {0}: {1}")]
    Deposit(usize, DepositInvalid),
    /// A validator cannot be added.
    #[error(transparent)]
    Access(#[from] AccessError),
}

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

fn blank(
    spec: &'static Spec,
    eth1_block_hash: Root,
    deposit_count: u64,
) -> Result<BeaconState, GenesisError> {
    let fork = spec.fork_name_at_epoch(GENESIS_EPOCH);
    let before = ForkName::ALL.into_iter().rfind(|other| *other < fork).unwrap_or(fork);
    let mut state = BeaconState::empty(spec, fork);
    state.fork = Fork {
        previous_version: spec.fork_version(before),
        current_version: spec.fork_version(fork),
        epoch: GENESIS_EPOCH,
    };
    state.eth1_data = Eth1Data { deposit_count, block_hash: eth1_block_hash, ..Eth1Data::default() };
    let ctx = spec.ctx(fork);
    state.latest_block_header = BeaconBlockHeader {
        body_root: BeaconBlockBody::new_default(ctx).hash_tree_root(ctx),
        ..BeaconBlockHeader::default()
    };
    if fork >= ForkName::Bellatrix {
        let genesis = ExecutionPayload { block_hash: eth1_block_hash, ..ExecutionPayload::default() };
        state.latest_execution_payload_header = header_of(&genesis, &ctx);
    }
    state.deposit_requests_start_index = match fork {
        ForkName::Fulu => deposit_count,
        ForkName::Electra => UNSET_DEPOSIT_REQUESTS_START_INDEX,
        _ => 0,
    };
    let mixes = vec![eth1_block_hash; spec.preset.epochs_per_historical_vector as usize];
    state.randao_mixes = mixes.into();
    Ok(state)
}

/// [`initialize_beacon_state_from_eth1`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#genesis).
pub fn initialize_beacon_state_from_eth1(
    spec: &'static Spec,
    eth1_block_hash: Root,
    eth1_timestamp: u64,
    deposits: &[Deposit],
) -> Result<BeaconState, GenesisError> {
    let fork = spec.fork_name_at_epoch(GENESIS_EPOCH);
    if fork > ForkName::Phase0 {
        return Err(GenesisError::DepositsOfFork(fork));
    }
    let mut state = blank(spec, eth1_block_hash, deposits.len() as u64)?;
    state.genesis_time = eth1_timestamp.checked_add(spec.config.genesis_delay).ok_or(GenesisError::Time)?;
    let mut seen: List<DepositData> = List::default();
    for (place, deposit) in deposits.iter().enumerate() {
        seen.push(deposit.data.clone());
        state.eth1_data.deposit_root = seen.root(&DEPOSITS, &Ctx::PLAIN);
        process_deposit(&mut state, deposit).map_err(|error| GenesisError::Deposit(place, error))?;
    }
    activate(&mut state);
    Ok(state)
}

/// The state that a chain of these validators starts from, without a contract: what local networks use.
///
/// Nothing is verified; each validator counts as a deposit that was taken, in this order, so that both the deposit
/// count and the deposit index are their number. The deposit root is that of a contract which took the same deposits
/// with empty signatures: later deposits can be appended to that tree. Validators with the balance that
/// activation needs are active from the start. The keys must be valid and different. The state is one of the fork that is scheduled
/// for the first epoch. From Bellatrix on the block of `eth1_block_hash` is the one that the first execution payload
/// builds on: of its header only the hash is known here.
pub fn genesis_of_validators(
    spec: &'static Spec,
    validators: &[GenesisValidator],
    genesis_time: u64,
    eth1_block_hash: Root,
) -> Result<BeaconState, GenesisError> {
    let mut state = blank(spec, eth1_block_hash, validators.len() as u64)?;
    state.genesis_time = genesis_time;
    state.eth1_deposit_index = validators.len() as u64;
    let mut deposits: List<DepositData> = List::default();
    for GenesisValidator { pubkey, withdrawal_credentials, amount } in validators.iter().copied() {
        let data = DepositData { pubkey, withdrawal_credentials, amount, ..DepositData::default() };
        add_validator_to_registry(&mut state, &data)?;
        deposits.push(data);
    }
    state.eth1_data.deposit_root = deposits.root(&DEPOSITS, &Ctx::PLAIN);
    activate(&mut state);
    if state.fork_name() >= ForkName::Altair {
        // One committee for two periods, as where the fork begins later.
        state.current_sync_committee = get_next_sync_committee(&state)?;
        state.next_sync_committee = state.current_sync_committee.clone();
    }
    if state.fork_name() >= ForkName::Fulu {
        state.proposer_lookahead = initialize_proposer_lookahead(&state)?.into();
    }
    Ok(state)
}

fn activate(state: &mut BeaconState) {
    let (spec, fork) = (state.spec(), state.fork_name());
    let increment = spec.preset.effective_balance_increment;
    let needed = if fork >= ForkName::Electra {
        spec.preset.min_activation_balance
    } else {
        spec.preset.max_effective_balance
    };
    let balances = state.balances.clone();
    state.validators.update(|index, validator| {
        let balance = balances[index];
        let max = get_max_effective_balance(spec, fork, validator);
        let effective_balance = (balance - balance % increment).min(max);
        let mut validator = Validator { effective_balance, ..validator.clone() };
        if effective_balance >= needed {
            validator.activation_eligibility_epoch = GENESIS_EPOCH;
            validator.activation_epoch = GENESIS_EPOCH;
        }
        Some(validator)
    });
    state.genesis_validators_root = genesis_validators_root(state);
    // What was derived while validators were added belongs to a registry that was not active yet.
    state.context.caches.forget();
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
