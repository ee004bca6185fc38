//! Payloads of blocks in import: what the engine is asked about them, and what follows from its answers.
//!
//! ```text
//!   try_import ──▶ Job: execute ───────────────┐
//!        └───────▶ engine: newPayload ─────────┼──▶ both are there: enter, wait, refuse
//!        └─(merge)▶ engine: the block before it┘
//! ```
//!
//! [Optimistic sync](https://github.com/ethereum/consensus-specs/blob/master/sync/optimistic.md): what the engine knows
//! nothing of is followed all the same, unless it is a merge block of the present; what the engine does not answer for
//! waits and is asked again, at most [`ENGINE_TRIES_MAX`] times.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::{
    EngineReply, EngineRequest, MergeInvalid, NewPayload, PayloadStatus, PowBlock, validate_merge_block,
};
use fork_choice::{ExecutionStatus, SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY};
use transition::block::kzg_commitment_to_versioned_hash;
use types::{BeaconBlock, ExecutionPayload, ForkName, Root, SignedBeaconBlock, Slot, Spec, Time};

use crate::chain::Chain;
use crate::engine_calls::EngineCall;
use crate::execute::{ExecutedBlock, Stopped};
use crate::import::{Import, Source};
use crate::limits::{ENGINE_RETRY_MAX_MS, ENGINE_RETRY_MS, ENGINE_TRIES_MAX, ENGINE_TRIES_OF_SEGMENT_MAX};

/// What is known of the payloads of blocks in import, and the blocks that were executed and wait for it.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// Bounded by the blocks in import jobs and in `held`.
    checks: BTreeMap<Root, Check>,
    /// Counts among the imports that wait, see [`crate::limits::IMPORTS_MAX`].
    held: Vec<Held>,
}

/// What is known of a payload.
#[derive(Debug, Default)]
struct Check {
    answer: Option<PayloadStatus>,
    /// The block that a merge block builds on, and the one before that.
    merge: Option<(Option<PowBlock>, Option<PowBlock>)>,
    /// Answers that are awaited.
    open: u32,
    tries: u32,
    /// When the engine is asked again, and why.
    again: Option<(Time, String)>,
}

/// Blocks that were executed, the first of which waits for its verdict.
#[derive(Debug)]
pub(crate) struct Held {
    pub import: Import,
    pub valid: VecDeque<ExecutedBlock>,
    pub stopped: Option<Stopped>,
}

/// What a question about the block before a merge block is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MergeAsk {
    /// The block that the first payload builds on.
    Block,
    /// The block before that.
    Parent(PowBlock),
}

/// What becomes of an executed block.
pub(crate) enum Decision {
    Enter(ExecutionStatus),
    Wait,
    /// An engine says so, or the rules of the merge: no peer is to blame.
    Invalid {
        why: String,
        latest_valid_hash: Option<Root>,
    },
    GiveUp(String),
}

/// What decides about a payload beside what the engine says.
struct PayloadFacts {
    slot: Slot,
    parent_root: Root,
    parent_hash: Root,
    block_hash: Root,
}

impl PayloadFacts {
    fn of(block: &BeaconBlock) -> Self {
        let payload = &block.body.execution_payload;
        Self {
            slot: block.slot,
            parent_root: block.parent_root,
            parent_hash: payload.parent_hash,
            block_hash: payload.block_hash,
        }
    }

    fn status(&self, is_optimistic: bool) -> ExecutionStatus {
        let block_hash = self.block_hash;
        match is_optimistic {
            true => ExecutionStatus::NotValidated { block_hash },
            false => ExecutionStatus::Valid { block_hash },
        }
    }
}

/// Whether a block has a payload: `is_execution_enabled`, for blocks that pass the state transition, without a state.
pub(crate) fn has_payload(spec: &Spec, block: &BeaconBlock) -> bool {
    match spec.fork_name_at_slot(block.slot) {
        ForkName::Phase0 | ForkName::Altair => false,
        ForkName::Bellatrix => block.body.execution_payload != ExecutionPayload::default(),
        _ => true,
    }
}

/// What an engine is asked about a block's payload.
pub(crate) fn new_payload_of(spec: &Spec, block: &BeaconBlock) -> NewPayload {
    let commitments = block.body.blob_kzg_commitments.iter();
    NewPayload {
        fork: spec.fork_name_at_slot(block.slot),
        payload: block.body.execution_payload.clone(),
        versioned_hashes: commitments.map(kzg_commitment_to_versioned_hash).collect(),
        parent_beacon_block_root: block.parent_root,
        execution_requests: block.body.execution_requests.clone(),
    }
}

