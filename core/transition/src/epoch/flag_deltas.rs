//! What each validator earns and loses since Altair: one component for each participation flag, and one for inactivity.
//!
//! Balances change by component: what the first one takes beyond a balance of zero is not set off against what the
//! second one gives. But where a balance covers all that can be taken of it, it is the sum that counts. So there is a
//! table of sums, of sixteen entries for each class of effective balances: one for each combination of flags. A pass
//! over the balances adds what the table says, without a branch; only a page in which some balance is too small, or too
//! large, is gone through component by component.

use types::constants::{
    PARTICIPATION_FLAG_WEIGHTS, TIMELY_HEAD_FLAG_INDEX, TIMELY_SOURCE_FLAG_INDEX, TIMELY_TARGET_FLAG_INDEX,
    WEIGHT_DENOMINATOR,
};
use types::{BeaconState, ForkName, Gwei};

use super::columns::{ValidatorFlags, ValidatorSummary};
use super::components::base_reward_per_increment;
use super::in_step::InStep;
use super::{Deltas, EpochError, EpochSummary, is_in_inactivity_leak};

const FLAGS: usize = PARTICIPATION_FLAG_WEIGHTS.len();
/// Entries in the table for each class.
const KINDS: usize = 16;

/// [`get_flag_index_deltas`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#get_flag_index_deltas)
/// of a flag below 3.
pub fn get_flag_index_deltas(
    state: &BeaconState,
    summary: &EpochSummary,
    flag_index: usize,
) -> Result<Deltas, EpochError> {
    let calculation = Calculation::new(state, summary)?;
    let count = summary.validators.len();
    let mut deltas = Deltas { rewards: Vec::with_capacity(count), penalties: Vec::with_capacity(count) };
    for validator in &summary.validators {
        let (reward, penalty) = calculation.flag_delta(&validator, flag_index)?;
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
    let validators = summary.validators.iter().zip(&state.inactivity_scores);
    let penalty =
        |(validator, score): (_, &u64)| calculation.inactivity_penalty(&validator, *score).map(Gwei);
    let penalties = validators.map(penalty).collect::<Result<_, _>>()?;
    Ok(Deltas { rewards: vec![Gwei(0); summary.validators.len()], penalties })
}

/// `process_rewards_and_penalties` since Altair, but for the first epoch: all components in one pass.
pub(super) fn apply_all_deltas(state: &mut BeaconState, summary: &EpochSummary) -> Result<(), EpochError> {
    let calculation = Calculation::new(state, summary)?;
    let denominator = calculation.inactivity_denominator;
    // The denominator is the same for all, and in most networks a power of two.
    if denominator.is_power_of_two() {
        let places = denominator.trailing_zeros();
        calculation.apply(state, |numerator| numerator >> places)
    } else {
        calculation
            .apply(state, |numerator| if numerator < denominator { 0 } else { numerator / denominator })
    }
}

/// What is the same for all validators.
struct Calculation<'a> {
    summary: &'a EpochSummary,
    increment: u64,
    base_reward_per_increment: u64,
    active_increments: u64,
    /// The increments of those who have the flag.
    flag_increments: [u64; FLAGS],
    inactivity_denominator: u64,
    is_leak: bool,
    /// By class; none where they leave 64 bits.
    rates: Vec<Option<Rates>>,
}

/// What is the same for all validators of one effective balance, in Gwei, by flag.
#[derive(Clone, Copy)]
struct Rates {
    rewards: [u64; FLAGS],
    penalties: [u64; FLAGS],
}

