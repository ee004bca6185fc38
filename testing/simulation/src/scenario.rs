//! What a world is made of and what goes wrong in it: plain data, with named examples.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use types::{Config, Epoch, ForkName, SettingError, Settings, Slot, Spec};

/// A world and its faults. Together with a seed it decides everything that happens.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The network's preset and configuration.
    pub spec: &'static Spec,
    /// How many nodes; at least one.
    pub nodes: usize,
    /// How many validators, dealt to the nodes in turn.
    pub validators: usize,
    /// How many epochs to run.
    pub epochs: u64,
    /// How links behave.
    pub links: Links,
    /// How long a node's own work takes.
    pub work: Work,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Whether signatures are verified.
    pub signatures: SignatureMode,
    /// What the execution engines do.
    pub engines: Engines,
    /// What blocks carry besides themselves.
    pub data: Data,
    /// Validators that come later.
    pub deposits: Deposits,
    /// What must have come of it all.
    pub demands: Demands,
}

/// What must have come of it all at the end.
#[derive(Clone, Copy, Debug)]
pub struct Demands {
    /// The epoch that must be final on every node; none where liveness is reported but not demanded.
    pub finalized: Option<u64>,
    /// The stake that must have voted for the right target in every epoch but the first, in percent; zero demands
    /// nothing.
    pub participation_percent: u64,
    /// Whether nodes that are up, and whose engines are, may miss duties.
    pub duties: Lenience,
    /// Epochs from the beginning of a fork until the first checkpoint of that fork must be final on every node.
    pub epochs_to_finality: Option<u64>,
    /// How many blocks the heads of two nodes may be past the last block that both chains have: where messages are
    /// lost, the last few may compete at any moment.
    pub heads_apart_max: usize,
}

impl Default for Demands {
    /// Nothing but agreement.
    fn default() -> Self {
        Self {
            finalized: None,
            participation_percent: 0,
            duties: Lenience::Counted,
            epochs_to_finality: None,
            heads_apart_max: 3,
        }
    }
}

/// Whether something may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lenience {
    /// It is counted.
    #[default]
    Counted,
    /// It is a violation.
    Forbidden,
}

/// What the execution engines do: each node has one of its own, which goes on when the node crashes.
#[derive(Clone, Copy, Debug)]
pub struct Engines {
    /// The least and most time of a call, there and back, in ms.
    pub latency_ms: (u64, u64),
    /// How many engines crash, each once, at seeded moments; every second of them forgets all that it knew.
    pub crashes: usize,
    /// The least and most time that a crashed engine is down, in ms.
    pub downtime_ms: (u64, u64),
    /// How long an engine says that it syncs once it is up again, in ms.
    pub syncing_ms: u64,
}

/// What blocks carry besides themselves.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    /// Blobs in each block, since Deneb.
    pub blobs: usize,
    /// Nodes that keep all columns, since Fulu: those with the lowest numbers. Where all of them are down at once, most
    /// columns of that time are nowhere, and they never get past it.
    pub supernodes: usize,
    /// Blobs that all engines have in their pools before the block comes, in percent.
    pub public_percent: u64,
    /// Nodes that publish their blocks and none of the columns: those with the highest numbers.
    pub withholding: usize,
}

/// Validators that come later: their keys are dealt out as all others are, and their deposits are made in blocks of the
/// execution chain.
#[derive(Clone, Debug, Default)]
pub struct Deposits {
    /// The numbers of the blocks, each of which brings one deposit; none where nobody follows the contract.
    pub blocks: Vec<u64>,
}

/// Whether signatures are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignatureMode {
    /// Each is verified once, and the verdict is remembered for all nodes.
    #[default]
    Real,
    /// All are taken for good, which they are, since nobody in the world forges any.
    Assumed,
}

/// How links behave. Each message draws its own latency, so that messages overtake each other.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// The least and most mean latency of a link, in ms; each link draws its own, and each message on it between half
    /// of that and three halves.
    pub latency_ms: (u64, u64),
    /// Messages lost, in ten-thousandths.
    pub loss_bps: u32,
    /// Messages that arrive twice, in ten-thousandths.
    pub duplicate_bps: u32,
    /// Connections that each node opens; it gets about as many from others.
    pub dials: usize,
    /// How long a request waits for an answer that never comes, in ms.
    pub timeout_ms: u64,
}

/// How long a node's own work takes.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Threads for jobs in each node.
    pub workers: usize,
    /// What jobs take, in percent of the built-in durations of their kinds.
    pub job_percent: u64,
    /// The most until a batch is durable, in ms; also what the record of a signature takes.
    pub store_ms_max: u64,
    /// The most between a batch's durability and its acknowledgement, in ms: a crash is nastiest then.
    pub ack_ms_max: u64,
    /// How far a node's clock is off at most, either way, in ms.
    pub clock_skew_ms: u64,
    /// The size of a snapshot above which it is written once an epoch only, and a journal of blocks in between, in bytes;
    /// none for that of production, which no small network reaches.
    pub snapshot_bytes: Option<usize>,
}

