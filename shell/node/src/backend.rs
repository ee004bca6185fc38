//! The node as the Beacon API sees it: reads come from the published view and from storage, wishes go to the core.

use std::sync::Arc;

use api::{
    Answer, ApiError, AttesterDuty, Backend, BlockId, BlockPlace, BlockRequest, BroadcastValidation,
    CommitteeInfo, CommitteeSubscription, Duties, Failure, ForkChoiceDump, ForkChoiceNode, Found, FoundData,
    Genesis, HeadInfo, Identity, PeerInfo, ProducedBlock, ProposerDuty, Reply, StateId, SyncDuty,
    SyncSubscription, Syncing,
};
use chain::gossip::sync_subcommittee_size;
use chain::{Command, Produced, PublishOutcome, PublishedBlock, View, ViewError};
use deposits::DepositTreeSnapshot;
use execution::Engines;
use fork_choice::ExecutionStatus;
use futures::FutureExt;
use network::{NetworkHandle, Subnet};
use sync::SyncState;
use tokio::sync::{Semaphore, broadcast};
use transition::accessors::committee_cache;
use types::{
    Attestation, AttestationData, AttesterSlashing, BeaconState, BlobSidecar, BlockContents, Bytes,
    CommitteeIndex, DataColumnSidecar, Epoch, ExecutionAddress, ProposerSlashing, Root,
    SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock, SignedBlockContents,
    SignedContributionAndProof, SignedVoluntaryExit, SingleAttestation, Slot, Spec,
    SyncCommitteeContribution, SyncCommitteeMessage, Uint256, ValidatorIndex,
};

use crate::custody::OwnCustody;
use crate::identity::identity;
use crate::loads::Loads;
use crate::lookup::{FoundBlock, Lookup};
use crate::mailbox::{Mailbox, Refused};
use crate::metrics::NodeMetrics;
use crate::outbox::{Outbox, ToNetwork};
use crate::peers::Peers;
use crate::published::Published;
use crate::subnets::Subnets;
use crate::sync_duties::{sync_committee, sync_duties};
use crate::wire_message::subnet_of;
use crate::{clock, execution_state};

/// Reads that may work at once: each may hold a state of its own. Further ones wait for their turn.
const READS_MAX: usize = 8;
/// Reads that may wait or work; above it a request is answered with 503.
const READS_WAITING_MAX: usize = 256;
/// Slots ahead of a duty within which peers of its subnet are looked for.
const DISCOVER_SLOTS: u64 = 64;

/// The node as the Beacon API sees it.
pub struct NodeBackend {
    /// The network's rules.
    pub spec: &'static Spec,
    /// What the core shows.
    pub published: Arc<Published>,
    /// What is stored.
    pub loads: Arc<Loads>,
    /// The way to the core.
    pub mailbox: Mailbox,
    /// The way to the network.
    pub outbox: Outbox,
    /// The network, for questions.
    pub network: NetworkHandle,
    /// Who is connected.
    pub peers: Arc<Peers>,
    /// Which subnets are heard.
    pub subnets: Arc<Subnets>,
    /// Who uses the node, which decides how many columns it keeps.
    pub custody: Arc<OwnCustody>,
    /// The execution engines, where there are any.
    pub engines: Option<Arc<Engines>>,
    /// What the node tells of itself.
    pub metrics: Arc<NodeMetrics>,
    /// Where events come from.
    pub events: broadcast::Sender<api::Event>,
    /// Bounds for reads.
    pub reads: Reads,
}

