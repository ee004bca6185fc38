//! The core's batches as operations of the database.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chain::{StoreBatch, StoreOp};
use data_availability::Sidecar;
use ssz::{Shape, Ssz, SszExt};
use storage::{Batch, Database, Encoding, Fault, Op, Refused, Report, Value, Writer};
use types::{BeaconState, Root, Spec};

use crate::metrics::Counts;

/// The key of the journal: roots of the blocks that came after the snapshot.
const JOURNAL: &str = "journal";
/// Batches that may wait for the disk before the core waits too.
pub const QUEUE_BATCHES: usize = 256;

/// Batches that were given to the disk and are not durable yet, by number, and since when. Bounded by the queue.
type Waiting = Arc<Mutex<VecDeque<(u64, Instant)>>>;

/// The way to the disk. Batches go out in order; the journal's roots are kept here, since a batch replaces it whole.
pub struct Disk {
    spec: &'static Spec,
    writer: Writer,
    journal: Vec<u8>,
    /// The last batch of earlier runs: the core counts from one in every run, the database goes on.
    base: u64,
    waiting: Waiting,
}

/// A state that the disk's thread encodes as it writes it: that of a million validators has 150 MB.
#[derive(Debug)]
struct StateEncoding(Arc<BeaconState>);

impl Encoding for StateEncoding {
    fn encoded_len(&self) -> usize {
        Ssz::encoded_len(&*self.0, &Shape::Plain, &self.0.ctx())
    }

    fn encode(&self) -> Vec<u8> {
        self.0.encoded()
    }
}

/// The roots of the journal, in order.
pub fn journal(database: &Database) -> Result<Vec<Root>, Fault> {
    let bytes = database.meta(JOURNAL)?.unwrap_or_default();
    Ok(bytes.chunks_exact(32).map(|root| Root::try_from(root).expect("32 bytes")).collect())
}

/// A sidecar as it is stored, and as it is sent to peers.
pub fn encode_sidecar(sidecar: &Sidecar, ctx: ssz::Ctx) -> Vec<u8> {
    match sidecar {
        Sidecar::Blob(sidecar) => sidecar.to_ssz(ctx),
        Sidecar::Column(sidecar) => sidecar.to_ssz(ctx),
    }
}

impl Disk {
    /// Starts the writer's thread, which reports the core's own numbers.
    pub fn start(
        spec: &'static Spec,
        database: Arc<Database>,
        counts: Arc<Counts>,
        mut report: impl FnMut(Report) + Send + 'static,
    ) -> Result<Self, crate::NodeError> {
        let journal = database.meta(JOURNAL)?.unwrap_or_default();
        let base = database.last_seq()?;
        let waiting = Waiting::default();
        let durable = waiting.clone();
        let report = move |said: Report| {
            report(match said {
                Report::Stored(seq) => {
                    let mut waiting = durable.lock().unwrap_or_else(PoisonError::into_inner);
                    while let Some((_, since)) = waiting.pop_front_if(|(number, _)| *number <= seq) {
                        counts.stored(since.elapsed());
                    }
                    Report::Stored(seq - base)
                }
                fault => fault,
            });
        };
        Ok(Self { spec, writer: Writer::start(database, QUEUE_BATCHES, report)?, journal, base, waiting })
    }

