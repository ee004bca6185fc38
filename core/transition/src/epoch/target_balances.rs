//! How much voted for the right target, without a look at the registry.
//!
//! Fork choice asks after every block. A pass over a registry of a million, which lies all over memory, takes longer than
//! most of the block. But within an epoch nearly nothing changes of what a vote weighs. So weights are kept from one
//! pass, two bytes a validator, and participation alone is read each time. The registry that they were found in is kept
//! too: pages of a later one that are not the same pages are read again, so that no rule says what may change.

use std::sync::Arc;

use types::constants::TIMELY_TARGET_FLAG_INDEX;
use types::{BeaconState, Epoch, ForkName, Gwei, List, TargetWeights, Validator};

use crate::accessors::{
    get_current_epoch, get_previous_epoch, get_total_active_balance, is_active_validator,
};

/// Where a weight says that the validator is active in the previous epoch, and in the current one.
const ACTIVE: [u32; 2] = [14, 15];
/// The part of a weight that is the effective balance, in increments: 2048 at most in valid states.
const INCREMENTS: u16 = (1 << ACTIVE[0]) - 1;
/// So many weights can be added up in 32 bits.
const CHUNK: usize = 4096;

/// What [`super::weigh_justification_and_finalization`] weighs.
pub(super) struct TargetBalances {
    pub total_active: Gwei,
    pub previous: Gwei,
    pub current: Gwei,
}

impl TargetBalances {
    /// Since Altair; none for states whose balances no weight can say, and those that are refused elsewhere.
    pub fn of(state: &BeaconState) -> Option<Self> {
        let count = state.validators.len();
        let participation = [&state.previous_epoch_participation, &state.current_epoch_participation];
        let lengths = [state.balances.len(), state.inactivity_scores.len()];
        if state.fork_name() < ForkName::Altair
            || lengths != [count; 2]
            || participation.iter().any(|list| list.len() != count)
        {
            return None;
        }
        let weights = weights(state)?;
        let mut sums = [0, 1].map(|epoch| sum(participation[epoch], &weights.weights, ACTIVE[epoch]));
        let weigh = Weigher::of(state);
        for_each_new(state, weights, |index, validator, old| {
            let new = weigh.weight(validator)?;
            for ((sum, flags), bit) in sums.iter_mut().zip(participation).zip(ACTIVE) {
                let flags = flags[index];
                *sum = *sum - u64::from(counted(flags, old, bit)) + u64::from(counted(flags, new, bit));
            }
            Some(())
        })?;
        let [previous, current] = sums.map(|sum| sum.max(1).checked_mul(weigh.increment).map(Gwei));
        let total_active = get_total_active_balance(state).ok()?;
        Some(Self { total_active, previous: previous?, current: current? })
    }
}

/// The weights of the state's epoch, of whichever registry.
fn weights(state: &BeaconState) -> Option<&TargetWeights> {
    let (cell, epoch) = (&state.context.caches.target_weights, get_current_epoch(state));
    if cell.get().is_none() {
        let weigh = Weigher::of(state);
        let mut weights = Vec::with_capacity(state.validators.len());
        for validator in state.validators.slices().flatten() {
            weights.push(weigh.weight(validator)?);
        }
        let made = TargetWeights { epoch, registry: state.validators.clone(), weights };
        // Another thread may have been faster.
        let _ = cell.set(Arc::new(made));
    }
    cell.get().map(|made| &**made).filter(|made| made.epoch == epoch)
}

/// Shows the validators on pages that are not those of the registry that the weights are of, each with its index and
/// what it weighed there.
fn for_each_new(
    state: &BeaconState,
    weights: &TargetWeights,
    mut show: impl FnMut(usize, &Validator, u16) -> Option<()>,
) -> Option<()> {
    let (mut first, mut old_pages) = (0, weights.registry.slices());
    for page in state.validators.slices() {
        if !old_pages.next().is_some_and(|old| std::ptr::eq(old, page)) {
            for (index, validator) in (first..).zip(page) {
                show(index, validator, weights.weights.get(index).copied().unwrap_or_default())?;
            }
        }
        first += page.len();
    }
    Some(())
}

/// What of a weight counts, with these flags, in the epoch whose validators the bit names.
#[inline]
fn counted(flags: u8, weight: u16, active: u32) -> u16 {
    let counts = u16::from(flags >> TIMELY_TARGET_FLAG_INDEX) & weight >> active & 1;
    // All ones or none: no branch, so that the compiler takes many at once.
    weight & INCREMENTS & 0u16.wrapping_sub(counts)
}

/// What of all weights counts, in increments.
fn sum(participation: &List<u8>, weights: &[u16], active: u32) -> u64 {
    let (mut sum, mut rest) = (0, weights);
    for page in participation.slices() {
        let (here, after) = rest.split_at(page.len().min(rest.len()));
        rest = after;
        for (flags, weights) in page.chunks(CHUNK).zip(here.chunks(CHUNK)) {
            let counted = flags.iter().zip(weights).map(|(flags, weight)| counted(*flags, *weight, active));
            sum += u64::from(counted.map(u32::from).sum::<u32>());
        }
    }
    sum
}

