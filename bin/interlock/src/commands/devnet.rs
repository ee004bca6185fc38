//! `interlock devnet`: a whole network on this machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use clap::Args;
use clap::builder::ArgPredicate;
use devnet::{
    DataDrillPlan, DevnetPlan, DrillPlan, Foreign, ForeignRole, LoadPlan, PartitionPlan, PresetName,
    Requirement,
};
use types::{Epoch, ForkName};

/// Start a network of beacon nodes and validator clients, watch it, and stop it again.
///
/// Each node and each validator client is a process of this same program, on loopback. The network's folder
/// (config.yaml, genesis.ssz, bootstrap_nodes.yaml) is one that other clients read too. Ends with Ctrl-C, or when all
/// nodes have finalized an epoch, or when all kill drills are done; then all messages that validators signed are judged
/// by the slashing conditions. The exit status is 0 where everything was as it should be.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Devnet {
    /// Beacon nodes, each with a validator client; with --data-drill 6.
    #[arg(long, default_value_t = 4, default_value_if("data_drill", ArgPredicate::IsPresent, "6"))]
    nodes: u64,
    /// Validators, split evenly over the validator clients. Their keys are the interop keys that everybody knows.
    #[arg(long, default_value_t = 64)]
    validators: u64,
    /// The preset: minimal or mainnet.
    #[arg(long, default_value = "minimal", value_parser = PresetName::from_str)]
    preset: PresetName,
    /// Milliseconds a slot.
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    slot_ms: u64,
    /// End when every node has finalized this epoch or a later one with the same root; fail when that takes too long.
    #[arg(long, value_name = "EPOCH")]
    until_finalized: Option<u64>,
    #[command(flatten)]
    load: Load,
    /// Forks to go through, with their epochs, as in altair=2,bellatrix=4,capella=6; a fork that is left out begins
    /// together with the next one that is named, so fulu=0 begins with all of them. Only epoch 0 may begin several.
    /// Without this the network stays in phase 0. From Bellatrix on each node has a mock engine of its own, which
    /// executes nothing.
    #[arg(long = "fork", value_name = "FORK=EPOCH", value_delimiter = ',', value_parser = fork_epoch)]
    forks: Vec<(ForkName, Epoch)>,
    /// Limits of blobs a block, with the epochs from which they hold, as in 6=9,8=12; since Fulu.
    #[arg(long = "bpo", value_name = "EPOCH=MAX_BLOBS", value_delimiter = ',', value_parser = blob_limit)]
    blob_schedule: Vec<(Epoch, u64)>,
    /// Blobs in each block, since Deneb.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    blobs: u64,
    /// Nodes that keep all data columns, the first ones, since Fulu; the others keep what their identity gives them.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    supernodes: u64,
    /// The network's folder, which must be empty or not exist; it is kept [default: a temporary folder, which is removed
    /// when all went well].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the temporary folder too.
    #[arg(long, conflicts_with = "dir")]
    keep: bool,
    /// Milliseconds from now to genesis [default: what starting so many processes takes].
    #[arg(long, value_name = "MS")]
    genesis_delay_ms: Option<u64>,
    /// The first port to use [default: free ones are looked for].
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Let every node listen to all attestation subnets.
    #[arg(long)]
    subscribe_all_subnets: bool,
    /// Kill a node with its validator client this many times, one after the other, at random moments in the middle of
    /// an epoch, and require that it resumes from its database and catches up.
    #[arg(long, value_name = "COUNT")]
    kill_drill: Option<u64>,
    /// Decides which nodes are killed, when, and for how long.
    #[arg(long, default_value_t = 0, requires = "kill_drill")]
    seed: u64,
    /// Begin with Fulu and six blobs in each block; the first node keeps all columns, the last one withholds columns of
    /// its own blocks in epochs 2 to 5, and one more joins after epoch 5. Require that all blocks of epochs 1 to 5 but
    /// the withheld ones are on every honest node, each with exactly the columns of its custody, the withheld ones on
    /// none, and that finality goes on.
    #[arg(long, conflicts_with_all = ["forks", "blob_schedule", "blobs", "supernodes", "kill_drill", "join"])]
    data_drill: bool,
    #[command(flatten)]
    division: Division,
    #[command(flatten)]
    guests: Guests,
}

