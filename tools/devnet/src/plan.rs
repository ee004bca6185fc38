//! What a network shall be, and which wishes contradict each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{bail, ensure};
use types::constants::FAR_FUTURE_EPOCH;
use types::{BlobParameters, Config, Epoch, ForkName, Settings, Spec};

use crate::{DataDrillPlan, DrillPlan, LoadPlan, PartitionPlan};

/// The shortest slot: an attestation is due after a third of it, and needs a block that was made, sent and imported
/// before.
pub const SLOT_MS_MIN: u64 = 500;
/// The shortest slot with execution payloads.
const PAYLOAD_SLOT_MS_MIN: u64 = 1000;
/// More processes than this say more about the machine than about the network.
const NODES_MAX: u64 = 64;
/// The validators of a node that withholds columns: enough to propose several blocks, too few to hinder finality.
const WITHHOLDER_PERCENT: u64 = 16;
/// Interop keys are derived one by one, and every one signs in every epoch.
const VALIDATORS_MAX: u64 = 1 << 18;

/// A built-in preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetName {
    /// 8 slots an epoch, small lists.
    Minimal,
    /// 32 slots an epoch, as on mainnet.
    Mainnet,
}

impl PresetName {
    /// The name as `PRESET_BASE` gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Mainnet => "mainnet",
        }
    }

    fn config_yaml(self) -> &'static str {
        match self {
            Self::Minimal => Config::MINIMAL_YAML,
            Self::Mainnet => Config::MAINNET_YAML,
        }
    }

    fn slots_per_epoch(self) -> u64 {
        match self {
            Self::Minimal => Spec::minimal().preset.slots_per_epoch,
            Self::Mainnet => Spec::mainnet().preset.slots_per_epoch,
        }
    }
}

impl fmt::Display for PresetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PresetName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "minimal" => Ok(Self::Minimal),
            "mainnet" => Ok(Self::Mainnet),
            _ => bail!("no preset {text:?}: minimal or mainnet"),
        }
    }
}

/// A network to be started.
#[derive(Clone, Debug)]
pub struct DevnetPlan {
    /// Our own beacon nodes, each with a validator client.
    pub nodes: u64,
    /// Validators of the genesis, split evenly over the validator clients.
    pub validators: u64,
    /// The preset.
    pub preset: PresetName,
    /// The length of a slot, in milliseconds.
    pub slot_ms: u64,
    /// Milliseconds from now to genesis; by default what starting so many processes takes.
    pub genesis_delay_ms: Option<u64>,
    /// The first port; by default free ones are looked for.
    pub base_port: Option<u16>,
    /// The binary with the commands `beacon`, `validator` and `bootnode`.
    pub program: PathBuf,
    /// The network's folder; it must be empty or not exist.
    pub dir: PathBuf,
    /// The epoch that every node must finalize; by default the network runs until it is interrupted.
    pub until_finalized: Option<Epoch>,
    /// The epoch with whose begin the network ends, and a few slots later where its votes are reported on.
    pub until_epoch: Option<Epoch>,
    /// What is to be reported of votes and processes.
    pub load: Option<LoadPlan>,
    /// Let every node listen to all attestation subnets.
    pub subscribe_all_subnets: bool,
    /// Nodes to kill during the run.
    pub drills: Option<DrillPlan>,
    /// The drill of blobs and columns, whose last node withholds columns.
    pub data_drill: Option<DataDrillPlan>,
    /// When the network is divided.
    pub partition: Option<PartitionPlan>,
    /// The forks that the network goes through, each with its epoch; a fork before one of them that is not named begins
    /// together with it.
    pub forks: BTreeMap<ForkName, Epoch>,
    /// Epochs from which a block may have so many blobs, since Fulu.
    pub blob_schedule: BTreeMap<Epoch, u64>,
    /// Blobs in each block that our nodes' engines build, since Deneb.
    pub blobs: u64,
    /// How many of our nodes keep all data columns: the first ones.
    pub supernodes: u64,
}

