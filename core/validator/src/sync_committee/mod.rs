//! The sync committee: a vote for the head in every slot by each member, and contributions by its aggregators.
//!
//! The members of a period are known a period ahead. A vote is worth something in its own slot only, so that the work
//! of a slot ends with it. Nothing here is slashable; still each member votes once a slot.

mod contributions;
mod members;
mod messages;

use std::collections::{BTreeMap, BTreeSet};

use types::{
    BlsPubkey, BlsSignature, ForkName, Root, SignedContributionAndProof, Slot, Time, ValidatorIndex,
};

use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::{Answer, Ask, Duty, SyncDuty};
use members::PeriodDuties;

/// What an open question of the sync committee is for.
#[derive(Clone, Debug)]
pub(crate) enum SyncPurpose {
    Duties(u64),
    Subscription,
    Proofs(Slot, Vec<(BlsPubkey, ValidatorIndex, u64)>),
    Head(Slot),
    Signatures(Slot, Root, Vec<ValidatorIndex>),
    Publication(Slot, Root, Vec<ValidatorIndex>),
    Contribution(Slot, u64, Root),
    ContributionSignatures(Slot, Vec<SignedContributionAndProof>),
    ContributionPublication(Slot, Root, Vec<ValidatorIndex>),
}

/// The members of up to three periods, and the work of up to three slots.
#[derive(Debug, Default)]
pub(crate) struct SyncWork {
    periods: BTreeMap<u64, PeriodDuties>,
    slots: BTreeMap<Slot, SlotWork>,
    /// The first slot whose work is not over.
    next_close: Slot,
    /// The last block before the fork to Altair, which the first committee is drawn from.
    ground: Option<Root>,
}

/// How far the work of a slot has come.
#[derive(Debug, Default)]
struct SlotWork {
    proofs_asked: bool,
    aggregators: Vec<Aggregator>,
    root_asked: bool,
    root: Option<Root>,
    failure: Option<String>,
    /// Who was handed to the signer. Whatever duties change into, nobody is handed over twice.
    voted: BTreeSet<ValidatorIndex>,
    contributions_asked: BTreeSet<u64>,
}

/// A member that contributes the votes of a subcommittee in a slot.
#[derive(Clone, Copy, Debug)]
struct Aggregator {
    pubkey: BlsPubkey,
    validator: ValidatorIndex,
    subcommittee: u64,
    proof: BlsSignature,
}

impl SyncWork {
    /// The machine runs from this slot on.
    pub(crate) fn begin(&mut self, slot: Slot) {
        self.next_close = slot;
    }

    /// Has the members fetched again: the keys or the chain changed.
    pub(crate) fn refresh(&mut self) {
        self.periods.values_mut().for_each(|period| period.stale = true);
    }

    /// When failed questions for members are asked again.
    pub(crate) fn retries(&self) -> impl Iterator<Item = Time> + '_ {
        self.periods.values().filter(|period| !period.asked).map(|period| period.retry_at)
    }

    fn slot(&mut self, slot: Slot) -> &mut SlotWork {
        self.slots.entry(slot).or_default()
    }
}

impl Duties {
    /// When a vote of the sync committee is cast at the latest.
    pub(crate) fn sync_message_due(&self, slot: Slot) -> Time {
        let bps = self.spec.config.sync_message_due_bps;
        self.start_of(slot).after_ms(self.spec.get_slot_component_duration_ms(bps))
    }

    /// When contributions are made.
    pub(crate) fn contribution_due(&self, slot: Slot) -> Time {
        let bps = self.spec.config.contribution_due_bps;
        self.start_of(slot).after_ms(self.spec.get_slot_component_duration_ms(bps))
    }

    /// Whose turn it is in a slot: the committee that the next slot's block counts. Nobody before Altair.
    fn members_of(&self, slot: Slot) -> &[SyncDuty] {
        if self.spec.fork_name_at_slot(slot) < ForkName::Altair {
            return &[];
        }
        let period = self.sync.periods.get(&self.period_of((slot + 1).epoch(self.spec)));
        period.map_or(&[], |period| &period.members)
    }

    /// Votes and contributions due in a slot.
    pub(crate) fn sync_due_in(&self, slot: Slot) -> (usize, usize) {
        let contributions = self.sync.slots.get(&slot).map_or(0, |work| work.aggregators.len());
        (self.members_of(slot).len(), contributions)
    }

