//! Computations on numbers and roots: the specification's "Misc" functions.

use crypto::hash;
use types::{
    BeaconState, Ctx, Domain, DomainType, Epoch, ForkData, ForkDigest, ForkName, Root, SigningData, Slot,
    Spec, Ssz, SszExt, ValidatorIndex, Version,
};

use crate::accessors::AccessError;
use crate::math::xor;
use crate::shuffle::{Rounds, compute_shuffled_index};

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

/// [`compute_fork_digest`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#compute_fork_digest)
/// of an epoch; modified in Fulu (EIP-7892), whose digests differ by the limit of blobs too.
pub fn compute_fork_digest(spec: &Spec, genesis_validators_root: Root, epoch: Epoch) -> ForkDigest {
    let mut root = compute_fork_data_root(spec.compute_fork_version(epoch), genesis_validators_root).0;
    if spec.fork_name_at_epoch(epoch) >= ForkName::Fulu {
        let parameters = spec.get_blob_parameters(epoch);
        let mut bytes = parameters.epoch.0.to_le_bytes().to_vec();
        bytes.extend_from_slice(&parameters.max_blobs_per_block.to_le_bytes());
        root = xor(&root, &hash(&bytes));
    }
    ForkDigest::try_from(&root[..4]).expect("4 bytes")
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
    fork: ForkName,
    indices: &[ValidatorIndex],
    seed: &[u8; 32],
    balance_of: impl Fn(ValidatorIndex) -> u64,
) -> Result<ValidatorIndex, AccessError> {
    let place = draw_candidate(spec, fork, indices.len(), seed, |place| balance_of(indices[place]))?;
    Ok(indices[place])
}

/// The place among `count` candidates that [`compute_proposer_index`] draws; `balance_of` tells the effective balance
/// of the candidate at a place.
pub(crate) fn draw_candidate(
    spec: &Spec,
    fork: ForkName,
    count: usize,
    seed: &[u8; 32],
    balance_of: impl Fn(usize) -> u64,
) -> Result<usize, AccessError> {
    let total = count as u64;
    if total == 0 {
        return Err(AccessError::NoActiveValidators);
    }
    let mut lottery = BalanceLottery::new(spec, fork, seed);
    let rounds = Rounds::new(total, seed, spec.preset.shuffle_round_count);
    for number in 0u64.. {
        let place = rounds.place_of(number % total) as usize;
        if lottery.takes(number, balance_of(place)) {
            return Ok(place);
        }
    }
    unreachable!("a random value of 0 takes any candidate")
}

/// Takes candidates at random in proportion to their effective balance, for proposers and for sync committees.
pub(crate) struct BalanceLottery<'a> {
    seed: &'a [u8; 32],
    /// Bytes of a random value: two since Electra, whose balances are larger.
    width: u64,
    max_random_value: u64,
    max_effective_balance: u64,
    /// The last hash, and its number.
    randomness: (u64, [u8; 32]),
}

impl<'a> BalanceLottery<'a> {
    pub(crate) fn new(spec: &Spec, fork: ForkName, seed: &'a [u8; 32]) -> Self {
        let preset = &spec.preset;
        let (width, max_random_value, max_effective_balance) = if fork >= ForkName::Electra {
            (2, u64::from(u16::MAX), preset.max_effective_balance_electra)
        } else {
            (1, u64::from(u8::MAX), preset.max_effective_balance)
        };
        Self { seed, width, max_random_value, max_effective_balance, randomness: (0, randomness(seed, 0)) }
    }

    /// True where the candidate number `i` is taken; of its effective balance in Gwei.
    pub(crate) fn takes(&mut self, i: u64, effective_balance: u64) -> bool {
        let number = i / (32 / self.width);
        if self.randomness.0 != number {
            self.randomness = (number, randomness(self.seed, number));
        }
        let offset = (i % (32 / self.width) * self.width) as usize;
        let bytes = &self.randomness.1[offset..offset + self.width as usize];
        let random_value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte));
        let balance = u128::from(effective_balance) * u128::from(self.max_random_value);
        balance >= u128::from(self.max_effective_balance) * random_value
    }
}

fn randomness(seed: &[u8; 32], number: u64) -> [u8; 32] {
    let mut bytes = seed.to_vec();
    bytes.extend_from_slice(&number.to_le_bytes());
    hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_changes_with_the_fork_and_since_fulu_with_the_limit_of_blobs() {
        let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 1\nBELLATRIX_FORK_EPOCH: 1\nCAPELLA_FORK_EPOCH: 1\n\
                    DENEB_FORK_EPOCH: 1\nELECTRA_FORK_EPOCH: 2\nFULU_FORK_EPOCH: 3\nBLOB_SCHEDULE:\n  \
                    - EPOCH: 5\n    MAX_BLOBS_PER_BLOCK: 12\n";
        let spec = Spec::from_yaml(text, None).unwrap();
        let digests: Vec<ForkDigest> =
            (0..7).map(|epoch| compute_fork_digest(spec, Root::from([7; 32]), Epoch(epoch))).collect();
        let changes: Vec<usize> = (1..7).filter(|epoch| digests[*epoch] != digests[epoch - 1]).collect();
        assert_eq!(changes, [1, 2, 3, 5]);
        let plain = compute_fork_data_root(spec.config.electra_fork_version, Root::from([7; 32]));
        assert_eq!(digests[2].0, plain.0[..4]);
        let plain = compute_fork_data_root(spec.config.fulu_fork_version, Root::from([7; 32]));
        assert_ne!(digests[3].0, plain.0[..4]);
    }
}
