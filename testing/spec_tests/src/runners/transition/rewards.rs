//! [`rewards`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/rewards): each component of the
//! attestation deltas by itself, and that all together are their sum.

use anyhow::{anyhow, ensure};
use ssz::Ssz;
use transition::epoch::{self, EpochError, EpochSummary};
use types::bounds::VALIDATOR_REGISTRY_LIMIT;
use types::constants::GENESIS_EPOCH;
use types::{BeaconState, ForkName, Gwei, ValidatorIndex};

use super::state_before;
use crate::case::Case;

/// The vectors' container.
#[derive(Clone, Debug, Default, PartialEq, Ssz)]
struct Deltas {
    #[ssz(list(VALIDATOR_REGISTRY_LIMIT))]
    rewards: Vec<Gwei>,
    #[ssz(list(VALIDATOR_REGISTRY_LIMIT))]
    penalties: Vec<Gwei>,
}

type Component = fn(&BeaconState, &EpochSummary) -> Result<epoch::Deltas, EpochError>;

const COMPONENTS: [(&str, Component); 5] = [
    ("source_deltas.ssz", epoch::get_source_deltas),
    ("target_deltas.ssz", epoch::get_target_deltas),
    ("head_deltas.ssz", epoch::get_head_deltas),
    ("inclusion_delay_deltas.ssz", epoch::get_inclusion_delay_deltas),
    ("inactivity_penalty_deltas.ssz", epoch::get_inactivity_penalty_deltas),
];

pub fn run(case: &Case) -> super::super::Result {
    let state = state_before(case, "pre.ssz")?;
    let summary = EpochSummary::new(&state)?;
    let is_phase0 = state.fork_name() == ForkName::Phase0;
    let mut all: Vec<Deltas> = Vec::new();
    for (name, component) in COMPONENTS {
        // Since Altair a late inclusion costs flags and has no component of its own.
        if !is_phase0 && name == "inclusion_delay_deltas.ssz" {
            continue;
        }
        let expected: Deltas = case.ssz(name)?;
        check(&component(&state, &summary)?, &expected).map_err(|error| anyhow!("{name}: {error}"))?;
        if is_phase0 && name == "source_deltas.ssz" {
            check_base_rewards(&state, &expected.penalties)?;
        }
        all.push(expected);
    }
    if is_phase0 { check_sum(&state, &summary, &all) } else { check_balances(state, &summary, &all) }
}

/// In phase 0 the components are added up before a balance changes.
fn check_sum(state: &BeaconState, summary: &EpochSummary, all: &[Deltas]) -> super::super::Result {
    let count = state.validators.len();
    let mut sum = Deltas { rewards: vec![Gwei(0); count], penalties: vec![Gwei(0); count] };
    for part in all {
        add(&mut sum.rewards, &part.rewards);
        add(&mut sum.penalties, &part.penalties);
    }
    check(&epoch::get_attestation_deltas(state, summary)?, &sum).map_err(|error| anyhow!("the sum: {error}"))
}

/// Since Altair each component changes the balance after the one before it.
fn check_balances(mut state: BeaconState, summary: &EpochSummary, all: &[Deltas]) -> super::super::Result {
    let mut balances = state.balances.to_vec();
    // The first epoch pays nothing, whatever the components say.
    let all = if summary.current_epoch == GENESIS_EPOCH { &[] } else { all };
    for (index, balance) in balances.iter_mut().enumerate() {
        for part in all {
            *balance = (*balance + part.rewards[index]).saturating_sub(part.penalties[index]);
        }
    }
    epoch::process_rewards_and_penalties(&mut state, summary)?;
    ensure!(state.balances.to_vec() == balances, "the balances are not those that the components lead to");
    Ok(())
}

/// What a validator loses without a vote for the right source is its base reward. Epoch processing has that of all
/// validators at once, so the function that tells one of them is asked here.
fn check_base_rewards(state: &BeaconState, penalties: &[Gwei]) -> super::super::Result {
    for (index, penalty) in penalties.iter().enumerate().filter(|(_, penalty)| **penalty != Gwei(0)) {
        let found = epoch::get_base_reward(state, ValidatorIndex(index as u64))?;
        ensure!(found == *penalty, "the base reward of validator {index} is {found}, expected {penalty}");
    }
    Ok(())
}

fn add(sum: &mut [Gwei], part: &[Gwei]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += *part);
}

fn check(found: &epoch::Deltas, expected: &Deltas) -> super::super::Result {
    for (what, found, expected) in
        [("rewards", &found.rewards, &expected.rewards), ("penalties", &found.penalties, &expected.penalties)]
    {
        ensure!(found.len() == expected.len(), "{} {what}, expected {}", found.len(), expected.len());
        let different = found.iter().zip(expected).position(|(found, expected)| found != expected);
        if let Some(index) = different {
            return Err(anyhow!("{what}[{index}] is {}, expected {}", found[index], expected[index]));
        }
    }
    Ok(())
}
