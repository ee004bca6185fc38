//! Measures the core against the machine and against what others use; see `--help`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod block_lines;
mod clock;
mod fork_choice_lines;
mod goals;
mod line;
mod machine;
mod memory;
mod options;
mod report;
mod rival;
mod signature_lines;
mod state_lines;
mod subject;
mod verify;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use synthetic::{Keys, Participation};

use crate::machine::Machine;
use crate::options::{Options, Work};
use crate::report::Report;
use crate::subject::Subject;

// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let (Some(kind), Some((state, fork))) = (options.child, options.state_file()?) {
        return memory::run_child(kind, &state, fork);
    }
    if options.list {
        options::LINES.iter().for_each(|(name, what)| println!("{name:<20} {what}"));
        return Ok(());
    }
    if let Some(dir) = &options.write_states {
        return write_states(dir, &options.work()?);
    }
    // Milhouse hashes on rayon's threads; one of them, so that its CPU time is that of one thread as ours is.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().context("the thread pool of milhouse")?;
    let mut report = Report::begin(Machine::measure(), options.only.clone());
    if let Some((state, fork)) = options.state_file()? {
        measure_subject(&mut report, &Subject::of_file(&state, fork)?, &options)?;
    } else {
        measure_work(&mut report, &options)?;
    }
    println!("\n{}", report.summary());
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    options.check.as_deref().map_or(Ok(()), |path| report.check(path))
}

fn measure_work(report: &mut Report, options: &Options) -> anyhow::Result<()> {
    let work = options.work()?;
    signature_lines::measure(report, options.budget())?;
    fork_choice_lines::measure(report, &work.trees, work.voters, options.budget())?;
    let most = work.states.iter().map(|(_, validators)| *validators).max().unwrap_or(0);
    let keys = Arc::new(Keys::new(0, most));
    for (fork, validators) in work.states {
        let epochs = Participation::ALL.map(|one| (one, format!("epoch-{}", one.as_str())));
        let needs_full = options::LINES.iter().any(|(name, _)| {
            !name.starts_with("epoch-") && options::is_of_states(name) && report.wants(name)
        });
        for (participation, name) in epochs {
            let is_full = participation == Participation::Full;
            let measures_epoch = report.wants(&name) && (is_full || work.has_all_epochs);
            if !(measures_epoch || is_full && needs_full) {
                continue;
            }
            let subject = Subject::synthetic(fork, validators, participation, &keys)?;
            if measures_epoch {
                state_lines::epoch(report, &subject, &name, options.budget())?;
            }
            if is_full {
                measure_state(report, &subject, options)?;
            }
        }
    }
    Ok(())
}

fn measure_subject(report: &mut Report, subject: &Subject, options: &Options) -> anyhow::Result<()> {
    if report.wants("epoch-full") {
        state_lines::epoch(report, subject, "epoch-full", options.budget())?;
    }
    measure_state(report, subject, options)
}

fn measure_state(report: &mut Report, subject: &Subject, options: &Options) -> anyhow::Result<()> {
    state_lines::measure(report, subject, options.budget())?;
    block_lines::measure(report, subject, options.budget())?;
    if options.quick { Ok(()) } else { memory::measure(report, subject) }
}

fn write_states(dir: &Path, work: &Work) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let most = work.states.iter().map(|(_, validators)| *validators).max().unwrap_or(0);
    let keys = Arc::new(Keys::new(0, most));
    for (fork, validators) in work.states.iter().copied() {
        for participation in Participation::ALL {
            if participation != Participation::Full && !work.has_all_epochs {
                continue;
            }
            let subject = Subject::synthetic(fork, validators, participation, &keys)?;
            let path = dir.join(format!("{fork}-{validators}-{}.ssz", participation.as_str()));
            std::fs::write(&path, &subject.bytes).with_context(|| path.display().to_string())?;
            println!("{} ({} bytes)", path.display(), subject.bytes.len());
        }
    }
    Ok(())
}
