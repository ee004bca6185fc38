//! Sync committees.

use ssz::{Bits, List, Root, Ssz};

use crate::bounds::{SYNC_COMMITTEE_SIZE, SYNC_SUBCOMMITTEE_SIZE};
use crate::{BlsPubkey, BlsSignature, Slot, ValidatorIndex};

/// Votes of the sync committee.
///
/// [`SyncAggregate`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#syncaggregate)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SyncAggregate {
    #[ssz(vector(SYNC_COMMITTEE_SIZE))]
    pub sync_committee_bits: Bits,
    pub sync_committee_signature: BlsSignature,
}

/// A sync committee's keys.
///
/// [`SyncCommittee`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#synccommittee)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SyncCommittee {
    #[ssz(vector(SYNC_COMMITTEE_SIZE))]
    pub pubkeys: List<BlsPubkey>,
    pub aggregate_pubkey: BlsPubkey,
}

/// One member's vote.
///
/// [`SyncCommitteeMessage`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#synccommitteemessage)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SyncCommitteeMessage {
    pub slot: Slot,
    pub beacon_block_root: Root,
    pub validator_index: ValidatorIndex,
    pub signature: BlsSignature,
}

/// Votes of a subcommittee.
///
/// [`SyncCommitteeContribution`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#synccommitteecontribution)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SyncCommitteeContribution {
    pub slot: Slot,
    pub beacon_block_root: Root,
    pub subcommittee_index: u64,
    #[ssz(vector(SYNC_SUBCOMMITTEE_SIZE))]
    pub aggregation_bits: Bits,
    pub signature: BlsSignature,
}

/// A contribution and the proof that its sender was to make it.
///
/// [`ContributionAndProof`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#contributionandproof)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct ContributionAndProof {
    pub aggregator_index: ValidatorIndex,
    pub contribution: SyncCommitteeContribution,
    pub selection_proof: BlsSignature,
}

/// A signed [`ContributionAndProof`].
///
/// [`SignedContributionAndProof`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#signedcontributionandproof)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SignedContributionAndProof {
    pub message: ContributionAndProof,
    pub signature: BlsSignature,
}

/// What a selection proof of a sync committee signs.
///
/// [`SyncAggregatorSelectionData`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#syncaggregatorselectiondata)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct SyncAggregatorSelectionData {
    pub slot: Slot,
    pub subcommittee_index: u64,
}
