//! The one thread that writes: it owns the chain and sync, and maps the outputs of each to inputs of the other.
//!
//! ```text
//!   inbox ──▶ chain.handle ─┬─▶ segment outcomes, wanted blocks ──▶ sync.handle ─┬─▶ requests, charges ──▶ outbox
//!     ▲                     ├─▶ jobs ──▶ workers ──┐                             └─▶ segments ──▶ chain.handle
//!     │                     ├─▶ calls ─▶ engine ───┤
//!     └── answers ──────────┼─▶ batches ─▶ disk ───┤
//!                           ├─▶ loads ──▶ reader ──┘
//!                           └─▶ verdicts, messages ──▶ outbox;   view, then replies and events ──▶ API
//! ```
//!
//! Replies and events leave after the view is published: who hears of a block can read it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::{
    Chain, Command, CommandId, Event, GossipMessage, Input, Output, Reply, SegmentId, SegmentOutcome,
    SidecarsId, SidecarsOutcome, View, Want,
};
use data_availability::ColumnIndex;
use sync::{ChainStatus, ImportId, ImportOutcome, Sync, SyncState};
use tokio::sync::{broadcast, mpsc, oneshot};
use types::Time;

use crate::backfill::Backfilled;
use crate::clock;
use crate::disk::Disk;
use crate::engine_calls::EngineCalls;
use crate::events::api_event;
use crate::evidence::EvidenceKeeper;
use crate::gossip_ids::{GossipIds, Open};
use crate::import_times::ImportTimes;
use crate::loads::Reader;
use crate::mailbox::{Answer, Gossip, Inbox, Message, Urgent};
use crate::metrics::{Counts, topic};
use crate::outbox::{Outbox, ToNetwork};
use crate::peers::Peers;
use crate::published::Published;
use crate::requests::{charge, encode_request};
use crate::status::local_status;
use crate::workers::Workers;

/// The longest sleep: a wall clock that jumps is noticed after it.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// What the core thread hands its outputs to.
pub struct Exits {
    /// Runs jobs.
    pub workers: Workers,
    /// Stores batches.
    pub disk: Disk,
    /// Reads states.
    pub reader: Reader,
    /// Keeps evidence.
    pub evidence: EvidenceKeeper,
    /// Asks the execution engine.
    pub engine: EngineCalls,
    /// Tells the network.
    pub outbox: Outbox,
    /// Who is connected.
    pub peers: Arc<Peers>,
    /// Shows the view.
    pub published: Arc<Published>,
    /// Stores columns of old blocks.
    pub backfill: mpsc::Sender<Backfilled>,
    /// Tells subscribers of the API.
    pub events: broadcast::Sender<api::Event>,
    /// Counts what happens.
    pub counts: Arc<Counts>,
}

/// The core thread's state.
pub struct Core {
    chain: Chain,
    sync: Sync,
    inbox: Inbox,
    exits: Exits,
    gossip: GossipIds,
    commands: HashMap<CommandId, oneshot::Sender<Reply>>,
    next_command: u64,
    for_chain: VecDeque<Input>,
    for_sync: VecDeque<sync::Input>,
    replies: Vec<(CommandId, Reply)>,
    events: Vec<Event>,
    shown: Arc<View>,
    status: Vec<u8>,
    stored: u64,
    times: ImportTimes,
    stopping: Option<Stopping>,
}

/// An orderly stop: wait until the flush is durable.
struct Stopping {
    flush: CommandId,
    seq: Option<u64>,
    done: oneshot::Sender<()>,
}

/// How the core thread goes on.
enum Next {
    Continue,
    Stop,
}

impl Core {
    /// Wires up a chain of a node that samples these columns.
    pub fn new(chain: Chain, columns: BTreeSet<ColumnIndex>, inbox: Inbox, exits: Exits) -> Self {
        let shown = chain.view().clone();
        let sync = Sync::new(shown.spec, chain_status(&shown), columns);
        Self {
            chain,
            sync,
            inbox,
            exits,
            gossip: GossipIds::default(),
            commands: HashMap::new(),
            next_command: 0,
            for_chain: VecDeque::new(),
            for_sync: VecDeque::new(),
            replies: Vec::new(),
            events: Vec::new(),
            shown,
            status: Vec::new(),
            stored: 0,
            times: ImportTimes::default(),
            stopping: None,
        }
    }

