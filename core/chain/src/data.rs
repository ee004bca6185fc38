//! The data of blocks that are not imported yet: what came, what is awaited, and what is done to get it.
//!
//! ```text
//!   block ──▶ expected ──▶ engine: the blobs of its transactions ──▶ Job: sidecars ──┐
//!                 │                                                                    ▼
//!   gossip ───────┼──▶ signature, once for each header ──▶ Job: proofs ──▶ store ──▶ complete ──▶ import
//!   peers ◀─ Want ┘                                          ▲              │
//!     └──────────────────────────────────────────────────────┘              └─ half ──▶ Job: recovery
//! ```
//!
//! A block whose data is not there waits in `Expected::held` until it is, or until its slot is finalized. Peers are
//! asked some time after the block came, again and again with growing pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data_availability::gossip::SeenSidecars;
use data_availability::{Availability, ColumnIndex, Limits, Needed, Progress, Sidecar, needed};
use types::{ForkName, Root, SignedBeaconBlock, Slot, Spec, Time};

use crate::chain::Chain;
use crate::import::Import;
use crate::limits::{EXPECTED_BLOCKS_MAX, RECENT_SIDECARS_BLOCKS_MAX, RECENT_SIDECARS_BYTES_MAX};
use crate::sidecars::Checks;
use crate::{CommandId, GossipId, Output, StoreOp, Want};

/// The longest pause between two requests for the same data is this power of two of the first one.
const PAUSE_DOUBLINGS_MAX: u32 = 5;

type Block = Arc<SignedBeaconBlock>;

/// The data of blocks that are not imported yet.
#[derive(Debug)]
pub(crate) struct Data {
    pub store: Availability,
    pub seen: SeenSidecars,
    pub checks: Checks,
    pub expected: BTreeMap<Root, Expected>,
    /// Made for blocks of the API that are being verified; bounded by the commands.
    pub own: BTreeMap<CommandId, Vec<Sidecar>>,
    /// Verified, of the blocks that a segment's import executes now; bounded by the blocks of one import job.
    pub of_segment: BTreeMap<Root, Vec<Sidecar>>,
}

/// A block whose data is expected: its header's signature is verified.
#[derive(Debug)]
pub(crate) struct Expected {
    pub slot: Slot,
    /// None while only columns of it came.
    pub block: Option<Block>,
    /// The message that brought the block.
    from: Option<GossipId>,
    /// When peers are asked for what is missing.
    fetch_at: Option<Time>,
    fetches: u32,
    pub is_engine_asked: bool,
    /// When what is missing is made from what is there.
    pub recover_at: Option<Time>,
    pub held: Option<Import>,
}

impl Data {
    pub fn new(spec: &'static Spec, custody: BTreeSet<ColumnIndex>) -> Self {
        Self {
            store: Availability::new(spec, custody, Limits::default()),
            seen: SeenSidecars::default(),
            checks: Checks::default(),
            expected: BTreeMap::new(),
            own: BTreeMap::new(),
            of_segment: BTreeMap::new(),
        }
    }

    /// How many blocks wait here, and how many bytes of data.
    pub fn counts(&self) -> (u64, u64) {
        let held = self.expected.values().filter(|expected| expected.held.is_some()).count();
        (held as u64, self.store.held().bytes as u64)
    }

    /// True where a block waits here for its data.
    pub fn is_held(&self, root: &Root) -> bool {
        self.expected.get(root).is_some_and(|expected| expected.held.is_some())
    }

    /// When something here is due.
    pub fn deadline(&self) -> Option<Time> {
        let times = self.expected.values().flat_map(|expected| [expected.fetch_at, expected.recover_at]);
        times.flatten().chain(self.checks.batch_due()).min()
    }
}

impl Chain {
    /// Which data a block must have to be imported now.
    pub(crate) fn data_needed(&self, block: &SignedBeaconBlock) -> Needed {
        if block.message.body.blob_kzg_commitments.is_empty() {
            return Needed::Nothing;
        }
        needed(self.spec, block.message.slot, self.current_epoch())
    }

    /// Expects the data of a block whose proposer's signature is verified.
    pub(crate) fn expect_data(&mut self, root: Root, block: &Block, from: Option<GossipId>) {
        self.data.checks.knows_header(block.message.slot, root, block.signature);
        if self.data_needed(block) == Needed::Nothing || self.fork_choice.contains(&root) {
            return;
        }
        let first_fetch = self.first_fetch(block.message.slot);
        let Some(expected) = self.expected(root, block.message.slot, Some(block)) else { return };
        if expected.block.is_none() {
            expected.block = Some(block.clone());
            expected.from = from;
            expected.fetch_at = Some(first_fetch);
        }
        self.look_after(root);
    }

