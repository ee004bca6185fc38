//! The machine: routes what happened to range sync and lookups, and lets both ask for more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use data_availability::ColumnIndex;
use types::{Root, SignedBeaconBlock, Spec, Time};

use crate::backfill::Backfill;
use crate::batch::{Progress, Served, block_root, follows};
use crate::gathering::Gathering;
use crate::lookup::{Lookups, Stage};
use crate::peers::{Lane, Peers};
use crate::range::Range;
use crate::requests::{Open, Purpose, Requests};
use crate::sidecar_lookup::SidecarLookups;
use crate::traffic::{
    ChainStatus, ImportId, ImportOutcome, Input, Offence, Output, PeerId, Request, RequestError, RequestId,
    SyncState,
};

/// A status older than this is asked for again.
const STATUS_AGE_SLOTS: u64 = 8;

/// The sync machine; see the crate's documentation.
#[derive(Debug)]
pub struct Sync {
    pub(crate) spec: &'static Spec,
    /// The columns that this node samples.
    pub(crate) columns: BTreeSet<ColumnIndex>,
    pub(crate) peers: Peers,
    pub(crate) requests: Requests,
    pub(crate) range: Range,
    pub(crate) lookups: Lookups,
    pub(crate) sidecar_lookups: SidecarLookups,
    pub(crate) backfill: Option<Backfill>,
    pub(crate) chain: ChainStatus,
    state: SyncState,
    last_peer: Option<PeerId>,
    batch_import: Option<(ImportId, u64)>,
    next_import: u64,
    next_refresh: Time,
    pub(crate) outputs: VecDeque<Output>,
}

impl Sync {
    /// A machine without peers, of a node that samples these columns since Fulu.
    pub fn new(spec: &'static Spec, chain: ChainStatus, columns: BTreeSet<ColumnIndex>) -> Self {
        Self {
            spec,
            peers: Peers::default(),
            requests: Requests::default(),
            range: Range::new(spec, &columns),
            columns,
            lookups: Lookups::default(),
            sidecar_lookups: SidecarLookups::default(),
            backfill: None,
            chain,
            state: SyncState::Synced,
            last_peer: None,
            batch_import: None,
            next_import: 0,
            next_refresh: Time(0),
            outputs: VecDeque::new(),
        }
    }

    /// How far behind we are.
    pub fn state(&self) -> SyncState {
        self.state
    }

