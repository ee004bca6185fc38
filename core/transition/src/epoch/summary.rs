//! The registry and the attestations of two epochs as flat columns.
//!
//! The specification asks again and again which validators attested to what. Here that is found out once: one pass over
//! the registry, which is by far the largest thing that an epoch has to read, then one over what was attested. After
//! that every step is a walk over columns that lie in memory in order, and none looks at the whole registry again.

use types::constants::{
    GENESIS_EPOCH, TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX,
};
use types::{ActiveSet, BeaconState, Epoch, ForkName, Gwei, List, Slot, ValidatorIndex};

use super::EpochError;
use super::columns::{BalanceClasses, NOT_INCLUDED, ValidatorColumns, ValidatorFlags, ValidatorSummary};
use super::findings::Findings;
use super::pending_attestations::Marks;
use crate::accessors::{get_current_epoch, get_previous_epoch, is_active_validator};

/// When an attestation of the previous epoch was included, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Slots between the attestation's slot and its inclusion.
    pub delay: Slot,
    /// The proposer that included it.
    pub proposer_index: ValidatorIndex,
}

/// Everything that epoch processing asks about validators; see the module.
#[derive(Clone, Debug)]
pub struct EpochSummary {
    /// The epoch that ends.
    pub current_epoch: Epoch,
    /// The epoch before it, or the first epoch twice.
    pub previous_epoch: Epoch,
    /// All validators, in registry order.
    pub validators: ValidatorColumns,
    /// One entry for each attestation of the previous epoch, in the state's order.
    pub inclusions: Vec<Inclusion>,
    /// How many validators are active in the current epoch.
    pub active_validators: u64,
    /// `get_total_active_balance`: at least one increment.
    pub total_active_balance: Gwei,
    /// Balance of the unslashed attesters of the previous epoch with the right source; at least one increment.
    pub previous_source_balance: Gwei,
    /// The same with the right target.
    pub previous_target_balance: Gwei,
    /// The same with the right target and head.
    pub previous_head_balance: Gwei,
    /// Balance of the unslashed attesters of the current epoch with the right target; at least one increment.
    pub current_target_balance: Gwei,
    /// The total active balance, however small.
    active_balance: Gwei,
    pub(super) findings: Findings,
}

impl EpochSummary {
    /// Reads the state once. An error means that the state is not one that valid blocks lead to.
    pub fn new(state: &BeaconState) -> Result<Self, EpochError> {
        if state.balances.len() != state.validators.len() {
            return Err(EpochError::BalancesLength);
        }
        let current_epoch = get_current_epoch(state);
        let mut summary = Self {
            current_epoch,
            previous_epoch: get_previous_epoch(state),
            validators: ValidatorColumns::default(),
            inclusions: Vec::new(),
            active_validators: 0,
            total_active_balance: Gwei(0),
            previous_source_balance: Gwei(0),
            previous_target_balance: Gwei(0),
            previous_head_balance: Gwei(0),
            current_target_balance: Gwei(0),
            active_balance: Gwei(0),
            findings: Findings::new(state.spec(), state.fork_name(), current_epoch),
        };
        summary.add_registry(state);
        // The first epoch earns nothing, and the first two justify nothing: as in the specification, attestations
        // that no step will ask for are not looked at.
        if state.fork_name() >= ForkName::Altair {
            summary.add_participation(state)?;
        } else if summary.current_epoch > GENESIS_EPOCH {
            let mut marks = Marks::new(state, summary.previous_epoch, summary.current_epoch);
            summary.inclusions = marks.add_previous(&state.previous_epoch_attestations)?;
            if summary.current_epoch > GENESIS_EPOCH + 1 {
                marks.add_current(&state.current_epoch_attestations)?;
            }
            marks.write(&mut summary.validators, &summary.inclusions);
        }
        summary.add_up()?;
        summary.active_balance = summary.total_active_balance;
        summary.raise_totals(Gwei(state.spec().preset.effective_balance_increment));
        let total = (summary.current_epoch, summary.total_active_balance);
        // The cell may be taken, by the same total.
        let _ = state.context.caches.total_active_balance.set(total);
        Ok(summary)
    }

    /// The inclusion with the smallest delay of a validator's attestations of the previous epoch, if it attested.
    pub fn inclusion_of(&self, validator: &ValidatorSummary) -> Option<Inclusion> {
        (validator.inclusion != NOT_INCLUDED).then(|| self.inclusions[validator.inclusion as usize])
    }

    fn add_registry(&mut self, state: &BeaconState) {
        let count = state.validators.len();
        let (previous, current) = (self.previous_epoch, self.current_epoch);
        let ejection_balance = state.spec().config.ejection_balance;
        let mut flags = Vec::with_capacity(count);
        let mut balances = BalanceClasses::new();
        let mut classes = Vec::with_capacity(count);
        for validator in state.validators.slices().flatten() {
            let active_previous = is_active_validator(validator, previous);
            let active_current = is_active_validator(validator, current);
            let owes = validator.slashed & (previous.saturating_add(1) < validator.withdrawable_epoch);
            // Products instead of branches: the compiler makes one straight run of them.
            let bits = (u8::from(active_previous) * ValidatorFlags::ACTIVE_PREVIOUS.0)
                | (u8::from(active_current) * ValidatorFlags::ACTIVE_CURRENT.0)
                | (u8::from(validator.slashed) * ValidatorFlags::SLASHED.0)
                | (u8::from(active_previous | owes) * ValidatorFlags::ELIGIBLE.0);
            if self.findings.concern(validator, ejection_balance) {
                self.findings.add(flags.len() as u32, validator);
            }
            flags.push(ValidatorFlags(bits));
            classes.push(balances.class_of(validator.effective_balance.0));
        }
        self.validators =
            ValidatorColumns { flags, classes, balances: balances.balances, inclusions: Vec::new() };
    }

