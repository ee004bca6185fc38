//! Batches and lookups of blocks with data, against peers that have it, withhold it, or lie about it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use data_availability::blobs::get_blob_sidecars;
use data_availability::columns::get_data_column_sidecars_from_block;
use data_availability::kzg::CellsAndKzgProofs;
use data_availability::{Needed, Sidecar, needed};
use types::{
    BeaconBlock, Bytes, Epoch, ForkName, KzgCommitment, KzgProof, Root, SignedBeaconBlock, Slot, Spec,
    SszExt, Time,
};

use crate::batch::block_root;
use crate::*;

/// What a peer does with requests for data. Blocks it always gives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Honest,
    /// Says that it has nothing.
    Withholding,
    /// Never answers.
    Silent,
    /// Sends what its header does not commit to.
    Foreign,
    /// Sends what only the KZG proofs show to be wrong.
    Forged,
    /// Sends other places than those asked for.
    Unasked,
    /// Sends each twice.
    Twice,
    /// Sends the data of another branch.
    OtherBranch,
    /// Signs headers anew, which only the chain could tell.
    OtherSignature,
    /// Sends half of what it has, and no end.
    Half,
}

use Manner::*;

const DISHONEST: [Manner; 9] =
    [Withholding, Silent, Foreign, Forged, Unasked, Twice, OtherBranch, OtherSignature, Half];

/// What marks a proof as wrong in these tests.
const FORGED: KzgProof = types::FixedBytes([0xbb; 48]);

fn spec() -> &'static Spec {
    let epochs = [("ALTAIR", 0), ("BELLATRIX", 0), ("CAPELLA", 0), ("DENEB", 1), ("ELECTRA", 3), ("FULU", 5)];
    let epochs: String = epochs.iter().map(|(fork, epoch)| format!("{fork}_FORK_EPOCH: {epoch}\n")).collect();
    Spec::from_yaml(&format!("PRESET_BASE: 'minimal'\n{epochs}"), None).unwrap()
}

struct World {
    spec: &'static Spec,
    sync: Sync,
    now: Time,
    current_slot: Slot,
    blocks: Vec<Arc<SignedBeaconBlock>>,
    data: BTreeMap<Root, Vec<Sidecar>>,
    sampled: BTreeSet<u64>,
    peers: BTreeMap<PeerId, (Manner, BTreeSet<u64>)>,
    known: BTreeSet<Root>,
    head: Slot,
    charged: Vec<(PeerId, Offence)>,
    asked: VecDeque<(RequestId, PeerId, Request)>,
    /// All that was asked.
    log: Vec<(PeerId, Request)>,
    /// What came for blocks that wait, by the numbers of its imports.
    looked_up: Vec<(ImportId, Vec<Sidecar>)>,
}

/// A chain with a block in each slot, with up to three blobs, where its fork has any.
fn chain_of(spec: &'static Spec, slots: u64) -> (Vec<Arc<SignedBeaconBlock>>, BTreeMap<Root, Vec<Sidecar>>) {
    let (mut blocks, mut data, mut parent_root) = (Vec::new(), BTreeMap::new(), Root::ZERO);
    for slot in (1..=slots).map(Slot) {
        let (ctx, fork) = (spec.ctx_at_slot(slot), spec.fork_name_at_slot(slot));
        let mut message = BeaconBlock { slot, parent_root, ..BeaconBlock::new_default(ctx) };
        let blobs = if fork >= ForkName::Deneb { slot.0 as usize % 4 } else { 0 };
        message.body.blob_kzg_commitments =
            (0..blobs).map(|blob| KzgCommitment::from([blob as u8 + slot.0 as u8; 48])).collect();
        let block = SignedBeaconBlock { message, signature: Default::default() };
        let root = block_root(spec, &block);
        data.insert(root, sidecars_of(spec, &block));
        parent_root = root;
        blocks.push(Arc::new(block));
    }
    (blocks, data)
}

