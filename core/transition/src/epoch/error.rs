//! Why an epoch cannot be processed.

use types::ValidatorIndex;

use crate::accessors::AccessError;

/// Why an epoch cannot be processed. States that valid blocks lead to never cause one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// There are not as many balances as validators.
    #[error("the state has not as many balances as validators")]
    BalancesLength,
    /// There are not as many participation flags or inactivity scores as validators.
    #[error("the state has not as many participation flags and inactivity scores as validators")]
    ParticipationLength,
    /// A committee or a block root is not to be had from the state.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// An attestation has fewer bits than its committee has members.
    #[error("an attestation of the state has fewer bits than its committee has members")]
    TooFewBits,
    /// An attestation claims to be included in the slot that it is for.
    #[error("an attestation of the state has an inclusion delay of zero")]
    NoInclusionDelay,
    /// An attestation names a proposer that does not exist.
    #[error("an attestation of the state was included by validator {0}, who does not exist")]
    UnknownProposer(ValidatorIndex),
    /// The finalized checkpoint is ahead of the previous epoch.
    #[error("the finalized checkpoint is ahead of the state")]
    FinalizedInFuture,
    /// A number does not fit in 64 bits.
    #[error("{0} exceeds 64 bits")]
    Overflow(&'static str),
    /// The list of historical roots is full.
    #[error("the list of historical roots is full")]
    HistoricalRootsFull,
}
