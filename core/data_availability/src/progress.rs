//! What the store answers.

use types::{Epoch, ForkName, Slot, Spec};

/// Which data must be there before a block is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// None: it is of a fork without blobs, or so old that peers need not have them any more.
    Nothing,
    /// A sidecar for each blob.
    Blobs,
    /// The columns that the node samples.
    Columns,
}

/// Which data a block of this slot needs now; see the notes of
/// [`is_data_available`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/fork-choice.md#is_data_available).
pub fn needed(spec: &Spec, slot: Slot, current_epoch: Epoch) -> Needed {
    let epoch = slot.epoch(spec);
    let (needed, kept) = match spec.fork_name_at_epoch(epoch) {
        fork if fork < ForkName::Deneb => return Needed::Nothing,
        fork if fork < ForkName::Fulu => (Needed::Blobs, spec.config.min_epochs_for_blob_sidecars_requests),
        _ => (Needed::Columns, spec.config.min_epochs_for_data_column_sidecars_requests),
    };
    if epoch.0.saturating_add(kept) >= current_epoch.0 { needed } else { Needed::Nothing }
}

/// How far the data of a block is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All that is needed is there and verified.
    Complete,
    /// These blobs or columns are missing, in ascending order; some may wait for their verification.
    Missing(Vec<u64>),
    /// The block itself is not known, so that nobody can tell.
    NoBlock,
}

/// What happened to a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The same one is there, or another verified one in its place.
    #[error("a sidecar of this block and index is known")]
    Known,
    /// It is of a slot up to the finalized one.
    #[error("the slot is finalized")]
    Finalized,
    /// Blobs of a block with columns, columns of a block with blobs, or either of a block that has neither.
    #[error("blocks of this slot have no such sidecars")]
    Kind,
    /// The index is beyond those that a block can have.
    #[error("the index is out of range")]
    Index,
    /// The block, which is there, commits to other blobs.
    #[error("the commitments are not those of the block")]
    Commitments,
    /// Too many in its place wait for their verification.
    #[error("too many sidecars of this block and index wait")]
    Candidates,
    /// There is no room, see [`Limits`](crate::Limits).
    #[error("the store is full")]
    Full,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Blocks of which something is kept.
    pub blocks: usize,
    /// Bytes of all sidecars.
    pub bytes: usize,
}
