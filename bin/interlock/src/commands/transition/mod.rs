//! `interlock transition`: apply blocks, slots and epochs to a state, through the functions that production calls, and
//! see what each step does.

mod begin;
mod feed;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use debugger::{Against, Kind, Limits, Options, Run, step_by_name};
use types::BeaconState;

use crate::output::write_file;
use begin::{Begin, Begun};
use feed::Feed;

/// Commands on states.
#[derive(Subcommand)]
pub enum Transition {
    Blocks(Blocks),
    Slots(Slots),
    Epoch(Epoch),
    Replay(Replay),
}

/// Apply signed blocks to a state and print the root of the state after them.
///
/// The state comes from a file (--pre), from a running node (--node and --state) or from a case of the official vectors
/// (--vector); the blocks are files, the blocks of an era file, or those that the node has. A block that is refused is
/// told with the step that refuses it, in the specification's words.
#[derive(Args)]
#[command(after_long_help = "Examples:

  What each step of a block changes, the first four changes of each:
    interlock transition blocks --pre before.ssz block.ssz --steps --step-lines 4

  Go through what a node had for blocks, and stop where another client has another state:
    interlock transition blocks --node http://127.0.0.1:5052 --state 100 --range 101..133 --against http://127.0.0.1:9596

  The same with states that some other program wrote, by slot (12.ssz) or by step (12-process_randao.ssz), and keep what
  is found as a vector:
    interlock transition blocks --pre before.ssz block.ssz --against states/ --write-vector found/")]
pub struct Blocks {
    #[command(flatten)]
    begin: Begin,
    #[command(flatten)]
    doing: Doing,
    /// Take the blocks' signatures as valid without verifying them.
    #[arg(long)]
    skip_signatures: bool,
    /// Blocks of the node by slot, the end not included; slots without a block are passed over.
    #[arg(long, value_name = "FROM..TO", requires = "node", value_parser = feed::parse_range)]
    range: Option<std::ops::Range<u64>>,
    /// A block of the node by root, slot or name; may be given several times, in order.
    #[arg(long = "block", value_name = "BLOCK_ID", requires = "node")]
    ids: Vec<String>,
    /// The signed blocks: SSZ, snappy or JSON files; of an era file all blocks.
    #[arg(value_name = "BLOCK")]
    blocks: Vec<PathBuf>,
}

/// Advance a state through slots without blocks and print the root of the state after them.
#[derive(Args)]
#[command(after_long_help = "Example:

  What happens at the end of an epoch, step by step:
    interlock transition slots --pre state.ssz --slots 32 --steps")]
pub struct Slots {
    #[command(flatten)]
    begin: Begin,
    #[command(flatten)]
    doing: Doing,
    /// How many slots to advance; a vector says it itself.
    #[arg(long, required_unless_present = "vector")]
    slots: Option<u64>,
}

/// Process the end of an epoch, or one step of it alone, and print the root of the state after it.
///
/// The whole epoch is processed on the last slot of the state's epoch, to which the state is advanced through empty slots
/// first. With --only one step is taken on the state as it is, as the official vectors of `epoch_processing` do. The
/// slot itself does not advance here.
#[derive(Args)]
#[command(after_long_help = "Examples:

  All steps of the state's fork:
    interlock transition epoch --pre state.ssz --steps

  One step, by the specification's name:
    interlock transition epoch --pre state.ssz --only process_justification_and_finalization --steps")]
pub struct Epoch {
    #[command(flatten)]
    begin: Begin,
    #[command(flatten)]
    doing: Doing,
    /// The one step to take, for example process_slashings.
    #[arg(long, value_name = "STEP")]
    only: Option<String>,
}

/// Run a case of the official layout again, step by step; fails where the outcome is another than the case says.
///
/// A case has blocks, slots or one step of an epoch (not a single operation), and a state after where it is to be taken. What a
/// node kept below its DATA_DIR/evidence is such a case too, with an `evidence.yaml` that has the verdict in words: then it is
/// run as the node runs blocks, and the verdict must be that one.
#[derive(Args)]
#[command(after_long_help = "Examples:

    interlock transition replay tests/minimal/deneb/sanity/blocks/pyspec_tests/attestation
    interlock transition replay found/tests/minimal/deneb/sanity/blocks/interlock/slot_120
    interlock transition replay node/evidence/1763760000-slot3205-state_root-0x1f4a00c2")]
pub struct Replay {
    /// The folder of the case.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Preset of a case that does not say it: mainnet or minimal.
    #[arg(long, requires = "fork")]
    preset: Option<String>,
    /// Fork of a case that does not say it.
    #[arg(long, requires = "preset")]
    fork: Option<types::ForkName>,
}

/// What is done on the way.
#[derive(Args)]
pub struct Doing {
    /// Where to write the state after, as SSZ.
    #[arg(long, value_name = "FILE")]
    post: Option<PathBuf>,
    /// Tell what each step changes, by the specification's names.
    #[arg(long)]
    steps: bool,
    /// Changes of each step that are printed; the others are counted.
    #[arg(long, value_name = "N", default_value_t = 8)]
    step_lines: usize,
    /// Compare with another client and stop at the first difference: the URL of its API (states after blocks and slots),
    /// a file with one state, or a folder of states named <slot>.ssz, <state root>.ssz or <slot>-<step>.ssz.
    #[arg(long, value_name = "URL|FILE|DIR")]
    against: Option<String>,
    /// Differences of states that are printed; the others are counted.
    #[arg(long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Write a vector in the official layout below this folder: of what fails or differs, else of the whole run.
    #[arg(long, value_name = "DIR")]
    write_vector: Option<PathBuf>,
    /// Write the state after each block or slot into this folder, with --steps after each step too.
    #[arg(long, value_name = "DIR")]
    write_states: Option<PathBuf>,
}

