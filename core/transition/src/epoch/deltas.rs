//! What each validator earns and loses for its attestations of the previous epoch: in phase 0 in five components.
//!
//! All components of a validator follow from its effective balance, from what it did, and from totals. Nearly all
//! validators have the same effective balance, so the divisions are made once for each balance that there is ([`Rates`])
//! and not once for each validator.
//!
//! [Specification](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas)

use types::constants::{
    BASE_REWARDS_PER_EPOCH, TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX,
};
use types::{BeaconState, ForkName, Gwei, Preset};

use super::flag_deltas::inactivity_penalty_deltas;
use super::{EpochError, EpochSummary, ValidatorFlags, ValidatorSummary, get_flag_index_deltas};
use crate::accessors::get_previous_epoch;

/// Rewards and penalties, one of each a validator, in registry order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deltas {
    /// Gwei to add.
    pub rewards: Vec<Gwei>,
    /// Gwei to take.
    pub penalties: Vec<Gwei>,
}

/// [`get_finality_delay`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2),
/// in epochs; an error where the finalized checkpoint is ahead of the state.
pub fn get_finality_delay(state: &BeaconState) -> Result<u64, EpochError> {
    let finalized = state.finalized_checkpoint.epoch;
    get_previous_epoch(state).0.checked_sub(finalized.0).ok_or(EpochError::FinalizedInFuture)
}

/// [`is_in_inactivity_leak`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2).
pub fn is_in_inactivity_leak(state: &BeaconState) -> Result<bool, EpochError> {
    Ok(get_finality_delay(state)? > state.spec().preset.min_epochs_to_inactivity_penalty)
}

/// [`get_source_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas);
/// since Altair those of the flag ([`get_flag_index_deltas`]).
pub fn get_source_deltas(state: &BeaconState, summary: &EpochSummary) -> Result<Deltas, EpochError> {
    if state.fork_name() >= ForkName::Altair {
        return get_flag_index_deltas(state, summary, TIMELY_SOURCE_FLAG_INDEX);
    }
    Calculation::new(state, summary)?.run(|sum, rates, validator| sum.add_source(rates, validator))
}

/// [`get_target_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas);
/// since Altair those of the flag ([`get_flag_index_deltas`]).
pub fn get_target_deltas(state: &BeaconState, summary: &EpochSummary) -> Result<Deltas, EpochError> {
    if state.fork_name() >= ForkName::Altair {
        return get_flag_index_deltas(state, summary, TIMELY_TARGET_FLAG_INDEX);
    }
    Calculation::new(state, summary)?.run(|sum, rates, validator| sum.add_target(rates, validator))
}

/// [`get_head_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas);
/// since Altair those of the flag ([`get_flag_index_deltas`]).
pub fn get_head_deltas(state: &BeaconState, summary: &EpochSummary) -> Result<Deltas, EpochError> {
    if state.fork_name() >= ForkName::Altair {
        return get_flag_index_deltas(state, summary, TIMELY_HEAD_FLAG_INDEX);
    }
    Calculation::new(state, summary)?.run(|sum, rates, validator| sum.add_head(rates, validator))
}

/// [`get_inclusion_delay_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas).
pub fn get_inclusion_delay_deltas(state: &BeaconState, summary: &EpochSummary) -> Result<Deltas, EpochError> {
    let calculation = Calculation::new(state, summary)?;
    let mut deltas = calculation.run(|sum, rates, validator| {
        sum.add_inclusion_delay(rates, validator, summary);
    })?;
    calculation.add_proposer_rewards(&mut deltas)?;
    Ok(deltas)
}

/// [`get_inactivity_penalty_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#components-of-attestation-deltas);
/// modified in Altair and Bellatrix.
pub fn get_inactivity_penalty_deltas(
    state: &BeaconState,
    summary: &EpochSummary,
) -> Result<Deltas, EpochError> {
    if state.fork_name() >= ForkName::Altair {
        return inactivity_penalty_deltas(state, summary);
    }
    Calculation::new(state, summary)?.run(|sum, rates, validator| sum.add_inactivity(rates, validator))
}

