//! The specification's questions about single validators and attestations, under its names.
//!
//! Epoch processing does not ask them one by one, see [`EpochSummary`]; they are for whoever wants to know about one
//! validator, and the tests compare the two.

use types::constants::BASE_REWARDS_PER_EPOCH;
use types::{BeaconState, Epoch, ForkName, Gwei, PendingAttestation, ValidatorIndex};

use super::{EpochError, EpochSummary, ValidatorFlags};
use crate::accessors::{
    AccessError, get_block_root, get_block_root_at_slot, get_current_epoch, get_previous_epoch,
    get_total_active_balance,
};
use crate::math::integer_squareroot;

/// [`get_base_reward`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers),
/// in Gwei; an error where there is no such validator. Modified in Altair.
pub fn get_base_reward(state: &BeaconState, index: ValidatorIndex) -> Result<Gwei, AccessError> {
    let validator = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
    if state.fork_name() >= ForkName::Altair {
        let increments = validator.effective_balance.0 / state.spec().preset.effective_balance_increment;
        let product = increments.checked_mul(get_base_reward_per_increment(state)?.0);
        return product.map(Gwei).ok_or(AccessError::Overflow("a base reward"));
    }
    let root = integer_squareroot(get_total_active_balance(state)?.0);
    let product = validator.effective_balance.0.checked_mul(state.spec().preset.base_reward_factor);
    let product = product.ok_or(AccessError::Overflow("a base reward"))?;
    Ok(Gwei(product / root / BASE_REWARDS_PER_EPOCH))
}

/// [`get_base_reward_per_increment`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_base_reward_per_increment),
/// in Gwei.
pub fn get_base_reward_per_increment(state: &BeaconState) -> Result<Gwei, AccessError> {
    base_reward_per_increment(state, get_total_active_balance(state)?)
}

/// The same of a total that is known.
pub(super) fn base_reward_per_increment(
    state: &BeaconState,
    total_active_balance: Gwei,
) -> Result<Gwei, AccessError> {
    let preset = &state.spec().preset;
    let product = preset.effective_balance_increment.checked_mul(preset.base_reward_factor);
    let product = product.ok_or(AccessError::Overflow("a base reward"))?;
    // The total is at least one increment.
    Ok(Gwei(product / integer_squareroot(total_active_balance.0)))
}

/// [`get_proposer_reward`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2),
/// in Gwei, for including an attestation of `attesting_index`.
pub fn get_proposer_reward(
    state: &BeaconState,
    attesting_index: ValidatorIndex,
) -> Result<Gwei, AccessError> {
    Ok(get_base_reward(state, attesting_index)? / state.spec().preset.proposer_reward_quotient)
}

/// [`get_eligible_validator_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2),
/// in ascending order.
pub fn get_eligible_validator_indices(summary: &EpochSummary) -> Vec<ValidatorIndex> {
    indices(summary, |flags| flags.has(ValidatorFlags::ELIGIBLE))
}

/// [`get_unslashed_attesting_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-1)
/// of the attestations that `flag` stands for, in ascending order.
pub fn get_unslashed_attesting_indices(summary: &EpochSummary, flag: ValidatorFlags) -> Vec<ValidatorIndex> {
    indices(summary, |flags| flags.has(flag) && !flags.has(ValidatorFlags::SLASHED))
}

fn indices(summary: &EpochSummary, wanted: impl Fn(ValidatorFlags) -> bool) -> Vec<ValidatorIndex> {
    let places = summary.validators.iter().enumerate().filter(|(_, validator)| wanted(validator.flags));
    places.map(|(place, _)| ValidatorIndex(place as u64)).collect()
}

/// [`get_matching_source_attestations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-1):
/// those of the state's current or previous epoch.
pub fn get_matching_source_attestations(
    state: &BeaconState,
    epoch: Epoch,
) -> Result<Vec<&PendingAttestation>, EpochError> {
    let current = get_current_epoch(state);
    if epoch == current {
        Ok(state.current_epoch_attestations.iter().collect())
    } else if epoch == get_previous_epoch(state) {
        Ok(state.previous_epoch_attestations.iter().collect())
    } else {
        Err(AccessError::CommitteeEpoch { epoch, state: current }.into())
    }
}

/// [`get_matching_target_attestations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-1).
pub fn get_matching_target_attestations(
    state: &BeaconState,
    epoch: Epoch,
) -> Result<Vec<&PendingAttestation>, EpochError> {
    let mut attestations = get_matching_source_attestations(state, epoch)?;
    if !attestations.is_empty() {
        let root = get_block_root(state, epoch)?;
        attestations.retain(|attestation| attestation.data.target.root == root);
    }
    Ok(attestations)
}

/// [`get_matching_head_attestations`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-1).
pub fn get_matching_head_attestations(
    state: &BeaconState,
    epoch: Epoch,
) -> Result<Vec<&PendingAttestation>, EpochError> {
    let mut matching = Vec::new();
    for attestation in get_matching_target_attestations(state, epoch)? {
        let head = get_block_root_at_slot(state, attestation.data.slot)?;
        if attestation.data.beacon_block_root == head {
            matching.push(attestation);
        }
    }
    Ok(matching)
}
