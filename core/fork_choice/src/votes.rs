//! The latest message of every validator, eight bytes each.
//!
//! A vote is counted at its block the moment it comes: its old block loses the validator's balance, the new one gains
//! it. The balance is in the same eight bytes, so that a vote of a validator that nobody thought of lately costs one miss
//! of the cache, which is nearly all that it costs: the members of a committee are strewn over all validators.

use types::{Epoch, ValidatorIndex};

use crate::JustifiedBalances;
use crate::facts::{ODD, UNIT};
use crate::tree::NONE;

/// Validator indices must be below this, so that a wrong index cannot make the array of votes huge. Mainnet
/// has seen two million validators in five years.
pub const VALIDATORS_MAX: u64 = 1 << 24;

/// Target epochs must be below this, so that they fit into a vote: mainnet's in eight centuries.
pub const EPOCHS_MAX: u64 = (1 << EPOCH_BITS) - 2;

const BLOCK_BITS: u32 = 22;
const EPOCH_BITS: u32 = 26;
/// How many votes are fetched into the cache at once.
const AT_ONCE: usize = 128;
/// No target epoch is as late, so an equivocator's vote never moves again.
const NEVER: u64 = (1 << EPOCH_BITS) - 1;

/// A validator's latest message, and what it weighs: from the lowest bit, 22 bits of the index of the block, 26 of the
/// first target epoch that replaces the vote, 16 of the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vote(u64);

impl Vote {
    /// `moves_from` is at most `NEVER`; `balance` as [`JustifiedBalances::units`] has it.
    fn new(block: u32, moves_from: u64, balance: u16) -> Self {
        Self(u64::from(block) | moves_from << BLOCK_BITS | u64::from(balance) << (BLOCK_BITS + EPOCH_BITS))
    }

    /// A vote that is not counted yet; none where it cannot be one.
    pub fn pending(block: u32, moves_from: u64) -> Option<Self> {
        let counts = (1..NEVER).contains(&moves_from);
        (block <= NONE && moves_from <= NEVER && (counts || block == NONE))
            .then(|| Self::new(block, moves_from, 0))
    }

    /// The block voted for; [`NONE`] where the validator never voted or equivocated.
    pub fn block(self) -> u32 {
        self.0 as u32 & NONE
    }

    /// The first target epoch that replaces this vote; zero before the first vote.
    pub fn moves_from(self) -> u64 {
        self.0 >> BLOCK_BITS & NEVER
    }

    fn balance(self) -> u16 {
        (self.0 >> (BLOCK_BITS + EPOCH_BITS)) as u16
    }

    pub fn is_equivocator(self) -> bool {
        self.moves_from() == NEVER
    }

    /// The target epoch of the latest message.
    pub fn epoch(self) -> Option<Epoch> {
        (self.moves_from() != 0 && !self.is_equivocator()).then(|| Epoch(self.moves_from() - 1))
    }
}

/// The votes of all validators. Invariant: each has the balance of its validator as last given to `count_anew`, and is
/// counted with it at its block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Votes(Vec<Vote>);

impl Votes {
    /// Votes that are counted with the next `count_anew`.
    pub fn pending(votes: Vec<Vote>) -> Self {
        Self(votes)
    }

    pub fn as_slice(&self) -> &[Vote] {
        &self.0
    }

    pub fn is_equivocator(&self, validator: u64) -> bool {
        let vote = usize::try_from(validator).ok().and_then(|index| self.0.get(index));
        vote.is_some_and(|vote| vote.is_equivocator())
    }

    /// [`update_latest_messages`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_latest_messages):
    /// moves the votes of validators, below [`VALIDATORS_MAX`], whose latest message is older and who have not
    /// equivocated. `target` is below [`EPOCHS_MAX`]. True where that changed what some block weighs.
    pub fn update(
        &mut self,
        validators: &[ValidatorIndex],
        (block, target): (u32, Epoch),
        balances: &JustifiedBalances,
        own: &mut [u64],
    ) -> bool {
        let mut gained = 0;
        for some in validators.chunks(AT_ONCE) {
            if !self.fetch(some) {
                self.make_room(some, balances);
            }
            for validator in some {
                let vote = &mut self.0[validator.as_usize()];
                let old = *vote;
                if target.0 < old.moves_from() {
                    continue;
                }
                *vote = Vote::new(block, target.0 + 1, old.balance());
                if old.block() == block {
                    continue;
                }
                let balance = weight(old, *validator, balances);
                if old.block() != NONE {
                    own[old.block() as usize] -= balance;
                }
                gained += balance;
            }
        }
        own[block as usize] += gained;
        gained > 0
    }

    /// Takes the votes of validators away for ever; true where that changed what some block weighs.
    pub fn equivocate(
        &mut self,
        validators: &[ValidatorIndex],
        balances: &JustifiedBalances,
        own: &mut [u64],
    ) -> bool {
        self.make_room(validators, balances);
        let mut lost = 0;
        for validator in validators {
            let vote = &mut self.0[validator.as_usize()];
            let old = std::mem::replace(vote, Vote::new(NONE, NEVER, vote.balance()));
            if old.block() != NONE {
                let balance = weight(old, *validator, balances);
                own[old.block() as usize] -= balance;
                lost += balance;
            }
        }
        lost > 0
    }