    /// Takes one input; drain [`Sync::poll`] before the next.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Tick => self.tick(now),
            Input::Status(peer, status) => {
                self.peers.update(now, peer, status);
                self.range.trust_again(peer);
            }
            Input::Custody(peer, columns) => self.peers.set_custody(peer, columns),
            Input::Columns(columns) => {
                // Of blocks whose data is being fetched, the chain says what it lacks.
                self.range.sample(&columns);
                self.columns = columns;
            }
            Input::Gone(peer) => self.gone(now, peer),
            Input::Chain(chain) => self.chain = chain,
            // What fits changes no plan, and there may be thousands.
            Input::Chunk(id, block) => {
                if self.chunk(now, id, block) {
                    return;
                }
            }
            Input::Sidecar(id, sidecar) => {
                if self.sidecar(now, id, sidecar) {
                    return;
                }
            }
            Input::Done(id) => {
                if let Some(open) = self.requests.close(id) {
                    self.answered(now, id, open);
                }
            }
            Input::Failed(id, error) => self.failed(now, id, error),
            Input::Decided(id, outcome) => self.decided(now, id, outcome),
            Input::Want(root, peer) => self.lookups.want(root, peer),
            Input::WantSidecars { root, slot, indices, from } => {
                self.sidecar_lookups.want(self.spec, root, slot, &indices, from);
            }
            Input::Backfill { number, blocks, columns } => self.begin_backfill(number, &blocks, &columns),
            Input::BackfillDecided { number, invalid } => self.backfill_decided(number, invalid),
            Input::SidecarsDecided(id, outcome) => self.sidecars_decided(now, id, outcome),
        }
        self.advance(now);
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the machine wants a tick.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let machine = [self.requests.deadline(), self.peers.next_free(now), Some(self.next_refresh)];
        let gatherings = [
            self.range.next_gathering(now),
            self.lookups.next_gathering(now),
            self.sidecar_lookups.next_gathering(now),
            self.next_backfill(now),
        ];
        machine.into_iter().chain(gatherings).flatten().min()
    }

    fn tick(&mut self, now: Time) {
        for id in self.requests.overdue(now) {
            self.failed(now, id, RequestError::Timeout);
        }
        if self.next_refresh <= now {
            let slot_ms = self.spec.config.slot_duration_ms;
            let old = |updated: Time| now.since(updated) >= STATUS_AGE_SLOTS * slot_ms;
            let stale: Vec<PeerId> =
                self.peers.iter().filter(|(_, peer)| old(peer.updated)).map(|(id, _)| id).collect();
            self.outputs.extend(stale.into_iter().map(Output::RefreshStatus));
            self.next_refresh = now.after_ms(STATUS_AGE_SLOTS * slot_ms);
        }
    }

    fn gone(&mut self, now: Time, peer: PeerId) {
        self.peers.remove(peer);
        for id in self.requests.of_peer(peer) {
            self.failed(now, id, RequestError::Disconnected);
        }
    }

    /// A block of an answer: kept where it fits, else the whole answer is refused. True where it fits.
    fn chunk(&mut self, now: Time, id: RequestId, block: Arc<SignedBeaconBlock>) -> bool {
        let Some(open) = self.requests.progress(now, id) else { return true };
        let fits = match open.purpose {
            Purpose::Batch(number) => match self.range.batch(number) {
                Some(batch) => {
                    let range = batch.start.0..batch.start.0 + batch.count;
                    follows(self.spec, open.blocks.last().map(|block| &**block), &block, range)
                }
                None => true,
            },
            Purpose::Lookup(root) => {
                let missing = self.lookups.get_mut(&root).map(|lookup| lookup.missing);
                open.blocks.is_empty()
                    && missing.is_none_or(|missing| missing == block_root(self.spec, &block))
            }
            _ => false,
        };
        if fits {
            open.blocks.push(block);
        } else {
            self.failed(now, id, RequestError::Malformed);
        }
        fits
    }

    pub(crate) fn failed(&mut self, now: Time, id: RequestId, error: RequestError) {
        let Some(open) = self.requests.close(id) else { return };
        self.peers.closed(now, open.peer, open.purpose.lane(), false);
        match error {
            RequestError::Malformed => self.outputs.push_back(Output::Charge(open.peer, Offence::BadAnswer)),
            RequestError::Timeout => self.outputs.push_back(Output::Charge(open.peer, Offence::NoAnswer)),
            RequestError::Refused | RequestError::Disconnected => {}
        }
        match open.purpose {
            Purpose::Batch(number) => {
                if let Some(batch) = self.range.batch(number) {
                    batch.retry(open.peer);
                }
            }
            Purpose::Lookup(root) => {
                if let Some(lookup) = self.lookups.get_mut(&root) {
                    lookup.asked.insert(open.peer);
                    lookup.stage = Stage::Waiting;
                }
            }
            purpose => drop(self.data_ended(id, purpose, open.peer)),
        }
    }

    fn answered(&mut self, now: Time, id: RequestId, open: Open) {
        let lane = open.purpose.lane();
        if open.purpose.is_data() {
            // Not having something is no offence, but others are asked first.
            let is_whole = self.data_ended(id, open.purpose, open.peer);
            self.peers.closed(now, open.peer, lane, is_whole);
            return;
        }
        self.peers.closed(now, open.peer, lane, true);
        self.blocks_came(open);
    }

    fn blocks_came(&mut self, open: Open) {
        match open.purpose {
            Purpose::Batch(number) => {
                let epoch = self.chain.current_slot.epoch(self.spec);
                if let Some(batch) = self.range.batch(number) {
                    let data = Gathering::of_blocks(self.spec, &open.blocks, &self.columns, epoch);
                    let served = Served { peer: open.peer, blocks: open.blocks, data };
                    batch.progress = Progress::Gathering(served);
                }
            }
            Purpose::Lookup(root) => {
                let import = ImportId(self.next_import);
                let Some(lookup) = self.lookups.get_mut(&root) else { return };
                let Some(block) = open.blocks.into_iter().next() else {
                    lookup.asked.insert(open.peer);
                    lookup.stage = Stage::Waiting;
                    return;
                };
                lookup.blocks.push((open.peer, block));
                lookup.stage = Stage::Importing(import);
                self.next_import += 1;
                // The chain may have their data by gossip. What it lacks, it says.
                self.outputs.push_back(Output::Import(import, lookup.segment(), lookup.data.sidecars()));
            }
            _ => {}
        }
    }

    fn decided(&mut self, now: Time, id: ImportId, outcome: ImportOutcome) {
        if let Some((import, number)) = self.batch_import
            && import == id
        {
            self.batch_import = None;
            self.batch_decided(now, number, outcome);
        } else if let Some(root) = self.lookups.importing(id) {
            self.lookup_decided(now, root, outcome);
        }
    }

    fn batch_decided(&mut self, now: Time, number: u64, outcome: ImportOutcome) {
        match outcome {
            ImportOutcome::Imported => self.range.imported(number),
            ImportOutcome::UnknownParent => self.range.disconnected(number),
            ImportOutcome::Invalid => {
                if let Some(peer) = self.range.refused(number) {
                    self.outputs.push_back(Output::Charge(peer, Offence::InvalidBlock));
                }
            }
            ImportOutcome::DataMissing { root, missing } => {
                if let Some(served) = self.range.batch(number).and_then(|batch| batch.gather_again()) {
                    served.data.miss(root, &missing);
                    served.data.end_round(now);
                }
            }
            ImportOutcome::InvalidSidecar { root, index } => {
                let batch = self.range.batch(number);
                let sender = batch.and_then(|batch| batch.gather_again()?.data.reject(root, index));
                self.charge_sidecar(sender);
            }
            ImportOutcome::Failed => self.range.clear(),
        }
    }

    fn lookup_decided(&mut self, now: Time, root: Root, outcome: ImportOutcome) {
        match outcome {
            ImportOutcome::UnknownParent => {
                let finalized = self.chain.finalized_epoch.start_slot(self.spec);
                let Some(lookup) = self.lookups.get_mut(&root) else { return };
                let is_past = |(_, block): &(_, Arc<SignedBeaconBlock>)| block.message.slot <= finalized;
                if lookup.blocks.last().is_some_and(is_past) {
                    // The chain would know it, if it were on the finalized chain.
                    return self.lookups.give_up(&root);
                }
                if let Some((peer, oldest)) = lookup.blocks.last() {
                    // Whoever has a block has its parent.
                    lookup.hint = Some(*peer);
                    lookup.missing = oldest.message.parent_root;
                    lookup.asked.clear();
                    lookup.stage = Stage::Waiting;
                }
            }
            ImportOutcome::Invalid => {
                if let Some(lookup) = self.lookups.remove(&root) {
                    // The root was asked for, so the block is what was wanted; who mentioned it is charged.
                    let senders: BTreeSet<PeerId> = lookup.blocks.iter().map(|(peer, _)| *peer).collect();
                    let charge = |peer| Output::Charge(peer, Offence::InvalidBlock);
                    self.outputs.extend(senders.into_iter().map(charge));
                }
            }
            ImportOutcome::DataMissing { root: of, missing } => self.lookup_lacks(now, root, of, &missing),
            ImportOutcome::InvalidSidecar { root: of, index } => {
                let sender = self.lookups.get_mut(&root).and_then(|lookup| {
                    lookup.stage = Stage::Gathering;
                    lookup.data.reject(of, index)
                });
                self.charge_sidecar(sender);
            }
            ImportOutcome::Imported | ImportOutcome::Failed => {
                self.lookups.remove(&root);
            }
        }
    }

    /// Plans, asks and imports as far as peers allow.
    fn advance(&mut self, now: Time) {
        let target = self.range.target(&self.peers, &self.chain);
        match target {
            Some(target) => self.range.plan(target, &self.chain),
            None if self.batch_import.is_none() => self.range.clear(),
            None => {}
        }
        self.range.give_up_hopeless();
        self.ask_for_batches(now);
        self.gather_for_batches(now);
        self.import_batch();
        self.lookups.drop_hopeless();
        self.ask_for_lookups(now);
        self.gather_for_lookups(now);
        self.gather_sidecars(now);
        self.report(target);
        self.gather_backfill(now);
    }

    fn ask_for_batches(&mut self, now: Time) {
        for number in self.range.waiting() {
            let Some(peer) = self.range.choose(number, &self.peers, now, self.last_peer) else { continue };
            let Some(batch) = self.range.batch(number) else { continue };
            batch.progress = Progress::Downloading;
            batch.attempts += 1;
            let request = Request::BlocksByRange { start: batch.start, count: batch.count };
            self.send(now, peer, Purpose::Batch(number), request);
        }
    }

    fn import_batch(&mut self) {
        if self.batch_import.is_some() {
            return;
        }
        if let Some((number, blocks, sidecars)) = self.range.next_import() {
            let import = self.next_import();
            self.batch_import = Some((import, number));
            self.outputs.push_back(Output::Import(import, blocks, sidecars));
        }
    }

    fn ask_for_lookups(&mut self, now: Time) {
        for root in self.lookups.waiting() {
            let Some(lookup) = self.lookups.get_mut(&root) else { continue };
            let unasked = |peer: PeerId| !lookup.asked.contains(&peer);
            let hinted = lookup.hint.filter(|hint| unasked(*hint));
            let peer = hinted
                .and_then(|hint| self.peers.choose(now, None, |peer, _| peer == hint))
                .or_else(|| self.peers.choose(now, self.last_peer, |peer, _| unasked(peer)));
            let Some(peer) = peer else { continue };
            lookup.stage = Stage::Downloading;
            let request = Request::BlocksByRoot(vec![lookup.missing]);
            self.send(now, peer, Purpose::Lookup(root), request);
        }
    }

    pub(crate) fn send(&mut self, now: Time, peer: PeerId, purpose: Purpose, request: Request) -> RequestId {
        if purpose.lane() == Lane::Blocks {
            self.last_peer = Some(peer);
        }
        self.peers.opened(peer, purpose.lane());
        let id = self.requests.open(now, peer, purpose);
        self.outputs.push_back(Output::Request(id, peer, request));
        id
    }

    /// A number for what is given to the chain.
    pub(crate) fn next_import(&mut self) -> ImportId {
        let id = ImportId(self.next_import);
        self.next_import += 1;
        id
    }

    fn report(&mut self, target: Option<types::Slot>) {
        let state = match target {
            Some(target) => {
                SyncState::Syncing { distance: target.saturating_sub(self.chain.head_slot).0, target }
            }
            None => SyncState::Synced,
        };
        if state != self.state {
            self.state = state;
            self.outputs.push_back(Output::State(state));
        }
    }
}
