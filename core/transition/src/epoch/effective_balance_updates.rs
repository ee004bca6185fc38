//! Effective balances follow balances, with hysteresis.

use types::{BeaconState, Epoch, Gwei};

use super::{EpochError, EpochSummary};
use crate::predicates::{get_max_effective_balance, is_active_validator};

/// [`process_effective_balance_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#effective-balances-updates);
/// modified in Electra.
pub fn process_effective_balance_updates(
    state: &mut BeaconState,
    summary: &EpochSummary,
) -> Result<(), EpochError> {
    update_effective_balances(state, summary).map(|_| ())
}

/// The same; the answer is by how much the effective balance of those changed who are active in the next epoch.
///
/// The old effective balances are read from the summary: the registry itself is touched only where one changes. Which
/// balances are so far off is told by a pass that compares each with two numbers of its class.
pub(super) fn update_effective_balances(
    state: &mut BeaconState,
    summary: &EpochSummary,
) -> Result<i128, EpochError> {
    let thresholds = Thresholds::new(state)?;
    let bounds: Vec<(u64, u64)> =
        summary.validators.balances.iter().map(|balance| thresholds.bounds(*balance)).collect();
    let next_epoch = summary.current_epoch.saturating_add(1);
    let classes = &summary.validators.classes;
    let mut change = 0;
    // The pages of balances are shared by this copy, which is only read.
    let balances = state.balances.clone();
    let mut start = 0;
    for page in balances.slices() {
        // Validators that a deposit made at the end of this epoch are not in the summary.
        let known = classes.get(start..).unwrap_or_default();
        let is_off = page.iter().zip(known).fold(page.len() > known.len(), |is_off, (balance, class)| {
            let (low, high) = bounds[*class as usize];
            is_off | (balance.0 < low) | (balance.0 > high)
        });
        if is_off {
            for (index, balance) in (start..).zip(page) {
                change += thresholds.update(state, index, *balance, next_epoch)?;
            }
        }
        start += page.len();
    }
    Ok(change)
}

struct Thresholds {
    increment: u64,
    downward: u64,
    upward: u64,
}

impl Thresholds {
    fn new(state: &BeaconState) -> Result<Self, EpochError> {
        let preset = &state.spec().preset;
        let increment = preset.effective_balance_increment;
        let hysteresis_increment = increment / preset.hysteresis_quotient;
        let overflow = || EpochError::Overflow("a threshold of effective balances");
        let times = |multiplier| hysteresis_increment.checked_mul(multiplier).ok_or_else(overflow);
        let downward = times(preset.hysteresis_downward_multiplier)?;
        let upward = times(preset.hysteresis_upward_multiplier)?;
        Ok(Self { increment, downward, upward })
    }

    /// The smallest and the largest balance with which an effective balance stays. Where sums leave 64 bits, none does.
    fn bounds(&self, effective: u64) -> (u64, u64) {
        match effective.checked_add(self.upward) {
            // Larger ones have no sum with the downward threshold, which is an error to be found.
            Some(high) => (effective.saturating_sub(self.downward), high.min(u64::MAX - self.downward)),
            None => (u64::MAX, 0),
        }
    }

    /// Updates one validator; the answer is the change where it is active in the epoch.
    fn update(
        &self,
        state: &mut BeaconState,
        index: usize,
        balance: Gwei,
        epoch: Epoch,
    ) -> Result<i128, EpochError> {
        let overflow = || EpochError::Overflow("a balance");
        let validator = state.validators.get(index).ok_or(EpochError::BalancesLength)?;
        let old = validator.effective_balance.0;
        let is_below = balance.0.checked_add(self.downward).ok_or_else(overflow)? < old;
        let is_above = old.checked_add(self.upward).ok_or_else(overflow)? < balance.0;
        if !is_below && !is_above {
            return Ok(0);
        }
        let most = get_max_effective_balance(state.spec(), state.fork_name(), validator);
        let new = (balance.0 - balance.0 % self.increment).min(most.0);
        if new == old {
            return Ok(0);
        }
        let counts = is_active_validator(validator, epoch);
        state.validators[index].effective_balance = Gwei(new);
        Ok(if counts { i128::from(new) - i128::from(old) } else { 0 })
    }
}
