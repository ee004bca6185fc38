//! How much of the stake voted for the right target.

use std::fmt;

use anyhow::ensure;
use transition::accessors::get_current_epoch;
use transition::epoch::{EpochSummary, ValidatorFlags};
use types::constants::GENESIS_EPOCH;
use types::{BeaconState, Epoch, Gwei};

/// The stake that attested to the right target of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participation {
    /// The epoch.
    pub epoch: Epoch,
    /// Effective balance of its unslashed attesters with the right target.
    pub attesting: Gwei,
    /// Effective balance of all validators active in it.
    pub active: Gwei,
}

impl Participation {
    /// Percent of the active balance.
    pub fn percent(&self) -> f64 {
        if self.active == 0 {
            return 0.0;
        }
        self.attesting.0 as f64 * 100.0 / self.active.0 as f64
    }
}

impl fmt::Display for Participation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded down, so that 100 % means everyone.
        write!(f, "{:.1} %", (self.percent() * 10.0).floor() / 10.0)
    }
}

/// The participation in the epoch before the state's, as far as blocks up to the state have included it. An error in
/// the first epoch, which has none before it, and for states of forks whose rules are not built yet.
pub fn participation_of_previous_epoch(state: &BeaconState) -> anyhow::Result<Participation> {
    ensure!(get_current_epoch(state) > GENESIS_EPOCH, "there is no epoch before the first");
    // The summary's own totals never fall below one increment, as divisors must not; here nobody is nobody.
    let summary = EpochSummary::new(state)?;
    let (mut attesting, mut active) = (Gwei(0), Gwei(0));
    for validator in &summary.validators {
        if validator.flags.has(ValidatorFlags::ACTIVE_PREVIOUS) {
            active += validator.effective_balance;
            if validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET) {
                attesting += validator.effective_balance;
            }
        }
    }
    Ok(Participation { epoch: summary.previous_epoch, attesting, active })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DevnetPlan, interop_genesis};
    use transition::accessors::{get_beacon_committee, get_block_root};
    use types::{AttestationData, Bits, Checkpoint, CommitteeIndex, PendingAttestation, Root, Slot};

    fn state_at(slot: u64) -> BeaconState {
        let plan = DevnetPlan::new(1, 64, "interlock".into(), "net".into());
        let mut state = interop_genesis(plan.spec(1_700_000_000).unwrap(), 64, 1_700_000_000).unwrap();
        transition::process_slots(&mut state, Slot(slot)).unwrap();
        state
    }

    #[test]
    fn nobody_is_no_percent_and_the_first_epoch_has_no_previous_one() {
        let participation = participation_of_previous_epoch(&state_at(15)).unwrap();
        assert_eq!((participation.epoch, participation.attesting), (Epoch(0), Gwei(0)));
        assert_eq!(participation.active, Gwei(64 * 32_000_000_000));
        assert_eq!(participation.to_string(), "0.0 %");
        assert!(participation_of_previous_epoch(&state_at(7)).is_err());
    }

    #[test]
    fn whole_committees_with_the_right_target_count_and_others_do_not() {
        let mut state = state_at(15);
        let target = Checkpoint { epoch: Epoch(0), root: get_block_root(&state, Epoch(0)).unwrap() };
        let wrong = Checkpoint { epoch: Epoch(0), root: Root::from([9; 32]) };
        for (slot, target) in [(1, target.clone()), (2, target), (3, wrong)] {
            let size = get_beacon_committee(&state, Slot(slot), CommitteeIndex(0)).unwrap().len();
            let data = AttestationData { slot: Slot(slot), target, ..AttestationData::default() };
            let attestation = PendingAttestation {
                aggregation_bits: (0..size).map(|_| true).collect::<Bits>(),
                data,
                inclusion_delay: Slot(1),
                ..PendingAttestation::default()
            };
            state.previous_epoch_attestations.push(attestation);
        }
        let participation = participation_of_previous_epoch(&state).unwrap();
        // Two of sixteen committees, of four members each.
        assert_eq!(participation.attesting, Gwei(8 * 32_000_000_000));
        assert_eq!(participation.to_string(), "12.5 %");
    }
}