    /// Runs until it is told to stop; an error where the node is broken.
    pub fn run(mut self) -> Result<(), String> {
        self.settle(clock::now())?;
        loop {
            let now = clock::now();
            if self.chain.deadline() <= now {
                self.for_chain.push_back(Input::Tick);
            }
            if self.sync.deadline(now).is_some_and(|deadline| deadline <= now) {
                self.for_sync.push_back(sync::Input::Tick);
            }
            self.settle(now)?;
            let message = self.inbox.next(self.sleep(now));
            let begun = Instant::now();
            if let Next::Stop = self.take(message)? {
                break;
            }
            self.settle(clock::now())?;
            self.exits.counts.worked(begun.elapsed());
        }
        if let Some(stopping) = self.stopping {
            // Whoever asked may have gone; the stop is done either way.
            let _ = stopping.done.send(());
        }
        self.exits.disk.shut_down();
        self.exits.evidence.shut_down();
        Ok(())
    }

    fn sleep(&self, now: Time) -> Duration {
        let chain = self.chain.deadline();
        let next = self.sync.deadline(now).map_or(chain, |deadline| deadline.min(chain));
        let sleep = Duration::from_millis(next.since(now));
        // A machine that wants to be ticked over and over must not keep messages out.
        sleep.clamp(Duration::from_millis(1), SLEEP_MAX)
    }

    fn take(&mut self, message: Message) -> Result<Next, String> {
        match message {
            Message::Answer(answer) => self.take_answer(answer)?,
            Message::Urgent(Urgent::Stop(done)) if self.stopping.is_none() => self.begin_stop(done),
            Message::Urgent(_) | Message::Gossip(_) if self.stopping.is_some() => {}
            Message::Urgent(urgent) => self.take_urgent(urgent),
            Message::Gossip(gossip) => self.take_gossip(gossip),
            Message::Silence => {}
            Message::Closed => return Ok(Next::Stop),
        }
        let durable = |stopping: &Stopping| stopping.seq.is_some_and(|seq| seq <= self.stored);
        Ok(if self.stopping.as_ref().is_some_and(durable) { Next::Stop } else { Next::Continue })
    }

    fn take_answer(&mut self, answer: Answer) -> Result<(), String> {
        self.for_chain.push_back(match answer {
            Answer::Job(id, result, time) => {
                self.times.job_ended(id, time);
                self.exits.counts.job_ended(time, &result);
                Input::JobDone(id, result)
            }
            Answer::Stored(seq) => {
                self.stored = seq;
                Input::Stored(seq)
            }
            Answer::Loaded(id, loaded) => Input::Loaded(id, loaded),
            Answer::Engine(id, reply) => Input::EngineDone(id, reply),
            Answer::Broken(why) => return Err(why),
        });
        Ok(())
    }

    fn take_urgent(&mut self, urgent: Urgent) {
        match urgent {
            Urgent::Block(gossip) => self.take_gossip(gossip),
            Urgent::Command(command, reply, arrived) => {
                if let Some(block) = command.published_block() {
                    self.times.arrived(block, arrived);
                }
                let id = self.command(command);
                self.commands.insert(id, reply);
            }
            Urgent::Status(peer, status) => {
                self.for_sync.push_back(sync::Input::Status(peer, status));
                if self.should_look_up(&status) {
                    self.for_sync.push_back(sync::Input::Want(status.head_root, Some(peer)));
                }
            }
            Urgent::Custody(peer, columns) => {
                self.for_sync.push_back(sync::Input::Custody(peer, columns));
            }
            Urgent::Gone(peer) => self.for_sync.push_back(sync::Input::Gone(peer)),
            Urgent::Chunk(id, block) => self.for_sync.push_back(sync::Input::Chunk(id, block)),
            Urgent::Sidecar(id, sidecar) => self.for_sync.push_back(sync::Input::Sidecar(id, sidecar)),
            Urgent::Done(id) => self.for_sync.push_back(sync::Input::Done(id)),
            Urgent::Failed(id, error) => self.for_sync.push_back(sync::Input::Failed(id, error)),
            Urgent::Backfill(input) => self.for_sync.push_back(input),
            Urgent::Eth1(followed) => self.for_chain.push_back(Input::Eth1(followed)),
            Urgent::Stop(_) => {}
        }
    }

    /// True where a peer's head is one that gossip may not bring any more, and range sync sees no gap to close: a last
    /// block that came before we were there, or another branch after a partition.
    fn should_look_up(&self, status: &sync::Status) -> bool {
        let view = &self.shown;
        let is_due = status.head_slot <= view.current_slot
            && status.head_slot > view.finalized.epoch.start_slot(view.spec);
        is_due
            && self.exits.published.sync() == SyncState::Synced
            && !view.fork_choice.nodes.iter().any(|summary| summary.node.root == status.head_root)
    }