impl Payloads {
    /// Imports that wait for a verdict.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub fn holds_segment(&self) -> bool {
        self.held.iter().any(|held| held.import.is_segment())
    }

    /// When the engine is to be asked again.
    pub fn due(&self) -> Option<Time> {
        self.checks.values().filter_map(|check| check.again.as_ref().map(|(at, _)| *at)).min()
    }

    /// A slot has begun, and the engine is told of the head: what waits for it is asked before that, so that an engine
    /// that is back hears first of the blocks that it missed.
    pub fn slot_began(&mut self, now: Time) {
        for (at, _) in self.checks.values_mut().filter_map(|check| check.again.as_mut()) {
            *at = now.min(*at);
        }
    }

    /// Forgets a block whose import ended. An answer that comes later is about a block of fork choice, or of none.
    pub fn forget(&mut self, root: &Root) {
        self.checks.remove(root);
    }
}

impl Check {
    fn ask_later(&mut self, now: Time, why: String) {
        let wait_ms = (ENGINE_RETRY_MS << self.tries.min(16)).min(ENGINE_RETRY_MAX_MS);
        self.again = Some((now.after_ms(wait_ms), why));
    }
}

impl Chain {
    /// Asks the engine about payloads that are to be imported.
    pub(crate) fn ask_about_payloads(&mut self, blocks: &[(Root, Arc<SignedBeaconBlock>)]) {
        for (root, block) in blocks {
            if !self.work.payloads.checks.contains_key(root) && has_payload(self.spec, &block.message) {
                self.work.payloads.checks.insert(*root, Check::default());
                self.ask_about_payload(*root, &block.message);
            }
        }
    }

    fn ask_about_payload(&mut self, root: Root, block: &BeaconBlock) {
        let Some(check) = self.work.payloads.checks.get_mut(&root) else { return };
        check.again = None;
        check.tries += 1;
        if check.answer.is_none() {
            check.open += 1;
            let request = EngineRequest::NewPayload(Arc::new(new_payload_of(self.spec, block)));
            self.ask_engine(EngineCall::Payload { root }, request);
        }
        if self.is_merge_block(block) && self.spec.config.terminal_block_hash.is_zero() {
            self.ask_about_merge(root, MergeAsk::Block, block.body.execution_payload.parent_hash);
        }
    }

    /// Whether a block is the first with a payload, as far as its parent is known.
    fn is_merge_block(&self, block: &BeaconBlock) -> bool {
        let parent = self.fork_choice.block(&block.parent_root);
        has_payload(self.spec, block)
            && parent.is_some_and(|parent| parent.execution == ExecutionStatus::Irrelevant)
    }

    fn ask_about_merge(&mut self, root: Root, ask: MergeAsk, hash: Root) {
        if let Some(check) = self.work.payloads.checks.get_mut(&root) {
            check.open += 1;
            let request = EngineRequest::GetPowBlock { hash: Some(hash) };
            self.ask_engine(EngineCall::MergeBlock { root, ask }, request);
        }
    }

    /// Takes what the engine says of a payload.
    pub(crate) fn payload_answered(&mut self, root: Root, reply: EngineReply) {
        let Some(check) = self.work.payloads.checks.get_mut(&root) else {
            if let EngineReply::NewPayload(status) = reply {
                self.note_status(&root, &status);
                self.settle();
            }
            return;
        };
        check.open = check.open.saturating_sub(1);
        match reply {
            EngineReply::NewPayload(status) => check.answer = Some(status),
            EngineReply::Failed(failure) => {
                self.counters.engine_failures += 1;
                check.ask_later(self.now, failure.to_string());
            }
            other => check.ask_later(self.now, format!("the engine answers with something else: {other:?}")),
        }
        self.go_on_with(&root);
    }

    /// Takes what the engine says of a block that a merge block builds on.
    pub(crate) fn merge_block_answered(&mut self, root: Root, ask: MergeAsk, reply: EngineReply) {
        let Some(check) = self.work.payloads.checks.get_mut(&root) else { return };
        check.open = check.open.saturating_sub(1);
        match (reply, ask) {
            (EngineReply::PowBlock(Some(block)), MergeAsk::Block) if !block.parent_hash.is_zero() => {
                return self.ask_about_merge(root, MergeAsk::Parent(block), block.parent_hash);
            }
            (EngineReply::PowBlock(block), MergeAsk::Block) => check.merge = Some((block, None)),
            (EngineReply::PowBlock(parent), MergeAsk::Parent(block)) => {
                check.merge = Some((Some(block), parent));
            }
            (EngineReply::Failed(failure), _) => check.ask_later(self.now, failure.to_string()),
            (other, _) => {
                check.ask_later(self.now, format!("the engine answers with something else: {other:?}"))
            }
        }
        self.go_on_with(&root);
    }

    /// Takes up the imports that wait for the verdict on a block.
    fn go_on_with(&mut self, root: &Root) {
        let waits = |held: &Held| held.valid.front().is_some_and(|block| block.root == *root);
        let (ready, held) = std::mem::take(&mut self.work.payloads.held).into_iter().partition(waits);
        self.work.payloads.held = held;
        for held in Vec::into_iter(ready) {
            self.enter_executed(held);
        }
    }

    pub(crate) fn hold(&mut self, held: Held) {
        self.work.payloads.held.push(held);
    }

