//! States: reading, writing, hashing, copying, and slots and epochs without blocks.

use std::time::Duration;

use anyhow::ensure;
use transition::process_slots;
use types::{BeaconState, ForkName};

use crate::clock::{Cost, least, least_of_both, one};
use crate::line::Line;
use crate::report::Report;
use crate::rival::Rival;
use crate::subject::{Subject, fill_caches};

/// Empty slots that are measured together.
const SLOTS: usize = 16;
/// Clones that are measured together.
const CLONES: usize = 200;

/// Measures everything but the epoch, which has states of its own.
pub fn measure(report: &mut Report, subject: &Subject, budget: Duration) -> anyhow::Result<()> {
    codec(report, subject, budget)?;
    roots(report, subject, budget)?;
    if report.wants("caches") {
        let cost = least(budget, || subject.decode(), |state| fill_caches(state).is_ok());
        let line = Line::time("caches", &subject.name, cost);
        report.add(line);
    }
    if report.wants_any(&["clone", "empty-slot", "root-after-epoch"]) {
        let state = subject.at_end_of_epoch()?;
        clone(report, subject, &state, budget);
        after_epoch(report, subject, &state, budget)?;
    }
    Ok(())
}

fn codec(report: &mut Report, subject: &Subject, budget: Duration) -> anyhow::Result<()> {
    let copying = subject.bytes.len() as f64 * report.machine.speed.copy_ns;
    let knows = Rival::knows(subject.fork);
    if report.wants("decode") {
        let decode = || one(|| (), |()| Rival::decode(subject.fork, &subject.bytes));
        let costs = least_of_both(budget, || one(|| (), |()| subject.decode()), || if_some(knows, decode));
        add_with_ratio(report, beside_milhouse("decode", subject, costs).limited_by("to copy it", copying));
    }
    if report.wants("encode") {
        let state = subject.decode();
        let rival = knows.then(|| Rival::decode(subject.fork, &subject.bytes)).transpose()?;
        let is_same = rival.as_ref().is_none_or(|rival| rival.encode() == subject.bytes);
        ensure!(is_same, "{}: milhouse writes other bytes", subject.name);
        let costs = least_of_both(
            budget,
            || one(|| (), |()| state.encoded()),
            || rival.as_ref().map_or(Cost::ENDLESS, |rival| one(|| (), |()| rival.encode())),
        );
        report.add(beside_milhouse("encode", subject, costs).limited_by("to copy it", copying));
    }
    Ok(())
}

fn if_some(knows: bool, work: impl FnOnce() -> Cost) -> Cost {
    if knows { work() } else { Cost::ENDLESS }
}

/// A line of ours, and of milhouse's where it knows the state.
fn beside_milhouse(name: &str, subject: &Subject, (ours, rival): (Cost, Cost)) -> Line {
    let line = Line::time(name, &subject.name, ours);
    if Rival::knows(subject.fork) { line.against("milhouse", rival) } else { line }
}

/// The same line once more where its ratio has a goal of its own.
fn add_with_ratio(report: &mut Report, line: Line) {
    let ratio = Line {
        name: format!("{}-ratio", line.name),
        goal: crate::goals::Goal::of(&format!("{}-ratio", line.name), &line.subject),
        limit: None,
        ..line.clone()
    };
    report.add(line);
    if ratio.goal.is_some() {
        report.add(ratio);
    }
}

fn roots(report: &mut Report, subject: &Subject, budget: Duration) -> anyhow::Result<()> {
    if !report.wants("root-full") {
        return Ok(());
    }
    let read = || Rival::decode(subject.fork, &subject.bytes).ok();
    let root = |rival: &Option<Rival>| rival.as_ref().map(Rival::root);
    let knows = Rival::knows(subject.fork);
    let state = subject.decode();
    if knows {
        let (ours, theirs) = (state.state_root(), root(&read()));
        ensure!(theirs == Some(ours.0), "{}: our root is {ours}, milhouse's {theirs:x?}", subject.name);
    }
    let costs = least_of_both(
        2 * budget,
        || one(|| subject.decode(), |state| state.state_root()),
        || if_some(knows, || one(read, |rival| root(rival))),
    );
    let hashing = hashes_of(&state) * report.machine.batched_hash_ns;
    let line = beside_milhouse("root-full", subject, costs).limited_by("to hash it", hashing);
    add_with_ratio(report, line);
    Ok(())
}

