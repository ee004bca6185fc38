//! Attestations.

use types::constants::{PARTICIPATION_FLAG_WEIGHTS, PROPOSER_WEIGHT, WEIGHT_DENOMINATOR};
use types::{
    Attestation, AttestationData, BeaconState, ForkName, Gwei, IndexedAttestation, PendingAttestation,
};

use super::AttestationInvalid;
use crate::accessors::{
    AccessError, get_attestation_participation_flag_indices, get_beacon_committee, get_beacon_proposer_index,
    get_committee_indices, get_current_epoch, get_indexed_attestation, get_previous_epoch, has_flag,
};
use crate::epoch::get_base_reward_per_increment;
use crate::mutators::increase_balance;
use crate::signatures::{Signatures, indexed_attestation_set};

/// [`process_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestations);
/// modified in Altair, Deneb and Electra.
pub fn process_attestation(
    state: &mut BeaconState,
    attestation: &Attestation,
    signatures: &mut Signatures,
) -> Result<(), AttestationInvalid> {
    check_data(state, &attestation.data)?;
    // Finds the committees, and that their size is that of the bits.
    let indexed = get_indexed_attestation(state, attestation)?;
    if indexed.attesting_indices.is_empty() {
        return Err(AttestationInvalid::Empty);
    }
    if state.fork_name() >= ForkName::Electra {
        check_committees(state, attestation)?;
    }
    if !signatures.take(|| indexed_attestation_set(state, &indexed)) {
        return Err(AttestationInvalid::Signature);
    }
    if state.fork_name() >= ForkName::Altair {
        add_participation(state, &indexed)
    } else {
        add_pending_attestation(state, attestation)
    }
}

/// The rules for what is voted for, and when; the index of a committee is not among them.
fn check_data(state: &BeaconState, data: &AttestationData) -> Result<(), AttestationInvalid> {
    let preset = &state.spec().preset;
    let is_current = data.target.epoch == get_current_epoch(state);
    if !is_current && data.target.epoch != get_previous_epoch(state) {
        return Err(AttestationInvalid::TargetEpoch(data.target.epoch));
    }
    if data.target.epoch != data.slot.epoch(state.spec()) {
        return Err(AttestationInvalid::TargetNotOfSlot);
    }
    // Since EIP-7045 only the epoch of the target says what is too late.
    let latest = if state.fork_name() >= ForkName::Deneb { u64::MAX } else { preset.slots_per_epoch };
    let in_time = preset.min_attestation_inclusion_delay..=latest;
    if !state.slot.0.checked_sub(data.slot.0).is_some_and(|delay| in_time.contains(&delay)) {
        return Err(AttestationInvalid::InclusionSlot(data.slot));
    }
    let source =
        if is_current { &state.current_justified_checkpoint } else { &state.previous_justified_checkpoint };
    if data.source != *source {
        return Err(AttestationInvalid::Source);
    }
    Ok(())
}

/// Since Electra (EIP-7549) bits name the committees instead of the data, and each that is named must have voted.
fn check_committees(state: &BeaconState, attestation: &Attestation) -> Result<(), AttestationInvalid> {
    let data = &attestation.data;
    if data.index != 0 || attestation.committee_bits.is_empty() {
        return Err(AttestationInvalid::CommitteeInData(data.index));
    }
    let mut offset = 0;
    for index in get_committee_indices(&attestation.committee_bits) {
        let end = offset + get_beacon_committee(state, data.slot, index)?.len();
        if !(offset..end).any(|place| attestation.aggregation_bits.get(place)) {
            return Err(AttestationInvalid::Empty);
        }
        offset = end;
    }
    Ok(())
}

/// Until Altair the state keeps the attestation until its epoch and the one after it have ended.
fn add_pending_attestation(
    state: &mut BeaconState,
    attestation: &Attestation,
) -> Result<(), AttestationInvalid> {
    let preset = &state.spec().preset;
    let data = &attestation.data;
    let pending = PendingAttestation {
        aggregation_bits: attestation.aggregation_bits.clone(),
        data: data.clone(),
        inclusion_delay: state.slot - data.slot,
        proposer_index: get_beacon_proposer_index(state)?,
    };
    let list = if data.target.epoch == get_current_epoch(state) {
        &mut state.current_epoch_attestations
    } else {
        &mut state.previous_epoch_attestations
    };
    if list.len() as u64 >= preset.max_attestations * preset.slots_per_epoch {
        return Err(AttestationInvalid::NoRoom);
    }
    list.push(pending);
    Ok(())
}

/// Since Altair the state keeps flags of each attester, and the proposer is paid for every new one at once.
fn add_participation(
    state: &mut BeaconState,
    attestation: &IndexedAttestation,
) -> Result<(), AttestationInvalid> {
    let data = &attestation.data;
    let flags = get_attestation_participation_flag_indices(state, data, state.slot - data.slot)?
        .ok_or(AttestationInvalid::Source)?;
    let increment = state.spec().preset.effective_balance_increment;
    let base_reward_per_increment = get_base_reward_per_increment(state)?.0;
    let overflow = AccessError::Overflow("a proposer's reward");
    let participation = if data.target.epoch == get_current_epoch(state) {
        &mut state.current_epoch_participation
    } else {
        &mut state.previous_epoch_participation
    };
    let mut numerator = 0u64;
    for index in &attestation.attesting_indices {
        let known = *participation.get(index.as_usize()).ok_or(AccessError::NoValidator(*index))?;
        let new = flags & !known;
        if new == 0 {
            continue;
        }
        participation[index.as_usize()] = known | new;
        let weights = PARTICIPATION_FLAG_WEIGHTS.iter().enumerate();
        let weight: u64 = weights.filter(|(flag, _)| has_flag(new, *flag)).map(|(_, weight)| weight).sum();
        let increments = state.validators[index.as_usize()].effective_balance.0 / increment;
        let reward = increments.checked_mul(base_reward_per_increment);
        let reward = reward.and_then(|reward| reward.checked_mul(weight));
        numerator =
            reward.and_then(|reward| numerator.checked_add(reward)).ok_or_else(|| overflow.clone())?;
    }
    let denominator = (WEIGHT_DENOMINATOR - PROPOSER_WEIGHT) * WEIGHT_DENOMINATOR / PROPOSER_WEIGHT;
    let proposer = get_beacon_proposer_index(state)?;
    Ok(increase_balance(state, proposer, Gwei(numerator / denominator))?)
}
