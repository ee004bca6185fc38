//! What becomes of the machines' outputs: each goes to another machine of the node, or to the world.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chain::{
    Evidence, EvidenceReason, Job, JobId, JobResult, Output, SegmentId, SegmentOutcome, SidecarsId,
    SidecarsOutcome, Want, WantReason,
};
use sync::{ImportId, ImportOutcome, PeerId};

use crate::checkers::Violation;
use crate::node::{Todo, chain_status};
use crate::packet::Short;
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
                Todo::Eth1(input) => self.eth1_input(node, input, &mut todos),
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
        if let Some(film) = self.film.as_mut().filter(|film| film.has_moved(node, &view)) {
            film.look(self.now, node, &view);
        }
        let status = chain_status(&view);
        if status != running.told {
            running.told = status;
            todos.push_back(Todo::Sync(sync::Input::Chain(status)));
            self.tell_follower(node, todos);
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
                let what = format_args!("wants sidecars {indices:?} of {} of {from:?}", Short(&root));
                self.trace.note(self.now, node, what);
                todos.push_back(Todo::Sync(sync::Input::WantSidecars { root, slot, indices, from }));
            }
            Output::SidecarsDone(id, outcome) => self.sidecars_done(node, id, outcome, todos),
            Output::Engine(id, request) => self.call_engine(node, id, request),
            Output::SegmentDone(id, outcome) => self.segment_done(node, id, outcome, todos),
            Output::Reply(id, reply) => self.reply(node, id, reply),
            Output::Event(event) => self.event(node, event),
            Output::Evidence(evidence) => self.evidence(node, &evidence),
            Output::Fault(text) => self.fail(Violation::at("the chain has no faults", node, text)),
        }
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
            let run = AssertUnwindSafe(|| job.run_with(&mut |sets, seed| verdicts.verify_each(sets, seed)));
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

    /// Honest nodes make no blocks that others refuse. Only that fork choice has no place for one is no fault: finality may
    /// have moved on while it was executed.
    fn evidence(&mut self, node: usize, evidence: &Evidence) {
        let why = evidence.beyond.as_ref().unwrap_or(&evidence.verdict);
        let what = format!("{} {}: {why}", evidence.reason.as_str(), evidence.root);
        self.trace.note(self.now, node, format_args!("evidence: {what}"));
        if evidence.reason != EvidenceReason::Finality {
            self.fail(Violation::at("no honest block is refused", node, what));
        }
    }

    fn sidecars_done(
        &mut self,
        node: usize,
        id: SidecarsId,
        outcome: SidecarsOutcome,
        todos: &mut VecDeque<Todo>,
    ) {
        self.trace.note(self.now, node, format_args!("sidecars {}: {outcome:?}", id.0));
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.sidecars.remove(&id).is_none() {
            let what = format!("{id:?}: {outcome:?}");
            return self.fail(Violation::at("one outcome for sidecars", node, what));
        }
        let outcome = match outcome {
            SidecarsOutcome::Taken => sync::SidecarsOutcome::Taken,
            SidecarsOutcome::Failed(_) => sync::SidecarsOutcome::Failed,
            SidecarsOutcome::Invalid { why, .. } => {
                return self.fail(Violation::at("no honest sidecar is invalid", node, why));
            }
        };
        todos.push_back(Todo::Sync(sync::Input::SidecarsDecided(ImportId(id.0), outcome)));
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
                    let (of, with) = (blocks.len(), sidecars.len());
                    self.trace.note(
                        now,
                        node,
                        format_args!("segment {} of {of} blocks and {with} sidecars", id.0),
                    );
                    todos.push_back(Todo::Chain(chain::Input::Segment { id, blocks, sidecars }));
                }
                sync::Output::ImportSidecars(id, sidecars) => {
                    let now = self.now;
                    let Some(running) = &mut self.nodes[node].running else { return };
                    let id = SidecarsId(id.0);
                    running.sidecars.insert(id, now);
                    self.trace.note(now, node, format_args!("sidecars {}: {} of them", id.0, sidecars.len()));
                    todos.push_back(Todo::Chain(chain::Input::Sidecars { id, sidecars }));
                }
                sync::Output::Charge(peer, offence) => {
                    self.trace.note(self.now, node, format_args!("charges node {}: {offence:?}", peer.0));
                    if offence != sync::Offence::NoAnswer && !self.is_byzantine(peer.0 as usize) {
                        let what = format!("node {} is charged with {offence:?}", peer.0);
                        self.fail(Violation::at("no honest peer is charged", node, what));
                    }
                }
                // Custody does not change here, so that nothing is asked for later.
                sync::Output::Backfilled(..) => {}
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
}

/// The least and most that a job of this kind takes on a quick machine, in ms.
fn duration_ms(job: &Job) -> (u64, u64) {
    match job {
        Job::VerifySignatures(_) => (1, 12),
        Job::ExecuteBlocks(_) => (5, 60),
        Job::AdvanceState(_) => (5, 40),
        Job::ReplayStates(_) => (10, 80),
        Job::BuildBlock(_) => (10, 60),
        Job::VerifySidecars(_) => (2, 40),
        Job::MakeSidecars(_) => (5, 100),
        Job::RecoverColumns(_) => (200, 2000),
    }
}