    fn take_gossip(&mut self, gossip: Gossip) {
        let (message, source, topic) = (gossip.message_id, gossip.source, topic(&gossip.message));
        if let GossipMessage::Block(block) = &gossip.message {
            self.times.arrived(block, gossip.arrived);
            self.exits.counts.block_arrived(&self.shown, block.message.slot, clock::now());
        }
        let id = self.gossip.open(Open { message, source, topic, since: Instant::now() }, gossip.peer);
        self.for_chain.push_back(Input::Gossip { id, message: gossip.message });
    }

    fn command(&mut self, command: Command) -> CommandId {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        if let Command::SetCustody(columns) = &command {
            self.for_sync.push_back(sync::Input::Columns(columns.clone()));
        }
        self.for_chain.push_back(Input::Command(id, command));
        id
    }

    fn begin_stop(&mut self, done: oneshot::Sender<()>) {
        let flush = self.command(Command::Flush);
        self.stopping = Some(Stopping { flush, seq: None, done });
    }

    /// Feeds both machines until neither has anything to say, then publishes what came of it.
    fn settle(&mut self, now: Time) -> Result<(), String> {
        loop {
            while let Some(output) = self.chain.poll() {
                self.chain_output(output)?;
            }
            while let Some(output) = self.sync.poll() {
                self.sync_output(output);
            }
            if let Some(input) = self.for_chain.pop_front() {
                self.chain.handle(now, input);
            } else if let Some(input) = self.for_sync.pop_front() {
                self.sync.handle(now, input);
            } else if !self.show_view() {
                break;
            }
        }
        self.answer();
        Ok(())
    }

    /// Publishes the view where it changed, and tells sync and peers of it; true where sync has to hear of it.
    fn show_view(&mut self) -> bool {
        let view = self.chain.view().clone();
        if Arc::ptr_eq(&view, &self.shown) {
            return false;
        }
        let status = chain_status(&view);
        let moved = status != chain_status(&self.shown);
        self.shown = view.clone();
        let local = local_status(&view);
        if local != self.status {
            self.status.clone_from(&local);
            self.exits.outbox.send(ToNetwork::SetStatus(local));
        }
        self.exits.published.show_view(view);
        self.times.tell(&self.shown, &self.exits.counts);
        if moved {
            self.for_sync.push_back(sync::Input::Chain(status));
        }
        moved
    }

    fn answer(&mut self) {
        for (id, reply) in self.replies.drain(..) {
            if let Some(sender) = self.commands.remove(&id) {
                // A client that hung up does not want its answer.
                let _ = sender.send(reply);
            }
        }
        let events = std::mem::take(&mut self.events);
        if self.exits.events.receiver_count() > 0 {
            for event in events {
                let _ = self.exits.events.send(api_event(&self.shown, event));
            }
        }
    }

    fn chain_output(&mut self, output: Output) -> Result<(), String> {
        match output {
            Output::Verdict(id, verdict) => {
                if let Some(Open { message, source, topic, since }) = self.gossip.close(id) {
                    self.exits.counts.verdict(topic, verdict, since.elapsed());
                    self.exits.outbox.send(ToNetwork::Verdict(message, source, network_verdict(verdict)));
                }
            }
            Output::Publish(message) => {
                self.exits.counts.published(topic(&message));
                self.exits.outbox.send(ToNetwork::Publish(message));
            }
            Output::Job(id, priority, job) => {
                self.exits.counts.job_given(&job);
                if let Some(block) = job.executed_block() {
                    self.times.job_given(id, block);
                }
                self.exits.workers.submit(id, priority, job);
            }
            Output::Store(batch) => self.exits.disk.store(batch)?,
            Output::Load(id, key) => {
                if !self.exits.reader.read(id, key) {
                    let failed = chain::Loaded::Failed("too many reads wait".to_owned());
                    self.for_chain.push_back(Input::Loaded(id, failed));
                }
            }
            Output::Fetch(Want::Block { root, reason }) => {
                let source = self.gossip.source(reason);
                self.for_sync.push_back(sync::Input::Want(root, source));
            }
            Output::Fetch(Want::Sidecars { root, slot, indices, from }) => {
                let from = self.gossip.sender(from);
                self.for_sync.push_back(sync::Input::WantSidecars { root, slot, indices, from });
            }
            Output::SidecarsDone(id, outcome) => {
                let outcome = sidecars_outcome(outcome);
                self.for_sync.push_back(sync::Input::SidecarsDecided(ImportId(id.0), outcome));
            }
            Output::Engine(id, request) => self.exits.engine.ask(id, request),
            Output::SegmentDone(id, outcome) => {
                self.for_sync.push_back(sync::Input::Decided(ImportId(id.0), import_outcome(outcome)));
            }
            Output::Reply(id, reply) => self.reply(id, reply),
            Output::Event(event) => {
                self.exits.counts.event(&self.shown, &event, clock::now());
                if let Event::Block { block, .. } = &event {
                    self.times.imported(*block);
                }
                self.events.push(event);
            }
            Output::Evidence(evidence) => self.exits.evidence.keep(evidence),
            Output::Fault(fault) => tracing::error!(fault, "a fault of our own"),
        }
        Ok(())
    }

