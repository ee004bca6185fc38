//! `on_block`: a block that passed the state transition enters the store.

use types::{Checkpoint, Epoch, Root, Slot};

use crate::{BLOCKS_MAX, BlockFacts, BlockInvalid, ExecutionStatus, ForkChoice, Node};

/// What `on_block` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The block is new.
    New,
    /// The store had it already; nothing changed.
    AlreadyKnown,
}

impl ForkChoice {
    /// [`on_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#on_block),
    /// after the state transition.
    pub fn on_block(&mut self, block: &BlockFacts) -> Result<Imported, BlockInvalid> {
        if self.contains(&block.root) {
            return Ok(Imported::AlreadyKnown);
        }
        let parent = self.validate_on_block(block.slot, &block.parent_root)?;
        self.check_execution(block, parent)?;
        self.check_checkpoints(block, parent)?;

        let timely = self.is_block_timely(block);
        // The head before the block decides about its boost. The store is asked for it only where the
        // boost depends on the answer, for each question may cost a pass over all blocks.
        let wants_boost =
            timely && self.get_current_slot() == block.slot && self.proposer_boost_root.is_zero();
        let head_before = wants_boost.then(|| self.head_index());

        let was_leaf = !self.tree.has_children(parent);
        let known_head = self.head.take();
        let decided_by = self.decided_by();
        let index = self.tree.insert(node_of(block, timely), parent);
        if matches!(block.execution, ExecutionStatus::Valid { .. }) {
            self.mark_valid(parent);
        }
        if let Some(head_before) = head_before {
            self.update_proposer_boost_root(head_before, index);
        }
        self.update_checkpoints(&block.justified, &block.finalized);
        self.compute_pulled_up_tip(block);
        if let Some(head) = known_head
            && self.decided_by() == decided_by
        {
            self.head = self.tree.head_with_last(head, was_leaf);
        }
        Ok(Imported::New)
    }

    /// What the head depends on beside votes and blocks, and a block may change.
    fn decided_by(&self) -> (Epoch, Epoch, Root) {
        (self.justified_checkpoint.epoch, self.finalized_checkpoint.epoch, self.proposer_boost_root)
    }

    /// The checks of `on_block` that need no post-state, for a caller that would rather know before it runs
    /// the state transition.
    pub fn may_import(&self, slot: Slot, parent_root: &Root) -> Result<(), BlockInvalid> {
        self.validate_on_block(slot, parent_root).map(|_| ())
    }

    /// Gives the index of the parent.
    fn validate_on_block(&self, slot: Slot, parent_root: &Root) -> Result<u32, BlockInvalid> {
        let parent = self.tree.index_of(parent_root).ok_or(BlockInvalid::ParentUnknown)?;
        if self.get_current_slot() < slot {
            return Err(BlockInvalid::SlotInFuture);
        }
        if slot <= self.finalized_checkpoint.epoch.start_slot(self.spec) {
            return Err(BlockInvalid::SlotNotAfterFinalized);
        }
        // Since the block is after the finalized slot, it conforms where its parent does.
        if !self.tree.conforms(parent) {
            return Err(BlockInvalid::NotDescendantOfFinalized);
        }
        if self.tree.is_invalid(parent) {
            return Err(BlockInvalid::ParentInvalidated);
        }
        if slot <= self.tree.slot(parent) {
            return Err(BlockInvalid::SlotNotAfterParent);
        }
        if self.tree.count() >= BLOCKS_MAX {
            return Err(BlockInvalid::StoreFull);
        }
        Ok(parent)
    }

    fn check_execution(&self, block: &BlockFacts, parent: u32) -> Result<(), BlockInvalid> {
        match (block.execution, self.tree.execution(parent)) {
            (ExecutionStatus::Invalidated { .. }, _) => Err(BlockInvalid::Invalidated),
            (ExecutionStatus::Irrelevant, ExecutionStatus::Irrelevant) => Ok(()),
            (ExecutionStatus::Irrelevant, _) => Err(BlockInvalid::PayloadMissing),
            _ => Ok(()),
        }
    }

