//! Validators, balances, and what goes with each of them.

use types::constants::{COMPOUNDING_WITHDRAWAL_PREFIX, ETH1_ADDRESS_WITHDRAWAL_PREFIX, FAR_FUTURE_EPOCH};
use types::{
    BeaconState, Epoch, ForkName, Gwei, List, PendingConsolidation, PendingDeposit, PendingPartialWithdrawal,
    Slot, Validator, ValidatorIndex,
};

use crate::genesis::credentials;
use crate::{Keys, Participation, StatePlan, noise};

const ETH: u64 = 1_000_000_000;

/// What became of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Active, with a balance a little above the usual.
    Active,
    /// Active since Electra with the rewards compounded, and a balance of up to 2,048 ETH.
    Compounding,
    /// Left long ago, and was paid out.
    Left,
    /// Active with so little that the epoch ejects it.
    Poor,
    /// In the exit queue.
    Exiting,
    /// Slashed half a penalty period ago: the epoch takes the second penalty.
    Slashed,
    /// Waits for its turn to be activated.
    Queued,
    /// Its deposit was just taken.
    New,
}

fn course(plan: &StatePlan, index: ValidatorIndex) -> Course {
    let draw = noise::bits(2, index.0);
    if plan.participation == Participation::MassExits {
        match draw % 64 {
            0..4 => return Course::Poor,
            4..8 => return Course::Exiting,
            8 => return Course::Slashed,
            9 => return Course::Queued,
            10 => return Course::New,
            _ => {}
        }
    }
    match draw >> 32 & 63 {
        0 => Course::Left,
        1 | 2 if plan.fork >= ForkName::Electra => Course::Compounding,
        _ => Course::Active,
    }
}

/// Fills the registry and the lists that go with it.
pub fn fill(state: &mut BeaconState, plan: &StatePlan, keys: &Keys) {
    let epoch = state.slot.epoch(plan.spec);
    let mut exits = 0;
    let (mut validators, mut balances, mut scores) = (List::default(), List::default(), List::default());
    let mut slashed = Gwei(0);
    for index in (0..plan.validators as u64).map(ValidatorIndex) {
        let course = course(plan, index);
        let (mut validator, balance) = entry(plan, epoch, course, index);
        validator.pubkey = keys.pubkey(index.as_usize());
        if course == Course::Exiting {
            validator.exit_epoch = exit_epoch(plan, epoch, exits);
            validator.withdrawable_epoch =
                validator.exit_epoch + plan.spec.config.min_validator_withdrawability_delay;
            exits += 1;
        }
        if course == Course::Slashed {
            slashed += validator.effective_balance;
        }
        validators.push(validator);
        balances.push(balance);
        let has_score = plan.participation == Participation::Leak && !plan.participation.votes(index);
        // Four for each epoch of the leak, which begins five epochs after the finalized one.
        scores.push(if has_score { 15 * plan.spec.config.inactivity_score_bias } else { 0 });
    }
    (state.validators, state.balances) = (validators, balances);
    if plan.fork >= ForkName::Altair {
        state.inactivity_scores = scores;
    }
    let count = plan.validators as u64;
    state.eth1_deposit_index = count;
    state.eth1_data.deposit_count = count;
    state.eth1_data_votes.update(|_, vote| Some(types::Eth1Data { deposit_count: count, ..vote.clone() }));
    let vector = plan.spec.preset.epochs_per_slashings_vector;
    state.slashings[((epoch.0 - vector / 2) % vector) as usize] = slashed;
    if plan.fork >= ForkName::Electra {
        let last_exit = if exits > 0 { exit_epoch(plan, epoch, exits - 1) } else { epoch + 5 };
        fill_queues(state, plan, last_exit);
    }
}

