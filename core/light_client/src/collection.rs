//! What a full node keeps ready for light clients.
//!
//! Blocks come with their post-states as they are imported, and each is remembered with the best update of its own
//! chain's period: so a change of the head only has to look up what the new head's chain found best.
//!
//! ```text
//!   block + state ──▶ blocks since finality ──┬─ head ─────▶ best update of each period, newest updates
//!                     (best update so far)    └─ finality ─▶ bootstraps of the epochs' last blocks
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use types::constants::GENESIS_SLOT;
use types::{
    BeaconState, ForkName, LightClientBootstrap, LightClientFinalityUpdate, LightClientHeader,
    LightClientOptimisticUpdate, LightClientUpdate, Root, SignedBeaconBlock, Slot, Spec, SyncAggregate,
};

use crate::create::{
    Attested, NoData, create_light_client_finality_update, create_light_client_optimistic_update,
    has_enough_participants,
};
use crate::header::block_root;
use crate::update::{
    compute_sync_committee_period_at_slot, is_better_update, is_finality_update, is_supermajority,
};

/// The most updates in an answer: `MAX_REQUEST_LIGHT_CLIENT_UPDATES`.
const UPDATES_BY_RANGE_MAX: u64 = 128;

/// How much is kept. Updates of periods need no limit here: those of the time for which blocks must be served are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Blocks since finality, about 3 KB each. When there are more, the oldest is forgotten: later blocks know the best
    /// updates of their chain themselves, but no bootstrap is made of a block that is forgotten before it is final.
    pub blocks: usize,
    /// Bootstraps of finalized blocks, about 2 KB each. When there are more, the oldest goes; it can be made again from
    /// the block and its state.
    pub bootstraps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { blocks: 4096, bootstraps: 8192 }
    }
}

/// A block since finality.
#[derive(Debug)]
struct Known {
    parent: Root,
    sync_aggregate: SyncAggregate,
    /// What the block and its state say once they are signed.
    attested: Attested,
    /// The header of the finalized block in the state, where that is known.
    finalized_header: Option<Arc<LightClientHeader>>,
    /// The best update of the block's period that its chain holds.
    best: Option<Arc<LightClientUpdate>>,
    /// The newest block of its chain, itself included, whose parent enough have signed.
    signed: Option<Root>,
}

/// What is new since the last head, and is to be sent to light clients.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// A block that was not finalized before, or at last with a supermajority.
    pub finality_update: Option<Arc<LightClientFinalityUpdate>>,
    /// A newer block that was signed.
    pub optimistic_update: Option<Arc<LightClientOptimisticUpdate>>,
}

/// Data for light clients. All of it is in the form of the fork at the slot of its (attested) header, which is also the
/// fork of the digest that it is sent with.
#[derive(Debug)]
pub struct LightClientData {
    spec: &'static Spec,
    limits: Limits,
    blocks: BTreeMap<Root, Known>,
    blocks_by_slot: BTreeSet<(Slot, Root)>,
    finalized_slot: Slot,
    bootstraps: BTreeMap<Root, Arc<LightClientBootstrap>>,
    bootstraps_by_slot: BTreeSet<(Slot, Root)>,
    best_updates: BTreeMap<u64, Arc<LightClientUpdate>>,
    finality_update: Option<Arc<LightClientFinalityUpdate>>,
    optimistic_update: Option<Arc<LightClientOptimisticUpdate>>,
    /// The newest finalized block that was told as fresh, and whether a supermajority had signed.
    told_finality: Option<(Slot, bool)>,
    /// The newest attested block that was told as fresh.
    told_optimistic: Option<Slot>,
}

impl LightClientData {
    /// Begins with a finalized block and its post-state: genesis, a checkpoint, or where a restart goes on. Before
    /// Altair it is remembered as final, and nothing is made of it.
    pub fn new(state: &BeaconState, block: &SignedBeaconBlock, limits: Limits) -> Result<Self, NoData> {
        let mut data = Self {
            spec: state.spec(),
            limits,
            blocks: BTreeMap::new(),
            blocks_by_slot: BTreeSet::new(),
            finalized_slot: block.message.slot,
            bootstraps: BTreeMap::new(),
            bootstraps_by_slot: BTreeSet::new(),
            best_updates: BTreeMap::new(),
            finality_update: None,
            optimistic_update: None,
            told_finality: None,
            told_optimistic: None,
        };
        if state.fork_name() >= ForkName::Altair {
            let root = data.insert(state, block)?;
            data.make_bootstrap(&root);
        }
        Ok(data)
    }

