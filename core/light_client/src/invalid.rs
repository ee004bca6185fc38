//! Why a light client refuses data.

use types::{Root, Slot};

/// The rule that was broken. The store is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A bootstrap's header contradicts itself.
    #[error("the header does not prove its execution payload")]
    BootstrapHeader,
    /// A bootstrap of another block than the one that is trusted.
    #[error("the bootstrap is that of {found}, trusted is {expected}")]
    BootstrapRoot {
        /// Whose it is.
        found: Root,
        /// Whose it should be.
        expected: Root,
    },
    /// A bootstrap's committee is not that of its state.
    #[error("the current sync committee is not proved")]
    CurrentSyncCommittee,
    /// A vote has another size than the committee.
    #[error("{bits} votes of a committee of {members}")]
    CommitteeSize {
        /// How many places the vote has.
        bits: usize,
        /// How many the committee has.
        members: usize,
    },
    /// Too few have signed.
    #[error("{found} participants, at least {least} are needed")]
    TooFewParticipants {
        /// How many there are.
        found: u64,
        /// `MIN_SYNC_COMMITTEE_PARTICIPANTS`.
        least: u64,
    },
    /// The attested header contradicts itself.
    #[error("the attested header does not prove its execution payload")]
    AttestedHeader,
    /// The signature is of a slot that is not there yet.
    #[error("signed in slot {signature}, now is {current}")]
    FromTheFuture {
        /// When it was signed.
        signature: Slot,
        /// When it is.
        current: Slot,
    },
    /// A block was signed before it was there, or finalized after.
    #[error("signed in slot {signature}, attested is {attested}, finalized {finalized}")]
    SlotsOutOfOrder {
        /// When it was signed.
        signature: Slot,
        /// The attested header's.
        attested: Slot,
        /// The finalized header's.
        finalized: Slot,
    },
    /// The committee that signed is not known to the store.
    #[error("signed in period {signature}, the store is in {store}")]
    SkipsPeriod {
        /// The signature's.
        signature: u64,
        /// The store's.
        store: u64,
    },
    /// The store knows all of it.
    #[error("nothing new: attested is slot {attested}, finalized already {finalized}")]
    Irrelevant {
        /// The attested header's.
        attested: Slot,
        /// The store's finalized header's.
        finalized: Slot,
    },
    /// A finalized header without a branch, or one where genesis is finalized.
    #[error("a finalized header that the branch does not speak of")]
    FinalizedHeaderUncalledFor,
    /// The finalized header contradicts itself.
    #[error("the finalized header does not prove its execution payload")]
    FinalizedHeader,
    /// The finalized header is not that of the attested state.
    #[error("finality is not proved")]
    FinalityBranch,
    /// A committee without a branch.
    #[error("a next sync committee without a branch")]
    NextSyncCommitteeUncalledFor,
    /// Another committee than the store knows for that period.
    #[error("another next sync committee than is known")]
    OtherNextSyncCommittee,
    /// The next committee is not that of the attested state.
    #[error("the next sync committee is not proved")]
    NextSyncCommitteeBranch,
    /// The committee has not signed it.
    #[error("the signature is not that of the participants")]
    Signature,
    /// An update that would have the store skip a committee; no update that was validated is one.
    #[error("finalized is period {finalized}, but the committee after {store} is not known")]
    SkipsCommittee {
        /// The update's.
        finalized: u64,
        /// The store's.
        store: u64,
    },
}
