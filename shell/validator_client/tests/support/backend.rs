//! The chain behind the real Beacon API server.

use std::sync::Arc;

use api::{
    ApiError, AttesterDuty, Backend, BlockId, BlockPlace, BlockRequest, BroadcastValidation, CommitteeInfo,
    CommitteeSubscription, Duties, Event, Failure, ForkChoiceDump, Found, FoundData, Genesis, HeadInfo,
    Identity, PeerInfo, ProducedBlock, ProposerDuty, Reply, StateId, SyncDuty, SyncSubscription, Syncing,
};
use tokio::sync::broadcast;
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconState, BlobSidecar, Bytes, Checkpoint,
    CommitteeIndex, DataColumnSidecar, Epoch, ExecutionAddress, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedBlockContents,
    SignedContributionAndProof, SignedVoluntaryExit, SingleAttestation, Slot, Spec,
    SyncCommitteeContribution, SyncCommitteeMessage, Uint256, ValidatorIndex,
};

use super::{MiniChain, sync};

/// The API's view of a chain.
pub struct MiniBackend(pub Arc<MiniChain>);

fn now<'a, T: Send + 'a>(answer: Result<T, ApiError>) -> Reply<'a, T> {
    Box::pin(std::future::ready(answer))
}

fn nothing<'a, T: Send + 'a>() -> Reply<'a, T> {
    now(Err(ApiError::not_found("this node has no such thing")))
}

