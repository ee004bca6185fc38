//! The data that some blocks need: what is missing, who was asked for it, who sent what.
//!
//! What comes is checked one by one (asked for, of the block, commitments, inclusion proof) and kept even where the rest
//! of the answer fails. The KZG proofs are the chain's to verify, on its workers; until then the sender is remembered.
//!
//! A peer that did not send what it should have is passed over until everybody else was asked: that ends a *round*. The
//! next one begins after a pause that doubles, since data may only be late.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use data_availability::{ColumnIndex, Needed, Sidecar, needed};
use types::{Epoch, Root, SignedBeaconBlock, Slot, Spec, Time};

use crate::batch::block_root;
use crate::traffic::{PeerId, RequestId};

/// The pause after a first round, doubled with each.
const PAUSE_MS: u64 = 500;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 30_000;

/// Which of the two kinds of data a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Until Electra.
    Blobs,
    /// Since Fulu.
    Columns,
}

/// A block, as far as its data is concerned.
#[derive(Debug)]
pub struct Needs {
    /// Its slot.
    pub slot: Slot,
    /// Which data it has.
    pub kind: Kind,
    /// The block; none where only its root is known here.
    block: Option<Arc<SignedBeaconBlock>>,
    /// What has not come.
    pub missing: BTreeSet<u64>,
    /// What came, and who sent it.
    came: BTreeMap<u64, (PeerId, Sidecar)>,
}

/// What one request is to bring.
#[derive(Debug)]
pub struct Part {
    /// By root, what has not come of it.
    pub wants: BTreeMap<Root, BTreeSet<u64>>,
    /// The slots of a request by range; empty for one by root.
    pub slots: Range<u64>,
    /// The places that were asked for.
    pub indices: BTreeSet<u64>,
    /// How many more sidecars the answer may have.
    pub left: u64,
    /// Places of sidecars that came and were dropped, though nobody is to blame.
    pub dropped: BTreeSet<u64>,
}

/// What to think of a sidecar that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It was asked for, and is kept until the chain has decided.
    Kept,
    /// It is of another branch, or cannot be judged here: it is dropped, and nobody is to blame.
    Passed,
    /// It was not asked for.
    Unasked,
    /// It was asked for, but is not what its block commits to.
    Wrong,
}

/// The data that some blocks need.
#[derive(Debug, Default)]
pub struct Gathering {
    /// The blocks by their roots.
    pub needs: BTreeMap<Root, Needs>,
    open: BTreeMap<RequestId, Part>,
    /// Who did not send what it should have, in this round.
    failed: BTreeSet<(u64, PeerId)>,
    /// Who sent what is invalid. Whatever else it sent is not worth finding out one by one.
    liars: BTreeSet<PeerId>,
    /// Rounds in which everybody was asked in vain.
    pub rounds: u32,
    /// Pauses because nobody had what is missing.
    pub waits: u32,
    /// Nothing is asked before this time.
    pub pause_until: Time,
    /// True once the chain said that what came was not enough.
    pub is_strict: bool,
}

impl Gathering {
    /// What these blocks need of the network at an epoch, of a node that samples these columns.
    pub fn of_blocks(
        spec: &'static Spec,
        blocks: &[Arc<SignedBeaconBlock>],
        columns: &BTreeSet<ColumnIndex>,
        current_epoch: Epoch,
    ) -> Self {
        let mut gathering = Self::default();
        for block in blocks {
            gathering.add_block(spec, block, columns, current_epoch);
        }
        gathering
    }

