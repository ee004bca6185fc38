//! `interlock interop`: local networks of Interlock and other clients, to see that they understand each other.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use interop::{EngineOptions, Mix, Options, Peer};

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
    /// Install the execution client @ethereumjs/client 0.10.5 from npm (needs npm; 300 megabytes).
    InstallEngine(Ethereumjs),
    /// Run two nodes on real execution clients, one of which is killed and later loses its database.
    ///
    /// Each node has an @ethereumjs/client of its own. The network goes from Capella through Deneb to Electra with a
    /// transfer in every slot. The second client is killed and started again in Deneb; in Electra it is killed and its
    /// database removed, so that its node follows the chain optimistically until it has given the client every payload
    /// again. At the end both nodes must have finalized an epoch of Electra. It takes about five minutes.
    Engine(EngineDrill),
}

/// Where the execution client is.
#[derive(Args)]
pub struct Ethereumjs {
    /// The folder of the installation [default: INTERLOCK_ETHEREUMJS, else interlock/ethereumjs-client-0.10.5 in the
    /// user's cache].
    #[arg(long, value_name = "DIR")]
    ethereumjs: Option<PathBuf>,
}

/// The drill of execution clients.
#[derive(Args)]
pub struct EngineDrill {
    #[command(flatten)]
    ethereumjs: Ethereumjs,
    /// Milliseconds a slot, whole seconds only.
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    slot_ms: u64,
    /// Validators in all, half of them on each node.
    #[arg(long, default_value_t = 64)]
    validators: u64,
    /// Where logs and data go; those of an earlier run are replaced [default: interlock-interop-engine in the system's
    /// folder for temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
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
    /// The short form for continuous integration: mixes f and g with slots of 2 seconds.
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
        self.lodestar.map_or_else(|| Peer::Lodestar.default_dir(), Ok)
    }
}

impl Ethereumjs {
    fn dir(self) -> anyhow::Result<PathBuf> {
        self.ethereumjs.map_or_else(|| Peer::Ethereumjs.default_dir(), Ok)
    }
}

impl Interop {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install(lodestar) => {
                println!("{}", Peer::Lodestar.install(&lodestar.dir()?)?.display());
                Ok(())
            }
            Self::Run(run) => run.run(),
            Self::InstallEngine(ethereumjs) => {
                println!("{}", Peer::Ethereumjs.install(&ethereumjs.dir()?)?.display());
                Ok(())
            }
            Self::Engine(drill) => drill.run(),
        }
    }
}

impl Run {
    fn run(self) -> anyhow::Result<()> {
        let slot_ms = self.slot_ms.unwrap_or(if self.quick { 2000 } else { 3000 });
        ensure!(slot_ms > 0 && slot_ms.is_multiple_of(1000), "Lodestar knows slots of whole seconds only");
        let mixes = if self.quick {
            vec![Mix::HalvesThroughForks, Mix::LodestarValidatesThroughForks]
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

impl EngineDrill {
    fn run(self) -> anyhow::Result<()> {
        ensure!(
            self.slot_ms > 0 && self.slot_ms.is_multiple_of(1000),
            "the execution client knows whole seconds only"
        );
        let dir = self.dir.unwrap_or_else(|| std::env::temp_dir().join("interlock-interop-engine"));
        let options = EngineOptions {
            slot_seconds: self.slot_ms / 1000,
            validators: self.validators,
            dir: std::path::absolute(&dir).with_context(|| dir.display().to_string())?,
            interlock: std::env::current_exe().context("this program's own path")?,
            ethereumjs: self.ethereumjs.dir()?,
        };
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(interop::run_engines(&options, &mut |words| eprintln!("{words}")))?;
        println!("passed; logs are in {}", options.dir.display());
        Ok(())
    }
}