/// What goes wrong for a time. Crashed nodes are up again by the end of it.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// The epoch with whose start all faults are over.
    pub end_epoch: u64,
    /// How many nodes crash, each once, at seeded moments after the first epoch.
    pub crashes: usize,
    /// When they crash.
    pub moments: Moments,
    /// The least and most time that a crashed node is down, in ms.
    pub downtime_ms: (u64, u64),
    /// The epochs in which a seeded half of the nodes cannot reach the other half: from, and before.
    pub partition_epochs: Option<(u64, u64)>,
    /// Messages lost until the end of the faults besides those that links lose for ever, in ten-thousandths.
    pub loss_bps: u32,
}

/// When nodes crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moments {
    /// Each at a moment of its own.
    Apart,
    /// All within a second, as in a power cut.
    Together,
}

/// The minimal preset with these forks, each at its epoch; a fork that is left out begins together with the next one
/// that is named. Fails where a fork would begin before an earlier one.
pub fn spec_with_forks(forks: &BTreeMap<ForkName, Epoch>) -> Result<&'static Spec, SettingError> {
    if forks.is_empty() {
        return Ok(Spec::minimal());
    }
    let mut settings = Settings::parse(Config::MINIMAL_YAML)?;
    settings.set("CONFIG_NAME", "interlock-simulation");
    // The engines' first block is the terminal one.
    settings.set("TERMINAL_TOTAL_DIFFICULTY", 0);
    for fork in ForkName::ALL.into_iter().skip(1) {
        if let Some((_, epoch)) = forks.range(fork..).next() {
            settings.set(&format!("{}_FORK_EPOCH", fork.as_str().to_uppercase()), epoch);
        }
    }
    Spec::from_settings(settings, None)
}

impl Scenario {
    /// Quick and reliable links and no crashes.
    pub fn baseline() -> Self {
        Self {
            spec: Spec::minimal(),
            nodes: 16,
            validators: 64,
            epochs: 8,
            links: Links {
                latency_ms: (20, 80),
                loss_bps: 0,
                duplicate_bps: 0,
                dials: 3,
                timeout_ms: 10_000,
            },
            work: Work {
                workers: 2,
                job_percent: 100,
                store_ms_max: 40,
                ack_ms_max: 20,
                clock_skew_ms: 0,
                snapshot_bytes: None,
            },
            faults: Faults {
                end_epoch: 5,
                crashes: 0,
                moments: Moments::Apart,
                downtime_ms: (0, 0),
                partition_epochs: None,
                loss_bps: 0,
            },
            signatures: SignatureMode::Real,
            engines: Engines { latency_ms: (5, 60), crashes: 0, downtime_ms: (1_000, 12_000), syncing_ms: 0 },
            data: Data { blobs: 0, supernodes: 2, public_percent: 50, withholding: 0 },
            deposits: Deposits::default(),
            demands: Demands { finalized: Some(5), ..Demands::default() },
        }
    }

    /// Every fork from phase 0 to Fulu, each so many epochs after the one before, in a small network with slow links
    /// and one node that crashes. Each fork is finalized in its own time; nobody who is up misses a duty.
    pub fn all_forks(epochs_apart: u64) -> Result<Self, SettingError> {
        let base = Self::baseline();
        let forks = ForkName::ALL.into_iter().skip(1).zip(1u64..);
        let forks: BTreeMap<_, _> = forks.map(|(fork, place)| (fork, Epoch(place * epochs_apart))).collect();
        let last = forks.values().last().map_or(0, |epoch| epoch.0);
        let epochs = last + epochs_apart.max(5);
        Ok(Self {
            spec: spec_with_forks(&forks)?,
            nodes: 6,
            epochs,
            links: Links { latency_ms: (30, 250), ..base.links },
            faults: Faults { end_epoch: last, crashes: 1, downtime_ms: (1_000, 20_000), ..base.faults },
            data: Data { blobs: 2, ..base.data },
            demands: Demands {
                finalized: Some(epochs - 3),
                participation_percent: 80,
                duties: Lenience::Forbidden,
                epochs_to_finality: Some(4),
                heads_apart_max: 0,
            },
            ..base
        })
    }

    /// Slow and lossy links, clocks that are off, and one node that crashes and comes back.
    pub fn latency_loss_crash() -> Self {
        let base = Self::baseline();
        Self {
            links: Links { latency_ms: (50, 400), loss_bps: 100, duplicate_bps: 100, ..base.links },
            work: Work { store_ms_max: 400, ack_ms_max: 100, clock_skew_ms: 50, ..base.work },
            faults: Faults { crashes: 1, downtime_ms: (1_000, 40_000), ..base.faults },
            ..base
        }
    }

    /// Two halves that cannot reach each other for two epochs, so that nothing becomes final until they can.
    pub fn partition_heals() -> Self {
        let base = Self::baseline();
        Self { faults: Faults { partition_epochs: Some((2, 4)), ..base.faults }, ..base }
    }