/// [`get_attestation_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_attestation_deltas):
/// all components of phase 0 together, in one walk over the summary.
pub fn get_attestation_deltas(state: &BeaconState, summary: &EpochSummary) -> Result<Deltas, EpochError> {
    let calculation = Calculation::new(state, summary)?;
    let mut deltas = calculation.run(|sum, rates, validator| {
        sum.add_source(rates, validator);
        sum.add_target(rates, validator);
        sum.add_head(rates, validator);
        sum.add_inclusion_delay(rates, validator, summary);
        sum.add_inactivity(rates, validator);
    })?;
    calculation.add_proposer_rewards(&mut deltas)?;
    Ok(deltas)
}

/// What is the same for all validators.
struct Calculation<'a> {
    summary: &'a EpochSummary,
    preset: &'a Preset,
    total_balance_root: u64,
    finality_delay: u64,
    is_leak: bool,
}

/// What is the same for all validators of one effective balance, in Gwei. In an inactivity leak a right vote earns the
/// whole base reward, and the penalties of the leak take it away again.
#[derive(Clone, Copy)]
struct Rates {
    base_reward: u64,
    proposer_reward: u64,
    source_reward: u64,
    target_reward: u64,
    head_reward: u64,
    /// For every eligible validator; zero out of a leak.
    leak_penalty: u64,
    /// For those that did not vote for the right target; zero out of a leak.
    inactivity_penalty: u64,
}

/// The reward and the penalty of one validator, in Gwei.
#[derive(Clone, Copy, Default)]
struct Sum {
    reward: u64,
    penalty: u64,
}

impl<'a> Calculation<'a> {
    fn new(state: &'a BeaconState, summary: &'a EpochSummary) -> Result<Self, EpochError> {
        Ok(Self {
            summary,
            preset: &state.spec().preset,
            total_balance_root: summary.total_active_balance.0.isqrt(),
            finality_delay: get_finality_delay(state)?,
            is_leak: is_in_inactivity_leak(state)?,
        })
    }

    /// Walks over all validators; `add` adds up the components asked for.
    fn run(&self, add: impl Fn(&mut Sum, &Rates, &ValidatorSummary)) -> Result<Deltas, EpochError> {
        let count = self.summary.validators.len();
        let mut deltas = Deltas { rewards: Vec::with_capacity(count), penalties: Vec::with_capacity(count) };
        let mut rates = ClassRates::new(self.summary);
        for validator in &self.summary.validators {
            let mut sum = Sum::default();
            if validator.flags.has(ValidatorFlags::ELIGIBLE)
                || validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_SOURCE)
            {
                add(&mut sum, rates.of(self, &validator)?, &validator);
            }
            deltas.rewards.push(Gwei(sum.reward));
            deltas.penalties.push(Gwei(sum.penalty));
        }
        Ok(deltas)
    }

    /// The proposer's part of the inclusion delay component. It goes to the proposer and not to the attester, so
    /// it is added up by inclusion first: thousands at most.
    fn add_proposer_rewards(&self, deltas: &mut Deltas) -> Result<(), EpochError> {
        let mut rates = ClassRates::new(self.summary);
        let overflow = || EpochError::Overflow("a proposer's reward");
        for validator in &self.summary.validators {
            if !validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_SOURCE) {
                continue;
            }
            if let Some(inclusion) = self.summary.inclusion_of(&validator) {
                let reward = &mut deltas.rewards[inclusion.proposer_index.as_usize()];
                let share = rates.of(self, &validator)?.proposer_reward;
                *reward = Gwei(reward.0.checked_add(share).ok_or_else(overflow)?);
            }
        }
        Ok(())
    }

    fn rates_at(&self, effective_balance: Gwei) -> Result<Rates, EpochError> {
        self.checked_rates_at(effective_balance.0)
            .ok_or(EpochError::Overflow("a validator's reward or penalty"))
    }

    fn checked_rates_at(&self, effective_balance: u64) -> Option<Rates> {
        let increment = self.preset.effective_balance_increment;
        let base_reward = effective_balance.checked_mul(self.preset.base_reward_factor)?
            / self.total_balance_root
            / BASE_REWARDS_PER_EPOCH;
        let proposer_reward = base_reward / self.preset.proposer_reward_quotient;
        let total_increments = self.summary.total_active_balance.0 / increment;
        let reward = |attesting_balance: Gwei| {
            if self.is_leak {
                return Some(base_reward);
            }
            Some(base_reward.checked_mul(attesting_balance.0 / increment)? / total_increments)
        };
        let (mut leak_penalty, mut inactivity_penalty) = (0, 0);
        if self.is_leak {
            leak_penalty = base_reward.checked_mul(BASE_REWARDS_PER_EPOCH)? - proposer_reward;
            inactivity_penalty =
                effective_balance.checked_mul(self.finality_delay)? / self.preset.inactivity_penalty_quotient;
        }
        let rates = Rates {
            base_reward,
            proposer_reward,
            source_reward: reward(self.summary.previous_source_balance)?,
            target_reward: reward(self.summary.previous_target_balance)?,
            head_reward: reward(self.summary.previous_head_balance)?,
            leak_penalty,
            inactivity_penalty,
        };
        rates.fits().then_some(rates)
    }
}

