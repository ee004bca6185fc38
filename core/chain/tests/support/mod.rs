//! A chain with everything that a shell gives it, done at once: jobs run inline, the disk is a few maps.

// Each test uses a part of it.
#![allow(dead_code)]

pub mod engine;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::engine::BlobsBundle;
use chain::{
    Chain, ChainConfig, Command, CommandId, Event, Evidence, GossipId, GossipMessage, Input, Job, JobResult,
    LoadKey, Loaded, LoadedState, Output, PublishedBlock, Reply, SegmentId, SegmentOutcome, SidecarsId,
    SidecarsOutcome, Start, StoreBatch, StoreOp, StoredStart, Verdict, Want,
};
use crypto::{SecretKey, hash_concat};
use data_availability::Sidecar;
use keys::interop_secret_key;
use transition::accessors::get_domain;
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::compute_signing_root;
use types::constants::{
    DOMAIN_AGGREGATE_AND_PROOF, DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO,
    DOMAIN_SELECTION_PROOF,
};
use types::{
    AggregateAndProof, Attestation, BeaconBlock, BeaconState, Bits, BlsSignature, Checkpoint, CommitteeIndex,
    Config, Epoch, FixedBytes, Gwei, Root, Settings, SignedAggregateAndProof, SignedBeaconBlock, Slot, Spec,
    SszExt, Time, ValidatorIndex,
};

use self::engine::TestEngine;

pub const VALIDATORS: u64 = 64;
const GENESIS_TIME: u64 = 1_600_000_000;
/// The block of the execution chain that the network begins with.
pub const ETH1_HASH: Root = FixedBytes([7; 32]);

thread_local! {
    /// The network of this test, which runs on a thread of its own.
    static SPEC: Cell<&'static Spec> = Cell::new(Spec::minimal());
    /// What nodes of this test take for a large registry.
    pub static LARGE_REGISTRY: Cell<Option<usize>> = const { Cell::new(None) };
    /// The columns that nodes of this test keep.
    static CUSTODY: Cell<BTreeSet<u64>> = const { Cell::new(BTreeSet::new()) };
}

pub fn spec() -> &'static Spec {
    SPEC.get()
}

/// The minimal preset with forks from these epochs on.
pub fn spec_of_forks(forks: &[(&str, u64)], others: &[(&str, u64)]) -> &'static Spec {
    let mut settings = Settings::parse(Config::MINIMAL_YAML).unwrap();
    forks.iter().for_each(|(fork, epoch)| settings.set(&format!("{fork}_FORK_EPOCH"), epoch));
    others.iter().for_each(|(key, value)| settings.set(key, value));
    Spec::from_settings(settings, None).unwrap()
}

/// The minimal preset with another value for a key.
pub fn spec_with(key: &str, value: u64) -> &'static Spec {
    let mut settings = Settings::parse(Config::MINIMAL_YAML).unwrap();
    settings.set(key, value);
    Spec::from_settings(settings, None).unwrap()
}

pub fn genesis() -> Arc<BeaconState> {
    let validator = |index| GenesisValidator {
        pubkey: FixedBytes(interop_secret_key(index).public_key().compress()),
        withdrawal_credentials: FixedBytes([1; 32]),
        amount: Gwei(32_000_000_000),
    };
    let validators: Vec<_> = (0..VALIDATORS).map(validator).collect();
    Arc::new(genesis_of_validators(spec(), &validators, GENESIS_TIME, ETH1_HASH).unwrap())
}

/// What a disk holds.
#[derive(Clone, Default)]
pub struct Disk {
    pub blocks: BTreeMap<Root, Arc<SignedBeaconBlock>>,
    pub states: BTreeMap<Root, Arc<BeaconState>>,
    pub canonical: BTreeMap<Slot, Root>,
    pub sidecars: BTreeMap<Root, Vec<Sidecar>>,
    snapshot: Vec<u8>,
    journal: Vec<Root>,
}

impl Disk {
    fn write(&mut self, batch: &StoreBatch) {
        for op in batch.ops.iter().cloned() {
            match op {
                StoreOp::PutBlock { root, block } => drop(self.blocks.insert(root, block)),
                StoreOp::PutState { block_root, state } => drop(self.states.insert(block_root, state)),
                StoreOp::PutSidecars { root, sidecars, .. } => drop(self.sidecars.insert(root, sidecars)),
                StoreOp::PruneSidecars { before } => {
                    self.sidecars.retain(|_, sidecars| sidecars[0].slot() >= before);
                }
                StoreOp::PutSnapshot(bytes) => (self.snapshot, self.journal) = (bytes, Vec::new()),
                StoreOp::AppendJournal(root) => self.journal.push(root),
                StoreOp::Finalize { canonical, .. } => self.canonical.extend(canonical),
                StoreOp::DeleteBlocks(roots) => roots.iter().for_each(|root| drop(self.blocks.remove(root))),
                StoreOp::DeleteStates(roots) => roots.iter().for_each(|root| drop(self.states.remove(root))),
            }
        }
    }

