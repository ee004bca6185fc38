//! What each validator earns and loses since Altair: one component for each participation flag, and one for inactivity.
//!
//! As in phase 0, the divisions are made once for a run of equal effective balances ([`Rates`]). Here balances change
//! by component: what the first one takes beyond a balance of zero is not set off against what the second one gives.

use types::constants::{
    PARTICIPATION_FLAG_WEIGHTS, TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX,
    WEIGHT_DENOMINATOR,
};
use types::{BeaconState, ForkName, Gwei, List};

use super::components::base_reward_per_increment;
use super::{Deltas, EpochError, EpochSummary, ValidatorFlags, ValidatorSummary, is_in_inactivity_leak};

const FLAGS: usize = PARTICIPATION_FLAG_WEIGHTS.len();

/// [`get_flag_index_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_flag_index_deltas)
/// of a flag below 3.
pub fn get_flag_index_deltas(
    state: &BeaconState,
    summary: &EpochSummary,
    flag_index: usize,
) -> Result<Deltas, EpochError> {
    let mut calculation = Calculation::new(state, summary)?;
    let count = summary.validators.len();
    let mut deltas = Deltas { rewards: Vec::with_capacity(count), penalties: Vec::with_capacity(count) };
    for validator in &summary.validators {
        let (reward, penalty) = calculation.flag_delta(validator, flag_index)?;
        deltas.rewards.push(Gwei(reward));
        deltas.penalties.push(Gwei(penalty));
    }
    Ok(deltas)
}

/// `get_inactivity_penalty_deltas` since Altair.
pub(super) fn inactivity_penalty_deltas(
    state: &BeaconState,
    summary: &EpochSummary,
) -> Result<Deltas, EpochError> {
    let calculation = Calculation::new(state, summary)?;
    let penalty = |(index, validator)| calculation.inactivity_penalty(index, validator).map(Gwei);
    let penalties = summary.validators.iter().enumerate().map(penalty).collect::<Result<_, _>>()?;
    Ok(Deltas { rewards: vec![Gwei(0); summary.validators.len()], penalties })
}

/// `process_rewards_and_penalties` since Altair, but for the first epoch: all components in one walk.
pub(super) fn apply_all_deltas(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    let mut calculation = Calculation::new(state, summary)?;
    let mut failed = None;
    state.balances.update(|index, balance| match calculation.balance_after(index, balance.0) {
        Ok(after) => (after != balance.0).then_some(Gwei(after)),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    failed.map_or(Ok(()), Err)
}

/// What is the same for all validators.
struct Calculation<'a> {
    summary: &'a EpochSummary,
    scores: List<u64>,
    increment: u64,
    base_reward_per_increment: u64,
    active_increments: u64,
    /// The increments of those who have the flag.
    flag_increments: [u64; FLAGS],
    inactivity_denominator: u64,
    is_leak: bool,
    /// The rates of the effective balance last asked for.
    rates: Option<(Gwei, Rates)>,
}

/// What is the same for all validators of one effective balance, in Gwei, by flag.
#[derive(Clone, Copy)]
struct Rates {
    rewards: [u64; FLAGS],
    penalties: [u64; FLAGS],
}

impl<'a> Calculation<'a> {
    fn new(state: &BeaconState, summary: &'a EpochSummary) -> Result<Self, EpochError> {
        let (preset, config) = (&state.spec().preset, &state.spec().config);
        let increment = preset.effective_balance_increment;
        let quotient = if state.fork_name() >= ForkName::Bellatrix {
            preset.inactivity_penalty_quotient_bellatrix
        } else {
            preset.inactivity_penalty_quotient_altair
        };
        let denominator = config.inactivity_score_bias.checked_mul(quotient);
        let balances =
            [summary.previous_source_balance, summary.previous_target_balance, summary.previous_head_balance];
        if state.inactivity_scores.len() != summary.validators.len() {
            return Err(EpochError::ParticipationLength);
        }
        Ok(Self {
            summary,
            scores: state.inactivity_scores.clone(),
            increment,
            base_reward_per_increment: base_reward_per_increment(state, summary.total_active_balance)?.0,
            active_increments: summary.total_active_balance.0 / increment,
            flag_increments: balances.map(|balance| balance.0 / increment),
            inactivity_denominator: denominator.ok_or(EpochError::Overflow("an inactivity penalty"))?,
            is_leak: is_in_inactivity_leak(state)?,
            rates: None,
        })
    }

    fn balance_after(&mut self, index: usize, mut balance: u64) -> Result<u64, EpochError> {
        let summary = self.summary;
        let validator = &summary.validators[index];
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return Ok(balance);
        }
        for flag_index in 0..FLAGS {
            let (reward, penalty) = self.flag_delta(validator, flag_index)?;
            balance = balance.checked_add(reward).ok_or(EpochError::Overflow("a balance"))?;
            balance = balance.saturating_sub(penalty);
        }
        Ok(balance.saturating_sub(self.inactivity_penalty(index, validator)?))
    }

    /// The reward and the penalty of one validator for one flag, in Gwei.
    fn flag_delta(
        &mut self,
        validator: &ValidatorSummary,
        flag_index: usize,
    ) -> Result<(u64, u64), EpochError> {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return Ok((0, 0));
        }
        let rates = self.rates(validator.effective_balance)?;
        if validator.is_unslashed_attester(flag_of(flag_index)) {
            Ok((rates.rewards[flag_index], 0))
        } else {
            Ok((0, rates.penalties[flag_index]))
        }
    }

    fn inactivity_penalty(&self, index: usize, validator: &ValidatorSummary) -> Result<u64, EpochError> {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE)
            || validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET)
        {
            return Ok(0);
        }
        let numerator = validator.effective_balance.0.checked_mul(self.scores[index]);
        Ok(numerator.ok_or(EpochError::Overflow("an inactivity penalty"))? / self.inactivity_denominator)
    }

    fn rates(&mut self, effective_balance: Gwei) -> Result<Rates, EpochError> {
        if let Some((_, rates)) = self.rates.filter(|(known, _)| *known == effective_balance) {
            return Ok(rates);
        }
        let rates = self
            .checked_rates(effective_balance.0)
            .ok_or(EpochError::Overflow("a validator's reward or penalty"))?;
        self.rates = Some((effective_balance, rates));
        Ok(rates)
    }

    fn checked_rates(&self, effective_balance: u64) -> Option<Rates> {
        let base_reward = (effective_balance / self.increment).checked_mul(self.base_reward_per_increment)?;
        let denominator = self.active_increments.checked_mul(WEIGHT_DENOMINATOR)?;
        let mut rates = Rates { rewards: [0; FLAGS], penalties: [0; FLAGS] };
        for (flag_index, weight) in PARTICIPATION_FLAG_WEIGHTS.into_iter().enumerate() {
            let weighted = base_reward.checked_mul(weight)?;
            if !self.is_leak {
                rates.rewards[flag_index] =
                    weighted.checked_mul(self.flag_increments[flag_index])? / denominator;
            }
            // A vote for another head costs nothing.
            if flag_index != TIMELY_HEAD_FLAG_INDEX {
                rates.penalties[flag_index] = weighted / WEIGHT_DENOMINATOR;
            }
        }
        Some(rates)
    }
}

fn flag_of(flag_index: usize) -> ValidatorFlags {
    match flag_index {
        TIMELY_SOURCE_FLAG_INDEX => ValidatorFlags::PREVIOUS_SOURCE,
        TIMELY_TARGET_FLAG_INDEX => ValidatorFlags::PREVIOUS_TARGET,
        _ => ValidatorFlags::PREVIOUS_HEAD,
    }
}