impl DevnetPlan {
    /// A network of the minimal preset with slots of three seconds, without an end.
    pub fn new(nodes: u64, validators: u64, program: PathBuf, dir: PathBuf) -> Self {
        Self {
            nodes,
            validators,
            preset: PresetName::Minimal,
            slot_ms: 3000,
            genesis_delay_ms: None,
            base_port: None,
            program,
            dir,
            until_finalized: None,
            until_epoch: None,
            load: None,
            subscribe_all_subnets: false,
            drills: None,
            data_drill: None,
            partition: None,
            forks: BTreeMap::new(),
            blob_schedule: BTreeMap::new(),
            blobs: 0,
            supernodes: 0,
        }
    }

    /// Refuses wishes that contradict each other, in one line. `signers` is the number of validator clients, ours and
    /// foreign ones.
    pub fn check(&self, signers: u64) -> anyhow::Result<()> {
        ensure!(self.nodes > 0, "a network needs at least one node");
        ensure!(
            self.nodes <= NODES_MAX,
            "{} nodes are more than the {NODES_MAX} this is made for",
            self.nodes
        );
        let slots = self.preset.slots_per_epoch();
        ensure!(
            self.validators >= slots,
            "{} validators leave committees empty: the {} preset has {slots} slots an epoch, so it needs at least {slots}",
            self.validators,
            self.preset
        );
        ensure!(
            self.validators >= signers,
            "{} validators cannot be split over {signers} validator clients",
            self.validators
        );
        ensure!(
            self.validators <= VALIDATORS_MAX,
            "{} validators are more than the {VALIDATORS_MAX} this is made for",
            self.validators
        );
        ensure!(
            self.slot_ms >= SLOT_MS_MIN,
            "slots of {} ms are too short: attestations are due after a third of it; at least {SLOT_MS_MIN} ms",
            self.slot_ms
        );
        ensure!(self.slot_ms <= 3_600_000, "slots of {} ms are longer than an hour", self.slot_ms);
        if let Some(delay) = self.genesis_delay_ms {
            ensure!(delay <= 86_400_000, "a genesis delay of {delay} ms is longer than a day");
        }
        if let Some(epoch) = self.until_finalized {
            ensure!(epoch > 0, "epoch 0 is final from the start: wait for epoch 1 or later");
            ensure!(epoch < 1 << 32, "epoch {epoch} is too far away");
        }
        self.check_load()?;
        self.check_forks()?;
        self.check_data()?;
        if let Some(drills) = &self.drills {
            ensure!(drills.count > 0, "a drill that kills no node drills nothing");
        }
        if let Some(partition) = &self.partition {
            partition.check(self.nodes)?;
            ensure!(
                self.drills.is_none() && self.data_drill.is_none(),
                "a network has one drill: one that is divided has no other"
            );
        }
        self.check_data_drill(signers)
    }

    fn check_load(&self) -> anyhow::Result<()> {
        if let Some(epoch) = self.until_epoch {
            ensure!(epoch > 0, "epoch 0 is where every network begins: end with epoch 1 or later");
            ensure!(epoch < 1 << 32, "epoch {epoch} is too far away");
        }
        let Some(load) = &self.load else { return Ok(()) };
        load.requirement.check()?;
        ensure!(
            load.requirement.is_empty()
                || self.until_epoch.is_some()
                || self.until_finalized > Some(Epoch(1)),
            "what votes must reach needs an epoch that is over: add an end"
        );
        Ok(())
    }

    fn check_data_drill(&self, signers: u64) -> anyhow::Result<()> {
        let Some(drill) = &self.data_drill else { return Ok(()) };
        drill.check()?;
        ensure!(
            self.drills.is_none(),
            "a network has one drill: no node is killed where columns are withheld"
        );
        ensure!(signers == self.nodes, "the drill of blobs and columns has no foreign clients");
        ensure!(
            self.supernodes > 0 && self.nodes > self.supernodes + 1,
            "{} nodes, {} of them supernodes: the drill of blobs and columns needs a supernode, another one, and one that \
             withholds columns",
            self.nodes,
            self.supernodes
        );
        ensure!(
            self.blobs > 0 && self.fork_epoch("fulu") == 0,
            "the drill of blobs and columns needs blobs, and Fulu from the start"
        );
        Ok(())
    }