    /// A checkpoint that the store may adopt must be of this chain, or `get_head` would start from a block
    /// that is not there. The state transition guarantees it; this guards against a wrong caller.
    fn check_checkpoints(&self, block: &BlockFacts, parent: u32) -> Result<(), BlockInvalid> {
        let adoptable = [
            (&block.justified, &self.justified_checkpoint),
            (&block.finalized, &self.finalized_checkpoint),
            (&block.unrealized_justified, &self.unrealized_justified_checkpoint),
            (&block.unrealized_justified, &self.justified_checkpoint),
            (&block.unrealized_finalized, &self.unrealized_finalized_checkpoint),
            (&block.unrealized_finalized, &self.finalized_checkpoint),
        ];
        for (new, old) in adoptable {
            if new.epoch > old.epoch && !self.is_checkpoint_of_chain(new, block, parent) {
                return Err(BlockInvalid::CheckpointNotInChain);
            }
        }
        Ok(())
    }

    fn is_checkpoint_of_chain(&self, checkpoint: &Checkpoint, block: &BlockFacts, parent: u32) -> bool {
        let start = checkpoint.epoch.start_slot(self.spec);
        // Votes for an epoch are of its first slot or later, and in a block of a later slot than theirs.
        start < block.slot
            && self.tree.ancestor_at(parent, start).is_some_and(|i| self.tree.root(i) == checkpoint.root)
    }

    /// [`record_block_timeliness`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#record_block_timeliness).
    fn is_block_timely(&self, block: &BlockFacts) -> bool {
        let due_ms = self.spec.get_slot_component_duration_ms(self.spec.config.attestation_due_bps);
        block.arrived >= self.genesis_time
            && self.slot_at(block.arrived) == block.slot
            && self.ms_into_slot(block.arrived) < due_ms
    }

    /// [`update_proposer_boost_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_proposer_boost_root)
    /// for a timely block of the current slot while no other has the boost.
    fn update_proposer_boost_root(&mut self, head: u32, block: u32) {
        let epoch = self.get_current_store_epoch();
        if self.get_shuffling_dependent_root(head, epoch) == self.get_shuffling_dependent_root(block, epoch) {
            self.proposer_boost_root = self.tree.root(block);
        }
    }

    /// [`get_shuffling_dependent_root`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_shuffling_dependent_root)
    /// as an index. None stands for the genesis block's parent, and for a block older than the store
    /// reaches, which is the same for all its blocks.
    fn get_shuffling_dependent_root(&self, index: u32, epoch: Epoch) -> Option<u32> {
        let lookahead = self.spec.preset.min_seed_lookahead;
        if epoch <= lookahead {
            return None;
        }
        let dependent_slot = Slot((epoch - lookahead).start_slot(self.spec).0 - 1);
        self.tree.ancestor_at(index, dependent_slot)
    }

    /// [`compute_pulled_up_tip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#compute_pulled_up_tip),
    /// after the part that needs a state.
    fn compute_pulled_up_tip(&mut self, block: &BlockFacts) {
        self.update_unrealized_checkpoints(&block.unrealized_justified, &block.unrealized_finalized);
        if block.slot.epoch(self.spec) < self.get_current_store_epoch() {
            self.update_checkpoints(&block.unrealized_justified, &block.unrealized_finalized);
        }
    }
}

fn node_of(block: &BlockFacts, timely: bool) -> Node {
    Node {
        slot: block.slot,
        root: block.root,
        parent_root: block.parent_root,
        proposer_index: block.proposer_index,
        state_root: block.state_root,
        justified: block.justified.clone(),
        finalized: block.finalized.clone(),
        unrealized_justified: block.unrealized_justified.clone(),
        unrealized_finalized: block.unrealized_finalized.clone(),
        timely,
        execution: block.execution,
    }
}
