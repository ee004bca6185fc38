//! What the chain is told.

use std::sync::Arc;

use data_availability::Sidecar;
use deposits::Eth1Chain;
use engine::{EngineCallId, EngineReply};
use types::{
    Attestation, AttesterSlashing, BlobSidecar, DataColumnSidecar, ProposerSlashing, SignedAggregateAndProof,
    SignedBLSToExecutionChange, SignedBeaconBlock, SignedContributionAndProof, SignedVoluntaryExit,
    SingleAttestation, Slot, SyncCommitteeMessage,
};

use crate::{Command, JobResult, Loaded};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);
    };
}

id!(
    /// A gossip message, by the number that the shell gave it. Each gets exactly one verdict.
    GossipId
);
id!(
    /// Blocks of sync, by the number that their sender gave them. Each gets exactly one outcome.
    SegmentId
);
id!(
    /// Sidecars of sync, by the number that their sender gave them. Each gets exactly one outcome.
    SidecarsId
);
id!(
    /// A command, by the number that its sender gave it. Each gets exactly one reply.
    CommandId
);
id!(
    /// A job, by the number that the chain gave it. Each wants exactly one result.
    JobId
);
id!(
    /// A read from storage, by the number that the chain gave it. Each wants exactly one answer.
    LoadId
);

/// What the chain is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed: due at [`crate::Chain::deadline`], harmless at any other time.
    Tick,
    /// A gossip message that decoded. It gets exactly one [`crate::Output::Verdict`].
    Gossip {
        /// The message's number, for its verdict.
        id: GossipId,
        /// The message.
        message: GossipMessage,
    },
    /// Blocks of range sync or of a lookup: ascending, each the parent of the next. They get exactly one
    /// [`crate::Output::SegmentDone`].
    Segment {
        /// The segment's number, for its outcome.
        id: SegmentId,
        /// The blocks. An empty segment is imported at once.
        blocks: Vec<Arc<SignedBeaconBlock>>,
        /// Blobs or columns of these blocks, as far as they came, in any order.
        sidecars: Vec<Sidecar>,
    },
    /// Blobs or columns that were looked up for blocks that wait for them. They get exactly one
    /// [`crate::Output::SidecarsDone`].
    Sidecars {
        /// Their number, for their outcome.
        id: SidecarsId,
        /// The sidecars, of one block or of several.
        sidecars: Vec<Sidecar>,
    },
    /// The answer to [`crate::Output::Engine`].
    EngineDone(EngineCallId, EngineReply),
    /// What the follower of the execution chain knows: votes and deposits of blocks are taken from it. Without any, a
    /// block votes for what the state has, and none can be proposed while deposits are due.
    Eth1(Arc<Eth1Chain>),
    /// A job has ended.
    JobDone(JobId, JobResult),
    /// All batches up to the one with this sequence number are durable.
    Stored(u64),
    /// A read from storage has ended.
    Loaded(LoadId, Loaded),
    /// A wish of the API. It gets exactly one [`crate::Output::Reply`].
    Command(CommandId, Command),
}

/// A message of a gossip topic.
#[derive(Clone, Debug, PartialEq)]
pub enum GossipMessage {
    /// `beacon_block`.
    Block(Arc<SignedBeaconBlock>),
    /// `beacon_attestation_{subnet}`.
    Attestation {
        /// The subnet of the topic.
        subnet: u64,
        /// The unaggregated attestation.
        attestation: Arc<Attestation>,
    },
    /// `beacon_aggregate_and_proof`.
    Aggregate(Arc<SignedAggregateAndProof>),
    /// `beacon_attestation_{subnet}` since Electra.
    SingleAttestation {
        /// The subnet of the topic.
        subnet: u64,
        /// The attestation of one attester.
        attestation: Arc<SingleAttestation>,
    },
    /// `sync_committee_{subnet}`.
    SyncCommitteeMessage {
        /// The subnet of the topic.
        subnet: u64,
        /// The vote.
        message: Arc<SyncCommitteeMessage>,
    },
    /// `sync_committee_contribution_and_proof`.
    Contribution(Arc<SignedContributionAndProof>),
    /// `bls_to_execution_change`.
    BlsToExecutionChange(Arc<SignedBLSToExecutionChange>),
    /// `blob_sidecar_{subnet}`, from Deneb to Electra.
    BlobSidecar {
        /// The subnet of the topic.
        subnet: u64,
        /// The blob.
        sidecar: Arc<BlobSidecar>,
    },
    /// `data_column_sidecar_{subnet}`, since Fulu.
    DataColumnSidecar {
        /// The subnet of the topic.
        subnet: u64,
        /// The column.
        sidecar: Arc<DataColumnSidecar>,
    },
    /// `voluntary_exit`.
    VoluntaryExit(Arc<SignedVoluntaryExit>),
    /// `proposer_slashing`.
    ProposerSlashing(Arc<ProposerSlashing>),
    /// `attester_slashing`.
    AttesterSlashing(Arc<AttesterSlashing>),
}

impl GossipMessage {
    /// The slot that decides the message's fork, where it names one. Operations may be older than the fork whose topic they
    /// go to.
    pub fn slot(&self) -> Option<Slot> {
        Some(match self {
            Self::Block(block) => block.message.slot,
            Self::Attestation { attestation, .. } => attestation.data.slot,
            Self::SingleAttestation { attestation, .. } => attestation.data.slot,
            Self::Aggregate(aggregate) => aggregate.message.aggregate.data.slot,
            Self::BlobSidecar { sidecar, .. } => sidecar.signed_block_header.message.slot,
            Self::DataColumnSidecar { sidecar, .. } => sidecar.signed_block_header.message.slot,
            Self::SyncCommitteeMessage { message, .. } => message.slot,
            Self::Contribution(signed) => signed.message.contribution.slot,
            Self::BlsToExecutionChange(_)
            | Self::VoluntaryExit(_)
            | Self::ProposerSlashing(_)
            | Self::AttesterSlashing(_) => return None,
        })
    }
}