    pub(crate) fn sync_until(&self, purpose: &SyncPurpose) -> Time {
        match purpose {
            SyncPurpose::Duties(_) | SyncPurpose::Subscription => {
                self.now.after_ms(2 * self.spec.config.slot_duration_ms)
            }
            SyncPurpose::Proofs(slot, _)
            | SyncPurpose::Head(slot)
            | SyncPurpose::Signatures(slot, ..)
            | SyncPurpose::Publication(slot, ..)
            | SyncPurpose::Contribution(slot, ..)
            | SyncPurpose::ContributionSignatures(slot, _)
            | SyncPurpose::ContributionPublication(slot, ..) => self.start_of(*slot + 1),
        }
    }

    pub(crate) fn sync_answered(&mut self, purpose: SyncPurpose, answer: Answer) {
        match (purpose, answer) {
            (SyncPurpose::Duties(period), Answer::SyncDuties(all)) => self.members_known(period, all),
            (SyncPurpose::Subscription, Answer::Published(_)) => {}
            (SyncPurpose::Proofs(slot, of), Answer::Signed(proofs)) => {
                self.sync_proofs_known(slot, of, proofs)
            }
            (SyncPurpose::Head(slot), Answer::HeadRoot(root)) => self.sync.slot(slot).root = Some(root),
            (SyncPurpose::Signatures(slot, root, of), Answer::Signed(results)) => {
                self.sync_votes_signed(slot, root, of, results);
            }
            (SyncPurpose::Publication(slot, root, of), Answer::Published(refused)) => {
                self.published(Duty::SyncMessage(slot), root, of, refused);
            }
            (SyncPurpose::Contribution(slot, part, root), Answer::Contribution(contribution)) => {
                self.contribution_known(slot, part, root, &contribution);
            }
            (SyncPurpose::ContributionSignatures(slot, all), Answer::Signed(results)) => {
                self.contributions_signed(slot, all, results);
            }
            (SyncPurpose::ContributionPublication(slot, root, of), Answer::Published(refused)) => {
                self.published(Duty::Contribution(slot), root, of, refused);
            }
            (purpose, _) => self.sync_failed(purpose, "the answer is to another question".into()),
        }
    }

    pub(crate) fn sync_failed(&mut self, purpose: SyncPurpose, why: String) {
        match purpose {
            SyncPurpose::Duties(period) => self.members_failed(period, why),
            // Without subnets votes are published all the same.
            SyncPurpose::Subscription => {}
            SyncPurpose::Proofs(slot, of) => {
                let of = of.into_iter().map(|(_, validator, _)| validator).collect();
                self.missed(
                    Duty::Contribution(slot),
                    of,
                    format!("the selection proofs were not signed: {why}"),
                );
            }
            SyncPurpose::Head(slot) => self.sync_head_failed(slot, &why),
            SyncPurpose::Signatures(slot, _, of) => {
                self.missed(Duty::SyncMessage(slot), of, format!("it was not signed: {why}"));
            }
            SyncPurpose::Publication(slot, _, of) => {
                self.missed(Duty::SyncMessage(slot), of, format!("it was not published: {why}"));
            }
            SyncPurpose::Contribution(slot, part, root) => self.contribution_failed(slot, part, root, &why),
            SyncPurpose::ContributionSignatures(slot, all) => {
                let of = all.iter().map(|signed| signed.message.aggregator_index).collect();
                self.missed(Duty::Contribution(slot), of, format!("it was not signed: {why}"));
            }
            SyncPurpose::ContributionPublication(slot, _, of) => {
                self.missed(Duty::Contribution(slot), of, format!("it was not published: {why}"));
            }
        }
    }

    /// Asks what was delayed.
    pub(crate) fn sync_ask_again(&mut self, purpose: SyncPurpose) {
        let ask = match purpose {
            SyncPurpose::Head(slot) => Ask::HeadRoot(slot),
            SyncPurpose::Contribution(slot, part, root) => Ask::Contribution(slot, part, root),
            _ => unreachable!("only these are delayed"),
        };
        self.ask(Purpose::Sync(purpose), ask);
    }

    /// Ends the work of slots before the current one, and says what of it was missed.
    pub(crate) fn close_sync(&mut self, current: Slot) {
        // After a long sleep the rest is not worth a line for each slot.
        let kept = current.saturating_sub(2 * self.spec.preset.slots_per_epoch);
        self.sync.next_close = self.sync.next_close.max(kept);
        while self.sync.next_close < current {
            let slot = self.sync.next_close;
            self.sync.next_close = slot + 1;
            self.close_sync_votes(slot);
            self.close_contributions(slot);
        }
        // The count of the slot before is still asked for.
        self.sync.slots = self.sync.slots.split_off(&current.saturating_sub(2));
        self.forget_periods();
    }
}
