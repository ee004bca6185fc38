//! How long live blocks take from their arrival until readers see them, and where the time goes: a line in the log for
//! each.
//!
//! A block arrives when its bytes are here: before it is decoded where it came by gossip, when the request is read where
//! it came from the API. It is imported when the view that has it is published. Blocks of sync and of earlier runs are
//! not measured; there the number in a second counts.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chain::{JobId, View};
use types::{BlsSignature, Root, SignedBeaconBlock};

use crate::metrics::Counts;
use crate::workers::JobTime;

/// Blocks that arrived and are not imported. When there are more, the oldest is forgotten, and its import not told.
const ARRIVED_MAX: usize = 64;

/// Arrivals of blocks, and the jobs that execute them.
#[derive(Debug, Default)]
pub struct ImportTimes {
    /// By signature, which needs no hashing. At most [`ARRIVED_MAX`].
    arrived: VecDeque<(BlsSignature, Instant)>,
    /// Jobs under way; the core bounds them.
    jobs: BTreeMap<JobId, (Root, Instant)>,
    /// Jobs that ended before their blocks were imported. At most [`ARRIVED_MAX`].
    ended: VecDeque<(Root, Executed)>,
    /// Blocks that were imported since the last view.
    imported: Vec<Root>,
}

/// When a block was executed, and how long it took.
#[derive(Clone, Copy, Debug)]
struct Executed {
    given: Instant,
    ended: Instant,
    time: JobTime,
}

/// Where the time of an import went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportTime {
    /// From the arrival to the view.
    pub total: Duration,
    /// From the arrival until the block was given away to be executed: decoding, gossip rules, the proposer's signature,
    /// its data.
    pub checks: Duration,
    /// Until a worker was free for it.
    pub waited: Duration,
    /// Its signatures but the proposer's.
    pub signatures: Duration,
    /// The state transition and its root.
    pub transition: Duration,
    /// The part of both in which other threads and programs had the cores.
    pub stalled: Duration,
    /// From then on: the engine's answer where it came later, fork choice, the head, the view.
    pub head: Duration,
}

impl ImportTimes {
    /// A block has arrived.
    pub fn arrived(&mut self, block: &SignedBeaconBlock, at: Instant) {
        if self.arrived.iter().any(|(signature, _)| *signature == block.signature) {
            return;
        }
        if self.arrived.len() >= ARRIVED_MAX {
            self.arrived.pop_front();
        }
        self.arrived.push_back((block.signature, at));
    }

    /// A job that executes a block alone was given away.
    pub fn job_given(&mut self, id: JobId, block: Root) {
        self.jobs.insert(id, (block, Instant::now()));
    }

    /// A job, perhaps one of them, has ended.
    pub fn job_ended(&mut self, id: JobId, time: JobTime) {
        let Some((block, given)) = self.jobs.remove(&id) else { return };
        if self.ended.len() >= ARRIVED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((block, Executed { given, ended: Instant::now(), time }));
    }

    /// A block is in fork choice.
    pub fn imported(&mut self, block: Root) {
        self.imported.push(block);
    }

    /// Tells of the blocks that the view, which was just published, is the first to have.
    pub fn tell(&mut self, view: &View, counts: &Counts) {
        for root in std::mem::take(&mut self.imported) {
            let Some((block, time)) = self.take(&root, view) else { continue };
            counts.imported(&time);
            tracing::info!(
                slot = block.message.slot.0,
                ms = milliseconds(time.total),
                checks = milliseconds(time.checks),
                waited = milliseconds(time.waited),
                signatures = milliseconds(time.signatures),
                transition = milliseconds(time.transition),
                stalled = milliseconds(time.stalled),
                head = milliseconds(time.head),
                is_head = view.head.root == root,
                "imported"
            );
        }
    }

    fn take<'v>(&mut self, root: &Root, view: &'v View) -> Option<(&'v SignedBeaconBlock, ImportTime)> {
        let executed = self.ended.iter().position(|(of, _)| of == root);
        let (_, executed) = self.ended.remove(executed?)?;
        let block = view.blocks.get(root)?;
        let arrived = self.arrived.iter().position(|(signature, _)| *signature == block.signature);
        let (_, arrived) = self.arrived.remove(arrived?)?;
        let time = ImportTime {
            total: arrived.elapsed(),
            checks: executed.given - arrived,
            waited: executed.time.waited,
            signatures: executed.time.signatures,
            transition: executed.time.ran.saturating_sub(executed.time.signatures),
            stalled: executed.time.stalled,
            head: executed.ended.elapsed(),
        };
        Some((block, time))
    }
}

/// Milliseconds with one digit behind the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::World;

    #[test]
    fn a_live_block_is_measured_once_and_others_are_not() {
        let mut world = World::new();
        let roots = world.grow([1, 2]);
        let view = world.view();
        let block: Arc<SignedBeaconBlock> = view.blocks[&roots[0]].clone();
        let mut times = ImportTimes::default();
        let arrived = Instant::now();
        times.arrived(&block, arrived);
        let (first, second) = (JobId(1), JobId(2));
        times.job_given(first, roots[0]);
        times.job_given(second, roots[1]);
        let time = |ms: u64| Duration::from_millis(ms);
        let of_job = JobTime {
            name: "execute_blocks",
            waited: time(1),
            ran: time(30),
            signatures: time(20),
            stalled: time(2),
        };
        times.job_ended(first, of_job);
        times.job_ended(second, of_job);
        let (_, took) = times.take(&roots[0], &view).unwrap();
        assert_eq!((took.waited, took.signatures, took.transition), (time(1), time(20), time(10)));
        assert_eq!(took.stalled, time(2));
        assert!(took.total >= took.checks + took.head);
        assert!(times.take(&roots[0], &view).is_none(), "it was told");
        assert!(times.take(&roots[1], &view).is_none(), "it did not arrive, but was read");
    }

    #[test]
    fn what_arrived_and_never_was_imported_is_forgotten() {
        let mut times = ImportTimes::default();
        for number in 0..2 * ARRIVED_MAX as u64 {
            let mut block = SignedBeaconBlock::default();
            block.signature.0[..8].copy_from_slice(&number.to_le_bytes());
            times.arrived(&block, Instant::now());
            times.arrived(&block, Instant::now());
            times.job_given(JobId(number), Root::ZERO);
            times.job_ended(JobId(number), JobTime::default());
        }
        assert_eq!((times.arrived.len(), times.ended.len(), times.jobs.len()), (ARRIVED_MAX, ARRIVED_MAX, 0));
    }
}
