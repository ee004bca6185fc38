//! Resident memory, each time of a process of its own, so that nothing else is in it.
//!
//! ```text
//!   bench ── states and blocks in files ──▶ bench --child KIND ── "resident N" on stdout ──▶ bench
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use synthetic::Chain;
use transition::block::process_block;
use transition::{Signatures, process_slots};
use types::{BeaconState, ForkName, SignedBeaconBlock, Spec, SszExt};

use crate::line::{Line, Unit};
use crate::report::Report;
use crate::rival::Rival;
use crate::subject::{Subject, fill_caches};

/// What a child does before it says how much memory it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Reads one state, with its root and its caches.
    One,
    /// As before, and ends the epoch; keeps the state after it alone.
    Epoch,
    /// Keeps 64 states a slot apart, of empty slots.
    Slots,
    /// Keeps 64 states a slot apart, of full blocks.
    Blocks,
    /// Keeps 16 states an epoch apart.
    Epochs,
    /// Reads one state with milhouse, with its root.
    Rival,
}

/// States that are kept a slot apart, and an epoch apart.
const SLOTS: usize = 64;
const EPOCHS: usize = 16;

/// What a child needs, in files.
struct Files {
    dir: tempfile::TempDir,
    fork: ForkName,
}

impl Files {
    fn state(&self) -> PathBuf {
        self.dir.path().join("state.ssz")
    }

    /// Resident memory of a child of this kind: as it ends, and at its highest.
    fn measure(&self, kind: Kind) -> anyhow::Result<(f64, f64)> {
        let kind = clap::ValueEnum::to_possible_value(&kind).expect("no kind is hidden");
        let output = Command::new(std::env::current_exe()?)
            .args(["--child", kind.get_name(), "--fork", self.fork.as_str(), "--state"])
            .arg(self.state())
            // Freed memory goes back at once: what is measured is what states take, not what the allocator keeps for later.
            .env("MIMALLOC_PURGE_DELAY", "0")
            .output()
            .context("a child process")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the child {}: {complaint}", kind.get_name());
        let number = |word: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse::<f64>().ok());
            found.with_context(|| format!("a child said {text:?}"))
        };
        Ok((number("resident")?, number("highest")?))
    }
}

const NAMES: [&str; 6] =
    ["rss-one", "rss-after-epoch", "64-slots-of-one", "64-blocks-of-one", "16-epochs-of-one", "rss-highest"];

/// Measures a state's memory, and that of many states that share what they have in common.
pub fn measure(report: &mut Report, subject: &Subject) -> anyhow::Result<()> {
    if !report.wants_any(&NAMES) {
        return Ok(());
    }
    let files = Files { dir: tempfile::tempdir()?, fork: subject.fork };
    std::fs::write(files.state(), &subject.bytes)?;
    let encoded = subject.bytes.len() as f64;
    let name = subject.name.as_str();
    let (one, _) = files.measure(Kind::One)?;
    let memory = |name: &str, of: &str, bytes: f64| Line::amount(name, of, Unit::Memory, bytes);
    if report.wants("rss-one") {
        let mut line = memory("rss-one", name, one).limited_by("encoded", encoded);
        if Rival::knows(subject.fork) {
            line.baseline = Some(("milhouse", files.measure(Kind::Rival)?.0));
        }
        report.add(line);
    }
    if report.wants_any(&["rss-after-epoch", "rss-highest"]) {
        let (after, highest) = files.measure(Kind::Epoch)?;
        report.add(memory("rss-after-epoch", name, after).limited_by("encoded", encoded));
        report.add(memory("rss-highest", name, highest).limited_by("encoded", encoded));
    }
    if report.wants("64-blocks-of-one") {
        write_blocks(subject, &files)?;
    }
    for (line, kind) in [
        ("64-slots-of-one", Kind::Slots),
        ("64-blocks-of-one", Kind::Blocks),
        ("16-epochs-of-one", Kind::Epochs),
    ] {
        if report.wants(line) && (kind != Kind::Blocks || subject.keys.is_some()) {
            let (many, _) = files.measure(kind)?;
            report.add(Line::amount(line, name, Unit::Ratio, many / one));
        }
    }
    Ok(())
}

/// Writes the blocks that a child applies, one file each.
fn write_blocks(subject: &Subject, files: &Files) -> anyhow::Result<()> {
    let Some(keys) = &subject.keys else { return Ok(()) };
    let mut chain = Chain::new(subject.at_end_of_epoch()?, keys.clone());
    for number in 1..SLOTS {
        let block = chain.next_block()?;
        std::fs::write(block_file(&files.state(), number), block.to_ssz(chain.state().ctx()))?;
    }
    Ok(())
}

fn block_file(state: &Path, number: usize) -> PathBuf {
    state.with_file_name(format!("block-{number}.ssz"))
}

/// What a child does: prints its memory, and what it keeps until then is dropped only after that.
pub fn run_child(kind: Kind, file: &Path, fork: ForkName) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    if kind == Kind::Rival {
        let state = Rival::decode(fork, &bytes)?;
        state.root();
        print_memory(&bytes)?;
        drop(state);
        return Ok(());
    }
    let mut state = BeaconState::decode_at(Spec::mainnet(), fork, &bytes)?;
    fill_caches(&state)?;
    state.state_root();
    let slots_per_epoch = state.spec().preset.slots_per_epoch;
    let mut kept = Vec::new();
    match kind {
        Kind::Epoch => advance(&mut state, 1)?,
        Kind::Slots => keep(&mut state, &mut kept, SLOTS, |state, _| advance(state, 1))?,
        Kind::Epochs => keep(&mut state, &mut kept, EPOCHS, |state, _| advance(state, slots_per_epoch))?,
        Kind::Blocks => keep(&mut state, &mut kept, SLOTS, |state, number| {
            let bytes = std::fs::read(block_file(file, number))?;
            let block = SignedBeaconBlock::from_ssz(&bytes, state.ctx())?;
            process_slots(state, block.message.slot)?;
            process_block(state, &block.message, &mut Signatures::Skip)?;
            state.state_root();
            Ok(())
        })?,
        Kind::One | Kind::Rival => {}
    }
    print_memory(&bytes)?;
    drop((kept, state));
    Ok(())
}

fn advance(state: &mut BeaconState, slots: u64) -> anyhow::Result<()> {
    let next = state.slot + slots;
    process_slots(state, next)?;
    state.state_root();
    Ok(())
}

/// Keeps `count` states: the one that is there, and a clone after each step.
fn keep(
    state: &mut BeaconState,
    kept: &mut Vec<BeaconState>,
    count: usize,
    mut step: impl FnMut(&mut BeaconState, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for number in 1..count {
        kept.push(state.clone());
        step(state, number)?;
    }
    Ok(())
}

/// Prints the memory of this process: what is resident, and the most that was, both without the bytes that the state was
/// read from. They are kept until then: if they were dropped, what follows would take their place, and seem to cost nothing.
fn print_memory(file: &[u8]) -> anyhow::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let bytes = |key: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        match kib {
            Some(kib) => Ok((kib * 1024).saturating_sub(file.len() as u64)),
            None => bail!("/proc/self/status has no {key}"),
        }
    };
    println!("resident {}\nhighest {}", bytes("VmRSS:")?, bytes("VmHWM:")?);
    Ok(())
}
