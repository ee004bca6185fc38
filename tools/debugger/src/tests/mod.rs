//! Runs over chains of every fork, beside nodes that are right, wrong and broken.

mod faults;
mod files;
mod foreign;
mod nodes;

use std::sync::Arc;

use synthetic::{Chain, Keys, StatePlan};
use transition::{Signatures, ValidateResult, state_transition};
use types::{BeaconState, ForkName, SignedBeaconBlock};

use crate::config_of::usual_spec;
use crate::{Options, Run};

/// A state in the middle of a chain, blocks upon it, and the states after them.
pub(super) struct Fixture {
    pub pre: BeaconState,
    pub blocks: Vec<SignedBeaconBlock>,
    pub states: Vec<BeaconState>,
}

impl Fixture {
    /// `count` blocks on the state after the first block of an epoch.
    pub fn new(fork: ForkName, count: usize) -> Self {
        let spec = usual_spec("minimal", fork, 0).unwrap();
        let keys = Arc::new(Keys::new(7, 64));
        let plan = StatePlan::new(spec, fork, 64).state(&keys).unwrap();
        let mut chain = Chain::new(plan.clone(), keys);
        let first = chain.next_block().unwrap();
        let mut pre = plan;
        apply(&mut pre, &first);
        let (mut state, mut states, mut blocks) = (pre.clone(), Vec::new(), Vec::new());
        for _ in 0..count {
            let block = chain.next_block().unwrap();
            apply(&mut state, &block);
            states.push(state.clone());
            blocks.push(block);
        }
        Self { pre, blocks, states }
    }
}

fn apply(state: &mut BeaconState, block: &SignedBeaconBlock) {
    state_transition(state, block, &mut Signatures::Skip, ValidateResult::Yes).unwrap();
}

/// Runs all blocks; gives what was told, the outcome, and what was found.
pub(super) fn run(
    fixture: &Fixture,
    options: &Options,
    fault: Option<crate::walk::Fault>,
) -> (String, anyhow::Result<BeaconState>, Option<crate::Finding>) {
    let mut out = Vec::new();
    let mut run = Run::new(fixture.pre.clone(), options, &mut out);
    run.fault = fault;
    let outcome = fixture.blocks.iter().try_for_each(|block| run.block(block));
    let finding = run.finding().cloned();
    let outcome = outcome.and_then(|()| run.finish());
    (String::from_utf8(out).unwrap(), outcome, finding)
}

#[test]
fn the_steps_of_blocks_and_epochs_add_up_to_the_transition_in_every_fork() {
    for fork in ForkName::ALL {
        // Nine blocks lead over the end of an epoch of eight slots.
        let fixture = Fixture::new(fork, 9);
        let options = Options { steps: Some(2), verify: true, ..Options::default() };
        let (told, outcome, _) = run(&fixture, &options, None);
        let after = outcome.unwrap_or_else(|error| panic!("{fork}: {error:#}"));
        assert_eq!(after.state_root(), fixture.states[8].state_root(), "{fork}");
        for step in transition::epoch::EpochStep::of(fork) {
            assert!(told.contains(&format!(" {}: ", step.name())), "{fork}: {} is not told", step.name());
        }
        assert!(told.contains(" process_attestation[0]: "), "{told}");
        assert!(told.contains(" process_slot: "), "{told}");
        let told_payload = told.contains(" process_execution_payload: ");
        assert_eq!(told_payload, fork >= ForkName::Bellatrix, "{fork}");
        // Each header replaces the one before it.
        assert!(told.contains("    latest_block_header.slot: "), "{told}");
    }
}

#[test]
fn slots_without_blocks_cross_forks_step_by_step() {
    let mut settings = types::Settings::parse(types::Config::MINIMAL_YAML).unwrap();
    for (number, fork) in ForkName::ALL.into_iter().enumerate().skip(1) {
        settings.set(&format!("{}_FORK_EPOCH", fork.as_str().to_uppercase()), number);
    }
    let spec = types::Spec::from_settings(settings, None).unwrap();
    let pre = synthetic::genesis_state(spec, &Keys::new(7, 64), 64, 0, None).unwrap();
    let options = Options { steps: Some(0), ..Options::default() };
    let mut out = Vec::new();
    let mut run = Run::new(pre, &options, &mut out);
    (0..56).for_each(|_| run.slot().unwrap());
    assert_eq!(run.finish().unwrap().fork_name(), ForkName::Fulu);
    let told = String::from_utf8(out).unwrap();
    for fork in ForkName::ALL.into_iter().skip(1) {
        assert!(told.contains(&format!(" upgrade_to_{fork}: ")), "{fork}: {told}");
    }
}
