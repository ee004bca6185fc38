//! A small chain for tests: a real chain machine whose jobs run at once, stored in memory.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use chain::{
    Chain, ChainConfig, Command, CommandId, Evidence, Input, Output, Reply, SegmentId, SegmentOutcome, Start,
    View,
};
use crypto::SecretKey;
use keys::interop_secret_key;
use ssz::SszExt;
use storage::{Database, Identity, Memory, Report};
use transition::accessors::{get_beacon_proposer_index, get_domain};
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::compute_signing_root;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::constants::{DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO};
use types::{
    BeaconBlock, BeaconState, BlsPubkey, BlsSignature, Gwei, Root, SignedBeaconBlock, Slot, Spec, Time,
};

use crate::disk::Disk;
use crate::loads::Loads;

/// When the fixture's chain began, in Unix seconds.
const GENESIS_TIME: u64 = 1_600_000_000;
const VALIDATORS: u64 = 16;

/// A chain, its storage, and the clock.
pub struct World {
    pub spec: &'static Spec,
    pub chain: Chain,
    pub loads: Arc<Loads>,
    pub memory: Memory,
    disk: Disk,
    reports: Receiver<Report>,
    segments: u64,
}

fn genesis(spec: &'static Spec) -> BeaconState {
    let validator = |index| GenesisValidator {
        pubkey: BlsPubkey::from(interop_secret_key(index).public_key().compress()),
        withdrawal_credentials: Root::ZERO,
        amount: Gwei(spec.preset.max_effective_balance),
    };
    let validators: Vec<_> = (0..VALIDATORS).map(validator).collect();
    genesis_of_validators(spec, &validators, GENESIS_TIME, Root::ZERO).unwrap()
}

fn open(memory: &Memory, genesis: &BeaconState) -> Arc<Database> {
    let identity =
        Identity { genesis_validators_root: genesis.genesis_validators_root.0, config_fingerprint: [7; 32] };
    Arc::new(Database::in_memory(memory, &identity).unwrap())
}

fn sign(key: &SecretKey, root: Root) -> BlsSignature {
    BlsSignature::from(key.sign(&root.0).compress())
}

impl World {
    /// A chain at genesis.
    pub fn new() -> Self {
        let spec = Spec::minimal();
        let genesis = genesis(spec);
        let memory = Memory::default();
        let loads = Arc::new(Loads::new(spec, open(&memory, &genesis), Arc::new(genesis)));
        let start = Start::Anchor { state: loads.genesis_state.clone(), block: None };
        Self::start(spec, loads, memory, start)
    }

    /// What a restart finds, at the time of the same slot.
    pub fn restart(self) -> Self {
        let (spec, memory, slot) = (self.spec, self.memory.clone(), self.chain.view().current_slot);
        let genesis = self.loads.genesis_state.clone();
        self.disk.shut_down();
        let loads = Arc::new(Loads::new(spec, open(&memory, &genesis), genesis));
        let snapshot = loads.database.fork_choice().unwrap().expect("a snapshot is stored");
        let start = Start::Restored(crate::node::restored(&loads, snapshot).unwrap());
        let mut world = Self::start(spec, loads, memory, start);
        world.tick(slot);
        world
    }

    fn start(spec: &'static Spec, loads: Arc<Loads>, memory: Memory, start: Start) -> Self {
        let config = ChainConfig { seed: [1; 32], ..ChainConfig::default() };
        let chain = Chain::new(spec, config, start, Time(GENESIS_TIME * 1000)).unwrap();
        let (sender, reports) = channel();
        let report = move |report| sender.send(report).unwrap();
        let disk = Disk::start(spec, loads.database.clone(), Arc::default(), report).unwrap();
        let mut world = Self { spec, chain, loads, memory, disk, reports, segments: 0 };
        world.tick(Slot(0));
        world
    }

    /// What readers see.
    pub fn view(&self) -> Arc<View> {
        self.chain.view().clone()
    }

    /// The middle of a slot.
    fn time(&self, slot: Slot) -> Time {
        let slot_ms = self.spec.config.slot_duration_ms;
        Time(GENESIS_TIME * 1000 + slot.0 * slot_ms + slot_ms / 2)
    }

    /// Lets time pass up to the middle of a slot.
    pub fn tick(&mut self, slot: Slot) {
        self.handle(slot, Input::Tick);
    }

    /// Adds a block on the head in each of these slots, and gives their roots.
    pub fn grow(&mut self, slots: impl IntoIterator<Item = u64>) -> Vec<Root> {
        let slots = slots.into_iter().map(Slot);
        slots.map(|slot| self.add(slot)).collect()
    }