/// The bounds of reads: how many work, and how many are there at all. Clones share them.
#[derive(Clone)]
pub struct Reads {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Reads {
    fn default() -> Self {
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { working: semaphore(READS_MAX), waiting: semaphore(READS_WAITING_MAX) }
    }
}

impl Reads {
    /// How many wait or work, and as many may.
    pub fn waiting(&self) -> (usize, usize) {
        (READS_WAITING_MAX - self.waiting.available_permits(), READS_WAITING_MAX)
    }
}

fn refused(refused: Refused) -> ApiError {
    ApiError::unavailable(refused.to_string())
}

fn view_error(error: ViewError) -> ApiError {
    match &error {
        ViewError::SlotOutOfRange { .. }
        | ViewError::EpochOutOfRange { .. }
        | ViewError::NoCommittee { .. } => ApiError::bad_request(error.to_string()),
        ViewError::HeadBehind { .. } => ApiError::unavailable(error.to_string()),
        ViewError::Fault(_) => ApiError::internal(error.to_string()),
    }
}

/// The core answered a command with the answer to another one.
fn wrong_reply() -> ApiError {
    ApiError::internal("the chain gave an answer of another kind")
}

impl NodeBackend {
    /// Reads on a blocking thread.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(Lookup) -> Answer<T> + Send + 'static,
    ) -> Reply<'_, T> {
        let lookup = Lookup { view: self.published.view(), loads: self.loads.clone() };
        async move {
            let busy = |_| ApiError::unavailable("too many requests wait");
            let _waiting = self.reads.waiting.try_acquire().map_err(busy)?;
            let permit = self.reads.working.clone().acquire_owned().await;
            let work = move || {
                let answer = read(lookup);
                drop(permit);
                answer
            };
            let done = tokio::task::spawn_blocking(work).await;
            done.unwrap_or_else(|error| Err(ApiError::internal(format!("the request failed: {error}"))))
        }
        .boxed()
    }

    /// Publishes items and tells which failed.
    fn items(&self, command: Command) -> Reply<'_, Vec<Failure>> {
        async move {
            match self.mailbox.command(command).await.map_err(refused)? {
                chain::Reply::Items(failures) => Ok(failures
                    .into_iter()
                    .map(|failure| Failure { index: failure.index, message: failure.message })
                    .collect()),
                _ => Err(wrong_reply()),
            }
        }
        .boxed()
    }

    /// Publishes a single item.
    fn item(&self, command: Command) -> Reply<'_, ()> {
        let items = self.items(command);
        async move {
            match items.await?.into_iter().next() {
                None => Ok(()),
                Some(failure) => Err(ApiError::bad_request(failure.message)),
            }
        }
        .boxed()
    }
}

impl Backend for NodeBackend {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn genesis(&self) -> Genesis {
        let genesis = self.published.view().genesis;
        Genesis {
            genesis_time: genesis.time.0 / 1000,
            genesis_validators_root: genesis.validators_root,
            genesis_fork_version: genesis.fork_version,
        }
    }

    fn version(&self) -> String {
        concat!("Interlock/v", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn status(&self) -> serde_json::Value {
        self.metrics.report()
    }

    fn deposit_snapshot(&self) -> Option<DepositTreeSnapshot> {
        self.published.view().pools.eth1.as_ref()?.tree().get_snapshot()
    }

    fn current_slot(&self) -> Slot {
        clock::slot_at(self.spec, self.published.view().genesis.time, clock::now())
    }

    fn syncing(&self) -> Syncing {
        let view = self.published.view();
        let head_slot = view.head.slot;
        Syncing {
            head_slot,
            sync_distance: self.current_slot().saturating_sub(head_slot).0,
            is_syncing: matches!(self.published.sync(), SyncState::Syncing { .. }),
            is_optimistic: view.head.is_optimistic(),
            el_offline: execution_state::is_offline(self.engines.as_deref(), &view),
        }
    }

    fn identity(&self) -> Reply<'_, Identity> {
        async move { Ok(identity(&self.network, &self.subnets).await) }.boxed()
    }

    fn peers(&self) -> Reply<'_, Vec<PeerInfo>> {
        async move { Ok(self.peers.list()) }.boxed()
    }

