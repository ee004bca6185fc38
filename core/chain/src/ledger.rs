//! What goes to storage, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use types::{BeaconState, Checkpoint, Epoch, FixedBytes, Root, SignedBeaconBlock, Slot};

use crate::chain::Chain;
use crate::limits::{
    LARGE_REGISTRY, LARGE_STATE_EVERY_EPOCHS, SNAPSHOT_EVERY_BLOCK_BYTES, UNWRITTEN_BATCHES_MAX,
};
use crate::{Output, StartError, StoreBatch, StoreOp};

const VERSION: u32 = 1;

/// What was written, and what is to be written with the next batch.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next_seq: u64,
    durable: u64,
    ops: Vec<StoreOp>,
    /// States in storage, by the roots of their blocks. Bounded by the blocks of fork choice, and the one state at or
    /// before the finalized block.
    pub(crate) states: BTreeMap<Root, Slot>,
    /// The checkpoint up to which blocks were declared canonical.
    pub(crate) finalized: Checkpoint,
    snapshot_bytes: usize,
    snapshot_epoch: Epoch,
    wants_snapshot: bool,
}

/// The first part of a snapshot; fork choice's own follows.
pub(crate) struct Preface {
    pub head: Root,
    pub finalized: Checkpoint,
    pub states: BTreeMap<Root, Slot>,
}

impl Ledger {
    /// The ledger of a run that follows another.
    pub fn resumed(preface: Preface, snapshot_bytes: usize, epoch: Epoch) -> Self {
        Self {
            states: preface.states,
            finalized: preface.finalized,
            snapshot_bytes,
            snapshot_epoch: epoch,
            ..Self::default()
        }
    }

    pub fn stored(&mut self, seq: u64) {
        self.durable = self.durable.max(seq);
    }

    pub fn push(&mut self, op: StoreOp) {
        self.ops.push(op);
    }
}

impl Chain {
    /// Puts an imported block into the next batch; its state too where it is the first of its epoch on its branch, or of
    /// several epochs where the state is large.
    pub(crate) fn record_block(
        &mut self,
        root: Root,
        block: &Arc<SignedBeaconBlock>,
        state: &Arc<BeaconState>,
    ) {
        self.ledger.push(StoreOp::PutBlock { root, block: block.clone() });
        let epoch = block.message.slot.epoch(self.spec);
        let parent = self.fork_choice.block(&block.message.parent_root);
        let every = match state.validators.len() > self.config.large_registry.unwrap_or(LARGE_REGISTRY) {
            true => LARGE_STATE_EVERY_EPOCHS,
            false => 1,
        };
        if parent.is_none_or(|parent| parent.slot.epoch(self.spec).0 / every < epoch.0 / every) {
            self.record_state(root, state);
        }
        let small = self.config.snapshot_every_block_bytes.unwrap_or(SNAPSHOT_EVERY_BLOCK_BYTES);
        let is_small = self.ledger.snapshot_bytes <= small;
        if is_small || self.current_epoch() > self.ledger.snapshot_epoch {
            self.ledger.wants_snapshot = true;
        }
        self.ledger.push(StoreOp::AppendJournal(root));
    }

    pub(crate) fn record_state(&mut self, block_root: Root, state: &Arc<BeaconState>) {
        self.ledger.states.insert(block_root, state.slot);
        self.ledger.push(StoreOp::PutState { block_root, state: state.clone() });
    }

    /// Puts the consequences of finality into the next batch. `removed` are the blocks that left fork choice.
    pub(crate) fn record_finality(
        &mut self,
        checkpoint: Checkpoint,
        canonical: Vec<(Slot, Root)>,
        removed: &[Root],
    ) {
        let mut on_chain: BTreeSet<Root> = canonical.iter().map(|(_, root)| *root).collect();
        on_chain.insert(self.ledger.finalized.root);
        let orphaned: Vec<Root> = removed.iter().filter(|root| !on_chain.contains(*root)).copied().collect();
        let obsolete = self.obsolete_states(&checkpoint.root, &orphaned);
        let every = self.config.archive_every_epochs;
        let is_archived = |slot: Slot| every > 0 && slot.epoch(self.spec).0.is_multiple_of(every);
        let mut deleted = Vec::new();
        for root in obsolete {
            // What is archived is no longer looked after.
            if let Some(slot) = self.ledger.states.remove(&root)
                && (!on_chain.contains(&root) || !is_archived(slot))
            {
                deleted.push(root);
            }
        }
        self.ledger.finalized = checkpoint.clone();
        self.ledger.push(StoreOp::Finalize { checkpoint, canonical });
        if !orphaned.is_empty() {
            self.ledger.push(StoreOp::DeleteBlocks(orphaned));
        }
        if !deleted.is_empty() {
            self.ledger.push(StoreOp::DeleteStates(deleted));
        }
        self.ledger.wants_snapshot = true;
    }

