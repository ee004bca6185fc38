//! What is signed, in which domain, and the facts that slashing protection judges by.

use ssz::{Ctx, Ssz};
use transition::misc::{compute_domain, compute_signing_root};
use types::constants::{
    DOMAIN_AGGREGATE_AND_PROOF, DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER,
    DOMAIN_CONTRIBUTION_AND_PROOF, DOMAIN_RANDAO, DOMAIN_SELECTION_PROOF, DOMAIN_SYNC_COMMITTEE,
    DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, DOMAIN_VOLUNTARY_EXIT,
};
use types::{
    AggregateAndProof, AttestationData, BeaconBlock, BlsPubkey, ContributionAndProof, Domain, DomainType,
    Epoch, ForkName, Root, Slot, Spec, SyncAggregatorSelectionData, VoluntaryExit,
};

/// The kind of a message to sign, and what slashing protection has to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A block: slashable.
    Block {
        /// The block's slot.
        slot: Slot,
    },
    /// An attestation: slashable.
    Attestation {
        /// The slot attested in.
        slot: Slot,
        /// The source's epoch.
        source: Epoch,
        /// The target's epoch.
        target: Epoch,
    },
    /// A proposer's reveal.
    Randao {
        /// The epoch revealed for.
        epoch: Epoch,
    },
    /// The proof of being an aggregator.
    SelectionProof {
        /// The slot signed.
        slot: Slot,
    },
    /// An aggregate with its proof.
    AggregateAndProof {
        /// The aggregate's slot.
        slot: Slot,
    },
    /// A vote of the sync committee for a block.
    SyncMessage {
        /// The slot voted in.
        slot: Slot,
    },
    /// The proof of being an aggregator of the sync committee.
    SyncSelectionProof {
        /// The slot signed.
        slot: Slot,
    },
    /// A contribution of the sync committee with its proof.
    ContributionAndProof {
        /// The contribution's slot.
        slot: Slot,
    },
    /// A wish to leave.
    VoluntaryExit {
        /// The first epoch in which it holds.
        epoch: Epoch,
    },
}

impl Message {
    /// The kind's name, for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Block { .. } => "block",
            Self::Attestation { .. } => "attestation",
            Self::Randao { .. } => "randao",
            Self::SelectionProof { .. } => "selection_proof",
            Self::AggregateAndProof { .. } => "aggregate_and_proof",
            Self::SyncMessage { .. } => "sync_committee_message",
            Self::SyncSelectionProof { .. } => "sync_committee_selection_proof",
            Self::ContributionAndProof { .. } => "contribution_and_proof",
            Self::VoluntaryExit { .. } => "voluntary_exit",
        }
    }
}

/// One signature to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    /// Whose.
    pub pubkey: BlsPubkey,
    /// Of what.
    pub message: Message,
    /// The 32 bytes that are signed.
    pub signing_root: Root,
}

/// The domains of one chain: its fork schedule and its genesis.
#[derive(Clone, Copy, Debug)]
pub struct Domains {
    spec: &'static Spec,
    genesis_validators_root: Root,
}

impl Domains {
    /// The domains of the chain with this fork schedule and genesis.
    pub fn new(spec: &'static Spec, genesis_validators_root: Root) -> Self {
        Self { spec, genesis_validators_root }
    }

    /// [`get_domain`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_domain)
    /// without a state: the fork schedule says the version of an epoch.
    pub fn get_domain(&self, domain_type: DomainType, epoch: Epoch) -> Domain {
        compute_domain(domain_type, self.spec.compute_fork_version(epoch), self.genesis_validators_root)
    }

    fn request<T: Ssz>(
        &self,
        pubkey: BlsPubkey,
        message: Message,
        object: (&T, Ctx),
        domain: (DomainType, Epoch),
    ) -> SigningRequest {
        let domain = self.get_domain(domain.0, domain.1);
        SigningRequest { pubkey, message, signing_root: compute_signing_root(object.0, object.1, domain) }
    }

    /// [`get_block_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#signature).
    pub fn get_block_signature(&self, pubkey: BlsPubkey, block: &BeaconBlock) -> SigningRequest {
        let object = (block, self.spec.ctx_at_slot(block.slot));
        let domain = (DOMAIN_BEACON_PROPOSER, block.slot.epoch(self.spec));
        self.request(pubkey, Message::Block { slot: block.slot }, object, domain)
    }

