//! Gossip messages as they travel, and short names for the trace.

use std::fmt;
use std::sync::Arc;

use chain::GossipMessage;
use crypto::hash;
use types::{
    Attestation, AttesterSlashing, BlobSidecar, Ctx, DataColumnSidecar, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedContributionAndProof,
    SignedVoluntaryExit, SingleAttestation, Spec, SszExt, SyncCommitteeMessage,
};

/// The first bytes of a root.
pub struct Short<'a>(pub &'a Root);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A gossip message on its way: decoded from its own encoding, as a receiver would.
#[derive(Debug)]
pub struct Packet {
    /// The message.
    pub message: GossipMessage,
    /// What tells it from all others: the hash of its encoding and its kind.
    pub id: Root,
    /// Its name in the trace.
    pub name: String,
}

impl Packet {
    /// Encodes and decodes a message. Fails where the encoding does not decode.
    pub fn new(spec: &'static Spec, message: &GossipMessage) -> Result<Self, ssz::DecodeError> {
        let at = |slot| spec.ctx_at_slot(slot);
        Ok(match message {
            GossipMessage::Block(block) => {
                let (slot, ctx) = (block.message.slot, at(block.message.slot));
                let (block, id) = travel::<SignedBeaconBlock>(block, ctx, b'b')?;
                let root = block.message.hash_tree_root(ctx);
                let name = format!("block {} of slot {slot}", Short(&root));
                Self { message: GossipMessage::Block(block), id, name }
            }
            GossipMessage::Attestation { subnet, attestation } => {
                let data = &attestation.data;
                let (attestation, id) = travel::<Attestation>(attestation, at(data.slot), b'v')?;
                let name = format!("vote {} of slot {}", Short(&id), data.slot);
                Self { message: GossipMessage::Attestation { subnet: *subnet, attestation }, id, name }
            }
            GossipMessage::Aggregate(aggregate) => {
                let slot = aggregate.message.aggregate.data.slot;
                let (aggregate, id) = travel::<SignedAggregateAndProof>(aggregate, at(slot), b'a')?;
                let name = format!("aggregate {} of slot {slot}", Short(&id));
                Self { message: GossipMessage::Aggregate(aggregate), id, name }
            }
            GossipMessage::BlobSidecar { subnet, sidecar } => {
                let slot = sidecar.signed_block_header.message.slot;
                let (sidecar, id) = travel::<BlobSidecar>(sidecar, at(slot), b'l')?;
                let name = format!("blob {} {} of slot {slot}", sidecar.index, Short(&id));
                Self { message: GossipMessage::BlobSidecar { subnet: *subnet, sidecar }, id, name }
            }
            GossipMessage::DataColumnSidecar { subnet, sidecar } => {
                let slot = sidecar.signed_block_header.message.slot;
                let (sidecar, id) = travel::<DataColumnSidecar>(sidecar, at(slot), b'd')?;
                let name = format!("column {} {} of slot {slot}", sidecar.index, Short(&id));
                Self { message: GossipMessage::DataColumnSidecar { subnet: *subnet, sidecar }, id, name }
            }
            GossipMessage::VoluntaryExit(exit) => {
                let (exit, id) = travel::<SignedVoluntaryExit>(exit, Ctx::PLAIN, b'e')?;
                Self { message: GossipMessage::VoluntaryExit(exit), id, name: format!("exit {}", Short(&id)) }
            }
            GossipMessage::ProposerSlashing(slashing) => {
                let (slashing, id) = travel::<ProposerSlashing>(slashing, Ctx::PLAIN, b'p')?;
                let name = format!("proposer slashing {}", Short(&id));
                Self { message: GossipMessage::ProposerSlashing(slashing), id, name }
            }
            GossipMessage::AttesterSlashing(slashing) => {
                let slot = slashing.attestation_1.data.slot;
                let (slashing, id) = travel::<AttesterSlashing>(slashing, at(slot), b's')?;
                let name = format!("attester slashing {}", Short(&id));
                Self { message: GossipMessage::AttesterSlashing(slashing), id, name }
            }
            GossipMessage::SingleAttestation { subnet, attestation } => {
                let slot = attestation.data.slot;
                let (attestation, id) = travel::<SingleAttestation>(attestation, at(slot), b'v')?;
                let name = format!("vote {} of slot {slot}", Short(&id));
                Self { message: GossipMessage::SingleAttestation { subnet: *subnet, attestation }, id, name }
            }
            GossipMessage::SyncCommitteeMessage { subnet, message } => {
                let slot = message.slot;
                // The same vote on another subnet is another message.
                let (message, id) = travel::<SyncCommitteeMessage>(message, at(slot), 128 + *subnet as u8)?;
                let name = format!("sync vote {} of slot {slot}", Short(&id));
                Self { message: GossipMessage::SyncCommitteeMessage { subnet: *subnet, message }, id, name }
            }
            GossipMessage::Contribution(signed) => {
                let slot = signed.message.contribution.slot;
                let (signed, id) = travel::<SignedContributionAndProof>(signed, at(slot), b'c')?;
                let name = format!("contribution {} of slot {slot}", Short(&id));
                Self { message: GossipMessage::Contribution(signed), id, name }
            }
            GossipMessage::BlsToExecutionChange(change) => {
                let (change, id) = travel::<SignedBLSToExecutionChange>(change, Ctx::PLAIN, b'x')?;
                let name = format!("change of credentials {}", Short(&id));
                Self { message: GossipMessage::BlsToExecutionChange(change), id, name }
            }
        })
    }
}

fn travel<T: ssz::Ssz>(value: &T, ctx: Ctx, kind: u8) -> Result<(Arc<T>, Root), ssz::DecodeError> {
    let mut bytes = value.to_ssz(ctx);
    let decoded = T::from_ssz(&bytes, ctx)?;
    bytes.push(kind);
    Ok((Arc::new(decoded), Root::from(hash(&bytes))))
}