    /// Reads votes and does nothing else, so that many are on their way from memory at once: what is done with one takes so
    /// many instructions that the processor would see only the next few. False where there is no room for one of them.
    fn fetch(&self, validators: &[ValidatorIndex]) -> bool {
        let mut all_there = true;
        let all = validators.iter().fold(0, |all, validator| match self.0.get(validator.as_usize()) {
            Some(vote) => all ^ vote.0,
            None => {
                all_there = false;
                all
            }
        });
        std::hint::black_box(all);
        all_there
    }

    fn make_room(&mut self, validators: &[ValidatorIndex], balances: &JustifiedBalances) {
        let needed = validators.iter().max().map_or(0, |last| last.as_usize() + 1);
        let more = self.0.len()..needed;
        self.0.extend(more.map(|index| Vote::new(NONE, 0, balances.units(index))));
    }

    /// Counts all votes with other balances: what each block is voted for itself.
    pub fn count_anew(&mut self, balances: &JustifiedBalances, own: &mut [u64]) {
        own.fill(0);
        for (index, vote) in self.0.iter_mut().enumerate() {
            *vote = Vote::new(vote.block(), vote.moves_from(), balances.units(index));
            if vote.block() != NONE {
                own[vote.block() as usize] += weight(*vote, ValidatorIndex(index as u64), balances);
            }
        }
    }

    /// Follows a renumbering of the blocks. A vote for a block that is gone cannot count again, so it is dropped rather
    /// than kept; its epoch stays, since an older message must still not replace it.
    pub fn renumber(&mut self, moved: &[u32]) {
        for vote in &mut self.0 {
            if vote.block() != NONE {
                *vote = Vote::new(moved[vote.block() as usize], vote.moves_from(), vote.balance());
            }
        }
    }
}

/// In Gwei.
fn weight(vote: Vote, validator: ValidatorIndex, balances: &JustifiedBalances) -> u64 {
    match vote.balance() {
        ODD => balances.effective(validator).0,
        units => u64::from(units) * UNIT,
    }
}

#[cfg(test)]
mod tests {
    use types::Gwei;

    use super::*;

    fn balances() -> JustifiedBalances {
        let odd = Gwei(UNIT + 1);
        let balances = vec![Gwei(32 * UNIT), Gwei(2048 * UNIT), odd, Gwei(u64::from(ODD) * UNIT), Gwei(0)];
        let total = balances.iter().copied().sum();
        JustifiedBalances::new(balances, total).unwrap()
    }

    fn all() -> Vec<ValidatorIndex> {
        (0..6).map(ValidatorIndex).collect()
    }

    #[test]
    fn a_vote_weighs_what_its_validator_has_whatever_that_is() {
        let (balances, mut votes) = (balances(), Votes::default());
        let mut own = [0; 2];
        for (round, block) in [(1, 0), (2, 1), (3, 0)] {
            for validator in all() {
                let counts = votes.update(&[validator], (block, Epoch(round)), &balances, &mut own);
                assert_eq!(counts, balances.effective(validator) > Gwei(0));
            }
            let (one, other) = (own[block as usize], own[1 - block as usize]);
            assert_eq!((Gwei(one), other), (balances.total_active(), 0));
        }
        let less = JustifiedBalances::new(vec![Gwei(7); 3], Gwei(21)).unwrap();
        votes.count_anew(&less, &mut own);
        assert_eq!(own, [21, 0]);
        assert!(votes.equivocate(&all(), &less, &mut own));
        assert_eq!(own, [0, 0]);
    }

    #[test]
    fn only_a_newer_target_moves_a_vote() {
        let (balances, mut own) = (balances(), [0; 2]);
        let mut votes = Votes::default();
        let one = [ValidatorIndex(1)];
        assert!(votes.update(&one, (0, Epoch(0)), &balances, &mut own));
        assert!(!votes.update(&one, (1, Epoch(0)), &balances, &mut own));
        assert!(votes.update(&one, (1, Epoch(1)), &balances, &mut own));
        assert!(!votes.update(&one, (1, Epoch(2)), &balances, &mut own));
        assert_eq!(votes.as_slice()[1].epoch(), Some(Epoch(2)));
        assert_eq!(votes.as_slice()[0].epoch(), None);
        assert_eq!(own, [0, 2048 * UNIT]);
    }

    #[test]
    fn an_equivocator_never_votes_again() {
        let (balances, mut own) = (balances(), [0; 2]);
        let mut votes = Votes::default();
        let one = [ValidatorIndex(1)];
        assert!(!votes.equivocate(&one, &balances, &mut own));
        assert!(!votes.update(&one, (0, Epoch(EPOCHS_MAX - 1)), &balances, &mut own));
        assert!(votes.is_equivocator(1) && !votes.is_equivocator(0) && !votes.is_equivocator(u64::MAX));
        assert_eq!(own, [0, 0]);
    }

    #[test]
    fn the_last_epoch_does_not_look_like_an_equivocation() {
        let (balances, mut own) = (balances(), [0; 2]);
        let mut votes = Votes::default();
        assert!(votes.update(&all(), (1, Epoch(EPOCHS_MAX - 1)), &balances, &mut own));
        assert!(!votes.is_equivocator(0));
        assert_eq!(votes.as_slice()[0].epoch(), Some(Epoch(EPOCHS_MAX - 1)));
    }
}
