//! Computations on numbers and roots: the specification's "Misc" functions.

use crypto::hash;
use types::{
    BeaconState, Ctx, Domain, DomainType, Epoch, ForkData, ForkDigest, Root, SigningData, Slot, Spec, Ssz,
    SszExt, ValidatorIndex, Version,
};

use crate::accessors::AccessError;
use crate::shuffle::compute_shuffled_index;

/// [`compute_epoch_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_epoch_at_slot).
pub fn compute_epoch_at_slot(spec: &Spec, slot: Slot) -> Epoch {
    slot.epoch(spec)
}

/// [`compute_start_slot_at_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_start_slot_at_epoch).
pub fn compute_start_slot_at_epoch(spec: &Spec, epoch: Epoch) -> Slot {
    epoch.start_slot(spec)
}

/// [`compute_activation_exit_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_activation_exit_epoch).
pub fn compute_activation_exit_epoch(spec: &Spec, epoch: Epoch) -> Epoch {
    epoch.saturating_add(1).saturating_add(spec.preset.max_seed_lookahead)
}

/// [`compute_fork_data_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_fork_data_root).
pub fn compute_fork_data_root(current_version: Version, genesis_validators_root: Root) -> Root {
    ForkData { current_version, genesis_validators_root }.hash_tree_root(Ctx::PLAIN)
}

/// [`compute_fork_digest`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_fork_digest).
pub fn compute_fork_digest(current_version: Version, genesis_validators_root: Root) -> ForkDigest {
    let root = compute_fork_data_root(current_version, genesis_validators_root);
    ForkDigest::try_from(&root.0[..4]).expect("4 bytes")
}

/// [`compute_domain`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_domain).
pub fn compute_domain(
    domain_type: DomainType,
    fork_version: Version,
    genesis_validators_root: Root,
) -> Domain {
    let root = compute_fork_data_root(fork_version, genesis_validators_root);
    let mut domain = Domain::ZERO;
    domain.0[..4].copy_from_slice(&domain_type.0);
    domain.0[4..].copy_from_slice(&root.0[..28]);
    domain
}

/// [`compute_signing_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_signing_root).
pub fn compute_signing_root<T: Ssz>(object: &T, ctx: Ctx, domain: Domain) -> Root {
    SigningData { object_root: object.hash_tree_root(ctx), domain }.hash_tree_root(ctx)
}

/// [`compute_committee`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_committee):
/// the members of the committee `index` of `count`, each shuffled by itself. Committees of a state come from
/// [`committee_cache`](crate::accessors::committee_cache), at a fraction of the cost. An error where `index` is not below `count`, which is so for a count of zero.
pub fn compute_committee(
    spec: &Spec,
    indices: &[ValidatorIndex],
    seed: &[u8; 32],
    index: u64,
    count: u64,
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let total = indices.len() as u64;
    // In 128 bits, which the products cannot leave.
    let bound = |number: u64| (u128::from(total) * u128::from(number) / u128::from(count)) as u64;
    if index >= count {
        return Err(AccessError::CommitteeIndex { index, count });
    }
    let place = |number| compute_shuffled_index(number, total, seed, spec.preset.shuffle_round_count);
    Ok((bound(index)..bound(index + 1)).map(|number| indices[place(number) as usize]).collect())
}

/// [`compute_time_at_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_time_at_slot),
/// in seconds since the Unix epoch; an error where that leaves 64 bits.
pub fn compute_time_at_slot(state: &BeaconState, slot: Slot) -> Result<u64, AccessError> {
    let since_genesis = slot.0.checked_mul(state.spec().config.slot_duration_ms).map(|ms| ms / 1000);
    let time = since_genesis.and_then(|seconds| state.genesis_time.checked_add(seconds));
    time.ok_or(AccessError::Overflow("the time of a slot"))
}

/// [`compute_proposer_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_proposer_index):
/// drawn from `indices` in proportion to the effective balance that `balance_of` tells in Gwei. Fails without indices.
pub fn compute_proposer_index(
    spec: &Spec,
    indices: &[ValidatorIndex],
    seed: &[u8; 32],
    balance_of: impl Fn(ValidatorIndex) -> u64,
) -> Result<ValidatorIndex, AccessError> {
    const MAX_RANDOM_BYTE: u64 = 255;
    let total = indices.len() as u64;
    if total == 0 {
        return Err(AccessError::NoActiveValidators);
    }
    let mut randomness = [0; 32];
    for i in 0u64.. {
        let place = compute_shuffled_index(i % total, total, seed, spec.preset.shuffle_round_count);
        let candidate = indices[place as usize];
        if i % 32 == 0 {
            let mut bytes = seed.to_vec();
            bytes.extend_from_slice(&(i / 32).to_le_bytes());
            randomness = hash(&bytes);
        }
        let random_byte = u64::from(randomness[(i % 32) as usize]);
        let balance = u128::from(balance_of(candidate)) * u128::from(MAX_RANDOM_BYTE);
        if balance >= u128::from(spec.preset.max_effective_balance) * u128::from(random_byte) {
            return Ok(candidate);
        }
    }
    unreachable!("a random byte of 0 takes any candidate")
}