    fn load(&self, root: Root) -> Loaded {
        let (mut at, mut blocks) = (root, Vec::new());
        loop {
            if let Some(state) = self.states.get(&at) {
                // As from a disk: without anything that was computed before.
                let state = BeaconState::decode_at(spec(), state.fork_name(), &state.encoded()).unwrap();
                blocks.reverse();
                return Loaded::State(LoadedState { state: Arc::new(state), block_root: at, blocks });
            }
            let Some(block) = self.blocks.get(&at) else { return Loaded::Missing };
            blocks.push(block.clone());
            at = block.message.parent_root;
        }
    }

    fn blocks_to(&self, last: Root, count: usize) -> Loaded {
        let (mut at, mut blocks) = (last, Vec::new());
        while let Some(block) = self.blocks.get(&at).filter(|_| blocks.len() < count) {
            blocks.push(block.clone());
            at = block.message.parent_root;
        }
        blocks.reverse();
        if blocks.is_empty() { Loaded::Missing } else { Loaded::Blocks(blocks) }
    }

    /// What a restart finds.
    pub fn stored_start(&self) -> StoredStart {
        let needs = StoredStart::needs(&self.snapshot).unwrap();
        let states = needs.into_iter().map(|root| match self.load(root) {
            Loaded::State(state) => (root, state),
            other => panic!("{root}: {other:?}"),
        });
        StoredStart {
            snapshot: self.snapshot.clone(),
            states: states.collect(),
            journal: self.journal.iter().map(|root| self.blocks[root].clone()).collect(),
        }
    }
}

pub struct Node {
    pub chain: Chain,
    pub disk: Disk,
    pub events: Vec<Event>,
    pub verdicts: BTreeMap<GossipId, Verdict>,
    pub replies: BTreeMap<CommandId, Reply>,
    pub segments: BTreeMap<SegmentId, SegmentOutcome>,
    pub published: Vec<GossipMessage>,
    pub wanted: Vec<Root>,
    pub faults: Vec<String>,
    pub evidence: Vec<Evidence>,
    /// Jobs that execute blocks panic.
    pub panics: bool,
    pub engine: TestEngine,
    /// Data that peers were asked for, in order: the block, and which of its blobs or columns.
    pub wanted_data: Vec<(Root, Vec<u64>)>,
    pub lookups: BTreeMap<SidecarsId, SidecarsOutcome>,
    /// The blobs of the block that was built last.
    pub bundle: BlobsBundle,
    next: u64,
}

impl Node {
    pub fn new() -> Self {
        let engine = TestEngine::new(ETH1_HASH);
        Self::begin(Start::Anchor { state: genesis(), block: None }, Disk::default(), at(0, 0), engine)
    }

    /// The first node of a network with other rules than the minimal preset's.
    pub fn of(spec: &'static Spec) -> Self {
        SPEC.set(spec);
        Self::new()
    }

    /// A node of the same network that keeps these columns, as those after it do.
    pub fn keeping(custody: impl IntoIterator<Item = u64>) -> Self {
        CUSTODY.set(custody.into_iter().collect());
        Self::new()
    }

    pub fn restarted(disk: Disk, now: Time) -> Self {
        Self::restarted_with(disk, now, TestEngine::new(ETH1_HASH))
    }

    /// A restart beside an engine that was or was not restarted too.
    pub fn restarted_with(disk: Disk, now: Time, engine: TestEngine) -> Self {
        Self::begin(Start::Restored(disk.stored_start()), disk, now, engine)
    }

    fn begin(start: Start, disk: Disk, now: Time, engine: TestEngine) -> Self {
        let config = ChainConfig {
            seed: [5; 32],
            custody: CUSTODY.take(),
            large_registry: LARGE_REGISTRY.get(),
            ..ChainConfig::default()
        };
        CUSTODY.set(config.custody.clone());
        let mut node = Self {
            chain: Chain::new(spec(), config, start, now).unwrap(),
            disk,
            events: Vec::new(),
            verdicts: BTreeMap::new(),
            replies: BTreeMap::new(),
            segments: BTreeMap::new(),
            published: Vec::new(),
            wanted: Vec::new(),
            faults: Vec::new(),
            evidence: Vec::new(),
            panics: false,
            engine,
            wanted_data: Vec::new(),
            lookups: BTreeMap::new(),
            bundle: BlobsBundle::default(),
            next: 0,
        };
        node.pump(now);
        node
    }

