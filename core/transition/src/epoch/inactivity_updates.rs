//! Inactivity scores: how long a validator has been missing, which decides what a leak costs it.

use types::BeaconState;
use types::constants::GENESIS_EPOCH;

use super::{EpochError, EpochSummary, ValidatorFlags, is_in_inactivity_leak};

/// [`process_inactivity_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#inactivity-scores).
pub fn process_inactivity_updates(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    // Scores follow from the previous epoch, which the first epoch does not have.
    if summary.current_epoch == GENESIS_EPOCH {
        return Ok(());
    }
    let is_leak = is_in_inactivity_leak(state)?;
    let config = &state.spec().config;
    let mut overflow = false;
    state.inactivity_scores.update(|index, score| {
        let validator = &summary.validators[index];
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return None;
        }
        let mut new = if validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET) {
            score.saturating_sub(1)
        } else if let Some(sum) = score.checked_add(config.inactivity_score_bias) {
            sum
        } else {
            overflow = true;
            return None;
        };
        if !is_leak {
            new = new.saturating_sub(config.inactivity_score_recovery_rate);
        }
        (new != *score).then_some(new)
    });
    if overflow { Err(EpochError::Overflow("an inactivity score")) } else { Ok(()) }
}