    /// Takes an imported block with its post-state; parents come before children. One that is known or older than
    /// finality changes nothing, and neither does one from before Altair.
    pub fn add_block(&mut self, state: &BeaconState, block: &SignedBeaconBlock) -> Result<(), NoData> {
        if state.fork_name() < ForkName::Altair || block.message.slot < self.finalized_slot {
            return Ok(());
        }
        self.insert(state, block).map(|_| ())
    }

    fn insert(&mut self, state: &BeaconState, block: &SignedBeaconBlock) -> Result<Root, NoData> {
        let attested = Attested::of(state, block)?;
        let root = block_root(&attested.header);
        if self.blocks.contains_key(&root) {
            return Ok(root);
        }
        let message = &block.message;
        let parent = self.blocks.get(&message.parent_root);
        let sync_aggregate = message.body.sync_aggregate.clone();
        let is_signed = parent.is_some() && has_enough_participants(self.spec, &sync_aggregate);
        let known = Known {
            parent: message.parent_root,
            finalized_header: self.finalized_header(&attested.finalized_root, parent),
            best: parent.and_then(|parent| self.best_after(parent, &sync_aggregate, message.slot)),
            signed: if is_signed { Some(root) } else { parent.and_then(|parent| parent.signed) },
            sync_aggregate,
            attested,
        };
        self.blocks.insert(root, known);
        self.blocks_by_slot.insert((message.slot, root));
        while self.blocks.len() > self.limits.blocks.max(1) {
            let (_, oldest) = self.blocks_by_slot.pop_first().expect("as many as blocks");
            self.blocks.remove(&oldest);
        }
        Ok(root)
    }

    /// The header of a finalized block: its parent knows it too, if it is the same; else it is a recent block.
    fn finalized_header(&self, root: &Root, parent: Option<&Known>) -> Option<Arc<LightClientHeader>> {
        let of_parent = parent.filter(|parent| parent.attested.finalized_root == *root);
        if let Some(header) = of_parent.and_then(|parent| parent.finalized_header.as_ref()) {
            return Some(header.clone());
        }
        let of_block = self.blocks.get(root).map(|known| &known.attested.header);
        let header = of_block.or_else(|| self.bootstraps.get(root).map(|bootstrap| &bootstrap.header))?;
        // Genesis is finalized as a root of zeros. A checkpoint that names its block by root has no place in an update.
        (header.beacon.slot != GENESIS_SLOT).then(|| Arc::new(header.clone()))
    }

    /// The best update of the period of `signature_slot`, once a block of that slot is on top of `attested`.
    fn best_after(
        &self,
        attested: &Known,
        aggregate: &SyncAggregate,
        signature_slot: Slot,
    ) -> Option<Arc<LightClientUpdate>> {
        let period = |slot| compute_sync_committee_period_at_slot(self.spec, slot);
        if period(attested.attested.slot()) != period(signature_slot) {
            return None;
        }
        let old = attested.best.as_ref();
        if !has_enough_participants(self.spec, aggregate) {
            return old.cloned();
        }
        let new = self.update_of(attested, aggregate, signature_slot);
        let is_better = old.is_none_or(|old| is_better_update(self.spec, &new, old));
        if is_better { Some(Arc::new(new)) } else { old.cloned() }
    }

    fn update_of(&self, known: &Known, aggregate: &SyncAggregate, signature_slot: Slot) -> LightClientUpdate {
        let attested = &known.attested;
        let finalized = if attested.finalized_root.is_zero() {
            Some(attested.genesis_header(self.spec))
        } else {
            known.finalized_header.as_deref().cloned()
        };
        attested.update(self.spec, aggregate.clone(), signature_slot, finalized)
    }

