//! The execution engines of the world: each node has a mock engine of its own, which calls reach through the queue of
//! events.
//!
//! New payloads and fork choice updates go one after the other, as they do in production; other calls as they come. An
//! engine that does not know a head fetches the blocks up to it from the others, as execution clients do among
//! themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use crypto::hash;
use engine::{
    BuiltPayload, EngineCallId, EngineFailure, EngineReply, EngineRequest, NewPayload, PayloadVerdict,
};
use mock_engine::{Conduct, MockBlob, MockConfig, MockEngine, Schedule};
use rand::seq::SliceRandom;
use types::constants::VERSIONED_HASH_VERSION_KZG;
use types::{ForkName, Root, Time};

use crate::deposit_contract::schedule;
use crate::genesis::GENESIS;
use crate::node::Todo;
use crate::packet::Short;
use crate::scenario::Scenario;
use crate::world::{Event, World};

/// What engines take to fetch missing blocks from each other, in ms.
const CATCH_UP_MS: (u64, u64) = (200, 2_000);

/// Payloads that an engine fetches from the others at once.
const CATCH_UP_MAX: usize = 256;

/// A node's engine. It goes on when the node crashes.
#[derive(Debug)]
pub struct EngineSeat {
    /// The engine.
    pub engine: MockEngine,
    config: MockConfig,
    /// False while it is down.
    pub is_up: bool,
    /// Since when it is up and says what is so; in the future while it syncs.
    pub healthy_since: Time,
    crashes: u32,
}

impl EngineSeat {
    /// The engine of a node.
    pub fn new(scenario: &Scenario, node: usize, seed: u64) -> Self {
        let spec = scenario.spec;
        let config = MockConfig {
            chain_id: spec.config.deposit_chain_id,
            genesis: MockConfig::genesis_block(GENESIS.0 / 1000),
            schedule: Some(Schedule::of_network(spec, GENESIS.0 / 1000)),
            blobs_per_block: scenario.data.blobs,
            deposits: schedule(scenario),
            seed: seed ^ ((node as u64) << 48),
            ..MockConfig::default()
        };
        let engine = MockEngine::new(config.clone(), Conduct::default());
        Self { engine, config, is_up: true, healthy_since: Time(0), crashes: 0 }
    }

    /// The hash of the first block of every engine.
    pub fn first_block() -> Root {
        MockConfig::genesis_block(GENESIS.0 / 1000).hash
    }
}

/// The calls of a node that wait for an earlier one, and whether there is one.
#[derive(Debug, Default)]
pub struct Calls {
    waiting: VecDeque<(EngineCallId, EngineRequest)>,
    is_busy: bool,
}

/// A call on its way.
#[derive(Debug)]
pub(crate) enum EngineEvent {
    /// It reaches the engine.
    Asked { generation: u64, id: EngineCallId, request: EngineRequest, back_ms: u64 },
    /// Its answer reaches the node.
    Answered { generation: u64, id: EngineCallId, reply: EngineReply, is_ordered: bool },
    /// The engine crashes.
    Down,
    /// It is up again.
    Up,
    /// What it lacked of a head has come from the others.
    CaughtUp { head: Root },
}

impl World {
    /// Puts the crashes of engines on the queue.
    pub(crate) fn schedule_engines(&mut self) {
        let (engines, faults) = (self.scenario.engines, self.scenario.faults);
        let merge = self.scenario.spec.fork_epoch(ForkName::Bellatrix).0.min(faults.end_epoch);
        let epoch_ms = self.scenario.epoch_ms();
        let down = engines.downtime_ms.1 + engines.syncing_ms;
        let last = (faults.end_epoch * epoch_ms).saturating_sub(down).max(1);
        let first = (merge * epoch_ms).min(last);
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.shuffle(&mut self.rng);
        for node in order.into_iter().take(engines.crashes) {
            let at = GENESIS.after_ms(self.draw(first..=last));
            self.queue.push(at, Event::Engine { node, event: Box::new(EngineEvent::Down) });
        }
    }

    fn push_engine(&mut self, at: Time, node: usize, event: EngineEvent) {
        self.queue.push(at, Event::Engine { node, event: Box::new(event) });
    }