    fn add(&mut self, slot: Slot) -> Root {
        self.tick(slot);
        let block = self.build(slot);
        let root = block.message.hash_tree_root(self.spec.ctx_at_slot(slot));
        let id = SegmentId(self.segments);
        self.segments += 1;
        let outputs =
            self.handle(slot, Input::Segment { id, blocks: vec![Arc::new(block)], sidecars: Vec::new() });
        let imported = Output::SegmentDone(id, SegmentOutcome::Imported { count: 1 });
        let debug: Vec<String> = outputs.iter().map(|output| format!("{output:?}")).collect();
        assert!(debug.contains(&format!("{imported:?}")), "slot {slot}: {debug:?}");
        assert_eq!(self.view().head.root, root);
        root
    }

    /// What is kept of a block on the head in this slot that is signed, and names a wrong state root.
    pub fn refused(&mut self, slot: u64) -> Box<Evidence> {
        let slot = Slot(slot);
        self.tick(slot);
        let mut block = self.build(slot);
        block.message.state_root = Root::from([slot.0 as u8; 32]);
        let domain = get_domain(&self.view().head.state, DOMAIN_BEACON_PROPOSER, slot.epoch(self.spec));
        let signing_root = compute_signing_root(&block.message, self.spec.ctx_at_slot(slot), domain);
        block.signature = sign(&interop_secret_key(block.message.proposer_index.0), signing_root);
        let id = SegmentId(self.segments);
        self.segments += 1;
        let segment = Input::Segment { id, blocks: vec![Arc::new(block)], sidecars: Vec::new() };
        let kept = self.handle(slot, segment).into_iter().find_map(|output| match output {
            Output::Evidence(evidence) => Some(evidence),
            _ => None,
        });
        kept.expect("there is evidence")
    }

    /// A signed block on the head.
    fn build(&self, slot: Slot) -> SignedBeaconBlock {
        let view = self.view();
        let ctx = self.spec.ctx_at_slot(slot);
        let mut state = (*view.head.state).clone();
        process_slots(&mut state, slot).unwrap();
        let proposer_index = get_beacon_proposer_index(&state).unwrap();
        let key = interop_secret_key(proposer_index.0);
        let epoch = slot.epoch(self.spec);
        let mut message = BeaconBlock {
            slot,
            proposer_index,
            parent_root: view.head.root,
            ..BeaconBlock::new_default(ctx)
        };
        let reveal = compute_signing_root(&epoch, ctx, get_domain(&state, DOMAIN_RANDAO, epoch));
        message.body.randao_reveal = sign(&key, reveal);
        message.body.eth1_data = state.eth1_data.clone();
        let unsigned = SignedBeaconBlock { message: message.clone(), ..SignedBeaconBlock::default() };
        let mut post = (*view.head.state).clone();
        state_transition(&mut post, &unsigned, &mut Signatures::Skip, ValidateResult::No).unwrap();
        message.state_root = post.state_root();
        let domain = get_domain(&state, DOMAIN_BEACON_PROPOSER, epoch);
        let signature = sign(&key, compute_signing_root(&message, ctx, domain));
        SignedBeaconBlock { message, signature }
    }

    /// Stores all that a restart wants.
    pub fn flush(&mut self) {
        let slot = self.view().current_slot;
        let outputs = self.handle(slot, Input::Command(CommandId(0), Command::Flush));
        let seq = outputs.iter().find_map(|output| match output {
            Output::Reply(_, Reply::Flushed { seq }) => Some(*seq),
            _ => None,
        });
        self.wait_until_stored(seq.expect("a flush is answered"));
    }

    fn wait_until_stored(&mut self, seq: u64) {
        loop {
            match self.reports.recv_timeout(Duration::from_secs(10)).expect("the disk answers in time") {
                Report::Stored(stored) => {
                    self.chain.handle(self.time(self.view().current_slot), Input::Stored(stored));
                    if stored == seq {
                        return;
                    }
                }
                Report::Fault(fault) => panic!("{fault}"),
            }
        }
    }

    /// Handles an input and all that follows from it; gives the outputs that nobody here consumes.
    fn handle(&mut self, slot: Slot, input: Input) -> Vec<Output> {
        let (now, mut inputs, mut rest) = (self.time(slot), vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            self.chain.handle(now, input);
            while let Some(output) = self.chain.poll() {
                match output {
                    Output::Job(id, _, job) => inputs.push(Input::JobDone(id, job.run())),
                    Output::Store(batch) => self.disk.store(batch).unwrap(),
                    Output::Load(id, key) => inputs.push(Input::Loaded(id, self.loads.load(key))),
                    other => rest.push(other),
                }
            }
        }
        rest
    }
}
