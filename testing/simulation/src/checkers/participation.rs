//! How much of the stake voted for the right target in each epoch, as the chain itself recorded it.

use std::collections::BTreeMap;

use transition::accessors::get_current_epoch;
use transition::epoch::{EpochSummary, ValidatorFlags};
use types::{BeaconState, Epoch};

use super::Violation;

/// Hundredths of a percent of the stake, by epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participation {
    epochs: BTreeMap<Epoch, u64>,
}

impl Participation {
    /// Looks at a state near the end of an epoch: it has recorded who voted in the epoch before.
    pub fn observe(&mut self, state: &BeaconState) -> Result<(), Violation> {
        if get_current_epoch(state) == 0 {
            return Ok(());
        }
        let summary = EpochSummary::new(state)
            .map_err(|error| Violation::of_all("participation", error.to_string()))?;
        let (mut attesting, mut active) = (0, 0);
        for validator in &summary.validators {
            if validator.flags.has(ValidatorFlags::ACTIVE_PREVIOUS) {
                active += validator.effective_balance.0;
                if validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET) {
                    attesting += validator.effective_balance.0;
                }
            }
        }
        let share = (u128::from(attesting) * 10_000).checked_div(u128::from(active)).unwrap_or(0);
        self.epochs.insert(summary.previous_epoch, share as u64);
        Ok(())
    }

    /// The lowest of all epochs, in percent; none before the first was looked at.
    pub fn lowest(&self) -> Option<(Epoch, f64)> {
        let (epoch, share) = self.epochs.iter().min_by_key(|(_, share)| **share)?;
        Some((*epoch, *share as f64 / 100.0))
    }

    /// Judges the epochs so far.
    pub fn check(&self, percent: u64) -> Result<(), Violation> {
        match self.lowest() {
            Some((epoch, share)) if share < percent as f64 => {
                let what = format!("{share:.2} % in epoch {epoch}, not {percent} %");
                Err(Violation::of_all("participation", what))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_epoch_is_judged() {
        let participation = Participation { epochs: [(Epoch(1), 9_950), (Epoch(2), 9_240)].into() };
        assert_eq!(participation.lowest(), Some((Epoch(2), 92.4)));
        assert_eq!(participation.check(92), Ok(()));
        assert_eq!(participation.check(93).unwrap_err().rule, "participation");
        assert_eq!(Participation::default().check(100), Ok(()));
    }
}