    /// The validators of each validator client, ours first: as many for each, but few for a node that withholds
    /// columns, since what its validators vote for is lost.
    pub(crate) fn shares(&self, signers: u64) -> Vec<std::ops::Range<u64>> {
        if self.data_drill.is_none() {
            return split_evenly(self.validators, signers);
        }
        let honest = self.validators - self.validators * WITHHOLDER_PERCENT / 100;
        let mut shares = split_evenly(honest, signers - 1);
        shares.push(honest..self.validators);
        shares
    }

    fn check_forks(&self) -> anyhow::Result<()> {
        let mut before: Option<(ForkName, Epoch)> = None;
        for (fork, epoch) in &self.forks {
            ensure!(
                *fork > ForkName::Phase0,
                "phase0 needs no epoch: every network begins with it or a later fork"
            );
            ensure!(*epoch < 1 << 32, "epoch {epoch} of {fork} is too far away");
            if let Some((other, first)) = before.filter(|(_, first)| first > epoch) {
                bail!("{fork} at epoch {epoch} would come before {other} at epoch {first}");
            }
            before = Some((*fork, *epoch));
        }
        for pair in ForkName::ALL.windows(2).skip(1) {
            let (first, second) = (self.epoch_of(pair[0]), self.epoch_of(pair[1]));
            // A state remembers one version besides its own: the votes of the epoch before would be of another.
            ensure!(
                first != second || first == 0 || first == FAR_FUTURE_EPOCH,
                "{} and {} cannot both begin at epoch {first}: only epoch 0 may begin several; name an earlier epoch for {}",
                pair[0],
                pair[1],
                pair[0]
            );
        }
        ensure!(
            !self.is_scheduled(ForkName::Bellatrix) || self.slot_ms >= PAYLOAD_SLOT_MS_MIN,
            "slots of {} ms are too short for execution payloads, whose times are whole seconds and must differ: at least \
             {PAYLOAD_SLOT_MS_MIN} ms from Bellatrix on",
            self.slot_ms
        );
        Ok(())
    }

    fn check_data(&self) -> anyhow::Result<()> {
        if let Some((epoch, _)) = self.blob_schedule.last_key_value() {
            ensure!(*epoch < 1 << 32, "epoch {epoch} of a blob limit is too far away");
        }
        if let Some((epoch, limit)) = self.blob_schedule.first_key_value() {
            let fulu = self.fork_epoch("fulu");
            ensure!(
                self.is_scheduled(ForkName::Fulu) && *epoch >= fulu,
                "a limit of {limit} blobs from epoch {epoch} on is before Fulu, which changes limits first"
            );
        }
        ensure!(
            self.blobs == 0 || self.is_scheduled(ForkName::Deneb),
            "{} blobs a block need Deneb: add --fork deneb=EPOCH",
            self.blobs
        );
        ensure!(
            self.supernodes == 0 || self.is_scheduled(ForkName::Fulu),
            "supernodes keep the data columns of Fulu: add --fork fulu=EPOCH"
        );
        ensure!(
            self.supernodes <= self.nodes,
            "{} of {} nodes cannot be supernodes",
            self.supernodes,
            self.nodes
        );
        if self.blobs > 0 {
            let limit = self.blob_limit()?;
            ensure!(
                self.blobs <= limit,
                "{} blobs a block are more than the {limit} that a block may have on this network",
                self.blobs
            );
        }
        Ok(())
    }

    /// The blobs that a block may have in every epoch since Deneb.
    fn blob_limit(&self) -> anyhow::Result<u64> {
        let spec = self.spec(0)?;
        let changes = [ForkName::Deneb, ForkName::Electra, ForkName::Fulu].map(|fork| spec.fork_epoch(fork));
        let epochs = changes.into_iter().filter(|epoch| *epoch != FAR_FUTURE_EPOCH);
        let limits = epochs
            .chain(self.blob_schedule.keys().copied())
            .map(|epoch| data_availability::blobs::max_blobs_per_block(spec, epoch.start_slot(spec)));
        Ok(limits.min().unwrap_or(0))
    }

    /// True where the network comes to a fork.
    pub fn is_scheduled(&self, fork: ForkName) -> bool {
        self.forks.range(fork..).next().is_some()
    }

    /// The epoch of a fork: its own, or that of the first later fork that is named.
    pub fn fork_epoch(&self, fork: &str) -> Epoch {
        fork.to_lowercase().parse().map_or(FAR_FUTURE_EPOCH, |fork| self.epoch_of(fork))
    }

