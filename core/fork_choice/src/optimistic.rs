//! What an execution engine says of payloads: after blocks were imported, and with consequences for others.
//!
//! [Optimistic sync](https://github.com/ethereum/consensus-specs/blob/master/sync/optimistic.md). Invariants: what comes
//! before a valid payload is valid, what builds on an invalid one is invalid, and the oldest block is never invalid.

use types::{Root, Slot};

use crate::tree::NONE;
use crate::{ExecutionStatus, ForkChoice, PayloadVerdictInvalid};

/// `SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY`: the age from which a merge block may be followed without a verdict, in slots.
pub const SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY: u64 = 128;

impl ForkChoice {
    /// An engine executed the payload of a block: it and all before it are valid.
    pub fn on_valid_payload(&mut self, root: &Root) -> Result<(), PayloadVerdictInvalid> {
        let index = self.tree.index_of(root).ok_or(PayloadVerdictInvalid::Unknown)?;
        match self.tree.execution(index) {
            ExecutionStatus::Irrelevant => Err(PayloadVerdictInvalid::NoPayload),
            ExecutionStatus::Invalidated { .. } => Err(PayloadVerdictInvalid::WasInvalid),
            ExecutionStatus::Valid { .. } | ExecutionStatus::NotValidated { .. } => {
                self.mark_valid(index);
                Ok(())
            }
        }
    }

    /// Marks a block and those before it as valid, up to one that is.
    pub(crate) fn mark_valid(&mut self, mut index: u32) {
        while index != NONE
            && let ExecutionStatus::NotValidated { block_hash } = self.tree.execution(index)
        {
            self.tree.set_execution(index, ExecutionStatus::Valid { block_hash });
            index = self.tree.parent(index);
        }
    }

    /// An engine found the payload of a block invalid, and names the newest valid one before it as the Engine API has
    /// it: none where it does not know, zero where there is no valid payload at all. Gives the blocks that lead to no
    /// head any more: the first after the valid one, and all that build on it.
    pub fn on_invalid_payload(
        &mut self,
        root: &Root,
        latest_valid_hash: Option<Root>,
    ) -> Result<Vec<Root>, PayloadVerdictInvalid> {
        let index = self.tree.index_of(root).ok_or(PayloadVerdictInvalid::Unknown)?;
        match self.tree.execution(index) {
            ExecutionStatus::Irrelevant => return Err(PayloadVerdictInvalid::NoPayload),
            ExecutionStatus::Valid { .. } => return Err(PayloadVerdictInvalid::WasValid),
            ExecutionStatus::NotValidated { .. } | ExecutionStatus::Invalidated { .. } => {}
        }
        let first = self.first_invalid(index, latest_valid_hash).unwrap_or(index);
        self.invalidate(first)
    }

    /// As [`Self::on_invalid_payload`], of a block that the store does not have and that builds on this one.
    pub fn on_invalid_payload_upon(
        &mut self,
        parent: &Root,
        latest_valid_hash: Option<Root>,
    ) -> Result<Vec<Root>, PayloadVerdictInvalid> {
        let parent = self.tree.index_of(parent).ok_or(PayloadVerdictInvalid::Unknown)?;
        if latest_valid_hash.is_some() && latest_valid_hash == self.tree.execution(parent).block_hash() {
            return Ok(Vec::new());
        }
        match self.first_invalid(parent, latest_valid_hash) {
            Some(first) => self.invalidate(first),
            None => Ok(Vec::new()),
        }
    }

    /// The `invalidBlock` of the specification among a block and those before it: the child of the newest valid one.
    /// None where the hash names no block of that chain, or none is named.
    fn first_invalid(&self, from: u32, latest_valid_hash: Option<Root>) -> Option<u32> {
        let latest_valid_hash = latest_valid_hash?;
        let mut at = from;
        loop {
            let parent = self.tree.parent(at);
            if parent == NONE || self.tree.execution(at) == ExecutionStatus::Irrelevant {
                return None;
            }
            let is_found = match self.tree.execution(parent).block_hash() {
                Some(hash) => hash == latest_valid_hash,
                None => latest_valid_hash.is_zero(),
            };
            if is_found {
                return Some(at);
            }
            at = parent;
        }
    }

    fn invalidate(&mut self, first: u32) -> Result<Vec<Root>, PayloadVerdictInvalid> {
        if self.tree.parent(first) == NONE {
            return Err(PayloadVerdictInvalid::OldestBlock);
        }
        if matches!(self.tree.execution(first), ExecutionStatus::Valid { .. }) {
            return Err(PayloadVerdictInvalid::WasValid);
        }
        let invalidated = self.tree.invalidate(first);
        if !invalidated.is_empty() {
            self.head = None;
        }
        Ok(invalidated.into_iter().map(|index| self.tree.root(index)).collect())
    }

    /// True where the justified block is invalid: then no head is left that votes could choose, and only an operator, or
    /// a chain that justifies a later epoch, can help.
    pub fn is_justified_invalid(&self) -> bool {
        self.tree.is_invalid(self.index_expected(&self.justified_checkpoint))
    }

    /// `is_optimistic`: true where no engine has executed the payload yet; false where the block is not known.
    pub fn is_optimistic(&self, root: &Root) -> bool {
        self.block(root).is_some_and(|node| node.execution.is_optimistic())
    }

    /// `is_optimistic_candidate_block`: whether a block of this slot and parent may be followed without a verdict.
    /// `safe_slots` is [`SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY`] unless the operator says otherwise.
    pub fn is_optimistic_candidate_block(&self, slot: Slot, parent: &Root, safe_slots: u64) -> bool {
        let is_old = slot.0.saturating_add(safe_slots) <= self.get_current_slot().0;
        is_old || self.block(parent).is_some_and(|node| node.execution != ExecutionStatus::Irrelevant)
    }

    /// [`get_safe_execution_block_hash`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fast-confirmation.md#new-get_safe_execution_block_hash)
    /// with the justified block as the safe one, as it is without the fast confirmation rule; zero before the merge.
    pub fn get_safe_execution_block_hash(&self) -> Root {
        self.execution_hash_of(&self.justified_checkpoint.root)
    }

    /// The hash of the finalized payload; zero before the merge.
    pub fn finalized_execution_block_hash(&self) -> Root {
        self.execution_hash_of(&self.finalized_checkpoint.root)
    }

    fn execution_hash_of(&self, root: &Root) -> Root {
        let status = self.block(root).map(|node| node.execution).unwrap_or_default();
        match status {
            ExecutionStatus::Invalidated { .. } => Root::ZERO,
            status => status.block_hash().unwrap_or_default(),
        }
    }
}
