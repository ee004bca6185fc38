//! The latest message of every validator, as indices into the proto-array.
//!
//! `current` is where the validator's balance is counted in the weights, `next` where it belongs. They differ
//! from the moment a vote arrives until `apply` turns the differences into deltas.

use std::sync::Arc;

use types::Epoch;

use crate::JustifiedBalances;
use crate::tree::{Link, NONE};

/// Validator indices must be below this, so that a wrong index cannot make the array of votes huge. Mainnet
/// has seen two million validators in five years.
pub const VALIDATORS_MAX: u64 = 1 << 24;

/// No target epoch is as late, so an equivocator's vote never moves again.
const NEVER: u64 = u64::MAX;

/// A validator's latest message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    current: u32,
    /// The block voted for; [`NONE`] where it is pruned or the validator equivocated.
    pub next: u32,
    /// The first target epoch that replaces this vote; zero before the first vote.
    pub moves_from: u64,
}

impl Vote {
    const FIRST: Self = Self { current: NONE, next: NONE, moves_from: 0 };

    /// A vote that `apply` has not counted yet.
    pub fn pending(next: u32, moves_from: u64) -> Self {
        Self { current: NONE, next, moves_from }
    }

    pub fn is_equivocator(&self) -> bool {
        self.moves_from == NEVER
    }

    /// The target epoch of the latest message.
    pub fn epoch(&self) -> Option<Epoch> {
        (self.moves_from != 0 && !self.is_equivocator()).then(|| Epoch(self.moves_from - 1))
    }
}

/// The votes of all validators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Votes {
    votes: Vec<Vote>,
    /// Validators whose `next` may differ from `current`. A validator may be named twice.
    changed: Vec<u32>,
    /// Set when so many changed that going through all votes in order is quicker than through the list,
    /// which also bounds the list.
    scan: bool,
    /// The balances that `current` was counted with.
    applied: Arc<JustifiedBalances>,
}

impl Votes {
    /// Votes of which none is counted yet.
    pub fn pending(votes: Vec<Vote>) -> Self {
        Self { votes, scan: true, ..Self::default() }
    }

    pub fn as_slice(&self) -> &[Vote] {
        &self.votes
    }

    pub fn is_equivocator(&self, validator: u64) -> bool {
        usize::try_from(validator)
            .ok()
            .and_then(|index| self.votes.get(index))
            .is_some_and(Vote::is_equivocator)
    }

    /// Part of
    /// [`update_latest_messages`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_latest_messages):
    /// true where this is a newer message of a validator that has not equivocated.
    /// `validator` is below [`VALIDATORS_MAX`].
    pub fn update(&mut self, validator: u32, block: u32, target: Epoch) -> bool {
        let vote = self.entry(validator);
        if target.0 < vote.moves_from || target.0 == NEVER {
            return false;
        }
        // The largest epoch but one would otherwise read as an equivocation.
        vote.moves_from = (target.0 + 1).min(NEVER - 1);
        vote.next = block;
        self.note(validator);
        true
    }

    /// Takes the validator's vote away for ever; true where it is the first time.
    pub fn equivocate(&mut self, validator: u32) -> bool {
        let vote = self.entry(validator);
        if vote.is_equivocator() {
            return false;
        }
        *vote = Vote { next: NONE, moves_from: NEVER, ..*vote };
        self.note(validator);
        true
    }

    fn entry(&mut self, validator: u32) -> &mut Vote {
        let index = validator as usize;
        if index >= self.votes.len() {
            self.votes.resize(index + 1, Vote::FIRST);
        }
        &mut self.votes[index]
    }

    fn note(&mut self, validator: u32) {
        if self.scan {
            return;
        }
        self.changed.push(validator);
        if self.changed.len() > self.votes.len() / 4 {
            self.scan = true;
            self.changed.clear();
        }
    }

    /// Turns everything since the last call into deltas: moved votes, and all where `balances` are new.
    pub fn apply(&mut self, balances: &Arc<JustifiedBalances>, links: &mut [Link]) {
        let old = std::mem::replace(&mut self.applied, Arc::clone(balances));
        if self.scan || !Arc::ptr_eq(&old, balances) {
            for (index, vote) in self.votes.iter_mut().enumerate() {
                count(vote, old.at(index), balances.at(index), links);
            }
        } else {
            for index in &self.changed {
                let index = *index as usize;
                count(&mut self.votes[index], old.at(index), balances.at(index), links);
            }
        }
        self.changed.clear();
        self.scan = false;
    }

    /// Follows a renumbering of the blocks. A vote for a pruned block cannot count again, so it is dropped
    /// rather than kept; its epoch stays, since an older message must still not replace it.
    pub fn renumber(&mut self, moved: &[u32]) {
        let renumbered = |index: u32| if index == NONE { NONE } else { moved[index as usize] };
        for vote in &mut self.votes {
            vote.current = renumbered(vote.current);
            vote.next = renumbered(vote.next);
        }
    }
}

fn count(vote: &mut Vote, old: i64, new: i64, links: &mut [Link]) {
    if vote.current == vote.next && old == new {
        return;
    }
    if vote.current != NONE {
        links[vote.current as usize].delta -= old;
    }
    if vote.next != NONE {
        links[vote.next as usize].delta += new;
    }
    vote.current = vote.next;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_target_moves_a_vote() {
        let mut votes = Votes::default();
        assert!(votes.update(3, 0, Epoch(0)));
        assert!(!votes.update(3, 1, Epoch(0)));
        assert!(votes.update(3, 1, Epoch(1)));
        assert_eq!(votes.as_slice()[3].epoch(), Some(Epoch(1)));
        assert_eq!(votes.as_slice()[2].epoch(), None);
    }

    #[test]
    fn an_equivocator_never_votes_again() {
        let mut votes = Votes::default();
        assert!(votes.equivocate(1));
        assert!(!votes.equivocate(1));
        assert!(!votes.update(1, 0, Epoch(u64::MAX)));
        assert!(!votes.update(1, 0, Epoch(u64::MAX - 1)));
        assert!(votes.is_equivocator(1) && !votes.is_equivocator(0) && !votes.is_equivocator(u64::MAX));
    }

    #[test]
    fn the_last_epoch_does_not_look_like_an_equivocation() {
        let mut votes = Votes::default();
        assert!(votes.update(0, 0, Epoch(u64::MAX - 1)));
        assert!(!votes.is_equivocator(0));
    }

    #[test]
    fn the_list_of_changes_is_bounded() {
        let mut votes = Votes::default();
        votes.update(99, 0, Epoch(0));
        for epoch in 1..1000 {
            votes.update(0, 0, Epoch(epoch));
        }
        assert!(votes.changed.len() <= 25);
    }
}
