//! Attestations.

use types::{Attestation, BeaconState, ForkName, PendingAttestation};

use super::AttestationInvalid;
use crate::accessors::{
    get_beacon_proposer_index, get_current_epoch, get_indexed_attestation, get_previous_epoch, require_built,
};
use crate::signatures::{Signatures, indexed_attestation_set};

/// [`process_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#attestations).
pub fn process_attestation(
    state: &mut BeaconState,
    attestation: &Attestation,
    signatures: &mut Signatures,
) -> Result<(), AttestationInvalid> {
    require_built(state, ForkName::Phase0)?;
    let spec = state.spec();
    let data = &attestation.data;
    let is_current = data.target.epoch == get_current_epoch(state);
    if !is_current && data.target.epoch != get_previous_epoch(state) {
        return Err(AttestationInvalid::TargetEpoch(data.target.epoch));
    }
    if data.target.epoch != data.slot.epoch(spec) {
        return Err(AttestationInvalid::TargetNotOfSlot);
    }
    let in_time = spec.preset.min_attestation_inclusion_delay..=spec.preset.slots_per_epoch;
    if !state.slot.0.checked_sub(data.slot.0).is_some_and(|delay| in_time.contains(&delay)) {
        return Err(AttestationInvalid::InclusionSlot(data.slot));
    }
    // Finds the committee, and that its size is that of the bits.
    let indexed = get_indexed_attestation(state, attestation)?;
    let source =
        if is_current { &state.current_justified_checkpoint } else { &state.previous_justified_checkpoint };
    if data.source != *source {
        return Err(AttestationInvalid::Source);
    }
    if indexed.attesting_indices.is_empty() {
        return Err(AttestationInvalid::Empty);
    }
    if !signatures.take(|| indexed_attestation_set(state, &indexed)) {
        return Err(AttestationInvalid::Signature);
    }
    let pending = PendingAttestation {
        aggregation_bits: attestation.aggregation_bits.clone(),
        data: data.clone(),
        inclusion_delay: state.slot - data.slot,
        proposer_index: get_beacon_proposer_index(state)?,
    };
    let list = if is_current {
        &mut state.current_epoch_attestations
    } else {
        &mut state.previous_epoch_attestations
    };
    if list.len() as u64 >= spec.preset.max_attestations * spec.preset.slots_per_epoch {
        return Err(AttestationInvalid::NoRoom);
    }
    list.push(pending);
    Ok(())
}
