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

use std::collections::BTreeMap;
use std::sync::Arc;

use chain::{JobId, JobResult, LoadId, LoadKey};
use fork_choice::naive::NaiveStore;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use types::{BlsPubkey, Slot, Time};
use validator::Ask;

use crate::checkers::{Finality, Slashing, Standing, Violation, check_end, heads_agree};
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

/// Looks of the checkers, two a slot, at which a node may be loading the state of a new head.
const LOADING_CHECKS_MAX: u32 = 4;

/// How long a gossip message, command or segment may go without its answer, in epochs.
const ANSWER_EPOCHS: u64 = 2;

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
    pub(crate) finality: Finality,
    pub(crate) slashing: Slashing,
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
        let nodes = genesis.keys.iter().map(|keys| {
            let skew = scenario.work.clock_skew_ms as i64;
            let (skew_ms, slowness) = (rng.random_range(-skew..=skew), rng.random_range(100..=250));
            Node::new(Signer::new(keys.clone()), skew_ms, slowness)
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
            queue: Queue::default(),
            scenario,
            seed,
            rng,
            nodes,
            genesis,
            finality,
            slashing: Slashing::default(),
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
        check_end(self.nodes.len(), &self.standings(), &self.finality, self.scenario.finalized_at_least)?;
        self.check_answers(Time(end.0.saturating_sub(ANSWER_EPOCHS * self.scenario.epoch_ms())))
    }

    /// Where the nodes that are up stand.
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |(node, at): (usize, &Node)| {
            let view = at.running.as_ref()?.chain.view().clone();
            let finalized = view.finalized.clone();
            Some(Standing { node, head: view.head.root, slot: view.head.slot, finalized })
        };
        self.nodes.iter().enumerate().filter_map(standing).collect()
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

    /// True where the node still runs as it did when something was begun.
    fn is_current(&self, node: usize, generation: u64) -> bool {
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
            Event::Check => self.check(),
            // The node has crashed since.
            _ => {}
        }
    }

    fn start(&mut self, node: usize) {
        let (now, seed) = (self.now, self.seed ^ ((node as u64) << 32));
        let state = self.genesis.state.clone();
        if let Err(error) = self.nodes[node].start(now, &state, seed) {
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
        self.process(node, ticks);
    }

    /// Sees to it that the node's next timer is on the queue.
    pub(crate) fn set_timer(&mut self, node: usize) {
        let now = self.now;
        let clock = self.nodes[node].clock(now);
        let Some(running) = &self.nodes[node].running else { return };
        let machines =
            [Some(running.chain.deadline()), running.sync.deadline(clock), running.duties.deadline()];
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

    fn check(&mut self) {
        for node in 0..self.nodes.len() {
            let Some(running) = &mut self.nodes[node].running else { continue };
            let view = running.chain.view().clone();
            let result = heads_agree(node, view.head.root, running.chain.fork_choice());
            // A head whose state is not in memory is shown once the state is loaded.
            let is_loading = result.is_err() && {
                let expected = NaiveStore::observe(running.chain.fork_choice()).get_head();
                !view.states.contains_key(&expected)
            };
            running.loading_checks = if is_loading { running.loading_checks + 1 } else { 0 };
            let result =
                if running.loading_checks > LOADING_CHECKS_MAX || !is_loading { result } else { Ok(()) };
            let what = format_args!(
                "head {} of slot {}, justified {}, final {}",
                Short(&view.head.root),
                view.head.slot,
                view.justified.epoch,
                view.finalized.epoch
            );
            self.trace.note(self.now, node, what);
            if let Err(violation) = result.and_then(|()| check_bounds(node, &view)) {
                self.fail(violation);
            }
        }
    }

    /// What was given to a chain before `since` must have been answered by now.
    fn check_answers(&self, since: Time) -> Result<(), Violation> {
        for (node, at) in self.nodes.iter().enumerate() {
            let Some(running) = &at.running else { continue };
            let gossip = running.undecided.values().map(|(packet, _, at)| (packet.name.clone(), *at));
            let commands = running.commands.iter().map(|(id, (_, at))| (format!("{id:?}"), *at));
            let segments = running.segments.iter().map(|(id, at)| (format!("{id:?}"), *at));
            if let Some((name, at)) = gossip.chain(commands).chain(segments).find(|(_, at)| *at < since) {
                let what = format!("{name} of {} ms after genesis has no answer", at.since(GENESIS));
                return Err(Violation::at("everything is answered", node, what));
            }
        }
        Ok(())
    }
}

/// Compares a chain's counts with its own limits.
fn check_bounds(node: usize, view: &chain::View) -> Result<(), Violation> {
    use chain::limits;
    let counters = &view.counters;
    let bounds = [
        ("blocks aside", counters.blocks_pending, limits::PENDING_BLOCKS_MAX + limits::EARLY_BLOCKS_MAX),
        (
            "votes aside",
            counters.attestations_pending,
            limits::WAITING_ATTESTATIONS_MAX + limits::EARLY_ATTESTATIONS_MAX,
        ),
        ("states", counters.states_held, limits::STATES_MAX + limits::CHECKPOINT_STATES_MAX),
        ("blocks", view.blocks.len() as u64, limits::RECENT_BLOCKS_MAX),
    ];
    match bounds.into_iter().find(|(_, count, max)| *count > *max as u64) {
        Some((name, count, max)) => {
            Err(Violation::at("everything is bounded", node, format!("{count} {name}, at most {max}")))
        }
        None => Ok(()),
    }
}