impl Rates {
    /// True where one validator's components add up within 64 bits, whichever of them it gets.
    fn fits(&self) -> bool {
        let rewards = [self.source_reward, self.target_reward, self.head_reward, self.base_reward];
        let penalties = [
            self.base_reward,
            self.base_reward,
            self.base_reward,
            self.leak_penalty,
            self.inactivity_penalty,
        ];
        let sum = |parts: &[u64]| parts.iter().try_fold(0u64, |sum, part| sum.checked_add(*part));
        sum(&rewards).is_some() && sum(&penalties).is_some()
    }
}

/// The rates of each class of effective balances, made when they are first asked for.
struct ClassRates(Vec<Option<Rates>>);

impl ClassRates {
    fn new(summary: &EpochSummary) -> Self {
        Self(vec![None; summary.validators.balances.len()])
    }

    fn of(&mut self, calculation: &Calculation, validator: &ValidatorSummary) -> Result<&Rates, EpochError> {
        let rates = &mut self.0[validator.class as usize];
        if rates.is_none() {
            *rates = Some(calculation.rates_at(validator.effective_balance)?);
        }
        Ok(rates.as_ref().expect("made above where there were none"))
    }
}

impl Sum {
    fn add_source(&mut self, rates: &Rates, validator: &ValidatorSummary) {
        self.add_vote(ValidatorFlags::PREVIOUS_SOURCE, rates.source_reward, rates, validator);
    }

    fn add_target(&mut self, rates: &Rates, validator: &ValidatorSummary) {
        self.add_vote(ValidatorFlags::PREVIOUS_TARGET, rates.target_reward, rates, validator);
    }

    fn add_head(&mut self, rates: &Rates, validator: &ValidatorSummary) {
        self.add_vote(ValidatorFlags::PREVIOUS_HEAD, rates.head_reward, rates, validator);
    }

    /// [`get_attestation_component_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#helpers-2)
    /// of one validator.
    fn add_vote(&mut self, vote: ValidatorFlags, reward: u64, rates: &Rates, validator: &ValidatorSummary) {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return;
        }
        if validator.is_unslashed_attester(vote) {
            self.reward += reward;
        } else {
            self.penalty += rates.base_reward;
        }
    }

    fn add_inclusion_delay(&mut self, rates: &Rates, validator: &ValidatorSummary, summary: &EpochSummary) {
        if !validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_SOURCE) {
            return;
        }
        if let Some(inclusion) = summary.inclusion_of(validator) {
            self.reward += (rates.base_reward - rates.proposer_reward) / inclusion.delay.0;
        }
    }

    fn add_inactivity(&mut self, rates: &Rates, validator: &ValidatorSummary) {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return;
        }
        self.penalty += rates.leak_penalty;
        if !validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET) {
            self.penalty += rates.inactivity_penalty;
        }
    }
}
