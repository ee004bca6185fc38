//! What the rules ask about blocks.

use transition::block::PayloadStatus;
use types::{Checkpoint, Epoch, Root, Slot, ValidatorIndex};

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBlock {
    /// Nothing.
    Unseen,
    /// It was seen and failed validation.
    Invalid {
        /// What the execution engine said of its payload.
        payload: PayloadStatus,
    },
    /// It was imported.
    Valid {
        /// Its slot.
        slot: Slot,
        /// What the execution engine said of its payload.
        payload: PayloadStatus,
    },
}

/// The part of the specification's `Store` that the rules read.
pub trait BlockStore {
    /// What is known of a block.
    fn block(&self, root: &Root) -> KnownBlock;

    /// The finalized checkpoint.
    fn finalized_checkpoint(&self) -> Checkpoint;

    /// [`get_checkpoint_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_checkpoint_block);
    /// none where the chain of `root` is not known back to that epoch.
    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root>;

    /// Who proposes in `slot` on top of the imported block `parent`; none where that is not known now.
    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex>;
}
