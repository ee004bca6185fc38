//! Who is active, remembered as a bit for each validator.
//!
//! Committees of three epochs, proposers, and the total active balance all begin with this question, and a registry of
//! a million is 130 MB to read. So the first who asks has it answered for all of them in one pass.

use std::sync::{Arc, OnceLock};

use types::{ActiveSet, BeaconState, Epoch, Gwei};

use super::get_current_epoch;
use crate::predicates::is_active_validator;

/// Who is active in an epoch; from what the state remembers where it is the previous, the current or the next one, or
/// the one after it where the end of the epoch told it.
pub(crate) fn active_set(state: &BeaconState, epoch: Epoch) -> Arc<ActiveSet> {
    if let Some(cell) = cell(state, epoch) {
        if cell.get().is_none() {
            remember_active(state);
        }
        if let Some(set) = cell.get().filter(|set| set.epoch == epoch) {
            return set.clone();
        }
    }
    if let Some(set) = state.context.caches.active_ahead.as_ref().filter(|set| set.epoch == epoch) {
        return set.clone();
    }
    let mut set = ActiveSet::with_capacity(epoch, state.validators.len());
    let mut words = Words::default();
    for validator in state.validators.slices().flatten() {
        words.push([is_active_validator(validator, epoch)], std::slice::from_mut(&mut set));
    }
    words.finish(std::slice::from_mut(&mut set));
    Arc::new(set)
}

/// Fills the state's cells of the active validators and of their total balance that are empty.
pub(super) fn remember_active(state: &BeaconState) {
    let current = get_current_epoch(state);
    let epochs = [current.saturating_sub(1), current, current.saturating_add(1)];
    let mut sets = epochs.map(|epoch| ActiveSet::with_capacity(epoch, state.validators.len()));
    let (mut total, mut is_over) = (0u64, false);
    let mut words = Words::default();
    for validator in state.validators.slices().flatten() {
        let is_active = epochs.map(|epoch| is_active_validator(validator, epoch));
        let balance = if is_active[1] { validator.effective_balance.0 } else { 0 };
        let (sum, carry) = total.overflowing_add(balance);
        (total, is_over) = (sum, is_over | carry);
        words.push(is_active, &mut sets);
    }
    words.finish(&mut sets);
    let caches = &state.context.caches;
    for (cell, set) in caches.active.iter().zip(sets) {
        // A cell may be taken, by another thread with the same set. In the first epoch there is none before it.
        let _ = cell.set(Arc::new(set));
    }
    if !is_over {
        let least = state.spec().preset.effective_balance_increment;
        let _ = caches.total_active_balance.set((current, Gwei(total.max(least))));
    }
}

fn cell(state: &BeaconState, epoch: Epoch) -> Option<&OnceLock<Arc<ActiveSet>>> {
    let place = epoch.0.checked_add(1)?.checked_sub(get_current_epoch(state).0)?;
    state.context.caches.active.get(usize::try_from(place).ok()?)
}

/// Up to 63 validators of `N` sets that wait for the word to be full.
struct Words<const N: usize> {
    bits: [u64; N],
    filled: u32,
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Self { bits: [0; N], filled: 0 }
    }
}

impl<const N: usize> Words<N> {
    fn push(&mut self, is_active: [bool; N], sets: &mut [ActiveSet]) {
        for (bits, is_active) in self.bits.iter_mut().zip(is_active) {
            *bits |= u64::from(is_active) << self.filled;
        }
        self.filled += 1;
        if self.filled == 64 {
            self.finish(sets);
        }
    }

    fn finish(&mut self, sets: &mut [ActiveSet]) {
        if self.filled == 0 {
            return;
        }
        for (bits, set) in self.bits.iter_mut().zip(sets) {
            set.push(std::mem::take(bits));
        }
        self.filled = 0;
    }
}
