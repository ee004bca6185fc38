//! What the server asks of the node.

use std::sync::Arc;

use deposits::DepositTreeSnapshot;
use futures::future::BoxFuture;
use tokio::sync::broadcast;
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconState, BlobSidecar, Bytes, CommitteeIndex,
    DataColumnSidecar, Epoch, ExecutionAddress, ForkName, ProposerSlashing, Root, SignedAggregateAndProof,
    SignedBLSToExecutionChange, SignedBeaconBlock, SignedBlockContents, SignedContributionAndProof,
    SignedVoluntaryExit, SingleAttestation, Slot, Spec, SyncCommitteeContribution, SyncCommitteeMessage,
    ValidatorIndex,
};

use crate::{
    ApiError, AttesterDuty, BlockId, BlockPlace, BlockRequest, BroadcastValidation, CommitteeInfo,
    CommitteeSubscription, Duties, Event, Failure, ForkChoiceDump, Genesis, HeadInfo, Identity, PeerInfo,
    ProducedBlock, ProposerDuty, StateId, SyncDuty, SyncSubscription, Syncing,
};

/// An answer, or an error in the API's form.
pub type Answer<T> = Result<T, ApiError>;

/// An answer that comes later.
pub type Reply<'a, T> = BoxFuture<'a, Answer<T>>;

/// A thing that was found, and how sure it is.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The thing.
    pub value: T,
    /// True where it is of the finalized chain.
    pub finalized: bool,
    /// True where the execution of its block is not verified.
    pub execution_optimistic: bool,
}

/// A block that was found: its place, its contents, and how sure it is.
pub type FoundBlock = Found<(BlockPlace, Arc<SignedBeaconBlock>)>;

/// Data that belongs to a block, of the block's fork.
pub type FoundData<T> = Found<(ForkName, T)>;

