//! Slots against the clock, with `MAXIMUM_GOSSIP_CLOCK_DISPARITY` on both sides.

use types::{BeaconState, Epoch, Slot, Time};

/// [`compute_time_at_slot_ms`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md):
/// the largest time where it does not fit.
pub fn compute_time_at_slot_ms(state: &BeaconState, slot: Slot) -> Time {
    let since_genesis = slot.0.saturating_mul(state.spec().config.slot_duration_ms);
    Time(state.genesis_time.saturating_mul(1000)).after_ms(since_genesis)
}

/// [`is_not_from_future_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md).
pub fn is_not_from_future_slot(state: &BeaconState, slot: Slot, now: Time) -> bool {
    now.after_ms(state.spec().config.maximum_gossip_clock_disparity) >= compute_time_at_slot_ms(state, slot)
}

/// [`is_within_slot_range`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md):
/// now is in the slots from `slot` to `slot + slot_range`.
pub fn is_within_slot_range(state: &BeaconState, slot: Slot, slot_range: u64, now: Time) -> bool {
    let disparity = state.spec().config.maximum_gossip_clock_disparity;
    let end = compute_time_at_slot_ms(state, slot.saturating_add(slot_range).saturating_add(1));
    is_not_from_future_slot(state, slot, now) && end.after_ms(disparity) >= now
}

/// [`is_current_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md).
pub fn is_current_slot(state: &BeaconState, slot: Slot, now: Time) -> bool {
    is_within_slot_range(state, slot, 0, now)
}

/// [`is_current_or_previous_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md).
pub fn is_current_or_previous_epoch(state: &BeaconState, epoch: Epoch, now: Time) -> bool {
    is_within_epoch(state, epoch, now) || is_within_epoch(state, epoch.saturating_add(1), now)
}

/// [`is_within_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md).
fn is_within_epoch(state: &BeaconState, epoch: Epoch, now: Time) -> bool {
    let spec = state.spec();
    is_within_slot_range(state, epoch.start_slot(spec), spec.preset.slots_per_epoch - 1, now)
}
