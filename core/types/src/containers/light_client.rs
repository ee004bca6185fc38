//! The light-client protocol.

use ssz::{Root, Ssz};

use crate::bounds::{FINALITY_BRANCH_DEPTH, SYNC_COMMITTEE_BRANCH_DEPTH};
use crate::{BeaconBlockHeader, ExecutionPayloadHeader, ForkName, Slot, SyncAggregate, SyncCommittee};

/// A header for light clients.
///
/// [`LightClientHeader`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientheader)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct LightClientHeader {
    pub beacon: BeaconBlockHeader,
    #[ssz(since = Capella)]
    pub execution: ExecutionPayloadHeader,
    #[ssz(since = Capella, vector(4))]
    pub execution_branch: Vec<Root>,
}

/// Where a light client starts.
///
/// [`LightClientBootstrap`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientbootstrap)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct LightClientBootstrap {
    pub header: LightClientHeader,
    pub current_sync_committee: SyncCommittee,
    #[ssz(vector(SYNC_COMMITTEE_BRANCH_DEPTH))]
    pub current_sync_committee_branch: Vec<Root>,
}

/// What moves a light client to the next period.
///
/// [`LightClientUpdate`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientupdate)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct LightClientUpdate {
    pub attested_header: LightClientHeader,
    pub next_sync_committee: SyncCommittee,
    #[ssz(vector(SYNC_COMMITTEE_BRANCH_DEPTH))]
    pub next_sync_committee_branch: Vec<Root>,
    pub finalized_header: LightClientHeader,
    #[ssz(vector(FINALITY_BRANCH_DEPTH))]
    pub finality_branch: Vec<Root>,
    pub sync_aggregate: SyncAggregate,
    pub signature_slot: Slot,
}

/// What moves a light client's finalized header.
///
/// [`LightClientFinalityUpdate`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientfinalityupdate)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct LightClientFinalityUpdate {
    pub attested_header: LightClientHeader,
    pub finalized_header: LightClientHeader,
    #[ssz(vector(FINALITY_BRANCH_DEPTH))]
    pub finality_branch: Vec<Root>,
    pub sync_aggregate: SyncAggregate,
    pub signature_slot: Slot,
}

/// What moves a light client's head.
///
/// [`LightClientOptimisticUpdate`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md#lightclientoptimisticupdate)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct LightClientOptimisticUpdate {
    pub attested_header: LightClientHeader,
    pub sync_aggregate: SyncAggregate,
    pub signature_slot: Slot,
}
