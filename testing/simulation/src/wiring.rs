//! What becomes of the machines' outputs: each goes to another machine of the node, or to the world.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chain::{
    GossipId, GossipMessage, Job, JobId, JobResult, Output, SegmentId, SegmentOutcome, SidecarsId,
    SidecarsOutcome, Verdict, Want, WantReason,
};
use engine::{EngineFailure, EngineReply};
use sync::{ImportId, ImportOutcome, PeerId, RequestError, Status, SyncState};

use crate::checkers::Violation;
use crate::node::{Todo, chain_status};
use crate::packet::{Packet, Short};
use crate::serve;
use crate::world::{Asked, Event, World};

impl World {
    /// Gives inputs to a node's machines, and what follows from them, until the node is quiet.
    pub(crate) fn process(&mut self, node: usize, todos: Vec<Todo>) {
        let mut todos = VecDeque::from(todos);
        while let Some(todo) = todos.pop_front() {
            match todo {
                Todo::Chain(input) => self.chain_input(node, input, &mut todos),
                Todo::Sync(input) => self.sync_input(node, input, &mut todos),
                Todo::Duties(input) => self.duties_input(node, input),
                Todo::Status(peer, status) => self.status_input(node, peer, status, &mut todos),
            }
            if self.nodes[node].running.is_none() || self.violation.is_some() {
                return;
            }
        }
        self.set_timer(node);
    }

