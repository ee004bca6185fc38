//! Time that work takes: of the processor, on all threads of this process, and of the wall.
//!
//! On a machine that others use too, wall time says how busy they are; CPU time is what compares, and the least of several
//! runs is the one that was disturbed least.

use std::hint::black_box;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Runs of one measurement, at least and at most; between them the budget decides.
const RUNS: std::ops::RangeInclusive<u32> = 3..=40;

/// What work costs, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// CPU time of all threads, the least of the runs.
    pub cpu_ns: f64,
    /// Wall time, the least of the runs.
    pub wall_ns: f64,
    /// How many runs there were.
    pub runs: u32,
}

impl Cost {
    /// More than anything, of no runs.
    pub const ENDLESS: Self = Self { cpu_ns: f64::INFINITY, wall_ns: f64::INFINITY, runs: 0 };

    /// The lesser of either, of the runs of both.
    pub fn or(self, other: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.min(other.cpu_ns),
            wall_ns: self.wall_ns.min(other.wall_ns),
            runs: self.runs + other.runs,
        }
    }

    /// The cost of one of `count` equal parts.
    pub fn each(self, count: usize) -> Self {
        Self { cpu_ns: self.cpu_ns / count as f64, wall_ns: self.wall_ns / count as f64, ..self }
    }
}

/// CPU time that the process has used, in nanoseconds.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("Linux has this clock");
    time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64
}

/// The cost of work that is done once, and its result.
pub fn once<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (wall, cpu) = (Instant::now(), cpu_ns());
    let result = black_box(work());
    let cpu_ns = cpu_ns() - cpu;
    (result, Cost { cpu_ns, wall_ns: wall.elapsed().as_nanos() as f64, runs: 1 })
}

/// The least cost of `work` on what `prepare` makes anew for each run; what it makes and gives back is dropped after the
/// clock was read. Runs until the budget of wall time is used up, preparations included, and three times at least.
pub fn least<S, T>(
    budget: Duration,
    mut prepare: impl FnMut() -> S,
    mut work: impl FnMut(&mut S) -> T,
) -> Cost {
    least_of_both(budget, || one(&mut prepare, &mut work), || Cost::ENDLESS).0
}

/// The cost of one run of `work` on what `prepare` makes, as [`least`] measures it.
pub fn one<S, T>(mut prepare: impl FnMut() -> S, mut work: impl FnMut(&mut S) -> T) -> Cost {
    let mut subject = prepare();
    let (result, cost) = once(|| work(&mut subject));
    drop((result, subject));
    cost
}

/// The least costs of two ways to do something, which take turns, so that what else the machine does meets both alike.
pub fn least_of_both(
    budget: Duration,
    mut ours: impl FnMut() -> Cost,
    mut other: impl FnMut() -> Cost,
) -> (Cost, Cost) {
    let begun = Instant::now();
    let mut least = (Cost::ENDLESS, Cost::ENDLESS);
    while least.0.runs < *RUNS.start() || least.0.runs < *RUNS.end() && begun.elapsed() < budget {
        least = (least.0.or(ours()), least.1.or(other()));
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_costs_wall_time_and_counting_costs_the_processor() {
        let nap = least(Duration::ZERO, || (), |()| std::thread::sleep(Duration::from_millis(20)));
        assert!(nap.wall_ns >= 2e7, "{nap:?}");
        assert_eq!(nap.runs, 3);
        let count = |sum: &mut u64| (0..3_000_000).for_each(|n| *sum = black_box(*sum ^ n));
        let count = least(Duration::ZERO, || 0, count);
        assert!(count.cpu_ns > 1e5 && count.wall_ns > 1e5, "{count:?}");
    }
}