    /// A scenario that the seed draws as well, with more going wrong than in any of the named ones: it ends well if the
    /// five epochs after the last fault bring back finality.
    pub fn drawn(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(7);
        let base = Self::baseline();
        let nodes = rng.random_range(2..=16);
        let end_epoch = rng.random_range(2..=6);
        let partition_from = rng.random_range(1..end_epoch);
        let least = rng.random_range(1..=150);
        Self {
            nodes,
            validators: rng.random_range(16..=80),
            epochs: end_epoch + 5,
            links: Links {
                latency_ms: (least, least + rng.random_range(1..=350)),
                loss_bps: rng.random_range(0..=100),
                duplicate_bps: rng.random_range(0..=500),
                dials: rng.random_range(2..=4),
                timeout_ms: rng.random_range(2_000..=12_000),
            },
            work: Work {
                workers: rng.random_range(1..=4),
                job_percent: rng.random_range(20..=250),
                store_ms_max: rng.random_range(1..=2_000),
                ack_ms_max: rng.random_range(1..=1_000),
                clock_skew_ms: rng.random_range(0..=200),
                snapshot_bytes: rng.random_bool(0.3).then_some(0),
            },
            faults: Faults {
                end_epoch,
                crashes: rng.random_range(0..=nodes),
                moments: if rng.random_bool(0.3) { Moments::Together } else { Moments::Apart },
                downtime_ms: (500, rng.random_range(1_000..=base.epoch_ms())),
                partition_epochs: rng.random_bool(0.4).then_some((partition_from, end_epoch)),
                loss_bps: if rng.random_bool(0.5) { rng.random_range(0..=2_500) } else { 0 },
            },
            demands: Demands { finalized: Some(end_epoch + 1), ..Demands::default() },
            ..base
        }
    }

    /// As [`Scenario::drawn`], with a drawn schedule of forks, engines that fail, and blobs.
    pub fn drawn_with_forks(seed: u64) -> Self {
        let base = Self::drawn(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(8);
        let end_epoch = base.faults.end_epoch;
        let last = ForkName::ALL[rng.random_range(2..ForkName::ALL.len())];
        let mut begins: Vec<u64> =
            (0..ForkName::ALL.len()).map(|_| rng.random_range(0..=end_epoch)).collect();
        begins.sort_unstable();
        // A state remembers one version before its own, so that two forks in one epoch make the votes of the epoch
        // before invalid; and the merge is a block of Bellatrix.
        for place in 1..begins.len() {
            let before = begins[place - 1];
            begins[place] = begins[place].max(if before == 0 { 0 } else { before + 1 });
        }
        let scheduled = ForkName::ALL.into_iter().zip(begins).skip(1).filter(|(fork, _)| *fork <= last);
        let forks = scheduled.map(|(fork, epoch)| (fork, Epoch(epoch))).collect();
        Self {
            spec: spec_with_forks(&forks).expect("the epochs were sorted"),
            engines: Engines {
                latency_ms: (1, rng.random_range(1..=800)),
                crashes: rng.random_range(0..=base.nodes),
                downtime_ms: (500, rng.random_range(1_000..=base.epoch_ms())),
                syncing_ms: rng.random_range(0..=20_000),
            },
            data: Data {
                // Halves that cannot reach each other have columns that the other half's supernodes never get.
                blobs: if base.faults.partition_epochs.is_some() { 0 } else { rng.random_range(0..=3) },
                supernodes: base.faults.crashes + 1,
                public_percent: rng.random_range(0..=100),
                withholding: 0,
            },
            ..base
        }
    }

    /// All forks, where engines crash too, one of them forgetting all, and sync for a while afterwards.
    pub fn engines_crash() -> Result<Self, SettingError> {
        let base = Self::all_forks(2)?;
        let engines = Engines { crashes: 3, syncing_ms: 8_000, ..base.engines };
        // Whoever has no engine neither votes nor proposes.
        let demands = Demands { participation_percent: 60, ..base.demands };
        Ok(Self { engines, demands, ..base })
    }

    /// Blobs from the first epoch to the last, in a network of Fulu with one node that withholds all columns.
    pub fn withheld_columns() -> Result<Self, SettingError> {
        let base = Self::all_forks(2)?;
        Ok(Self {
            spec: spec_with_forks(&BTreeMap::from([(ForkName::Fulu, Epoch(0))]))?,
            epochs: 6,
            faults: Faults { crashes: 0, ..base.faults },
            data: Data { withholding: 1, ..base.data },
            demands: Demands { finalized: Some(3), participation_percent: 80, ..Demands::default() },
            ..base
        })
    }

    /// A slot, in ms.
    pub fn slot_ms(&self) -> u64 {
        self.spec.config.slot_duration_ms
    }

    /// An epoch, in ms.
    pub fn epoch_ms(&self) -> u64 {
        self.slot_ms() * self.spec.preset.slots_per_epoch
    }

    /// The first slot after the end.
    pub fn end_slot(&self) -> Slot {
        Slot(self.epochs * self.spec.preset.slots_per_epoch)
    }
}