/// The sidecars of a block, of empty blobs: nothing here looks at those.
fn sidecars_of(spec: &'static Spec, block: &SignedBeaconBlock) -> Vec<Sidecar> {
    let blobs = block.message.body.blob_kzg_commitments.len();
    if blobs == 0 {
        return Vec::new();
    }
    if spec.fork_name_at_slot(block.message.slot) < ForkName::Fulu {
        let made =
            get_blob_sidecars(spec, block, vec![Bytes::default(); blobs], &vec![KzgProof::ZERO; blobs]);
        return made.unwrap().into_iter().map(|sidecar| Sidecar::Blob(Arc::new(sidecar))).collect();
    }
    let row = CellsAndKzgProofs { cells: vec![Bytes::default(); 128], proofs: vec![KzgProof::ZERO; 128] };
    let made = get_data_column_sidecars_from_block(spec, block, &vec![row; blobs]);
    made.unwrap().into_iter().map(|sidecar| Sidecar::Column(Arc::new(sidecar))).collect()
}

/// Changes a sidecar into what a lying peer sends.
fn spoil(manner: Manner, sidecar: &mut Sidecar) {
    match (manner, sidecar) {
        (Foreign, Sidecar::Blob(sidecar)) => {
            Arc::make_mut(sidecar).kzg_commitment_inclusion_proof[0] = Root::from([7; 32]);
        }
        (Foreign, Sidecar::Column(sidecar)) => {
            Arc::make_mut(sidecar).kzg_commitments[0] = KzgCommitment::from([0xcc; 48]);
        }
        (Forged, Sidecar::Blob(sidecar)) => Arc::make_mut(sidecar).kzg_proof = FORGED,
        (Forged, Sidecar::Column(sidecar)) => Arc::make_mut(sidecar).kzg_proofs[0] = FORGED,
        (Unasked, Sidecar::Blob(sidecar)) => Arc::make_mut(sidecar).index += 1,
        (Unasked, Sidecar::Column(sidecar)) => {
            let sidecar = Arc::make_mut(sidecar);
            sidecar.index = (sidecar.index + 64) % 128;
        }
        (OtherSignature, Sidecar::Blob(sidecar)) => {
            Arc::make_mut(sidecar).signed_block_header.signature.0[5] = 9;
        }
        (OtherSignature, Sidecar::Column(sidecar)) => {
            Arc::make_mut(sidecar).signed_block_header.signature.0[5] = 9;
        }
        (OtherBranch, Sidecar::Blob(sidecar)) => {
            Arc::make_mut(sidecar).signed_block_header.message.proposer_index.0 += 1;
        }
        (OtherBranch, Sidecar::Column(sidecar)) => {
            Arc::make_mut(sidecar).signed_block_header.message.proposer_index.0 += 1;
        }
        _ => {}
    }
}

fn is_forged(sidecar: &Sidecar) -> bool {
    match sidecar {
        Sidecar::Blob(sidecar) => sidecar.kzg_proof == FORGED,
        Sidecar::Column(sidecar) => sidecar.kzg_proofs.contains(&FORGED),
    }
}

fn all() -> BTreeSet<u64> {
    (0..128).collect()
}

impl World {
    /// A chain of so many slots, and a node that samples these columns.
    fn new(spec: &'static Spec, slots: u64, sampled: BTreeSet<u64>) -> Self {
        let (blocks, data) = chain_of(spec, slots);
        let current_slot = Slot(slots);
        let chain = ChainStatus { current_slot, ..ChainStatus::default() };
        Self {
            spec,
            sync: Sync::new(spec, chain, sampled.clone()),
            now: Time(1_000_000),
            current_slot,
            blocks,
            data,
            sampled,
            peers: BTreeMap::new(),
            known: BTreeSet::from([Root::ZERO]),
            head: Slot(0),
            charged: Vec::new(),
            asked: VecDeque::new(),
            log: Vec::new(),
            looked_up: Vec::new(),
        }
    }