    /// Stored states that nothing can be replayed from any more: of orphaned blocks, and of canonical blocks before the
    /// newest one that is not after the finalized block.
    fn obsolete_states(&self, finalized: &Root, orphaned: &[Root]) -> Vec<Root> {
        let orphaned: BTreeSet<&Root> = orphaned.iter().collect();
        let stored = &self.ledger.states;
        // After pruning, only the finalized block and its descendants are in fork choice.
        let is_past = |root: &Root| root == finalized || !self.fork_choice.contains(root);
        let past = stored.iter().filter(|(root, _)| is_past(root) && !orphaned.contains(root));
        let base = past.max_by_key(|(_, slot)| **slot).map(|(root, _)| *root);
        let is_obsolete = |root: &&Root| is_past(root) && Some(**root) != base;
        stored.keys().filter(is_obsolete).copied().collect()
    }

    /// Sends the batch of what was recorded.
    pub(crate) fn write(&mut self) {
        if self.ledger.ops.is_empty() {
            return;
        }
        let backlog = self.ledger.next_seq - self.ledger.durable;
        if self.ledger.wants_snapshot && backlog <= UNWRITTEN_BATCHES_MAX {
            self.add_snapshot();
        }
        self.send_batch();
    }

    /// Sends a batch with a snapshot, whatever was recorded; gives its number.
    pub(crate) fn flush(&mut self) -> u64 {
        self.add_snapshot();
        self.send_batch()
    }

    fn add_snapshot(&mut self) {
        let bytes = self.snapshot();
        self.ledger.snapshot_bytes = bytes.len();
        self.ledger.snapshot_epoch = self.current_epoch();
        self.ledger.wants_snapshot = false;
        // The snapshot knows these blocks itself.
        self.ledger.ops.retain(|op| !matches!(op, StoreOp::AppendJournal(_)));
        self.ledger.push(StoreOp::PutSnapshot(bytes));
    }

    fn send_batch(&mut self) -> u64 {
        self.ledger.next_seq += 1;
        let seq = self.ledger.next_seq;
        let ops = std::mem::take(&mut self.ledger.ops);
        self.outputs.push_back(Output::Store(StoreBatch { seq, ops }));
        seq
    }

    fn snapshot(&self) -> Vec<u8> {
        let Ledger { finalized, states, .. } = &self.ledger;
        let mut out = VERSION.to_le_bytes().to_vec();
        out.extend_from_slice(&self.head.root.0);
        out.extend_from_slice(&finalized.epoch.0.to_le_bytes());
        out.extend_from_slice(&finalized.root.0);
        out.extend_from_slice(&(states.len() as u32).to_le_bytes());
        for (root, slot) in states {
            out.extend_from_slice(&root.0);
            out.extend_from_slice(&slot.0.to_le_bytes());
        }
        out.extend(self.fork_choice.snapshot());
        out
    }
}

/// Splits a snapshot into its preface and the bytes of fork choice.
pub(crate) fn read_snapshot(bytes: &[u8]) -> Result<(Preface, &[u8]), StartError> {
    let mut input = Input(bytes);
    if u32::from_le_bytes(input.take()?) != VERSION {
        return Err(StartError::Snapshot("it was written by another version".to_owned()));
    }
    let head = FixedBytes(input.take()?);
    let finalized =
        Checkpoint { epoch: Epoch(u64::from_le_bytes(input.take()?)), root: FixedBytes(input.take()?) };
    let count = u32::from_le_bytes(input.take()?);
    let mut states = BTreeMap::new();
    for _ in 0..count {
        let root = FixedBytes(input.take()?);
        states.insert(root, Slot(u64::from_le_bytes(input.take()?)));
    }
    Ok((Preface { head, finalized, states }, input.0))
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StartError> {
        let (taken, rest) =
            self.0.split_first_chunk().ok_or(StartError::Snapshot("it is cut short".to_owned()))?;
        self.0 = rest;
        Ok(*taken)
    }
}
