//! Worker threads: they run the core's jobs, most urgent first.

use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chain::{Job, JobId, JobResult, Priority, panic_text};
use crypto::verify_each;

/// How long a job took.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobTime {
    /// The kind of the job.
    pub name: &'static str,
    /// Until a worker was free for it.
    pub waited: Duration,
    /// From then on.
    pub ran: Duration,
    /// The part of that in which it verified signatures.
    pub signatures: Duration,
    /// The part of it in which the cores were others', where a block was executed.
    pub stalled: Duration,
}

struct Waiting {
    priority: Priority,
    /// Earlier jobs first among those of one priority.
    order: std::cmp::Reverse<u64>,
    id: JobId,
    job: Job,
    since: Instant,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The heap gives its greatest first, and the smallest priority is the most urgent.
        (other.priority, self.order).cmp(&(self.priority, other.order))
    }
}

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Waiting>,
    next: u64,
    closed: bool,
}

/// Threads that run jobs. How many may wait is bounded by the core, which counts the jobs it has given out.
pub struct Workers {
    shared: Arc<(Mutex<Queue>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads that hand results to `done`.
    pub fn start(
        count: usize,
        done: impl Fn(JobId, JobResult, JobTime) + Send + Clone + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new((Mutex::new(Queue::default()), Condvar::new()));
        let threads = (0..count).map(|number| {
            let (shared, done) = (shared.clone(), done.clone());
            std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || run(&shared, &done))
        });
        let threads = threads.collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Tells how many jobs wait for a worker; the queue is held for that only.
    pub fn depth(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.0.lock().expect("nobody panics with the queue").heap.len()
    }

    /// Adds a job.
    pub fn submit(&self, id: JobId, priority: Priority, job: Job) {
        let (queue, bell) = &*self.shared;
        let mut queue = queue.lock().expect("nobody panics with the queue");
        let order = std::cmp::Reverse(queue.next);
        queue.next += 1;
        queue.heap.push(Waiting { priority, order, id, job, since: Instant::now() });
        bell.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let (queue, bell) = &*self.shared;
        queue.lock().expect("nobody panics with the queue").closed = true;
        bell.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked outside of a job");
            }
        }
    }
}

fn run(shared: &(Mutex<Queue>, Condvar), done: &impl Fn(JobId, JobResult, JobTime)) {
    let (queue, bell) = shared;
    loop {
        let waiting = {
            let mut queue = queue.lock().expect("nobody panics with the queue");
            loop {
                if queue.closed {
                    return;
                }
                if let Some(waiting) = queue.heap.pop() {
                    break waiting;
                }
                queue = bell.wait(queue).expect("nobody panics with the queue");
            }
        };
        let (job, begun) = (waiting.job, Instant::now());
        let mut time = JobTime { name: job.name(), waited: begun - waiting.since, ..JobTime::default() };
        let stalled = job.executed_block().map(|_| stalled());
        let run = AssertUnwindSafe(|| {
            job.run_with(&mut |sets, seed| {
                let begun = Instant::now();
                let signatures = verify_each(sets, seed);
                time.signatures += begun.elapsed();
                signatures
            })
        });
        let result = catch_unwind(run).unwrap_or_else(|panic| JobResult::Panicked(panic_text(&*panic)));
        time.ran = begun.elapsed();
        time.stalled = stalled.map_or(Duration::ZERO, |before| self::stalled().saturating_sub(before));
        done(waiting.id, result, time);
    }
}

/// How long this thread could have run so far, but had no core; nothing where the system does not tell.
fn stalled() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}