    /// Connects a peer that has these columns.
    fn connect(&mut self, peer: u64, manner: Manner, columns: impl IntoIterator<Item = u64>) {
        let columns: BTreeSet<u64> = columns.into_iter().collect();
        self.peers.insert(PeerId(peer), (manner, columns.clone()));
        self.input(Input::Custody(PeerId(peer), columns));
        self.greet(peer);
    }

    fn greet(&mut self, peer: u64) {
        let head = self.blocks.last().unwrap();
        let status = Status {
            finalized_root: Root::ZERO,
            finalized_epoch: Epoch(0),
            head_root: block_root(self.spec, head),
            head_slot: head.message.slot,
            earliest_available_slot: Slot(0),
        };
        self.input(Input::Status(PeerId(peer), status));
    }

    fn input(&mut self, input: Input) {
        self.sync.handle(self.now, input);
        while let Some(output) = self.sync.poll() {
            match output {
                Output::Request(id, peer, request) => {
                    self.log.push((peer, request.clone()));
                    self.asked.push_back((id, peer, request));
                }
                Output::Import(id, blocks, sidecars) => self.import(id, &blocks, &sidecars),
                Output::ImportSidecars(id, sidecars) => self.looked_up.push((id, sidecars)),
                Output::Charge(peer, offence) => self.charged.push((peer, offence)),
                Output::RefreshStatus(peer) => self.greet(peer.0),
                Output::State(_) => {}
            }
        }
    }

    fn root_at(&self, slot: u64) -> Root {
        block_root(self.spec, &self.blocks[slot as usize - 1])
    }

    /// Lets the peers answer all that they were asked.
    fn pump(&mut self) {
        while let Some((id, peer, request)) = self.asked.pop_front() {
            self.answer(id, peer, &request);
        }
    }

    fn answer(&mut self, id: RequestId, peer: PeerId, request: &Request) {
        let in_range = |slot: Slot, start: &Slot, count: &u64| (start.0..start.0 + count).contains(&slot.0);
        let blocks: Vec<_> = match request {
            Request::BlocksByRange { start, count } => {
                let wanted = |block: &&Arc<SignedBeaconBlock>| in_range(block.message.slot, start, count);
                self.blocks.iter().filter(wanted).cloned().collect()
            }
            Request::BlocksByRoot(roots) => {
                let wanted = |block: &&Arc<SignedBeaconBlock>| roots.contains(&block_root(self.spec, block));
                self.blocks.iter().filter(wanted).cloned().collect()
            }
            _ => return self.answer_data(id, peer, request),
        };
        for block in blocks {
            self.input(Input::Chunk(id, block));
        }
        self.input(Input::Done(id));
    }

    fn answer_data(&mut self, id: RequestId, peer: PeerId, request: &Request) {
        let (manner, columns) = self.peers[&peer].clone();
        let mut sidecars: Vec<Sidecar> = self.data_for(request);
        sidecars.retain(|sidecar| match sidecar {
            Sidecar::Blob(_) => true,
            Sidecar::Column(sidecar) => columns.contains(&sidecar.index),
        });
        match manner {
            Silent => return,
            Withholding => sidecars.clear(),
            // It does not have the blocks that were named.
            OtherBranch if matches!(request, Request::BlobsByRoot(_) | Request::ColumnsByRoot(_)) => {
                sidecars.clear();
            }
            Half => sidecars.truncate(sidecars.len() / 2),
            Twice => sidecars = sidecars.into_iter().flat_map(|sidecar| [sidecar.clone(), sidecar]).collect(),
            _ => {}
        }
        for mut sidecar in sidecars {
            spoil(manner, &mut sidecar);
            self.input(Input::Sidecar(id, sidecar));
        }
        match manner {
            Half => self.input(Input::Failed(id, RequestError::Timeout)),
            _ => self.input(Input::Done(id)),
        }
    }

