//! Epoch processing: what happens to the state at the last slot of an epoch.
//!
//! [`EpochSummary`] is built in one pass over the registry and the attestations; the steps, one file each and named
//! as in the specification, then read that flat summary instead of looking through the state again:
//!
//! ```text
//! state ──▶ EpochSummary::new ──▶ justification ─▶ rewards ─▶ registry ─▶ slashings ─▶ resets and updates
//!                                              └▶ inactivity (since Altair)
//! ```
//!
//! No step changes what the summary holds (activity in the epochs that end, effective balances, attesters) before
//! the last step that reads it, so one summary serves the whole of [`process_epoch`]. A step may also run alone, with
//! a summary built from the state right before it.
//!
//! A step that fails may leave the state partly changed: the caller works on a clone, which is cheap, and drops it.
//!
//! [Specification](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#epoch-processing)

mod columns;
mod components;
mod deltas;
mod effective_balance_updates;
mod error;
mod eth1_data_reset;
mod findings;
mod flag_deltas;
mod historical_roots_update;
mod historical_summaries_update;
mod in_step;
mod inactivity_updates;
mod justification_and_finalization;
mod participation_flag_updates;
mod participation_record_updates;
mod pending_attestations;
mod pending_consolidations;
mod pending_deposits;
mod proposer_lookahead;
mod randao_mixes_reset;
mod registry_updates;
mod rewards_and_penalties;
mod slashings;
mod slashings_reset;
mod steps;
mod summary;
mod sync_committee_updates;
mod target_balances;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use types::{BeaconState, Gwei};

pub use columns::{ValidatorColumns, ValidatorFlags, ValidatorIter, ValidatorSummary};
pub use components::{
    get_base_reward, get_base_reward_per_increment, get_eligible_validator_indices,
    get_matching_head_attestations, get_matching_source_attestations, get_matching_target_attestations,
    get_proposer_reward, get_unslashed_attesting_indices,
};
pub use deltas::{
    Deltas, get_attestation_deltas, get_finality_delay, get_head_deltas, get_inactivity_penalty_deltas,
    get_inclusion_delay_deltas, get_source_deltas, get_target_deltas, is_in_inactivity_leak,
};
pub use effective_balance_updates::process_effective_balance_updates;
pub use error::EpochError;
pub use eth1_data_reset::process_eth1_data_reset;
pub use flag_deltas::get_flag_index_deltas;
pub use historical_roots_update::process_historical_roots_update;
pub use historical_summaries_update::process_historical_summaries_update;
pub use inactivity_updates::process_inactivity_updates;
pub use justification_and_finalization::{
    compute_unrealized_checkpoints, process_justification_and_finalization,
    weigh_justification_and_finalization,
};
pub use participation_flag_updates::process_participation_flag_updates;
pub use participation_record_updates::process_participation_record_updates;
pub use pending_consolidations::process_pending_consolidations;
pub use pending_deposits::process_pending_deposits;
pub use proposer_lookahead::process_proposer_lookahead;
pub use randao_mixes_reset::process_randao_mixes_reset;
pub use registry_updates::process_registry_updates;
pub use rewards_and_penalties::process_rewards_and_penalties;
pub use slashings::process_slashings;
pub use slashings_reset::process_slashings_reset;
pub use steps::{EpochStep, EpochSteps};
pub use summary::{EpochSummary, Inclusion};
pub use sync_committee_updates::process_sync_committee_updates;

/// [`process_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#epoch-processing):
/// all steps in order, on a state at the last slot of an epoch.
///
/// On an error the state is partly changed and of no use.
pub fn process_epoch(state: &mut BeaconState) -> Result<(), EpochError> {
    let mut steps = EpochSteps::begin(state)?;
    EpochStep::of(state.fork_name()).try_for_each(|step| steps.take(state, step))
}

/// Leaves what the summary knows of the next epoch to the state's memos, so that nobody has to look through the registry
/// for it: the total active balance, and who is active in the epoch after it.
///
/// Whom this epoch let in or out is active, or ceases to be, `1 + MAX_SEED_LOOKAHEAD` epochs later. With a preset in
/// which that is too soon, nothing is left.
fn remember_for_next_epoch(state: &mut BeaconState, summary: &EpochSummary, change: i128) {
    let lookahead = state.spec().preset.max_seed_lookahead;
    let next_epoch = summary.current_epoch.saturating_add(1);
    let caches = &mut state.context.caches;
    if lookahead >= 1
        && let Ok(total) = u64::try_from(summary.next_active_balance() + change)
    {
        let least = summary.findings.spec.preset.effective_balance_increment;
        caches.total_active_balance = (next_epoch, Gwei(total.max(least))).into();
    }
    if lookahead >= 2 {
        caches.active_ahead = Some(Arc::new(summary.active_ahead()));
    }
}
