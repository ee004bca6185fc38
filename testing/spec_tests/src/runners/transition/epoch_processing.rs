//! [`epoch_processing`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/epoch_processing): one
//! step of the epoch alone and, where the vector has the states around it, the whole epoch.

use anyhow::{Context, bail};
use transition::epoch::{self, EpochError, EpochSummary};
use types::BeaconState;

use super::{Meta, check, state_before};
use crate::case::Case;

pub fn run(case: &Case) -> super::super::Result {
    let step = step_of(&case.handler)?;
    // Signatures that a step meets, those of deposits, are verified in any case.
    Meta::of(case)?;
    check(case, "post.ssz", after(state_before(case, "pre.ssz")?, step))?;
    if case.has("pre_epoch.ssz") {
        let whole = after(state_before(case, "pre_epoch.ssz")?, epoch::process_epoch);
        check(case, "post_epoch.ssz", whole).context("the whole epoch")?;
    }
    Ok(())
}

type Step = fn(&mut BeaconState) -> Result<(), EpochError>;

fn after(mut state: BeaconState, step: Step) -> Result<BeaconState, EpochError> {
    step(&mut state)?;
    Ok(state)
}

/// The step by the name that the vectors give it, with the summary that it reads.
fn step_of(name: &str) -> anyhow::Result<Step> {
    macro_rules! with_summary {
        ($step:ident) => {
            |state| epoch::$step(state, &EpochSummary::new(state)?)
        };
    }
    Ok(match name {
        "justification_and_finalization" => with_summary!(process_justification_and_finalization),
        "inactivity_updates" => with_summary!(process_inactivity_updates),
        "rewards_and_penalties" => with_summary!(process_rewards_and_penalties),
        "registry_updates" => with_summary!(process_registry_updates),
        "slashings" => with_summary!(process_slashings),
        "effective_balance_updates" => with_summary!(process_effective_balance_updates),
        "historical_roots_update" => epoch::process_historical_roots_update,
        "historical_summaries_update" => epoch::process_historical_summaries_update,
        "pending_deposits" => epoch::process_pending_deposits,
        "pending_consolidations" => epoch::process_pending_consolidations,
        "proposer_lookahead" => epoch::process_proposer_lookahead,
        "eth1_data_reset" => |state| {
            epoch::process_eth1_data_reset(state);
            Ok(())
        },
        "slashings_reset" => |state| {
            epoch::process_slashings_reset(state);
            Ok(())
        },
        "randao_mixes_reset" => |state| {
            epoch::process_randao_mixes_reset(state);
            Ok(())
        },
        "participation_record_updates" => |state| {
            epoch::process_participation_record_updates(state);
            Ok(())
        },
        "participation_flag_updates" => |state| {
            epoch::process_participation_flag_updates(state);
            Ok(())
        },
        "sync_committee_updates" => epoch::process_sync_committee_updates,
        other => bail!("no step {other}"),
    })
}
