//! Gossip messages between bytes and types.

use std::sync::Arc;

use chain::GossipMessage;
use chain::gossip::compute_subnet_for_attestation;
use types::{
    Attestation, AttesterSlashing, Ctx, ProposerSlashing, SignedAggregateAndProof, SignedBeaconBlock,
    SignedVoluntaryExit, SszExt,
};

use crate::gossip_names::Topic;

/// The message of a topic; none where the bytes are no message of it.
pub fn decode(topic: Topic, data: &[u8], ctx: Ctx) -> Option<GossipMessage> {
    Some(match topic {
        Topic::Block => GossipMessage::Block(Arc::new(SignedBeaconBlock::from_ssz(data, ctx).ok()?)),
        Topic::Aggregate => {
            GossipMessage::Aggregate(Arc::new(SignedAggregateAndProof::from_ssz(data, ctx).ok()?))
        }
        Topic::Attestation(subnet) => GossipMessage::Attestation {
            subnet,
            attestation: Arc::new(Attestation::from_ssz(data, ctx).ok()?),
        },
        Topic::VoluntaryExit => {
            GossipMessage::VoluntaryExit(Arc::new(SignedVoluntaryExit::from_ssz(data, ctx).ok()?))
        }
        Topic::ProposerSlashing => {
            GossipMessage::ProposerSlashing(Arc::new(ProposerSlashing::from_ssz(data, ctx).ok()?))
        }
        Topic::AttesterSlashing => {
            GossipMessage::AttesterSlashing(Arc::new(AttesterSlashing::from_ssz(data, ctx).ok()?))
        }
    })
}

/// The topic and the bytes of a message.
pub fn encode(message: &GossipMessage, ctx: Ctx) -> (Topic, Vec<u8>) {
    match message {
        GossipMessage::Block(block) => (Topic::Block, block.to_ssz(ctx)),
        GossipMessage::Aggregate(aggregate) => (Topic::Aggregate, aggregate.to_ssz(ctx)),
        GossipMessage::Attestation { subnet, attestation } => {
            (Topic::Attestation(*subnet), attestation.to_ssz(ctx))
        }
        GossipMessage::VoluntaryExit(exit) => (Topic::VoluntaryExit, exit.to_ssz(ctx)),
        GossipMessage::ProposerSlashing(slashing) => (Topic::ProposerSlashing, slashing.to_ssz(ctx)),
        GossipMessage::AttesterSlashing(slashing) => (Topic::AttesterSlashing, slashing.to_ssz(ctx)),
    }
}

/// The subnet of a committee, for subscriptions.
pub fn subnet_of(spec: &types::Spec, wish: &api::CommitteeSubscription) -> u64 {
    compute_subnet_for_attestation(spec, wish.committees_at_slot, wish.slot, wish.committee_index)
}
