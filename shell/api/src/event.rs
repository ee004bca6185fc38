//! Events, as the `/eth/v1/events` stream sends them.

use serde_json::{Value, json};
use types::{Attestation, Checkpoint, Epoch, Root, Slot, Spec, SszExt};

/// What a subscriber may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The head moved.
    Head,
    /// A block was imported.
    Block,
    /// A gossip block passed validation.
    BlockGossip,
    /// An attestation was taken.
    Attestation,
    /// An exit was taken.
    VoluntaryExit,
    /// A proposer slashing was taken.
    ProposerSlashing,
    /// An attester slashing was taken.
    AttesterSlashing,
    /// A contribution of the sync committee was taken.
    ContributionAndProof,
    /// A change of withdrawal credentials was taken.
    BlsToExecutionChange,
    /// The finalized checkpoint moved.
    FinalizedCheckpoint,
    /// The head left its chain.
    ChainReorg,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 11] = [
        Self::Head,
        Self::Block,
        Self::BlockGossip,
        Self::Attestation,
        Self::VoluntaryExit,
        Self::ProposerSlashing,
        Self::AttesterSlashing,
        Self::ContributionAndProof,
        Self::BlsToExecutionChange,
        Self::FinalizedCheckpoint,
        Self::ChainReorg,
    ];

    /// Topics of later forks and of builders: subscribing is fine, nothing comes.
    pub const SILENT: [&'static str; 7] = [
        "blob_sidecar",
        "data_column_sidecar",
        "light_client_finality_update",
        "light_client_optimistic_update",
        "payload_attributes",
        "single_attestation",
        "execution_payload_available",
    ];

    /// The topic's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Block => "block",
            Self::BlockGossip => "block_gossip",
            Self::Attestation => "attestation",
            Self::VoluntaryExit => "voluntary_exit",
            Self::ProposerSlashing => "proposer_slashing",
            Self::AttesterSlashing => "attester_slashing",
            Self::ContributionAndProof => "contribution_and_proof",
            Self::BlsToExecutionChange => "bls_to_execution_change",
            Self::FinalizedCheckpoint => "finalized_checkpoint",
            Self::ChainReorg => "chain_reorg",
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The head moved.
    Head {
        /// The head's slot.
        slot: Slot,
        /// The head.
        block: Root,
        /// The head's state.
        state: Root,
        /// True in the first block of an epoch.
        epoch_transition: bool,
        /// What attester duties of the head's epoch depend on.
        previous_duty_dependent_root: Root,
        /// What attester duties of the next epoch depend on.
        current_duty_dependent_root: Root,
        /// True where the execution of the head is not verified.
        execution_optimistic: bool,
    },
    /// A block was imported.
    Block {
        /// The block's slot.
        slot: Slot,
        /// The block.
        block: Root,
        /// True where its execution is not verified.
        execution_optimistic: bool,
    },
    /// A gossip block passed validation.
    BlockGossip {
        /// The block's slot.
        slot: Slot,
        /// The block.
        block: Root,
    },
    /// An attestation was taken.
    Attestation(Box<Attestation>),
    /// An exit, a slashing, a contribution, a change of credentials: topic and JSON.
    Operation(Topic, Value),
    /// The finalized checkpoint moved.
    FinalizedCheckpoint {
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// The state of its block.
        state: Root,
        /// True where the execution of the head is not verified.
        execution_optimistic: bool,
    },
    /// The head left its chain.
    ChainReorg {
        /// The new head's slot.
        slot: Slot,
        /// Slots from the old head back to the common ancestor.
        depth: u64,
        /// The old head.
        old_head_block: Root,
        /// The new head.
        new_head_block: Root,
        /// The old head's state.
        old_head_state: Root,
        /// The new head's state.
        new_head_state: Root,
        /// The new head's epoch.
        epoch: Epoch,
        /// True where the execution of the new head is not verified.
        execution_optimistic: bool,
    },
}

impl Event {
    /// The topic.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Head { .. } => Topic::Head,
            Self::Block { .. } => Topic::Block,
            Self::BlockGossip { .. } => Topic::BlockGossip,
            Self::Attestation(_) => Topic::Attestation,
            Self::Operation(topic, _) => *topic,
            Self::FinalizedCheckpoint { .. } => Topic::FinalizedCheckpoint,
            Self::ChainReorg { .. } => Topic::ChainReorg,
        }
    }

    /// The data that goes with it.
    pub fn data(&self, spec: &'static Spec) -> Value {
        let text = |value: &dyn std::fmt::Display| value.to_string();
        match self {
            Self::Head {
                slot,
                block,
                state,
                epoch_transition,
                previous_duty_dependent_root,
                current_duty_dependent_root,
                execution_optimistic,
            } => json!({
                "slot": text(slot), "block": text(block), "state": text(state),
                "epoch_transition": epoch_transition,
                "previous_duty_dependent_root": text(previous_duty_dependent_root),
                "current_duty_dependent_root": text(current_duty_dependent_root),
                "execution_optimistic": execution_optimistic,
            }),
            Self::Block { slot, block, execution_optimistic } => json!({
                "slot": text(slot), "block": text(block), "execution_optimistic": execution_optimistic,
            }),
            Self::BlockGossip { slot, block } => json!({ "slot": text(slot), "block": text(block) }),
            Self::Attestation(attestation) => attestation.to_json(spec.ctx_at_slot(attestation.data.slot)),
            Self::Operation(_, data) => data.clone(),
            Self::FinalizedCheckpoint { checkpoint, state, execution_optimistic } => json!({
                "block": text(&checkpoint.root), "state": text(state), "epoch": text(&checkpoint.epoch),
                "execution_optimistic": execution_optimistic,
            }),
            Self::ChainReorg {
                slot,
                depth,
                old_head_block,
                new_head_block,
                old_head_state,
                new_head_state,
                epoch,
                execution_optimistic,
            } => json!({
                "slot": text(slot), "depth": text(depth),
                "old_head_block": text(old_head_block), "new_head_block": text(new_head_block),
                "old_head_state": text(old_head_state), "new_head_state": text(new_head_state),
                "epoch": text(epoch), "execution_optimistic": execution_optimistic,
            }),
        }
    }
}
