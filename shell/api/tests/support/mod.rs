//! A node that remembers what it is given, behind the real server.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use api::{
    ApiError, AttesterDuty, Backend, BlockId, BlockPlace, BlockRequest, BroadcastValidation, Client,
    CommitteeInfo, CommitteeSubscription, Duties, Event, Failure, ForkChoiceDump, ForkChoiceNode, Found,
    FoundBlock, FoundData, Genesis, HeadInfo, Identity, PeerInfo, ProducedBlock, ProposerDuty, Reply, Server,
    ServerConfig, StateId, SyncDuty, SyncSubscription, Syncing,
};
use deposits::DepositTreeSnapshot;
use tokio::sync::{broadcast, watch};
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconState, BlobSidecar, BlockContents, Bytes,
    Checkpoint, CommitteeIndex, DataColumnSidecar, Epoch, ExecutionAddress, FixedBytes, ForkName,
    ProposerSlashing, Root, SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock,
    SignedBlockContents, SignedContributionAndProof, SignedVoluntaryExit, SingleAttestation, Slot, Spec,
    SszExt, SyncCommitteeContribution, SyncCommitteeMessage, Uint256, ValidatorIndex,
};

/// What the node holds and was given.
#[derive(Default)]
pub struct Memory {
    pub now: Slot,
    pub optimistic: bool,
    pub contents: BlockContents,
    pub head: SignedBeaconBlock,
    pub aggregate: Attestation,
    pub asked: Vec<(Slot, Root, Option<CommitteeIndex>)>,
    pub blob_sidecars: Vec<BlobSidecar>,
    pub columns: Vec<DataColumnSidecar>,
    pub pool: Vec<Attestation>,
    pub published: Vec<(SignedBlockContents, BroadcastValidation)>,
    pub attestations: Vec<Attestation>,
    pub single: Vec<SingleAttestation>,
    pub aggregates: Vec<SignedAggregateAndProof>,
    pub recipients: Vec<(ValidatorIndex, ExecutionAddress)>,
    pub deposits: Option<DepositTreeSnapshot>,
    /// Places of items to refuse.
    pub refuse: Vec<usize>,
}

pub struct Fake {
    pub spec: &'static Spec,
    memory: Mutex<Memory>,
    events: broadcast::Sender<Event>,
}

/// The minimal preset with a fork each epoch: Altair at epoch 1 up to Fulu at epoch 6.
pub fn spec() -> &'static Spec {
    let mut yaml = "PRESET_BASE: 'minimal'\n".to_owned();
    for (epoch, fork) in ForkName::ALL.into_iter().enumerate().skip(1) {
        yaml.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", fork.as_str().to_uppercase()));
    }
    Spec::from_yaml(&yaml, None).unwrap()
}

/// A slot of a fork.
pub fn slot_of(fork: ForkName) -> Slot {
    Slot(fork as u64 * 8 + 3)
}

/// A block of a fork with blobs, where the fork has them.
pub fn contents(spec: &'static Spec, fork: ForkName) -> BlockContents {
    let ctx = spec.ctx(fork);
    let mut contents = BlockContents::new_default(ctx);
    contents.block.slot = slot_of(fork);
    contents.block.proposer_index = 5.into();
    if BlockContents::are_used_in(fork) {
        let proofs = if fork >= ForkName::Fulu { spec.preset.cells_per_ext_blob } else { 1 };
        contents.block.body.blob_kzg_commitments = vec![FixedBytes([0xc0; 48]); 2];
        contents.blobs = vec![Bytes(vec![1; 131_072]), Bytes(vec![2; 131_072])];
        contents.kzg_proofs = vec![FixedBytes([3; 48]); 2 * proofs as usize];
    }
    contents
}

impl Fake {
    /// A server of such a node, and a client of it.
    pub async fn start() -> (Arc<Self>, Client, watch::Sender<bool>) {
        let fake = Arc::new(Self { spec: spec(), memory: Mutex::default(), events: broadcast::channel(8).0 });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = ServerConfig { address, allow_any_origin: false };
        let server = Server::bind(&config, fake.clone()).await.unwrap();
        let client = Client::new(&format!("http://{}", server.address().unwrap()));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server.run(stopped));
        (fake, client, stop)
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    fn found<T>(&self, value: T) -> Found<T> {
        Found { value, finalized: false, execution_optimistic: self.memory().optimistic }
    }

    fn failures(&self) -> Vec<Failure> {
        let refuse = self.memory().refuse.clone();
        refuse.into_iter().map(|index| Failure { index, message: "refused".into() }).collect()
    }

    fn head_found(&self) -> FoundBlock {
        let head = self.memory().head.clone();
        let fork = self.spec.fork_name_at_slot(head.message.slot);
        let root = head.message.hash_tree_root(self.spec.ctx(fork));
        self.found((BlockPlace { root, fork, canonical: true }, Arc::new(head)))
    }
}

fn now<'a, T: Send + 'a>(answer: T) -> Reply<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

fn nothing<'a, T: Send + 'a>() -> Reply<'a, T> {
    Box::pin(std::future::ready(Err(ApiError::not_found("this node has no such thing"))))
}