    /// What an honest peer with everything answers.
    fn data_for(&self, request: &Request) -> Vec<Sidecar> {
        let all = self.blocks.iter().flat_map(|block| &self.data[&block_root(self.spec, block)]);
        let in_range = |sidecar: &Sidecar, start: &Slot, count: &u64| {
            (start.0..start.0 + count).contains(&sidecar.slot().0)
        };
        let is_blob = |sidecar: &Sidecar| matches!(sidecar, Sidecar::Blob(_));
        let wanted = |sidecar: &&Sidecar| match request {
            Request::BlobsByRange { start, count } => is_blob(sidecar) && in_range(sidecar, start, count),
            Request::BlobsByRoot(blobs) => {
                is_blob(sidecar) && blobs.contains(&(sidecar.block_root(), sidecar.index()))
            }
            Request::ColumnsByRange { start, count, columns } => {
                !is_blob(sidecar) && in_range(sidecar, start, count) && columns.contains(&sidecar.index())
            }
            Request::ColumnsByRoot(blocks) => {
                !is_blob(sidecar)
                    && blocks.iter().any(|(root, columns)| {
                        *root == sidecar.block_root() && columns.contains(&sidecar.index())
                    })
            }
            _ => false,
        };
        all.filter(wanted).cloned().collect()
    }

    /// What of a block's data a chain wants.
    fn needs(&self, block: &SignedBeaconBlock) -> BTreeSet<u64> {
        let blobs = block.message.body.blob_kzg_commitments.len() as u64;
        match needed(self.spec, block.message.slot, self.current_slot.epoch(self.spec)) {
            _ if blobs == 0 => BTreeSet::new(),
            Needed::Nothing => BTreeSet::new(),
            Needed::Blobs => (0..blobs).collect(),
            Needed::Columns => self.sampled.clone(),
        }
    }

    fn judge(&mut self, blocks: &[Arc<SignedBeaconBlock>], sidecars: &[Sidecar]) -> ImportOutcome {
        for block in blocks {
            if !self.known.contains(&block.message.parent_root) {
                return ImportOutcome::UnknownParent;
            }
            let root = block_root(self.spec, block);
            let of_block: Vec<_> = sidecars.iter().filter(|sidecar| sidecar.block_root() == root).collect();
            if let Some(forged) = of_block.iter().find(|sidecar| is_forged(sidecar)) {
                return ImportOutcome::InvalidSidecar { root, index: forged.index() };
            }
            let came: BTreeSet<u64> = of_block.iter().map(|sidecar| sidecar.index()).collect();
            let is_enough = came.len() >= 64 && matches!(of_block[0], Sidecar::Column(_));
            let missing: Vec<u64> = self.needs(block).difference(&came).copied().collect();
            if !missing.is_empty() && !is_enough {
                return ImportOutcome::DataMissing { root, missing };
            }
            self.known.insert(root);
            self.head = self.head.max(block.message.slot);
        }
        ImportOutcome::Imported
    }

    fn import(&mut self, id: ImportId, blocks: &[Arc<SignedBeaconBlock>], sidecars: &[Sidecar]) {
        let outcome = self.judge(blocks, sidecars);
        let head_root = if self.head == 0 { Root::ZERO } else { self.root_at(self.head.0) };
        let chain = ChainStatus {
            head_slot: self.head,
            head_root,
            finalized_epoch: Epoch(0),
            current_slot: self.current_slot,
        };
        self.input(Input::Chain(chain));
        self.input(Input::Decided(id, outcome));
    }

    fn is_done(&self) -> bool {
        self.head == self.current_slot
    }

    /// Lets so many seconds pass, or fewer where that brings the head.
    fn pass(&mut self, seconds: u64) {
        let end = self.now.after_ms(seconds * 1000);
        self.pump();
        while self.now < end && !self.is_done() {
            self.step(end);
        }
    }

    fn step(&mut self, end: Time) {
        let deadline = self.sync.deadline(self.now).unwrap_or(end);
        self.now = deadline.max(self.now.after_ms(1));
        self.input(Input::Tick);
        self.pump();
    }

