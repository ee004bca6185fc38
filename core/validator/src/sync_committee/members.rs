//! Who of the keys is in the committee: asked anew every epoch, and a little ahead of a period.

use std::collections::BTreeSet;

use types::{Epoch, ForkName, Root, Time, ValidatorIndex};

use super::SyncPurpose;
use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::{Ask, Duty, SyncDuty, SyncSubscription};

/// Epochs ahead of a period in which its members are asked for: time enough to find peers on their subnets.
const AHEAD_EPOCHS: u64 = 2;

/// The members among our keys in a period.
#[derive(Debug, Default)]
pub(super) struct PeriodDuties {
    pub(super) members: Vec<SyncDuty>,
    pub(super) asked: bool,
    pub(super) retry_at: Time,
    /// The ground changed since it was asked last.
    pub(super) stale: bool,
    known: bool,
    /// The epoch in which it was asked last.
    asked_in: Epoch,
    /// A slot of the period was over before the members were known.
    late: bool,
    failure: Option<String>,
}

impl Duties {
    /// [`compute_sync_committee_period`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#sync-committee).
    pub(super) fn period_of(&self, epoch: Epoch) -> u64 {
        epoch.0 / self.spec.preset.epochs_per_sync_committee_period
    }

    fn first_epoch_of(&self, period: u64) -> Epoch {
        Epoch(period.saturating_mul(self.spec.preset.epochs_per_sync_committee_period))
    }

    /// Asks for the members of this period once an epoch, which costs little and mends what a reorg or a restarted
    /// node forgot, and of the next one when it is near.
    pub(crate) fn fetch_sync(&mut self) {
        let epoch = self.current_slot().unwrap_or_default().epoch(self.spec);
        let is_early =
            self.now < self.first_fetch() || self.spec.fork_name_at_epoch(epoch) < ForkName::Altair;
        if self.active_keys == 0 || is_early {
            return;
        }
        let (period, next) = (self.period_of(epoch), self.period_of(epoch + AHEAD_EPOCHS));
        let mut wanted = vec![(period, epoch)];
        if next != period {
            wanted.push((next, self.first_epoch_of(next)));
        }
        for (period, of) in wanted {
            let duties = self.sync.periods.entry(period).or_default();
            let is_old = !duties.known || duties.stale || duties.asked_in < epoch;
            if is_old && !duties.asked && duties.retry_at <= self.now {
                duties.asked = true;
                duties.stale = false;
                duties.asked_in = epoch;
                let purpose = Purpose::Sync(SyncPurpose::Duties(period));
                self.ask(purpose, Ask::SyncDuties(of, self.active_indices()));
            }
        }
    }

    /// A head event in the fork's epoch named the last block before the fork: the first committee is drawn from it.
    pub(crate) fn sync_ground(&mut self, epoch: Epoch, last_before: Root) {
        if epoch == self.spec.fork_epoch(ForkName::Altair)
            && self.sync.ground.replace(last_before) != Some(last_before)
        {
            self.sync.refresh();
        }
    }

    pub(super) fn members_failed(&mut self, period: u64, why: String) {
        let retry_at = self.now.after_ms(2 * self.pause_ms());
        if let Some(duties) = self.sync.periods.get_mut(&period) {
            duties.asked = false;
            duties.stale = duties.known;
            duties.retry_at = retry_at;
            duties.failure = Some(why);
        }
    }

    pub(super) fn members_known(&mut self, period: u64, all: Vec<SyncDuty>) {
        let size = self.spec.preset.sync_committee_size;
        let mut seen = BTreeSet::new();
        let mut fits = |duty: &SyncDuty| {
            self.is_ours(&duty.pubkey, duty.validator_index)
                && !duty.places.is_empty()
                && duty.places.len() as u64 <= size
                && duty.places.iter().all(|place| *place < size)
                && seen.insert(duty.validator_index)
        };
        let members: Vec<SyncDuty> = all.into_iter().filter(|duty| fits(duty)).collect();
        let until = self.first_epoch_of(period.saturating_add(1));
        let Some(duties) = self.sync.periods.get_mut(&period) else { return };
        duties.asked = false;
        duties.known = true;
        duties.failure = None;
        let is_late = std::mem::take(&mut duties.late);
        duties.members.clone_from(&members);
        if is_late {
            let of = members.iter().map(|duty| duty.validator_index).collect();
            let slot = self.sync.next_close;
            let why = format!("those before slot {slot}: the duties became known after their slots");
            self.missed(Duty::SyncPeriod(period), of, why);
        }
        if members.is_empty() {
            return;
        }
        let wish = |duty: SyncDuty| SyncSubscription {
            validator_index: duty.validator_index,
            places: duty.places,
            until,
        };
        let wishes = members.into_iter().map(wish).collect();
        self.ask(Purpose::Sync(SyncPurpose::Subscription), Ask::SubscribeSync(wishes));
    }

    /// A slot of the period is over. Where nobody knows whose turn it was, it is told when that becomes known.
    pub(super) fn note_late(&mut self, period: u64) {
        if let Some(duties) = self.sync.periods.get_mut(&period) {
            duties.late |= !duties.known;
        }
    }

    /// Drops periods that are over; one whose members never became known was missed as a whole, if by anyone.
    pub(super) fn forget_periods(&mut self) {
        let first = self.period_of(self.sync.next_close.epoch(self.spec));
        while let Some(entry) = self.sync.periods.first_entry().filter(|entry| *entry.key() < first) {
            let (period, duties) = entry.remove_entry();
            if duties.late {
                let of: Vec<ValidatorIndex> = self.active_indices();
                let why = duties.failure.unwrap_or_else(|| "no answer in time".to_owned());
                let why = format!("the node did not say who is in the committee: {why}");
                self.missed(Duty::SyncPeriod(period), of, why);
            }
        }
    }
}