    /// Takes the head that fork choice selects, and the root of the finalized checkpoint in its view. A head that is not
    /// known changes nothing; a finalized block that is not known, or no newer than the last, leaves finality as it is.
    pub fn update_head(&mut self, head: Root, finalized_root: Root) -> Fresh {
        if !self.blocks.contains_key(&head) {
            return Fresh::default();
        }
        self.choose_best_updates(head);
        let latest = self.latest_update(&head);
        let finality = latest.as_ref().filter(|update| is_finality_update(update));
        self.finality_update = finality.map(|update| Arc::new(create_light_client_finality_update(update)));
        self.optimistic_update =
            latest.as_ref().map(|update| Arc::new(create_light_client_optimistic_update(update)));
        let fresh = latest.map(|update| self.fresh(&update)).unwrap_or_default();
        self.finalize(finalized_root);
        fresh
    }

    /// The chain of a block, newest first, as far as it is known.
    fn chain(&self, from: Root) -> impl Iterator<Item = (Root, &Known)> {
        let block = |root: Root| self.blocks.get(&root).map(|known| (root, known));
        std::iter::successors(block(from), move |(_, known)| block(known.parent))
    }

    /// Puts the best updates of the head's chain in the place of those of another chain.
    fn choose_best_updates(&mut self, head: Root) {
        let mut of_chain: BTreeMap<u64, Option<Arc<LightClientUpdate>>> = BTreeMap::new();
        for (_, known) in self.chain(head) {
            let period = compute_sync_committee_period_at_slot(self.spec, known.attested.slot());
            // The newest block of a period knows the best of it.
            of_chain.entry(period).or_insert_with(|| known.best.clone());
        }
        // What lies before the oldest block is final, or was forgotten, and stays as it is.
        let oldest = of_chain.keys().next().copied().unwrap_or(u64::MAX);
        self.best_updates.split_off(&oldest);
        self.best_updates.extend(of_chain.into_iter().filter_map(|(period, best)| Some((period, best?))));
        while self.best_updates.len() as u64 > periods_max(self.spec) {
            self.best_updates.pop_first();
        }
    }

    /// The update of the newest votes on the head's chain.
    fn latest_update(&self, head: &Root) -> Option<LightClientUpdate> {
        let signing = self.blocks.get(&self.blocks.get(head)?.signed?)?;
        let attested = self.blocks.get(&signing.parent)?;
        Some(self.update_of(attested, &signing.sync_aggregate, signing.attested.slot()))
    }

    /// What of the latest updates was not told before.
    fn fresh(&mut self, update: &LightClientUpdate) -> Fresh {
        let mut fresh = Fresh::default();
        let attested = update.attested_header.beacon.slot;
        if self.told_optimistic.is_none_or(|told| attested > told) {
            self.told_optimistic = Some(attested);
            fresh.optimistic_update.clone_from(&self.optimistic_update);
        }
        let finality = (update.finalized_header.beacon.slot, is_supermajority(update));
        // At genesis nothing is final that a client would not know.
        let is_news = is_finality_update(update) && finality.0 > GENESIS_SLOT;
        if is_news && self.told_finality.is_none_or(|told| finality > told) {
            self.told_finality = Some(finality);
            fresh.finality_update.clone_from(&self.finality_update);
        }
        fresh
    }

    /// Makes bootstraps of what is final now, and forgets what lies before it.
    fn finalize(&mut self, root: Root) {
        let Some(slot) = self.blocks.get(&root).map(|known| known.attested.slot()) else { return };
        if slot <= self.finalized_slot {
            return;
        }
        let mut boundaries = Vec::new();
        let mut child_slot = None;
        for (root, known) in self.chain(root) {
            let slot = known.attested.slot();
            if slot <= self.finalized_slot {
                break;
            }
            if child_slot.is_none_or(|child| self.is_epoch_boundary(slot, child)) {
                boundaries.push(root);
            }
            child_slot = Some(slot);
        }
        boundaries.iter().for_each(|root| self.make_bootstrap(root));
        let kept = self.blocks_by_slot.split_off(&(slot, Root::ZERO));
        for (_, root) in std::mem::replace(&mut self.blocks_by_slot, kept) {
            self.blocks.remove(&root);
        }
        self.finalized_slot = slot;
    }

