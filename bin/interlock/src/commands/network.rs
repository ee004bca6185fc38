//! `interlock network`: the folders that describe networks.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use devnet::{DevnetPlan, NetworkFolder, PresetName, interop_genesis};
use types::{Epoch, ForkName};

use super::devnet::fork_epoch;

/// Commands on networks.
#[derive(Subcommand)]
pub enum Network {
    New(New),
}

/// Write the folder of a new network: config.yaml, genesis.ssz and the other files that clients look for.
///
/// `interlock devnet` makes such a folder by itself; this is for networks whose nodes are started by hand, by systemd or
/// in containers. The validators have the interop keys that everybody can compute, so nothing on such a network is worth
/// anything.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct New {
    /// The folder, which must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Validators with interop keys, all active from genesis.
    #[arg(long, default_value_t = 64)]
    validators: u64,
    /// The preset: minimal or mainnet.
    #[arg(long, default_value = "minimal", value_parser = PresetName::from_str)]
    preset: PresetName,
    /// Milliseconds a slot.
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    slot_ms: u64,
    /// Forks with their epochs, as in altair=2,bellatrix=4; a fork that is left out begins together with the next one
    /// that is named, so fulu=0 begins with all of them. Without this the network stays in phase 0.
    #[arg(long = "fork", value_name = "FORK=EPOCH", value_delimiter = ',', value_parser = fork_epoch)]
    forks: Vec<(ForkName, Epoch)>,
    /// Seconds from now to genesis.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, conflicts_with = "genesis_time")]
    genesis_in: u64,
    /// The time of genesis in Unix seconds.
    #[arg(long, value_name = "UNIX")]
    genesis_time: Option<u64>,
}

const EXAMPLES: &str = "\
Example, two nodes that find each other by a bootnode:
  interlock network new --out network --validators 64 --fork fulu=0 --genesis-in 60
  interlock bootnode --network-dir network --data-dir boot --enr-file boot.enr --enr-address 127.0.0.1
  interlock beacon --network-dir network --data-dir one --execution mock --bootnode \"$(cat boot.enr)\" \\
      --enr-address 127.0.0.1 --http-port 5052 --tcp-port 9001 --udp-port 9001
  interlock validator --network-dir network --data-dir keys --beacon-node http://127.0.0.1:5052 --interop-range 0..32";

impl Network {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(command) => command.run(),
        }
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        let taken = self.out.exists()
            && self.out.read_dir().with_context(|| self.out.display().to_string())?.next().is_some();
        ensure!(!taken, "{}: there is something in it; a network's folder starts empty", self.out.display());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let genesis_time = match self.genesis_time {
            Some(time) => time,
            None => now.checked_add(self.genesis_in).context("genesis lies beyond all time")?,
        };
        let mut plan = DevnetPlan::new(1, self.validators, PathBuf::new(), self.out.clone());
        (plan.preset, plan.slot_ms) = (self.preset, self.slot_ms);
        plan.forks = self.forks.into_iter().collect();
        plan.check(1)?;
        let spec = plan.spec(genesis_time)?;
        let genesis = interop_genesis(spec, self.validators, genesis_time)?;
        NetworkFolder::write(&self.out, spec, &genesis)?;
        println!("{}: {} validators, the {} preset", self.out.display(), self.validators, self.preset);
        println!("genesis at {genesis_time} (Unix seconds), root {}", genesis.genesis_validators_root);
        Ok(())
    }
}