    /// Counts an output towards a crash that is armed; true where the node is down now.
    fn crashes(&mut self, node: usize) -> bool {
        match &mut self.nodes[node].crash_in {
            None => false,
            Some(0) => {
                self.crash(node);
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn chain_input(&mut self, node: usize, input: chain::Input, todos: &mut VecDeque<Todo>) {
        let clock = self.nodes[node].clock(self.now);
        let Some(running) = &mut self.nodes[node].running else { return };
        running.chain.handle(clock, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| running.chain.poll()).collect();
        for output in outputs {
            if self.crashes(node) {
                return;
            }
            self.chain_output(node, output, todos);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        let view = running.chain.view().clone();
        let status = chain_status(&view);
        if status != running.told {
            running.told = status;
            todos.push_back(Todo::Sync(sync::Input::Chain(status)));
        }
        if let Err(violation) = self.finality.finalized(node, &view.finalized) {
            self.fail(violation);
        }
    }

    fn chain_output(&mut self, node: usize, output: Output, todos: &mut VecDeque<Todo>) {
        let generation = self.nodes[node].generation;
        match output {
            Output::Verdict(id, verdict) => self.verdict(node, id, verdict),
            Output::Publish(message) => self.publish(node, &message),
            Output::Job(id, priority, job) => {
                let Some(running) = &mut self.nodes[node].running else { return };
                running.jobs.insert((priority, id.0), (id, job));
                self.start_jobs(node);
            }
            Output::Store(batch) => self.store(node, batch),
            Output::Load(id, key) => {
                let at = self.now.after_ms(self.draw(1..=self.scenario.work.store_ms_max));
                self.queue.push(at, Event::Read { node, generation, id, key });
            }
            Output::Fetch(Want::Block { root, reason }) => {
                let (WantReason::Parent { from } | WantReason::Attested { from }) = reason;
                let Some(running) = &self.nodes[node].running else { return };
                let sender = from.and_then(|id| running.senders.get(&id)).map(|from| PeerId(*from as u64));
                self.trace.note(self.now, node, format_args!("wants {} of {sender:?}", Short(&root)));
                todos.push_back(Todo::Sync(sync::Input::Want(root, sender)));
            }
            Output::Fetch(Want::Sidecars { root, slot, indices, from }) => {
                let Some(running) = &self.nodes[node].running else { return };
                let from = from.and_then(|id| running.senders.get(&id)).map(|from| PeerId(*from as u64));
                todos.push_back(Todo::Sync(sync::Input::WantSidecars { root, slot, indices, from }));
            }
            Output::SidecarsDone(id, outcome) => {
                let outcome = match outcome {
                    SidecarsOutcome::Taken => sync::SidecarsOutcome::Taken,
                    SidecarsOutcome::Failed(_) => sync::SidecarsOutcome::Failed,
                    SidecarsOutcome::Invalid { why, .. } => {
                        return self.fail(Violation::at("no honest sidecar is invalid", node, why));
                    }
                };
                todos.push_back(Todo::Sync(sync::Input::SidecarsDecided(ImportId(id.0), outcome)));
            }
            Output::Engine(id, _) => {
                let failure = EngineFailure::Unreachable("no execution engine is configured".to_owned());
                todos.push_back(Todo::Chain(chain::Input::EngineDone(id, EngineReply::Failed(failure))));
            }
            Output::SegmentDone(id, outcome) => self.segment_done(node, id, outcome, todos),
            Output::Reply(id, reply) => self.reply(node, id, reply),
            Output::Event(event) => self.event(node, event),
            Output::Fault(text) => self.fail(Violation::at("the chain has no faults", node, text)),
        }
    }

    fn verdict(&mut self, node: usize, id: GossipId, verdict: Verdict) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some((packet, from, _)) = running.undecided.remove(&id) else {
            let what = format!("{id:?} got {verdict:?} without being undecided");
            return self.fail(Violation::at("one verdict for each message", node, what));
        };
        match verdict {
            Verdict::Accept => {
                self.trace.note(self.now, node, format_args!("accepts {}", packet.name));
                self.spread(node, Some(from), &packet);
            }
            Verdict::Ignore(why) => {
                self.counts.ignored += 1;
                self.trace.note(self.now, node, format_args!("ignores {}: {why}", packet.name));
            }
            // Everyone in the world is honest.
            Verdict::Reject(why) => {
                let what = format!("{} from node {from} is rejected: {why}", packet.name);
                self.fail(Violation::at("no honest message is rejected", node, what));
            }
        }
    }

    fn publish(&mut self, node: usize, message: &GossipMessage) {
        let packet = match Packet::new(self.scenario.spec, message) {
            Ok(packet) => Arc::new(packet),
            Err(error) => {
                return self.fail(Violation::at("what is published decodes", node, error.to_string()));
            }
        };
        if let GossipMessage::Block(block) = &packet.message {
            let ctx = self.scenario.spec.ctx_at_slot(block.message.slot);
            let root = types::SszExt::hash_tree_root(&block.message, ctx);
            self.finality.block(root, block.message.slot, block.message.parent_root);
            self.counts.blocks += 1;
        }
        self.trace.note(self.now, node, format_args!("publishes {}", packet.name));
        let Some(running) = &mut self.nodes[node].running else { return };
        running.seen.insert(packet.id);
        self.spread(node, None, &packet);
    }

    /// Sends a message to all neighbours but the one that it came from.
    fn spread(&mut self, node: usize, from: Option<usize>, packet: &Arc<Packet>) {
        for to in self.network.neighbours(node) {
            if Some(to) == from {
                continue;
            }
            for at in self.network.copies(self.now, node, to) {
                self.queue.push(at, Event::Gossip { node: to, from: node, packet: packet.clone() });
            }
        }
    }

    /// A gossip message arrives.
    pub(crate) fn gossip(&mut self, node: usize, from: usize, packet: Arc<Packet>) {
        let now = self.now;
        let Some(running) = &mut self.nodes[node].running else { return };
        if !running.seen.insert(packet.id) {
            return;
        }
        self.counts.gossip += 1;
        let id = GossipId(running.next_id());
        self.trace.note(now, node, format_args!("hears {} from node {from}", packet.name));
        running.remember_sender(id, from);
        let message = packet.message.clone();
        running.undecided.insert(id, (packet, from, now));
        self.process(node, vec![Todo::Chain(chain::Input::Gossip { id, message })]);
    }

    /// Gives waiting jobs to free workers, the most urgent first.
    fn start_jobs(&mut self, node: usize) {
        loop {
            let workers = self.scenario.work.workers;
            let Some(running) = &mut self.nodes[node].running else { return };
            if running.busy >= workers {
                return;
            }
            let Some((_, (id, job))) = running.jobs.pop_first() else { return };
            running.busy += 1;
            let name = job.name();
            let (least, most) = duration_ms(&job);
            let percent = self.nodes[node].slowness_percent * self.scenario.work.job_percent / 100;
            let ms = (self.draw(least..=most) * percent / 100).max(1);
            let verdicts = &mut self.verdicts;
            let run = AssertUnwindSafe(|| job.run_with(&mut |sets, seed| verdicts.find_invalid(sets, seed)));
            let result =
                catch_unwind(run).unwrap_or_else(|_| JobResult::Panicked(format!("{name} panicked")));
            self.counts.jobs += 1;
            self.trace.note(self.now, node, format_args!("runs {name} {} for {ms} ms", id.0));
            let generation = self.nodes[node].generation;
            self.queue.push(self.now.after_ms(ms), Event::JobDone { node, generation, id, result });
        }
    }

    /// A job ends.
    pub(crate) fn job_done(&mut self, node: usize, id: JobId, result: JobResult) {
        if let Some(running) = &mut self.nodes[node].running {
            running.busy -= 1;
        }
        self.trace.note(self.now, node, format_args!("job {} is done", id.0));
        self.process(node, vec![Todo::Chain(chain::Input::JobDone(id, result))]);
        self.start_jobs(node);
    }

    fn store(&mut self, node: usize, batch: chain::StoreBatch) {
        let newest = self.nodes[node].disk.newest();
        // A restart begins a new run of numbers or goes on with the old one.
        if newest.is_some_and(|newest| batch.seq != newest + 1) && self.nodes[node].generation == 1 {
            let what = format!("batch {} comes after {newest:?}", batch.seq);
            return self.fail(Violation::at("batches are numbered in order", node, what));
        }
        self.trace.note(
            self.now,
            node,
            format_args!("stores batch {} of {} writes", batch.seq, batch.ops.len()),
        );
        self.nodes[node].disk.submit(batch);
        let begins = self.nodes[node].disk_free.max(self.now);
        let at = begins.after_ms(self.draw(1..=self.scenario.work.store_ms_max));
        self.nodes[node].disk_free = at;
        let generation = self.nodes[node].generation;
        self.queue.push(at, Event::Written { node, generation });
    }

    fn segment_done(
        &mut self,
        node: usize,
        id: SegmentId,
        outcome: SegmentOutcome,
        todos: &mut VecDeque<Todo>,
    ) {
        self.trace.note(self.now, node, format_args!("segment {}: {outcome:?}", id.0));
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.segments.remove(&id).is_none() {
            return self.fail(Violation::at(
                "one outcome for each segment",
                node,
                format!("{id:?}: {outcome:?}"),
            ));
        }
        let outcome = match outcome {
            SegmentOutcome::Imported { .. } => ImportOutcome::Imported,
            SegmentOutcome::UnknownParent => ImportOutcome::UnknownParent,
            SegmentOutcome::Failed(_) => ImportOutcome::Failed,
            SegmentOutcome::DataMissing { root, missing, .. } => ImportOutcome::DataMissing { root, missing },
            SegmentOutcome::InvalidSidecar { why, .. } | SegmentOutcome::Invalid { why, .. } => {
                return self.fail(Violation::at("no honest block is invalid", node, why));
            }
        };
        todos.push_back(Todo::Sync(sync::Input::Decided(ImportId(id.0), outcome)));
    }

    fn sync_input(&mut self, node: usize, input: sync::Input, todos: &mut VecDeque<Todo>) {
        let clock = self.nodes[node].clock(self.now);
        let Some(running) = &mut self.nodes[node].running else { return };
        running.sync.handle(clock, input);
        let outputs: Vec<sync::Output> = std::iter::from_fn(|| running.sync.poll()).collect();
        for output in outputs {
            if self.crashes(node) {
                return;
            }
            match output {
                sync::Output::Request(id, peer, request) => {
                    self.trace.note(self.now, node, format_args!("asks node {} for {request:?}", peer.0));
                    self.request(node, peer.0 as usize, Asked::Blocks(id, request));
                }
                sync::Output::Import(id, blocks, sidecars) => {
                    let now = self.now;
                    let Some(running) = &mut self.nodes[node].running else { return };
                    let id = SegmentId(id.0);
                    running.segments.insert(id, now);
                    self.trace.note(now, node, format_args!("segment {} of {} blocks", id.0, blocks.len()));
                    todos.push_back(Todo::Chain(chain::Input::Segment { id, blocks, sidecars }));
                }
                sync::Output::ImportSidecars(id, sidecars) => {
                    let id = SidecarsId(id.0);
                    todos.push_back(Todo::Chain(chain::Input::Sidecars { id, sidecars }));
                }
                sync::Output::Charge(peer, offence) => {
                    self.trace.note(self.now, node, format_args!("charges node {}: {offence:?}", peer.0));
                    if offence != sync::Offence::NoAnswer {
                        let what = format!("node {} is charged with {offence:?}", peer.0);
                        self.fail(Violation::at("no honest peer is charged", node, what));
                    }
                }
                sync::Output::RefreshStatus(peer) => self.ask_status(node, peer.0 as usize),
                sync::Output::State(state) => {
                    self.trace.note(self.now, node, format_args!("{state:?}"));
                    if let Some(running) = &mut self.nodes[node].running {
                        running.sync_state = state;
                    }
                }
            }
        }
    }

    /// A peer's Status. A head that gossip should have brought by now, where range sync sees no gap to close, is looked
    /// up: the last block that we missed, or another branch after a partition.
    fn status_input(&mut self, node: usize, peer: PeerId, status: Status, todos: &mut VecDeque<Todo>) {
        todos.push_back(Todo::Sync(sync::Input::Status(peer, status)));
        let Some(running) = &self.nodes[node].running else { return };
        let view = running.chain.view();
        let is_due = status.head_slot < view.current_slot
            && status.head_slot > view.finalized.epoch.start_slot(view.spec);
        if is_due
            && running.sync_state == SyncState::Synced
            && !view.fork_choice.nodes.iter().any(|summary| summary.node.root == status.head_root)
        {
            todos.push_back(Todo::Sync(sync::Input::Want(status.head_root, Some(peer))));
        }
    }

    /// Asks a peer for its status, telling it one's own.
    pub(crate) fn ask_status(&mut self, node: usize, peer: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let status = serve::status(running.chain.view());
        self.request(node, peer, Asked::Status(status));
    }

    /// Sends a request on its way.
    fn request(&mut self, node: usize, to: usize, asked: Asked) {
        self.counts.requests += 1;
        let generation = self.nodes[node].generation;
        match self.network.arrival(self.now, node, to) {
            Some(at) => self.queue.push(at, Event::Request { node: to, from: node, generation, asked }),
            None => self.no_answer((node, generation), to, &asked, RequestError::Timeout),
        }
    }

    /// A node that asked hears that there is no answer.
    fn no_answer(
        &mut self,
        (node, generation): (usize, u64),
        peer: usize,
        asked: &Asked,
        error: RequestError,
    ) {
        let wait = match error {
            RequestError::Timeout => self.scenario.links.timeout_ms,
            _ => self.scenario.links.latency_ms.1,
        };
        let at = self.now.after_ms(wait);
        match asked {
            Asked::Blocks(id, _) => {
                let todos = vec![Todo::Sync(sync::Input::Failed(*id, error))];
                self.queue.push(at, Event::Deliver { node, generation, todos });
            }
            // A peer that is down says hello when it is up again; to one that did not answer the connection is made
            // anew, and that begins with a Status.
            Asked::Status(_) if error == RequestError::Timeout => {
                self.queue.push(at, Event::Greet { node, generation, peer });
            }
            Asked::Status(_) => {}
        }
    }

    /// Answers a request of another node.
    pub(crate) fn serve(&mut self, node: usize, from: usize, generation: u64, asked: Asked) {
        let Some(running) = &self.nodes[node].running else {
            return self.no_answer((from, generation), node, &asked, RequestError::Disconnected);
        };
        let view = running.chain.view().clone();
        let (todos, told) = match &asked {
            Asked::Status(status) => {
                (vec![Todo::Status(PeerId(node as u64), serve::status(&view))], Some(*status))
            }
            Asked::Blocks(id, request) => {
                let blocks = serve::blocks(&view, &self.nodes[node].disk, request);
                self.trace.note(self.now, node, format_args!("gives {} blocks to node {from}", blocks.len()));
                let chunks = blocks.into_iter().map(|block| Todo::Sync(sync::Input::Chunk(*id, block)));
                (chunks.chain([Todo::Sync(sync::Input::Done(*id))]).collect(), None)
            }
        };
        match self.network.arrival(self.now, node, from) {
            Some(at) => self.queue.push(at, Event::Deliver { node: from, generation, todos }),
            None => self.no_answer((from, generation), node, &asked, RequestError::Timeout),
        }
        if let Some(status) = told {
            self.process(node, vec![Todo::Status(PeerId(from as u64), status)]);
        }
    }
}

/// The least and most that a job of this kind takes on a quick machine, in ms.
fn duration_ms(job: &Job) -> (u64, u64) {
    match job {
        Job::VerifySignatures(_) => (1, 12),
        Job::ExecuteBlocks(_) => (5, 60),
        Job::AdvanceState(_) => (5, 40),
        Job::ReplayStates(_) => (10, 80),
        Job::BuildBlock(_) => (10, 60),
    }
}
