//! A node's storage in memory, with what a crash does to it: batches become durable in order some time after they
//! were handed over, and what was not durable is gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chain::{LoadKey, Loaded, LoadedState, StoreBatch, StoreOp};
use data_availability::Sidecar;
use types::{BeaconState, Checkpoint, Root, SignedBeaconBlock, Slot};

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    blocks: BTreeMap<Root, Arc<SignedBeaconBlock>>,
    states: BTreeMap<Root, Arc<BeaconState>>,
    /// The newest snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// Blocks that came after the snapshot, in order.
    journal: Vec<Root>,
    canonical: BTreeMap<Slot, Root>,
    /// By the slot and root of their block, and their place.
    sidecars: BTreeMap<(Slot, Root), BTreeMap<u64, Sidecar>>,
    /// The finalized checkpoint, once there is one.
    pub finalized: Option<Checkpoint>,
    /// The sequence number of the newest durable batch.
    pub seq: Option<u64>,
    pending: VecDeque<StoreBatch>,
    /// Blocks are acknowledged and not kept: what the checkers must notice.
    #[cfg(test)]
    pub forgets_blocks: bool,
}

impl Disk {
    /// Takes a batch over; it is not durable yet.
    pub fn submit(&mut self, batch: StoreBatch) {
        self.pending.push_back(batch);
    }

    /// The number of the newest batch that was handed over and not lost.
    pub fn newest(&self) -> Option<u64> {
        self.pending.back().map(|batch| batch.seq).or(self.seq)
    }

    /// Makes the oldest batch durable, and gives its number.
    pub fn sync(&mut self) -> Option<u64> {
        let batch = self.pending.pop_front()?;
        batch.ops.into_iter().for_each(|op| self.apply(op));
        self.seq = Some(batch.seq);
        Some(batch.seq)
    }

    /// Forgets what was not durable, and says how many batches that were.
    pub fn crash(&mut self) -> usize {
        let lost = self.pending.len();
        self.pending.clear();
        lost
    }

    /// The canonical blocks of finalized slots from `start` to before `end`, oldest first.
    pub fn canonical_between(&self, start: Slot, end: Slot) -> Vec<(Slot, Root)> {
        if start >= end {
            return Vec::new();
        }
        self.canonical.range(start..end).map(|(slot, root)| (*slot, *root)).collect()
    }

    fn apply(&mut self, op: StoreOp) {
        #[cfg(test)]
        if self.forgets_blocks && matches!(op, StoreOp::PutBlock { .. }) {
            return;
        }
        match op {
            StoreOp::PutBlock { root, block } => drop(self.blocks.insert(root, block)),
            StoreOp::PutState { block_root, state } => drop(self.states.insert(block_root, state)),
            StoreOp::PutSidecars { root, slot, sidecars } => {
                let kept = self.sidecars.entry((slot, root)).or_default();
                kept.extend(sidecars.into_iter().map(|sidecar| (sidecar.index(), sidecar)));
            }
            StoreOp::PruneSidecars { before } => {
                self.sidecars = self.sidecars.split_off(&(before, Root::ZERO));
            }
            StoreOp::PutSnapshot(bytes) => {
                self.snapshot = Some(bytes);
                self.journal.clear();
            }
            StoreOp::AppendJournal(root) => self.journal.push(root),
            StoreOp::Finalize { checkpoint, canonical } => {
                self.finalized = Some(checkpoint);
                self.canonical.extend(canonical);
            }
            StoreOp::DeleteBlocks(roots) => roots.iter().for_each(|root| drop(self.blocks.remove(root))),
            StoreOp::DeleteStates(roots) => roots.iter().for_each(|root| drop(self.states.remove(root))),
        }
    }

