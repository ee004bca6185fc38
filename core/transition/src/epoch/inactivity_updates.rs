//! Inactivity scores: how long a validator has been missing, which decides what a leak costs it.

use types::constants::GENESIS_EPOCH;
use types::{BeaconState, Config};

use super::{EpochError, EpochSummary, ValidatorFlags, is_in_inactivity_leak};

/// [`process_inactivity_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#inactivity-scores).
///
/// Out of a leak nearly all scores are zero and stay so, whoever attested: pages of zeros are only looked at.
pub fn process_inactivity_updates(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    // Scores follow from the previous epoch, which the first epoch does not have.
    if summary.current_epoch == GENESIS_EPOCH {
        return Ok(());
    }
    if state.inactivity_scores.len() != summary.validators.len() {
        return Err(EpochError::ParticipationLength);
    }
    let is_leak = is_in_inactivity_leak(state)?;
    let config = &state.spec().config;
    let recovery = if is_leak { 0 } else { config.inactivity_score_recovery_rate };
    let zero_stays = config.inactivity_score_bias <= recovery;
    let mut is_over = false;
    let mut new = Vec::new();
    state.inactivity_scores.for_each_page(|start, mut page| {
        let scores = page.items();
        if zero_stays && scores.iter().fold(0, |bits, score| bits | score) == 0 {
            return;
        }
        let flags = &summary.validators.flags[start..start + scores.len()];
        new.clear();
        new.extend(scores.iter().zip(flags).map(|(score, flags)| {
            let (updated, carries) = score_after(*score, *flags, config, recovery);
            is_over |= carries;
            updated
        }));
        if scores != new {
            page.set(&new);
        }
    });
    if is_over { Err(EpochError::Overflow("an inactivity score")) } else { Ok(()) }
}

/// The new score of a validator, and whether it leaves 64 bits.
#[inline]
fn score_after(score: u64, flags: ValidatorFlags, config: &Config, recovery: u64) -> (u64, bool) {
    let is_eligible = flags.has(ValidatorFlags::ELIGIBLE);
    let is_present = flags.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET);
    let (raised, carries) = score.overflowing_add(config.inactivity_score_bias);
    let moved = if is_present { score.saturating_sub(1) } else { raised };
    let recovered = moved.saturating_sub(recovery);
    (if is_eligible { recovered } else { score }, carries & is_eligible & !is_present)
}