impl Doing {
    fn options(&self, state: &BeaconState, verify: bool) -> anyhow::Result<Options> {
        let against = self.against.as_ref();
        Ok(Options {
            verify,
            steps: self.steps.then_some(self.step_lines),
            lines: self.lines,
            against: against.map(|text| Against::open(text, state.spec(), Limits::default())).transpose()?,
            write_vector: self.write_vector.clone(),
            write_states: self.write_states.clone(),
        })
    }

    /// Runs, writes the state after and prints its root.
    fn go(
        &self,
        state: BeaconState,
        verify: bool,
        work: impl FnOnce(&mut Run<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let options = self.options(&state, verify)?;
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut run = Run::new(state, &options, &mut out);
        let outcome = work(&mut run).and_then(|()| run.finish());
        // What was found is printed before the line that says that it was.
        let flushed = out.flush();
        let state = outcome?;
        flushed?;
        if let Some(path) = &self.post {
            write_file(path, &state.encoded())?;
        }
        writeln!(out, "{}", state.state_root())?;
        Ok(out.flush()?)
    }
}

impl Transition {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<()> {
        let outcome = match self {
            Self::Blocks(command) => command.run(),
            Self::Slots(command) => command.run(),
            Self::Epoch(command) => command.run(),
            Self::Replay(command) => command.run(),
        };
        match outcome {
            // Whoever reads has seen enough.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            outcome => outcome,
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

impl Blocks {
    fn run(&self) -> anyhow::Result<()> {
        let Begun { state, node, case } = self.begin.open()?;
        let verify = !self.skip_signatures && case.as_ref().is_none_or(|case| case.verify);
        let feed = match (case.map(|case| case.kind), node) {
            (Some(Kind::Blocks(blocks)), _) => Feed::Ready(blocks),
            (Some(_), _) => bail!("the vector has no blocks"),
            (None, Some(node)) if self.range.is_some() || !self.ids.is_empty() => Feed::Node {
                node: Box::new(node),
                range: self.range.clone().unwrap_or(0..0),
                ids: self.ids.clone(),
            },
            (None, _) => {
                ensure!(
                    !self.blocks.is_empty(),
                    "no blocks: name files, or with --node say --range FROM..TO or --block ID"
                );
                Feed::Files(self.blocks.clone())
            }
        };
        let spec = state.spec();
        self.doing.go(state, verify, |run| feed.each(spec, |block| run.block(&block)))
    }
}

impl Slots {
    fn run(&self) -> anyhow::Result<()> {
        let Begun { state, case, .. } = self.begin.open()?;
        let slots = match (self.slots, case.map(|case| case.kind)) {
            (Some(slots), _) | (None, Some(Kind::Slots(slots))) => slots,
            _ => bail!("the vector is not one of slots; say how many with --slots"),
        };
        let Some(_) = state.slot.0.checked_add(slots) else {
            bail!("slot {} and {slots} more is beyond the last slot", state.slot);
        };
        self.doing.go(state, true, |run| (0..slots).try_for_each(|_| run.slot()))
    }
}

impl Epoch {
    fn run(&self) -> anyhow::Result<()> {
        let Begun { mut state, case, .. } = self.begin.open()?;
        let only = match (&self.only, case.map(|case| case.kind)) {
            (Some(name), _) => Some(step_by_name(name)?),
            (None, Some(Kind::Epoch(step))) => Some(step),
            _ => None,
        };
        if let Some(step) = only {
            let fork = state.fork_name();
            let mut steps = transition::epoch::EpochStep::of(fork);
            ensure!(steps.any(|known| known == step), "{} has no {}", fork, step.name());
        } else {
            let length = state.spec().preset.slots_per_epoch;
            let left = length - 1 - state.slot.0 % length;
            if left > 0 {
                let last = state.slot + left;
                eprintln!(
                    "slot {}: advanced through empty slots to the last of its epoch, {last}",
                    state.slot
                );
                transition::process_slots(&mut state, last).context("on the way to the epoch's end")?;
            }
        }
        self.doing.go(state, true, |run| run.epoch(only))
    }
}

impl Replay {
    fn run(&self) -> anyhow::Result<()> {
        let given = self.preset.as_deref().zip(self.fork);
        let replayed = debugger::replay(&self.folder, given)?;
        if let Some(evidence) = &replayed.evidence {
            println!("kept because: {} (by {})", evidence.reason, evidence.version);
            if let Some(beyond) = &evidence.beyond {
                println!("beyond the state transition, not run again: {beyond}");
            }
        }
        println!("expected: {}", replayed.expected);
        println!("verdict:  {}", replayed.verdict);
        if let Some(step) = &replayed.step {
            println!("refused by {step}");
        }
        ensure!(replayed.is_same, "{}: another outcome than expected", self.folder.display());
        println!("the same");
        Ok(())
    }
}