// How the network is divided. No text of documentation, which would replace the command's own.
#[derive(Args)]
struct Division {
    /// Divide the network into two sides that cannot reach each other, by cutting the connections between them: from the
    /// first slot of an epoch, and before that of another. Require that both go on alone, that all come to one head again
    /// afterwards, and that finality goes on. Without discovery: each of our nodes dials all others.
    #[arg(long, value_name = "EPOCH..EPOCH", value_parser = epochs, conflicts_with_all = ["data_drill", "kill_drill"])]
    partition: Option<(Epoch, Epoch)>,
    /// The two sides by the names of their nodes, as in node-0,lodestar-0/node-1,node-2 [default: the nodes take sides
    /// in turn, each client's for itself].
    #[arg(long, value_name = "NAMES/NAMES", requires = "partition", value_parser = sides)]
    sides: Option<[Vec<String>; 2]>,
}

// Who joins, likewise.
#[derive(Args)]
struct Guests {
    /// A process of Lodestar 1.5.1 that joins; may be given several times.
    #[arg(long, value_name = "CLIENT", value_parser = Guest::from_str)]
    join: Vec<Guest>,
    /// The folder of the Lodestar installation (see `interlock interop install`).
    #[arg(long, value_name = "DIR", requires = "join")]
    lodestar: Option<PathBuf>,
}

// How a run under load is ended and judged, likewise.
#[derive(Args)]
struct Load {
    /// End when this epoch begins; with --report four slots later, so that blocks can hold the last votes.
    #[arg(long, value_name = "EPOCH")]
    until_epoch: Option<u64>,
    /// Report what became of every vote, as the blocks of the chain tell it, and the processor time and memory of every
    /// process; as JSON too where a file is named.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    report: Option<Option<PathBuf>>,
    /// The least percentages of all votes that must be in blocks, and be for the right head, as in
    /// inclusion=99,head=98; fail where they are not reached.
    #[arg(long, value_name = "WHAT=PERCENT", value_delimiter = ',', requires = "report", value_parser = least)]
    require: Vec<(Measure, f64)>,
}

impl Load {
    fn plan(&self) -> Option<LoadPlan> {
        let least = |of: Measure| {
            self.require.iter().rev().find(|(measure, _)| *measure == of).map(|(_, percent)| *percent)
        };
        let requirement = Requirement { inclusion: least(Measure::Inclusion), head: least(Measure::Head) };
        self.report.clone().map(|file| LoadPlan { file, requirement })
    }
}

const EXAMPLES: &str = "\
Examples:
  Through all forks, the merge included, until epoch 14 is final:
    interlock devnet --fork altair=2,bellatrix=4,capella=6,deneb=8,electra=10,fulu=12 --until-finalized 14

  All forks from the start, six blobs a block, and one node that keeps all columns:
    interlock devnet --fork fulu=0 --blobs 6 --supernodes 1 --until-finalized 3

  Two sides, each with both clients, that fork and come together again:
    interlock devnet --nodes 3 --join lodestar-node-with-validators --join lodestar-node-with-validators \
        --partition 2..4

  Columns that are withheld, and a node that joins late:
    interlock devnet --data-drill

  Mainnet's sizes:
    interlock devnet --preset mainnet --validators 512 --nodes 2 --fork fulu=0 --until-finalized 3

  Mainnet's sizes and times with thousands of keys, and a report of every vote and process, in forty minutes:
    interlock devnet --preset mainnet --slot-ms 12000 --nodes 2 --validators 8192 --fork fulu=0 --until-epoch 6 \
        --report load.json --require inclusion=99,head=98";

/// What can be required of votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Inclusion,
    Head,
}

/// `head=98`.
fn least(text: &str) -> anyhow::Result<(Measure, f64)> {
    let (measure, percent) = text.split_once('=').context("expected WHAT=PERCENT, as in head=98")?;
    let measure = match measure {
        "inclusion" => Measure::Inclusion,
        "head" => Measure::Head,
        _ => bail!("{measure:?} cannot be required: inclusion or head"),
    };
    Ok((measure, percent.parse().with_context(|| format!("no percentage {percent:?}"))?))
}

/// `altair=2`.
pub(super) fn fork_epoch(text: &str) -> anyhow::Result<(ForkName, Epoch)> {
    let (fork, epoch) = text.split_once('=').context("expected FORK=EPOCH, as in altair=2")?;
    let fork = fork.parse().map_err(|_| anyhow::anyhow!("no fork {fork:?}"))?;
    Ok((fork, Epoch(epoch.parse().with_context(|| format!("no epoch {epoch:?}"))?)))
}

/// `2..4`.
fn epochs(text: &str) -> anyhow::Result<(Epoch, Epoch)> {
    let (from, before) = text.split_once("..").context("expected EPOCH..EPOCH, as in 2..4")?;
    let epoch = |text: &str| text.parse().map(Epoch).with_context(|| format!("no epoch {text:?}"));
    Ok((epoch(from)?, epoch(before)?))
}

