//! Range sync: which peers are ahead, which slots to ask for, in which order to import.
//!
//! Batches lie in a queue in slot order: the front is imported while those behind it download from other peers.
//! A batch whose blocks do not connect puts what was imported into doubt: an empty answer before it may have been a
//! lie. So the queue is thrown away and rebuilt behind our head, then (next time) from our finalized slot on, and
//! the peers whose answers did not fit come last.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use data_availability::blobs::max_blobs_per_block;
use data_availability::{ColumnIndex, Needed, Sidecar, needed};
use types::constants::BYTES_PER_FIELD_ELEMENT;
use types::{Epoch, ForkName, SignedBeaconBlock, Slot, Spec, Time};

use crate::batch::{Batch, Progress, Served};
use crate::peers::{Peer, Peers};
use crate::traffic::{ChainStatus, PeerId};

/// Batches that are open at once; the rest of the range waits.
pub const BATCHES_MAX: usize = 6;
/// Attempts at one batch before the target is given up.
const ATTEMPTS_MAX: u32 = 10;
/// The most that the data of one batch may take, in bytes: a supernode's batches are shorter for it.
const BATCH_BYTES_MAX: u64 = 64 << 20;
/// A peer so many slots ahead is followed by gossip and lookups alone.
const TOLERANCE_SLOTS: u64 = 4;

/// The range that is being synced.
#[derive(Debug)]
pub struct Range {
    spec: &'static Spec,
    /// How many columns of each block are fetched.
    columns: u64,
    batches: VecDeque<Batch>,
    /// The number of the batch in front; batches are known by number outside.
    front: u64,
    next_start: Slot,
    rewinds: u32,
    /// Peers whose chain did not fit ours, until the target changes.
    distrusted: BTreeSet<PeerId>,
    /// Peers whose batches were empty, since the last import.
    empty_handed: BTreeSet<PeerId>,
}

/// True where a peer's chain is further than ours by more than the tolerance, in slots.
pub fn is_ahead(peer: &Peer, chain: &ChainStatus, tolerance: u64) -> bool {
    let status = &peer.status;
    // A head in the future of our clock is a lie, or our clock is wrong; neither is a target.
    let head = status.head_slot.0.min(chain.current_slot.0);
    status.head_root != chain.head_root
        && (head > chain.head_slot.0 + tolerance || status.finalized_epoch > chain.finalized_epoch + 1)
        && head > 0
}

impl Range {
    /// Nothing to sync yet.
    pub fn new(spec: &'static Spec, columns: &BTreeSet<ColumnIndex>) -> Self {
        Self {
            spec,
            columns: columns.len() as u64,
            batches: VecDeque::new(),
            front: 0,
            next_start: Slot(0),
            rewinds: 0,
            distrusted: BTreeSet::new(),
            empty_handed: BTreeSet::new(),
        }
    }

    /// Other columns of each block are fetched from now on.
    pub fn sample(&mut self, columns: &BTreeSet<ColumnIndex>) {
        self.columns = columns.len() as u64;
    }

    /// Slots in a batch: two epochs.
    fn batch_slots(&self) -> u64 {
        self.spec.preset.slots_per_epoch * 2
    }

    /// Slots in a batch from `start` on: fewer where requests may not ask for so many, or where their data would take
    /// too much memory.
    fn batch_slots_from(&self, start: Slot, current_epoch: Epoch) -> u64 {
        let slots = self.batch_slots();
        let last = Slot(start.0.saturating_add(slots));
        if self.spec.fork_name_at_slot(last) < ForkName::Deneb {
            return slots;
        }
        let blobs = max_blobs_per_block(self.spec, start).max(max_blobs_per_block(self.spec, last));
        let bytes_per_blob = self.spec.preset.field_elements_per_blob * BYTES_PER_FIELD_ELEMENT;
        let bytes = match needed(self.spec, last, current_epoch) {
            Needed::Nothing => 0,
            Needed::Blobs => blobs * bytes_per_blob,
            // Columns are twice as many bytes as blobs.
            Needed::Columns => {
                blobs * bytes_per_blob * 2 * self.columns / self.spec.preset.number_of_columns.max(1)
            }
        };
        let room = BATCH_BYTES_MAX.checked_div(bytes).unwrap_or(u64::MAX);
        slots.min(room).min(self.spec.config.max_request_blocks_deneb).max(1)
    }

    /// The slot to reach: the furthest head among the peers that are ahead; none where nobody is.
    pub fn target(&self, peers: &Peers, chain: &ChainStatus) -> Option<Slot> {
        // What was begun is brought to its end: a tolerance there would leave the last slots open.
        let tolerance = if self.batches.is_empty() { TOLERANCE_SLOTS } else { 0 };
        peers
            .iter()
            .filter(|(id, peer)| is_ahead(peer, chain, tolerance) && !self.distrusted.contains(id))
            .map(|(_, peer)| peer.status.head_slot.min(chain.current_slot))
            .max()
    }

    /// Opens batches up to the target. Does nothing once the queue is full.
    pub fn plan(&mut self, target: Slot, chain: &ChainStatus) {
        if self.batches.is_empty() {
            self.next_start = match self.rewinds {
                0 => chain.head_slot + 1,
                1 => Slot(chain.head_slot.0.saturating_sub(self.batch_slots()) + 1)
                    .max(self.finalized_slot(chain.finalized_epoch) + 1),
                _ => self.finalized_slot(chain.finalized_epoch) + 1,
            };
        }
        while self.batches.len() < BATCHES_MAX && self.next_start <= target {
            let slots = self.batch_slots_from(self.next_start, chain.current_slot.epoch(self.spec));
            let count = slots.min(target.0 - self.next_start.0 + 1);
            self.batches.push_back(Batch::new(self.next_start, count));
            self.next_start += count;
        }
    }

