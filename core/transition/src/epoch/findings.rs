//! The few validators that something is about to happen to, noticed in the pass that makes the summary.

use types::constants::FAR_FUTURE_EPOCH;
use types::{Epoch, ForkName, Gwei, Spec, Validator};

use crate::accessors::{
    compute_activation_exit_epoch, is_active_validator, is_eligible_for_activation_queue,
};

/// What the registry tells beyond the columns of the summary; see the module.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    pub(super) spec: &'static Spec,
    fork: ForkName,
    current_epoch: Epoch,
    /// Who may enter the activation queue.
    pub(super) newly_eligible: Vec<u32>,
    /// Who is to be ejected.
    pub(super) ejected: Vec<u32>,
    /// Who was not activated, with the epoch since when it may be.
    pub(super) waiting: Vec<(Epoch, u32)>,
    /// Who is slashed.
    pub(super) slashed: Vec<u32>,
    /// Who becomes active or ceases to be in one of the next two epochs, and whether it is active in them.
    pub(super) turns: Vec<(u32, [bool; 2])>,
    /// Before Electra, the end of the queue of exits: its last epoch, and how many leave in it.
    pub(super) last_exit: (Epoch, u64),
}

impl Findings {
    pub(super) fn new(spec: &'static Spec, fork: ForkName, current_epoch: Epoch) -> Self {
        Self {
            spec,
            fork,
            current_epoch,
            newly_eligible: Vec::new(),
            ejected: Vec::new(),
            waiting: Vec::new(),
            slashed: Vec::new(),
            turns: Vec::new(),
            last_exit: (compute_activation_exit_epoch(spec, current_epoch), 0),
        }
    }

    /// True where there may be something to be noticed of a validator: for few, and told without a branch.
    #[inline]
    pub(super) fn concern(&self, validator: &Validator, ejection_balance: Gwei) -> bool {
        (validator.activation_epoch > self.current_epoch)
            | (validator.activation_eligibility_epoch == FAR_FUTURE_EPOCH)
            | (validator.exit_epoch != FAR_FUTURE_EPOCH)
            | validator.slashed
            | (validator.effective_balance <= ejection_balance)
    }

    pub(super) fn add(&mut self, index: u32, validator: &Validator) {
        if validator.slashed {
            self.slashed.push(index);
        }
        self.add_to_queues(index, validator);
        if validator.exit_epoch != FAR_FUTURE_EPOCH {
            let (last, count) = &mut self.last_exit;
            if validator.exit_epoch > *last {
                (*last, *count) = (validator.exit_epoch, 1);
            } else if validator.exit_epoch == *last {
                *count += 1;
            }
        }
        let is_active =
            |distance: u64| is_active_validator(validator, self.current_epoch.saturating_add(distance));
        let (now, soon) = (is_active(0), [is_active(1), is_active(2)]);
        if soon != [now, now] {
            self.turns.push((index, soon));
        }
    }

    fn add_to_queues(&mut self, index: u32, validator: &Validator) {
        // Since Electra at most one of these happens to a validator.
        let is_one_of_three = self.fork >= ForkName::Electra;
        let mut eligible_since = validator.activation_eligibility_epoch;
        if is_eligible_for_activation_queue(self.spec, self.fork, validator) {
            self.newly_eligible.push(index);
            eligible_since = self.current_epoch.saturating_add(1);
            if is_one_of_three {
                return;
            }
        }
        if is_active_validator(validator, self.current_epoch)
            && validator.effective_balance <= self.spec.config.ejection_balance
        {
            if validator.exit_epoch == FAR_FUTURE_EPOCH {
                self.ejected.push(index);
            }
            if is_one_of_three {
                return;
            }
        }
        // `is_eligible_for_activation`, as it will be once the marks of the first are written, but for finality.
        if validator.activation_epoch == FAR_FUTURE_EPOCH {
            self.waiting.push((eligible_since, index));
        }
    }
}
