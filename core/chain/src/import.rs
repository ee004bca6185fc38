//! Blocks on their way into fork choice: what waits, what runs, and what comes of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use data_availability::Sidecar;
use fork_choice::{BlockFacts, BlockInvalid, ExecutionStatus, Imported, Origin};
use types::{BeaconState, Root, SignedBeaconBlock, SszExt, Time};

use crate::chain::Chain;
use crate::data_gate::SegmentData;
use crate::execute::{ExecutedBlock, ProposerSignatures, Refusal, Stopped};
use crate::limits::{IMPORT_JOBS_MAX, IMPORTS_MAX, INVALID_ROOTS_MAX, RECENT_BLOCKS_MAX, SEGMENTS_MAX};
use crate::notes::{Noted, execution_word};
use crate::payload::{Decision, Held};
use crate::states::StateKey;
use crate::work::Purpose;
use crate::{
    CommandId, Event, ExecuteBlocks, Executed, Job, Output, Priority, PublishOutcome, SegmentId,
    SegmentOutcome, Verdict,
};

/// Blocks in import, and what is known of blocks that are not in fork choice.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    waiting: VecDeque<Import>,
    /// Blocks between their rules and their import.
    in_flight: BTreeSet<Root>,
    invalid: BTreeMap<Root, Fault>,
    /// The same, oldest first.
    invalid_order: VecDeque<Root>,
}

/// Which rules an invalid block breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Those that everybody can check: whoever sent the block is to blame.
    Consensus,
    /// Those that only an engine can: who follows the chain optimistically may send the block in good faith.
    Payload,
}

impl Fault {
    /// The verdict on votes for such a block.
    pub fn verdict_on_votes(self) -> Verdict {
        match self {
            Self::Consensus => Verdict::reject("block being voted for failed validation"),
            Self::Payload => Verdict::ignore("the payload of the block being voted for is invalid"),
        }
    }
}

/// Blocks to be imported, each the parent of the next.
#[derive(Debug)]
pub(crate) struct Import {
    blocks: VecDeque<(Root, Arc<SignedBeaconBlock>)>,
    source: Source,
    arrived: Time,
    proposer_signatures: ProposerSignatures,
    /// The place of the first of `blocks` in the segment that was given.
    at: usize,
    imported: usize,
    pub(crate) data: SegmentData,
}

/// Who waits for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Gossip,
    Command(CommandId),
    Segment(SegmentId),
    /// Blocks that an earlier run imported after its last snapshot.
    Journal,
}

impl Import {
    /// A block whose proposer's signature is verified.
    pub fn verified(root: Root, block: Arc<SignedBeaconBlock>, source: Source, arrived: Time) -> Self {
        Self {
            blocks: VecDeque::from([(root, block)]),
            source,
            arrived,
            proposer_signatures: ProposerSignatures::Verified,
            at: 0,
            imported: 0,
            data: SegmentData::default(),
        }
    }

    pub fn source(&self) -> Source {
        self.source
    }

    /// The place of the first block in the segment that was given.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn blocks(&self) -> impl Iterator<Item = &(Root, Arc<SignedBeaconBlock>)> {
        self.blocks.iter()
    }

    /// The block that is next.
    pub fn first(&self) -> Option<&(Root, Arc<SignedBeaconBlock>)> {
        self.blocks.front()
    }

    /// True for blocks of sync or of an earlier run.
    pub fn is_segment(&self) -> bool {
        matches!(self.source, Source::Segment(_) | Source::Journal)
    }
}

impl Imports {
    /// Which rules a block, or one that it builds on, was found to break.
    pub fn fault_of(&self, root: &Root) -> Option<Fault> {
        self.invalid.get(root).copied()
    }

    pub fn is_in_flight(&self, root: &Root) -> bool {
        self.in_flight.contains(root)
    }

    pub fn take_off(&mut self, root: Root) {
        self.in_flight.insert(root);
    }

    pub fn land(&mut self, root: &Root) {
        self.in_flight.remove(root);
    }

    fn mark_invalid(&mut self, root: Root, fault: Fault) {
        if self.invalid.insert(root, fault).is_none() {
            self.invalid_order.push_back(root);
        }
        if self.invalid_order.len() > INVALID_ROOTS_MAX
            && let Some(oldest) = self.invalid_order.pop_front()
        {
            self.invalid.remove(&oldest);
        }
    }

    fn segments(&self) -> usize {
        self.waiting.iter().filter(|import| import.is_segment()).count()
    }
}