    /// Adds what a block needs, if anything.
    pub fn add_block(
        &mut self,
        spec: &'static Spec,
        block: &Arc<SignedBeaconBlock>,
        columns: &BTreeSet<ColumnIndex>,
        current_epoch: Epoch,
    ) {
        let slot = block.message.slot;
        let blobs = block.message.body.blob_kzg_commitments.len() as u64;
        if blobs == 0 {
            return;
        }
        let (kind, missing) = match needed(spec, slot, current_epoch) {
            Needed::Nothing => return,
            Needed::Blobs => (Kind::Blobs, (0..blobs).collect()),
            Needed::Columns => (Kind::Columns, columns.clone()),
        };
        if missing.is_empty() {
            return;
        }
        let needs = Needs { slot, kind, block: Some(block.clone()), missing, came: BTreeMap::new() };
        self.needs.entry(block_root(spec, block)).or_insert(needs);
    }

    /// What a block lacks, of which no more than this is known.
    pub fn of_root(root: Root, slot: Slot, kind: Kind, indices: &[u64]) -> Self {
        let missing = indices.iter().copied().collect();
        let needs = Needs { slot, kind, block: None, missing, came: BTreeMap::new() };
        Self { needs: BTreeMap::from([(root, needs)]), ..Self::default() }
    }