    fn run(&mut self, seconds: u64) {
        self.pass(seconds);
        assert!(self.is_done(), "stuck at slot {} of {}", self.head, self.current_slot);
    }

    fn charged_peers(&self) -> BTreeSet<u64> {
        self.charged.iter().map(|(peer, _)| peer.0).collect()
    }
}

#[test]
fn batches_bring_the_data_that_their_blocks_need_and_nothing_else() {
    let mut world = World::new(spec(), 64, [3, 9, 77].into());
    for peer in 0..3 {
        world.connect(peer, Honest, all());
    }
    world.run(60);
    assert!(world.charged.is_empty(), "{:?}", world.charged);
    let mut blobs = 0;
    for (_, request) in &world.log {
        match request {
            // Epoch 0 is of Capella; Fulu begins with slot 40.
            Request::BlobsByRange { start, count } => {
                blobs += 1;
                assert!(start.0 >= 8 && start.0 + count <= 40, "{request:?}");
            }
            Request::ColumnsByRange { start, columns, .. } => {
                assert!(*start >= 40 && columns.iter().all(|column| world.sampled.contains(column)));
            }
            Request::BlocksByRange { .. } => {}
            other => panic!("nothing failed, but {other:?}"),
        }
    }
    assert!(blobs > 0);
}

#[test]
fn each_column_is_asked_of_those_who_have_it_and_the_work_goes_round() {
    let mut world = World::new(spec(), 64, all());
    for peer in 0..8 {
        // Each column is at two peers.
        world.connect(peer, Honest, (0..128).filter(|column| [peer, (peer + 1) % 8].contains(&(column % 8))));
    }
    world.run(60);
    let mut loads: BTreeMap<PeerId, usize> = BTreeMap::new();
    for (peer, request) in &world.log {
        if let Request::ColumnsByRange { columns, .. } = request {
            assert!(columns.iter().all(|column| world.peers[peer].1.contains(column)));
            *loads.entry(*peer).or_default() += columns.len();
        }
    }
    assert_eq!(loads.len(), 8);
    let (least, most) = (loads.values().min().unwrap(), loads.values().max().unwrap());
    assert!(most <= &(3 * least), "{loads:?}");
}

