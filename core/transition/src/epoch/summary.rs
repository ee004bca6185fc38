//! The registry and the attestations of two epochs as one flat table, sixteen bytes a validator.
//!
//! The specification asks again and again which validators attested to what. Here that is found out once: a pass over
//! the registry, then a pass over the attestations, whose committees come from the state's committee cache. Totals
//! are added up on the way. After that every step is a walk over a table that lies in memory in order.

use types::constants::{
    GENESIS_EPOCH, TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX,
};
use types::{
    BeaconState, Epoch, ForkName, Gwei, List, PendingAttestation, Root, Slot, Validator, ValidatorIndex,
};

use super::EpochError;
use crate::accessors::{
    get_beacon_committee, get_block_root, get_block_root_at_slot, get_current_epoch, get_previous_epoch,
    has_flag, is_active_validator,
};

/// Facts about one validator, each a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidatorFlags(u8);

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

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn set_if(&mut self, condition: bool, flag: Self) {
        if condition {
            *self = self.with(flag);
        }
    }
}

/// The place in [`EpochSummary::inclusions`] of a validator that did not attest.
const NOT_INCLUDED: u32 = u32::MAX;

/// One validator as the steps of epoch processing see it.
#[derive(Clone, Copy, Debug)]
pub struct ValidatorSummary {
    /// The effective balance, in Gwei.
    pub effective_balance: Gwei,
    inclusion: u32,
    /// What the validator is and did.
    pub flags: ValidatorFlags,
}

impl ValidatorSummary {
    /// True where the validator attested as the flag says and was not slashed: the specification's
    /// `get_unslashed_attesting_indices`.
    pub fn is_unslashed_attester(&self, flag: ValidatorFlags) -> bool {
        self.flags.has(flag) && !self.flags.has(ValidatorFlags::SLASHED)
    }
}

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
    /// One entry a validator, in registry order.
    pub validators: Vec<ValidatorSummary>,
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
}

impl EpochSummary {
    /// Reads the state once. An error means that the state is not one that valid blocks lead to.
    pub fn new(state: &BeaconState) -> Result<Self, EpochError> {
        if state.balances.len() != state.validators.len() {
            return Err(EpochError::BalancesLength);
        }
        let mut summary = Self {
            current_epoch: get_current_epoch(state),
            previous_epoch: get_previous_epoch(state),
            validators: Vec::with_capacity(state.validators.len()),
            inclusions: Vec::new(),
            active_validators: 0,
            total_active_balance: Gwei(0),
            previous_source_balance: Gwei(0),
            previous_target_balance: Gwei(0),
            previous_head_balance: Gwei(0),
            current_target_balance: Gwei(0),
        };
        for validator in &state.validators {
            summary.add_validator(validator)?;
        }
        // The first epoch earns nothing, and the first two justify nothing: as in the specification, attestations
        // that no step will ask for are not looked at.
        if state.fork_name() >= ForkName::Altair {
            summary.add_participation(state)?;
        } else if summary.current_epoch > GENESIS_EPOCH {
            summary.add_previous_attestations(state, &state.previous_epoch_attestations)?;
        }
        if state.fork_name() < ForkName::Altair && summary.current_epoch > GENESIS_EPOCH + 1 {
            summary.add_current_attestations(state, &state.current_epoch_attestations)?;
        }
        summary.raise_totals(Gwei(state.spec().preset.effective_balance_increment));
        Ok(summary)
    }

    /// The inclusion with the smallest delay of a validator's attestations of the previous epoch, if it attested.
    pub fn inclusion_of(&self, validator: &ValidatorSummary) -> Option<Inclusion> {
        (validator.inclusion != NOT_INCLUDED).then(|| self.inclusions[validator.inclusion as usize])
    }

    fn add_validator(&mut self, validator: &Validator) -> Result<(), EpochError> {
        let active_previous = is_active_validator(validator, self.previous_epoch);
        let active_current = is_active_validator(validator, self.current_epoch);
        let owes_until_withdrawable =
            validator.slashed && self.previous_epoch + 1 < validator.withdrawable_epoch;
        let mut flags = ValidatorFlags::default();
        flags.set_if(active_previous, ValidatorFlags::ACTIVE_PREVIOUS);
        flags.set_if(active_current, ValidatorFlags::ACTIVE_CURRENT);
        flags.set_if(validator.slashed, ValidatorFlags::SLASHED);
        flags.set_if(active_previous || owes_until_withdrawable, ValidatorFlags::ELIGIBLE);
        let effective_balance = validator.effective_balance;
        if active_current {
            self.active_validators += 1;
            add(&mut self.total_active_balance, effective_balance)?;
        }
        self.validators.push(ValidatorSummary { effective_balance, inclusion: NOT_INCLUDED, flags });
        Ok(())
    }