/// `node-0,lodestar-0/node-1`.
fn sides(text: &str) -> anyhow::Result<[Vec<String>; 2]> {
    let (one, other) =
        text.split_once('/').context("expected NAMES/NAMES, as in node-0,lodestar-0/node-1")?;
    Ok([one, other].map(|side| side.split(',').map(|name| name.trim().to_owned()).collect()))
}

fn blob_limit(text: &str) -> anyhow::Result<(Epoch, u64)> {
    let (epoch, limit) = text.split_once('=').context("expected EPOCH=MAX_BLOBS, as in 6=9")?;
    let epoch = Epoch(epoch.parse().with_context(|| format!("no epoch {epoch:?}"))?);
    Ok((epoch, limit.parse().with_context(|| format!("no number of blobs {limit:?}"))?))
}

/// A foreign process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Guest(ForeignRole);

/// The names of foreign processes.
const GUESTS: [(&str, ForeignRole); 3] = [
    ("lodestar-node", ForeignRole::BeaconNode),
    ("lodestar-node-with-validators", ForeignRole::BeaconNodeWithOurValidators),
    ("lodestar-vc", ForeignRole::ValidatorClient),
];

impl FromStr for Guest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match GUESTS.iter().find(|(name, _)| *name == text) {
            Some((_, role)) => Ok(Self(*role)),
            None => bail!("expected one of {}", GUESTS.map(|(name, _)| name).join(", ")),
        }
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = GUESTS.iter().find(|(_, role)| *role == self.0).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl Devnet {
    /// Runs the network to its end.
    pub fn run(self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("the path of this program")?;
        let foreign = self.foreign()?;
        let own_dir = self.dir.is_none();
        let dir = self.dir.clone().map_or_else(temporary_dir, Ok)?;
        let remove = own_dir && !self.keep;
        let plan = self.plan(program, dir.clone());
        let runtime = tokio::runtime::Runtime::new()?;
        let result = runtime.block_on(devnet::run(plan, foreign));
        match result {
            Ok(_) if remove => std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string()),
            Ok(_) => Ok(()),
            // Nothing was begun where the folder is still empty.
            Err(error) if own_dir && std::fs::remove_dir(&dir).is_err() => {
                Err(error.context(format!("files are in {}", dir.display())))
            }
            Err(error) => Err(error),
        }
    }

    fn plan(self, program: PathBuf, dir: PathBuf) -> DevnetPlan {
        let plan = DevnetPlan {
            nodes: self.nodes,
            validators: self.validators,
            preset: self.preset,
            slot_ms: self.slot_ms,
            genesis_delay_ms: self.genesis_delay_ms,
            base_port: self.base_port,
            program,
            dir,
            until_finalized: self.until_finalized.map(Epoch),
            until_epoch: self.load.until_epoch.map(Epoch),
            load: self.load.plan(),
            subscribe_all_subnets: self.subscribe_all_subnets,
            drills: self.kill_drill.map(|count| DrillPlan { count, seed: self.seed }),
            data_drill: None,
            partition: self.division.partition.map(|(from, before)| PartitionPlan {
                from,
                before,
                sides: self.division.sides,
            }),
            forks: self.forks.into_iter().collect(),
            blob_schedule: self.blob_schedule.into_iter().collect(),
            blobs: self.blobs,
            supernodes: self.supernodes,
        };
        if !self.data_drill {
            return plan;
        }
        DevnetPlan {
            data_drill: Some(DataDrillPlan::default()),
            forks: [(ForkName::Fulu, Epoch(0))].into(),
            blobs: 6,
            supernodes: 1,
            ..plan
        }
    }

    fn foreign(&self) -> anyhow::Result<Vec<Box<dyn Foreign>>> {
        if self.guests.join.is_empty() {
            return Ok(Vec::new());
        }
        ensure!(
            self.slot_ms.is_multiple_of(1000),
            "Lodestar knows slots of whole seconds only: --slot-ms {} goes with no --join",
            self.slot_ms
        );
        let installation =
            self.guests.lodestar.clone().map_or_else(|| interop::Peer::Lodestar.default_dir(), Ok)?;
        let guests = self.guests.join.iter().enumerate().map(|(number, guest)| {
            let lodestar = interop::Lodestar { installation: installation.clone(), role: guest.0, number };
            Box::new(lodestar) as Box<dyn Foreign>
        });
        Ok(guests.collect())
    }
}

