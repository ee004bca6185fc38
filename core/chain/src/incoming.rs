//! Messages on their way through the rules.

use crypto::SignatureSet;
use types::{Root, Time};

use crate::gossip::{
    CheckedAggregate, CheckedAttestation, CheckedAttesterSlashing, CheckedBlock, CheckedBlsChange,
    CheckedContribution, CheckedProposerSlashing, CheckedSyncMessage, CheckedVoluntaryExit,
};
use crate::sidecars::SidecarFacts;
use crate::{CommandId, GossipId, GossipMessage, Why};

/// A message, and who waits to hear what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub origin: Origin,
    pub message: GossipMessage,
    pub arrived: Time,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the network; its verdict is owed.
    Gossip(GossipId),
    /// From the API: an item of a command, to be published where it is valid.
    Command(CommandId, usize),
    /// From the network; its verdict was given when it was put aside.
    Kept,
}

impl Origin {
    /// The gossip message, where a verdict is still owed.
    pub fn gossip(self) -> Option<GossipId> {
        match self {
            Self::Gossip(id) => Some(id),
            Self::Command(..) | Self::Kept => None,
        }
    }
}

/// A message that passed all rules but those of its signatures.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub incoming: Incoming,
    pub facts: Facts,
    pub signatures: Vec<SignatureSet>,
    /// Why the message is rejected, for each signature that may be wrong.
    pub reasons: Vec<Why>,
}

/// What the rules found out.
#[derive(Clone, Debug)]
pub(crate) enum Facts {
    Block {
        checked: CheckedBlock,
        root: Root,
    },
    /// Its proofs are verified after its header's signature.
    Sidecar(SidecarFacts),
    Attestation {
        checked: CheckedAttestation,
        shuffling: Option<Root>,
    },
    Aggregate {
        checked: CheckedAggregate,
        shuffling: Option<Root>,
    },
    SyncMessage(CheckedSyncMessage),
    Contribution(CheckedContribution),
    BlsChange(CheckedBlsChange),
    VoluntaryExit(CheckedVoluntaryExit),
    ProposerSlashing(CheckedProposerSlashing),
    AttesterSlashing(CheckedAttesterSlashing),
}
