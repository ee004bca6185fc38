//! The machine: routes what happened to range sync and lookups, and lets both ask for more.

use std::collections::VecDeque;
use std::sync::Arc;

use types::{Root, SignedBeaconBlock, Spec, Time};

use crate::batch::{Progress, block_root, follows};
use crate::lookup::{Lookups, Stage};
use crate::peers::Peers;
use crate::range::Range;
use crate::requests::{Open, Purpose, Requests};
use crate::traffic::{
    ChainStatus, ImportId, ImportOutcome, Input, Offence, Output, PeerId, Request, RequestError, RequestId,
    SyncState,
};

/// A status older than this is asked for again.
const STATUS_AGE_SLOTS: u64 = 8;

/// The sync machine; see the crate's documentation.
#[derive(Debug)]
pub struct Sync {
    spec: &'static Spec,
    peers: Peers,
    requests: Requests,
    range: Range,
    lookups: Lookups,
    chain: ChainStatus,
    state: SyncState,
    last_peer: Option<PeerId>,
    batch_import: Option<(ImportId, u64)>,
    next_import: u64,
    next_refresh: Time,
    outputs: VecDeque<Output>,
}

impl Sync {
    /// A machine without peers.
    pub fn new(spec: &'static Spec, chain: ChainStatus) -> Self {
        Self {
            spec,
            peers: Peers::default(),
            requests: Requests::default(),
            range: Range::new(spec),
            lookups: Lookups::default(),
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
            Input::Gone(peer) => self.gone(now, peer),
            Input::Chain(chain) => self.chain = chain,
            Input::Chunk(id, block) => self.chunk(now, id, block),
            Input::Done(id) => {
                if let Some(open) = self.requests.close(id) {
                    self.peers.closed(now, open.peer, true);
                    self.answered(now, open);
                }
            }
            Input::Failed(id, error) => self.failed(now, id, error),
            Input::Decided(id, outcome) => self.decided(id, outcome),
            Input::Want(root, peer) => self.lookups.want(root, peer),
        }
        self.advance(now);
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the machine wants a tick.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        [self.requests.deadline(), self.peers.next_free(now), Some(self.next_refresh)]
            .into_iter()
            .flatten()
            .min()
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

    /// A block of an answer: kept where it fits, else the whole answer is refused.
    fn chunk(&mut self, now: Time, id: RequestId, block: Arc<SignedBeaconBlock>) {
        let Some(open) = self.requests.progress(now, id) else { return };
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
        };
        if fits {
            open.blocks.push(block);
        } else {
            self.failed(now, id, RequestError::Malformed);
        }
    }

    fn failed(&mut self, now: Time, id: RequestId, error: RequestError) {
        let Some(open) = self.requests.close(id) else { return };
        self.peers.closed(now, open.peer, false);
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
        }
    }

    fn answered(&mut self, now: Time, open: Open) {
        match open.purpose {
            Purpose::Batch(number) => {
                if let Some(batch) = self.range.batch(number) {
                    batch.progress = Progress::Ready(open.peer, open.blocks);
                }
            }
            Purpose::Lookup(root) => {
                let import = ImportId(self.next_import);
                let Some(lookup) = self.lookups.get_mut(&root) else { return };
                let Some(block) = open.blocks.into_iter().next() else {
                    lookup.asked.insert(open.peer);
                    lookup.stage = Stage::Waiting;
                    // Not having a block is no offence, but the next peer is asked first.
                    self.peers.closed(now, open.peer, true);
                    return;
                };
                lookup.blocks.push((open.peer, block));
                lookup.stage = Stage::Importing(import);
                self.next_import += 1;
                let blocks = lookup.blocks.iter().rev().map(|(_, block)| block.clone()).collect();
                self.outputs.push_back(Output::Import(import, blocks));
            }
        }
    }

    fn decided(&mut self, id: ImportId, outcome: ImportOutcome) {
        if let Some((import, number)) = self.batch_import
            && import == id
        {
            self.batch_import = None;
            self.batch_decided(number, outcome);
        } else if let Some(root) = self.lookups.importing(id) {
            self.lookup_decided(root, outcome);
        }
    }

    fn batch_decided(&mut self, number: u64, outcome: ImportOutcome) {
        match outcome {
            ImportOutcome::Imported => self.range.imported(number),
            ImportOutcome::UnknownParent => self.range.disconnected(number),
            ImportOutcome::Invalid => {
                if let Some(peer) = self.range.refused(number) {
                    self.outputs.push_back(Output::Charge(peer, Offence::InvalidBlock));
                }
            }
            ImportOutcome::Failed => self.range.clear(),
        }
    }

    fn lookup_decided(&mut self, root: Root, outcome: ImportOutcome) {
        match outcome {
            ImportOutcome::UnknownParent => {
                let Some(lookup) = self.lookups.get_mut(&root) else { return };
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
                    let senders: std::collections::BTreeSet<PeerId> =
                        lookup.blocks.iter().map(|(peer, _)| *peer).collect();
                    let charge = |peer| Output::Charge(peer, Offence::InvalidBlock);
                    self.outputs.extend(senders.into_iter().map(charge));
                }
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
        self.import_batch();
        self.lookups.drop_hopeless();
        self.ask_for_lookups(now);
        self.report(target);
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
        if let Some((number, blocks)) = self.range.next_import() {
            let import = ImportId(self.next_import);
            self.next_import += 1;
            self.batch_import = Some((import, number));
            self.outputs.push_back(Output::Import(import, blocks));
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

    fn send(&mut self, now: Time, peer: PeerId, purpose: Purpose, request: Request) {
        self.last_peer = Some(peer);
        self.peers.opened(peer);
        let id = self.requests.open(now, peer, purpose);
        self.outputs.push_back(Output::Request(id, peer, request));
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
