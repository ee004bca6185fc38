//! What is kept of what should not happen, so that it can be run again and become a test: a block that is refused after
//! gossip accepted it, another state root than ours, a fault of our own, a head beside finality.
//!
//! Whoever can sign a block can make one that is refused. So only blocks that their slot's proposer signed count, each
//! once, and at most [`EVIDENCE_AN_EPOCH_MAX`] in an epoch: an attacker can neither fill a disk nor push out what was
//! kept before within minutes.

use std::collections::VecDeque;
use std::sync::Arc;

use types::{BeaconState, Checkpoint, Epoch, Root, SignedBeaconBlock, Slot, SszExt, Time};

use crate::chain::Chain;
use crate::execute::{Refusal, Stopped, VALID};
use crate::import::{Import, Source};
use crate::limits::{EVIDENCE_AN_EPOCH_MAX, EVIDENCE_BLOCKS_BEFORE_MAX, EVIDENCE_ROOTS_MAX};
use crate::notes::Note;
use crate::{ForkChoiceView, Output};

/// What is needed to look into something that should not have happened. States and blocks are shared, not copied.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What kind of thing happened.
    pub reason: EvidenceReason,
    /// When, by the chain's clock.
    pub time: Time,
    /// Where the blocks came from: `gossip`, `api`, `sync` or `journal`.
    pub source: &'static str,
    /// The post-state of the first block's parent; perhaps advanced towards its slot where that alone was at hand.
    pub pre_state: Arc<BeaconState>,
    /// The blocks, each the parent of the next, at least one. The last is the one that it is about.
    pub blocks: Vec<Arc<SignedBeaconBlock>>,
    /// The root of the last of the blocks.
    pub root: Root,
    /// What the state transition said of them, as [`crate::verdict_on`] words it.
    pub verdict: String,
    /// What was said beyond that: by the engine, or by fork choice.
    pub beyond: Option<String>,
    /// The ancestors of the blocks that were in memory, oldest first; at most [`EVIDENCE_BLOCKS_BEFORE_MAX`].
    pub before: Vec<Arc<SignedBeaconBlock>>,
    /// What came in and what came of it before, oldest first.
    pub notes: Vec<Note>,
    /// The block tree with its weights.
    pub fork_choice: Arc<ForkChoiceView>,
    /// The head's slot and root.
    pub head: (Slot, Root),
    /// The justified checkpoint.
    pub justified: Checkpoint,
    /// The finalized checkpoint.
    pub finalized: Checkpoint,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceReason {
    /// A block that its proposer signed breaks a rule of the state transition.
    InvalidBlock,
    /// A block is valid but for its state root: its maker and we disagree about what blocks do.
    StateRoot,
    /// The state transition failed on our side.
    Fault,
    /// The job that executed the blocks panicked.
    Panic,
    /// The execution engine found the payload of a valid block invalid.
    Payload,
    /// Fork choice refuses a valid block, or the head does not descend from the finalized checkpoint.
    Finality,
}

impl EvidenceReason {
    /// A word for file names, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidBlock => "invalid_block",
            Self::StateRoot => "state_root",
            Self::Fault => "fault",
            Self::Panic => "panic",
            Self::Payload => "payload",
            Self::Finality => "finality",
        }
    }
}

/// What was kept already.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Roots, oldest first.
    roots: VecDeque<Root>,
    epoch: Epoch,
    in_epoch: usize,
    /// The head and the finalized checkpoint that were compared last: the way from one to the other may be long.
    compared: Option<(Root, Checkpoint)>,
    /// The finalized checkpoint beside which a head was seen last.
    beside: Option<Checkpoint>,
}

impl Kept {
    /// True where there is room for evidence about this block, which counts from then on.
    fn take(&mut self, root: Root, now: Epoch) -> bool {
        if self.epoch != now {
            (self.epoch, self.in_epoch) = (now, 0);
        }
        if self.in_epoch >= EVIDENCE_AN_EPOCH_MAX {
            return false;
        }
        self.in_epoch += 1;
        self.roots.push_back(root);
        if self.roots.len() > EVIDENCE_ROOTS_MAX {
            self.roots.pop_front();
        }
        true
    }
}

/// What happened, before the chain adds what it knows.
struct Happened {
    reason: EvidenceReason,
    source: &'static str,
    pre_state: Arc<BeaconState>,
    blocks: Vec<Arc<SignedBeaconBlock>>,
    verdict: String,
    beyond: Option<String>,
}

impl Source {
    /// A word for notes and evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gossip => "gossip",
            Self::Command(_) => "api",
            Self::Segment(_) => "sync",
            Self::Journal => "journal",
        }
    }
}

impl Chain {
    /// Keeps a block that the state transition does not take.
    pub(crate) fn keep_refusal(&mut self, source: Source, stopped: &Stopped) {
        if !stopped.is_signed {
            return;
        }
        let reason = match &stopped.why {
            Refusal::Invalid(_) => EvidenceReason::InvalidBlock,
            Refusal::StateRoot(_) => EvidenceReason::StateRoot,
            Refusal::Fault(_) => EvidenceReason::Fault,
        };
        let parent = stopped.block.message.parent_root;
        self.keep(Happened {
            reason,
            source: source.name(),
            pre_state: self.post_state(&parent).unwrap_or_else(|| stopped.pre_state.clone()),
            blocks: vec![stopped.block.clone()],
            verdict: stopped.why.words().to_owned(),
            beyond: None,
        });
    }