/// What happens to the balances of one kind of validators.
#[derive(Clone, Copy, Default)]
struct Outcome {
    /// Gwei to add, of all components.
    gain: u64,
    /// Gwei to take, of all flags.
    loss: u64,
    /// The effective balance of those who pay for their inactivity score, of others zero.
    weight: u64,
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
        let mut calculation = Self {
            summary,
            increment,
            base_reward_per_increment: base_reward_per_increment(state, summary.total_active_balance)?.0,
            active_increments: summary.total_active_balance.0 / increment,
            flag_increments: balances.map(|balance| balance.0 / increment),
            inactivity_denominator: denominator.ok_or(EpochError::Overflow("an inactivity penalty"))?,
            is_leak: is_in_inactivity_leak(state)?,
            rates: Vec::new(),
        };
        let balances = summary.validators.balances.iter();
        calculation.rates = balances.map(|balance| calculation.checked_rates(*balance)).collect();
        Ok(calculation)
    }

    fn apply(&self, state: &mut BeaconState, divide: impl Fn(u64) -> u64) -> Result<(), EpochError> {
        let outcomes = self.outcomes();
        let columns = &self.summary.validators;
        let scores = state.inactivity_scores.clone();
        let mut scores = InStep::new(&scores);
        let mut new = Vec::new();
        let mut failed = Ok(());
        state.balances.for_each_page(|start, mut page| {
            let balances = page.items();
            let scores = scores.next(balances.len());
            let all = start..start + balances.len();
            let kinds = columns.flags[all.clone()].iter().zip(&columns.classes[all.clone()]);
            let mut is_simple = true;
            new.clear();
            new.extend(balances.iter().zip(scores).zip(kinds).map(|((balance, score), (flags, class))| {
                let outcome = &outcomes[*class as usize * KINDS + kind_of(*flags)];
                let (numerator, is_over) = outcome.weight.overflowing_mul(*score);
                let (sum, carries) = balance.0.overflowing_add(outcome.gain);
                is_simple &= !is_over & !carries & (balance.0 >= outcome.loss);
                Gwei(sum.wrapping_sub(outcome.loss).saturating_sub(divide(numerator)))
            }));
            if !is_simple && failed.is_ok() {
                failed = self.apply_singly(all.start, balances, scores, &mut new);
            }
            if balances != new {
                page.set(&new);
            }
        });
        failed
    }

    /// The same for one page, component by component.
    fn apply_singly(
        &self,
        start: usize,
        balances: &[Gwei],
        scores: &[u64],
        new: &mut [Gwei],
    ) -> Result<(), EpochError> {
        for ((place, new), (balance, score)) in (start..).zip(new).zip(balances.iter().zip(scores)) {
            let validator = self.summary.validators.get(place).ok_or(EpochError::BalancesLength)?;
            let mut balance = balance.0;
            if validator.flags.has(ValidatorFlags::ELIGIBLE) {
                for flag_index in 0..FLAGS {
                    let (reward, penalty) = self.flag_delta(&validator, flag_index)?;
                    balance = balance.checked_add(reward).ok_or(EpochError::Overflow("a balance"))?;
                    balance = balance.saturating_sub(penalty);
                }
                balance = balance.saturating_sub(self.inactivity_penalty(&validator, *score)?);
            }
            *new = Gwei(balance);
        }
        Ok(())
    }

    /// The table: [`KINDS`] entries for each class, of which those of eligible validators are not empty.
    fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::default(); self.rates.len() * KINDS];
        let classes = self.rates.iter().zip(&self.summary.validators.balances);
        for ((rates, balance), outcomes) in classes.zip(outcomes.chunks_exact_mut(KINDS)) {
            for (kind, outcome) in outcomes.iter_mut().enumerate().filter(|(kind, _)| kind & ELIGIBLE != 0) {
                *outcome = rates.and_then(|rates| rates.outcome(kind, *balance)).unwrap_or(Outcome {
                    // No balance covers this, and so the page is gone through one by one.
                    gain: u64::MAX,
                    loss: u64::MAX,
                    weight: 0,
                });
            }
        }
        outcomes
    }

    /// The reward and the penalty of one validator for one flag, in Gwei.
    fn flag_delta(&self, validator: &ValidatorSummary, flag_index: usize) -> Result<(u64, u64), EpochError> {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE) {
            return Ok((0, 0));
        }
        let rates = self.rates[validator.class as usize];
        let rates = rates.ok_or(EpochError::Overflow("a validator's reward or penalty"))?;
        if validator.is_unslashed_attester(flag_of(flag_index)) {
            Ok((rates.rewards[flag_index], 0))
        } else {
            Ok((0, rates.penalties[flag_index]))
        }
    }

    fn inactivity_penalty(&self, validator: &ValidatorSummary, score: u64) -> Result<u64, EpochError> {
        if !validator.flags.has(ValidatorFlags::ELIGIBLE)
            || validator.is_unslashed_attester(ValidatorFlags::PREVIOUS_TARGET)
        {
            return Ok(0);
        }
        let numerator = validator.effective_balance.0.checked_mul(score);
        Ok(numerator.ok_or(EpochError::Overflow("an inactivity penalty"))? / self.inactivity_denominator)
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

impl Rates {
    /// The sums of a kind of validators; none where they leave 64 bits.
    fn outcome(&self, kind: usize, effective_balance: u64) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        for flag_index in 0..FLAGS {
            if kind & 1 << flag_index != 0 {
                outcome.gain = outcome.gain.checked_add(self.rewards[flag_index])?;
            } else {
                outcome.loss = outcome.loss.checked_add(self.penalties[flag_index])?;
            }
        }
        if kind & 1 << TIMELY_TARGET_FLAG_INDEX == 0 {
            outcome.weight = effective_balance;
        }
        Some(outcome)
    }
}

/// The bit of a kind that says that a validator is eligible; those below are its participation flags.
const ELIGIBLE: usize = 1 << FLAGS;

/// The kind of a validator: its participation flags, which are none where it is slashed, and whether it is eligible.
#[inline]
fn kind_of(flags: ValidatorFlags) -> usize {
    const SHIFT: u32 = ValidatorFlags::PREVIOUS_SOURCE.0.trailing_zeros();
    const {
        assert!(ValidatorFlags::ELIGIBLE.0 as usize == ELIGIBLE && KINDS == ELIGIBLE * 2);
    }
    let attested = if flags.0 & ValidatorFlags::SLASHED.0 == 0 { flags.0 >> SHIFT & 0b111 } else { 0 };
    usize::from(attested | flags.0 & ValidatorFlags::ELIGIBLE.0)
}

fn flag_of(flag_index: usize) -> ValidatorFlags {
    match flag_index {
        TIMELY_SOURCE_FLAG_INDEX => ValidatorFlags::PREVIOUS_SOURCE,
        TIMELY_TARGET_FLAG_INDEX => ValidatorFlags::PREVIOUS_TARGET,
        _ => ValidatorFlags::PREVIOUS_HEAD,
    }
}