    pub fn handle(&mut self, now: Time, input: Input) {
        self.chain.handle(now, input);
        self.pump(now);
    }

    fn pump(&mut self, now: Time) {
        while let Some(output) = self.chain.poll() {
            match output {
                Output::Verdict(id, verdict) => {
                    assert!(self.verdicts.insert(id, verdict).is_none(), "two verdicts for {id:?}");
                }
                Output::Publish(message) => self.published.push(message),
                Output::Job(id, _, Job::ExecuteBlocks(_)) if self.panics => {
                    let panicked = JobResult::Panicked("index out of bounds".to_owned());
                    self.chain.handle(now, Input::JobDone(id, panicked));
                }
                Output::Job(id, _, job) => self.chain.handle(now, Input::JobDone(id, job.run())),
                Output::Store(batch) => {
                    self.disk.write(&batch);
                    self.chain.handle(now, Input::Stored(batch.seq));
                }
                Output::Load(id, key) => {
                    let loaded = match key {
                        LoadKey::State { block_root } => self.disk.load(block_root),
                        LoadKey::Blocks { last, count } => self.disk.blocks_to(last, count),
                    };
                    self.chain.handle(now, Input::Loaded(id, loaded));
                }
                Output::Fetch(Want::Block { root, .. }) => self.wanted.push(root),
                Output::Fetch(Want::Sidecars { root, indices, .. }) => self.wanted_data.push((root, indices)),
                Output::SidecarsDone(id, outcome) => drop(self.lookups.insert(id, outcome)),
                Output::Engine(id, request) => {
                    let reply = self.engine.answer(&request);
                    self.chain.handle(now, Input::EngineDone(id, reply));
                }
                Output::SegmentDone(id, outcome) => drop(self.segments.insert(id, outcome)),
                Output::Reply(id, reply) => drop(self.replies.insert(id, reply)),
                Output::Event(event) => self.events.push(event),
                Output::Evidence(evidence) => self.evidence.push(*evidence),
                Output::Fault(text) => self.faults.push(text),
            }
        }
    }

    pub fn command(&mut self, now: Time, command: Command) -> Reply {
        self.next += 1;
        let id = CommandId(self.next);
        self.handle(now, Input::Command(id, command));
        // Votes wait a little for others.
        let deadline = self.chain.deadline().max(now);
        if !self.replies.contains_key(&id) {
            self.handle(deadline, Input::Tick);
        }
        self.replies.remove(&id).unwrap()
    }

    pub fn gossip(&mut self, now: Time, message: GossipMessage) -> GossipId {
        self.next += 1;
        let id = GossipId(self.next);
        self.handle(now, Input::Gossip { id, message });
        id
    }

    pub fn segment(&mut self, now: Time, blocks: Vec<Arc<SignedBeaconBlock>>) -> Option<SegmentOutcome> {
        self.segment_with(now, blocks, Vec::new())
    }

    pub fn segment_with(
        &mut self,
        now: Time,
        blocks: Vec<Arc<SignedBeaconBlock>>,
        sidecars: Vec<Sidecar>,
    ) -> Option<SegmentOutcome> {
        self.next += 1;
        let id = SegmentId(self.next);
        self.handle(now, Input::Segment { id, blocks, sidecars });
        self.segments.remove(&id)
    }

    /// Hands over what peers were asked for.
    pub fn lookup(&mut self, now: Time, sidecars: Vec<Sidecar>) -> Option<SidecarsOutcome> {
        self.next += 1;
        let id = SidecarsId(self.next);
        self.handle(now, Input::Sidecars { id, sidecars });
        self.lookups.remove(&id)
    }

    /// Publishes a block with the blobs of the block that was built last.
    pub fn publish(&mut self, now: Time, block: &Arc<SignedBeaconBlock>) -> Reply {
        let BlobsBundle { blobs, proofs, .. } = self.bundle.clone();
        let published = PublishedBlock { block: block.clone(), blobs, kzg_proofs: proofs };
        self.command(now, Command::PublishBlock(published))
    }

    /// A signed block for a slot, built by this node.
    pub fn propose(&mut self, slot: u64) -> Arc<SignedBeaconBlock> {
        let epoch = Slot(slot).epoch(spec());
        let duties = self.chain.view().proposer_duties(epoch).unwrap().duties;
        let proposer = duties.iter().find(|duty| duty.slot == slot).unwrap().validator_index;
        let state = genesis();
        let domain = get_domain(&state, DOMAIN_RANDAO, epoch);
        let randao_reveal = sign(proposer, compute_signing_root(&epoch, types::Ctx::PLAIN, domain));
        let produce = Command::ProduceBlock { slot: Slot(slot), randao_reveal, graffiti: Root::ZERO };
        match self.command(at(slot, 10), produce) {
            Reply::Produced(Ok(produced)) => {
                self.bundle = produced.blobs_bundle;
                Arc::new(signed(produced.block))
            }
            other => panic!("{other:?}"),
        }
    }

