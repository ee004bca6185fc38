//! What the API asks of the chain, and what it is answered.

use std::sync::Arc;

use types::{
    Attestation, AttesterSlashing, BeaconBlock, BlsSignature, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedContributionAndProof,
    SignedVoluntaryExit, SingleAttestation, Slot, SyncCommitteeMessage,
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
    /// Validate, publish and import a block. Answered with [`Reply::Block`] once the import ended.
    PublishBlock(Arc<SignedBeaconBlock>),
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
    /// Write down everything a restart wants, as before an orderly shutdown: the answer [`Reply::Flushed`] comes after
    /// the [`crate::Output::Store`] that does it.
    Flush,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A block to be signed, or why there is none.
    Produced(Result<Box<BeaconBlock>, String>),
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
