//! Every container of the specification, once: a struct holds the fields of all forks, in the specification's order,
//! and `since`/`until` say which forks have a field.

mod attestation;
mod block;
mod checkpoint;
mod contents;
mod data;
mod deposit;
mod execution;
mod light_client;
mod operations;
mod requests;
mod state;
mod sync_committee;
mod validator;

pub use attestation::{
    AggregateAndProof, Attestation, AttestationData, IndexedAttestation, PendingAttestation,
    SignedAggregateAndProof, SingleAttestation,
};
pub use block::{
    BeaconBlock, BeaconBlockBody, BeaconBlockHeader, SignedBeaconBlock, SignedBeaconBlockHeader,
};
pub use checkpoint::{Checkpoint, Fork, ForkData, HistoricalBatch, HistoricalSummary, SigningData};
pub use contents::{BlockContents, SignedBlockContents};
pub use data::{
    BlobIdentifier, BlobSidecar, DataColumnSidecar, DataColumnsByRootIdentifier, MatrixEntry,
    PartialDataColumnGroupID, PartialDataColumnHeader, PartialDataColumnPartsMetadata,
    PartialDataColumnSidecar,
};
pub use deposit::{Deposit, DepositData, DepositMessage, Eth1Block, Eth1Data};
pub use execution::{ExecutionPayload, ExecutionPayloadHeader, PowBlock, Withdrawal};
pub use light_client::{
    LightClientBootstrap, LightClientFinalityUpdate, LightClientHeader, LightClientOptimisticUpdate,
    LightClientUpdate,
};
pub use operations::{
    AttesterSlashing, BLSToExecutionChange, ProposerSlashing, SignedBLSToExecutionChange,
    SignedVoluntaryExit, VoluntaryExit,
};
pub use requests::{
    ConsolidationRequest, DepositRequest, ExecutionRequests, PendingConsolidation, PendingDeposit,
    PendingPartialWithdrawal, WithdrawalRequest,
};
pub use state::BeaconState;
pub use sync_committee::{
    ContributionAndProof, SignedContributionAndProof, SyncAggregate, SyncAggregatorSelectionData,
    SyncCommittee, SyncCommitteeContribution, SyncCommitteeMessage,
};
pub use validator::Validator;
