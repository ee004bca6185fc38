//! Effective balances follow balances, with hysteresis.

use types::{BeaconState, Gwei};

use super::{EpochError, EpochSummary};
use crate::predicates::get_max_effective_balance;

/// [`process_effective_balance_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#effective-balances-updates);
/// modified in Electra.
///
/// The old effective balances are read from the summary: the registry itself is touched only where one changes.
pub fn process_effective_balance_updates(
    state: &mut BeaconState,
    summary: &EpochSummary,
) -> Result<(), EpochError> {
    let preset = &state.spec().preset;
    let increment = preset.effective_balance_increment;
    let hysteresis_increment = increment / preset.hysteresis_quotient;
    let downward_threshold = hysteresis_increment * preset.hysteresis_downward_multiplier;
    let upward_threshold = hysteresis_increment * preset.hysteresis_upward_multiplier;
    let overflow = || EpochError::Overflow("a balance");
    let (spec, fork) = (state.spec(), state.fork_name());
    for (index, balance) in state.balances.iter().enumerate() {
        // Validators that a deposit made at the end of this epoch are not in the summary.
        let old = match summary.validators.get(index) {
            Some(validator) => validator.effective_balance.0,
            None => state.validators[index].effective_balance.0,
        };
        let is_below = balance.0.checked_add(downward_threshold).ok_or_else(overflow)? < old;
        let is_above = old.checked_add(upward_threshold).ok_or_else(overflow)? < balance.0;
        if !is_below && !is_above {
            continue;
        }
        let most = get_max_effective_balance(spec, fork, &state.validators[index]);
        let new = (balance.0 - balance.0 % increment).min(most.0);
        if new != old {
            state.validators[index].effective_balance = Gwei(new);
        }
    }
    Ok(())
}
