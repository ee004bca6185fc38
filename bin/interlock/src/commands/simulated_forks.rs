//! What `interlock simulate` says of forks, execution engines and data.

use std::collections::BTreeMap;

use anyhow::ensure;
use clap::Args;
use simulation::{Data, Demands, Engines, Lenience, Scenario, spec_with_forks};
use types::constants::FAR_FUTURE_EPOCH;
use types::{Epoch, ForkName, Spec};

use super::devnet::fork_epoch;
use super::simulate::span;

/// Epochs after a fork in which a checkpoint of it becomes final where nothing stands in the way: the second epoch's
/// end justifies it and the third's finalizes it, and one more for a node that crashed.
const EPOCHS_TO_FINALITY: u64 = 4;

/// Forks, and what comes with them.
#[derive(Args)]
pub struct SimulatedForks {
    /// Forks to go through, with their epochs, as in altair=2,bellatrix=4,capella=6; a fork that is left out begins
    /// together with the next one that is named, so fulu=0 begins with all of them. Only epoch 0 may begin several.
    /// Without this the network stays in phase 0. From Bellatrix on each node has a mock engine of its own.
    #[arg(long = "fork", value_name = "FORK=EPOCH", value_delimiter = ',', value_parser = fork_epoch)]
    forks: Vec<(ForkName, Epoch)>,
    /// What a call to an engine takes, there and back, in ms.
    #[arg(long, default_value = "5..60", value_name = "MS|A..B", value_parser = span)]
    engine_latency_ms: (u64, u64),
    /// How many engines crash and come back, once each, after Bellatrix; every second of them forgets all that it knew,
    /// and has it from the others again.
    #[arg(long, default_value_t = 0)]
    engine_crashes: usize,
    /// How long a crashed engine is down, in ms.
    #[arg(long, default_value = "1000..12000", value_name = "MS|A..B", value_parser = span)]
    engine_downtime_ms: (u64, u64),
    /// How long an engine says that it is syncing once it is up again, in ms.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    engine_syncing_ms: u64,
    /// Blobs in each block, since Deneb.
    #[arg(long, default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(0..=9))]
    blobs: u64,
    /// Nodes that keep all data columns, since Fulu; the others keep what their number gives them. Where all of them are
    /// down at once, the columns of that time are lost, and they never get past it.
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    supernodes: usize,
    /// Blobs that all engines have before the block comes, in percent.
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    public_blobs: u64,
    /// Nodes that publish their blocks without blobs and columns; nobody may import those.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    withhold_columns: usize,
    /// The stake that must have voted for the right target in every epoch, in percent.
    #[arg(long, default_value_t = 0, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    participation: u64,
    /// Fail also where a node that is up misses a duty, where a fork is not final four epochs after it, and where the
    /// heads differ at the end; for networks that lose no messages.
    #[arg(long)]
    strict: bool,
}

impl SimulatedForks {
    /// The network's rules.
    pub fn spec(&self) -> anyhow::Result<&'static Spec> {
        let forks: BTreeMap<ForkName, Epoch> = self.forks.iter().copied().collect();
        ensure!(
            !forks.contains_key(&ForkName::Phase0),
            "phase0 needs no epoch: every network begins with it"
        );
        let spec = spec_with_forks(&forks)?;
        for (one, next) in ForkName::ALL.into_iter().zip(ForkName::ALL.into_iter().skip(1)) {
            let epoch = spec.fork_epoch(one);
            // A state remembers one version before its own: votes of the epoch before would be invalid in every block.
            let collide = epoch == spec.fork_epoch(next) && epoch > 0 && epoch != FAR_FUTURE_EPOCH;
            ensure!(!collide, "{one} and {next} both begin in epoch {epoch}, which only epoch 0 allows");
        }
        Ok(spec)
    }

    /// What the engines do.
    pub fn engines(&self, nodes: u64) -> anyhow::Result<Engines> {
        ensure!(
            self.engine_crashes as u64 <= nodes,
            "{} of {nodes} engines cannot crash",
            self.engine_crashes
        );
        Ok(Engines {
            latency_ms: self.engine_latency_ms,
            crashes: self.engine_crashes,
            downtime_ms: self.engine_downtime_ms,
            syncing_ms: self.engine_syncing_ms,
        })
    }

    /// What blocks carry.
    pub fn data(&self, nodes: u64) -> anyhow::Result<Data> {
        let withholding = self.withhold_columns;
        ensure!((withholding as u64) < nodes, "{withholding} of {nodes} nodes withhold data: none is honest");
        let blobs = usize::try_from(self.blobs)?;
        Ok(Data { blobs, supernodes: self.supernodes, public_percent: self.public_blobs, withholding })
    }

    /// What must have come of it, besides what must be final.
    pub fn demands(&self, finalized: Option<u64>) -> Demands {
        let demands = Demands { finalized, participation_percent: self.participation, ..Demands::default() };
        if !self.strict {
            return demands;
        }
        Demands {
            duties: Lenience::Forbidden,
            epochs_to_finality: Some(EPOCHS_TO_FINALITY),
            heads_apart_max: 0,
            ..demands
        }
    }

    /// This, put into a scenario.
    pub fn complete(&self, scenario: Scenario) -> anyhow::Result<Scenario> {
        let nodes = scenario.nodes as u64;
        Ok(Scenario {
            spec: self.spec()?,
            engines: self.engines(nodes)?,
            data: self.data(nodes)?,
            demands: self.demands(scenario.demands.finalized),
            ..scenario
        })
    }
}