/// Finds weights in an epoch.
struct Weigher {
    epochs: [Epoch; 2],
    increment: u64,
}

impl Weigher {
    fn of(state: &BeaconState) -> Self {
        let epochs = [get_previous_epoch(state), get_current_epoch(state)];
        Self { epochs, increment: state.spec().preset.effective_balance_increment }
    }

    /// A validator's weight, none where it does not fit. One that was slashed has none to be counted.
    #[inline]
    fn weight(&self, validator: &Validator) -> Option<u16> {
        let Gwei(balance) = validator.effective_balance;
        let increments = balance / self.increment;
        if increments > u64::from(INCREMENTS) || increments * self.increment != balance {
            return None;
        }
        let active = |place: usize| {
            let active = is_active_validator(validator, self.epochs[place]) && !validator.slashed;
            u16::from(active) << ACTIVE[place]
        };
        Some(increments as u16 | active(0) | active(1))
    }
}

#[cfg(test)]
mod tests {
    use types::constants::FAR_FUTURE_EPOCH;
    use types::{Slot, Spec};

    use super::*;
    use crate::epoch::EpochSummary;

    fn state(validators: u64, fork: ForkName) -> BeaconState {
        let mut state = BeaconState::empty(Spec::minimal(), fork);
        state.slot = Slot(8 * 10 + 3);
        for index in 0..validators {
            add(&mut state, index);
        }
        state
    }

    fn add(state: &mut BeaconState, seed: u64) {
        state.validators.push(Validator {
            effective_balance: Gwei(seed % 40 * 1_000_000_000),
            activation_epoch: Epoch(7 + seed % 5),
            exit_epoch: [Epoch(10), Epoch(11), FAR_FUTURE_EPOCH][seed as usize / 5 % 3],
            slashed: seed % 11 == 3,
            ..Validator::default()
        });
        state.balances.push(Gwei(0));
        state.inactivity_scores.push(0);
        state.previous_epoch_participation.push((seed % 8) as u8);
        state.current_epoch_participation.push((seed / 3 % 8) as u8);
    }

    /// As deposits do, which leave who is active as it is.
    fn join(state: &mut BeaconState, seed: u64) {
        add(state, seed);
        let last = state.validators.len() - 1;
        state.validators[last].activation_epoch = FAR_FUTURE_EPOCH;
    }

    /// A linear congruential generator, of which the high bits are used.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    fn assert_same(state: &BeaconState) {
        let found = TargetBalances::of(state).unwrap();
        let mut forgetful = state.clone();
        forgetful.context.caches.forget();
        let summary = EpochSummary::new(&forgetful).unwrap();
        assert_eq!(found.total_active, summary.total_active_balance);
        assert_eq!(found.previous, summary.previous_target_balance);
        assert_eq!(found.current, summary.current_target_balance);
    }

    #[test]
    fn whatever_changes_they_are_those_that_the_registry_tells() {
        for fork in [ForkName::Altair, ForkName::Fulu] {
            let mut random = Random(fork as u64);
            let mut state = state(3000, fork);
            assert_same(&state);
            for _ in 0..60 {
                for _ in 0..random.below(20) {
                    let index = random.below(state.validators.len() as u64) as usize;
                    match random.below(5) {
                        0 => state.validators[index].slashed = true,
                        1 => state.current_epoch_participation[index] = random.below(8) as u8,
                        2 => state.previous_epoch_participation[index] = random.below(8) as u8,
                        3 => state.validators[index].withdrawable_epoch = Epoch(40),
                        _ => join(&mut state, random.below(1000)),
                    }
                }
                assert_same(&state);
            }
            let kept = state.context.caches.target_weights.get().unwrap();
            assert_eq!(kept.weights.len(), 3000, "one pass was enough");
        }
    }

    #[test]
    fn the_next_epoch_has_weights_of_its_own() {
        let mut state = state(500, ForkName::Deneb);
        assert_same(&state);
        state.slot = Slot(8 * 11);
        assert!(TargetBalances::of(&state).is_none(), "nobody told the memo");
        state.context.caches.enter_epoch(Epoch(11));
        state.context.caches.forget();
        assert_same(&state);
    }

    #[test]
    fn what_no_weight_can_say_is_left_to_the_summary() {
        let refused = |spoil: fn(&mut BeaconState)| {
            let mut state = state(500, ForkName::Deneb);
            spoil(&mut state);
            TargetBalances::of(&state).is_none()
        };
        assert!(refused(|state| state.validators[77].effective_balance = Gwei(1)));
        assert!(refused(|state| state.validators[77].effective_balance = Gwei(1 << 60)));
        assert!(refused(|state| state.current_epoch_participation.push(0)));
        assert!(refused(|state| state.balances.push(Gwei(0))));
        assert!(!refused(|_| ()));
        assert!(TargetBalances::of(&state(8, ForkName::Phase0)).is_none());
    }
}