    fn epoch_of(&self, fork: ForkName) -> Epoch {
        self.forks.range(fork..).next().map_or(FAR_FUTURE_EPOCH, |(_, epoch)| *epoch)
    }

    /// The time from now to genesis.
    pub fn genesis_delay(&self) -> Duration {
        // A node starts in well under a second on a free core, but all of them share the machine. With blobs it makes
        // the trusted setup ready first, which takes up to three seconds more.
        let each = if self.is_scheduled(ForkName::Deneb) { 2500 } else { 500 };
        Duration::from_millis(self.genesis_delay_ms.unwrap_or(4000 + each * self.nodes))
    }

    /// The rules of a network of its own that starts at `genesis_time` (Unix seconds) and goes through the forks of the plan.
    ///
    /// Its fork versions follow from its time, size and folder, so that nodes of another network on the same machine,
    /// which discovery may find, are told apart at once.
    pub fn spec(&self, genesis_time: u64) -> anyhow::Result<&'static Spec> {
        let mut settings = Settings::parse(self.preset.config_yaml())?;
        let seed = format!("{genesis_time} {} {}", self.validators, self.dir.display());
        let mark = &crypto::hash(seed.as_bytes())[..3];
        let mark = format!("{:02x}{:02x}{:02x}", mark[0], mark[1], mark[2]);
        settings.set("CONFIG_NAME", "interlock-devnet");
        settings.set("GENESIS_FORK_VERSION", format!("0x00{mark}"));
        for (place, fork) in FORKS_AFTER_GENESIS.into_iter().enumerate() {
            settings.set(&format!("{fork}_FORK_VERSION"), format!("0x{:02x}{mark}", place + 1));
            settings.set(&format!("{fork}_FORK_EPOCH"), self.fork_epoch(fork));
        }
        settings.set("MIN_GENESIS_ACTIVE_VALIDATOR_COUNT", self.validators);
        settings.set("MIN_GENESIS_TIME", genesis_time);
        settings.set("GENESIS_DELAY", 0);
        settings.set("SLOT_DURATION_MS", self.slot_ms);
        if self.slot_ms.is_multiple_of(1000) {
            settings.set("SECONDS_PER_SLOT", self.slot_ms / 1000);
        }
        // A chain id that says that nothing here is worth anything.
        settings.set("DEPOSIT_CHAIN_ID", 1337);
        settings.set("DEPOSIT_NETWORK_ID", 1337);
        if self.is_scheduled(ForkName::Bellatrix) {
            // The chain merges as soon as it can: with the first block of its engines, which all begin with the same one.
            settings.set("TERMINAL_TOTAL_DIFFICULTY", 0);
        }
        // The blob limits of the base configuration are given by epochs of a network that this one is not.
        let limit =
            |(epoch, limit): (&Epoch, &u64)| BlobParameters { epoch: *epoch, max_blobs_per_block: *limit };
        settings.set_blob_schedule(&self.blob_schedule.iter().map(limit).collect::<Vec<_>>());
        Ok(Spec::from_settings(settings, None)?)
    }
}

/// All forks that a configuration names, also those without rules here yet.
const FORKS_AFTER_GENESIS: [&str; 8] =
    ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU", "GLOAS", "HEZE"];

/// The validators of each of `parts`, as even as can be: earlier parts get one more.
pub(crate) fn split_evenly(validators: u64, parts: u64) -> Vec<std::ops::Range<u64>> {
    let share = |part: u64| validators / parts * part + part.min(validators % parts);
    (0..parts).map(|part| share(part)..share(part + 1)).collect()
}

