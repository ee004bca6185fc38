//! Why the store refuses something. A refusal changes nothing.

use thiserror::Error;

/// Why a block may not enter the store, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlockInvalid {
    /// Wait for the parent, then try again.
    #[error("the parent is not known")]
    ParentUnknown,
    /// Wait for the slot, then try again.
    #[error("the block is of a future slot")]
    SlotInFuture,
    /// The block is too old to matter.
    #[error("the slot is not after the finalized slot")]
    SlotNotAfterFinalized,
    /// The block conflicts with finality.
    #[error("the block does not descend from the finalized checkpoint")]
    NotDescendantOfFinalized,
    /// The payload of the parent, or of one that it builds on, is invalid.
    #[error("the payload of the parent is invalid")]
    ParentInvalidated,
    /// The state transition cannot have accepted this.
    #[error("the slot is not after the parent's")]
    SlotNotAfterParent,
    /// The facts contradict the tree: no post-state of this block can have this checkpoint.
    #[error("a newer checkpoint of the post-state is not in the chain of the block")]
    CheckpointNotInChain,
    /// Payloads end nowhere: after a block with one comes no block without.
    #[error("the block has no payload, its parent has")]
    PayloadMissing,
    /// It leads to no head, so there is no place for it.
    #[error("the payload is invalid")]
    Invalidated,
    /// [`crate::BLOCKS_MAX`] blocks are held.
    #[error("the store is full")]
    StoreFull,
}

/// Why an attestation does not count, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AttestationInvalid {
    /// Wait for the epoch, then try again.
    #[error("the target is of a future epoch")]
    TargetEpochInFuture,
    /// Too old for the wire.
    #[error("the target is older than the previous epoch")]
    TargetEpochTooOld,
    /// Slot and target contradict each other.
    #[error("the target's epoch is not the epoch of the slot")]
    TargetEpochNotOfSlot,
    /// Wait for the block, then try again.
    #[error("the target block is not known")]
    TargetUnknown,
    /// Wait for the block, then try again.
    #[error("the block voted for is not known")]
    BlockUnknown,
    /// Nobody can vote for a block before its slot.
    #[error("the block voted for is later than the attestation")]
    BlockAfterAttestation,
    /// Head and target vote contradict each other.
    #[error("the target is not the checkpoint of the block voted for")]
    TargetNotCheckpointOfBlock,
    /// Wait for the next slot, then try again, or use `queue_attestation`.
    #[error("the attestation's slot is not over")]
    SlotNotPast,
    /// A target epoch of [`crate::EPOCHS_MAX`] or more.
    #[error("the target epoch is too large")]
    TargetEpochTooLarge,
    /// A validator index of [`crate::VALIDATORS_MAX`] or more.
    #[error("a validator index is too large")]
    ValidatorIndexTooLarge,
    /// [`crate::QUEUED_VOTES_MAX`] votes of distinct validators wait already.
    #[error("too many votes wait for the next slot")]
    QueueFull,
}

/// Why balances are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BalancesInvalid {
    /// The total cannot be an amount of Gwei that exists.
    #[error("the total active balance is too large")]
    TotalTooLarge,
    /// Active unslashed validators cannot have more than all active ones.
    #[error("the balances add up to more than the total active balance")]
    SumAboveTotal,
    /// They belong to a checkpoint that the store no longer asks for.
    #[error("the balances are not of the justified checkpoint")]
    NotOfJustified,
}

/// Why a verdict of an engine is not followed: it contradicts what an engine said before, or what is trusted. It takes a
/// faulty engine, or one that is exchanged for another, and an operator to say which is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayloadVerdictInvalid {
    /// The store does not have this block.
    #[error("the block is not known")]
    Unknown,
    /// It is from before the merge.
    #[error("the block has no payload")]
    NoPayload,
    /// The payload is valid now and was invalid before.
    #[error("the payload, or one that it builds on, was found invalid before")]
    WasInvalid,
    /// The payload is invalid now and was valid before.
    #[error("the payload was found valid before")]
    WasValid,
    /// The oldest block, which is trusted or finalized, would lead to no head.
    #[error("the payload of the oldest block, which is final, would be invalid")]
    OldestBlock,
}

/// Why there is no proposer head; propose on the head itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProposerHeadInvalid {
    /// The store does not have this head.
    #[error("the head is not known")]
    HeadUnknown,
    /// The head is the oldest block of the store.
    #[error("the parent of the head is not known")]
    ParentUnknown,
    /// Its votes cannot be told from its boost, and its slot is not over.
    #[error("the head still has its proposer boost")]
    HeadIsBoosted,
}

/// Why bytes are not a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotInvalid {
    /// Written by another version of this program.
    #[error("the format version is not known")]
    UnknownVersion,
    /// Written for a network with other slots or epochs.
    #[error("the snapshot is of another network")]
    OtherNetwork,
    /// The end comes too early.
    #[error("the snapshot is cut short")]
    Truncated,
    /// The end comes too late.
    #[error("bytes follow the end of the snapshot")]
    TrailingBytes,
    /// A count is above the bound of its list.
    #[error("a list is longer than its bound")]
    TooLong,
    /// A value breaks an invariant of the store; the text says which.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(&'static str),
}
