//! What an engine says of payloads after their blocks were imported.

use std::collections::BTreeMap;

use engine::{EngineReply, EngineRequest, MergeInvalid, PayloadStatus, PowBlock, validate_merge_block};
use fork_choice::{ExecutionStatus, PayloadVerdictInvalid};
use types::Root;

use crate::chain::Chain;
use crate::engine_calls::EngineCall;
use crate::limits::UNCHECKED_MERGES_MAX;
use crate::notes::Noted;
use crate::payload::MergeAsk;

/// Merge blocks that were imported while the engine did not know what they build on, with the hash of that. They are
/// checked when the engine has executed them. At most [`UNCHECKED_MERGES_MAX`]; further ones wait for their import.
#[derive(Debug, Default)]
pub(crate) struct UncheckedMerges(BTreeMap<Root, Root>);

impl UncheckedMerges {
    /// False where there is no room.
    pub fn insert(&mut self, root: Root, parent_hash: Root) -> bool {
        if self.0.len() < UNCHECKED_MERGES_MAX {
            self.0.insert(root, parent_hash);
        }
        self.0.contains_key(&root)
    }

    pub fn retain(&mut self, keep: impl Fn(&Root) -> bool) {
        self.0.retain(|root, _| keep(root));
    }
}

impl Chain {
    /// Takes what an engine says of the payload of a block of fork choice. Whoever calls settles.
    pub(crate) fn note_status(&mut self, root: &Root, status: &PayloadStatus) {
        let Some(node) = self.fork_choice.block(root) else { return };
        if node.execution == ExecutionStatus::Irrelevant || status.is_optimistic() {
            return;
        }
        if status.is_invalid() {
            let gone = self.fork_choice.on_invalid_payload(root, status.latest_valid_hash);
            return self.invalidated(root, gone);
        }
        if !node.execution.is_optimistic() && !node.execution.is_invalid() {
            return;
        }
        if let Some((merge, hash)) = self.unchecked_merge_below(root) {
            let ask = MergeAsk::Block;
            return self.ask_engine(
                EngineCall::LateMerge { merge, valid: *root, ask },
                EngineRequest::GetPowBlock { hash: Some(hash) },
            );
        }
        self.note_valid(root);
    }

    fn note_valid(&mut self, root: &Root) {
        let result = self.fork_choice.on_valid_payload(root);
        self.published.is_stale = true;
        self.published.is_fork_choice_stale = true;
        self.invalidated(root, result.map(|()| Vec::new()));
    }

    /// An unchecked merge block that is this block or comes before it, and the hash of what it builds on.
    pub(crate) fn unchecked_merge_below(&self, root: &Root) -> Option<(Root, Root)> {
        let merges = self.work.unchecked_merges.0.iter();
        let mut below = merges.filter(|(merge, _)| self.fork_choice.is_descendant(merge, root));
        below.next().map(|(merge, hash)| (*merge, *hash))
    }

    /// Takes what the engine says of the blocks before a merge block that it has executed: the whole of
    /// `validate_merge_block` is due now. `valid` is the block whose payload it found valid.
    pub(crate) fn late_merge_answered(
        &mut self,
        merge: Root,
        valid: Root,
        ask: MergeAsk,
        reply: EngineReply,
    ) {
        let (block, parent): (Option<PowBlock>, Option<PowBlock>) = match (reply, ask) {
            (EngineReply::PowBlock(Some(block)), MergeAsk::Block) if !block.parent_hash.is_zero() => {
                let (ask, hash) = (MergeAsk::Parent(block), Some(block.parent_hash));
                let call = EngineCall::LateMerge { merge, valid, ask };
                return self.ask_engine(call, EngineRequest::GetPowBlock { hash });
            }
            (EngineReply::PowBlock(block), MergeAsk::Block) => (block, None),
            (EngineReply::PowBlock(parent), MergeAsk::Parent(block)) => (Some(block), parent),
            // The blocks stay optimistic, so that the engine is told of the head again, and asked again.
            _ => return,
        };
        let Some(hash) = self.work.unchecked_merges.0.get(&merge).copied() else { return };
        let Some(epoch) = self.fork_choice.block(&merge).map(|node| node.slot.epoch(self.spec)) else {
            return;
        };
        match validate_merge_block(&self.spec.config, epoch, hash, block.as_ref(), parent.as_ref()) {
            Ok(()) => {
                self.work.unchecked_merges.0.remove(&merge);
                self.note_valid(&valid);
            }
            Err(MergeInvalid::Unknown) => {}
            Err(_) => {
                self.work.unchecked_merges.0.remove(&merge);
                let gone = self.fork_choice.on_invalid_payload(&merge, None);
                self.invalidated(&merge, gone);
            }
        }
        self.settle();
    }

    /// Takes note of blocks that lead to no head any more.
    pub(crate) fn invalidated(&mut self, root: &Root, result: Result<Vec<Root>, PayloadVerdictInvalid>) {
        match result {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => {
                self.counters.payloads_invalid += gone.len() as u64;
                self.note(Noted::PayloadInvalid { root: *root, blocks: gone.len() });
                if let Some(block) = self.recent.blocks.get(root).cloned() {
                    self.keep_payload(None, &block, "the execution engine finds the payload invalid");
                }
                self.published.is_stale = true;
                self.published.is_fork_choice_stale = true;
                if self.fork_choice.is_justified_invalid() {
                    self.fault(format!(
                        "the execution engine finds the payload of the justified block invalid, with {} blocks up to \
                         {root}: either most validators follow an invalid chain, or the engine is broken; an operator \
                         has to look",
                        gone.len()
                    ));
                }
            }
            Err(contradiction) => self.fault(format!(
                "the execution engine contradicts what is known of the payload of block {root}: {contradiction}"
            )),
        }
    }
}
