//! A beacon node on a network of a million validators, fed with full blocks: what it takes in memory and time.
//!
//! ```text
//!   keys ─▶ genesis and blocks ─▶ network folder ─▶ interlock beacon ◀── a block a slot over its API
//!                                                        │ /proc, log lines
//!                                                        ▼
//!                                          memory, start, imports: Report
//! ```
//!
//! All keys are ours, so that every committee votes in full; the blocks are made before the node starts, so that making
//! them takes nothing from it. The node is a process like any other, and is judged by what its log says of its imports
//! and what the kernel says of its memory.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod feed;
mod log;
mod network;
mod process;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use types::ForkName;

use crate::network::Plan;
use crate::report::Bounds;

/// Run a beacon node on a generated network of many validators, feed it a full block each slot, and report its memory
/// and how long imports take.
#[derive(Debug, Parser)]
#[command(name = "feeder", version)]
struct Arguments {
    /// Validators in the registry.
    #[arg(long, default_value_t = 1 << 20)]
    validators: usize,
    /// Epochs to feed, of 32 slots.
    #[arg(long, default_value_t = 2)]
    epochs: u64,
    /// The fork that the network begins with.
    #[arg(long, default_value = "fulu")]
    fork: String,
    /// Milliseconds of a slot.
    #[arg(long, default_value_t = 12_000)]
    slot_ms: u64,
    /// Seconds from now to genesis; by default what making the blocks may take. The node is started before.
    #[arg(long)]
    lead: Option<u64>,
    /// The program; by default the one beside this.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Where network, data and log are kept; by default a folder that goes with the run.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The most that the node may have resident, in MiB.
    #[arg(long, default_value_t = 2048)]
    max_mib: u64,
    /// The most that 95 of 100 imports may take, in milliseconds.
    #[arg(long, default_value_t = 150.0)]
    max_ms: f64,
    /// Start the node again at the end, and report that too.
    #[arg(long)]
    restart: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let bounds = Bounds { resident_mib: arguments.max_mib, import_p95_ms: arguments.max_ms };
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => program_beside_us()?,
    };
    ensure!(program.exists(), "{} is not there: cargo build --release builds it", program.display());
    let kept = arguments.dir.is_some();
    let temporary = tempfile::tempdir()?;
    let dir = arguments.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let fork = ForkName::ALL.into_iter().find(|fork| fork.as_str() == arguments.fork);
    let Some(fork) = fork else { bail!("no fork {:?}", arguments.fork) };
    // On one of two busy cores a block takes about half a second to make, and the keys and the state a few seconds.
    let per_block_ms = 100 + arguments.validators as u64 / 1500;
    let lead = arguments.lead.unwrap_or(30 + (32 * arguments.epochs + 40) * per_block_ms / 1000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let plan = Plan {
        validators: arguments.validators,
        slots: 32 * arguments.epochs,
        fork,
        slot_ms: arguments.slot_ms,
        genesis_time: now + lead,
        program,
        dir: dir.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(feed::run(&plan, arguments.restart))?;
    println!("{report}");
    if kept {
        println!("network, data and log: {}", dir.display());
    }
    report.judge(bounds)
}

fn program_beside_us() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program lies in a folder")?;
    Ok(folder.join("interlock"))
}
