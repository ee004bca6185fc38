//! Gossip messages as they travel, and short names for the trace.

use std::fmt;
use std::sync::Arc;

use chain::GossipMessage;
use crypto::hash;
use types::{
    Attestation, AttesterSlashing, BlobSidecar, Ctx, DataColumnSidecar, ForkName, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedContributionAndProof,
    SignedVoluntaryExit, SingleAttestation, Slot, Spec, SszExt, SyncCommitteeMessage,
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
    /// The fork whose topic it travels on.
    pub fork: ForkName,
    /// The column that it is, whose topic few nodes hear.
    pub column: Option<u64>,
    /// What tells it from all others: the hash of its encoding and its kind.
    pub id: Root,
    /// Its name in the trace.
    pub name: String,
}

impl Packet {
    /// Encodes and decodes a message, which a node publishes in slot `now` of its clock. Fails where the encoding does
    /// not decode.
    ///
    /// Its fork is that of the slot that it names; an operation names none and goes to the topic of the present.
    pub fn new(spec: &'static Spec, message: &GossipMessage, now: Slot) -> Result<Self, ssz::DecodeError> {
        let slot = message.slot();
        let fork = spec.fork_name_at_slot(slot.unwrap_or(now));
        let ctx = spec.ctx(fork);
        let (message, id, kind, column) = match message {
            GossipMessage::Block(block) => {
                let (block, id) = travel::<SignedBeaconBlock>(block, ctx, b'b')?;
                (GossipMessage::Block(block), id, "block".to_owned(), None)
            }
            GossipMessage::BlobSidecar { subnet, sidecar } => {
                let (sidecar, id) = travel::<BlobSidecar>(sidecar, ctx, b'l')?;
                let kind = format!("blob {}", sidecar.index);
                (GossipMessage::BlobSidecar { subnet: *subnet, sidecar }, id, kind, None)
            }
            GossipMessage::DataColumnSidecar { subnet, sidecar } => {
                let (sidecar, id) = travel::<DataColumnSidecar>(sidecar, ctx, b'd')?;
                let (kind, column) = (format!("column {}", sidecar.index), Some(sidecar.index));
                (GossipMessage::DataColumnSidecar { subnet: *subnet, sidecar }, id, kind, column)
            }
            other => {
                let (message, id, kind) = small(other, ctx)?;
                (message, id, kind.to_owned(), None)
            }
        };
        let shown = match &message {
            GossipMessage::Block(block) => block.message.hash_tree_root(ctx),
            _ => id,
        };
        let name = match slot {
            Some(slot) => format!("{kind} {} of slot {slot}", Short(&shown)),
            None => format!("{kind} {}", Short(&shown)),
        };
        Ok(Self { message, fork, column, id, name })
    }
}

/// A message that is neither a block nor a sidecar, with its id and kind.
fn small(message: &GossipMessage, ctx: Ctx) -> Result<(GossipMessage, Root, &'static str), ssz::DecodeError> {
    Ok(match message {
        GossipMessage::Attestation { subnet, attestation } => {
            let (attestation, id) = travel::<Attestation>(attestation, ctx, b'v')?;
            (GossipMessage::Attestation { subnet: *subnet, attestation }, id, "vote")
        }
        GossipMessage::SingleAttestation { subnet, attestation } => {
            let (attestation, id) = travel::<SingleAttestation>(attestation, ctx, b'v')?;
            (GossipMessage::SingleAttestation { subnet: *subnet, attestation }, id, "vote")
        }
        GossipMessage::Aggregate(aggregate) => {
            let (aggregate, id) = travel::<SignedAggregateAndProof>(aggregate, ctx, b'a')?;
            (GossipMessage::Aggregate(aggregate), id, "aggregate")
        }
        GossipMessage::SyncCommitteeMessage { subnet, message } => {
            // The same vote on another subnet is another message.
            let (message, id) = travel::<SyncCommitteeMessage>(message, ctx, 128 + *subnet as u8)?;
            (GossipMessage::SyncCommitteeMessage { subnet: *subnet, message }, id, "sync vote")
        }
        GossipMessage::Contribution(signed) => {
            let (signed, id) = travel::<SignedContributionAndProof>(signed, ctx, b'c')?;
            (GossipMessage::Contribution(signed), id, "contribution")
        }
        GossipMessage::BlsToExecutionChange(change) => {
            let (change, id) = travel::<SignedBLSToExecutionChange>(change, ctx, b'x')?;
            (GossipMessage::BlsToExecutionChange(change), id, "change of credentials")
        }
        GossipMessage::VoluntaryExit(exit) => {
            let (exit, id) = travel::<SignedVoluntaryExit>(exit, ctx, b'e')?;
            (GossipMessage::VoluntaryExit(exit), id, "exit")
        }
        GossipMessage::ProposerSlashing(slashing) => {
            let (slashing, id) = travel::<ProposerSlashing>(slashing, ctx, b'p')?;
            (GossipMessage::ProposerSlashing(slashing), id, "proposer slashing")
        }
        GossipMessage::AttesterSlashing(slashing) => {
            let (slashing, id) = travel::<AttesterSlashing>(slashing, ctx, b's')?;
            (GossipMessage::AttesterSlashing(slashing), id, "attester slashing")
        }
        GossipMessage::Block(_)
        | GossipMessage::BlobSidecar { .. }
        | GossipMessage::DataColumnSidecar { .. } => unreachable!("the caller took these"),
    })
}

fn travel<T: ssz::Ssz>(value: &T, ctx: Ctx, kind: u8) -> Result<(Arc<T>, Root), ssz::DecodeError> {
    let mut bytes = value.to_ssz(ctx);
    let decoded = T::from_ssz(&bytes, ctx)?;
    bytes.push(kind);
    Ok((Arc::new(decoded), Root::from(hash(&bytes))))
}
