//! A chain with data, a node that lacks it, and peers of all kinds.

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
pub(super) enum Manner {
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

pub(super) const DISHONEST: [Manner; 9] =
    [Withholding, Silent, Foreign, Forged, Unasked, Twice, OtherBranch, OtherSignature, Half];

/// What marks a proof as wrong in these tests.
pub(super) const FORGED: KzgProof = types::FixedBytes([0xbb; 48]);

pub(super) fn spec() -> &'static Spec {
    let epochs = [("ALTAIR", 0), ("BELLATRIX", 0), ("CAPELLA", 0), ("DENEB", 1), ("ELECTRA", 3), ("FULU", 5)];
    let epochs: String = epochs.iter().map(|(fork, epoch)| format!("{fork}_FORK_EPOCH: {epoch}\n")).collect();
    Spec::from_yaml(&format!("PRESET_BASE: 'minimal'\n{epochs}"), None).unwrap()
}

pub(super) struct World {
    pub(super) spec: &'static Spec,
    pub(super) sync: Sync,
    pub(super) now: Time,
    pub(super) current_slot: Slot,
    pub(super) blocks: Vec<Arc<SignedBeaconBlock>>,
    pub(super) data: BTreeMap<Root, Vec<Sidecar>>,
    pub(super) sampled: BTreeSet<u64>,
    pub(super) peers: BTreeMap<PeerId, (Manner, BTreeSet<u64>)>,
    pub(super) known: BTreeSet<Root>,
    pub(super) head: Slot,
    pub(super) charged: Vec<(PeerId, Offence)>,
    pub(super) asked: VecDeque<(RequestId, PeerId, Request)>,
    /// All that was asked.
    pub(super) log: Vec<(PeerId, Request)>,
    /// What came for blocks that wait, by the numbers of its imports.
    pub(super) looked_up: Vec<(ImportId, Vec<Sidecar>)>,
    /// What came of backfills.
    pub(super) backfilled: Vec<(u64, Vec<Sidecar>)>,
}

/// A chain with a block in each slot, with up to three blobs, where its fork has any.
pub(super) fn chain_of(
    spec: &'static Spec,
    slots: u64,
) -> (Vec<Arc<SignedBeaconBlock>>, BTreeMap<Root, Vec<Sidecar>>) {
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
pub(super) fn sidecars_of(spec: &'static Spec, block: &SignedBeaconBlock) -> Vec<Sidecar> {
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
pub(super) fn spoil(manner: Manner, sidecar: &mut Sidecar) {
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

pub(super) fn is_forged(sidecar: &Sidecar) -> bool {
    match sidecar {
        Sidecar::Blob(sidecar) => sidecar.kzg_proof == FORGED,
        Sidecar::Column(sidecar) => sidecar.kzg_proofs.contains(&FORGED),
    }
}

pub(super) fn all() -> BTreeSet<u64> {
    (0..128).collect()
}

impl World {
    /// A chain of so many slots, and a node that samples these columns.
    pub(super) fn new(spec: &'static Spec, slots: u64, sampled: BTreeSet<u64>) -> Self {
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
            backfilled: Vec::new(),
        }
    }

    /// Connects a peer that has these columns.
    pub(super) fn connect(&mut self, peer: u64, manner: Manner, columns: impl IntoIterator<Item = u64>) {
        let columns: BTreeSet<u64> = columns.into_iter().collect();
        self.peers.insert(PeerId(peer), (manner, columns.clone()));
        self.input(Input::Custody(PeerId(peer), columns));
        self.greet(peer);
    }

    pub(super) fn greet(&mut self, peer: u64) {
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

    pub(super) fn input(&mut self, input: Input) {
        self.sync.handle(self.now, input);
        while let Some(output) = self.sync.poll() {
            match output {
                Output::Request(id, peer, request) => {
                    self.log.push((peer, request.clone()));
                    self.asked.push_back((id, peer, request));
                }
                Output::Import(id, blocks, sidecars) => self.import(id, &blocks, &sidecars),
                Output::ImportSidecars(id, sidecars) => self.looked_up.push((id, sidecars)),
                Output::Backfilled(number, sidecars) => self.backfilled.push((number, sidecars)),
                Output::Charge(peer, offence) => self.charged.push((peer, offence)),
                Output::RefreshStatus(peer) => self.greet(peer.0),
                Output::State(_) => {}
            }
        }
    }

    pub(super) fn root_at(&self, slot: u64) -> Root {
        block_root(self.spec, &self.blocks[slot as usize - 1])
    }

    /// Lets the peers answer all that they were asked.
    pub(super) fn pump(&mut self) {
        while let Some((id, peer, request)) = self.asked.pop_front() {
            self.answer(id, peer, &request);
        }
    }

    pub(super) fn answer(&mut self, id: RequestId, peer: PeerId, request: &Request) {
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

    pub(super) fn answer_data(&mut self, id: RequestId, peer: PeerId, request: &Request) {
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
    pub(super) fn data_for(&self, request: &Request) -> Vec<Sidecar> {
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
    pub(super) fn needs(&self, block: &SignedBeaconBlock) -> BTreeSet<u64> {
        let blobs = block.message.body.blob_kzg_commitments.len() as u64;
        match needed(self.spec, block.message.slot, self.current_slot.epoch(self.spec)) {
            _ if blobs == 0 => BTreeSet::new(),
            Needed::Nothing => BTreeSet::new(),
            Needed::Blobs => (0..blobs).collect(),
            Needed::Columns => self.sampled.clone(),
        }
    }

    pub(super) fn judge(&mut self, blocks: &[Arc<SignedBeaconBlock>], sidecars: &[Sidecar]) -> ImportOutcome {
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

    pub(super) fn import(&mut self, id: ImportId, blocks: &[Arc<SignedBeaconBlock>], sidecars: &[Sidecar]) {
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

    pub(super) fn is_done(&self) -> bool {
        self.head == self.current_slot
    }

    /// Lets so many seconds pass, or fewer where that brings the head.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now.after_ms(seconds * 1000);
        self.pump();
        while self.now < end && !self.is_done() {
            self.step(end);
        }
    }

    pub(super) fn step(&mut self, end: Time) {
        let deadline = self.sync.deadline(self.now).unwrap_or(end);
        self.now = deadline.max(self.now.after_ms(1));
        self.input(Input::Tick);
        self.pump();
    }

    pub(super) fn run(&mut self, seconds: u64) {
        self.pass(seconds);
        assert!(self.is_done(), "stuck at slot {} of {}", self.head, self.current_slot);
    }

    pub(super) fn charged_peers(&self) -> BTreeSet<u64> {
        self.charged.iter().map(|(peer, _)| peer.0).collect()
    }
}
