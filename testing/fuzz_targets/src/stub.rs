//! A node that answers at once and remembers nothing, behind the real server.

use std::sync::Arc;

use api::{
    ApiError, AttesterDuty, Backend, BlockId, BlockPlace, BlockRequest, BroadcastValidation, CommitteeInfo,
    CommitteeSubscription, Duties, Event, Failure, ForkChoiceDump, Found, FoundBlock, FoundData, Genesis,
    HeadInfo, Identity, PeerInfo, ProducedBlock, ProposerDuty, Reply, StateId, SyncDuty, SyncSubscription,
    Syncing,
};
use tokio::sync::broadcast;
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconState, BlobSidecar, BlockContents, Bytes,
    Checkpoint, CommitteeIndex, DataColumnSidecar, Epoch, ExecutionAddress, ForkName, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedBlockContents,
    SignedContributionAndProof, SignedVoluntaryExit, SingleAttestation, Slot, Spec, SszExt,
    SyncCommitteeContribution, SyncCommitteeMessage, Uint256, ValidatorIndex,
};

use crate::gossip_message::genesis;

/// The minimal preset with a fork each epoch, so that a slot says the fork.
pub fn spec() -> &'static Spec {
    static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
    SPEC.get_or_init(|| {
        let mut yaml = "PRESET_BASE: 'minimal'\n".to_owned();
        for (epoch, fork) in ForkName::ALL.into_iter().enumerate().skip(1) {
            yaml.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", fork.as_str().to_uppercase()));
        }
        Spec::from_yaml(&yaml, None).expect("the schedule goes forward")
    })
}

/// The node.
pub struct Stub {
    events: broadcast::Sender<Event>,
}

impl Stub {
    pub fn new() -> Self {
        Self { events: broadcast::channel(1).0 }
    }
}

/// The fork in which its head is.
const FORK: ForkName = ForkName::Electra;

fn found<T>(value: T) -> Found<T> {
    Found { value, finalized: false, execution_optimistic: false }
}

fn now<'a, T: Send + 'a>(answer: T) -> Reply<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

fn nothing<'a, T: Send + 'a>() -> Reply<'a, T> {
    Box::pin(std::future::ready(Err(ApiError::not_found("this node has no such thing"))))
}

fn head() -> FoundBlock {
    let mut block = SignedBeaconBlock::new_default(spec().ctx(FORK));
    block.message.slot = Slot(FORK as u64 * 8);
    let root = block.message.hash_tree_root(spec().ctx(FORK));
    found((BlockPlace { root, fork: FORK, canonical: true }, Arc::new(block)))
}

