//! Why a block, or an operation in it, is invalid.

use types::{CommitteeIndex, Epoch, Root, Slot, ValidatorIndex};

use crate::accessors::AccessError;

/// Why a block is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockInvalid {
    /// The header does not fit the state.
    #[error("header: {0}")]
    Header(#[from] HeaderInvalid),
    /// The proposer's reveal is wrong.
    #[error("the randao reveal is invalid")]
    Randao,
    /// The state holds as many votes as it can.
    #[error("the state has no room for another vote for Eth1 data")]
    Eth1VotesFull,
    /// More or fewer deposits than are due.
    #[error("{found} deposits, {due} are due")]
    DepositCount {
        /// Deposits in the block.
        found: u64,
        /// Deposits that must be in it.
        due: u64,
    },
    /// The state has taken more deposits than its Eth1 data counts.
    #[error("the state's deposit index is ahead of its deposit count")]
    DepositIndex,
    /// A proposer slashing.
    #[error("proposer slashing {0}: {1}")]
    ProposerSlashing(usize, ProposerSlashingInvalid),
    /// An attester slashing.
    #[error("attester slashing {0}: {1}")]
    AttesterSlashing(usize, AttesterSlashingInvalid),
    /// An attestation.
    #[error("attestation {0}: {1}")]
    Attestation(usize, AttestationInvalid),
    /// A deposit.
    #[error("deposit {0}: {1}")]
    Deposit(usize, DepositInvalid),
    /// An exit.
    #[error("voluntary exit {0}: {1}")]
    VoluntaryExit(usize, VoluntaryExitInvalid),
    /// A change of withdrawal credentials.
    #[error("change of withdrawal credentials {0}: {1}")]
    BlsToExecutionChange(usize, BlsToExecutionChangeInvalid),
    /// A request of the execution layer that the state cannot take.
    #[error("{0} request {1}: {2}")]
    Request(&'static str, usize, AccessError),
    /// The withdrawals of the payload.
    #[error("withdrawals: {0}")]
    Withdrawals(#[from] WithdrawalsInvalid),
    /// The execution payload.
    #[error("execution payload: {0}")]
    ExecutionPayload(#[from] ExecutionPayloadInvalid),
    /// The votes of the sync committee.
    #[error("sync aggregate: {0}")]
    SyncAggregate(#[from] SyncAggregateInvalid),
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl BlockInvalid {
    /// True where the block is not to blame: the state that it was put on is wrong.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Access(error)
            | Self::Request(_, _, error)
            | Self::Header(HeaderInvalid::Access(error))
            | Self::ProposerSlashing(_, ProposerSlashingInvalid::Access(error))
            | Self::AttesterSlashing(_, AttesterSlashingInvalid::Access(error))
            | Self::Attestation(_, AttestationInvalid::Committee(error))
            | Self::Deposit(_, DepositInvalid::Access(error))
            | Self::ExecutionPayload(ExecutionPayloadInvalid::Access(error))
            | Self::Withdrawals(WithdrawalsInvalid::Access(error))
            | Self::SyncAggregate(SyncAggregateInvalid::Access(error))
            | Self::VoluntaryExit(_, VoluntaryExitInvalid::Access(error)) => error.is_fault(),
            Self::Eth1VotesFull | Self::DepositIndex | Self::Attestation(_, AttestationInvalid::NoRoom) => {
                true
            }
            _ => false,
        }
    }
}

/// Why a header is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderInvalid {
    /// Another slot than the state's.
    #[error("the block is of slot {block}, the state of {state}")]
    Slot {
        /// The block's.
        block: Slot,
        /// The state's.
        state: Slot,
    },
    /// Not after the block before it.
    #[error("the block is not after the one before it")]
    NotAfterParent,
    /// Another proposer than the one drawn.
    #[error("proposed by {found}, the proposer is {expected}")]
    Proposer {
        /// The block's.
        found: ValidatorIndex,
        /// The one drawn.
        expected: ValidatorIndex,
    },
    /// Another parent than the latest block.
    #[error("the parent is {found}, the latest block is {expected}")]
    Parent {
        /// The block's.
        found: Root,
        /// The latest block.
        expected: Root,
    },
    /// The proposer is slashed.
    #[error("the proposer is slashed")]
    ProposerSlashed,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why a proposer slashing is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposerSlashingInvalid {
    /// The headers are of different slots.
    #[error("the headers are of different slots")]
    SlotsDiffer,
    /// The headers are of different proposers.
    #[error("the headers are of different proposers")]
    ProposersDiffer,
    /// The headers are the same.
    #[error("the headers are the same")]
    HeadersSame,
    /// There is no such validator.
    #[error("there is no validator {0}")]
    NoValidator(ValidatorIndex),
    /// The proposer cannot be slashed (any more).
    #[error("the proposer is not slashable")]
    NotSlashable,
    /// A header's signature is wrong.
    #[error("a signature is invalid")]
    Signature,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why an attester slashing is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttesterSlashingInvalid {
    /// The attestations do not contradict each other.
    #[error("the attestations are no slashable pair")]
    NotSlashable,
    /// Indices missing, unsorted, repeated or unknown.
    #[error("an attestation's indices are invalid")]
    Indices,
    /// An attestation's signature is wrong.
    #[error("a signature is invalid")]
    Signature,
    /// Nobody who made both can be slashed (any more).
    #[error("nobody to slash")]
    NobodySlashable,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why an attestation cannot be included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationInvalid {
    /// The target is neither of this nor of the previous epoch.
    #[error("the target epoch {0} is neither this nor the previous one")]
    TargetEpoch(Epoch),
    /// The target is of another epoch than the slot.
    #[error("the target epoch is not the slot's")]
    TargetNotOfSlot,
    /// Too early or too late.
    #[error("an attestation of slot {0} cannot be included now")]
    InclusionSlot(Slot),
    /// No such committee, or bits that do not match it.
    #[error(transparent)]
    Committee(#[from] AccessError),
    /// Another source than the state's justified checkpoint.
    #[error("the source is not the justified checkpoint")]
    Source,
    /// The state holds as many attestations as it can.
    #[error("the state has no room for another attestation")]
    NoRoom,
    /// The data names a committee, which since Electra bits do.
    #[error("the data names committee {0}")]
    CommitteeInData(CommitteeIndex),
    /// Nobody attested, or nobody of a committee.
    #[error("nobody attested")]
    Empty,
    /// The signature is wrong.
    #[error("the signature is invalid")]
    Signature,
}

/// Why a deposit is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositInvalid {
    /// The proof does not lead to the deposit root.
    #[error("the proof is invalid")]
    Proof,
    /// The state cannot take it.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why an exit is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoluntaryExitInvalid {
    /// There is no such validator.
    #[error("there is no validator {0}")]
    NoValidator(ValidatorIndex),
    /// The validator is not active.
    #[error("the validator is not active")]
    NotActive,
    /// The validator is leaving already.
    #[error("the validator is leaving already")]
    AlreadyLeaving,
    /// The exit is for a later epoch.
    #[error("the exit is valid from epoch {0} on")]
    NotYet(Epoch),
    /// The validator has not been active long enough.
    #[error("the validator may leave from epoch {0} on")]
    TooYoung(Epoch),
    /// A withdrawal of the validator is still due.
    #[error("the validator has withdrawals that are due")]
    PendingWithdrawals,
    /// The signature is wrong.
    #[error("the signature is invalid")]
    Signature,
    /// The state cannot take it.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why the votes of the sync committee are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncAggregateInvalid {
    /// The signature is wrong.
    #[error("the signature is invalid")]
    Signature,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why an execution payload is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionPayloadInvalid {
    /// It does not build on the payload before it.
    #[error("the parent is {found}, the payload before is {expected}")]
    Parent {
        /// The payload's.
        found: Root,
        /// The hash of the payload before.
        expected: Root,
    },
    /// Another randomness than the state's.
    #[error("the randomness is not that of the state")]
    PrevRandao,
    /// Another time than that of the slot.
    #[error("the time is {found}, that of the slot is {expected}")]
    Timestamp {
        /// The payload's, in seconds since the Unix epoch.
        found: u64,
        /// The slot's.
        expected: u64,
    },
    /// More blobs than a block may have.
    #[error("{found} blobs, {most} are allowed")]
    TooManyBlobs {
        /// Commitments in the block.
        found: u64,
        /// The most at this epoch.
        most: u64,
    },
    /// The engine says so.
    #[error("the execution engine calls it invalid")]
    Invalidated,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why the withdrawals of a payload are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawalsInvalid {
    /// Others are due.
    #[error("they are not those that are due")]
    NotExpected,
    /// The state lacks what is needed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why a change of withdrawal credentials is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlsToExecutionChangeInvalid {
    /// There is no such validator.
    #[error("there is no validator {0}")]
    NoValidator(ValidatorIndex),
    /// The credentials are not those of a key (any more).
    #[error("the withdrawal credentials are not those of a key")]
    NoKey,
    /// The credentials are those of another key.
    #[error("the withdrawal credentials are those of another key")]
    OtherKey,
    /// The signature is wrong.
    #[error("the signature is invalid")]
    Signature,
}
