//! The part of a slashed validator's penalty that grows with how many were slashed around the same time.

use types::{BeaconState, ForkName, Gwei};

use super::{EpochError, EpochSummary};

/// [`process_slashings`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#slashings);
/// modified in Altair, Bellatrix and Electra.
pub fn process_slashings(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    let overflow = || EpochError::Overflow("a slashing penalty");
    let preset = &state.spec().preset;
    let increment = preset.effective_balance_increment;
    let multiplier = match state.fork_name() {
        ForkName::Phase0 => preset.proportional_slashing_multiplier,
        ForkName::Altair => preset.proportional_slashing_multiplier_altair,
        _ => preset.proportional_slashing_multiplier_bellatrix,
    };
    let total_balance = summary.total_active_balance.0;
    let slashed_balance = state
        .slashings
        .iter()
        .try_fold(0u64, |sum, slashed| sum.checked_add(slashed.0))
        .and_then(|sum| sum.checked_mul(multiplier))
        .ok_or_else(overflow)?
        .min(total_balance);
    // The total is at least one increment.
    let penalty_per_increment = slashed_balance / (total_balance / increment);
    let penalized_epoch = summary.current_epoch + preset.epochs_per_slashings_vector / 2;
    for index in summary.findings.slashed.iter().map(|index| *index as usize) {
        if state.validators[index].withdrawable_epoch != penalized_epoch {
            continue;
        }
        let validator = summary.validators.get(index).ok_or(EpochError::BalancesLength)?;
        // The increment is taken out before the product and put back after the division, so that the product fits.
        let increments = validator.effective_balance.0 / increment;
        let penalty = if state.fork_name() >= ForkName::Electra {
            penalty_per_increment.checked_mul(increments)
        } else {
            let numerator = increments.checked_mul(slashed_balance).ok_or_else(overflow)?;
            (numerator / total_balance).checked_mul(increment)
        };
        let penalty = penalty.ok_or_else(overflow)?;
        state.balances[index] = state.balances[index].saturating_sub(Gwei(penalty));
    }
    Ok(())
}