    /// Since Altair flags say what the attestations said. Those of validators that were not active do not count.
    fn add_participation(&mut self, state: &BeaconState) -> Result<(), EpochError> {
        let count = self.validators.len();
        let (previous, current) = (&state.previous_epoch_participation, &state.current_epoch_participation);
        if [previous.len(), current.len(), state.inactivity_scores.len()] != [count; 3] {
            return Err(EpochError::ParticipationLength);
        }
        for (index, (previous, current)) in previous.iter().zip(current).enumerate() {
            let validator = &mut self.validators[index];
            let mut new = ValidatorFlags::default();
            if validator.flags.has(ValidatorFlags::ACTIVE_PREVIOUS) {
                new.set_if(has_flag(*previous, TIMELY_SOURCE_FLAG_INDEX), ValidatorFlags::PREVIOUS_SOURCE);
                new.set_if(has_flag(*previous, TIMELY_TARGET_FLAG_INDEX), ValidatorFlags::PREVIOUS_TARGET);
                new.set_if(has_flag(*previous, TIMELY_HEAD_FLAG_INDEX), ValidatorFlags::PREVIOUS_HEAD);
            }
            if validator.flags.has(ValidatorFlags::ACTIVE_CURRENT) {
                new.set_if(has_flag(*current, TIMELY_TARGET_FLAG_INDEX), ValidatorFlags::CURRENT_TARGET);
            }
            validator.flags = validator.flags.with(new);
            if !validator.flags.has(ValidatorFlags::SLASHED) {
                let balance = validator.effective_balance;
                self.add_attester(new, balance)?;
            }
        }
        Ok(())
    }

    fn add_previous_attestations(
        &mut self,
        state: &BeaconState,
        attestations: &List<PendingAttestation>,
    ) -> Result<(), EpochError> {
        let mut target_root = None;
        self.inclusions.reserve_exact(attestations.len());
        for attestation in attestations {
            let place = self.add_inclusion(attestation)?;
            let mut flags = ValidatorFlags::PREVIOUS_SOURCE;
            if attestation.data.target.root == block_root_once(&mut target_root, state, self.previous_epoch)?
            {
                flags = flags.with(ValidatorFlags::PREVIOUS_TARGET);
                let head = get_block_root_at_slot(state, attestation.data.slot)?;
                flags.set_if(attestation.data.beacon_block_root == head, ValidatorFlags::PREVIOUS_HEAD);
            }
            self.mark_attesters(state, attestation, flags, place)?;
        }
        Ok(())
    }

    fn add_current_attestations(
        &mut self,
        state: &BeaconState,
        attestations: &List<PendingAttestation>,
    ) -> Result<(), EpochError> {
        let mut target_root = None;
        for attestation in attestations {
            if attestation.data.target.root == block_root_once(&mut target_root, state, self.current_epoch)? {
                self.mark_attesters(state, attestation, ValidatorFlags::CURRENT_TARGET, NOT_INCLUDED)?;
            }
        }
        Ok(())
    }

    fn add_inclusion(&mut self, attestation: &PendingAttestation) -> Result<u32, EpochError> {
        let inclusion =
            Inclusion { delay: attestation.inclusion_delay, proposer_index: attestation.proposer_index };
        if inclusion.delay == Slot(0) {
            return Err(EpochError::NoInclusionDelay);
        }
        if inclusion.proposer_index.as_usize() >= self.validators.len() {
            return Err(EpochError::UnknownProposer(inclusion.proposer_index));
        }
        self.inclusions.push(inclusion);
        Ok(u32::try_from(self.inclusions.len() - 1).expect("a state has fewer than 2^32 attestations"))
    }

    /// Marks everyone who took part in the attestation. `place` is that of its inclusion, or [`NOT_INCLUDED`].
    fn mark_attesters(
        &mut self,
        state: &BeaconState,
        attestation: &PendingAttestation,
        flags: ValidatorFlags,
        place: u32,
    ) -> Result<(), EpochError> {
        let committee = get_beacon_committee(state, attestation.data.slot, attestation.data.index)?;
        if attestation.aggregation_bits.len() < committee.len() {
            return Err(EpochError::TooFewBits);
        }
        let delay = self.inclusions.get(place as usize).map(|inclusion| inclusion.delay);
        for member in attestation.aggregation_bits.ones().take_while(|member| *member < committee.len()) {
            let validator = &mut self.validators[committee[member].as_usize()];
            let known = self.inclusions.get(validator.inclusion as usize).map(|inclusion| inclusion.delay);
            // The first of equal delays counts, so only a smaller one replaces.
            if delay.is_some_and(|delay| known.is_none_or(|known| delay < known)) {
                validator.inclusion = place;
            }
            let new = flags.without(validator.flags);
            validator.flags = validator.flags.with(flags);
            if !validator.flags.has(ValidatorFlags::SLASHED) {
                let balance = validator.effective_balance;
                self.add_attester(new, balance)?;
            }
        }
        Ok(())
    }

    fn add_attester(&mut self, new: ValidatorFlags, balance: Gwei) -> Result<(), EpochError> {
        for (flag, total) in [
            (ValidatorFlags::PREVIOUS_SOURCE, &mut self.previous_source_balance),
            (ValidatorFlags::PREVIOUS_TARGET, &mut self.previous_target_balance),
            (ValidatorFlags::PREVIOUS_HEAD, &mut self.previous_head_balance),
            (ValidatorFlags::CURRENT_TARGET, &mut self.current_target_balance),
        ] {
            if new.has(flag) {
                add(total, balance)?;
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
}

fn add(total: &mut Gwei, balance: Gwei) -> Result<(), EpochError> {
    *total = Gwei(total.0.checked_add(balance.0).ok_or(EpochError::Overflow("a total balance"))?);
    Ok(())
}

/// The block root of an epoch, looked up when first needed: at an epoch's first slot, where fork choice asks too, there
/// is no such root yet and no attestation that needs it.
fn block_root_once(root: &mut Option<Root>, state: &BeaconState, epoch: Epoch) -> Result<Root, EpochError> {
    match *root {
        Some(root) => Ok(root),
        None => Ok(*root.insert(get_block_root(state, epoch)?)),
    }
}
