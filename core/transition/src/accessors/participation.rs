//! Participation flags, which take the place of pending attestations since Altair.

use types::constants::{TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX};
use types::{AttestationData, BeaconState, ForkName, Slot};

use super::{AccessError, get_block_root, get_block_root_at_slot, get_current_epoch};
use crate::math::integer_squareroot;

/// [`add_flag`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#add_flag).
pub fn add_flag(flags: u8, flag_index: usize) -> u8 {
    flags | 1 << flag_index
}

/// [`has_flag`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#has_flag).
pub fn has_flag(flags: u8, flag_index: usize) -> bool {
    flags & 1 << flag_index != 0
}

/// [`get_attestation_participation_flag_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_attestation_participation_flag_indices)
/// as the flags themselves; modified in Deneb. None where the source is not the justified checkpoint: such an
/// attestation is invalid.
pub fn get_attestation_participation_flag_indices(
    state: &BeaconState,
    data: &AttestationData,
    inclusion_delay: Slot,
) -> Result<Option<u8>, AccessError> {
    let preset = &state.spec().preset;
    let justified = if data.target.epoch == get_current_epoch(state) {
        &state.current_justified_checkpoint
    } else {
        &state.previous_justified_checkpoint
    };
    if data.source != *justified {
        return Ok(None);
    }
    let is_matching_target = data.target.root == get_block_root(state, data.target.epoch)?;
    let is_matching_head =
        is_matching_target && data.beacon_block_root == get_block_root_at_slot(state, data.slot)?;
    let mut flags = 0;
    if inclusion_delay <= integer_squareroot(preset.slots_per_epoch) {
        flags = add_flag(flags, TIMELY_SOURCE_FLAG_INDEX);
    }
    // EIP-7045 takes votes for the target however late they are.
    let is_late = inclusion_delay > preset.slots_per_epoch && state.fork_name() < ForkName::Deneb;
    if is_matching_target && !is_late {
        flags = add_flag(flags, TIMELY_TARGET_FLAG_INDEX);
    }
    if is_matching_head && inclusion_delay == preset.min_attestation_inclusion_delay {
        flags = add_flag(flags, TIMELY_HEAD_FLAG_INDEX);
    }
    Ok(Some(flags))
}
