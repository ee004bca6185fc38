//! How a chain begins: from an anchor that is trusted, or from what an earlier run stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{BeaconState, Root, SignedBeaconBlock};

use crate::LoadedState;

/// What an operator may choose, and what only the shell can draw.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    /// Secret randomness for the batch verification of signatures; every job's own seed follows from it.
    pub seed: [u8; 32],
    /// Every how many epochs a finalized state is kept in storage for good; zero keeps none but the newest.
    pub archive_every_epochs: u64,
}

/// What a chain begins with.
#[derive(Clone, Debug)]
pub enum Start {
    /// A state that is trusted: genesis, or a checkpoint.
    Anchor {
        /// The post-state of the anchor block; at its slot, not advanced.
        state: Arc<BeaconState>,
        /// The anchor block; none at genesis, whose block follows from its state.
        block: Option<Arc<SignedBeaconBlock>>,
    },
    /// What an earlier run stored.
    Restored(StoredStart),
}

/// Exactly what a restart needs:
///
/// 1. the bytes of the newest [`crate::StoreOp::PutSnapshot`];
/// 2. for each root that [`StoredStart::needs`] names, the answer to [`crate::LoadKey::State`];
/// 3. the journal: the blocks of every [`crate::StoreOp::AppendJournal`] since that snapshot, in order. They are
///    imported again in the background.
#[derive(Clone, Debug)]
pub struct StoredStart {
    /// The newest snapshot.
    pub snapshot: Vec<u8>,
    /// What was loaded, by the roots of [`StoredStart::needs`].
    pub states: BTreeMap<Root, LoadedState>,
    /// Blocks that were imported after the snapshot, in order.
    pub journal: Vec<Arc<SignedBeaconBlock>>,
}

/// Why a chain cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The anchor block and the anchor state do not belong together.
    #[error("the anchor block has the state root {block}, the anchor state is {state}")]
    AnchorMismatch {
        /// What the block says.
        block: Root,
        /// What the state is.
        state: Root,
    },
    /// The anchor is of another preset or fork schedule.
    #[error("the anchor state is of fork {state}, at its slot the network is at {network}")]
    WrongFork {
        /// The state's fork.
        state: &'static str,
        /// The fork of its slot in the schedule.
        network: &'static str,
    },
    /// The state has no use: no active validators, or broken in itself.
    #[error("the anchor state is unusable: {0}")]
    UnusableState(String),
    /// The stored snapshot does not decode.
    #[error("the stored snapshot is unusable: {0}")]
    Snapshot(String),
    /// A state that the snapshot needs was not handed over.
    #[error("the stored state of block {0} is missing")]
    MissingState(Root),
    /// Stored blocks do not lead to the state that they should lead to.
    #[error("the stored blocks do not lead to block {root}: {why}")]
    Replay {
        /// The block whose state was wanted.
        root: Root,
        /// What went wrong.
        why: String,
    },
}
