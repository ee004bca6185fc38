//! The registry as the steps of epoch processing see it: column by column, five bytes a validator.
//!
//! What depends on an effective balance is the same for all validators of one balance, and there are few balances: one
//! for nearly all validators before Electra, some two thousand since. So a validator has the number of its balance's
//! class in place of the balance, and a step that needs numbers of its own makes a table of one entry a class.

use std::collections::BTreeMap;
use std::ops::Range;

use types::Gwei;

/// Facts about one validator, each a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidatorFlags(pub(super) u8);

impl ValidatorFlags {
    /// Active in the previous epoch.
    pub const ACTIVE_PREVIOUS: Self = Self(1);
    /// Active in the current epoch.
    pub const ACTIVE_CURRENT: Self = Self(1 << 1);
    /// Slashed.
    pub const SLASHED: Self = Self(1 << 2);
    /// Takes part in rewards and penalties
    /// ([`get_eligible_validator_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2)).
    pub const ELIGIBLE: Self = Self(1 << 3);
    /// Attested in the previous epoch with the right source.
    pub const PREVIOUS_SOURCE: Self = Self(1 << 4);
    /// Attested in the previous epoch with the right target.
    pub const PREVIOUS_TARGET: Self = Self(1 << 5);
    /// Attested in the previous epoch with the right target and head.
    pub const PREVIOUS_HEAD: Self = Self(1 << 6);
    /// Attested in the current epoch with the right target.
    pub const CURRENT_TARGET: Self = Self(1 << 7);

    /// True where every flag of `other` is set here.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of flags together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn set_if(&mut self, condition: bool, flag: Self) {
        if condition {
            *self = self.with(flag);
        }
    }

    /// True where the flag is set and the validator was not slashed: the specification's
    /// `get_unslashed_attesting_indices`.
    pub fn is_unslashed_attester(self, flag: Self) -> bool {
        self.0 & (flag.0 | Self::SLASHED.0) == flag.0
    }
}

/// The place in [`EpochSummary::inclusions`](super::EpochSummary) of a validator that did not attest.
pub(super) const NOT_INCLUDED: u32 = u32::MAX;

/// One validator as the steps of epoch processing see it.
#[derive(Clone, Copy, Debug)]
pub struct ValidatorSummary {
    /// The effective balance, in Gwei.
    pub effective_balance: Gwei,
    /// The effective balance's class.
    pub(super) class: u32,
    pub(super) inclusion: u32,
    /// What the validator is and did.
    pub flags: ValidatorFlags,
}

impl ValidatorSummary {
    /// True where the validator attested as the flag says and was not slashed: the specification's
    /// `get_unslashed_attesting_indices`.
    pub fn is_unslashed_attester(&self, flag: ValidatorFlags) -> bool {
        self.flags.is_unslashed_attester(flag)
    }
}

/// All validators in registry order, column by column; see the module.
#[derive(Clone, Debug, Default)]
pub struct ValidatorColumns {
    /// What each is and did.
    pub(super) flags: Vec<ValidatorFlags>,
    /// The class of each one's effective balance.
    pub(super) classes: Vec<u32>,
    /// The effective balance of each class, in Gwei.
    pub(super) balances: Vec<u64>,
    /// In phase 0 the place of each one's inclusion, see [`NOT_INCLUDED`]; nothing where there are no attestations.
    pub(super) inclusions: Vec<u32>,
}

impl ValidatorColumns {
    /// How many validators there are.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// One validator, if it exists.
    pub fn get(&self, index: usize) -> Option<ValidatorSummary> {
        let (flags, class) = (*self.flags.get(index)?, *self.classes.get(index)?);
        let inclusion = self.inclusions.get(index).copied().unwrap_or(NOT_INCLUDED);
        Some(ValidatorSummary {
            effective_balance: Gwei(self.balances[class as usize]),
            class,
            inclusion,
            flags,
        })
    }

    /// All validators in registry order.
    pub fn iter(&self) -> ValidatorIter<'_> {
        ValidatorIter { columns: self, places: 0..self.len() }
    }

    /// How many validators there are of each class and combination of flags: 256 numbers a class.
    pub(super) fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0u32; self.balances.len() * 256];
        for (flags, class) in self.flags.iter().zip(&self.classes) {
            let count = &mut counts[*class as usize * 256 + usize::from(flags.0)];
            *count = count.wrapping_add(1);
        }
        counts
    }
}

/// Validators in registry order.
#[derive(Clone, Debug)]
pub struct ValidatorIter<'a> {
    columns: &'a ValidatorColumns,
    places: Range<usize>,
}

impl Iterator for ValidatorIter<'_> {
    type Item = ValidatorSummary;

    fn next(&mut self) -> Option<ValidatorSummary> {
        self.places.next().and_then(|place| self.columns.get(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl<'a> IntoIterator for &'a ValidatorColumns {
    type Item = ValidatorSummary;
    type IntoIter = ValidatorIter<'a>;

    fn into_iter(self) -> ValidatorIter<'a> {
        self.iter()
    }
}

/// Numbers effective balances in the order in which they are met.
pub(super) struct BalanceClasses {
    /// The balance of each class.
    pub(super) balances: Vec<u64>,
    known: BTreeMap<u64, u32>,
    /// Balances that were met lately, each at a place that follows from it, with their classes.
    recent: Vec<(u64, u32)>,
}

impl BalanceClasses {
    const RECENT_BITS: u32 = 12;

    pub(super) fn new() -> Self {
        // Class 0 is that of no balance, so that all places can say something true from the start.
        Self {
            balances: vec![0],
            known: BTreeMap::from([(0, 0)]),
            recent: vec![(0, 0); 1 << Self::RECENT_BITS],
        }
    }

    #[inline]
    pub(super) fn class_of(&mut self, balance: u64) -> u32 {
        // Fibonacci hashing, which spreads multiples of one number well.
        let place = balance.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::RECENT_BITS);
        let (known, class) = self.recent[place as usize];
        if known == balance { class } else { self.search(balance, place as usize) }
    }

    #[cold]
    fn search(&mut self, balance: u64, place: usize) -> u32 {
        let next = u32::try_from(self.balances.len()).expect("no more classes than validators");
        let class = *self.known.entry(balance).or_insert(next);
        if class == next {
            self.balances.push(balance);
        }
        self.recent[place] = (balance, class);
        class
    }
}