    /// Since Altair flags say what the attestations said. Those of validators that were not active do not count.
    fn add_participation(&mut self, state: &BeaconState) -> Result<(), EpochError> {
        // The three flags of the previous epoch lie side by side, as they do in the state.
        const PREVIOUS: u32 = ValidatorFlags::PREVIOUS_SOURCE.0.trailing_zeros();
        const TARGET: u8 = 1 << TIMELY_TARGET_FLAG_INDEX;
        const {
            assert!(ValidatorFlags::PREVIOUS_SOURCE.0 == 1 << TIMELY_SOURCE_FLAG_INDEX << PREVIOUS);
            assert!(ValidatorFlags::PREVIOUS_TARGET.0 == 1 << TIMELY_TARGET_FLAG_INDEX << PREVIOUS);
            assert!(ValidatorFlags::PREVIOUS_HEAD.0 == 1 << TIMELY_HEAD_FLAG_INDEX << PREVIOUS);
        }
        let count = self.validators.len();
        let (previous, current) = (&state.previous_epoch_participation, &state.current_epoch_participation);
        if [previous.len(), current.len(), state.inactivity_scores.len()] != [count; 3] {
            return Err(EpochError::ParticipationLength);
        }
        merge(&mut self.validators.flags, previous, |flags, participation| {
            let mask = if flags & ValidatorFlags::ACTIVE_PREVIOUS.0 != 0 { 0b111 << PREVIOUS } else { 0 };
            flags | participation << PREVIOUS & mask
        });
        merge(&mut self.validators.flags, current, |flags, participation| {
            let counts = (flags & ValidatorFlags::ACTIVE_CURRENT.0 != 0) & (participation & TARGET != 0);
            flags | if counts { ValidatorFlags::CURRENT_TARGET.0 } else { 0 }
        });
        Ok(())
    }

    /// Adds up the totals, from how many validators there are of each kind.
    fn add_up(&mut self) -> Result<(), EpochError> {
        let counts = self.validators.counts();
        for (counts, balance) in counts.chunks_exact(256).zip(&self.validators.balances) {
            for (flags, count) in (0u8..=255).zip(counts).filter(|(_, count)| **count > 0) {
                let flags = ValidatorFlags(flags);
                let sum = u64::from(*count).checked_mul(*balance);
                if flags.has(ValidatorFlags::ACTIVE_CURRENT) {
                    self.active_validators += u64::from(*count);
                    add(&mut self.total_active_balance, sum)?;
                }
                for (flag, total) in [
                    (ValidatorFlags::PREVIOUS_SOURCE, &mut self.previous_source_balance),
                    (ValidatorFlags::PREVIOUS_TARGET, &mut self.previous_target_balance),
                    (ValidatorFlags::PREVIOUS_HEAD, &mut self.previous_head_balance),
                    (ValidatorFlags::CURRENT_TARGET, &mut self.current_target_balance),
                ] {
                    if flags.is_unslashed_attester(flag) {
                        add(total, sum)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// `get_total_balance` never says less than one increment, so that nothing divides by zero.
    fn raise_totals(&mut self, least: Gwei) {
        for total in [
            &mut self.total_active_balance,
            &mut self.previous_source_balance,
            &mut self.previous_target_balance,
            &mut self.previous_head_balance,
            &mut self.current_target_balance,
        ] {
            *total = least.max(*total);
        }
    }

    /// Who will be active in the epoch after the next one, as long as nobody is let in or out earlier than that.
    pub(super) fn active_ahead(&self) -> ActiveSet {
        let flags = &self.validators.flags;
        let mut set = ActiveSet::with_capacity(self.current_epoch.saturating_add(2), flags.len());
        for flags in flags.chunks(64) {
            let bits = flags.iter().zip(0u32..).fold(0u64, |bits, (flags, place)| {
                bits | u64::from(flags.has(ValidatorFlags::ACTIVE_CURRENT)) << place
            });
            set.push(bits);
        }
        for (index, [_, is_active]) in &self.findings.turns {
            set.set(*index as usize, *is_active);
        }
        set
    }

    /// What the effective balances of those who are active in the next epoch come to, as long as nobody is let in or
    /// out earlier than that, and before any of them changes.
    pub(super) fn next_active_balance(&self) -> i128 {
        let mut total = i128::from(self.active_balance.0);
        for (index, [is_active, _]) in &self.findings.turns {
            let Some(validator) = self.validators.get(*index as usize) else { continue };
            let was_active = validator.flags.has(ValidatorFlags::ACTIVE_CURRENT);
            let sign = i128::from(*is_active) - i128::from(was_active);
            total += sign * i128::from(validator.effective_balance.0);
        }
        total
    }
}

/// Changes flags by participation flags, which are as many.
fn merge(flags: &mut [ValidatorFlags], participation: &List<u8>, merged: impl Fn(u8, u8) -> u8) {
    let mut left = flags;
    for page in participation.slices() {
        let (now, rest) = left.split_at_mut(page.len());
        for (flags, participation) in now.iter_mut().zip(page) {
            flags.0 = merged(flags.0, *participation);
        }
        left = rest;
    }
}

fn add(total: &mut Gwei, balance: Option<u64>) -> Result<(), EpochError> {
    let sum = balance.and_then(|balance| total.0.checked_add(balance));
    *total = Gwei(sum.ok_or(EpochError::Overflow("a total balance"))?);
    Ok(())
}