/// The node behind the API. Methods that are not futures answer from memory at once.
pub trait Backend: Send + Sync + 'static {
    /// Preset and configuration.
    fn spec(&self) -> &'static Spec;
    /// Genesis facts.
    fn genesis(&self) -> Genesis;
    /// The software's name and version.
    fn version(&self) -> String;
    /// The slot that the clock says.
    fn current_slot(&self) -> Slot;
    /// How far behind the node is.
    fn syncing(&self) -> Syncing;
    /// Who the node is on the network.
    fn identity(&self) -> Reply<'_, Identity>;
    /// Connected peers.
    fn peers(&self) -> Reply<'_, Vec<PeerInfo>>;

    /// The figures that the dashboard shows, in the node's own form.
    fn status(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// The finalized part of the deposit contract's tree; none where it is not followed.
    fn deposit_snapshot(&self) -> Option<DepositTreeSnapshot> {
        None
    }

    /// A state.
    fn state(&self, id: StateId) -> Reply<'_, Found<Arc<BeaconState>>>;
    /// A block and its root.
    fn block(&self, id: BlockId) -> Reply<'_, FoundBlock>;
    /// Blocks of a slot, or with a parent; with neither, the head.
    fn headers(&self, slot: Option<Slot>, parent: Option<Root>) -> Reply<'_, Vec<FoundBlock>>;
    /// The blob sidecars of a block, by index; none of a block without blobs. A block since Fulu has none: 400.
    fn blob_sidecars(&self, id: BlockId) -> Reply<'_, FoundData<Vec<Arc<BlobSidecar>>>>;
    /// The blobs of a block in the order of its commitments, of all versioned hashes or of these.
    fn blobs(&self, id: BlockId, versioned_hashes: Option<Vec<Root>>) -> Reply<'_, FoundData<Vec<Bytes>>>;
    /// The columns that the node has of a block, by index; a block before Fulu has none: 400.
    fn data_column_sidecars(&self, id: BlockId) -> Reply<'_, FoundData<Vec<Arc<DataColumnSidecar>>>>;
    /// The committees of an epoch near a state's own.
    fn committees(&self, state: Arc<BeaconState>, epoch: Epoch) -> Reply<'_, Vec<CommitteeInfo>>;
    /// The members of the sync committee of an epoch, by place, as a state knows it.
    fn sync_committee(&self, state: Arc<BeaconState>, epoch: Epoch) -> Reply<'_, Vec<ValidatorIndex>>;

    /// Who proposes in an epoch.
    fn proposer_duties(&self, epoch: Epoch) -> Reply<'_, Duties<ProposerDuty>>;
    /// When validators attest in an epoch.
    fn attester_duties(
        &self,
        epoch: Epoch,
        validators: Vec<ValidatorIndex>,
    ) -> Reply<'_, Duties<AttesterDuty>>;
    /// Which of these validators are in the sync committee of an epoch; nobody before Altair.
    fn sync_duties(&self, epoch: Epoch, validators: Vec<ValidatorIndex>) -> Reply<'_, Vec<SyncDuty>>;
    /// What to attest to in a slot, with committee index 0; 503 where that is an optimistic block.
    fn attestation_data(&self, slot: Slot) -> Reply<'_, AttestationData>;
    /// The best aggregate of a committee for some data; before Electra the data tells the committee. 503 where it is for
    /// an optimistic block.
    fn aggregate_attestation(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Reply<'_, Attestation>;
    /// The best contribution of a subcommittee of the sync committee for a block.
    fn sync_contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        root: Root,
    ) -> Reply<'_, SyncCommitteeContribution>;
    /// A block to be signed, with its blobs; 503 where it would be built on an optimistic block.
    fn produce_block(&self, request: BlockRequest) -> Reply<'_, ProducedBlock>;
    /// Who wants the fees of blocks that these validators propose; known for this epoch and the next two.
    fn prepare_beacon_proposer(&self, recipients: Vec<(ValidatorIndex, ExecutionAddress)>) -> Reply<'_, ()>;
    /// Committees whose subnets validators need.
    fn subscribe_committees(&self, subscriptions: Vec<CommitteeSubscription>) -> Reply<'_, ()>;
    /// Subnets of the sync committee that validators need.
    fn subscribe_sync_committees(&self, subscriptions: Vec<SyncSubscription>) -> Reply<'_, ()>;
    /// Which validators were seen attesting in an epoch.
    fn liveness(
        &self,
        epoch: Epoch,
        validators: Vec<ValidatorIndex>,
    ) -> Reply<'_, Vec<(ValidatorIndex, bool)>>;

    /// Validates, publishes and imports a block with its blobs; as much as is asked of it before anything is published.
    fn publish_block(&self, contents: SignedBlockContents, validation: BroadcastValidation) -> Reply<'_, ()>;
    /// Validates and publishes attestations of slots before Electra; answers with those that failed.
    fn publish_attestations(&self, attestations: Vec<Attestation>) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes attestations of slots since Electra; answers with those that failed.
    fn publish_single_attestations(&self, attestations: Vec<SingleAttestation>) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes aggregates; answers with those that failed.
    fn publish_aggregates(&self, aggregates: Vec<SignedAggregateAndProof>) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes votes of the sync committee; answers with those that failed.
    fn publish_sync_messages(&self, messages: Vec<SyncCommitteeMessage>) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes contributions; answers with those that failed.
    fn publish_contributions(
        &self,
        contributions: Vec<SignedContributionAndProof>,
    ) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes changes of withdrawal credentials; answers with those that failed.
    fn publish_bls_changes(&self, changes: Vec<SignedBLSToExecutionChange>) -> Reply<'_, Vec<Failure>>;
    /// Validates and publishes an exit.
    fn publish_voluntary_exit(&self, exit: SignedVoluntaryExit) -> Reply<'_, ()>;
    /// Validates and publishes a slashing.
    fn publish_proposer_slashing(&self, slashing: ProposerSlashing) -> Reply<'_, ()>;
    /// Validates and publishes a slashing.
    fn publish_attester_slashing(&self, slashing: AttesterSlashing) -> Reply<'_, ()>;

    /// Attestations of the pool.
    fn pool_attestations(&self) -> Vec<Attestation>;
    /// Exits of the pool.
    fn pool_voluntary_exits(&self) -> Vec<SignedVoluntaryExit>;
    /// Slashings of the pool.
    fn pool_proposer_slashings(&self) -> Vec<ProposerSlashing>;
    /// Slashings of the pool.
    fn pool_attester_slashings(&self) -> Vec<AttesterSlashing>;
    /// Changes of withdrawal credentials of the pool.
    fn pool_bls_changes(&self) -> Vec<SignedBLSToExecutionChange>;

    /// All of fork choice.
    fn fork_choice(&self) -> ForkChoiceDump;
    /// The leaves of the block tree.
    fn heads(&self) -> Vec<HeadInfo>;
    /// Events from now on. A subscriber that is too slow loses the oldest.
    fn events(&self) -> broadcast::Receiver<Event>;
}
