//! Plain data of the Beacon API that is no consensus container.

use serde::{Deserialize, Serialize};
use types::{
    BlockContents, BlsPubkey, BlsSignature, Checkpoint, CommitteeIndex, Epoch, ForkName, Gwei, Root, Slot,
    Uint256, Validator, ValidatorIndex, Version,
};

/// Genesis facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Unix seconds.
    pub genesis_time: u64,
    /// The root of the genesis registry.
    pub genesis_validators_root: Root,
    /// The first fork's version.
    pub genesis_fork_version: Version,
}

/// `node/syncing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syncing {
    /// The head's slot.
    pub head_slot: Slot,
    /// Slots to go.
    pub sync_distance: u64,
    /// True while syncing.
    pub is_syncing: bool,
    /// True where the head's execution is not verified.
    pub is_optimistic: bool,
    /// True where the execution client is unreachable.
    pub el_offline: bool,
}

/// `node/identity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The libp2p peer id.
    pub peer_id: String,
    /// The node record.
    pub enr: String,
    /// Multiaddresses for libp2p.
    pub p2p_addresses: Vec<String>,
    /// Multiaddresses for discovery.
    pub discovery_addresses: Vec<String>,
    /// The metadata's sequence number.
    pub seq_number: u64,
    /// Attestation subnets, as the 0x… of 8 bytes.
    pub attnets: String,
    /// Sync-committee subnets, as the 0x… of 1 byte.
    pub syncnets: String,
}

/// `node/peers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// The libp2p peer id.
    pub peer_id: String,
    /// The node record, where it is known.
    pub enr: Option<String>,
    /// The address of the connection.
    pub last_seen_p2p_address: String,
    /// `connected`, `disconnected` …
    pub state: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// The peer's own name for its software.
    #[serde(default)]
    pub agent: String,
}

/// A validator with its balance and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorInfo {
    /// The place in the registry.
    pub index: ValidatorIndex,
    /// The balance.
    pub balance: Gwei,
    /// The status' name.
    pub status: &'static str,
    /// The registry's entry.
    pub validator: Validator,
}

/// A committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeInfo {
    /// Its place within the slot.
    pub index: CommitteeIndex,
    /// Its slot.
    pub slot: Slot,
    /// Its members.
    pub validators: Vec<ValidatorIndex>,
}

/// A proposer duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposerDuty {
    /// The proposer's key.
    pub pubkey: BlsPubkey,
    /// The proposer.
    pub validator_index: ValidatorIndex,
    /// The slot to propose in.
    pub slot: Slot,
}

/// An attester duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttesterDuty {
    /// The attester's key.
    pub pubkey: BlsPubkey,
    /// The attester.
    pub validator_index: ValidatorIndex,
    /// The committee's place within the slot.
    pub committee_index: CommitteeIndex,
    /// Members of the committee.
    pub committee_length: u64,
    /// Committees in the slot.
    pub committees_at_slot: u64,
    /// The attester's place in the committee.
    pub validator_committee_index: u64,
    /// The slot to attest in.
    pub slot: Slot,
}

/// A place, or several, in a sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDuty {
    /// The member's key.
    pub pubkey: BlsPubkey,
    /// The member.
    pub validator_index: ValidatorIndex,
    /// Its places in the committee.
    pub places: Vec<u64>,
}

/// A wish to hear the subnets of a member of the sync committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSubscription {
    /// The member.
    pub validator_index: ValidatorIndex,
    /// Its places in the committee.
    pub places: Vec<u64>,
    /// The first epoch in which it is no member any more.
    pub until_epoch: Epoch,
}

/// Duties, and the block that they follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duties<D> {
    /// The last block whose change would change the duties.
    pub dependent_root: Root,
    /// The duties.
    pub duties: Vec<D>,
}

/// A wish to hear a committee's subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitteeSubscription {
    /// The validator.
    pub validator_index: ValidatorIndex,
    /// Its committee.
    pub committee_index: CommitteeIndex,
    /// Committees in the slot.
    pub committees_at_slot: u64,
    /// The slot of the duty.
    pub slot: Slot,
    /// True where the validator aggregates.
    pub is_aggregator: bool,
}

/// A request to produce a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRequest {
    /// The slot.
    pub slot: Slot,
    /// The proposer's reveal.
    pub randao_reveal: BlsSignature,
    /// 32 bytes of the proposer's choice.
    pub graffiti: Root,
}

/// A block to be signed, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedBlock {
    /// The block and its blobs.
    pub contents: BlockContents,
    /// What the payload earns its fee recipient, in wei.
    pub execution_payload_value: Uint256,
    /// What the block earns its proposer on the beacon chain, in wei.
    pub consensus_block_value: Uint256,
}

/// What must be known of a block before it is broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BroadcastValidation {
    /// That it passes the rules of gossip.
    #[default]
    Gossip,
    /// That the state transition takes it.
    Consensus,
    /// The same, and that its proposer has signed no other block of the slot.
    ConsensusAndEquivocation,
}

impl BroadcastValidation {
    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gossip => "gossip",
            Self::Consensus => "consensus",
            Self::ConsensusAndEquivocation => "consensus_and_equivocation",
        }
    }
}

impl std::str::FromStr for BroadcastValidation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Gossip, Self::Consensus, Self::ConsensusAndEquivocation];
        let found = all.into_iter().find(|level| level.as_str() == text);
        found.ok_or_else(|| format!("no such level of validation: {text:?}"))
    }
}

/// A node of fork choice, for `debug/fork_choice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkChoiceNode {
    /// The block's slot.
    pub slot: Slot,
    /// The block.
    pub block_root: Root,
    /// Its parent, none at the anchor.
    pub parent_root: Option<Root>,
    /// The justified epoch of its state.
    pub justified_epoch: Epoch,
    /// The finalized epoch of its state.
    pub finalized_epoch: Epoch,
    /// Its weight in Gwei.
    pub weight: u64,
    /// `valid`, `invalid` or `optimistic`.
    pub validity: &'static str,
    /// The block of the execution layer; zero before the merge.
    pub execution_block_hash: Root,
}

/// `debug/fork_choice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkChoiceDump {
    /// The store's justified checkpoint.
    pub justified_checkpoint: Checkpoint,
    /// The store's finalized checkpoint.
    pub finalized_checkpoint: Checkpoint,
    /// The head.
    pub head_root: Root,
    /// The boosted block, zero where there is none.
    pub proposer_boost_root: Root,
    /// All nodes, parents first.
    pub nodes: Vec<ForkChoiceNode>,
}

/// A leaf of the block tree, for `debug/beacon/heads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadInfo {
    /// The block.
    pub root: Root,
    /// Its slot.
    pub slot: Slot,
    /// True where its execution is not verified.
    pub execution_optimistic: bool,
}

/// A signed block's fork, root and place, for headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// The block's root.
    pub root: Root,
    /// Its fork.
    pub fork: ForkName,
    /// True where it is on the chain of the head.
    pub canonical: bool,
}
