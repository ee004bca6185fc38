//! `interlock interop`: local networks of Interlock and Lodestar, to see that they understand each other.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use interop::{Mix, Options};

/// Commands about other clients.
#[derive(Subcommand)]
pub enum Interop {
    /// Install Lodestar 1.5.1 from npm (needs npm, a C++ compiler, make, Python 3; half a gigabyte).
    Install(Lodestar),
    /// Run networks of both clients and say which of them work.
    ///
    /// Everything listens on loopback. The mixes are: (a) Lodestar nodes follow an Interlock network, (b) Interlock
    /// nodes follow a Lodestar network, in both one from genesis and one late; (c) half of the validators on each
    /// client; (d) Lodestar's validator client on an Interlock node; (e) Interlock's validator client on a Lodestar
    /// node; (f) as c, and (g) as d, from phase 0 through Altair, the merge and Capella, each node with a mock engine of
    /// its own. Besides there is 0, Lodestar alone. A mix passes when every node has finalized enough epochs after the
    /// foreign part joined, all nodes have the same blocks, and the chain holds the votes of each client's validators.
    Run(Run),
}

/// Where Lodestar is.
#[derive(Args)]
pub struct Lodestar {
    /// The folder of the installation [default: INTERLOCK_LODESTAR, else interlock/lodestar-1.5.1 in the user's cache].
    #[arg(long, value_name = "DIR")]
    lodestar: Option<PathBuf>,
}

/// What to run.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    lodestar: Lodestar,
    /// The mixes to run, by their letters, for example a,c.
    #[arg(long, value_name = "MIXES", value_delimiter = ',', conflicts_with = "quick")]
    only: Vec<Mix>,
    /// The short form for continuous integration: mixes c and d with slots of 2 seconds.
    #[arg(long)]
    quick: bool,
    /// Milliseconds a slot, whole seconds only [default: 3000, with --quick 2000].
    #[arg(long, value_name = "MS")]
    slot_ms: Option<u64>,
    /// Epochs to be finalized after the foreign part joined.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(3..1000))]
    epochs: u64,
    /// Validators in all.
    #[arg(long, default_value_t = 64)]
    validators: u64,
    /// Where logs and data go, a folder for each mix; those of an earlier run are replaced [default: interlock-interop
    /// in the system's folder for temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Lodestar {
    fn dir(self) -> anyhow::Result<PathBuf> {
        self.lodestar.map_or_else(interop::default_dir, Ok)
    }
}

impl Interop {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install(lodestar) => {
                println!("{}", interop::install(&lodestar.dir()?)?.display());
                Ok(())
            }
            Self::Run(run) => run.run(),
        }
    }
}

impl Run {
    fn run(self) -> anyhow::Result<()> {
        let slot_ms = self.slot_ms.unwrap_or(if self.quick { 2000 } else { 3000 });
        ensure!(slot_ms > 0 && slot_ms.is_multiple_of(1000), "Lodestar knows slots of whole seconds only");
        let mixes = if self.quick {
            vec![Mix::Halves, Mix::LodestarValidates]
        } else if self.only.is_empty() {
            Mix::ALL.to_vec()
        } else {
            self.only
        };
        let dir = self.dir.unwrap_or_else(|| std::env::temp_dir().join("interlock-interop"));
        let options = Options {
            mixes,
            slot_seconds: slot_ms / 1000,
            epochs: self.epochs,
            validators: self.validators,
            dir: std::path::absolute(&dir).with_context(|| dir.display().to_string())?,
            interlock: std::env::current_exe().context("this program's own path")?,
            lodestar: self.lodestar.dir()?,
        };
        let mut tell = |mix: Mix, words: &str| eprintln!("{}: {words}", mix.letter());
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        let outcomes = runtime.block_on(interop::run(&options, &mut tell))?;
        print!("{}", interop::table(&outcomes));
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.failure.is_some()).count();
        if failed > 0 {
            bail!("{failed} of {} mixes failed; logs are in {}", outcomes.len(), options.dir.display());
        }
        Ok(())
    }
}