    /// [`get_attestation_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#aggregate-signature).
    pub fn get_attestation_signature(&self, pubkey: BlsPubkey, data: &AttestationData) -> SigningRequest {
        let (source, target) = (data.source.epoch, data.target.epoch);
        let message = Message::Attestation { slot: data.slot, source, target };
        self.request(pubkey, message, (data, Ctx::PLAIN), (DOMAIN_BEACON_ATTESTER, target))
    }

    /// [`get_epoch_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#randao-reveal).
    pub fn get_epoch_signature(&self, pubkey: BlsPubkey, slot: Slot) -> SigningRequest {
        let epoch = slot.epoch(self.spec);
        self.request(pubkey, Message::Randao { epoch }, (&epoch, Ctx::PLAIN), (DOMAIN_RANDAO, epoch))
    }

    /// [`get_slot_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#aggregation-selection).
    pub fn get_slot_signature(&self, pubkey: BlsPubkey, slot: Slot) -> SigningRequest {
        let domain = (DOMAIN_SELECTION_PROOF, slot.epoch(self.spec));
        self.request(pubkey, Message::SelectionProof { slot }, (&slot, Ctx::PLAIN), domain)
    }

    /// [`get_aggregate_and_proof_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#broadcast-aggregate).
    pub fn get_aggregate_and_proof_signature(
        &self,
        pubkey: BlsPubkey,
        aggregate_and_proof: &AggregateAndProof,
    ) -> SigningRequest {
        let slot = aggregate_and_proof.aggregate.data.slot;
        let object = (aggregate_and_proof, self.spec.ctx_at_slot(slot));
        let domain = (DOMAIN_AGGREGATE_AND_PROOF, slot.epoch(self.spec));
        self.request(pubkey, Message::AggregateAndProof { slot }, object, domain)
    }

    /// [`get_sync_committee_message`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#prepare-sync-committee-message).
    pub fn get_sync_committee_message_signature(
        &self,
        pubkey: BlsPubkey,
        slot: Slot,
        block_root: &Root,
    ) -> SigningRequest {
        let domain = (DOMAIN_SYNC_COMMITTEE, slot.epoch(self.spec));
        self.request(pubkey, Message::SyncMessage { slot }, (block_root, Ctx::PLAIN), domain)
    }

    /// [`get_sync_committee_selection_proof`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#aggregation-selection).
    pub fn get_sync_committee_selection_proof(
        &self,
        pubkey: BlsPubkey,
        slot: Slot,
        subcommittee_index: u64,
    ) -> SigningRequest {
        let data = SyncAggregatorSelectionData { slot, subcommittee_index };
        let domain = (DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF, slot.epoch(self.spec));
        self.request(pubkey, Message::SyncSelectionProof { slot }, (&data, Ctx::PLAIN), domain)
    }

    /// [`get_contribution_and_proof_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#broadcast-sync-committee-contribution).
    pub fn get_contribution_and_proof_signature(
        &self,
        pubkey: BlsPubkey,
        contribution_and_proof: &ContributionAndProof,
    ) -> SigningRequest {
        let slot = contribution_and_proof.contribution.slot;
        let object = (contribution_and_proof, self.spec.ctx_at_slot(slot));
        let domain = (DOMAIN_CONTRIBUTION_AND_PROOF, slot.epoch(self.spec));
        self.request(pubkey, Message::ContributionAndProof { slot }, object, domain)
    }

    /// The signature of a
    /// [`VoluntaryExit`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#voluntary-exits);
    /// from Deneb on its domain is Capella's for good (EIP-7044). `now` is the epoch in which it is to be included.
    pub fn get_voluntary_exit_signature(
        &self,
        pubkey: BlsPubkey,
        exit: &VoluntaryExit,
        now: Epoch,
    ) -> SigningRequest {
        let version = if self.spec.fork_name_at_epoch(now) >= ForkName::Deneb {
            self.spec.fork_version(ForkName::Capella)
        } else {
            self.spec.compute_fork_version(exit.epoch)
        };
        let domain = compute_domain(DOMAIN_VOLUNTARY_EXIT, version, self.genesis_validators_root);
        let signing_root = compute_signing_root(exit, Ctx::PLAIN, domain);
        SigningRequest { pubkey, message: Message::VoluntaryExit { epoch: exit.epoch }, signing_root }
    }
}
