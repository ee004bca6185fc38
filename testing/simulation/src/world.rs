//! The world: nodes, network and clock on one heap of events. Time jumps to the next event.
//!
//! ```text
//!   queue ─▶ event ─▶ a node's machine ─▶ outputs ─▶ other machines of the node at once (wiring.rs),
//!     ▲                                              or the queue: jobs, disk, network, validators
//!     └──────────────────────────────────────────────────────┘
//! ```
//!
//! Everything that is drawn comes from generators that the seed decides, in the order of events, so that a seed
//! decides the whole history. The machines are those of production; what shells do in production is done here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain::{JobId, JobResult, LoadId, LoadKey};
use data_availability::{ColumnIndex, custody::sampling_columns};
use engine::NewPayload;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use types::{BlsPubkey, Root, Slot, Time};
use validator::Ask;

use crate::checkers::{Finality, Participation, Slashing, Standing, Violation};
use crate::engine::{EngineEvent, EngineSeat};
use crate::film::Film;
use crate::genesis::{GENESIS, Genesis};
use crate::links::Network;
use crate::node::{Node, Todo};
use crate::packet::{Packet, Short};
use crate::queue::Queue;
use crate::scenario::{Moments, Scenario};
use crate::signer::{Record, Signed, Signer};
use crate::trace::Trace;
use crate::verdicts::Verdicts;

/// Events of one moment at one node beyond which its machines are taken to be in a loop.
const RINGS_MAX: u32 = 1_000;

/// How long a node may go on after the moment of its crash until it falls over an output.
const CRASH_DELAY_MS: u64 = 6_000;

/// Something that is going to happen. What a crash of the node prevents carries the node's generation.
#[derive(Debug)]
pub(crate) enum Event {
    /// The node starts, for the first time or again.
    Start { node: usize },
    /// The node crashes, so many outputs later.
    Crash { node: usize, outputs: u32 },
    /// A machine of the node wants a tick.
    Timer { node: usize, generation: u64 },
    /// A gossip message arrives.
    Gossip { node: usize, from: usize, packet: Arc<Packet> },
    /// Something arrives for the node's machines.
    Deliver { node: usize, generation: u64, todos: Vec<Todo> },
    /// A job ends.
    JobDone { node: usize, generation: u64, id: JobId, result: JobResult },
    /// The oldest batch is durable.
    Written { node: usize, generation: u64 },
    /// A read begins.
    Read { node: usize, generation: u64, id: LoadId, key: LoadKey },
    /// A request of another node arrives, together with the status of who asks.
    Request { node: usize, from: usize, generation: u64, asked: Asked },
    /// A node greets a peer again, since the last greeting had no answer.
    Greet { node: usize, generation: u64, peer: usize },
    /// The validators ask their node.
    Ask { node: usize, generation: u64, id: validator::RequestId, ask: Box<Ask> },
    /// The record of signatures is durable.
    Recorded { node: usize, generation: u64, id: validator::RequestId, signed: Signed },
    /// Something happens at the node's engine, or on the way to or from it.
    Engine { node: usize, event: Box<EngineEvent> },
    /// The checkers look at all nodes.
    Check,
}

/// What a node asks another.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Its status, telling one's own.
    Status(sync::Status),
    /// Blocks.
    Blocks(sync::RequestId, sync::Request),
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Duties that validators did.
    pub done: u64,
    /// Duties that validators missed.
    pub missed: u64,
    /// Blocks published.
    pub blocks: u64,
    /// Crashes.
    pub crashes: u64,
    /// Blocks that restarted nodes had from their journals.
    pub from_journal: u64,
    /// Crashes of engines.
    pub engine_crashes: u64,
    /// Calls to engines.
    pub engine_calls: u64,
    /// Gossip messages delivered, without duplicates.
    pub gossip: u64,
    /// Gossip messages that nodes ignored.
    pub ignored: u64,
    /// Jobs that ran.
    pub jobs: u64,
    /// Requests between nodes.
    pub requests: u64,
}