    /// Asks again what the engine did not answer.
    pub(crate) fn ask_due_payloads(&mut self) {
        let is_due = |check: &Check| check.again.as_ref().is_some_and(|(at, _)| *at <= self.now);
        let checks = self.work.payloads.checks.iter();
        let due: Vec<Root> = checks.filter(|(_, check)| is_due(check)).map(|(root, _)| *root).collect();
        for root in due {
            let held = self.work.payloads.held.iter().flat_map(|held| &held.valid);
            let block = held.filter(|block| block.root == root).map(|block| block.block.clone()).next();
            match block {
                Some(block) => self.ask_about_payload(root, &block.message),
                // It is still being executed; it is asked about when that is done.
                None => self.work.payloads.forget(&root),
            }
            self.go_on_with(&root);
        }
    }

    /// What becomes of a valid block, by what is known of its payload.
    pub(crate) fn decide(&mut self, block: &ExecutedBlock, source: Source) -> Decision {
        let (root, message) = (block.root, &block.block.message);
        if !has_payload(self.spec, message) {
            return Decision::Enter(ExecutionStatus::Irrelevant);
        }
        let facts = PayloadFacts::of(message);
        if source == Source::Journal {
            // The engine was asked when an earlier run imported it. What it says of the head is true of it.
            return Decision::Enter(ExecutionStatus::NotValidated { block_hash: facts.block_hash });
        }
        self.ask_about_payloads(&[(root, block.block.clone())]);
        let is_merge_block = self.is_merge_block(message);
        let Some(check) = self.work.payloads.checks.get(&root) else { return Decision::Wait };
        if let Some(answer) = check.answer.as_ref().filter(|answer| answer.is_invalid()) {
            let why = answer.validation_error.clone().unwrap_or_default();
            return Decision::Invalid {
                why: format!("the execution engine finds the payload invalid: {why}"),
                latest_valid_hash: answer.latest_valid_hash,
            };
        }
        if let Some((_, why)) = &check.again {
            let tries_max = match source {
                Source::Segment(_) => ENGINE_TRIES_OF_SEGMENT_MAX,
                _ => ENGINE_TRIES_MAX,
            };
            return if check.tries >= tries_max { Decision::GiveUp(why.clone()) } else { Decision::Wait };
        }
        let Some(answer) = check.answer.as_ref().filter(|_| check.open == 0) else { return Decision::Wait };
        let is_optimistic = answer.is_optimistic();
        match is_merge_block {
            true => {
                let merge = self.validate_merge(&facts, check);
                self.decide_merge(root, &facts, is_optimistic, merge)
            }
            // What is valid makes all before it valid, a merge block only once that is checked; it is by an answer about
            // the head.
            false => {
                let is_unchecked = self.unchecked_merge_below(&facts.parent_root).is_some();
                Decision::Enter(facts.status(is_optimistic || is_unchecked))
            }
        }
    }

    /// What becomes of a merge block that is not known to be invalid. Everything but a merge block that no engine knows
    /// of, and what builds on it, may be followed without a verdict.
    fn decide_merge(
        &mut self,
        root: Root,
        facts: &PayloadFacts,
        is_optimistic: bool,
        merge: Result<(), MergeInvalid>,
    ) -> Decision {
        let is_candidate = self.fork_choice.is_optimistic_candidate_block(
            facts.slot,
            &facts.parent_root,
            self.config.safe_slots_to_import_optimistically.unwrap_or(SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY),
        );
        match merge {
            Ok(()) if !is_optimistic || is_candidate => Decision::Enter(facts.status(is_optimistic)),
            Ok(()) => self
                .wait_for_engine(root, "the engine does not know the merge block's payload yet".to_owned()),
            Err(MergeInvalid::Unknown) if is_optimistic && is_candidate => {
                match self.work.unchecked_merges.insert(root, facts.parent_hash) {
                    true => Decision::Enter(facts.status(true)),
                    false => self.wait_for_engine(root, "too many merge blocks are to be checked".to_owned()),
                }
            }
            Err(MergeInvalid::Unknown) => self.wait_for_engine(root, MergeInvalid::Unknown.to_string()),
            Err(invalid) => Decision::Invalid { why: invalid.to_string(), latest_valid_hash: None },
        }
    }

    fn validate_merge(&self, facts: &PayloadFacts, check: &Check) -> Result<(), MergeInvalid> {
        let (block, parent) = check.merge.unwrap_or_default();
        let epoch = facts.slot.epoch(self.spec);
        validate_merge_block(&self.spec.config, epoch, facts.parent_hash, block.as_ref(), parent.as_ref())
    }

    /// Asks again later, since what the engine says decides nothing.
    fn wait_for_engine(&mut self, root: Root, why: String) -> Decision {
        if let Some(check) = self.work.payloads.checks.get_mut(&root) {
            if check.tries >= ENGINE_TRIES_MAX {
                return Decision::GiveUp(why);
            }
            (check.answer, check.merge) = (None, None);
            check.ask_later(self.now, why);
        }
        Decision::Wait
    }
}