    fn finalized_slot(&self, epoch: Epoch) -> Slot {
        epoch.start_slot(self.spec)
    }

    /// The batch with this number.
    pub fn batch(&mut self, number: u64) -> Option<&mut Batch> {
        let place = number.checked_sub(self.front)?;
        self.batches.get_mut(usize::try_from(place).ok()?)
    }

    /// The numbers of batches to ask for.
    pub fn waiting(&self) -> Vec<u64> {
        let waiting = |(_, batch): &(u64, &Batch)| matches!(batch.progress, Progress::Waiting);
        (self.front..).zip(&self.batches).filter(waiting).map(|(number, _)| number).collect()
    }

    /// The numbers of batches whose data is yet to come.
    pub fn gathering(&self) -> Vec<u64> {
        let gathering = |(_, batch): &(u64, &Batch)| matches!(batch.progress, Progress::Gathering(_));
        (self.front..).zip(&self.batches).filter(gathering).map(|(number, _)| number).collect()
    }

    /// When the next of them ends its pause.
    pub fn next_gathering(&self, now: Time) -> Option<Time> {
        let pauses = self.batches.iter().filter_map(|batch| match &batch.progress {
            Progress::Gathering(served) => Some(served.data.pause_until),
            _ => None,
        });
        pauses.filter(|until| *until > now).min()
    }

    /// Whom to ask for a batch: somebody with its last slot who has not failed at it, else anybody with it.
    pub fn choose(&self, number: u64, peers: &Peers, now: Time, last: Option<PeerId>) -> Option<PeerId> {
        let batch = self.batches.get((number - self.front) as usize)?;
        let has = |id: PeerId, peer: &Peer| {
            peer.status.head_slot >= batch.start
                && peer.status.earliest_available_slot <= batch.start
                && !self.distrusted.contains(&id)
        };
        peers
            .choose(now, last, |id, peer| has(id, peer) && !batch.failed.contains(&id))
            .or_else(|| peers.choose(now, last, has))
    }

    /// Takes the front batch to be imported where it is ready. Empty batches are passed over.
    pub fn next_import(&mut self) -> Option<(u64, Vec<Arc<SignedBeaconBlock>>, Vec<Sidecar>)> {
        while let Some(batch) = self.batches.front_mut() {
            let served = match std::mem::replace(&mut batch.progress, Progress::Waiting) {
                Progress::Ready(served) => served,
                other => {
                    batch.progress = other;
                    return None;
                }
            };
            if served.blocks.is_empty() {
                self.empty_handed.insert(served.peer);
                self.pop_front();
                if self.batches.is_empty() {
                    self.came_to_nothing();
                }
                continue;
            }
            let (blocks, sidecars) = (served.blocks.clone(), served.data.sidecars());
            batch.progress = Progress::Importing(served);
            return Some((self.front, blocks, sidecars));
        }
        None
    }

    /// The front batch is in.
    pub fn imported(&mut self, number: u64) {
        if number == self.front && !self.batches.is_empty() {
            self.pop_front();
            self.rewinds = 0;
            self.empty_handed.clear();
        }
    }

    /// The range up to the target was empty, though a peer claims a head in it. Empty answers cost nothing to
    /// give, so a few of them and their senders are not asked until they send a new status.
    fn came_to_nothing(&mut self) {
        self.rewinds += 1;
        if self.rewinds > 2 {
            self.distrusted.append(&mut self.empty_handed);
            self.rewinds = 0;
        }
    }

    fn pop_front(&mut self) {
        self.batches.pop_front();
        self.front += 1;
    }

    /// The front batch does not connect to what we have: begin again further back. Whoever said that the slots
    /// before it are empty is doubted first; else, once going back to the finalized slot did not help either, the
    /// peer that served it.
    pub fn disconnected(&mut self, number: u64) {
        let Some(Progress::Importing(served)) = self.batch(number).map(|batch| &batch.progress) else {
            return;
        };
        let peer = served.peer;
        self.rewinds += 1;
        if !self.empty_handed.is_empty() {
            self.distrusted.append(&mut self.empty_handed);
        } else if self.rewinds > 2 {
            self.distrusted.insert(peer);
            self.rewinds = 0;
        }
        self.clear();
    }

    /// The front batch held an invalid block.
    pub fn refused(&mut self, number: u64) -> Option<PeerId> {
        let batch = self.batch(number)?;
        let Progress::Importing(Served { peer, .. }) = batch.progress else { return None };
        batch.retry(peer);
        Some(peer)
    }

    /// Gives up the range where a batch was tried too often; the peers that failed it are not asked again.
    pub fn give_up_hopeless(&mut self) {
        let hopeless = self.batches.iter().find(|batch| batch.attempts >= ATTEMPTS_MAX);
        if let Some(batch) = hopeless {
            self.distrusted.extend(batch.failed.iter());
            self.clear();
        }
    }

    /// Forgets the queue.
    pub fn clear(&mut self) {
        self.front += self.batches.len() as u64;
        self.batches.clear();
    }

    /// A new status is a new chance.
    pub fn trust_again(&mut self, peer: PeerId) {
        self.distrusted.remove(&peer);
    }
}
