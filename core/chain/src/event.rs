//! What subscribers of the API hear.

use std::sync::Arc;

use types::{
    Attestation, AttesterSlashing, Checkpoint, Epoch, ProposerSlashing, Root, SignedBLSToExecutionChange,
    SignedContributionAndProof, SignedVoluntaryExit, Slot,
};

/// What subscribers of the API hear, in the order in which it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A gossip block passed validation and is forwarded.
    BlockGossip {
        /// The block's slot.
        slot: Slot,
        /// The block.
        block: Root,
    },
    /// A block was imported.
    Block {
        /// The block's slot.
        slot: Slot,
        /// The block.
        block: Root,
    },
    /// The head moved.
    Head {
        /// The head's slot.
        slot: Slot,
        /// The head.
        block: Root,
        /// The root of the head's state.
        state: Root,
        /// True where the head is the first block of its epoch on its chain.
        epoch_transition: bool,
        /// What attester duties of the head's epoch depend on.
        previous_duty_dependent_root: Root,
        /// What attester duties of the next epoch depend on.
        current_duty_dependent_root: Root,
    },
    /// The head left its chain. Comes before the `Head` of the same move.
    ChainReorg {
        /// The new head's slot.
        slot: Slot,
        /// Slots from the old head back to the last common block.
        depth: u64,
        /// The old head.
        old_head_block: Root,
        /// The new head.
        new_head_block: Root,
        /// The root of the old head's state.
        old_head_state: Root,
        /// The root of the new head's state.
        new_head_state: Root,
        /// The new head's epoch.
        epoch: Epoch,
    },
    /// The finalized checkpoint moved.
    FinalizedCheckpoint {
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// The root of the state of its block.
        state: Root,
    },
    /// An attestation passed validation, alone or in an aggregate.
    Attestation(Arc<Attestation>),
    /// A contribution of the sync committee passed validation.
    Contribution(Arc<SignedContributionAndProof>),
    /// A change of withdrawal credentials passed validation.
    BlsToExecutionChange(Arc<SignedBLSToExecutionChange>),
    /// An exit passed validation.
    VoluntaryExit(Arc<SignedVoluntaryExit>),
    /// A proposer slashing passed validation.
    ProposerSlashing(Arc<ProposerSlashing>),
    /// An attester slashing passed validation.
    AttesterSlashing(Arc<AttesterSlashing>),
}
