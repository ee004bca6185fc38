//! Runs of one seed or many, and what is said of them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use types::{Epoch, Root, Slot};

use crate::checkers::Violation;
use crate::world::{Counts, World};
use crate::{Film, Scenario};

/// Trace lines that are shown with a violation.
const LINES: usize = 40;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The hash of all that happened.
    pub trace: Root,
    /// How many events were noted.
    pub events: u64,
    /// The furthest head and its slot.
    pub head: (Root, Slot),
    /// The lowest and highest finalized epochs of all nodes.
    pub finalized: (Epoch, Epoch),
    /// Counts of what happened.
    pub counts: Counts,
    /// Duties that validators missed, by kind and reason.
    pub missed: BTreeMap<String, u64>,
    /// Signature verdicts asked for, and pairing checks behind them.
    pub verdicts: (u64, usize),
    /// The lowest participation of all epochs, in percent.
    pub participation: Option<(Epoch, f64)>,
    /// Slashable messages that were signed and checked.
    pub signed: u64,
    /// Time in the world.
    pub elapsed_ms: u64,
    /// Time outside.
    pub took: Duration,
    /// What went wrong, and the last lines of the trace.
    pub violation: Option<(Violation, Vec<String>)>,
}

impl Report {
    /// Seconds in the world for each second outside.
    pub fn speed(&self) -> f64 {
        self.elapsed_ms as f64 / 1000.0 / self.took.as_secs_f64().max(1e-6)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.trace.to_string();
        let head = self.head.0.to_string();
        write!(
            f,
            "seed {:>3}  trace {}  head {} slot {:>3}  finalized {}..{}  blocks {}  events {}  crashes {}+{}  \
             missed {} of {}  votes {:.1}%  speed {:.0}x",
            self.seed,
            &hash[..18],
            &head[..10],
            self.head.1,
            self.finalized.0,
            self.finalized.1,
            self.counts.blocks,
            self.events,
            self.counts.crashes,
            self.counts.engine_crashes,
            self.counts.missed,
            self.counts.missed + self.counts.done,
            self.participation.map_or(0.0, |(_, percent)| percent),
            self.speed()
        )?;
        if let Some((violation, lines)) = &self.violation {
            write!(f, "\nseed {} FAILED: {violation}", self.seed)?;
            lines.iter().try_for_each(|line| write!(f, "\n    {line}"))?;
        }
        Ok(())
    }
}

/// Runs one seed to its end or its first violation. A panic inside is a violation too.
pub fn run_seed(scenario: &Scenario, seed: u64) -> Report {
    report(&mut new_world(scenario, seed))
}

/// What was kept of a world.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Every event, a line each.
    pub events: Vec<String>,
    /// What the nodes told of their fork choice, for the fork view.
    pub film: Film,
}

/// Runs one seed, and keeps what happened. The report is that of a run that keeps nothing.
pub fn trace_seed(scenario: &Scenario, seed: u64) -> (Report, Recording) {
    let mut world = new_world(scenario, seed);
    world.trace.keep_all();
    world.film = Some(Film::new(scenario));
    let report = report(&mut world);
    let film = world.film.take().expect("nothing takes it away but this");
    (report, Recording { events: world.trace.last(usize::MAX, None), film })
}

fn new_world(scenario: &Scenario, seed: u64) -> World {
    World::new(scenario.clone(), seed).expect("the preset's first fork is phase 0, which is built")
}

fn report(world: &mut World) -> Report {
    // Real time is measured for the report alone; nothing inside the world sees it.
    let begin = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        Err(Violation::of_all("nothing panics", text))
    });
    let took = begin.elapsed();
    let standings = world.standings();
    let furthest = standings.iter().max_by_key(|standing| standing.slot);
    let epochs = || standings.iter().map(|standing| standing.finalized.epoch);
    let violation = result.err().map(|violation| {
        let lines = world.trace.last(LINES, violation.node);
        (violation, lines)
    });
    Report {
        seed: world.seed,
        trace: world.trace.digest(),
        events: world.trace.events(),
        head: furthest.map_or((Root::ZERO, Slot(0)), |standing| (standing.head, standing.slot)),
        finalized: (epochs().min().unwrap_or_default(), epochs().max().unwrap_or_default()),
        counts: world.counts,
        missed: std::mem::take(&mut world.missed),
        verdicts: (world.verdicts.asked, world.verdicts.verified()),
        participation: world.participation.lowest(),
        signed: world.signatures_checked(),
        elapsed_ms: world.elapsed_ms(),
        took,
        violation,
    }
}

/// Runs one seed twice; a difference between the two is a violation.
pub fn run_seed_twice(scenario: &Scenario, seed: u64) -> Report {
    let mut first = run_seed(scenario, seed);
    let second = run_seed(scenario, seed);
    if first.violation.is_none() && first.trace != second.trace {
        let what = format!("two runs gave {} and {}", first.trace, second.trace);
        first.violation = Some((Violation::of_all("a seed decides everything", what), Vec::new()));
    }
    first
}

/// Runs seeds on so many threads, each world on one, and hands the reports over in the order of the seeds.
pub fn run_seeds(
    seeds: &[u64],
    threads: usize,
    run: impl Fn(u64) -> Report + Sync,
    mut each: impl FnMut(&Report),
) -> Vec<Report> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let (sender, receiver) = std::sync::mpsc::sync_channel(threads.max(1));
    let mut reports: Vec<Option<Report>> = vec![None; seeds.len()];
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (sender, next, run) = (sender.clone(), &next, &run);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(seed) = seeds.get(place) else { return };
                    if sender.send((place, run(*seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut shown = 0;
        for (place, report) in receiver {
            reports[place] = Some(report);
            while let Some(Some(report)) = reports.get(shown) {
                each(report);
                shown += 1;
            }
        }
    });
    reports.into_iter().flatten().collect()
}