    /// True where nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.needs.values().all(|needs| needs.missing.is_empty())
    }

    /// True where what came may be imported: all of it, or half of the columns where nobody has the others now, since
    /// half of them make all.
    pub fn is_settled(&self, spec: &Spec) -> bool {
        if self.is_complete() {
            return true;
        }
        let half = spec.preset.number_of_columns.div_ceil(2);
        let is_enough = |needs: &Needs| {
            let came = needs.came.len() as u64;
            needs.missing.is_empty() || (needs.kind == Kind::Columns && came >= half)
        };
        let was_in_vain = self.rounds + self.waits > 0 && !self.is_asking();
        was_in_vain && !self.is_strict && self.needs.values().all(is_enough)
    }

    /// All that came, by block and place.
    pub fn sidecars(&self) -> Vec<Sidecar> {
        let came = self.needs.values().flat_map(|needs| needs.came.values());
        came.map(|(_, sidecar)| sidecar.clone()).collect()
    }

    /// Hands over all that came, with its senders.
    pub fn take_sidecars(&mut self) -> Vec<(PeerId, Sidecar)> {
        self.needs.values_mut().flat_map(|needs| std::mem::take(&mut needs.came).into_values()).collect()
    }

    /// What is missing and was not asked for.
    pub fn outstanding(&self) -> BTreeMap<Root, BTreeSet<u64>> {
        let mut outstanding = BTreeMap::new();
        for (root, needs) in &self.needs {
            let mut missing = needs.missing.clone();
            for asked in self.open.values().filter_map(|part| part.wants.get(root)) {
                missing.retain(|index| !asked.contains(index));
            }
            if !missing.is_empty() {
                outstanding.insert(*root, missing);
            }
        }
        outstanding
    }

    /// True where requests are open.
    pub fn is_asking(&self) -> bool {
        !self.open.is_empty()
    }

    /// True where this round has brought nothing but what it should.
    pub fn is_fresh(&self) -> bool {
        self.rounds == 0 && self.failed.is_empty() && self.liars.is_empty() && !self.is_strict
    }

    /// True where a peer did not send this in this round, or is not to be asked at all.
    pub fn has_failed(&self, index: u64, peer: PeerId) -> bool {
        self.failed.contains(&(index, peer)) || self.liars.contains(&peer)
    }

    /// A request went out.
    pub fn opened(&mut self, id: RequestId, part: Part) {
        self.open.insert(id, part);
    }

    /// Looks at a sidecar of an answer, and keeps it where it fits.
    pub fn take(&mut self, spec: &'static Spec, id: RequestId, peer: PeerId, sidecar: Sidecar) -> Fit {
        let Some(part) = self.open.get_mut(&id) else { return Fit::Passed };
        if part.left == 0 || !part.indices.contains(&sidecar.index()) {
            return Fit::Unasked;
        }
        part.left -= 1;
        let root = sidecar.block_root();
        let (Some(wants), Some(needs)) = (part.wants.get_mut(&root), self.needs.get_mut(&root)) else {
            // Its canonical chain may be another one.
            let is_in_range = part.slots.contains(&sidecar.slot().0);
            return if is_in_range { Fit::Passed } else { Fit::Unasked };
        };
        if !wants.remove(&sidecar.index()) {
            return Fit::Unasked;
        }
        let fit = needs.judge(spec, &sidecar);
        match fit {
            Fit::Kept if needs.missing.remove(&sidecar.index()) => {
                needs.came.insert(sidecar.index(), (peer, sidecar));
            }
            Fit::Kept => {}
            Fit::Passed | Fit::Unasked => drop(part.dropped.insert(sidecar.index())),
            Fit::Wrong => drop(self.liars.insert(peer)),
        }
        fit
    }

    /// A request has ended, well or not; true where it brought all that it was to bring.
    pub fn closed(&mut self, id: RequestId, peer: PeerId) -> bool {
        let Some(part) = self.open.remove(&id) else { return true };
        let mut is_whole = part.dropped.is_empty();
        self.failed.extend(part.dropped.iter().map(|index| (*index, peer)));
        for (root, wants) in &part.wants {
            let Some(needs) = self.needs.get(root) else { continue };
            for index in wants.iter().filter(|index| needs.missing.contains(index)) {
                is_whole = false;
                self.failed.insert((*index, peer));
            }
        }
        is_whole
    }

    /// The chain found a sidecar invalid: forgets it with all that its sender sent, and tells who that is.
    pub fn reject(&mut self, root: Root, index: u64) -> Option<PeerId> {
        let liar = self.needs.get(&root)?.came.get(&index)?.0;
        self.liars.insert(liar);
        for needs in self.needs.values_mut() {
            let theirs = needs.came.extract_if(.., |_, (sender, _)| *sender == liar);
            needs.missing.extend(theirs.map(|(index, _)| index));
        }
        Some(liar)
    }

    /// What the chain was given of a block is needed again; `liar` is who sent what is invalid of it.
    pub fn again(&mut self, root: Root, places: impl IntoIterator<Item = u64>, liar: Option<PeerId>) {
        self.liars.extend(liar);
        if let Some(needs) = self.needs.get_mut(&root) {
            needs.missing.extend(places);
        }
    }

    /// The chain says that this is missing of a block.
    pub fn miss(&mut self, root: Root, missing: &[u64]) {
        self.is_strict = true;
        if let Some(needs) = self.needs.get_mut(&root) {
            for index in missing {
                needs.came.remove(index);
                needs.missing.insert(*index);
            }
        }
    }

    /// Ends a round: what is missing is asked of everybody again, after a pause.
    pub fn end_round(&mut self, now: Time) {
        self.failed.clear();
        self.rounds += 1;
        self.pause(now, self.rounds);
    }

    /// Waits because nobody has what is missing.
    pub fn wait(&mut self, now: Time) {
        self.waits += 1;
        self.pause(now, self.waits);
    }

    fn pause(&mut self, now: Time, times: u32) {
        let pause = PAUSE_MS.saturating_mul(1 << times.saturating_sub(1).min(16)).min(PAUSE_MS_MAX);
        self.pause_until = now.after_ms(pause);
    }
}

impl Needs {
    fn judge(&self, spec: &'static Spec, sidecar: &Sidecar) -> Fit {
        let is_of_kind = match sidecar {
            Sidecar::Blob(_) => self.kind == Kind::Blobs,
            Sidecar::Column(_) => self.kind == Kind::Columns,
        };
        if !is_of_kind || !sidecar.verify_inclusion(spec) {
            return Fit::Wrong;
        }
        let Some(block) = &self.block else { return Fit::Kept };
        if !sidecar.has_commitments(&block.message.body.blob_kzg_commitments) {
            return Fit::Wrong;
        }
        // One of the two signatures is wrong, and only the chain can tell which.
        if sidecar.header().signature == block.signature { Fit::Kept } else { Fit::Passed }
    }
}