/// The registry's entry, without its key, and the balance.
fn entry(plan: &StatePlan, epoch: Epoch, course: Course, index: ValidatorIndex) -> (Validator, Gwei) {
    let draw = noise::bits(3, index.0);
    let max = plan.spec.preset.max_effective_balance;
    // Up to 0.04 ETH since the last withdrawal.
    let reward = draw % (ETH / 25);
    let activation = Epoch(draw >> 32 & 0xffff_ffff).0 % (epoch.0 / 2);
    let mut validator = Validator {
        withdrawal_credentials: credentials(ETH1_ADDRESS_WITHDRAWAL_PREFIX, index.as_usize()),
        effective_balance: Gwei(max),
        activation_eligibility_epoch: Epoch(activation),
        activation_epoch: Epoch(activation + 5),
        exit_epoch: FAR_FUTURE_EPOCH,
        withdrawable_epoch: FAR_FUTURE_EPOCH,
        ..Validator::default()
    };
    let mut balance = max + reward;
    match course {
        Course::Active | Course::Exiting => {
            // Who leaks has lost something.
            if plan.participation == Participation::Leak && !plan.participation.votes(index) {
                balance = max - ETH / 2 + reward;
                validator.effective_balance = Gwei(balance - balance % ETH);
            }
        }
        Course::Compounding => {
            validator.withdrawal_credentials = credentials(COMPOUNDING_WITHDRAWAL_PREFIX, index.as_usize());
            let whole = max / ETH + draw % (plan.spec.preset.max_effective_balance_electra / ETH - max / ETH);
            validator.effective_balance = Gwei(whole * ETH);
            balance = whole * ETH + reward;
        }
        Course::Left => {
            validator.effective_balance = Gwei(0);
            validator.exit_epoch = Epoch(epoch.0 / 2 + activation / 4);
            validator.withdrawable_epoch =
                validator.exit_epoch + plan.spec.config.min_validator_withdrawability_delay;
            balance = 0;
        }
        Course::Poor => {
            validator.effective_balance = plan.spec.config.ejection_balance;
            balance = validator.effective_balance.0 + reward;
        }
        Course::Slashed => {
            let half = plan.spec.preset.epochs_per_slashings_vector / 2;
            validator.slashed = true;
            validator.withdrawable_epoch = epoch + half;
            validator.exit_epoch = Epoch(epoch.0.saturating_sub(half) + 5);
            balance = max - ETH + reward;
            validator.effective_balance = Gwei(max - ETH);
        }
        Course::Queued => {
            validator.activation_eligibility_epoch = Epoch(epoch.0 - 6 - draw % 4);
            validator.activation_epoch = FAR_FUTURE_EPOCH;
        }
        Course::New => {
            validator.activation_eligibility_epoch = FAR_FUTURE_EPOCH;
            validator.activation_epoch = FAR_FUTURE_EPOCH;
        }
    }
    (validator, Gwei(balance))
}

/// The epoch in which the queue lets out the exit of this number.
fn exit_epoch(plan: &StatePlan, epoch: Epoch, number: u64) -> Epoch {
    let config = &plan.spec.config;
    let by_count = config.min_per_epoch_churn_limit.max(plan.validators as u64 / config.churn_limit_quotient);
    // Since Electra the queue counts balances, up to a limit that does not grow with the registry.
    let by_balance =
        config.max_per_epoch_activation_exit_churn_limit / plan.spec.preset.max_effective_balance;
    let per_epoch = if plan.fork >= ForkName::Electra { by_balance } else { by_count };
    epoch + 5 + number / per_epoch.max(1)
}

/// Queues of Electra: a few top-ups, partial withdrawals and consolidations that are under way.
fn fill_queues(state: &mut BeaconState, plan: &StatePlan, last_exit: Epoch) {
    let epoch = state.slot.epoch(plan.spec);
    // The bridge from the deposit contract is done with.
    state.deposit_requests_start_index = plan.validators as u64;
    state.earliest_exit_epoch = last_exit;
    state.earliest_consolidation_epoch = epoch + 5;
    let of = |wanted: Course| {
        (0..plan.validators as u64).map(ValidatorIndex).filter(move |index| course(plan, *index) == wanted)
    };
    let top_up = |index: ValidatorIndex| {
        let validator = &state.validators[index.as_usize()];
        PendingDeposit {
            pubkey: validator.pubkey,
            withdrawal_credentials: validator.withdrawal_credentials,
            amount: Gwei(ETH),
            // Since nothing is left to prove for a validator that is known, this is what consolidations leave too.
            signature: types::constants::G2_POINT_AT_INFINITY,
            slot: Slot(epoch.start_slot(plan.spec).0.saturating_sub(1000)),
        }
    };
    state.pending_deposits = of(Course::Active).take(64).map(top_up).collect();
    state.pending_partial_withdrawals = of(Course::Compounding)
        .take(32)
        .zip(0..)
        .map(|(validator_index, number)| PendingPartialWithdrawal {
            validator_index,
            amount: Gwei(ETH),
            withdrawable_epoch: epoch + number / 8,
        })
        .collect();
    // Sources have left, and their balances with them: the epoch finishes these two.
    state.pending_consolidations = of(Course::Left)
        .zip(of(Course::Compounding))
        .take(2)
        .map(|(source_index, target_index)| PendingConsolidation { source_index, target_index })
        .collect();
}