/// A new folder that stays: whether it is removed depends on how the run ends.
fn temporary_dir() -> anyhow::Result<PathBuf> {
    let dir = tempfile::Builder::new().prefix("interlock-devnet-").tempdir().context("a temporary folder")?;
    Ok(dir.keep())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        devnet: Devnet,
    }

    fn parse(line: &str) -> Result<Devnet, clap::Error> {
        let words = std::iter::once("devnet").chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(words).map(|line| line.devnet)
    }

    #[test]
    fn options_become_a_plan() {
        let line = "--nodes 3 --validators 48 --preset mainnet --slot-ms 1500 --until-finalized 2 --kill-drill 5 --seed 9";
        let plan = parse(line).unwrap().plan("interlock".into(), "net".into());
        assert_eq!((plan.nodes, plan.validators, plan.slot_ms), (3, 48, 1500));
        assert_eq!(plan.preset, PresetName::Mainnet);
        assert_eq!(plan.until_finalized, Some(Epoch(2)));
        assert_eq!(plan.drills, Some(DrillPlan { count: 5, seed: 9 }));
        plan.check(3).unwrap();
        let plan = parse("--fork deneb=0,electra=2,fulu=4 --bpo 4=9,6=12 --blobs 3 --supernodes 1").unwrap();
        let plan = plan.plan("interlock".into(), "net".into());
        let forks = [(ForkName::Deneb, Epoch(0)), (ForkName::Electra, Epoch(2)), (ForkName::Fulu, Epoch(4))];
        assert_eq!(plan.forks, forks.into());
        assert_eq!(plan.blob_schedule, [(Epoch(4), 9), (Epoch(6), 12)].into());
        assert_eq!((plan.blobs, plan.supernodes), (3, 1));
        plan.check(4).unwrap();
    }

    #[test]
    fn a_report_may_be_written_and_may_require_something() {
        let plan = |line| parse(line).unwrap().plan("interlock".into(), "net".into());
        assert_eq!(plan("--until-epoch 6").load, None);
        assert_eq!(plan("--until-epoch 6 --report").load, Some(LoadPlan::default()));
        let plan = plan("--report load.json --until-epoch 6 --require inclusion=99,head=98.5 --nodes 2");
        plan.check(2).unwrap();
        assert_eq!(plan.until_epoch, Some(Epoch(6)));
        let requirement = Requirement { inclusion: Some(99.0), head: Some(98.5) };
        assert_eq!(plan.load, Some(LoadPlan { file: Some("load.json".into()), requirement }));
        for wrong in ["--require head=98", "--report --require luck=7", "--report --require head"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_drill_of_data_brings_its_network() {
        let plan = parse("--data-drill --slot-ms 2000").unwrap().plan("interlock".into(), "net".into());
        assert_eq!((plan.nodes, plan.blobs, plan.supernodes, plan.slot_ms), (6, 6, 1, 2000));
        assert_eq!(plan.data_drill, Some(DataDrillPlan::default()));
        plan.check(6).unwrap();
        assert_eq!(parse("").unwrap().plan("interlock".into(), "net".into()).nodes, 4);
        assert_eq!(parse("--data-drill --nodes 4").unwrap().nodes, 4);
        assert!(parse("--data-drill --blobs 3").is_err());
        assert!(parse("--data-drill --kill-drill 3").is_err());
    }

    #[test]
    fn a_partition_has_its_epochs_and_its_sides() {
        let line = "--nodes 2 --partition 2..4 --sides node-0,lodestar-0/node-1";
        let plan = parse(line).unwrap().plan("interlock".into(), "net".into());
        let partition = plan.partition.as_ref().unwrap();
        assert_eq!((partition.from, partition.before), (Epoch(2), Epoch(4)));
        let sides = partition.sides.as_ref().unwrap();
        assert_eq!(sides, &[vec!["node-0".to_owned(), "lodestar-0".to_owned()], vec!["node-1".to_owned()]]);
        plan.check(2).unwrap();
        for wrong in ["--partition 2", "--partition 2..x", "--sides a/b", "--partition 2..4 --sides a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("--partition 2..4 --kill-drill 1").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse("--seed 3").is_err(), "a seed without drills");
        assert!(parse("--keep --dir net").is_err());
        assert!(parse("--preset gnosis").is_err());
        for wrong in ["--fork homestead=3", "--fork altair", "--fork altair=x", "--bpo 6", "--bpo 6=many"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("--join geth").is_err());
        let error = parse("--join lodestar-node --slot-ms 1500").unwrap().foreign().err().unwrap();
        assert!(error.to_string().contains("whole seconds"), "{error}");
    }

    #[test]
    fn guests_are_named_as_they_are_given() {
        for (name, role) in GUESTS {
            let guest: Guest = name.parse().unwrap();
            assert_eq!((guest.0, guest.to_string().as_str()), (role, name));
        }
    }
}
