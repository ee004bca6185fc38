//! Why a transition fails.

use types::{ForkName, Root, Slot};

use crate::accessors::AccessError;
use crate::block::BlockInvalid;
use crate::epoch::EpochError;

/// Why a transition fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// Slots only go forward.
    #[error("cannot go from slot {from} to slot {to}")]
    SlotNotAfterState {
        /// The state's slot.
        from: Slot,
        /// The slot asked for.
        to: Slot,
    },
    /// Nothing can become a state of the first fork.
    #[error("no state is upgraded to {0}")]
    NoUpgrade(ForkName),
    /// An attestation that waits in a phase 0 state has another source than the justified checkpoint.
    #[error("a pending attestation has another source than the justified checkpoint")]
    UpgradeSource,
    /// The epoch cannot be processed.
    #[error("epoch processing failed: {0}")]
    Epoch(#[from] EpochError),
    /// The block is invalid.
    #[error("invalid block: {0}")]
    Block(#[from] BlockInvalid),
    /// The proposer's signature is wrong.
    #[error("the proposer's signature is invalid")]
    BlockSignature,
    /// The block names another post-state.
    #[error("the block's state root is {block}, the state's is {state}")]
    StateRoot {
        /// The root in the block.
        block: Root,
        /// The root of the state.
        state: Root,
    },
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl TransitionError {
    /// True where the block is not to blame, and so neither is whoever sent it: the state that it was put on is
    /// wrong.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::NoUpgrade(_) | Self::UpgradeSource | Self::Epoch(_) => true,
            Self::Access(error) => error.is_fault(),
            Self::Block(invalid) => invalid.is_fault(),
            Self::SlotNotAfterState { .. } | Self::BlockSignature | Self::StateRoot { .. } => false,
        }
    }
}
