//! What the API asks of the chain, and what it is answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_availability::ColumnIndex;
use engine::BlobsBundle;
use types::{
    Attestation, AttesterSlashing, BeaconBlock, BlsSignature, Bytes, ExecutionAddress, KzgProof,
    ProposerSlashing, Root, SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock,
    SignedContributionAndProof, SignedVoluntaryExit, SingleAttestation, Slot, SyncCommitteeMessage, Uint256,
    ValidatorIndex,
};

/// A wish of the API.
#[derive(Clone, Debug)]
pub enum Command {
    /// Build a block to be signed. Answered with [`Reply::Produced`].
    ProduceBlock {
        /// The slot to propose in.
        slot: Slot,
        /// The proposer's reveal.
        randao_reveal: BlsSignature,
        /// 32 bytes of the proposer's choice.
        graffiti: Root,
    },
    /// Learn who wants the fees of blocks that these validators propose; forgotten after a few epochs without a
    /// repetition. Answered with [`Reply::Items`].
    PrepareBeaconProposer(Vec<(ValidatorIndex, ExecutionAddress)>),
    /// Validate, publish and import a block with its data. Answered with [`Reply::Block`] once the import ended.
    PublishBlock(PublishedBlock),
    /// The same, but nothing is published before the state transition has taken the block, and no other block of its
    /// proposer and slot is known. Answered with [`Reply::Block`], which is never [`PublishOutcome::BroadcastOnly`] where
    /// nothing was broadcast.
    PublishBlockOnceExecuted(PublishedBlock),
    /// Validate and publish unaggregated attestations; the subnets follow from them. Answered with [`Reply::Items`].
    PublishAttestations(Vec<Arc<Attestation>>),
    /// Validate and publish single attestations, the form since Electra. Answered with [`Reply::Items`].
    PublishSingleAttestations(Vec<Arc<SingleAttestation>>),
    /// Validate and publish votes of the sync committee, on every subnet of their validators. Answered with
    /// [`Reply::Items`].
    PublishSyncMessages(Vec<Arc<SyncCommitteeMessage>>),
    /// Validate and publish contributions. Answered with [`Reply::Items`].
    PublishContributions(Vec<Arc<SignedContributionAndProof>>),
    /// Validate and publish changes of withdrawal credentials. Answered with [`Reply::Items`].
    SubmitBlsToExecutionChanges(Vec<Arc<SignedBLSToExecutionChange>>),
    /// Validate and publish aggregates. Answered with [`Reply::Items`].
    PublishAggregates(Vec<Arc<SignedAggregateAndProof>>),
    /// Validate and publish an exit. Answered with [`Reply::Items`].
    SubmitVoluntaryExit(Arc<SignedVoluntaryExit>),
    /// Validate and publish a slashing. Answered with [`Reply::Items`].
    SubmitProposerSlashing(Arc<ProposerSlashing>),
    /// Validate and publish a slashing. Answered with [`Reply::Items`].
    SubmitAttesterSlashing(Arc<AttesterSlashing>),
    /// Sample and keep these columns from now on, since Fulu; blocks that are being imported may need them already.
    /// Answered with [`Reply::Items`].
    SetCustody(BTreeSet<ColumnIndex>),
    /// Write down everything a restart wants, as before an orderly shutdown: the answer [`Reply::Flushed`] comes after
    /// the [`crate::Output::Store`] that does it.
    Flush,
}

impl Command {
    /// The block that is to be published, where one is.
    pub fn published_block(&self) -> Option<&SignedBeaconBlock> {
        match self {
            Self::PublishBlock(published) | Self::PublishBlockOnceExecuted(published) => {
                Some(&published.block)
            }
            _ => None,
        }
    }
}

/// A signed block, and the data that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedBlock {
    /// The block.
    pub block: Arc<SignedBeaconBlock>,
    /// Its blobs, one for each commitment; empty before Deneb.
    pub blobs: Vec<Bytes>,
    /// One proof for each blob before Fulu; since then one for each cell, those of a blob together.
    pub kzg_proofs: Vec<KzgProof>,
}

impl From<Arc<SignedBeaconBlock>> for PublishedBlock {
    /// A block without blobs.
    fn from(block: Arc<SignedBeaconBlock>) -> Self {
        Self { block, blobs: Vec::new(), kzg_proofs: Vec::new() }
    }
}

/// A block to be signed, and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Produced {
    /// The block.
    pub block: BeaconBlock,
    /// What the payload earns its fee recipient, in wei; zero where that is not known.
    pub execution_payload_value: Uint256,
    /// The blobs that the block commits to; empty before Deneb.
    pub blobs_bundle: BlobsBundle,
}

impl From<BeaconBlock> for Produced {
    /// A block without a payload, or with one that carries no blobs and is worth nothing.
    fn from(block: BeaconBlock) -> Self {
        Self { block, execution_payload_value: Uint256::default(), blobs_bundle: BlobsBundle::default() }
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A block to be signed, or why there is none.
    Produced(Result<Box<Produced>, String>),
    /// What became of a published block.
    Block(PublishOutcome),
    /// The items that were not published; empty where all were.
    Items(Vec<ItemFailure>),
    /// The batch with this sequence number holds everything; it is durable when `Stored` says so.
    Flushed {
        /// The sequence number.
        seq: u64,
    },
}

/// What became of a published block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// Broadcast and imported (or in already): status 200.
    Imported,
    /// Broadcast, but the import failed or waits for the block's parent, with the reason: status 202.
    BroadcastOnly(String),
    /// Refused by the gossip rules and not broadcast, with the reason: status 400.
    Invalid(String),
}

/// An item of a list that was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFailure {
    /// Its place in the list.
    pub index: usize,
    /// Why not.
    pub message: String,
}
