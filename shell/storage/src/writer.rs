//! The disk thread: the only writer of the chain database.
//!
//! The core hands over batches and goes on; the thread commits them in order, several waiting ones in
//! one transaction because an fsync costs the same for one as for many, and reports each
//! sequence number only after the commit. The first failure ends the thread: a node that cannot
//! store must stop, not run ahead of its disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use crate::batch::{Batch, Op};
use crate::database::Database;
use crate::error::Fault;

/// Batches in one transaction.
const GROUP_BATCHES_MAX: usize = 64;
/// Payload bytes after which no more batches join a transaction.
const GROUP_BYTES: usize = 32 << 20;

/// What the thread says, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The batch with this sequence number, and with it all before it, is durable.
    Stored(u64),
    /// Storing failed and the thread has ended. Batches not reported as stored are not stored.
    Fault(Fault),
}

/// The batch was not taken, and is given back.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full: the disk is slower than the chain. The caller holds back new blocks until
    /// the next [`Report::Stored`], and then offers the batch again.
    #[error("the disk queue is full")]
    Full(Batch),
    /// The thread has ended after a fault.
    #[error("the disk writer has stopped")]
    Stopped(Batch),
}

/// Handle of the disk thread. Dropping it stores what is queued, then ends the thread.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. At most `queue_batches` wait, beside those being written.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        database: Arc<Database>,
        queue_batches: usize,
        report: impl FnMut(Report) + Send + 'static,
    ) -> std::io::Result<Writer> {
        let (queue, batches) = sync_channel(queue_batches);
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || run(&database, &batches, report))?;
        Ok(Writer { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues a batch without waiting.
    ///
    /// # Errors
    /// [`Refused`], with the batch inside.
    pub fn store(&self, batch: Batch) -> Result<(), Refused> {
        let Some(queue) = &self.queue else { return Err(Refused::Stopped(batch)) };
        queue.try_send(batch).map_err(|error| match error {
            TrySendError::Full(batch) => Refused::Full(batch),
            TrySendError::Disconnected(batch) => Refused::Stopped(batch),
        })
    }

    /// Queues a batch, and waits for room where the queue is full.
    ///
    /// # Errors
    /// [`Refused::Stopped`], with the batch inside.
    pub fn store_waiting(&self, batch: Batch) -> Result<(), Refused> {
        let Some(queue) = &self.queue else { return Err(Refused::Stopped(batch)) };
        queue.send(batch).map_err(|error| Refused::Stopped(error.0))
    }

    /// Stores all that is queued, reports it, and ends the thread.
    pub fn shut_down(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        // Closing the queue lets the thread drain it and return.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the report callback of the disk writer panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

fn run(database: &Database, batches: &Receiver<Batch>, mut report: impl FnMut(Report)) {
    while let Ok(first) = batches.recv() {
        let group = gather(first, batches);
        // A panic in the engine is a fault like any other: without the catch the thread would
        // vanish and the core would wait for an acknowledgement that never comes.
        let outcome = catch_unwind(AssertUnwindSafe(|| database.apply(&group)))
            .unwrap_or_else(|_| Err(Fault::Panic("while applying a batch".to_owned())));
        if let Err(fault) = outcome {
            tracing::error!(%fault, seq = group[0].seq, "the disk writer stops");
            report(Report::Fault(fault));
            return;
        }
        group.iter().for_each(|batch| report(Report::Stored(batch.seq)));
    }
}

/// The batches to write together: `first` and those already waiting, up to the bounds.
fn gather(first: Batch, batches: &Receiver<Batch>) -> Vec<Batch> {
    let size = |batch: &Batch| batch.ops.iter().map(Op::bytes).sum::<usize>();
    let mut bytes = size(&first);
    let mut group = vec![first];
    while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES {
        let Ok(batch) = batches.try_recv() else { break };
        bytes += size(&batch);
        group.push(batch);
    }
    group
}