impl Backend for Stub {
    fn spec(&self) -> &'static Spec {
        spec()
    }
    fn genesis(&self) -> Genesis {
        Genesis {
            genesis_time: 1,
            genesis_validators_root: Root::ZERO,
            genesis_fork_version: spec().config.genesis_fork_version,
        }
    }
    fn version(&self) -> String {
        "stub/1".into()
    }
    fn current_slot(&self) -> Slot {
        Slot(FORK as u64 * 8 + 3)
    }
    fn syncing(&self) -> Syncing {
        Syncing {
            head_slot: self.current_slot(),
            sync_distance: 0,
            is_syncing: false,
            is_optimistic: false,
            el_offline: false,
        }
    }
    fn identity(&self) -> Reply<'_, Identity> {
        nothing()
    }
    fn peers(&self) -> Reply<'_, Vec<PeerInfo>> {
        now(Vec::new())
    }
    fn state(&self, _: StateId) -> Reply<'_, Found<Arc<BeaconState>>> {
        now(found(genesis(FORK).clone()))
    }
    fn block(&self, _: BlockId) -> Reply<'_, FoundBlock> {
        now(head())
    }
    fn headers(&self, _: Option<Slot>, _: Option<Root>) -> Reply<'_, Vec<FoundBlock>> {
        now(vec![head()])
    }
    fn blob_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<BlobSidecar>>>> {
        now(found((FORK, Vec::new())))
    }
    fn blobs(&self, _: BlockId, _: Option<Vec<Root>>) -> Reply<'_, FoundData<Vec<Bytes>>> {
        now(found((FORK, Vec::new())))
    }
    fn data_column_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<DataColumnSidecar>>>> {
        now(found((ForkName::Fulu, Vec::new())))
    }
    fn committees(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<CommitteeInfo>> {
        now(Vec::new())
    }
    fn sync_committee(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<ValidatorIndex>> {
        now((0..32).map(ValidatorIndex).collect())
    }
    fn proposer_duties(&self, _: Epoch) -> Reply<'_, Duties<ProposerDuty>> {
        now(Duties { dependent_root: Root::ZERO, duties: Vec::new() })
    }
    fn attester_duties(&self, _: Epoch, _: Vec<ValidatorIndex>) -> Reply<'_, Duties<AttesterDuty>> {
        now(Duties { dependent_root: Root::ZERO, duties: Vec::new() })
    }
    fn sync_duties(&self, _: Epoch, _: Vec<ValidatorIndex>) -> Reply<'_, Vec<SyncDuty>> {
        now(Vec::new())
    }
    fn attestation_data(&self, slot: Slot) -> Reply<'_, AttestationData> {
        now(AttestationData { slot, ..AttestationData::default() })
    }
    fn aggregate_attestation(&self, _: Slot, _: Root, _: Option<CommitteeIndex>) -> Reply<'_, Attestation> {
        now(Attestation::new_default(spec().ctx(FORK)))
    }
    fn sync_contribution(&self, _: Slot, _: u64, _: Root) -> Reply<'_, SyncCommitteeContribution> {
        now(SyncCommitteeContribution::new_default(spec().ctx(FORK)))
    }
    fn produce_block(&self, request: BlockRequest) -> Reply<'_, ProducedBlock> {
        let mut contents = BlockContents::new_default(spec().ctx_at_slot(request.slot));
        contents.block.slot = request.slot;
        now(ProducedBlock {
            contents,
            execution_payload_value: Uint256::from(1),
            consensus_block_value: Uint256::from(1),
        })
    }
    fn prepare_beacon_proposer(&self, _: Vec<(ValidatorIndex, ExecutionAddress)>) -> Reply<'_, ()> {
        now(())
    }
    fn subscribe_committees(&self, _: Vec<CommitteeSubscription>) -> Reply<'_, ()> {
        now(())
    }
    fn subscribe_sync_committees(&self, _: Vec<SyncSubscription>) -> Reply<'_, ()> {
        now(())
    }
    fn liveness(&self, _: Epoch, asked: Vec<ValidatorIndex>) -> Reply<'_, Vec<(ValidatorIndex, bool)>> {
        now(asked.into_iter().map(|index| (index, true)).collect())
    }
    fn publish_block(&self, contents: SignedBlockContents, _: BroadcastValidation) -> Reply<'_, ()> {
        let ctx = spec().ctx_at_slot(contents.signed_block.message.slot);
        let bytes = contents.signed_block.to_ssz(ctx);
        let again = SignedBeaconBlock::from_ssz(&bytes, ctx);
        assert!(again.is_ok_and(|again| again == contents.signed_block), "a block that has no encoding");
        now(())
    }
    fn publish_attestations(&self, _: Vec<Attestation>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_single_attestations(&self, _: Vec<SingleAttestation>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_aggregates(&self, _: Vec<SignedAggregateAndProof>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_sync_messages(&self, _: Vec<SyncCommitteeMessage>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_contributions(&self, _: Vec<SignedContributionAndProof>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_bls_changes(&self, _: Vec<SignedBLSToExecutionChange>) -> Reply<'_, Vec<Failure>> {
        now(Vec::new())
    }
    fn publish_voluntary_exit(&self, _: SignedVoluntaryExit) -> Reply<'_, ()> {
        now(())
    }
    fn publish_proposer_slashing(&self, _: ProposerSlashing) -> Reply<'_, ()> {
        now(())
    }
    fn publish_attester_slashing(&self, _: AttesterSlashing) -> Reply<'_, ()> {
        now(())
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
        self.events.subscribe()
    }
}