    /// The place of what is known of a block's data. None where there is no room.
    fn expected(&mut self, root: Root, slot: Slot, block: Option<&Block>) -> Option<&mut Expected> {
        let all = &self.data.expected;
        if !all.contains_key(&root) && all.len() >= EXPECTED_BLOCKS_MAX {
            let rank = |of: &Root, expected: &Expected| (expected.block.is_some(), expected.slot, *of);
            let lowest = all.iter().map(|(of, expected)| rank(of, expected)).min()?;
            self.counters.overflows += 1;
            if (block.is_some(), slot, root) < lowest {
                return None;
            }
            self.give_up_data(&lowest.2, "the data of too many blocks is missing");
        }
        Some(self.data.expected.entry(root).or_insert(Expected {
            slot,
            block: None,
            from: None,
            fetch_at: None,
            fetches: 0,
            is_engine_asked: false,
            recover_at: None,
            held: None,
        }))
    }

    /// How far the data of a block is there.
    pub(crate) fn data_progress(&mut self, root: &Root) -> Progress {
        let progress = self.data.store.progress(root);
        let Some(block) = self.data.expected.get(root).and_then(|expected| expected.block.clone()) else {
            return progress;
        };
        if progress != Progress::NoBlock {
            return progress;
        }
        // It has not been told yet, or it has dropped the block for lack of room.
        let commitments = &block.message.body.blob_kzg_commitments;
        self.data.store.block_arrived(*root, block.message.slot, commitments).unwrap_or(Progress::NoBlock)
    }

    /// Does what the data of a block asks for now: lets the block go on, or looks for what is missing.
    pub(crate) fn look_after(&mut self, root: Root) {
        if !self.data.expected.contains_key(&root) {
            return;
        }
        let progress = self.data_progress(&root);
        if progress != Progress::Complete {
            self.ask_engine_for_blobs(root);
            return self.plan_recovery(root);
        }
        let Some(expected) = self.data.expected.get_mut(&root) else { return };
        (expected.fetch_at, expected.recover_at) = (None, None);
        if expected.fetches > 0 {
            expected.fetches = 0;
            let (slot, from) = (expected.slot, expected.from);
            self.outputs.push_back(Output::Fetch(Want::Sidecars { root, slot, indices: Vec::new(), from }));
        }
        self.let_pass(&root);
    }

    /// Puts a block that waited for its data back in line.
    fn let_pass(&mut self, root: &Root) {
        if let Some(import) = self.data.expected.get_mut(root).and_then(|expected| expected.held.take()) {
            self.import(import);
        }
    }

    /// Takes in verified sidecars of a block.
    pub(crate) fn data_came(&mut self, root: Root, sidecars: &[Sidecar]) {
        self.show_sidecars(root, sidecars);
        if self.fork_choice.contains(&root) {
            return;
        }
        if let Some(first) = sidecars.first() {
            self.expected(root, first.slot(), None);
        }
        self.look_after(root);
    }

    /// Does what is due by now.
    pub(crate) fn look_after_data(&mut self) {
        self.flush_due_sidecars();
        let now = self.now;
        let is_due = |time: Option<Time>| time.is_some_and(|time| time <= now);
        let of = |what: fn(&Expected) -> Option<Time>| {
            let due = self.data.expected.iter().filter(|(_, expected)| is_due(what(expected)));
            due.map(|(root, _)| *root).collect::<Vec<Root>>()
        };
        let (fetches, recoveries) = (of(|expected| expected.fetch_at), of(|expected| expected.recover_at));
        recoveries.into_iter().for_each(|root| self.recover(root));
        fetches.into_iter().for_each(|root| self.fetch_data(root));
    }

    /// When peers are first asked for the data of a block: when gossip should have brought it.
    fn first_fetch(&self, slot: Slot) -> Time {
        let slot_ms = self.spec.config.slot_duration_ms;
        self.start_of(slot).after_ms(slot_ms / 4).max(self.now.after_ms(slot_ms / 24))
    }