    /// Keeps blocks whose execution panicked. Those of sync are kept together, since it is not known whose fault it was.
    pub(crate) fn keep_panic(&mut self, import: &Import, text: &str) {
        let blocks: Vec<_> = import.blocks().map(|(_, block)| block.clone()).collect();
        let Some(pre_state) = blocks.first().and_then(|block| self.post_state(&block.message.parent_root))
        else {
            return;
        };
        let verdict = format!("panicked: {text}");
        let source = import.source().name();
        self.keep(Happened {
            reason: EvidenceReason::Panic,
            source,
            pre_state,
            blocks,
            verdict,
            beyond: None,
        });
    }

    /// Keeps a valid block whose payload the engine finds invalid.
    pub(crate) fn keep_payload(&mut self, source: Option<Source>, block: &Arc<SignedBeaconBlock>, why: &str) {
        self.keep_valid(EvidenceReason::Payload, source, block, why);
    }

    /// Keeps a valid block, accepted by gossip, that fork choice has no place for.
    pub(crate) fn keep_misfit(&mut self, import: &Import, why: &str) {
        if let Some((_, block)) = import.first().filter(|_| !import.is_segment()) {
            self.keep_valid(EvidenceReason::Finality, Some(import.source()), &block.clone(), why);
        }
    }

    /// Keeps the head where it does not descend from the finalized checkpoint, once for each such checkpoint: a third of
    /// all stake has voted for both, or our fork choice is wrong.
    pub(crate) fn check_head_against_finality(&mut self) {
        let (root, finalized) = (self.head.root, self.fork_choice.finalized_checkpoint());
        let is_known = |(head, of): &(Root, Checkpoint)| *head == root && of == finalized;
        if self.recent.evidence.compared.as_ref().is_some_and(is_known) {
            return;
        }
        let finalized = finalized.clone();
        self.recent.evidence.compared = Some((root, finalized.clone()));
        if self.fork_choice.is_descendant(&finalized.root, &root)
            || self.recent.evidence.beside.as_ref() == Some(&finalized)
        {
            return;
        }
        let why = format!(
            "the head {root} at slot {} does not descend from the finalized checkpoint {} {}: validators with a third \
             of all stake have voted for both chains, or our fork choice is wrong; an operator has to look",
            self.head.slot, finalized.epoch, finalized.root
        );
        self.recent.evidence.beside = Some(finalized);
        if let Some(block) = self.recent.blocks.get(&root).cloned() {
            self.keep_valid(EvidenceReason::Finality, None, &block, &why);
        }
        self.fault(why);
    }

    /// Keeps a block that passed the state transition, with those before it as far back as there is a state.
    fn keep_valid(
        &mut self,
        reason: EvidenceReason,
        source: Option<Source>,
        block: &Arc<SignedBeaconBlock>,
        why: &str,
    ) {
        let mut blocks = VecDeque::from([block.clone()]);
        let pre_state = loop {
            let Some(first) = blocks.front() else { return };
            let parent = first.message.parent_root;
            if let Some(state) = self.post_state(&parent) {
                break state;
            }
            let Some(before) = self.recent.blocks.get(&parent) else { return };
            if blocks.len() > EVIDENCE_BLOCKS_BEFORE_MAX {
                return;
            }
            blocks.push_front(before.clone());
        };
        self.keep(Happened {
            reason,
            source: source.map_or("fork choice", Source::name),
            pre_state,
            blocks: blocks.into(),
            verdict: VALID.to_owned(),
            beyond: Some(why.to_owned()),
        });
    }

    /// The post-state of a block, where it is in memory. It is not advanced, as those that a vector begins with.
    fn post_state(&self, root: &Root) -> Option<Arc<BeaconState>> {
        match *root == self.head.root {
            true => Some(self.head.state.clone()),
            false => self.states.get(root).cloned(),
        }
    }

    fn keep(&mut self, happened: Happened) {
        let (Some(first), Some(last)) = (happened.blocks.first(), happened.blocks.last()) else { return };
        let root = last.message.hash_tree_root(self.spec.ctx_at_slot(last.message.slot));
        if self.recent.evidence.roots.contains(&root) {
            return;
        }
        if !self.recent.evidence.take(root, self.current_epoch()) {
            self.counters.overflows += 1;
            return;
        }
        self.counters.evidence_kept += 1;
        let mut before = VecDeque::new();
        let mut at = first.message.parent_root;
        while let Some(block) = self.recent.blocks.get(&at) {
            if before.len() == EVIDENCE_BLOCKS_BEFORE_MAX {
                break;
            }
            before.push_front(block.clone());
            at = block.message.parent_root;
        }
        let Happened { reason, source, pre_state, blocks, verdict, beyond } = happened;
        let evidence = Evidence {
            reason,
            time: self.now,
            source,
            pre_state,
            blocks,
            root,
            verdict,
            beyond,
            before: before.into(),
            notes: self.recent.notes.all(),
            fork_choice: self.published.view.fork_choice.clone(),
            head: (self.head.slot, self.head.root),
            justified: self.fork_choice.justified_checkpoint().clone(),
            finalized: self.fork_choice.finalized_checkpoint().clone(),
        };
        self.outputs.push_back(Output::Evidence(Box::new(evidence)));
    }
}