    /// Tells how many batches wait or are being written; of the former there are at most [`QUEUE_BATCHES`].
    pub fn depth(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let waiting = self.waiting.clone();
        move || waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Queues a batch; waits where the disk is behind by the whole queue.
    pub fn store(&mut self, batch: StoreBatch) -> Result<(), String> {
        let mut ops = Vec::new();
        for op in batch.ops {
            self.convert(op, &mut ops);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((self.base + batch.seq, Instant::now()));
        drop(waiting);
        self.writer
            .store_waiting(Batch { seq: self.base + batch.seq, ops })
            .map_err(|refused: Refused| refused.to_string())
    }

    fn convert(&mut self, op: StoreOp, ops: &mut Vec<Op>) {
        match op {
            StoreOp::PutBlock { root, block } => {
                let (slot, parent) = (block.message.slot, block.message.parent_root.0);
                let ssz = block.to_ssz(self.spec.ctx_at_slot(slot));
                ops.push(Op::PutBlock { root: root.0, slot: slot.0, parent, ssz });
            }
            StoreOp::PutState { block_root, state } => {
                let (root, slot) = (block_root.0, state.slot.0);
                let ssz = Value::Encoded(Arc::new(StateEncoding(state)));
                ops.push(Op::PutState { root, slot, ssz });
            }
            StoreOp::PutSidecars { root, slot, sidecars } => {
                let ctx = self.spec.ctx_at_slot(slot);
                ops.extend(sidecars.into_iter().map(|sidecar| Op::PutSidecar {
                    root: root.0,
                    slot: slot.0,
                    index: sidecar.index(),
                    ssz: encode_sidecar(&sidecar, ctx),
                }));
            }
            StoreOp::PruneSidecars { before } => ops.push(Op::PruneSidecars { below_slot: before.0 }),
            StoreOp::PutSnapshot(bytes) => {
                self.journal.clear();
                ops.push(Op::PutForkChoice(bytes));
                ops.push(Op::PutMeta(JOURNAL.to_owned(), Vec::new()));
            }
            StoreOp::AppendJournal(root) => {
                self.journal.extend_from_slice(&root.0);
                ops.push(Op::PutMeta(JOURNAL.to_owned(), self.journal.clone()));
            }
            StoreOp::Finalize { canonical, .. } => {
                let put = |(slot, root): (types::Slot, Root)| Op::PutCanonical { slot: slot.0, root: root.0 };
                ops.extend(canonical.into_iter().map(put));
            }
            StoreOp::DeleteBlocks(roots) => {
                ops.extend(roots.into_iter().map(|root| Op::DeleteBlock { root: root.0 }));
            }
            StoreOp::DeleteStates(roots) => {
                ops.extend(roots.into_iter().map(|root| Op::DeleteState { root: root.0 }));
            }
        }
    }

    /// Stores all that is queued.
    pub fn shut_down(self) {
        self.writer.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;
    use chain::Loaded;

    #[test]
    fn a_restart_finds_the_head_and_goes_on() {
        let mut world = World::new();
        let roots = world.grow([1, 3, 8, 9]);
        world.flush();
        let before = world.view();
        let mut world = world.restart();
        let after = world.view();
        assert_eq!((after.head.root, after.head.slot), (roots[3], before.head.slot));
        assert_eq!(after.head.state.state_root(), before.head.state_root);
        assert_eq!(after.fork_choice.nodes.len(), before.fork_choice.nodes.len());
        // Numbers of batches go on from the run before, so a second run stores and restarts as well.
        let more = world.grow([10, 16]);
        world.flush();
        assert_eq!(world.restart().view().head.root, more[1]);
    }

    #[test]
    fn a_crash_after_any_batch_leaves_a_chain_to_go_on_from() {
        let mut world = World::new();
        let roots = world.grow([1, 2, 8]);
        // No flush: what is queued is stored when the writer ends, as what was acknowledged before a crash.
        assert_eq!(world.restart().view().head.root, roots[2]);
    }

    #[test]
    fn states_are_found_under_their_blocks_or_with_what_leads_to_them() {
        let mut world = World::new();
        let roots = world.grow([1, 2, 8, 9]);
        world.flush();
        let Loaded::State(found) = world.loads.state(roots[3]) else { panic!("the state is there") };
        // The first block of an epoch has its state stored.
        assert_eq!((found.block_root, found.blocks.len()), (roots[2], 1));
        let replayed = world.loads.replayed_state(roots[3]).unwrap().unwrap();
        assert_eq!(replayed.state_root(), world.view().head.state_root);
        assert!(matches!(world.loads.state(Root::from([9; 32])), Loaded::Missing));
    }
}