    fn fetch_data(&mut self, root: Root) {
        let progress = self.data_progress(&root);
        let pause = self.spec.config.slot_duration_ms / 4;
        let Some(expected) = self.data.expected.get_mut(&root) else { return };
        expected.fetch_at = Some(self.now.after_ms(pause << expected.fetches.min(PAUSE_DOUBLINGS_MAX)));
        expected.fetches += 1;
        let (slot, from) = (expected.slot, expected.from);
        match progress {
            Progress::Missing(indices) => {
                self.outputs.push_back(Output::Fetch(Want::Sidecars { root, slot, indices, from }));
            }
            Progress::Complete => self.look_after(root),
            Progress::NoBlock => {}
        }
    }

    /// Samples other columns from now on.
    pub(crate) fn set_custody(&mut self, custody: BTreeSet<ColumnIndex>) {
        self.config.custody = custody.clone();
        self.data.store.sample(custody);
        let all: Vec<Root> = self.data.expected.keys().copied().collect();
        all.into_iter().for_each(|root| self.look_after(root));
    }

    /// Hands the data of a block that was imported to storage and to readers.
    pub(crate) fn record_data(&mut self, root: Root, slot: Slot) {
        let mut all: BTreeMap<u64, Sidecar> = BTreeMap::new();
        let of_segment = self.data.of_segment.remove(&root).unwrap_or_default();
        for sidecar in self.data.store.take(&root).into_iter().chain(of_segment) {
            if self.keeps(&sidecar) {
                all.insert(sidecar.index(), sidecar);
            }
        }
        self.let_pass(&root);
        self.data.expected.remove(&root);
        if all.is_empty() {
            return;
        }
        let sidecars: Vec<Sidecar> = all.into_values().collect();
        self.show_sidecars(root, &sidecars);
        self.ledger.push(StoreOp::PutSidecars { root, slot, sidecars });
    }

    /// True for blobs, and for columns in custody.
    pub(crate) fn keeps(&self, sidecar: &Sidecar) -> bool {
        match sidecar {
            Sidecar::Blob(_) => true,
            Sidecar::Column(column) => self.config.custody.contains(&column.index),
        }
    }

    /// Adds verified sidecars to what readers see.
    fn show_sidecars(&mut self, root: Root, sidecars: &[Sidecar]) {
        if sidecars.is_empty() {
            return;
        }
        let all = Arc::make_mut(&mut self.recent.sidecars);
        let of_block = all.entry(root).or_default();
        for sidecar in sidecars {
            if let Err(place) = of_block.binary_search_by_key(&sidecar.index(), Sidecar::index) {
                of_block.insert(place, sidecar.clone());
            }
        }
        let size = |of_block: &Vec<Sidecar>| of_block.iter().map(Sidecar::size).sum::<usize>();
        let mut bytes: usize = all.values().map(size).sum();
        while all.len() > RECENT_SIDECARS_BLOCKS_MAX || (bytes > RECENT_SIDECARS_BYTES_MAX && all.len() > 1) {
            let lowest = all.iter().map(|(root, of_block)| (of_block[0].slot(), *root)).min();
            let Some(removed) = lowest.and_then(|(_, root)| all.remove(&root)) else { break };
            bytes -= size(&removed);
        }
        self.published.is_stale = true;
    }

    /// Forgets the data of a block that is invalid.
    pub(crate) fn forget_data(&mut self, root: &Root) {
        self.give_up_data(root, "the block is invalid");
        self.data.store.take(root);
    }

    fn give_up_data(&mut self, root: &Root, why: &str) {
        if let Some(import) = self.data.expected.remove(root).and_then(|expected| expected.held) {
            self.import_failed(import, why.to_owned());
        }
    }

    /// Forgets what is of slots up to the finalized one, and has storage forget what peers may not ask for any more.
    pub(crate) fn prune_data(&mut self) {
        let finalized = self.finalized_slot();
        self.data.store.prune(finalized);
        self.data.seen.prune(finalized);
        self.data.checks.prune(finalized);
        let old = self.data.expected.iter().filter(|(_, expected)| expected.slot <= finalized);
        for root in old.map(|(root, _)| *root).collect::<Vec<Root>>() {
            self.give_up_data(&root, "the slot was finalized before the data came");
        }
        let config = &self.spec.config;
        let kept = config
            .min_epochs_for_blob_sidecars_requests
            .max(config.min_epochs_for_data_column_sidecars_requests);
        let first = self.current_epoch().saturating_sub(kept);
        if first > self.spec.fork_epoch(ForkName::Deneb) {
            self.ledger.push(StoreOp::PruneSidecars { before: first.start_slot(self.spec) });
        }
    }
}