impl Chain {
    /// Takes the blocks of sync, after the checks that need no state.
    pub(crate) fn take_segment(
        &mut self,
        id: SegmentId,
        blocks: Vec<Arc<SignedBeaconBlock>>,
        sidecars: Vec<Sidecar>,
    ) {
        let given = blocks.len();
        if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
            self.note(Noted::Segment { count: given, slots: (first.message.slot, last.message.slot) });
        }
        match self.check_segment(blocks) {
            Ok(blocks) if blocks.is_empty() => {
                self.end_import(Source::Segment(id), SegmentOutcome::Imported { count: 0 });
            }
            Ok(blocks) => self.import(Import {
                at: given - blocks.len(),
                blocks,
                source: Source::Segment(id),
                arrived: self.now,
                proposer_signatures: ProposerSignatures::Unverified,
                imported: 0,
                data: SegmentData::of(sidecars),
            }),
            Err(outcome) => self.end_import(Source::Segment(id), outcome),
        }
    }

    /// The blocks of a segment that are new, with their roots.
    fn check_segment(
        &self,
        blocks: Vec<Arc<SignedBeaconBlock>>,
    ) -> Result<VecDeque<(Root, Arc<SignedBeaconBlock>)>, SegmentOutcome> {
        let mut new: VecDeque<(Root, Arc<SignedBeaconBlock>)> = VecDeque::new();
        for (at, block) in blocks.into_iter().enumerate() {
            let message = &block.message;
            let root = message.hash_tree_root(self.spec.ctx_at_slot(message.slot));
            let invalid = |why: &str| SegmentOutcome::Invalid { at, root, why: why.to_owned() };
            if let Some((parent, before)) = new.back() {
                if message.parent_root != *parent {
                    return Err(invalid("the block is no child of the one before it"));
                }
                if message.slot <= before.message.slot {
                    return Err(invalid("the block is not after the one before it"));
                }
            }
            if self.fork_choice.contains(&root) {
                // What led to it is known as well, or was pruned with finality.
                new.clear();
                continue;
            }
            match self.imports.fault_of(&root).or(self.imports.fault_of(&message.parent_root)) {
                None => {}
                Some(Fault::Payload) => {
                    let why = "the payload of a block, or of its parent, was found invalid before";
                    return Err(SegmentOutcome::Failed(why.to_owned()));
                }
                Some(Fault::Consensus) => {
                    return Err(invalid("the block, or its parent, was found invalid before"));
                }
            }
            if message.slot > self.slot {
                return Err(invalid("the block is of a future slot"));
            }
            new.push_back((root, block));
        }
        Ok(new)
    }

    /// Puts blocks in line.
    pub(crate) fn import(&mut self, import: Import) {
        let is_full = match import.is_segment() {
            true => self.imports.segments() >= SEGMENTS_MAX,
            false => self.imports.waiting.len() + self.work.payloads.held() >= IMPORTS_MAX + SEGMENTS_MAX,
        };
        if is_full {
            self.counters.overflows += 1;
            return self.import_failed(import, "too many blocks wait for their import".to_owned());
        }
        self.imports.waiting.push_back(import);
    }

    /// Starts the imports whose turn it is: those of the present before those of sync.
    pub(crate) fn run_imports(&mut self) {
        let mut later = VecDeque::new();
        let (segments, blocks): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.imports.waiting).into_iter().partition(Import::is_segment);
        let mut is_segment_stuck = self.work.is_segment_running() || self.work.payloads.holds_segment();
        for import in blocks.into_iter().chain(segments) {
            let is_segment = import.is_segment();
            let has_room = self.work.imports_running() < IMPORT_JOBS_MAX && !(is_segment && is_segment_stuck);
            let waits = match has_room {
                true => self.try_import(import),
                false => Some(import),
            };
            // Segments keep their order, for one is often the parent of the next.
            is_segment_stuck |= is_segment && (waits.is_some() || self.work.is_segment_running());
            later.extend(waits);
        }
        // What the attempts themselves put in line comes last.
        later.append(&mut self.imports.waiting);
        self.imports.waiting = later;
    }

    /// Starts an import, or ends it where it cannot succeed. Gives it back where it has to wait.
    fn try_import(&mut self, mut import: Import) -> Option<Import> {
        while import.blocks.front().is_some_and(|(root, _)| self.fork_choice.contains(root)) {
            let landed = import.blocks.pop_front();
            landed.iter().for_each(|(root, _)| {
                self.imports.land(root);
                import.data.advance(root);
            });
            import.at += 1;
        }
        let Some((_, first)) = import.blocks.front() else {
            let count = import.imported;
            self.end_import(import.source, SegmentOutcome::Imported { count });
            return None;
        };
        let parent = first.message.parent_root;
        // A parent that waits for its data may wait for long, and comes again with its data to those who ask for it.
        let is_coming = self.imports.is_in_flight(&parent) && !self.data.is_held(&parent);
        if is_coming && !self.fork_choice.contains(&parent) {
            return Some(import);
        }
        if let Err(invalid) = self.fork_choice.may_import(first.message.slot, &parent) {
            self.cannot_import(import, invalid);
            return None;
        }
        let import = self.pass_data_gate(import)?;
        let (_, first) = import.first()?;
        let Some(pre_state) = self.pre_state(&parent, &first.message) else {
            if self.want_state(StateKey::Post(parent)) {
                return Some(import);
            }
            self.import_failed(import, "the parent's state is not available".to_owned());
            return None;
        };
        let chunk = import.blocks.len().min(if import.is_segment() { import.data.ready().max(1) } else { 1 });
        let blocks: Vec<_> = import.blocks.iter().take(chunk).cloned().collect();
        if import.source != Source::Journal {
            self.ask_about_payloads(&blocks);
        }
        let job = ExecuteBlocks {
            pre_state,
            blocks,
            proposer_signatures: import.proposer_signatures,
            seed: self.job_seed(),
        };
        let priority = if import.is_segment() { Priority::Sync } else { Priority::Block };
        self.start(Purpose::Import(import), priority, Job::ExecuteBlocks(job));
        None
    }

    /// The parent's post-state, advanced towards the block where that was done ahead of need.
    fn pre_state(&self, parent: &Root, block: &types::BeaconBlock) -> Option<Arc<BeaconState>> {
        let advanced = self.head.advanced.as_ref().filter(|state| state.slot <= block.slot);
        if *parent == self.head.root {
            return Some(advanced.unwrap_or(&self.head.state).clone());
        }
        self.states.get(parent).cloned()
    }

    fn cannot_import(&mut self, import: Import, invalid: BlockInvalid) {
        let (root, at) = (import.blocks[0].0, import.at);
        match invalid {
            BlockInvalid::ParentUnknown if import.imported == 0 => {
                self.land_all(&import);
                self.end_import(import.source, SegmentOutcome::UnknownParent);
            }
            BlockInvalid::ParentUnknown | BlockInvalid::StoreFull => {
                self.import_failed(import, invalid.to_string())
            }
            BlockInvalid::ParentInvalidated => {
                self.found_invalid(import, invalid.to_string(), Fault::Payload)
            }
            _ => {
                self.keep_misfit(&import, &invalid.to_string());
                self.land_all(&import);
                self.end_import(
                    import.source,
                    SegmentOutcome::Invalid { at, root, why: invalid.to_string() },
                );
            }
        }
    }

    fn land_all(&mut self, import: &Import) {
        for (root, _) in &import.blocks {
            self.imports.land(root);
            self.work.payloads.forget(root);
        }
    }

    /// Ends an import for which nobody is to blame.
    pub(crate) fn import_failed(&mut self, import: Import, why: String) {
        self.land_all(&import);
        self.end_import(import.source, SegmentOutcome::Failed(why));
    }

    /// Fails the imports that wait for the state of a block.
    pub(crate) fn imports_without_state(&mut self, parent: &Root) {
        let (stuck, waiting) =
            std::mem::take(&mut self.imports.waiting).into_iter().partition(|import: &Import| {
                import.blocks.front().is_some_and(|(_, b)| b.message.parent_root == *parent)
            });
        self.imports.waiting = waiting;
        for import in VecDeque::into_iter(stuck) {
            self.import_failed(import, "the parent's state is not available".to_owned());
        }
    }

    /// Ends a segment.
    pub(crate) fn end_segment(&mut self, import: Import, outcome: SegmentOutcome) {
        self.land_all(&import);
        self.end_import(import.source, outcome);
    }

    /// Puts an import back at the front of the line.
    pub(crate) fn resume(&mut self, import: Import) {
        self.imports.waiting.push_front(import);
    }

    fn end_import(&mut self, source: Source, outcome: SegmentOutcome) {
        if matches!(source, Source::Segment(_)) {
            self.data.of_segment.clear();
        }
        if let SegmentOutcome::Invalid { why, .. } | SegmentOutcome::Failed(why) = &outcome {
            self.note(Noted::NotImported { source: source.name(), why: why.clone() });
        }
        match (source, outcome) {
            (Source::Segment(id), outcome) => self.outputs.push_back(Output::SegmentDone(id, outcome)),
            (Source::Command(id), SegmentOutcome::Imported { .. }) => {
                self.block_reply(id, PublishOutcome::Imported)
            }
            (Source::Command(id), SegmentOutcome::Invalid { why, .. } | SegmentOutcome::Failed(why)) => {
                self.block_not_imported(id, why);
            }
            (Source::Command(id), SegmentOutcome::DataMissing { missing, .. }) => {
                let why = format!("blobs or columns of the block are missing: {missing:?}");
                self.block_not_imported(id, why);
            }
            (Source::Command(id), SegmentOutcome::InvalidSidecar { index, why, .. }) => {
                let why = format!("blob or column {index} of the block is invalid: {why}");
                self.block_not_imported(id, why);
            }
            (Source::Command(id), SegmentOutcome::UnknownParent) => {
                self.block_not_imported(id, "the parent is not known".to_owned());
            }
            (Source::Journal, SegmentOutcome::Imported { .. }) | (Source::Gossip, _) => {}
            (Source::Journal, outcome) => {
                self.fault(format!("stored blocks cannot be imported again: {outcome:?}"))
            }
        }
    }

    /// Takes in what an import job found.
    pub(crate) fn executed(&mut self, import: Import, executed: Executed) {
        if let (Source::Command(id), Some(first)) = (import.source, executed.valid.first()) {
            self.broadcast_held(id, &first.root, &first.block.message);
        }
        self.enter_executed(Held { import, valid: executed.valid.into(), stopped: executed.stopped });
    }

    /// Enters executed blocks as far as the engine has spoken, and goes on with the rest of the segment.
    pub(crate) fn enter_executed(&mut self, mut held: Held) {
        while let Some(block) = held.valid.front() {
            let decision = match self.fork_choice.contains(&block.root) {
                true => Decision::Enter(ExecutionStatus::Irrelevant),
                false => self.decide(block, held.import.source),
            };
            let status = match decision {
                Decision::Enter(status) => status,
                Decision::Wait => {
                    self.hold(held);
                    return self.settle();
                }
                Decision::GiveUp(why) => {
                    self.settle();
                    return self.import_failed(held.import, why);
                }
                Decision::Invalid { why, latest_valid_hash } => {
                    let (root, parent) = (block.root, block.block.message.parent_root);
                    let block = block.block.clone();
                    self.keep_payload(Some(held.import.source), &block, &why);
                    let gone = self.fork_choice.on_invalid_payload_upon(&parent, latest_valid_hash);
                    self.invalidated(&root, gone);
                    self.settle();
                    return self.found_invalid(held.import, why, Fault::Payload);
                }
            };
            let Some(block) = held.valid.pop_front() else { break };
            let root = block.root;
            if let Err(invalid) = self.enter(block, status, held.import.arrived) {
                self.settle();
                return self.cannot_import(held.import, invalid);
            }
            held.import.blocks.pop_front();
            held.import.data.advance(&root);
            held.import.at += 1;
            held.import.imported += 1;
            self.imports.land(&root);
            self.work.payloads.forget(&root);
        }
        self.settle();
        self.end_chunk(held.import, held.stopped);
    }

    fn end_chunk(&mut self, import: Import, stopped: Option<Stopped>) {
        match stopped {
            None if import.blocks.is_empty() => {
                let count = import.imported;
                self.end_import(import.source, SegmentOutcome::Imported { count });
            }
            None => self.imports.waiting.push_front(import),
            Some(stopped) => {
                self.keep_refusal(import.source, &stopped);
                match stopped.why {
                    Refusal::Fault(why) => {
                        self.fault(format!("a block cannot be executed: {why}"));
                        self.import_failed(import, why);
                    }
                    Refusal::Invalid(why) | Refusal::StateRoot(why) if stopped.is_signed => {
                        self.found_invalid(import, why, Fault::Consensus);
                    }
                    // A root says nothing of the signature: the block as its proposer signed it may be valid.
                    Refusal::Invalid(why) | Refusal::StateRoot(why) => {
                        self.counters.blocks_invalid += 1;
                        let (at, root) = (import.at, import.blocks[0].0);
                        self.end_segment(import, SegmentOutcome::Invalid { at, root, why });
                    }
                }
            }
        }
    }

    fn found_invalid(&mut self, import: Import, why: String, fault: Fault) {
        self.land_all(&import);
        self.counters.blocks_invalid += 1;
        let (at, root) = (import.at, import.blocks[0].0);
        let mut descendants = vec![root];
        while let Some(root) = descendants.pop() {
            self.imports.mark_invalid(root, fault);
            self.forget_data(&root);
            // They were judged when they were put aside.
            descendants.extend(self.aside.orphans_of(&root).into_iter().map(|(orphan, _)| orphan));
            for vote in self.aside.votes_for(&root) {
                self.judge(&vote, fault.verdict_on_votes());
            }
        }
        let outcome = match fault {
            Fault::Consensus => SegmentOutcome::Invalid { at, root, why },
            Fault::Payload => SegmentOutcome::Failed(format!("block {root}: {why}")),
        };
        self.end_import(import.source, outcome);
    }

    /// Puts a valid block into fork choice, memory and storage, and takes up what waited for it.
    fn enter(
        &mut self,
        executed: ExecutedBlock,
        execution: ExecutionStatus,
        arrived: Time,
    ) -> Result<(), BlockInvalid> {
        let ExecutedBlock { root, block, state, .. } = &executed;
        let message = &block.message;
        let facts = BlockFacts {
            slot: message.slot,
            root: *root,
            parent_root: message.parent_root,
            proposer_index: message.proposer_index,
            state_root: message.state_root,
            justified: state.current_justified_checkpoint.clone(),
            finalized: state.finalized_checkpoint.clone(),
            unrealized_justified: executed.unrealized_justified.clone(),
            unrealized_finalized: executed.unrealized_finalized.clone(),
            arrived,
            execution,
        };
        if self.fork_choice.on_block(&facts)? == Imported::AlreadyKnown {
            return Ok(());
        }
        for (vote, attesters) in &executed.votes {
            // A vote in a block may be for a block that was pruned, or never seen here; it counts for nothing.
            let _ = self.fork_choice.on_attestation(vote, attesters, Origin::Block);
            let liveness = Arc::make_mut(&mut self.recent.liveness);
            attesters.iter().for_each(|attester| liveness.saw(vote.target.epoch, *attester));
        }
        if let Err(invalid) = self.fork_choice.on_attester_slashing(&executed.equivocators) {
            self.fault(format!("fork choice refuses the slashing of a valid block: {invalid}"));
        }
        self.keep_state(*root, state.clone());
        self.keep_block(*root, block.clone());
        self.record_block(*root, block, state);
        self.record_data(*root, message.slot);
        let word = execution_word(execution);
        self.note(Noted::Imported { slot: message.slot, root: *root, execution: word });
        self.counters.blocks_imported += 1;
        self.counters.blocks_optimistic += u64::from(execution.is_optimistic());
        self.outputs.push_back(Output::Event(Event::Block { slot: message.slot, block: *root }));
        self.published.is_stale = true;
        self.published.is_fork_choice_stale = true;
        for incoming in self.aside.votes_for(root) {
            self.take(incoming);
        }
        for (_, incoming) in self.aside.orphans_of(root) {
            self.take(incoming);
        }
        for incoming in self.data.checks.orphans_of(root) {
            self.take(incoming);
        }
        Ok(())
    }

    /// Keeps a block in memory for readers.
    pub(crate) fn keep_block(&mut self, root: Root, block: Arc<SignedBeaconBlock>) {
        let blocks = Arc::make_mut(&mut self.recent.blocks);
        blocks.insert(root, block);
        while blocks.len() > RECENT_BLOCKS_MAX {
            let oldest = blocks.iter().min_by_key(|(root, block)| (block.message.slot, **root));
            let Some(oldest) = oldest.map(|(root, _)| *root) else { return };
            blocks.remove(&oldest);
        }
    }

    /// The import of blocks that an earlier run had imported after its last snapshot.
    pub(crate) fn import_journal(&mut self, blocks: Vec<Arc<SignedBeaconBlock>>) {
        // The journal holds branches one after another, so that each block is an import of its own.
        for block in blocks {
            let root = block.message.hash_tree_root(self.spec.ctx_at_slot(block.message.slot));
            self.imports.waiting.push_back(Import {
                proposer_signatures: ProposerSignatures::Unverified,
                ..Import::verified(root, block, Source::Journal, self.now)
            });
        }
    }
}