    /// The chain of a node asks its engine.
    pub(crate) fn call_engine(&mut self, node: usize, id: EngineCallId, request: EngineRequest) {
        let Some(running) = &mut self.nodes[node].running else { return };
        if is_ordered(&request) {
            if running.calls.is_busy {
                return running.calls.waiting.push_back((id, request));
            }
            running.calls.is_busy = true;
        }
        let generation = self.nodes[node].generation;
        let (least, most) = self.scenario.engines.latency_ms;
        let (there, back_ms) = (self.draw(least..=most) / 2, self.draw(least..=most) / 2);
        let at = self.now.after_ms(there);
        self.push_engine(at, node, EngineEvent::Asked { generation, id, request, back_ms });
    }

    /// Something happens at an engine, or on the way from it.
    pub(crate) fn engine_event(&mut self, node: usize, event: EngineEvent) {
        match event {
            EngineEvent::Asked { generation, id, request, back_ms } => {
                let reply = self.engine_reply(node, &request);
                self.note_call(node, id, &request, &reply);
                let is_ordered = is_ordered(&request);
                let at = self.now.after_ms(back_ms);
                self.push_engine(at, node, EngineEvent::Answered { generation, id, reply, is_ordered });
            }
            EngineEvent::Answered { generation, id, reply, is_ordered } => {
                if !self.is_current(node, generation) {
                    return;
                }
                let Some(running) = &mut self.nodes[node].running else { return };
                if is_ordered {
                    running.calls.is_busy = false;
                    if let Some((id, request)) = running.calls.waiting.pop_front() {
                        self.call_engine(node, id, request);
                    }
                }
                self.process(node, vec![Todo::Chain(chain::Input::EngineDone(id, reply))]);
            }
            EngineEvent::Down => self.engine_down(node),
            EngineEvent::Up => self.engine_up(node),
            EngineEvent::CaughtUp { head } => self.engine_caught_up(node, head),
        }
    }

    fn engine_reply(&mut self, node: usize, request: &EngineRequest) -> EngineReply {
        let now = self.now;
        let seat = &mut self.nodes[node].engine;
        if !seat.is_up {
            return EngineReply::Failed(EngineFailure::Unreachable("connection refused".to_owned()));
        }
        let reply = seat.engine.handle(now.0, request);
        match (request, &reply) {
            (EngineRequest::NewPayload(payload), _) => {
                self.payloads.entry(payload.payload.block_hash).or_insert_with(|| payload.clone());
            }
            (EngineRequest::GetPayload { .. }, EngineReply::Payload(built)) => {
                self.share_blobs(node, built);
            }
            (
                EngineRequest::ForkchoiceUpdated { state, .. },
                EngineReply::ForkchoiceUpdated { status, .. },
            ) if status.verdict == PayloadVerdict::Syncing => {
                let until = seat.engine.conduct_mut().syncing_until_ms;
                let head = state.head_block_hash;
                let ms = self.draw(CATCH_UP_MS.0..=CATCH_UP_MS.1);
                let at = Time(now.0.max(until)).after_ms(ms);
                self.push_engine(at, node, EngineEvent::CaughtUp { head });
            }
            _ => {}
        }
        reply
    }

    fn note_call(&mut self, node: usize, id: EngineCallId, request: &EngineRequest, reply: &EngineReply) {
        let what = match request {
            EngineRequest::NewPayload(payload) => format!("payload {}", Short(&payload.payload.block_hash)),
            EngineRequest::ForkchoiceUpdated { state, attributes, .. } => {
                let with = if attributes.is_some() { " to build on" } else { "" };
                format!("head {}{with}", Short(&state.head_block_hash))
            }
            EngineRequest::GetPayload { id, .. } => format!("built payload {id}"),
            EngineRequest::GetBlobs { versioned_hashes, .. } => format!("{} blobs", versioned_hashes.len()),
            EngineRequest::GetPayloadBodies { hashes } => format!("{} bodies", hashes.len()),
            EngineRequest::GetPowBlock { hash: None } => "newest block".to_owned(),
            EngineRequest::GetPowBlock { hash: Some(hash) } => format!("block {}", Short(hash)),
        };
        let said = match reply {
            EngineReply::NewPayload(status) => format!("{:?}", status.verdict),
            EngineReply::ForkchoiceUpdated { status, payload_id } => {
                format!("{:?}, builds {}", status.verdict, payload_id.is_some())
            }
            EngineReply::Payload(built) => {
                let blobs = built.blobs_bundle.blobs.len();
                format!("payload {} with {blobs} blobs", Short(&built.payload.block_hash))
            }
            EngineReply::Blobs(blobs) => format!("{} of them", blobs.iter().flatten().count()),
            EngineReply::Bodies(bodies) => format!("{} of them", bodies.iter().flatten().count()),
            EngineReply::PowBlock(None) => "no block".to_owned(),
            EngineReply::PowBlock(Some(block)) => format!("block {}", Short(&block.block_hash)),
            EngineReply::Failed(failure) => failure.to_string(),
        };
        self.counts.engine_calls += 1;
        self.trace.note(self.now, node, format_args!("engine call {}: {what}: {said}", id.0));
    }

