//! What an engine answers.

use types::{
    Bytes, ExecutionPayload, ExecutionRequests, ForkName, KzgCommitment, KzgProof, Root, Uint256, Withdrawal,
};

use crate::{PayloadId, PowBlock};

/// The one answer to an [`crate::EngineRequest`].
#[derive(Clone, Debug, PartialEq)]
pub enum EngineReply {
    /// What became of a payload.
    NewPayload(PayloadStatus),
    /// What became of a head.
    ForkchoiceUpdated {
        /// What the engine knows of the head.
        status: PayloadStatus,
        /// The name of the payload that it builds; none where nothing was to be built, or nothing can be.
        payload_id: Option<PayloadId>,
    },
    /// A payload, built.
    Payload(Box<BuiltPayload>),
    /// A blob for each hash, in their order; none for those that the engine does not have. Since Fulu it answers with
    /// all or with none of them.
    Blobs(Vec<Option<BlobAndProofs>>),
    /// A body for each hash, in their order; none for those that the engine does not have.
    Bodies(Vec<Option<PayloadBody>>),
    /// A block, where the engine has it.
    PowBlock(Option<PowBlock>),
    /// No answer. What is asked for is as unknown as it was before: never a reason to call a payload invalid.
    Failed(EngineFailure),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineFailure {
    /// No engine could be reached, or none answered in time.
    #[error("no execution engine answers: {0}")]
    Unreachable(String),
    /// The engine refused: with the error code of the Engine API and its words.
    #[error("the execution engine refuses: {message} ({code})")]
    Refused {
        /// The code, such as -38001 for an unknown payload.
        code: i64,
        /// The engine's words, shortened.
        message: String,
    },
    /// The engine answered with something that is no answer.
    #[error("the execution engine's answer cannot be read: {0}")]
    Malformed(String),
    /// The request has no method at its fork.
    #[error("there is no {what} at {fork}")]
    NoSuchMethod {
        /// The request.
        what: &'static str,
        /// The fork.
        fork: ForkName,
    },
}

/// What an engine says of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadStatus {
    /// Its verdict.
    pub verdict: PayloadVerdict,
    /// The newest valid ancestor: the payload itself where it is valid. Where it is invalid, none means that the engine
    /// does not know, and zero that the first invalid block builds on a block of proof of work.
    pub latest_valid_hash: Option<Root>,
    /// The engine's words on what is wrong, shortened.
    pub validation_error: Option<String>,
}

/// The verdict of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadVerdict {
    /// Executed, with all its ancestors.
    Valid,
    /// It, or an ancestor of it, breaks a rule.
    Invalid,
    /// Ancestors are missing; nothing was executed.
    Syncing,
    /// It is on no branch that the engine follows; nothing was executed.
    Accepted,
    /// Its hash is not that of its content. Only the first version of `engine_newPayload` says so.
    InvalidBlockHash,
}

impl PayloadStatus {
    /// A verdict with nothing else.
    pub fn of(verdict: PayloadVerdict) -> Self {
        Self { verdict, latest_valid_hash: None, validation_error: None }
    }

    /// Valid, with the hash of the block itself.
    pub fn valid(hash: Root) -> Self {
        Self { latest_valid_hash: Some(hash), ..Self::of(PayloadVerdict::Valid) }
    }

    /// True where the block may be followed only optimistically: neither valid nor invalid is known.
    pub fn is_optimistic(&self) -> bool {
        matches!(self.verdict, PayloadVerdict::Syncing | PayloadVerdict::Accepted)
    }

    /// True where the block may not be followed.
    pub fn is_invalid(&self) -> bool {
        matches!(self.verdict, PayloadVerdict::Invalid | PayloadVerdict::InvalidBlockHash)
    }
}

/// A payload that an engine has built.
///
/// [`GetPayloadResponse`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#modified-getpayloadresponse)
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltPayload {
    /// The fork that it was built at.
    pub fork: ForkName,
    /// The payload.
    pub payload: ExecutionPayload,
    /// What it earns its fee recipient, in wei; zero where the engine does not say (Bellatrix).
    pub block_value: Uint256,
    /// Its blobs; empty before Deneb.
    pub blobs_bundle: BlobsBundle,
    /// The engine wants it preferred to a builder's; false before Deneb.
    pub should_override_builder: bool,
    /// The requests that go into the beacon block; empty before Electra.
    pub execution_requests: ExecutionRequests,
}

/// The blobs of a payload.
///
/// [`BlobsBundle`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#modified-blobsbundle)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobsBundle {
    /// One for each blob.
    pub commitments: Vec<KzgCommitment>,
    /// One for each blob before Fulu; since then one for each cell, those of a blob together.
    pub proofs: Vec<KzgProof>,
    /// The blobs, in the order of the payload's transactions.
    pub blobs: Vec<Bytes>,
}

/// A blob of the transaction pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobAndProofs {
    /// The blob.
    pub blob: Bytes,
    /// One proof of the whole blob before Fulu; since then one for each cell.
    pub proofs: Vec<KzgProof>,
}

/// What a payload has and its header has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadBody {
    /// The transactions.
    pub transactions: Vec<Bytes>,
    /// The withdrawals; none before Capella.
    pub withdrawals: Option<Vec<Withdrawal>>,
}
