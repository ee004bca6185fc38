//! The values that labels may have.

use chain::GossipMessage;
use engine::EngineRequest;
use network::Topic;

/// The topics of gossip, without subnets and digests.
pub const TOPICS: [&str; 11] = [
    "beacon_block",
    "beacon_aggregate_and_proof",
    "beacon_attestation",
    "voluntary_exit",
    "proposer_slashing",
    "attester_slashing",
    "sync_committee_contribution_and_proof",
    "sync_committee",
    "bls_to_execution_change",
    "blob_sidecar",
    "data_column_sidecar",
];

/// The topic of a message, one of [`TOPICS`].
pub fn topic(message: &GossipMessage) -> &'static str {
    match message {
        GossipMessage::Block(_) => "beacon_block",
        GossipMessage::Aggregate(_) => "beacon_aggregate_and_proof",
        GossipMessage::Attestation { .. } | GossipMessage::SingleAttestation { .. } => "beacon_attestation",
        GossipMessage::VoluntaryExit(_) => "voluntary_exit",
        GossipMessage::ProposerSlashing(_) => "proposer_slashing",
        GossipMessage::AttesterSlashing(_) => "attester_slashing",
        GossipMessage::Contribution(_) => "sync_committee_contribution_and_proof",
        GossipMessage::SyncCommitteeMessage { .. } => "sync_committee",
        GossipMessage::BlsToExecutionChange(_) => "bls_to_execution_change",
        GossipMessage::BlobSidecar { .. } => "blob_sidecar",
        GossipMessage::DataColumnSidecar { .. } => "data_column_sidecar",
    }
}

/// The name of a topic without its subnet, one of [`TOPICS`], or `other` for what this node has no use for.
pub fn topic_name(topic: Topic) -> &'static str {
    match topic {
        Topic::BeaconBlock => "beacon_block",
        Topic::AggregateAndProof => "beacon_aggregate_and_proof",
        Topic::Attestation(_) => "beacon_attestation",
        Topic::VoluntaryExit => "voluntary_exit",
        Topic::ProposerSlashing => "proposer_slashing",
        Topic::AttesterSlashing => "attester_slashing",
        Topic::ContributionAndProof => "sync_committee_contribution_and_proof",
        Topic::SyncCommittee(_) => "sync_committee",
        Topic::BlsToExecutionChange => "bls_to_execution_change",
        Topic::BlobSidecar(_) => "blob_sidecar",
        Topic::DataColumnSidecar(_) => "data_column_sidecar",
        Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate => "other",
    }
}

/// The calls of the engine.
pub const CALLS: [&str; 6] =
    ["new_payload", "forkchoice_updated", "get_payload", "get_blobs", "get_block", "get_payload_bodies"];

/// The call that a request is, one of [`CALLS`].
pub fn call(request: &EngineRequest) -> &'static str {
    match request {
        EngineRequest::NewPayload(_) => "new_payload",
        EngineRequest::ForkchoiceUpdated { .. } => "forkchoice_updated",
        EngineRequest::GetPayload { .. } => "get_payload",
        EngineRequest::GetBlobs { .. } => "get_blobs",
        EngineRequest::GetPowBlock { .. } => "get_block",
        EngineRequest::GetPayloadBodies { .. } => "get_payload_bodies",
    }
}

/// The kinds of jobs: what `chain::Job::name` says.
pub const JOBS: [&str; 8] = [
    "verify_signatures",
    "execute_blocks",
    "advance_state",
    "replay_states",
    "build_block",
    "verify_sidecars",
    "make_sidecars",
    "recover_columns",
];

/// When a block is looked at within its slot.
pub const MOMENTS: [&str; 3] = ["arrived", "imported", "head"];

/// Where the time of an import goes.
pub const STAGES: [&str; 6] = ["total", "checks", "waited", "signatures", "transition", "head"];