// A fork that the client knows but the list above lacks would keep the base network's epoch.
const _: () = assert!(ForkName::ALL.len() <= FORKS_AFTER_GENESIS.len() + 1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Requirement;

    fn plan() -> DevnetPlan {
        DevnetPlan::new(4, 64, "interlock".into(), "net".into())
    }

    fn refusal(change: impl Fn(&mut DevnetPlan)) -> String {
        let mut plan = plan();
        change(&mut plan);
        let text = plan.check(plan.nodes).unwrap_err().to_string();
        assert!(!text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn contradictions_are_refused_in_one_line() {
        plan().check(4).unwrap();
        assert!(refusal(|plan| plan.nodes = 0).contains("at least one node"));
        assert!(refusal(|plan| plan.validators = 7).contains("leave committees empty"));
        assert!(refusal(|plan| plan.slot_ms = 100).contains("too short"));
        assert!(refusal(|plan| plan.until_finalized = Some(Epoch(0))).contains("final from the start"));
        assert!(
            refusal(|plan| plan.drills = Some(DrillPlan { count: 0, seed: 1 })).contains("drills nothing")
        );
    }

    #[test]
    fn what_is_required_of_votes_needs_an_end_and_is_a_percentage() {
        let requirement = Requirement { inclusion: Some(99.0), head: None };
        let load = LoadPlan { file: None, requirement };
        assert!(refusal(|plan| plan.load = Some(load.clone())).contains("needs an epoch that is over"));
        assert!(refusal(|plan| plan.until_epoch = Some(Epoch(0))).contains("end with epoch 1"));
        let mut plan = plan();
        (plan.load, plan.until_epoch) = (Some(load), Some(Epoch(1)));
        plan.check(4).unwrap();
        let wrong = Requirement { inclusion: None, head: Some(150.0) };
        plan.load = Some(LoadPlan { file: None, requirement: wrong });
        assert!(plan.check(4).unwrap_err().to_string().contains("no percentage"));
    }

    #[test]
    fn forks_begin_in_their_order_and_bring_those_before_them() {
        let mut plan = plan();
        plan.forks = [(ForkName::Altair, Epoch(0)), (ForkName::Bellatrix, Epoch(3))].into();
        plan.check(4).unwrap();
        let spec = plan.spec(1_700_000_000).unwrap();
        let epochs =
            [ForkName::Altair, ForkName::Bellatrix, ForkName::Capella].map(|fork| spec.fork_epoch(fork));
        assert_eq!(epochs, [Epoch(0), Epoch(3), FAR_FUTURE_EPOCH]);
        assert!(
            refusal(|plan| plan.forks = [(ForkName::Bellatrix, Epoch(3))].into())
                .contains("altair and bellatrix cannot both begin at epoch 3")
        );
        let backwards = [(ForkName::Altair, Epoch(4)), (ForkName::Bellatrix, Epoch(3))];
        assert!(
            refusal(|plan| plan.forks = backwards.into()).contains("would come before altair at epoch 4")
        );
        let backwards = [(ForkName::Capella, Epoch(4)), (ForkName::Bellatrix, Epoch(6))];
        assert!(
            refusal(|plan| plan.forks = backwards.into())
                .contains("capella at epoch 4 would come before bellatrix at epoch 6")
        );
        let at_genesis = [(ForkName::Fulu, Epoch(0))];
        plan.forks = at_genesis.into();
        plan.check(4).unwrap();
        let spec = plan.spec(1_700_000_000).unwrap();
        assert_eq!(spec.fork_name_at_epoch(Epoch(0)), ForkName::Fulu);
        assert!(spec.config.terminal_total_difficulty == types::Uint256::from(0));
    }

    #[test]
    fn blobs_need_their_forks_and_stay_within_their_limits() {
        let mut plan = plan();
        plan.forks =
            [(ForkName::Deneb, Epoch(0)), (ForkName::Electra, Epoch(2)), (ForkName::Fulu, Epoch(4))].into();
        (plan.blobs, plan.supernodes) = (6, 1);
        plan.blob_schedule = [(Epoch(4), 12), (Epoch(6), 8)].into();
        plan.check(4).unwrap();
        let spec = plan.spec(1_700_000_000).unwrap();
        assert_eq!(spec.get_blob_parameters(Epoch(5)).max_blobs_per_block, 12);
        assert_eq!(spec.get_blob_parameters(Epoch(9)).max_blobs_per_block, 8);
        let with = |change: &dyn Fn(&mut DevnetPlan)| {
            let base = plan.clone();
            refusal(|plan| {
                *plan = base.clone();
                change(plan);
            })
        };
        assert!(with(&|plan| plan.blobs = 7).contains("more than the 6"));
        assert!(with(&|plan| plan.supernodes = 5).contains("5 of 4 nodes"));
        assert!(with(&|plan| plan.slot_ms = 900).contains("too short for execution payloads"));
        assert!(with(&|plan| plan.blob_schedule = [(Epoch(3), 9)].into()).contains("is before Fulu"));
        assert!(with(&|plan| plan.forks = [(ForkName::Capella, Epoch(0))].into()).contains("Fulu"));
        assert!(refusal(|plan| plan.blobs = 1).contains("need Deneb"));
        assert!(refusal(|plan| plan.supernodes = 1).contains("--fork fulu=EPOCH"));
    }

    #[test]
    fn the_drill_of_data_needs_its_nodes_and_gives_the_withholder_few_validators() {
        let mut plan = DevnetPlan::new(6, 64, "interlock".into(), "net".into());
        plan.forks = [(ForkName::Fulu, Epoch(0))].into();
        (plan.blobs, plan.supernodes, plan.data_drill) = (6, 1, Some(DataDrillPlan::default()));
        plan.check(6).unwrap();
        assert_eq!(plan.shares(6), [0..11, 11..22, 22..33, 33..44, 44..54, 54..64]);
        assert!(plan.check(7).unwrap_err().to_string().contains("no foreign clients"));
        (plan.nodes, plan.supernodes) = (3, 2);
        assert!(plan.check(3).unwrap_err().to_string().contains("another one"));
        (plan.nodes, plan.supernodes, plan.blobs) = (3, 1, 0);
        assert!(plan.check(3).unwrap_err().to_string().contains("needs blobs"));
    }

    #[test]
    fn a_network_that_is_divided_has_no_other_drill() {
        let partition = PartitionPlan { from: Epoch(2), before: Epoch(4), sides: None };
        let mut plan = plan();
        plan.partition = Some(partition.clone());
        plan.check(4).unwrap();
        plan.drills = Some(DrillPlan { count: 1, seed: 1 });
        assert!(plan.check(4).unwrap_err().to_string().contains("one drill"));
        assert!(
            refusal(|plan| (plan.nodes, plan.partition) = (1, Some(partition.clone()))).contains("one node")
        );
    }

    #[test]
    fn mainnet_slots_need_more_validators() {
        let mut plan = plan();
        plan.preset = PresetName::Mainnet;
        plan.check(4).unwrap();
        plan.validators = 31;
        assert!(plan.check(4).unwrap_err().to_string().contains("32 slots an epoch"));
    }

    #[test]
    fn validators_are_split_evenly_and_without_gaps() {
        assert_eq!(split_evenly(64, 4), [0..16, 16..32, 32..48, 48..64]);
        assert_eq!(split_evenly(10, 4), [0..3, 3..6, 6..8, 8..10]);
        assert_eq!(split_evenly(5, 5), [0..1, 1..2, 2..3, 3..4, 4..5]);
    }

    #[test]
    fn each_network_has_fork_versions_of_its_own_and_no_fork_scheduled() {
        for preset in [PresetName::Minimal, PresetName::Mainnet] {
            let mut plan = plan();
            plan.preset = preset;
            let (one, other) = (plan.spec(1_700_000_000).unwrap(), plan.spec(1_700_000_001).unwrap());
            assert_ne!(one.config.genesis_fork_version, other.config.genesis_fork_version);
            for fork in ForkName::ALL.into_iter().skip(1) {
                assert_eq!(one.fork_epoch(fork), FAR_FUTURE_EPOCH, "{fork}");
            }
            assert_eq!(one.fork_name_at_epoch(Epoch(1 << 40)), ForkName::Phase0);
            assert!(one.config.blob_schedule.is_empty());
            assert_eq!(one.config.preset_base, preset.as_str());
        }
    }

    #[test]
    fn a_slot_is_named_in_seconds_where_it_is_whole_seconds() {
        let seconds = |slot_ms| {
            let mut plan = plan();
            plan.slot_ms = slot_ms;
            let spec = plan.spec(1_700_000_000).unwrap();
            assert_eq!(spec.config.slot_duration_ms, slot_ms);
            spec.config
                .entries()
                .into_iter()
                .find(|(key, _)| key == "SECONDS_PER_SLOT")
                .map(|(_, value)| value)
        };
        assert_eq!(seconds(3000).as_deref(), Some("3"));
        assert_eq!(seconds(1500), None);
    }
}
