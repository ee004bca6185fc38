//! The rules of sidecars' gossip: the specification's executable `validate_*_gossip` functions.
//!
//! Each function does all checks but those of the signature and of the KZG proofs, and answers with a verdict, or with
//! what must still be verified ([`Checked`]): first the signatures, then the proofs, each with its reason. Once all is
//! found good, `mark_seen` of the facts closes the case; two copies that are verified at once are told apart by asking
//! `is_seen` again before.
//!
//! The specification puts those checks between others. A message that breaks several rules may be refused here for
//! another of them, and one that was seen before is ignored without looking at its proofs again.
//!
//! Equivocation: the first valid sidecar of a slot, proposer and index is forwarded, every other one is ignored, also
//! where it is of another block. The import of a block does not ask these rules: its sidecars are known by its root.

mod blob_sidecar;
mod data_column_sidecar;
mod header;
mod partial_data_column_sidecar;
mod seen;
mod store;
mod verdict;

use crypto::SignatureSet;

pub use blob_sidecar::{CheckedBlobSidecar, INVALID_BLOB_KZG_PROOF, validate_blob_sidecar_gossip};
pub use data_column_sidecar::{
    CheckedDataColumnSidecar, INVALID_SIDECAR_KZG_PROOFS, validate_data_column_sidecar_gossip,
};
pub use header::PARENT_NOT_SEEN;
pub use partial_data_column_sidecar::{
    CheckedPartialDataColumnSidecar, HEADER_NOT_SEEN, validate_partial_data_column_sidecar_gossip,
};
pub use seen::{SLOTS_MAX, SeenSidecars};
pub use store::{HeaderStore, KnownParent};
pub use verdict::{Verdict, Why};

/// What a message of a sidecar lacks that may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {
    /// Its slot has not begun.
    Slot,
    /// Its block's parent was not seen.
    Parent,
    /// No state at hand tells the proposer of its slot.
    Shuffling,
}

/// What a blob or column that is ignored lacks; none where nothing that may come changes the verdict.
pub fn not_yet(verdict: &Verdict) -> Option<NotYet> {
    let Verdict::Ignore(why) = verdict else { return None };
    let kinds = [&blob_sidecar::REASONS, &data_column_sidecar::REASONS];
    match why {
        why if kinds.iter().any(|reasons| reasons.future_slot == *why) => Some(NotYet::Slot),
        why if kinds.iter().any(|reasons| reasons.parent_not_seen == *why) => Some(NotYet::Parent),
        why if *why == header::SHUFFLING_NOT_KNOWN => Some(NotYet::Shuffling),
        _ => None,
    }
}

/// A message that passed all rules but those of its signatures and KZG proofs.
#[derive(Clone, Debug)]
pub struct Checked<F> {
    /// What must be verified, each with the reason for rejecting the message where it is wrong.
    pub signatures: Vec<(SignatureSet, Why)>,
    /// What was found out.
    pub facts: F,
}