    /// True where an epoch starts at the block or in the empty slots up to its child.
    fn is_epoch_boundary(&self, slot: Slot, child: Slot) -> bool {
        let epoch = slot.epoch(self.spec);
        let start = epoch.start_slot(self.spec);
        start == slot || (epoch + 1).start_slot(self.spec) < child
    }

    fn make_bootstrap(&mut self, root: &Root) {
        let Some(known) = self.blocks.get(root) else { return };
        let slot = known.attested.slot();
        self.bootstraps.insert(*root, Arc::new(known.attested.bootstrap()));
        self.bootstraps_by_slot.insert((slot, *root));
        while self.bootstraps.len() > self.limits.bootstraps.max(1) {
            let (_, oldest) = self.bootstraps_by_slot.pop_first().expect("as many as bootstraps");
            self.bootstraps.remove(&oldest);
        }
    }

    /// Takes back an update that [`LightClientData::best_update`] gave before a restart. It counts where no better one
    /// of its period is known; one whose votes are not of its own period is none of these.
    pub fn restore_best_update(&mut self, update: LightClientUpdate) {
        let period = |slot| compute_sync_committee_period_at_slot(self.spec, slot);
        let of_update = period(update.attested_header.beacon.slot);
        if of_update != period(update.signature_slot) {
            return;
        }
        let update = Arc::new(update);
        let spec = self.spec;
        let is_better =
            |old: Option<&Arc<LightClientUpdate>>| old.is_none_or(|old| is_better_update(spec, &update, old));
        // It is of the chain up to where this began, so that all later blocks of its period are on top of it.
        for known in self.blocks.values_mut() {
            let slot = known.attested.slot();
            let is_of_period = compute_sync_committee_period_at_slot(spec, slot) == of_update;
            if is_of_period && slot >= update.signature_slot && is_better(known.best.as_ref()) {
                known.best = Some(update.clone());
            }
        }
        if is_better(self.best_updates.get(&of_update)) {
            self.best_updates.insert(of_update, update.clone());
        }
    }

    /// The bootstrap of a finalized block at the end of an epoch.
    pub fn bootstrap(&self, block_root: &Root) -> Option<Arc<LightClientBootstrap>> {
        self.bootstraps.get(block_root).cloned()
    }

    /// The best update of a sync committee period on the head's chain.
    pub fn best_update(&self, period: u64) -> Option<Arc<LightClientUpdate>> {
        self.best_updates.get(&period).cloned()
    }

    /// The best updates of up to `count` periods from `start_period` on, and at most 128: from the first one that is
    /// known up to the next gap.
    pub fn updates_by_range(&self, start_period: u64, count: u64) -> Vec<Arc<LightClientUpdate>> {
        let end = start_period.saturating_add(count.min(UPDATES_BY_RANGE_MAX));
        let mut known = self.best_updates.range(start_period..end);
        let Some((first, update)) = known.next() else { return Vec::new() };
        let rest = known.zip(first + 1..).take_while(|((period, _), expected)| *period == expected);
        std::iter::once(update).chain(rest.map(|((_, update), _)| update)).cloned().collect()
    }

    /// The newest finality update of the head's chain.
    pub fn finality_update(&self) -> Option<Arc<LightClientFinalityUpdate>> {
        self.finality_update.clone()
    }

    /// The newest optimistic update of the head's chain.
    pub fn optimistic_update(&self) -> Option<Arc<LightClientOptimisticUpdate>> {
        self.optimistic_update.clone()
    }
}

/// The periods whose updates are kept: those of the epochs for which blocks must be served, the current one, and the
/// one that the oldest of them begins in.
fn periods_max(spec: &Spec) -> u64 {
    let epochs = compute_min_epochs_for_block_requests(spec);
    epochs.div_ceil(spec.preset.epochs_per_sync_committee_period).saturating_add(1)
}

/// [`compute_min_epochs_for_block_requests`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#compute_min_epochs_for_block_requests).
fn compute_min_epochs_for_block_requests(spec: &Spec) -> u64 {
    spec.config.min_validator_withdrawability_delay.saturating_add(spec.config.churn_limit_quotient / 2)
}
