//! A step that does something else than the specification says: `--against` finds it, wherever the other's states come
//! from, and the vector that is written fails until the fault is gone.

use types::{BeaconState, ForkName, Gwei};

use super::foreign::FakeNode;
use super::{Fixture, run};
use crate::replay::verdict_of;
use crate::walk::{Fault, Walk};
use crate::{Against, Case, Finding, Kind, Limits, Options, Step, changes};

/// Pays one validator a gwei too much.
const OVERPAID: Fault = ("process_rewards_and_penalties", |state: &mut BeaconState| {
    state.balances[5] += Gwei(1);
});
/// Forgets what the sync committee gets for a participation.
const UNPAID: Fault = ("process_sync_aggregate", |state: &mut BeaconState| {
    let index = state.balances.len() - 1;
    state.balances[index] = state.balances[index].saturating_sub(100u64);
});

fn options(against: &str, fixture: &Fixture, vectors: &tempfile::TempDir) -> Options {
    let against = Against::open(against, fixture.pre.spec(), Limits::default()).unwrap();
    Options { against: Some(against), write_vector: Some(vectors.path().into()), ..Options::default() }
}

/// The vector that was written, run with the fault and without.
fn check_vector(finding: &Finding, fault: Fault) {
    let folder = finding.vector.as_ref().unwrap();
    let case = Case::read(folder, None).unwrap();
    let post = case.post.as_ref().unwrap();
    let mut faulty = Walk::new(case.pre.clone());
    faulty.fault = Some(fault);
    let (verdict, after) = verdict_of(&case, faulty);
    let is_same = after.is_some_and(|after| changes(&after, post, 0).count() == 0);
    assert!(!(verdict == "valid" && is_same), "the vector passes with the fault");
    let (verdict, after) = verdict_of(&case, Walk::new(case.pre.clone()));
    assert_eq!(verdict, "valid");
    assert_eq!(changes(&after.unwrap(), post, 5).to_string(), "");
}

fn epoch_block(fixture: &Fixture) -> usize {
    let is_first = |state: &BeaconState| state.slot.0.is_multiple_of(state.spec().preset.slots_per_epoch);
    fixture.states.iter().position(is_first).unwrap()
}

#[test]
fn a_fault_in_an_epoch_is_found_beside_a_node_at_its_block_step_and_field() {
    for fork in [ForkName::Phase0, ForkName::Deneb, ForkName::Fulu] {
        let fixture = Fixture::new(fork, 10);
        let node = FakeNode::with_states(&fixture.states);
        let vectors = tempfile::tempdir().unwrap();
        let (told, outcome, finding) = run(&fixture, &options(&node.url, &fixture, &vectors), Some(OVERPAID));
        let error = format!("{:#}", outcome.unwrap_err());
        let finding = finding.unwrap();
        let expected = epoch_block(&fixture);
        assert_eq!(finding.block, Some(expected), "{fork}: {error}");
        assert_eq!(finding.slot, fixture.states[expected].slot);
        assert_eq!(finding.step, Some(Step::of("process_rewards_and_penalties")), "{fork}: {told}");
        assert_eq!(finding.differences[0].path.to_string(), "balances[5]");
        assert_eq!(finding.differences.len(), 1, "{told}");
        assert!(told.contains("balances[5] was written by process_rewards_and_penalties"), "{told}");
        assert!(error.contains(&format!("block {expected} of slot")) && error.contains(&node.url), "{error}");
        check_vector(&finding, OVERPAID);
    }
}

#[test]
fn what_only_follows_from_a_fault_is_not_taken_for_it() {
    // Behind the epoch's end are empty slots, which write roots of wrong states.
    let mut fixture = Fixture::new(ForkName::Deneb, 7);
    let mut chain = synthetic::Chain::new(fixture.states[6].clone(), synthetic::Keys::new(7, 64).into());
    let block = chain.block_at(fixture.states[6].slot + 4).unwrap();
    let mut state = fixture.states[6].clone();
    super::apply(&mut state, &block);
    fixture.blocks.push(block);
    fixture.states.push(state);
    let node = FakeNode::with_states(&fixture.states);
    let vectors = tempfile::tempdir().unwrap();
    let (told, outcome, finding) = run(&fixture, &options(&node.url, &fixture, &vectors), Some(OVERPAID));
    outcome.unwrap_err();
    let finding = finding.unwrap();
    assert!(told.contains("state_roots["), "{told}");
    assert_eq!(finding.step, Some(Step::of("process_rewards_and_penalties")), "{told}");
    assert_eq!(finding.block, Some(7));
}

