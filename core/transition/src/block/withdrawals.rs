//! Withdrawals to the execution layer.

use types::{BeaconState, ExecutionPayload, Gwei, Validator, ValidatorIndex, Withdrawal};

use super::WithdrawalsInvalid;
use crate::accessors::{AccessError, get_current_epoch};
use crate::mutators::decrease_balance;
use crate::predicates::{
    get_max_effective_balance, is_eligible_for_partial_withdrawals, is_fully_withdrawable_validator,
    is_partially_withdrawable_validator, withdrawal_address,
};

/// [`ExpectedWithdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#expectedwithdrawals):
/// what the payload must withdraw.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExpectedWithdrawals {
    /// The withdrawals, in order.
    pub withdrawals: Vec<Withdrawal>,
    /// How many of the state's pending partial withdrawals are done with.
    pub processed_partial_withdrawals_count: usize,
}

/// [`get_expected_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#get_expected_withdrawals);
/// modified in Electra.
pub fn get_expected_withdrawals(state: &BeaconState) -> Result<ExpectedWithdrawals, AccessError> {
    let mut sweep = Sweep { state, withdrawals: Vec::new(), next_index: state.next_withdrawal_index };
    let processed_partial_withdrawals_count = sweep.add_pending_partials()?;
    sweep.add_validators()?;
    Ok(ExpectedWithdrawals { withdrawals: sweep.withdrawals, processed_partial_withdrawals_count })
}

/// Withdrawals as they are found.
struct Sweep<'a> {
    state: &'a BeaconState,
    withdrawals: Vec<Withdrawal>,
    next_index: u64,
}

impl Sweep<'_> {
    fn validator(&self, index: ValidatorIndex) -> Result<&Validator, AccessError> {
        self.state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))
    }

    /// [`get_balance_after_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#get_balance_after_withdrawals).
    fn get_balance_after_withdrawals(&self, index: ValidatorIndex) -> Result<Gwei, AccessError> {
        let balance = self.state.balances.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        let of_it = self.withdrawals.iter().filter(|withdrawal| withdrawal.validator_index == index);
        let left = of_it
            .map(|withdrawal| withdrawal.amount.0)
            .try_fold(balance.0, |left, amount| left.checked_sub(amount));
        left.map(Gwei).ok_or(AccessError::Overflow("what is withdrawn of a balance"))
    }

    fn add(&mut self, index: ValidatorIndex, amount: Gwei) -> Result<(), AccessError> {
        let address = withdrawal_address(self.validator(index)?);
        self.withdrawals.push(Withdrawal { index: self.next_index, validator_index: index, address, amount });
        let next = self.next_index.checked_add(1);
        self.next_index = next.ok_or(AccessError::Overflow("the index of a withdrawal"))?;
        Ok(())
    }

    /// [`get_pending_partial_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_pending_partial_withdrawals);
    /// answers with how many are done with. Before Electra there are none.
    fn add_pending_partials(&mut self) -> Result<usize, AccessError> {
        let (state, spec) = (self.state, self.state.spec());
        let (preset, epoch) = (&spec.preset, get_current_epoch(state));
        // One place is kept for the sweep.
        let most = preset
            .max_pending_partials_per_withdrawals_sweep
            .min(preset.max_withdrawals_per_payload.saturating_sub(1));
        let mut processed = 0;
        for pending in &state.pending_partial_withdrawals {
            if pending.withdrawable_epoch > epoch || self.withdrawals.len() as u64 >= most {
                break;
            }
            let index = pending.validator_index;
            let balance = self.get_balance_after_withdrawals(index)?;
            if is_eligible_for_partial_withdrawals(spec, self.validator(index)?, balance) {
                self.add(index, (balance - preset.min_activation_balance).min(pending.amount))?;
            }
            processed += 1;
        }
        Ok(processed)
    }

    /// [`get_validators_sweep_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#get_validators_sweep_withdrawals).
    fn add_validators(&mut self) -> Result<(), AccessError> {
        let (state, spec, fork) = (self.state, self.state.spec(), self.state.fork_name());
        let epoch = get_current_epoch(state);
        let count = state.validators.len() as u64;
        let mut index = state.next_withdrawal_validator_index;
        for _ in 0..count.min(spec.preset.max_validators_per_withdrawals_sweep) {
            if self.withdrawals.len() as u64 >= spec.preset.max_withdrawals_per_payload {
                break;
            }
            let balance = self.get_balance_after_withdrawals(index)?;
            let validator = self.validator(index)?;
            if is_fully_withdrawable_validator(fork, validator, balance, epoch) {
                self.add(index, balance)?;
            } else if is_partially_withdrawable_validator(spec, fork, validator, balance) {
                let most = get_max_effective_balance(spec, fork, validator);
                self.add(index, balance - most)?;
            }
            index = (index + 1) % count;
        }
        Ok(())
    }
}

/// [`process_withdrawals`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#new-process_withdrawals);
/// modified in Electra.
pub fn process_withdrawals(
    state: &mut BeaconState,
    payload: &ExecutionPayload,
) -> Result<(), WithdrawalsInvalid> {
    let expected = get_expected_withdrawals(state)?;
    if payload.withdrawals != expected.withdrawals {
        return Err(WithdrawalsInvalid::NotExpected);
    }
    for withdrawal in &expected.withdrawals {
        decrease_balance(state, withdrawal.validator_index, withdrawal.amount)?;
    }
    if let Some(last) = expected.withdrawals.last() {
        // The sum fitted when the withdrawal was found.
        state.next_withdrawal_index = last.index + 1;
    }
    let processed = expected.processed_partial_withdrawals_count;
    if processed > 0 {
        let left = state.pending_partial_withdrawals.iter().skip(processed).cloned().collect();
        state.pending_partial_withdrawals = left;
    }
    update_next_withdrawal_validator_index(state, &expected.withdrawals)?;
    Ok(())
}

/// [`update_next_withdrawal_validator_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#update_next_withdrawal_validator_index).
fn update_next_withdrawal_validator_index(
    state: &mut BeaconState,
    withdrawals: &[Withdrawal],
) -> Result<(), AccessError> {
    let preset = &state.spec().preset;
    let next = match withdrawals.last() {
        // A full payload ended the sweep at its last validator.
        Some(last) if withdrawals.len() as u64 == preset.max_withdrawals_per_payload => {
            last.validator_index.0.checked_add(1)
        }
        _ => {
            let begin = state.next_withdrawal_validator_index.0;
            begin.checked_add(preset.max_validators_per_withdrawals_sweep)
        }
    };
    let next = next.ok_or(AccessError::Overflow("the index of a validator"))?;
    let count = state.validators.len() as u64;
    let next = next.checked_rem(count).ok_or(AccessError::NoActiveValidators)?;
    state.next_withdrawal_validator_index = ValidatorIndex(next);
    Ok(())
}