impl Backend for Fake {
    fn spec(&self) -> &'static Spec {
        self.spec
    }
    fn deposit_snapshot(&self) -> Option<DepositTreeSnapshot> {
        self.memory().deposits.clone()
    }
    fn genesis(&self) -> Genesis {
        Genesis {
            genesis_time: 1,
            genesis_validators_root: Root::ZERO,
            genesis_fork_version: self.spec.config.genesis_fork_version,
        }
    }
    fn version(&self) -> String {
        "fake/1".into()
    }
    fn current_slot(&self) -> Slot {
        self.memory().now
    }
    fn syncing(&self) -> Syncing {
        let memory = self.memory();
        Syncing {
            head_slot: memory.now,
            sync_distance: 0,
            is_syncing: false,
            is_optimistic: memory.optimistic,
            el_offline: memory.optimistic,
        }
    }
    fn identity(&self) -> Reply<'_, Identity> {
        nothing()
    }
    fn peers(&self) -> Reply<'_, Vec<PeerInfo>> {
        now(Vec::new())
    }
    fn state(&self, _: StateId) -> Reply<'_, Found<Arc<BeaconState>>> {
        now(self.found(Arc::new(BeaconState::empty(self.spec, ForkName::Capella))))
    }
    fn block(&self, _: BlockId) -> Reply<'_, FoundBlock> {
        now(self.head_found())
    }
    fn headers(&self, _: Option<Slot>, _: Option<Root>) -> Reply<'_, Vec<FoundBlock>> {
        now(vec![self.head_found()])
    }
    fn blob_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<BlobSidecar>>>> {
        let sidecars = self.memory().blob_sidecars.iter().cloned().map(Arc::new).collect();
        now(self.found((ForkName::Electra, sidecars)))
    }
    fn blobs(&self, _: BlockId, hashes: Option<Vec<Root>>) -> Reply<'_, FoundData<Vec<Bytes>>> {
        let blobs: Vec<Bytes> = self.memory().contents.blobs.clone();
        let wanted = hashes.map_or(blobs.len(), |hashes| hashes.len());
        now(self.found((ForkName::Fulu, blobs.into_iter().take(wanted).collect())))
    }
    fn data_column_sidecars(&self, _: BlockId) -> Reply<'_, FoundData<Vec<Arc<DataColumnSidecar>>>> {
        let columns = self.memory().columns.iter().cloned().map(Arc::new).collect();
        now(self.found((ForkName::Fulu, columns)))
    }
    fn committees(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<CommitteeInfo>> {
        nothing()
    }
    fn sync_committee(&self, _: Arc<BeaconState>, _: Epoch) -> Reply<'_, Vec<ValidatorIndex>> {
        nothing()
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
    fn aggregate_attestation(
        &self,
        slot: Slot,
        root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Reply<'_, Attestation> {
        self.memory().asked.push((slot, root, committee));
        let aggregate = self.memory().aggregate.clone();
        now(aggregate)
    }
    fn sync_contribution(&self, _: Slot, _: u64, _: Root) -> Reply<'_, SyncCommitteeContribution> {
        nothing()
    }
    fn produce_block(&self, request: BlockRequest) -> Reply<'_, ProducedBlock> {
        let contents = self.memory().contents.clone();
        if contents.block.slot != request.slot {
            return nothing();
        }
        now(ProducedBlock {
            contents,
            execution_payload_value: Uint256::from_decimal("123456789012345678901").unwrap(),
            consensus_block_value: Uint256::from(77),
        })
    }
    fn prepare_beacon_proposer(&self, recipients: Vec<(ValidatorIndex, ExecutionAddress)>) -> Reply<'_, ()> {
        self.memory().recipients = recipients;
        now(())
    }
    fn subscribe_committees(&self, _: Vec<CommitteeSubscription>) -> Reply<'_, ()> {
        now(())
    }
    fn subscribe_sync_committees(&self, _: Vec<SyncSubscription>) -> Reply<'_, ()> {
        now(())
    }
    fn liveness(&self, _: Epoch, _: Vec<ValidatorIndex>) -> Reply<'_, Vec<(ValidatorIndex, bool)>> {
        nothing()
    }
    fn publish_block(&self, contents: SignedBlockContents, validation: BroadcastValidation) -> Reply<'_, ()> {
        self.memory().published.push((contents, validation));
        now(())
    }
    fn publish_attestations(&self, attestations: Vec<Attestation>) -> Reply<'_, Vec<Failure>> {
        self.memory().attestations.extend(attestations);
        now(self.failures())
    }
    fn publish_single_attestations(&self, attestations: Vec<SingleAttestation>) -> Reply<'_, Vec<Failure>> {
        self.memory().single.extend(attestations);
        now(self.failures())
    }
    fn publish_aggregates(&self, aggregates: Vec<SignedAggregateAndProof>) -> Reply<'_, Vec<Failure>> {
        self.memory().aggregates.extend(aggregates);
        now(self.failures())
    }
    fn publish_sync_messages(&self, _: Vec<SyncCommitteeMessage>) -> Reply<'_, Vec<Failure>> {
        nothing()
    }
    fn publish_contributions(&self, _: Vec<SignedContributionAndProof>) -> Reply<'_, Vec<Failure>> {
        nothing()
    }
    fn publish_bls_changes(&self, _: Vec<SignedBLSToExecutionChange>) -> Reply<'_, Vec<Failure>> {
        nothing()
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
        self.memory().pool.clone()
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
        let node = ForkChoiceNode {
            slot: Slot(9),
            block_root: Root::from([1; 32]),
            parent_root: None,
            justified_epoch: Epoch(1),
            finalized_epoch: Epoch(0),
            weight: 5,
            validity: "optimistic",
            execution_block_hash: Root::from([7; 32]),
        };
        ForkChoiceDump {
            justified_checkpoint: Checkpoint::default(),
            finalized_checkpoint: Checkpoint::default(),
            head_root: Root::ZERO,
            proposer_boost_root: Root::ZERO,
            nodes: vec![node],
        }
    }
    fn heads(&self) -> Vec<HeadInfo> {
        let execution_optimistic = self.memory().optimistic;
        vec![HeadInfo { root: Root::ZERO, slot: Slot(9), execution_optimistic }]
    }
    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