impl Backend for MiniBackend {
    fn spec(&self) -> &'static Spec {
        self.0.spec
    }
    fn genesis(&self) -> Genesis {
        let genesis = &self.0.genesis;
        Genesis {
            genesis_time: genesis.genesis_time,
            genesis_validators_root: genesis.genesis_validators_root,
            genesis_fork_version: self.0.spec.config.genesis_fork_version,
        }
    }
    fn version(&self) -> String {
        "mini/1".into()
    }
    fn current_slot(&self) -> Slot {
        self.0.slot_now()
    }
    fn syncing(&self) -> Syncing {
        let head_slot = self.0.head().slot;
        Syncing { head_slot, sync_distance: 0, is_syncing: false, is_optimistic: false, el_offline: false }
    }
    fn identity(&self) -> Reply<'_, Identity> {
        nothing()
    }
    fn peers(&self) -> Reply<'_, Vec<PeerInfo>> {
        now(Ok(Vec::new()))
    }
    fn state(&self, _: StateId) -> Reply<'_, Found<Arc<BeaconState>>> {
        now(Ok(Found { value: Arc::new(self.0.head()), finalized: false, execution_optimistic: false }))
    }
    fn block(&self, id: BlockId) -> Reply<'_, Found<(BlockPlace, Arc<SignedBeaconBlock>)>> {
        // Only the head is known, and of the genesis block no more than its root.
        let BlockId::Head = id else { return nothing() };
        let (root, block) = self.0.head_block();
        let fork = self.0.spec.fork_name_at_slot(block.message.slot);
        let place = BlockPlace { root, fork, canonical: true };
        let execution_optimistic = self.0.seen().behaviour.optimistic;
        now(Ok(Found { value: (place, Arc::new(block)), finalized: false, execution_optimistic }))
    }
    fn blob_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<BlobSidecar>>>> {
        nothing()
    }
    fn blobs(&self, _: BlockId, _: Option<Vec<Root>>) -> Reply<'_, FoundData<Vec<Bytes>>> {
        nothing()
    }
    fn data_column_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<DataColumnSidecar>>>> {
        nothing()
    }
    fn headers(
        &self,
        _: Option<Slot>,
        _: Option<Root>,
    ) -> Reply<'_, Vec<Found<(BlockPlace, Arc<SignedBeaconBlock>)>>> {
        nothing()
    }
    fn committees(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<CommitteeInfo>> {
        nothing()
    }
    fn sync_committee(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<ValidatorIndex>> {
        nothing()
    }
    fn sync_duties(&self, epoch: Epoch, of: Vec<ValidatorIndex>) -> Reply<'_, Vec<SyncDuty>> {
        now(sync::duties(&self.0, epoch, &of))
    }
    fn sync_contribution(&self, slot: Slot, part: u64, root: Root) -> Reply<'_, SyncCommitteeContribution> {
        now(sync::contribution(&self.0, slot, part, root))
    }
    fn subscribe_sync_committees(&self, subscriptions: Vec<SyncSubscription>) -> Reply<'_, ()> {
        self.0.seen().sync.subscriptions += subscriptions.len();
        now(Ok(()))
    }
    fn publish_sync_messages(&self, messages: Vec<SyncCommitteeMessage>) -> Reply<'_, Vec<Failure>> {
        now(Ok(sync::take_messages(&self.0, &messages)))
    }
    fn publish_contributions(&self, all: Vec<SignedContributionAndProof>) -> Reply<'_, Vec<Failure>> {
        now(Ok(sync::take_contributions(&self.0, &all)))
    }
    fn publish_bls_changes(&self, _: Vec<SignedBLSToExecutionChange>) -> Reply<'_, Vec<Failure>> {
        nothing()
    }
    fn proposer_duties(&self, epoch: Epoch) -> Reply<'_, Duties<ProposerDuty>> {
        now(self.0.proposers(epoch))
    }
    fn attester_duties(&self, epoch: Epoch, of: Vec<ValidatorIndex>) -> Reply<'_, Duties<AttesterDuty>> {
        now(self.0.attesters(epoch, &of))
    }
    fn attestation_data(&self, slot: Slot) -> Reply<'_, AttestationData> {
        now(self.0.attestation_data(slot))
    }
    fn aggregate_attestation(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Reply<'_, Attestation> {
        now(self.0.aggregate(slot, data_root, committee))
    }
    fn produce_block(&self, request: BlockRequest) -> Reply<'_, ProducedBlock> {
        let contents = self.0.produce(request.slot, request.randao_reveal, request.graffiti);
        let value = Uint256::default();
        now(contents.map(|contents| ProducedBlock {
            contents,
            execution_payload_value: value,
            consensus_block_value: value,
        }))
    }
    fn prepare_beacon_proposer(&self, recipients: Vec<(ValidatorIndex, ExecutionAddress)>) -> Reply<'_, ()> {
        self.0.seen().fee_recipients.push(recipients);
        now(Ok(()))
    }
    fn subscribe_committees(&self, subscriptions: Vec<CommitteeSubscription>) -> Reply<'_, ()> {
        self.0.seen().subscriptions += subscriptions.len();
        now(Ok(()))
    }
    fn liveness(&self, _: Epoch, _: Vec<ValidatorIndex>) -> Reply<'_, Vec<(ValidatorIndex, bool)>> {
        nothing()
    }
    fn publish_block(&self, contents: SignedBlockContents, _: BroadcastValidation) -> Reply<'_, ()> {
        now(self.0.take_block(contents))
    }
    fn publish_single_attestations(&self, attestations: Vec<SingleAttestation>) -> Reply<'_, Vec<Failure>> {
        now(Ok(self.0.take_single_votes(&attestations)))
    }
    fn publish_attestations(&self, attestations: Vec<Attestation>) -> Reply<'_, Vec<Failure>> {
        now(Ok(self.0.take_votes(&attestations)))
    }
    fn publish_aggregates(&self, aggregates: Vec<SignedAggregateAndProof>) -> Reply<'_, Vec<Failure>> {
        now(Ok(self.0.take_aggregates(&aggregates)))
    }
    fn publish_voluntary_exit(&self, _: SignedVoluntaryExit) -> Reply<'_, ()> {
        nothing()
    }
    fn publish_proposer_slashing(&self, _: ProposerSlashing) -> Reply<'_, ()> {
        nothing()
    }
    fn publish_attester_slashing(&self, _: AttesterSlashing) -> Reply<'_, ()> {
        nothing()
    }
    fn pool_attestations(&self) -> Vec<Attestation> {
        Vec::new()
    }
    fn pool_voluntary_exits(&self) -> Vec<SignedVoluntaryExit> {
        Vec::new()
    }
    fn pool_proposer_slashings(&self) -> Vec<ProposerSlashing> {
        Vec::new()
    }
    fn pool_attester_slashings(&self) -> Vec<AttesterSlashing> {
        Vec::new()
    }
    fn pool_bls_changes(&self) -> Vec<SignedBLSToExecutionChange> {
        Vec::new()
    }
    fn fork_choice(&self) -> ForkChoiceDump {
        ForkChoiceDump {
            justified_checkpoint: Checkpoint::default(),
            finalized_checkpoint: Checkpoint::default(),
            head_root: Root::ZERO,
            proposer_boost_root: Root::ZERO,
            nodes: Vec::new(),
        }
    }
    fn heads(&self) -> Vec<HeadInfo> {
        Vec::new()
    }
    fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }
}
