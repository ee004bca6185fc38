//! What is computed once a slot, since it goes through the registry of validators or the folder of the database.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use chain::View;
use serde::Serialize;
use transition::epoch::{EpochSummary, ValidatorFlags};
use types::{Epoch, Root, Slot, ValidatorIndex};

use super::memory::state_bytes;

/// Epochs whose votes are remembered; the oldest is forgotten for one more.
const EPOCHS_MAX: usize = 16;

/// What became of the votes of an epoch, as far as blocks of the head's chain have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Votes {
    /// The epoch.
    pub epoch: u64,
    /// Validators that were to vote.
    pub active: u64,
    /// The part of them, by balance, whose votes are in blocks; only votes with the right source can be.
    pub source: f64,
    /// The part with the right target.
    pub target: f64,
    /// The part with the right head.
    pub head: f64,
}

/// What is computed once a slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Votes of all validators, by epoch, the newest last. Those of the last one may still grow.
    pub votes: Vec<Votes>,
    /// Votes of the validators that use the node.
    pub local_votes: Vec<Votes>,
    /// The part of the head's epoch with the right target so far.
    pub current_target: f64,
    /// Validators by status.
    pub validators: [(&'static str, u64); 4],
    /// Active validators with the right target in the head's epoch so far, and in the one before.
    pub live: (u64, u64),
    /// Validators that use the node.
    pub local: u64,
    /// Blocks of the last whole epoch that are not in the head's chain.
    pub orphaned: u64,
    /// The bytes of the distinct pages of the states in memory.
    pub state_bytes: u64,
    /// The bytes of the database's files.
    pub database_bytes: u64,
    /// How long that took, in milliseconds.
    pub took_ms: f64,
}

impl Sample {
    /// The part of the balance with the right target in the epoch before the head's, in percent; none in the first epoch.
    pub fn participation_percent(&self) -> Option<f64> {
        self.votes.last().map(|votes| 100.0 * votes.target)
    }
}

/// The newest sample, and the epochs before.
#[derive(Debug, Default)]
pub struct Sampled {
    newest: ArcSwap<Sample>,
    // Held by the one task that computes samples.
    epochs: Mutex<Epochs>,
}

#[derive(Debug, Default)]
struct Epochs {
    all: BTreeMap<u64, Votes>,
    local: BTreeMap<u64, Votes>,
}

impl Sampled {
    /// The newest sample.
    pub fn newest(&self) -> Arc<Sample> {
        self.newest.load_full()
    }

    /// Computes a sample of a view in this slot.
    pub fn update(&self, view: &View, slot: Slot, local: &[ValidatorIndex], database: &Path) -> Arc<Sample> {
        let begun = std::time::Instant::now();
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sample = Sample {
            validators: statuses(view, slot),
            local: local.len() as u64,
            orphaned: orphaned(view, slot),
            state_bytes: state_bytes(&view.states),
            database_bytes: folder_bytes(database),
            ..Sample::default()
        };
        if let Some(found) = Found::of(view, local) {
            sample.current_target = found.current_target;
            sample.live = found.live;
            remember(&mut epochs.all, found.all);
            found.local.into_iter().for_each(|votes| remember(&mut epochs.local, votes));
        }
        sample.votes = epochs.all.values().copied().collect();
        sample.local_votes = epochs.local.values().copied().collect();
        sample.took_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let sample = Arc::new(sample);
        self.newest.store(sample.clone());
        sample
    }
}

fn remember(epochs: &mut BTreeMap<u64, Votes>, votes: Votes) {
    epochs.insert(votes.epoch, votes);
    // After a reorganization across an epoch the later ones are of another chain.
    epochs.retain(|epoch, _| *epoch <= votes.epoch);
    while epochs.len() > EPOCHS_MAX {
        epochs.pop_first();
    }
}

/// What the head's state says of votes.
struct Found {
    all: Votes,
    local: Option<Votes>,
    current_target: f64,
    live: (u64, u64),
}

/// Balances and numbers of validators that were to vote, and of those that did.
#[derive(Default)]
struct Tally {
    count: u64,
    balance: u64,
    source: u64,
    target: u64,
    head: u64,
}

impl Tally {
    fn add(&mut self, balance: u64, flags: ValidatorFlags) {
        let part = |flag| if flags.is_unslashed_attester(flag) { balance } else { 0 };
        self.count += 1;
        self.balance += balance;
        self.source += part(ValidatorFlags::PREVIOUS_SOURCE);
        self.target += part(ValidatorFlags::PREVIOUS_TARGET);
        self.head += part(ValidatorFlags::PREVIOUS_HEAD);
    }

    fn votes(&self, epoch: Epoch) -> Votes {
        let part = |balance: u64| ratio(balance, self.balance);
        let (source, target, head) = (part(self.source), part(self.target), part(self.head));
        Votes { epoch: epoch.0, active: self.count, source, target, head }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Found {
    /// None in the first epoch, before which nobody voted.
    fn of(view: &View, local: &[ValidatorIndex]) -> Option<Self> {
        let state = &view.head.state;
        if state.slot.epoch(view.spec) == 0 {
            return None;
        }
        let summary = EpochSummary::new(state).ok()?;
        let (mut all, mut ours) = (Tally::default(), Tally::default());
        let (mut active, mut voting, mut live) = (0, 0, (0, 0));
        for validator in summary.validators.iter() {
            let (flags, balance) = (validator.flags, validator.effective_balance.0);
            if flags.has(ValidatorFlags::ACTIVE_PREVIOUS) {
                all.add(balance, flags);
                live.1 += u64::from(flags.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET));
            }
            if flags.has(ValidatorFlags::ACTIVE_CURRENT) {
                active += balance;
                if flags.is_unslashed_attester(ValidatorFlags::CURRENT_TARGET) {
                    voting += balance;
                    live.0 += 1;
                }
            }
        }
        for index in local {
            let validator = usize::try_from(index.0).ok().and_then(|index| summary.validators.get(index));
            if let Some(validator) = validator
                && validator.flags.has(ValidatorFlags::ACTIVE_PREVIOUS)
            {
                ours.add(validator.effective_balance.0, validator.flags);
            }
        }
        let epoch = summary.previous_epoch;
        Some(Self {
            all: all.votes(epoch),
            local: (ours.count > 0).then(|| ours.votes(epoch)),
            current_target: ratio(voting, active),
            live,
        })
    }
}

fn statuses(view: &View, slot: Slot) -> [(&'static str, u64); 4] {
    let epoch = slot.epoch(view.spec);
    let (mut pending, mut active, mut exited, mut withdrawable) = (0, 0, 0, 0);
    for validator in view.head.state.validators.iter() {
        // An epoch in the far future is later than any other.
        let count = if validator.activation_epoch > epoch {
            &mut pending
        } else if validator.exit_epoch > epoch {
            &mut active
        } else if validator.withdrawable_epoch > epoch {
            &mut exited
        } else {
            &mut withdrawable
        };
        *count += 1;
    }
    [("pending", pending), ("active", active), ("exited", exited), ("withdrawable", withdrawable)]
}

/// Blocks of the last whole epoch that are in fork choice, but not in the head's chain.
fn orphaned(view: &View, slot: Slot) -> u64 {
    let Some(epoch) = slot.epoch(view.spec).0.checked_sub(1) else { return 0 };
    let parents: BTreeMap<Root, Option<Root>> =
        view.fork_choice.nodes.iter().map(|summary| (summary.node.root, summary.parent)).collect();
    let mut canonical = std::collections::BTreeSet::new();
    let mut at = Some(view.head.root);
    while let Some(root) = at {
        canonical.insert(root);
        at = parents.get(&root).copied().flatten();
    }
    let of_epoch =
        view.fork_choice.nodes.iter().filter(|summary| summary.node.slot.epoch(view.spec) == epoch);
    of_epoch.filter(|summary| !canonical.contains(&summary.node.root)).count() as u64
}

fn folder_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    #[test]
    fn an_epoch_without_votes_has_no_participation() {
        let mut world = World::new();
        world.grow([1, 2]);
        let sampled = Sampled::default();
        let folder = std::env::temp_dir();
        let first = sampled.update(&world.view(), Slot(2), &[], &folder);
        assert_eq!((first.votes.as_slice(), first.participation_percent()), (&[][..], None));
        assert_eq!(first.validators[1], ("active", 16));
        assert!(first.state_bytes > 0);

        world.grow([9]);
        let local = [ValidatorIndex(3), ValidatorIndex(99)];
        let second = sampled.update(&world.view(), Slot(9), &local, &folder);
        assert_eq!(second.participation_percent(), Some(0.0));
        assert_eq!((second.votes[0].epoch, second.votes[0].active), (0, 16));
        assert_eq!(second.local_votes[0].active, 1, "there is no validator 99");
        assert_eq!(sampled.newest(), second);
    }

    #[test]
    fn only_the_last_epochs_are_remembered_and_a_reorganization_takes_later_ones_back() {
        let mut epochs = BTreeMap::new();
        for epoch in 0..40 {
            remember(&mut epochs, Votes { epoch, ..Votes::default() });
        }
        assert_eq!(epochs.keys().copied().collect::<Vec<_>>(), (24..40).collect::<Vec<_>>());
        remember(&mut epochs, Votes { epoch: 30, ..Votes::default() });
        assert_eq!(epochs.last_key_value().map(|(epoch, _)| *epoch), Some(30));
    }
}