    /// Some of a payload's blobs were sent as public transactions, which all engines have; those of a node that
    /// withholds its data were not.
    fn share_blobs(&mut self, node: usize, built: &BuiltPayload) {
        let bundle = &built.blobs_bundle;
        if bundle.blobs.is_empty() || self.is_byzantine(node) {
            return;
        }
        let proofs_each = bundle.proofs.len() / bundle.blobs.len();
        for (place, (blob, commitment)) in bundle.blobs.iter().zip(&bundle.commitments).enumerate() {
            if self.draw(1..=100) > self.scenario.data.public_percent {
                continue;
            }
            let proofs = &bundle.proofs[place * proofs_each..(place + 1) * proofs_each];
            let mut versioned_hash = hash(&commitment.0);
            versioned_hash[0] = VERSIONED_HASH_VERSION_KZG;
            let is_of_cells = built.fork >= ForkName::Fulu;
            let blob = MockBlob {
                blob: blob.clone(),
                commitment: *commitment,
                proof: if is_of_cells { Default::default() } else { proofs[0] },
                cell_proofs: if is_of_cells { proofs.to_vec() } else { Vec::new() },
                versioned_hash: Root::from(versioned_hash),
            };
            for (other, seat) in self.nodes.iter_mut().enumerate() {
                if other != node && seat.engine.is_up {
                    seat.engine.engine.add_blob(blob.clone());
                }
            }
        }
    }

    fn engine_down(&mut self, node: usize) {
        let (least, most) = self.scenario.engines.downtime_ms;
        let up = self.now.after_ms(self.draw(least..=most.max(least)));
        let syncing_ms = self.scenario.engines.syncing_ms;
        self.counts.engine_crashes += 1;
        let forgets = self.counts.engine_crashes.is_multiple_of(2);
        let seat = &mut self.nodes[node].engine;
        (seat.is_up, seat.healthy_since) = (false, up.after_ms(syncing_ms + CATCH_UP_MS.1));
        seat.crashes += 1;
        if forgets {
            seat.engine = MockEngine::new(seat.config.clone(), Conduct::default());
        }
        seat.engine.conduct_mut().syncing_until_ms = up.0 + syncing_ms;
        let what = if forgets { "crashes and forgets all" } else { "crashes" };
        self.trace.note(self.now, node, format_args!("its engine {what}"));
        self.push_engine(up, node, EngineEvent::Up);
    }

    fn engine_up(&mut self, node: usize) {
        self.nodes[node].engine.is_up = true;
        self.trace.note(self.now, node, format_args!("its engine is up again"));
    }

    /// The engine is given what it lacks up to a head, oldest first.
    fn engine_caught_up(&mut self, node: usize, head: Root) {
        let now = self.now;
        let seat = &mut self.nodes[node].engine;
        if !seat.is_up {
            return;
        }
        let mut missing: Vec<Arc<NewPayload>> = Vec::new();
        let mut wanted = head;
        while seat.engine.block(wanted).is_none() && missing.len() < CATCH_UP_MAX {
            let Some(payload) = self.payloads.get(&wanted) else { break };
            wanted = payload.payload.parent_hash;
            missing.push(payload.clone());
        }
        let count = missing.len();
        for payload in missing.into_iter().rev() {
            seat.engine.handle(now.0, &EngineRequest::NewPayload(payload));
        }
        self.trace.note(now, node, format_args!("its engine fetched {count} blocks up to {}", Short(&head)));
    }
}

/// True for calls that must not overtake each other.
fn is_ordered(request: &EngineRequest) -> bool {
    matches!(request, EngineRequest::NewPayload(_) | EngineRequest::ForkchoiceUpdated { .. })
}