    fn state(&self, id: StateId) -> Reply<'_, Found<Arc<BeaconState>>> {
        self.read(move |lookup| lookup.state(id))
    }

    fn block(&self, id: BlockId) -> Reply<'_, Found<(BlockPlace, Arc<SignedBeaconBlock>)>> {
        self.read(move |lookup| lookup.block(id))
    }

    fn headers(&self, slot: Option<Slot>, parent: Option<Root>) -> Reply<'_, Vec<FoundBlock>> {
        self.read(move |lookup| lookup.headers(slot, parent))
    }

    fn blob_sidecars(&self, id: BlockId) -> Reply<'_, FoundData<Vec<Arc<BlobSidecar>>>> {
        self.read(move |lookup| lookup.blob_sidecars(id))
    }

    fn blobs(&self, id: BlockId, versioned_hashes: Option<Vec<Root>>) -> Reply<'_, FoundData<Vec<Bytes>>> {
        self.read(move |lookup| lookup.blobs(id, versioned_hashes.as_deref()))
    }

    fn data_column_sidecars(&self, id: BlockId) -> Reply<'_, FoundData<Vec<Arc<DataColumnSidecar>>>> {
        self.read(move |lookup| lookup.data_column_sidecars(id))
    }

    fn committees(&self, state: Arc<BeaconState>, epoch: Epoch) -> Reply<'_, Vec<CommitteeInfo>> {
        self.read(move |_| committees(&state, epoch))
    }

    fn sync_committee(&self, state: Arc<BeaconState>, epoch: Epoch) -> Reply<'_, Vec<ValidatorIndex>> {
        self.read(move |_| sync_committee(&state, epoch))
    }

    fn sync_duties(&self, epoch: Epoch, validators: Vec<ValidatorIndex>) -> Reply<'_, Vec<SyncDuty>> {
        self.read(move |lookup| {
            let (view, spec) = (&lookup.view, lookup.view.spec);
            let soon = clock::now().after_ms(spec.config.maximum_gossip_clock_disparity);
            sync_duties(view, clock::slot_at(spec, view.genesis.time, soon), epoch, &validators)
        })
    }

    fn proposer_duties(&self, epoch: Epoch) -> Reply<'_, Duties<ProposerDuty>> {
        self.read(move |lookup| {
            let found = lookup.view.proposer_duties(epoch).map_err(view_error)?;
            let duty = |duty: chain::ProposerDuty| ProposerDuty {
                pubkey: duty.pubkey,
                validator_index: duty.validator_index,
                slot: duty.slot,
            };
            let duties = found.duties.into_iter().map(duty).collect();
            Ok(Duties { dependent_root: found.dependent_root, duties })
        })
    }

    fn attester_duties(
        &self,
        epoch: Epoch,
        validators: Vec<ValidatorIndex>,
    ) -> Reply<'_, Duties<AttesterDuty>> {
        self.read(move |lookup| {
            let found = lookup.view.attester_duties(epoch, &validators).map_err(view_error)?;
            let duty = |duty: chain::AttesterDuty| AttesterDuty {
                pubkey: duty.pubkey,
                validator_index: duty.validator_index,
                committee_index: duty.committee_index,
                committee_length: duty.committee_length,
                committees_at_slot: duty.committees_at_slot,
                validator_committee_index: duty.validator_committee_index,
                slot: duty.slot,
            };
            let duties = found.duties.into_iter().map(duty).collect();
            Ok(Duties { dependent_root: found.dependent_root, duties })
        })
    }

    fn attestation_data(&self, slot: Slot) -> Reply<'_, AttestationData> {
        self.read(move |lookup| {
            let data = lookup.view.attestation_data(slot, CommitteeIndex(0)).map_err(view_error)?;
            lookup.refuse_optimistic(&data.beacon_block_root)?;
            Ok(data)
        })
    }

    fn aggregate_attestation(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Reply<'_, Attestation> {
        self.read(move |lookup| {
            let found = lookup.view.aggregate(slot, data_root, committee);
            let found = found.ok_or_else(|| ApiError::not_found("no attestation with that data is known"))?;
            lookup.refuse_optimistic(&found.data.beacon_block_root)?;
            Ok(found)
        })
    }

    fn sync_contribution(
        &self,
        slot: Slot,
        subcommittee: u64,
        root: Root,
    ) -> Reply<'_, SyncCommitteeContribution> {
        self.read(move |lookup| {
            let view = &lookup.view;
            lookup.refuse_optimistic(&root)?;
            let found = view.pools.sync_votes.contribution(view.spec, slot, root, subcommittee);
            found.ok_or_else(|| ApiError::not_found("no vote of the subcommittee for that block is known"))
        })
    }

    fn produce_block(&self, request: BlockRequest) -> Reply<'_, ProducedBlock> {
        let BlockRequest { slot, randao_reveal, graffiti } = request;
        async move {
            let lookup = Lookup { view: self.published.view(), loads: self.loads.clone() };
            lookup.refuse_optimistic(&lookup.view.head.root)?;
            let command = Command::ProduceBlock { slot, randao_reveal, graffiti };
            match self.mailbox.command(command).await.map_err(refused)? {
                chain::Reply::Produced(Ok(produced)) => Ok(produced_block(*produced)),
                chain::Reply::Produced(Err(why)) => Err(ApiError::internal(why)),
                _ => Err(wrong_reply()),
            }
        }
        .boxed()
    }

    fn prepare_beacon_proposer(&self, recipients: Vec<(ValidatorIndex, ExecutionAddress)>) -> Reply<'_, ()> {
        let epoch = self.current_slot().epoch(self.spec);
        self.custody.attach(recipients.iter().map(|(index, _)| *index), epoch);
        self.item(Command::PrepareBeaconProposer(recipients))
    }

    fn subscribe_committees(&self, subscriptions: Vec<CommitteeSubscription>) -> Reply<'_, ()> {
        let now = self.current_slot();
        self.custody.attach(subscriptions.iter().map(|wish| wish.validator_index), now.epoch(self.spec));
        let mut searched = std::collections::BTreeSet::new();
        for wish in subscriptions.iter().filter(|wish| wish.slot >= now && wish.committees_at_slot > 0) {
            let subnet = subnet_of(self.spec, wish);
            // Who only publishes needs peers on the subnet; who aggregates must hear it.
            if wish.is_aggregator {
                self.subnets.want(wish.slot, subnet);
            }
            if wish.slot <= now + DISCOVER_SLOTS && searched.insert(subnet) {
                self.outbox.send(ToNetwork::Discover(Subnet::Attestation(subnet as u8)));
            }
        }
        async move { Ok(()) }.boxed()
    }

    fn subscribe_sync_committees(&self, subscriptions: Vec<SyncSubscription>) -> Reply<'_, ()> {
        let size = sync_subcommittee_size(self.spec).max(1);
        // Members are known for this period and the next; a wish beyond them would only be kept for ever.
        let period = self.spec.preset.epochs_per_sync_committee_period;
        let last = Epoch((self.current_slot().epoch(self.spec).0 / period + 2).saturating_mul(period));
        for wish in &subscriptions {
            for place in &wish.places {
                self.subnets.want_sync(wish.until_epoch.min(last), place / size);
            }
        }
        async move { Ok(()) }.boxed()
    }

    fn liveness(
        &self,
        epoch: Epoch,
        validators: Vec<ValidatorIndex>,
    ) -> Reply<'_, Vec<(ValidatorIndex, bool)>> {
        async move {
            let view = self.published.view();
            let current = self.current_slot().epoch(self.spec);
            if epoch > current + 1 || epoch + 1 < current {
                return Err(ApiError::bad_request(format!(
                    "epoch {epoch} is neither the current epoch {current}, nor the one before or after"
                )));
            }
            Ok(validators.into_iter().map(|index| (index, view.liveness.is_live(epoch, index))).collect())
        }
        .boxed()
    }

    fn publish_block(&self, contents: SignedBlockContents, validation: BroadcastValidation) -> Reply<'_, ()> {
        let SignedBlockContents { signed_block, kzg_proofs, blobs } = contents;
        let published = PublishedBlock { block: Arc::new(signed_block), blobs, kzg_proofs };
        let command = match validation {
            BroadcastValidation::Gossip => Command::PublishBlock(published),
            BroadcastValidation::Consensus | BroadcastValidation::ConsensusAndEquivocation => {
                Command::PublishBlockOnceExecuted(published)
            }
        };
        async move {
            match self.mailbox.command(command).await.map_err(refused)? {
                chain::Reply::Block(PublishOutcome::Imported) => Ok(()),
                chain::Reply::Block(PublishOutcome::BroadcastOnly(why)) => {
                    Err(ApiError { code: 202, message: why, failures: Vec::new() })
                }
                chain::Reply::Block(PublishOutcome::Invalid(why)) => Err(ApiError::bad_request(why)),
                _ => Err(wrong_reply()),
            }
        }
        .boxed()
    }

    fn publish_attestations(&self, attestations: Vec<Attestation>) -> Reply<'_, Vec<Failure>> {
        self.items(Command::PublishAttestations(attestations.into_iter().map(Arc::new).collect()))
    }

    fn publish_single_attestations(&self, attestations: Vec<SingleAttestation>) -> Reply<'_, Vec<Failure>> {
        self.items(Command::PublishSingleAttestations(attestations.into_iter().map(Arc::new).collect()))
    }

    fn publish_aggregates(&self, aggregates: Vec<SignedAggregateAndProof>) -> Reply<'_, Vec<Failure>> {
        self.items(Command::PublishAggregates(aggregates.into_iter().map(Arc::new).collect()))
    }

    fn publish_sync_messages(&self, messages: Vec<SyncCommitteeMessage>) -> Reply<'_, Vec<Failure>> {
        self.items(Command::PublishSyncMessages(messages.into_iter().map(Arc::new).collect()))
    }

    fn publish_contributions(
        &self,
        contributions: Vec<SignedContributionAndProof>,
    ) -> Reply<'_, Vec<Failure>> {
        self.items(Command::PublishContributions(contributions.into_iter().map(Arc::new).collect()))
    }

    fn publish_bls_changes(&self, changes: Vec<SignedBLSToExecutionChange>) -> Reply<'_, Vec<Failure>> {
        self.items(Command::SubmitBlsToExecutionChanges(changes.into_iter().map(Arc::new).collect()))
    }

    fn publish_voluntary_exit(&self, exit: SignedVoluntaryExit) -> Reply<'_, ()> {
        self.item(Command::SubmitVoluntaryExit(Arc::new(exit)))
    }

    fn publish_proposer_slashing(&self, slashing: ProposerSlashing) -> Reply<'_, ()> {
        self.item(Command::SubmitProposerSlashing(Arc::new(slashing)))
    }

    fn publish_attester_slashing(&self, slashing: AttesterSlashing) -> Reply<'_, ()> {
        self.item(Command::SubmitAttesterSlashing(Arc::new(slashing)))
    }

    fn pool_attestations(&self) -> Vec<Attestation> {
        self.published.view().pools.attestations.best(None)
    }

    fn pool_voluntary_exits(&self) -> Vec<SignedVoluntaryExit> {
        self.published.view().pools.operations.exits().map(|exit| (**exit).clone()).collect()
    }

    fn pool_proposer_slashings(&self) -> Vec<ProposerSlashing> {
        let view = self.published.view();
        view.pools.operations.proposer_slashings().map(|slashing| (**slashing).clone()).collect()
    }

    fn pool_attester_slashings(&self) -> Vec<AttesterSlashing> {
        let view = self.published.view();
        view.pools.operations.attester_slashings().map(|slashing| (**slashing).clone()).collect()
    }

    fn pool_bls_changes(&self) -> Vec<SignedBLSToExecutionChange> {
        self.published.view().pools.operations.bls_changes().map(|change| (**change).clone()).collect()
    }

    fn fork_choice(&self) -> ForkChoiceDump {
        fork_choice_dump(&self.published.view())
    }

    fn heads(&self) -> Vec<HeadInfo> {
        let view = self.published.view();
        let leaves = view.fork_choice.nodes.iter().filter(|summary| summary.is_leaf);
        let head = |summary: &chain::NodeSummary| HeadInfo {
            root: summary.node.root,
            slot: summary.node.slot,
            execution_optimistic: summary.node.execution.is_optimistic(),
        };
        leaves.map(head).collect()
    }

    fn events(&self) -> broadcast::Receiver<api::Event> {
        self.events.subscribe()
    }
}