    fn reply(&mut self, id: CommandId, reply: Reply) {
        match (&mut self.stopping, reply) {
            (Some(stopping), Reply::Flushed { seq }) if stopping.flush == id => stopping.seq = Some(seq),
            (_, reply) => self.replies.push((id, reply)),
        }
    }

    fn sync_output(&mut self, output: sync::Output) {
        match output {
            sync::Output::Request(id, peer, request) => match self.exits.peers.peer(peer) {
                Some(target) => {
                    let (method, ssz) = encode_request(&request);
                    self.exits.outbox.send(ToNetwork::Request(id.0, target, method, ssz));
                }
                None => {
                    let error = sync::RequestError::Disconnected;
                    self.for_sync.push_back(sync::Input::Failed(id, error));
                }
            },
            sync::Output::Import(id, blocks, sidecars) => {
                self.for_chain.push_back(Input::Segment { id: SegmentId(id.0), blocks, sidecars });
            }
            sync::Output::ImportSidecars(id, sidecars) => {
                self.for_chain.push_back(Input::Sidecars { id: SidecarsId(id.0), sidecars });
            }
            // There is room for one, and nobody waits for another; where nobody waits at all, it is asked for again.
            sync::Output::Backfilled(number, sidecars) => {
                drop(self.exits.backfill.try_send((number, sidecars)))
            }
            sync::Output::Charge(peer, offence) => {
                if let Some(target) = self.exits.peers.peer(peer) {
                    let (delta, why) = charge(offence);
                    self.exits.outbox.send(ToNetwork::Report(target, delta, why));
                }
            }
            sync::Output::RefreshStatus(peer) => {
                if let Some(target) = self.exits.peers.peer(peer) {
                    self.exits.outbox.send(ToNetwork::RefreshStatus(target));
                }
            }
            sync::Output::State(state) => {
                match state {
                    SyncState::Synced => tracing::info!("in step with our peers"),
                    SyncState::Syncing { distance, target } => {
                        tracing::info!(distance, %target, "behind our peers: catching up");
                    }
                }
                self.exits.published.show_sync(state);
            }
        }
    }
}

fn chain_status(view: &View) -> ChainStatus {
    ChainStatus {
        head_slot: view.head.slot,
        head_root: view.head.root,
        finalized_epoch: view.finalized.epoch,
        current_slot: view.current_slot,
    }
}

fn network_verdict(verdict: chain::Verdict) -> network::Verdict {
    match verdict {
        chain::Verdict::Accept => network::Verdict::Accept,
        chain::Verdict::Ignore(why) => {
            tracing::trace!(%why, "gossip ignored");
            network::Verdict::Ignore
        }
        chain::Verdict::Reject(why) => {
            tracing::debug!(%why, "gossip rejected");
            network::Verdict::Reject
        }
    }
}

fn sidecars_outcome(outcome: SidecarsOutcome) -> sync::SidecarsOutcome {
    match outcome {
        SidecarsOutcome::Taken => sync::SidecarsOutcome::Taken,
        SidecarsOutcome::Invalid { root, index, why } => {
            tracing::warn!(%root, index, why, "a peer sent an invalid blob or column");
            sync::SidecarsOutcome::Invalid { root, index }
        }
        SidecarsOutcome::Failed(why) => {
            tracing::debug!(why, "blobs or columns could not be verified");
            sync::SidecarsOutcome::Failed
        }
    }
}

fn import_outcome(outcome: SegmentOutcome) -> ImportOutcome {
    match outcome {
        SegmentOutcome::Imported { .. } => ImportOutcome::Imported,
        SegmentOutcome::UnknownParent => ImportOutcome::UnknownParent,
        SegmentOutcome::DataMissing { root, missing, .. } => {
            tracing::debug!(%root, ?missing, "blobs or columns of a block are missing");
            ImportOutcome::DataMissing { root, missing }
        }
        SegmentOutcome::InvalidSidecar { root, index, why } => {
            tracing::warn!(%root, index, why, "a peer sent an invalid blob or column");
            ImportOutcome::InvalidSidecar { root, index }
        }
        SegmentOutcome::Invalid { root, why, .. } => {
            tracing::warn!(%root, why, "a peer sent an invalid block");
            ImportOutcome::Invalid
        }
        SegmentOutcome::Failed(why) => {
            tracing::warn!(why, "blocks of sync could not be imported");
            ImportOutcome::Failed
        }
    }
}
