//! The runners of the state transition: each takes a state, does one thing to it through the function that production
//! calls, and compares the whole state and its root with the vector's.
//!
//! A case without the state after must fail. States are hashed before they are changed, so that roots remembered
//! within a state are put to the test too.

mod blocks;
mod difference;
mod epoch_processing;
mod fork;
mod genesis;
mod operations;
mod rewards;
mod shuffling;
mod signed;
mod slots;
mod stepped;

use anyhow::{anyhow, bail, ensure};
use serde::Deserialize;
use types::BeaconState;

use crate::case::Case;

type Runner = fn(&Case) -> super::Result;

/// The runner of a case, if it is one of the state transition.
pub fn runner_of(case: &Case) -> Option<Runner> {
    match (case.runner.as_str(), case.handler.as_str()) {
        ("epoch_processing", _) => Some(epoch_processing::run),
        ("rewards", _) => Some(rewards::run),
        ("operations", _) => Some(operations::run),
        ("sanity", "slots") => Some(slots::run),
        ("sanity", "blocks") | ("finality", "finality") | ("random", "random") => Some(blocks::run),
        ("fork", "fork") => Some(fork::upgrade),
        ("transition", "core") => Some(fork::transition),
        ("genesis", "initialization") => Some(genesis::initialization),
        ("genesis", "validity") => Some(genesis::validity),
        ("shuffling", "core") => Some(shuffling::run),
        _ => None,
    }
}

/// The part of `meta.yaml` that says whether signatures are checked.
#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    bls_setting: u8,
}

impl Meta {
    /// The case's `meta.yaml`, if it has one.
    fn of(case: &Case) -> anyhow::Result<Self> {
        if case.has("meta.yaml") { case.yaml("meta.yaml") } else { Ok(Self::default()) }
    }

    /// False where the case was made without signatures; where it does not matter they are checked.
    fn verifies_signatures(&self) -> anyhow::Result<bool> {
        match self.bls_setting {
            0 | 1 => Ok(true),
            2 => Ok(false),
            other => bail!("bls_setting {other} is not defined"),
        }
    }
}

/// The state before, hashed once.
fn state_before(case: &Case, name: &str) -> anyhow::Result<BeaconState> {
    let state = case.state(name)?;
    state.state_root();
    Ok(state)
}

/// Compares what came of a case with the state that it names; without one the case must have failed.
fn check<E: std::fmt::Display>(case: &Case, name: &str, found: Result<BeaconState, E>) -> super::Result {
    match (case.has(name), found) {
        (true, Ok(state)) => check_equal(&state, &case.state(name)?),
        (true, Err(error)) => Err(anyhow!("refused what is valid: {error}")),
        (false, Ok(_)) => Err(anyhow!("took what is invalid")),
        (false, Err(_)) => Ok(()),
    }
}

fn check_equal(found: &BeaconState, expected: &BeaconState) -> super::Result {
    if found != expected {
        bail!("{}", difference::first_difference(found, expected));
    }
    let (found, expected) = (found.state_root(), expected.state_root());
    ensure!(found == expected, "equal states, but the root is {found}, expected {expected}");
    Ok(())
}
