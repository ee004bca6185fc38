//! `differential run`: compares the transition with foreign ones. `differential replay`: runs what was found again.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, Subcommand};
use differential::{Campaign, PEERS_VARIABLE, Peer, PeerName, Start, replay, silence_panics};
use types::ForkName;

/// Compares Interlock's state transition with those of other implementations.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Draws cases and compares; exit code 1 where ours differs.
    Run(Run),
    /// Runs the vectors below a folder with ours alone; exit code 1 where one is not as it says.
    Replay {
        /// A folder that holds vectors.
        folder: PathBuf,
    },
}

#[derive(clap::Args)]
struct Run {
    /// The seeds: A..B, the end not included.
    #[arg(long, default_value = "0..1000000000", value_parser = range)]
    seeds: Range<u64>,
    /// A fork, several with commas, or all.
    #[arg(long, default_value = "all")]
    fork: String,
    /// minimal or mainnet.
    #[arg(long, default_value = "minimal")]
    preset: String,
    /// Who is asked besides; ours is measured by the first.
    #[arg(long, value_delimiter = ',', default_value = "spec,lodestar")]
    against: Vec<PeerName>,
    /// For how long.
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// How long a foreign implementation may take for one answer, in seconds.
    #[arg(long, default_value_t = 60)]
    deadline: u64,
    /// Where findings are written.
    #[arg(long, default_value = "differential-findings")]
    out: PathBuf,
    /// The folder that peers/setup.sh installed into; else INTERLOCK_DIFFERENTIAL_PEERS, else target/differential-peers.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Goes on after a difference of ours, to find other kinds.
    #[arg(long)]
    keep_going: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    parsed.filter(|range: &Range<u64>| !range.is_empty()).ok_or_else(|| format!("{text:?} is no range A..B"))
}

fn main() -> anyhow::Result<ExitCode> {
    silence_panics();
    let differs = match Arguments::parse().command {
        Command::Run(run) => run.run()?,
        Command::Replay { folder } => replay(&folder)? > 0,
    };
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Run {
    /// True where ours differs.
    fn run(self) -> anyhow::Result<bool> {
        let forks = match self.fork.as_str() {
            "all" => ForkName::ALL.to_vec(),
            some => some.split(',').map(str::parse).collect::<Result<_, _>>()?,
        };
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let begin = Instant::now();
        let mut peers = self.start()?;
        let Self { seeds, preset, out, keep_going, minutes, .. } = self;
        println!(
            "seeds {}..{}, {preset}, {} forks, findings in {}",
            seeds.start,
            seeds.end,
            forks.len(),
            out.display()
        );
        let time = Duration::try_from_secs_f64(minutes * 60.0).context("--minutes")?;
        let tally = Campaign { seeds, forks, preset, time, out, keep_going }.run(&mut peers)?;
        tally.print(begin.elapsed());
        for peer in &peers {
            println!("{} was started again {} times", peer.name(), peer.restarts());
        }
        Ok(!tally.ours.is_empty())
    }

    fn start(&self) -> anyhow::Result<Vec<Peer>> {
        let named = std::env::var_os(PEERS_VARIABLE).map(PathBuf::from);
        let peers =
            self.peers.clone().or(named).unwrap_or_else(|| Path::new("target/differential-peers").to_owned());
        let deadline = Duration::from_secs(self.deadline);
        let start = |name: &PeerName| {
            let peer = Peer::start(Start::installed(*name, &peers, &self.preset, &self.out, deadline)?)?;
            println!("{name}: {}", peer.version);
            Ok(peer)
        };
        self.against.iter().map(start).collect()
    }
}