    /// The votes of all validators in a slot.
    pub fn attest(&self, slot: u64) -> Vec<Arc<Attestation>> {
        let view = self.chain.view();
        let all: Vec<_> = (0..VALIDATORS).map(ValidatorIndex).collect();
        let duties = view.attester_duties(Slot(slot).epoch(spec()), &all).unwrap().duties;
        let vote = |duty: &chain::AttesterDuty| {
            let data = view.attestation_data(Slot(slot), duty.committee_index).unwrap();
            let domain = get_domain(&view.head.state, DOMAIN_BEACON_ATTESTER, data.target.epoch);
            let signature =
                sign(duty.validator_index, compute_signing_root(&data, types::Ctx::PLAIN, domain));
            let mut aggregation_bits = Bits::zero(duty.committee_length as usize);
            aggregation_bits.set(duty.validator_committee_index as usize, true);
            Arc::new(Attestation { aggregation_bits, data, signature, ..Attestation::default() })
        };
        duties.iter().filter(|duty| duty.slot == slot).map(vote).collect()
    }

    /// What the members of a committee make of the votes that this node has, small committees having aggregators only.
    pub fn aggregates(&self, slot: u64, index: CommitteeIndex) -> Vec<Arc<SignedAggregateAndProof>> {
        let view = self.chain.view();
        let epoch = Slot(slot).epoch(spec());
        let all: Vec<_> = (0..VALIDATORS).map(ValidatorIndex).collect();
        let duties = view.attester_duties(epoch, &all).unwrap().duties;
        let root = view.attestation_data(Slot(slot), index).unwrap().hash_tree_root(types::Ctx::PLAIN);
        let aggregate = view.aggregate(Slot(slot), root, Some(index)).unwrap();
        let signed = |duty: &chain::AttesterDuty| {
            let domain = |kind| get_domain(&view.head.state, kind, epoch);
            let index = duty.validator_index;
            let slot_root =
                compute_signing_root(&Slot(slot), types::Ctx::PLAIN, domain(DOMAIN_SELECTION_PROOF));
            let message = AggregateAndProof {
                aggregator_index: index,
                aggregate: aggregate.clone(),
                selection_proof: sign(index, slot_root),
            };
            let ctx = spec().ctx_at_slot(Slot(slot));
            let root = compute_signing_root(&message, ctx, domain(DOMAIN_AGGREGATE_AND_PROOF));
            Arc::new(SignedAggregateAndProof { signature: sign(index, root), message })
        };
        duties.iter().filter(|duty| duty.slot == slot && duty.committee_index == index).map(signed).collect()
    }

    /// A slot in which all validators do their duties at this node.
    pub fn live(&mut self, slot: u64) -> Arc<SignedBeaconBlock> {
        self.handle(at(slot, 0), Input::Tick);
        let block = self.propose(slot);
        let reply = self.publish(at(slot, 20), &block);
        assert_eq!(reply, Reply::Block(chain::PublishOutcome::Imported));
        let votes = self.attest(slot);
        assert!(!votes.is_empty());
        let reply = self.command(at(slot, 2000), Command::PublishAttestations(votes));
        assert_eq!(reply, Reply::Items(Vec::new()));
        self.handle(at(slot, 5000), Input::Tick);
        block
    }

    pub fn head(&self) -> Root {
        self.chain.view().head.root
    }

    pub fn finalized(&self) -> Checkpoint {
        self.chain.view().finalized.clone()
    }
}

pub fn at(slot: u64, ms: u64) -> Time {
    Time(GENESIS_TIME * 1000).after_ms(slot * spec().config.slot_duration_ms + ms)
}

pub fn key(index: ValidatorIndex) -> SecretKey {
    interop_secret_key(index.0)
}

pub fn sign(index: ValidatorIndex, root: Root) -> BlsSignature {
    FixedBytes(key(index).sign(&root.0).compress())
}

pub fn signed(message: BeaconBlock) -> SignedBeaconBlock {
    let state = genesis();
    let domain = get_domain(&state, DOMAIN_BEACON_PROPOSER, message.slot.epoch(spec()));
    let root = compute_signing_root(&message, spec().ctx_at_slot(message.slot), domain);
    SignedBeaconBlock { signature: sign(message.proposer_index, root), message }
}

pub fn epoch(number: u64) -> Epoch {
    Epoch(number)
}

/// A root that is of nothing.
pub fn nowhere() -> Root {
    FixedBytes(hash_concat(&[9; 32], &[9; 32]))
}