/// A world.
#[derive(Debug)]
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) now: Time,
    pub(crate) queue: Queue<Event>,
    pub(crate) network: Network,
    /// Draws what is not the network's: durations and moments.
    pub(crate) rng: ChaCha8Rng,
    pub(crate) nodes: Vec<Node>,
    pub(crate) genesis: Genesis,
    /// Verdicts on signatures.
    pub verdicts: Verdicts,
    /// What happened.
    pub trace: Trace,
    /// What the fork view plays, where it is wanted.
    pub(crate) film: Option<Film>,
    pub(crate) finality: Finality,
    pub(crate) slashing: Slashing,
    pub(crate) participation: Participation,
    /// Every payload that an engine was given, by its hash: what engines have from each other.
    pub(crate) payloads: BTreeMap<Root, Arc<NewPayload>>,
    /// Blocks whose data was withheld.
    pub(crate) withheld: BTreeSet<Root>,
    /// Nodes that withhold data do not: what the checkers must notice.
    #[cfg(test)]
    pub(crate) leaks: bool,
    pub(crate) violation: Option<Violation>,
    /// Counts of what happened.
    pub counts: Counts,
    /// Duties that validators missed, by kind and reason.
    pub missed: BTreeMap<String, u64>,
}

impl World {
    /// The world of a scenario and a seed, just before genesis.
    pub fn new(scenario: Scenario, seed: u64) -> Result<Self, transition::genesis::GenesisError> {
        let stream = |number: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(number);
            rng
        };
        let mut rng = stream(1);
        let genesis = Genesis::new(&scenario)?;
        let nodes = genesis.keys.iter().enumerate().map(|(node, keys)| {
            let skew = scenario.work.clock_skew_ms as i64;
            let machine = (rng.random_range(-skew..=skew), rng.random_range(100..=250));
            let engine = EngineSeat::new(&scenario, node, seed);
            Node::new(Signer::new(keys.clone()), machine, engine, custody(&scenario, node))
        });
        let nodes: Vec<Node> = nodes.collect();
        let mut finality = Finality::default();
        let genesis_block = transition::genesis::genesis_block(&genesis.state).message;
        let ctx = genesis.state.ctx();
        finality.block(
            types::SszExt::hash_tree_root(&genesis_block, ctx),
            Slot(0),
            genesis_block.parent_root,
        );
        let mut world = Self {
            network: Network::new(&scenario, GENESIS, stream(0)),
            verdicts: Verdicts::new(scenario.signatures),
            now: Time(GENESIS.0 - scenario.slot_ms()),
            trace: Trace::new(GENESIS),
            film: None,
            queue: Queue::default(),
            scenario,
            seed,
            rng,
            nodes,
            genesis,
            finality,
            slashing: Slashing::default(),
            participation: Participation::default(),
            payloads: BTreeMap::new(),
            withheld: BTreeSet::new(),
            #[cfg(test)]
            leaks: false,
            violation: None,
            counts: Counts::default(),
            missed: BTreeMap::new(),
        };
        world.schedule();
        Ok(world)
    }

    /// Puts what is known from the start on the queue: starts, crashes and the checkers' looks.
    fn schedule(&mut self) {
        let slot_ms = self.scenario.slot_ms();
        for node in 0..self.nodes.len() {
            let at = self.now.after_ms(self.rng.random_range(0..slot_ms / 2));
            self.queue.push(at, Event::Start { node });
        }
        let faults = self.scenario.faults;
        let epoch_ms = self.scenario.epoch_ms();
        let last = (faults.end_epoch * epoch_ms).saturating_sub(faults.downtime_ms.1 + CRASH_DELAY_MS).max(1);
        let first = epoch_ms.min(last);
        let together = self.rng.random_range(first..=last);
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.shuffle(&mut self.rng);
        for node in order.into_iter().take(faults.crashes) {
            let ms = match faults.moments {
                Moments::Apart => self.rng.random_range(first..=last),
                Moments::Together => together + self.rng.random_range(0..1_000),
            };
            let outputs = self.rng.random_range(0..40);
            self.queue.push(GENESIS.after_ms(ms), Event::Crash { node, outputs });
        }
        self.schedule_engines();
        // Two looks a slot: when blocks have come, and when votes have.
        for half in 0..2 * self.scenario.end_slot().0 {
            self.queue.push(GENESIS.after_ms(half * slot_ms / 2 + 20), Event::Check);
        }
    }

    /// Runs to the end, or to the first violation.
    pub fn run(&mut self) -> Result<(), Violation> {
        let end = GENESIS.after_ms(self.scenario.end_slot().0 * self.scenario.slot_ms());
        while let Some((at, event)) = self.queue.pop() {
            if at >= end {
                break;
            }
            self.now = at;
            self.happen(event);
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
        }
        self.check_end(end)
    }

    /// Where the honest nodes that are up stand.
    pub fn standings(&self) -> Vec<Standing> {
        let honest = self.nodes.len() - self.scenario.data.withholding.min(self.nodes.len());
        let standing = |(node, at): (usize, &Node)| {
            let view = at.running.as_ref()?.chain.view().clone();
            let finalized = view.finalized.clone();
            Some(Standing { node, head: view.head.root, slot: view.head.slot, finalized })
        };
        self.nodes[..honest].iter().enumerate().filter_map(standing).collect()
    }

    /// Milliseconds since genesis.
    pub fn elapsed_ms(&self) -> u64 {
        self.now.since(GENESIS)
    }

    /// The finalized epoch of the furthest node.
    pub fn finalized_epoch(&self) -> types::Epoch {
        self.finality.highest()
    }

    /// How many slashable signatures were made and found harmless.
    pub fn signatures_checked(&self) -> u64 {
        self.slashing.count
    }

    pub(crate) fn fail(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    pub(crate) fn draw(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        self.rng.random_range(range)
    }

    /// True for nodes that withhold the data of their blocks.
    pub(crate) fn is_byzantine(&self, node: usize) -> bool {
        node + self.scenario.data.withholding >= self.nodes.len()
    }

    /// True where the node still runs as it did when something was begun.
    pub(crate) fn is_current(&self, node: usize, generation: u64) -> bool {
        self.nodes[node].running.is_some() && self.nodes[node].generation == generation
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node } => self.start(node),
            Event::Crash { node, outputs } => self.nodes[node].crash_in = Some(outputs),
            Event::Timer { node, generation } if self.is_current(node, generation) => self.ring(node),
            Event::Gossip { node, from, packet } => self.gossip(node, from, packet),
            Event::Deliver { node, generation, todos } if self.is_current(node, generation) => {
                self.process(node, todos);
            }
            Event::JobDone { node, generation, id, result } if self.is_current(node, generation) => {
                self.job_done(node, id, result);
            }
            Event::Written { node, generation } if self.is_current(node, generation) => self.written(node),
            Event::Read { node, generation, id, key } if self.is_current(node, generation) => {
                let loaded = self.nodes[node].disk.load(key);
                self.process(node, vec![Todo::Chain(chain::Input::Loaded(id, loaded))]);
            }
            Event::Greet { node, generation, peer } if self.is_current(node, generation) => {
                self.ask_status(node, peer);
            }
            Event::Request { node, from, generation, asked } => self.serve(node, from, generation, asked),
            Event::Ask { node, generation, id, ask } if self.is_current(node, generation) => {
                self.ask(node, id, *ask);
            }
            Event::Recorded { node, generation, id, signed } if self.is_current(node, generation) => {
                self.recorded(node, id, signed);
            }
            Event::Engine { node, event } => self.engine_event(node, *event),
            Event::Check => self.check(),
            // The node has crashed since.
            _ => {}
        }
    }

    fn start(&mut self, node: usize) {
        let (now, seed) = (self.now, self.seed ^ ((node as u64) << 32));
        let state = self.genesis.state.clone();
        self.counts.from_journal += self.nodes[node].disk.journal().map_or(0, |blocks| blocks.len() as u64);
        if let Err(error) = self.nodes[node].start(now, (&self.scenario, &state), seed) {
            return self.fail(Violation::at("a node starts from what it stored", node, error.to_string()));
        }
        let Some(running) = &self.nodes[node].running else { return };
        let head = running.chain.view().head.clone();
        let generation = self.nodes[node].generation;
        let what = format_args!("start {generation} with head {} of slot {}", Short(&head.root), head.slot);
        self.trace.note(now, node, what);
        let ticks = vec![
            Todo::Chain(chain::Input::Tick),
            Todo::Sync(sync::Input::Tick),
            Todo::Duties(validator::Input::Tick),
        ];
        self.process(node, ticks);
        for peer in self.network.neighbours(node) {
            self.ask_status(node, peer);
        }
    }

    /// The crash that was armed happens now, in the middle of the node's outputs.
    pub(crate) fn crash(&mut self, node: usize) {
        self.counts.crashes += 1;
        self.nodes[node].crash();
        if let Some(film) = &mut self.film {
            film.goes_down(self.now, node);
        }
        let newest = self.nodes[node].disk.newest();
        self.trace.note(self.now, node, format_args!("crash; the disk has batch {newest:?}"));
        let (least, most) = self.scenario.faults.downtime_ms;
        let back = self.now.after_ms(self.draw(least..=most.max(least)));
        self.queue.push(back, Event::Start { node });
        for peer in self.network.neighbours(node) {
            let at = self.now.after_ms(self.network.delay_ms(node, peer));
            let gone = Todo::Sync(sync::Input::Gone(sync::PeerId(node as u64)));
            let generation = self.nodes[peer].generation;
            self.queue.push(at, Event::Deliver { node: peer, generation, todos: vec![gone] });
        }
    }

    fn ring(&mut self, node: usize) {
        let now = self.now;
        let clock = self.nodes[node].clock(now);
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.timer != Some(now) {
            return;
        }
        running.timer = None;
        let rings = if running.rings.0 == now { running.rings.1 + 1 } else { 1 };
        running.rings = (now, rings);
        if rings > RINGS_MAX {
            let what =
                format!("chain {:?}, sync, duties {:?}", running.chain.deadline(), running.duties.deadline());
            return self.fail(Violation::at("a machine wants ticks without end", node, what));
        }
        let mut ticks = Vec::new();
        if running.chain.deadline() <= clock {
            ticks.push(Todo::Chain(chain::Input::Tick));
        }
        if running.sync.deadline(clock).is_some_and(|at| at <= clock) {
            ticks.push(Todo::Sync(sync::Input::Tick));
        }
        if running.duties.deadline().is_some_and(|at| at <= clock) {
            ticks.push(Todo::Duties(validator::Input::Tick));
        }
        if running.eth1_deadline().is_some_and(|at| at <= clock) {
            ticks.push(Todo::Eth1(deposits::Input::Tick));
        }
        self.process(node, ticks);
    }

    /// Sees to it that the node's next timer is on the queue.
    pub(crate) fn set_timer(&mut self, node: usize) {
        let now = self.now;
        let clock = self.nodes[node].clock(now);
        let Some(running) = &self.nodes[node].running else { return };
        let machines = [
            Some(running.chain.deadline()),
            running.sync.deadline(clock),
            running.duties.deadline(),
            running.eth1_deadline(),
        ];
        let Some(first) = machines.into_iter().flatten().min() else { return };
        let at = self.nodes[node].world_time(first).max(now);
        let generation = self.nodes[node].generation;
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.timer.is_none_or(|timer| at < timer) {
            running.timer = Some(at);
            self.queue.push(at, Event::Timer { node, generation });
        }
    }

    fn written(&mut self, node: usize) {
        let Some(seq) = self.nodes[node].disk.sync() else { return };
        self.trace.note(self.now, node, format_args!("batch {seq} is durable"));
        let at = self.now.after_ms(self.draw(0..=self.scenario.work.ack_ms_max));
        let generation = self.nodes[node].generation;
        let todos = vec![Todo::Chain(chain::Input::Stored(seq))];
        self.queue.push(at, Event::Deliver { node, generation, todos });
    }

    fn recorded(&mut self, node: usize, id: validator::RequestId, signed: Signed) {
        self.nodes[node].signer.written(&signed.records);
        for (pubkey, record) in &signed.records {
            self.signed(node, *pubkey, *record);
        }
        let at = self.now.after_ms(self.draw(0..=self.scenario.work.ack_ms_max));
        let answer = validator::Input::Answer(id, validator::Answer::Signed(signed.results));
        let generation = self.nodes[node].generation;
        self.queue.push(at, Event::Deliver { node, generation, todos: vec![Todo::Duties(answer)] });
    }

    /// A signature is about to leave.
    fn signed(&mut self, node: usize, pubkey: BlsPubkey, record: Record) {
        if let Err(violation) = self.slashing.signed(node, pubkey, record) {
            self.fail(violation);
        }
    }
}

/// The columns of a node, whose identity follows from its number.
fn custody(scenario: &Scenario, node: usize) -> BTreeSet<ColumnIndex> {
    let config = &scenario.spec.config;
    let groups = match node < scenario.data.supernodes {
        true => config.number_of_custody_groups,
        // Every node has validators.
        false => config.custody_requirement.max(config.validator_custody_requirement),
    };
    let id = crypto::hash(&(node as u64).to_le_bytes());
    sampling_columns(scenario.spec, &id, groups).expect("the configuration has so many groups")
}