fn clone(report: &mut Report, subject: &Subject, state: &BeaconState, budget: Duration) {
    if !report.wants("clone") {
        return;
    }
    let room = || Vec::with_capacity(CLONES);
    let cost = least(budget, room, |clones| (0..CLONES).for_each(|_| clones.push(state.clone())));
    let mut line = Line::time("clone", &subject.name, cost.each(CLONES));
    if let Ok(rival) = Rival::decode(subject.fork, &subject.bytes) {
        let room = || Vec::with_capacity(CLONES);
        let cost = least(budget, room, |clones| (0..CLONES).for_each(|_| clones.push(rival.clone())));
        line = line.against("milhouse", cost.each(CLONES));
    }
    report.add(line);
}

fn after_epoch(
    report: &mut Report,
    subject: &Subject,
    state: &BeaconState,
    budget: Duration,
) -> anyhow::Result<()> {
    let end_epoch = || {
        let mut state = state.clone();
        let next = state.slot + 1;
        process_slots(&mut state, next).map(|()| state)
    };
    if report.wants("root-after-epoch") {
        let cost = least(budget, end_epoch, |state| state.as_ref().map(BeaconState::state_root).ok());
        // Balances change throughout, four in a chunk; all else that an epoch writes is small beside them.
        let hashing = state.validators.len() as f64 / 4.0 * report.machine.batched_hash_ns;
        let line = Line::time("root-after-epoch", &subject.name, cost);
        let mut line = line.limited_by("to hash balances", hashing);
        if let Ok(rival) = Rival::decode(subject.fork, &subject.bytes) {
            rival.root();
            let end_epoch = || {
                let mut rival = rival.clone();
                rival.end_epoch().map(|()| rival)
            };
            line = line
                .against("milhouse", least(budget, end_epoch, |rival| rival.as_ref().map(Rival::root).ok()));
        }
        report.add(line);
    }
    if report.wants("empty-slot") {
        let state = end_epoch()?;
        state.state_root();
        let slots = |state: &mut BeaconState| {
            (0..SLOTS).all(|_| {
                let next = state.slot + 1;
                process_slots(state, next).is_ok() && !state.state_root().is_zero()
            })
        };
        let cost = least(budget, || state.clone(), slots).each(SLOTS);
        // Two roots of blocks and states, 13 levels each, and the fields above them.
        let hashing = (2.0 * 14.0 + 40.0) * report.machine.speed.hash_ns;
        let line = Line::time("empty-slot", &subject.name, cost);
        report.add(line.limited_by("to hash two paths", hashing));
    }
    Ok(())
}

/// The end of an epoch, of a state that is at its last slot.
pub fn epoch(report: &mut Report, subject: &Subject, name: &str, budget: Duration) -> anyhow::Result<()> {
    let state = subject.at_end_of_epoch()?;
    let next = state.slot + 1;
    // A run that fails would be fast.
    process_slots(&mut state.clone(), next)?;
    let cost = least(budget, || state.clone(), |state| process_slots(state, next).is_ok());
    // Balance, effective balance, flags, score and epochs of each validator are read, balances written.
    let touched = state.validators.len() as f64 * 40.0;
    let line = Line::time(name, &subject.name, cost);
    report.add(line.limited_by("to copy 40 B each", touched * report.machine.speed.copy_ns));
    Ok(())
}

/// SHA-256 of 64 bytes that a state's root takes, without any memory.
fn hashes_of(state: &BeaconState) -> f64 {
    let validators = state.validators.len() as f64;
    // Eight of a validator: its key of two chunks, and seven above its eight fields. One above it in the registry.
    let registry = 9.0 * validators;
    let numbers = if state.fork_name() >= ForkName::Altair {
        // Balances and scores four in a chunk, two lists of flags 32 in one.
        validators / 2.0 + validators / 16.0
    } else {
        validators / 4.0
    };
    // Data of 128 bytes and more, in some dozen hashes.
    let pending = state.previous_epoch_attestations.len() + state.current_epoch_attestations.len();
    let roots = state.randao_mixes.len() + state.block_roots.len() + state.state_roots.len();
    registry + numbers + (roots + 20 * pending + 4 * state.eth1_data_votes.len()) as f64
}
