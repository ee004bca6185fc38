//! Gossip messages between bytes and types.

use std::sync::Arc;

use chain::GossipMessage;
use chain::gossip::compute_subnet_for_attestation;
use network::Topic;
use types::{Ctx, ForkName, Spec, Ssz, SszExt};

/// What the bytes of a topic are.
#[derive(Debug)]
pub enum Decoded {
    /// A message of the chain.
    Message(GossipMessage),
    /// Something that this node has no use for.
    Unused,
    /// No message of the topic.
    Malformed,
}

/// Whether this node has use for a topic's messages.
pub fn is_used(topic: Topic) -> bool {
    !matches!(topic, Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate)
}

/// The message of a topic at a fork.
pub fn decode(topic: Topic, data: &[u8], spec: &'static Spec, fork: ForkName) -> Decoded {
    fn read<T: Ssz>(data: &[u8], ctx: Ctx) -> Option<Arc<T>> {
        T::from_ssz(data, ctx).ok().map(Arc::new)
    }
    if !is_used(topic) {
        return Decoded::Unused;
    }
    let ctx = spec.ctx(fork);
    let message = match topic {
        Topic::BeaconBlock => read(data, ctx).map(GossipMessage::Block),
        Topic::AggregateAndProof => read(data, ctx).map(GossipMessage::Aggregate),
        Topic::Attestation(subnet) if fork >= ForkName::Electra => {
            read(data, ctx).map(|attestation| GossipMessage::SingleAttestation { subnet, attestation })
        }
        Topic::Attestation(subnet) => {
            read(data, ctx).map(|attestation| GossipMessage::Attestation { subnet, attestation })
        }
        Topic::SyncCommittee(subnet) => {
            read(data, ctx).map(|message| GossipMessage::SyncCommitteeMessage { subnet, message })
        }
        Topic::ContributionAndProof => read(data, ctx).map(GossipMessage::Contribution),
        Topic::BlobSidecar(subnet) => {
            read(data, ctx).map(|sidecar| GossipMessage::BlobSidecar { subnet, sidecar })
        }
        Topic::DataColumnSidecar(subnet) => {
            read(data, ctx).map(|sidecar| GossipMessage::DataColumnSidecar { subnet, sidecar })
        }
        Topic::BlsToExecutionChange => read(data, ctx).map(GossipMessage::BlsToExecutionChange),
        Topic::VoluntaryExit => read(data, ctx).map(GossipMessage::VoluntaryExit),
        Topic::ProposerSlashing => read(data, ctx).map(GossipMessage::ProposerSlashing),
        Topic::AttesterSlashing => read(data, ctx).map(GossipMessage::AttesterSlashing),
        Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate => return Decoded::Unused,
    };
    message.map_or(Decoded::Malformed, Decoded::Message)
}

/// The topic and the bytes of a message.
pub fn encode(message: &GossipMessage, ctx: Ctx) -> (Topic, Vec<u8>) {
    match message {
        GossipMessage::Block(block) => (Topic::BeaconBlock, block.to_ssz(ctx)),
        GossipMessage::Aggregate(aggregate) => (Topic::AggregateAndProof, aggregate.to_ssz(ctx)),
        GossipMessage::Attestation { subnet, attestation } => {
            (Topic::Attestation(*subnet), attestation.to_ssz(ctx))
        }
        GossipMessage::SingleAttestation { subnet, attestation } => {
            (Topic::Attestation(*subnet), attestation.to_ssz(ctx))
        }
        GossipMessage::BlobSidecar { subnet, sidecar } => (Topic::BlobSidecar(*subnet), sidecar.to_ssz(ctx)),
        GossipMessage::DataColumnSidecar { subnet, sidecar } => {
            (Topic::DataColumnSidecar(*subnet), sidecar.to_ssz(ctx))
        }
        GossipMessage::SyncCommitteeMessage { subnet, message } => {
            (Topic::SyncCommittee(*subnet), message.to_ssz(ctx))
        }
        GossipMessage::Contribution(signed) => (Topic::ContributionAndProof, signed.to_ssz(ctx)),
        GossipMessage::BlsToExecutionChange(change) => (Topic::BlsToExecutionChange, change.to_ssz(ctx)),
        GossipMessage::VoluntaryExit(exit) => (Topic::VoluntaryExit, exit.to_ssz(ctx)),
        GossipMessage::ProposerSlashing(slashing) => (Topic::ProposerSlashing, slashing.to_ssz(ctx)),
        GossipMessage::AttesterSlashing(slashing) => (Topic::AttesterSlashing, slashing.to_ssz(ctx)),
    }
}

/// The subnet of a committee, for subscriptions.
pub fn subnet_of(spec: &Spec, wish: &api::CommitteeSubscription) -> u64 {
    compute_subnet_for_attestation(spec, wish.committees_at_slot, wish.slot, wish.committee_index)
}