#[test]
fn who_withholds_or_is_silent_costs_time_but_not_progress() {
    for manner in [Withholding, Silent, OtherBranch, OtherSignature, Half] {
        let mut world = World::new(spec(), 64, [3, 9, 77].into());
        world.connect(0, manner, all());
        world.connect(1, manner, all());
        world.connect(2, Honest, all());
        world.run(900);
        assert!(!world.charged_peers().contains(&2), "{manner:?}");
        let blamed = world.charged.iter().any(|(_, offence)| *offence != Offence::NoAnswer);
        assert!(!blamed, "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn who_sends_wrong_data_is_charged_and_nobody_else() {
    let offences = [
        (Foreign, Offence::InvalidSidecar),
        (Forged, Offence::InvalidSidecar),
        (Unasked, Offence::BadAnswer),
        (Twice, Offence::BadAnswer),
    ];
    for (manner, offence) in offences {
        let mut world = World::new(spec(), 64, [3, 9, 77].into());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        world.run(900);
        assert!(world.charged.contains(&(PeerId(0), offence)), "{manner:?}: {:?}", world.charged);
        assert_eq!(world.charged_peers(), [0].into(), "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn a_column_that_nobody_has_is_waited_for_and_the_wait_costs_little() {
    let mut world = World::new(spec(), 64, [3, 9, 77].into());
    world.connect(0, Honest, all().into_iter().filter(|column| *column != 9));
    world.pass(600);
    assert!(world.head < 40, "no block is imported without its data");
    assert!(world.log.len() < 60, "{} requests", world.log.len());
    assert!(world.charged.is_empty());
    world.connect(1, Honest, [9]);
    world.run(60);
}

#[test]
fn half_of_the_columns_are_enough_where_nobody_has_the_others() {
    let mut world = World::new(spec(), 64, all());
    world.connect(0, Honest, 0..64);
    world.run(120);
    let mut world = World::new(spec(), 64, all());
    world.connect(0, Honest, 0..63);
    world.pass(120);
    assert!(world.head < 40);
}

#[test]
fn blocks_that_are_older_than_the_window_come_without_data() {
    let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\nCAPELLA_FORK_EPOCH: 0\n\
        DENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 0\nFULU_FORK_EPOCH: 0\n\
        MIN_EPOCHS_FOR_DATA_COLUMN_SIDECARS_REQUESTS: 3\n";
    let mut world = World::new(Spec::from_yaml(text, None).unwrap(), 80, [3].into());
    world.connect(0, Honest, all());
    world.run(60);
    let first = world.log.iter().filter_map(|(_, request)| match request {
        Request::ColumnsByRange { start, .. } => Some(*start),
        _ => None,
    });
    // The present epoch is 10, whose first slot is 80.
    assert!(first.min().unwrap() >= 56);
}

#[test]
fn a_lookup_brings_the_data_that_the_chain_lacks() {
    for manner in [Honest, Withholding, Forged, Foreign] {
        let mut world = World::new(spec(), 50, [3, 9].into());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        // All but the last blocks are known, so range sync sees no gap.
        for slot in 1..=46 {
            let root = world.root_at(slot);
            world.known.insert(root);
        }
        world.head = Slot(46);
        let (root, current_slot) = (world.root_at(46), world.current_slot);
        world.asked.clear();
        world.log.clear();
        let chain =
            ChainStatus { head_slot: Slot(46), head_root: root, finalized_epoch: Epoch(0), current_slot };
        world.sync = Sync::new(world.spec, chain, world.sampled.clone());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        let wanted = world.root_at(50);
        world.input(Input::Want(wanted, Some(PeerId(0))));
        world.run(300);
        let by_root = |request: &Request| matches!(request, Request::ColumnsByRoot(_));
        assert!(world.log.iter().any(|(_, request)| by_root(request)));
        assert_eq!(world.charged_peers().contains(&0), matches!(manner, Forged | Foreign), "{manner:?}");
        assert!(!world.charged_peers().contains(&1));
    }
}

/// A node at the head, and a block that the chain cannot import without data.
fn waiting_world(peers: &[(Manner, BTreeSet<u64>)]) -> (World, Root) {
    let mut world = World::new(spec(), 50, [3, 9, 77].into());
    world.head = world.current_slot;
    let chain = ChainStatus {
        head_slot: Slot(50),
        head_root: world.root_at(50),
        finalized_epoch: Epoch(0),
        current_slot: Slot(50),
    };
    world.input(Input::Chain(chain));
    for (number, (manner, columns)) in peers.iter().enumerate() {
        world.connect(number as u64, *manner, columns.iter().copied());
    }
    let root = world.root_at(50);
    (world, root)
}

impl World {
    /// Answers what was looked up as the chain does; what it took.
    fn decide(&mut self) -> BTreeSet<u64> {
        let mut taken = BTreeSet::new();
        for (id, sidecars) in std::mem::take(&mut self.looked_up) {
            let forged = sidecars.iter().find(|sidecar| is_forged(sidecar));
            let outcome = match forged {
                Some(sidecar) => {
                    SidecarsOutcome::Invalid { root: sidecar.block_root(), index: sidecar.index() }
                }
                None => {
                    taken.extend(sidecars.iter().map(Sidecar::index));
                    SidecarsOutcome::Taken
                }
            };
            self.input(Input::SidecarsDecided(id, outcome));
        }
        taken
    }

    fn look_up(&mut self, seconds: u64) -> BTreeSet<u64> {
        let (end, mut taken) = (self.now.after_ms(seconds * 1000), BTreeSet::new());
        self.pump();
        taken.extend(self.decide());
        self.pump();
        while self.now < end && taken.len() < 3 {
            self.step(end);
            taken.extend(self.decide());
            self.pump();
        }
        taken
    }
}

fn want(root: Root, from: Option<PeerId>) -> Input {
    Input::WantSidecars { root, slot: Slot(50), indices: vec![3, 9, 77], from }
}

#[test]
fn what_a_block_waits_for_is_looked_up_with_those_who_have_it() {
    let (mut world, root) = waiting_world(&[(Honest, [3, 4].into()), (Honest, [9].into()), (Honest, all())]);
    world.input(want(root, Some(PeerId(0))));
    assert_eq!(world.look_up(10), [3, 9, 77].into());
    assert!(
        world.log.contains(&(PeerId(0), Request::ColumnsByRoot(vec![(root, vec![3])]))),
        "{:?}",
        world.log
    );
    assert!(world.charged.is_empty());
    // Nothing more is asked for.
    let asked = world.log.len();
    world.look_up(0);
    world.pass(60);
    assert_eq!(world.log.len(), asked);
}

#[test]
fn the_sender_of_invalid_data_for_a_waiting_block_is_charged_and_others_asked() {
    for manner in DISHONEST {
        let (mut world, root) = waiting_world(&[(manner, all()), (Honest, all())]);
        world.input(want(root, Some(PeerId(0))));
        assert_eq!(world.look_up(300), [3, 9, 77].into(), "{manner:?}");
        assert!(!world.charged_peers().contains(&1), "{manner:?}: {:?}", world.charged);
        let is_blamed = matches!(manner, Foreign | Forged | Unasked | Twice);
        let blamed = world.charged.iter().any(|(_, offence)| *offence != Offence::NoAnswer);
        assert_eq!(blamed, is_blamed, "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn data_that_nobody_gives_is_asked_for_a_bounded_number_of_times() {
    let (mut world, root) = waiting_world(&[(Withholding, all()), (Withholding, all())]);
    world.input(want(root, None));
    assert_eq!(world.look_up(2000), [].into());
    let asked = world.log.len();
    assert!((4..=60).contains(&asked), "{asked}");
    let before = world.log.len();
    world.look_up(1000);
    assert_eq!(world.log.len(), before, "the lookup has ended");
    // Said again, it begins again.
    world.input(want(root, None));
    assert!(world.log.len() > before);
    // And ends where the chain needs nothing any more.
    world.input(Input::WantSidecars { root, slot: Slot(50), indices: vec![], from: None });
    world.pump();
    let before = world.log.len();
    world.look_up(100);
    assert_eq!(world.log.len(), before);
}

#[test]
fn lookups_of_data_are_bounded() {
    let (mut world, _) = waiting_world(&[]);
    for number in 0..1000u64 {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&number.to_be_bytes());
        let slot = Slot(50 + number % 7);
        world.input(Input::WantSidecars { root: Root::from(root), slot, indices: vec![3], from: None });
    }
    world.connect(0, Honest, all());
    world.look_up(60);
    assert!(world.log.len() <= 64 * 13, "{}", world.log.len());
}

#[test]
fn one_honest_peer_with_everything_suffices_whatever_the_others_do() {
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for round in 0..20 {
        let sampled = (0..8).map(|_| draw(128)).collect();
        let mut world = World::new(spec(), 60, sampled);
        let honest = draw(5);
        for peer in 0..5 {
            if peer == honest {
                world.connect(peer, Honest, all());
            } else {
                let manner = DISHONEST[draw(DISHONEST.len() as u64) as usize];
                let step = draw(4) + 1;
                world.connect(peer, manner, (0..128).filter(|column| column % step == 0));
            }
        }
        world.pass(3600);
        // A gap of so few slots is left to gossip and lookups.
        assert!(world.head + 4 >= world.current_slot, "round {round}: stuck at slot {}", world.head);
        assert!(!world.charged_peers().contains(&honest), "round {round}: {:?}", world.charged);
    }
}