fn produced_block(produced: Produced) -> ProducedBlock {
    let Produced { block, execution_payload_value, blobs_bundle, .. } = produced;
    ProducedBlock {
        contents: BlockContents { block, kzg_proofs: blobs_bundle.proofs, blobs: blobs_bundle.blobs },
        execution_payload_value,
        consensus_block_value: Uint256::default(),
    }
}

fn committees(state: &BeaconState, epoch: Epoch) -> Answer<Vec<CommitteeInfo>> {
    let cache = committee_cache(state, epoch).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let mut found = Vec::new();
    for slot in (0..cache.slots_per_epoch).map(|place| cache.first_slot + place) {
        for index in 0..cache.committees_per_slot {
            let range = cache.range(slot, index).expect("slot and index are the cache's own");
            let validators = cache.shuffling[range].to_vec();
            found.push(CommitteeInfo { index: CommitteeIndex(index), slot, validators });
        }
    }
    Ok(found)
}

fn fork_choice_dump(view: &View) -> ForkChoiceDump {
    let node = |summary: &chain::NodeSummary| ForkChoiceNode {
        slot: summary.node.slot,
        block_root: summary.node.root,
        parent_root: summary.parent,
        justified_epoch: summary.node.justified.epoch,
        finalized_epoch: summary.node.finalized.epoch,
        weight: summary.weight.0,
        validity: match summary.node.execution {
            ExecutionStatus::Irrelevant | ExecutionStatus::Valid { .. } => "valid",
            ExecutionStatus::NotValidated { .. } => "optimistic",
            ExecutionStatus::Invalidated { .. } => "invalid",
        },
        execution_block_hash: summary.node.execution.block_hash().unwrap_or(Root::ZERO),
    };
    ForkChoiceDump {
        justified_checkpoint: view.justified.clone(),
        finalized_checkpoint: view.finalized.clone(),
        head_root: view.head.root,
        proposer_boost_root: view.fork_choice.proposer_boost_root,
        nodes: view.fork_choice.nodes.iter().map(node).collect(),
    }
}
