//! Epochs, block roots, randomness and domains.

use crypto::hash;
use types::constants::GENESIS_EPOCH;
use types::{BeaconState, Domain, DomainType, Epoch, Root, Slot};

use super::AccessError;
use crate::misc::compute_domain;

/// [`get_current_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_current_epoch).
pub fn get_current_epoch(state: &BeaconState) -> Epoch {
    state.slot.epoch(state.spec())
}

/// [`get_previous_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_previous_epoch).
pub fn get_previous_epoch(state: &BeaconState) -> Epoch {
    get_current_epoch(state).saturating_sub(1).max(GENESIS_EPOCH)
}

/// [`get_block_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_block_root).
pub fn get_block_root(state: &BeaconState, epoch: Epoch) -> Result<Root, AccessError> {
    get_block_root_at_slot(state, epoch.start_slot(state.spec()))
}

/// [`get_block_root_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_block_root_at_slot).
pub fn get_block_root_at_slot(state: &BeaconState, slot: Slot) -> Result<Root, AccessError> {
    let ring = state.spec().preset.slots_per_historical_root;
    if slot >= state.slot || state.slot.0 - slot.0 > ring {
        return Err(AccessError::BlockRoot { slot, state: state.slot });
    }
    Ok(state.block_roots[(slot % ring).as_usize()])
}

/// [`get_randao_mix`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_randao_mix).
pub fn get_randao_mix(state: &BeaconState, epoch: Epoch) -> Root {
    state.randao_mixes[(epoch % state.spec().preset.epochs_per_historical_vector).as_usize()]
}

/// [`get_seed`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_seed).
pub fn get_seed(state: &BeaconState, epoch: Epoch, domain_type: DomainType) -> [u8; 32] {
    let preset = &state.spec().preset;
    // The ring's length is added first, so that the subtraction cannot go below zero.
    let mix_epoch = epoch % preset.epochs_per_historical_vector + preset.epochs_per_historical_vector;
    let mix = get_randao_mix(state, mix_epoch - preset.min_seed_lookahead - 1);
    let mut bytes = domain_type.0.to_vec();
    bytes.extend_from_slice(&epoch.0.to_le_bytes());
    bytes.extend_from_slice(&mix.0);
    hash(&bytes)
}

/// [`get_domain`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_domain).
///
/// The specification asks a state about epochs up to its own. Messages of a fork's first slot are judged with a state
/// from before it too: for epochs of a fork that the state has not reached, the schedule answers.
pub fn get_domain(state: &BeaconState, domain_type: DomainType, epoch: Epoch) -> Domain {
    let spec = state.spec();
    let version = if epoch < state.fork.epoch {
        state.fork.previous_version
    } else if epoch > get_current_epoch(state) && spec.fork_name_at_epoch(epoch) > state.fork_name() {
        spec.compute_fork_version(epoch)
    } else {
        state.fork.current_version
    };
    compute_domain(domain_type, version, state.genesis_validators_root)
}