#[test]
fn a_fault_in_a_block_is_found_beside_files() {
    let fixture = Fixture::new(ForkName::Electra, 3);
    let states = tempfile::tempdir().unwrap();
    for state in &fixture.states {
        std::fs::write(states.path().join(format!("{}.ssz", state.slot)), state.encoded()).unwrap();
    }
    let vectors = tempfile::tempdir().unwrap();
    let folder = states.path().to_str().unwrap();
    let (told, outcome, finding) = run(&fixture, &options(folder, &fixture, &vectors), Some(UNPAID));
    outcome.unwrap_err();
    let finding = finding.unwrap();
    assert_eq!(
        (finding.block, &finding.step),
        (Some(0), &Some(Step::of("process_sync_aggregate"))),
        "{told}"
    );
    assert_eq!(finding.differences[0].path.to_string(), "balances[63]");
    check_vector(&finding, UNPAID);

    // One file alone: the state after the last block.
    let last = states.path().join(format!("{}.ssz", fixture.states[2].slot));
    let options = options(last.to_str().unwrap(), &fixture, &vectors);
    let (_, outcome, finding) = run(&fixture, &options, Some(UNPAID));
    // The wrong state leads to no wrong block of this fixture, so that the end is reached.
    assert!(outcome.is_err());
    assert!(finding.is_none_or(|finding| finding.block == Some(2)));
    let (told, outcome, _) = run(&fixture, &options, None);
    outcome.unwrap();
    assert!(told.contains("1 states compared, all equal"), "{told}");
}

#[test]
fn beside_states_of_steps_the_step_is_known_and_its_own_vector_written() {
    let fixture = Fixture::new(ForkName::Capella, 9);
    // Another program has written the states after its steps; it is right.
    let states = tempfile::tempdir().unwrap();
    let writing = Options { steps: Some(0), write_states: Some(states.path().into()), ..Options::default() };
    run(&fixture, &writing, None).1.unwrap();
    let vectors = tempfile::tempdir().unwrap();
    let options = options(states.path().to_str().unwrap(), &fixture, &vectors);
    let (told, outcome, _) = run(&fixture, &options, None);
    outcome.unwrap();
    assert!(told.contains("states compared, all equal"), "{told}");

    let (told, outcome, finding) = run(&fixture, &options, Some(OVERPAID));
    outcome.unwrap_err();
    let finding = finding.unwrap();
    assert_eq!(finding.step, Some(Step::of("process_rewards_and_penalties")), "{told}");
    let vector = finding.vector.clone().unwrap();
    assert!(vector.to_str().unwrap().contains("minimal/capella/epoch_processing/rewards_and_penalties/"));
    check_vector(&finding, OVERPAID);

    let unpaid: Fault = ("process_attestation", |state: &mut BeaconState| state.balances[0] += Gwei(1));
    let (_, outcome, finding) = run(&fixture, &options, Some(unpaid));
    outcome.unwrap_err();
    let finding = finding.unwrap();
    assert_eq!(finding.step, Some(Step::at("process_attestation", 0)));
    let slot = fixture.blocks[0].message.slot;
    let vector = finding.vector.unwrap();
    assert!(
        vector.ends_with(format!("operations/attestation/interlock/slot_{slot}")),
        "{}",
        vector.display()
    );
}

#[test]
fn a_run_without_fault_is_kept_as_a_vector_that_passes() {
    let fixture = Fixture::new(ForkName::Bellatrix, 2);
    let vectors = tempfile::tempdir().unwrap();
    let options = Options { write_vector: Some(vectors.path().into()), ..Options::default() };
    let (told, outcome, _) = run(&fixture, &options, None);
    outcome.unwrap();
    let folder = told.trim().strip_prefix("vector: ").unwrap();
    let case = Case::read(folder.as_ref(), None).unwrap();
    assert!(matches!(&case.kind, Kind::Blocks(blocks) if *blocks == fixture.blocks));
    let replayed = crate::replay(folder.as_ref(), None).unwrap();
    assert!(replayed.is_same, "{replayed:?}");
}
