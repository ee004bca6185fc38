//! Attestations.

use types::constants::{PARTICIPATION_FLAG_WEIGHTS, PROPOSER_WEIGHT, WEIGHT_DENOMINATOR};
use types::{Attestation, AttestationData, BeaconState, ForkName, Gwei, PendingAttestation};

use super::AttestationInvalid;
use super::participation::Participation;
use crate::accessors::{
    AccessError, get_attestation_participation_flag_indices, get_beacon_proposer_index, get_current_epoch,
    get_previous_epoch, has_flag,
};
use crate::attesters::Attesters;
use crate::epoch::get_base_reward_per_increment;
use crate::mutators::increase_balance;
use crate::signatures::{Signatures, attesters_set};

/// [`process_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestations);
/// modified in Altair, Deneb and Electra.
pub fn process_attestation(
    state: &mut BeaconState,
    attestation: &Attestation,
    signatures: &mut Signatures,
) -> Result<(), AttestationInvalid> {
    attest(state, attestation, signatures, &mut Participation::default())
}

/// [`process_attestation`] with the flags that the block's attestations share.
pub(super) fn attest(
    state: &mut BeaconState,
    attestation: &Attestation,
    signatures: &mut Signatures,
    participation: &mut Participation,
) -> Result<(), AttestationInvalid> {
    check_data(state, &attestation.data)?;
    // Finds the committees, and that their size is that of the bits.
    let attesters = Attesters::of(state, attestation)?;
    if attesters.is_empty() {
        return Err(AttestationInvalid::Empty);
    }
    if state.fork_name() >= ForkName::Electra {
        check_committees(attestation, &attesters)?;
    }
    if !signatures.take(|| attesters_set(state, attestation, &attesters)) {
        return Err(AttestationInvalid::Signature);
    }
    if state.fork_name() >= ForkName::Altair {
        add_participation(state, &attestation.data, &attesters, participation)
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
fn check_committees(attestation: &Attestation, attesters: &Attesters<'_>) -> Result<(), AttestationInvalid> {
    let data = &attestation.data;
    if data.index != 0 || attestation.committee_bits.is_empty() {
        return Err(AttestationInvalid::CommitteeInData(data.index));
    }
    if attesters.is_of_every_committee() { Ok(()) } else { Err(AttestationInvalid::Empty) }
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
    data: &AttestationData,
    attesters: &Attesters<'_>,
    participation: &mut Participation,
) -> Result<(), AttestationInvalid> {
    let flags = get_attestation_participation_flag_indices(state, data, state.slot - data.slot)?
        .ok_or(AttestationInvalid::Source)?;
    let is_current = data.target.epoch == get_current_epoch(state);
    let increments = participation.add(state, is_current, flags, attesters.iter())?;
    let numerator = reward_numerator(&increments, get_base_reward_per_increment(state)?.0);
    let numerator = numerator.ok_or(AccessError::Overflow("a proposer's reward"))?;
    let denominator = (WEIGHT_DENOMINATOR - PROPOSER_WEIGHT) * WEIGHT_DENOMINATOR / PROPOSER_WEIGHT;
    let proposer = get_beacon_proposer_index(state)?;
    Ok(increase_balance(state, proposer, Gwei(numerator / denominator))?)
}

/// The sum of the attesters' base rewards times the weights of their new flags; none where it leaves 64 bits.
fn reward_numerator(increments_by_flags: &[u64], base_reward_per_increment: u64) -> Option<u64> {
    let weight = |flags: u8| -> u64 {
        let weights = PARTICIPATION_FLAG_WEIGHTS.iter().enumerate();
        weights.filter(|(flag, _)| has_flag(flags, *flag)).map(|(_, weight)| weight).sum()
    };
    (0u8..).zip(increments_by_flags).try_fold(0u64, |sum, (flags, increments)| {
        let rewards = increments.checked_mul(base_reward_per_increment)?.checked_mul(weight(flags))?;
        sum.checked_add(rewards)
    })
}