    /// The blobs or columns of a block, in ascending order.
    pub fn sidecars(&self, slot: Slot, root: Root) -> Vec<Sidecar> {
        self.sidecars.get(&(slot, root)).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// A block.
    pub fn block(&self, root: &Root) -> Option<&Arc<SignedBeaconBlock>> {
        self.blocks.get(root)
    }

    /// The journal's blocks, in order. A block that is named but missing breaks an invariant of the store.
    pub fn journal(&self) -> Result<Vec<Arc<SignedBeaconBlock>>, Root> {
        self.journal.iter().map(|root| self.blocks.get(root).cloned().ok_or(*root)).collect()
    }

    /// Reads what the chain asks for.
    pub fn load(&self, key: LoadKey) -> Loaded {
        match key {
            LoadKey::State { block_root } => self.state_of(block_root).map_or(Loaded::Missing, Loaded::State),
            LoadKey::Blocks { last, count } => match self.chain_to(last, count) {
                blocks if blocks.is_empty() => Loaded::Missing,
                blocks => Loaded::Blocks(blocks),
            },
        }
    }

    fn chain_to(&self, last: Root, count: usize) -> Vec<Arc<SignedBeaconBlock>> {
        let (mut at, mut blocks) = (last, Vec::new());
        while let Some(block) = self.blocks.get(&at).filter(|_| blocks.len() < count) {
            blocks.push(block.clone());
            at = block.message.parent_root;
        }
        blocks.reverse();
        blocks
    }

    /// The newest stored state on the chain of a block, and the blocks that lead from it to that block.
    pub fn state_of(&self, block_root: Root) -> Option<LoadedState> {
        let mut blocks = Vec::new();
        let mut root = block_root;
        loop {
            if let Some(state) = self.states.get(&root) {
                blocks.reverse();
                return Some(LoadedState { state: state.clone(), block_root: root, blocks });
            }
            let block = self.blocks.get(&root)?;
            root = block.message.parent_root;
            blocks.push(block.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use types::FixedBytes;

    use super::*;

    fn root(name: u8) -> Root {
        FixedBytes([name; 32])
    }

    fn block(parent: u8) -> Arc<SignedBeaconBlock> {
        let mut block = SignedBeaconBlock::default();
        block.message.parent_root = root(parent);
        Arc::new(block)
    }

    fn put(seq: u64, name: u8, parent: u8) -> StoreBatch {
        let ops = vec![
            StoreOp::PutBlock { root: root(name), block: block(parent) },
            StoreOp::AppendJournal(root(name)),
        ];
        StoreBatch { seq, ops }
    }

    #[test]
    fn a_crash_loses_a_suffix_of_the_batches() {
        let mut disk = Disk::default();
        (1..=4).for_each(|seq| disk.submit(put(seq, seq as u8, seq as u8 - 1)));
        assert_eq!((disk.sync(), disk.sync()), (Some(1), Some(2)));
        assert_eq!((disk.newest(), disk.crash()), (Some(4), 2));
        assert_eq!((disk.sync(), disk.newest()), (None, Some(2)));
        assert!(disk.block(&root(2)).is_some() && disk.block(&root(3)).is_none());
        assert_eq!(disk.journal().unwrap().len(), 2);
    }

    #[test]
    fn a_snapshot_empties_the_journal_and_a_lost_block_in_it_is_named() {
        let mut disk = Disk::default();
        disk.submit(put(1, 1, 0));
        disk.submit(StoreBatch { seq: 2, ops: vec![StoreOp::PutSnapshot(vec![7])] });
        disk.submit(StoreBatch { seq: 3, ops: vec![StoreOp::AppendJournal(root(9))] });
        disk.sync();
        disk.sync();
        assert_eq!((disk.snapshot.clone(), disk.journal()), (Some(vec![7]), Ok(vec![])));
        disk.sync();
        assert_eq!(disk.journal(), Err(root(9)));
    }

    #[test]
    fn a_state_is_found_with_the_blocks_that_lead_from_it() {
        let mut disk = Disk::default();
        let state = Arc::new(BeaconState::empty(types::Spec::minimal(), types::ForkName::Phase0));
        (1..=3).for_each(|name| disk.submit(put(name, name as u8, name as u8 - 1)));
        disk.submit(StoreBatch { seq: 4, ops: vec![StoreOp::PutState { block_root: root(1), state }] });
        (1..=4).for_each(|seq| assert_eq!(disk.sync(), Some(seq)));
        let Loaded::State(found) = disk.load(LoadKey::State { block_root: root(3) }) else {
            panic!("it is there")
        };
        assert_eq!((found.block_root, found.blocks.len()), (root(1), 2));
        assert_eq!(found.blocks[1].message.parent_root, root(2));
        assert!(matches!(disk.load(LoadKey::State { block_root: root(8) }), Loaded::Missing));
    }
}
