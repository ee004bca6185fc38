//! Counts per preset, fork, runner and handler; failures; reasons of skipping.

use std::collections::BTreeMap;

use crate::case::{Case, Outcome};

/// How many failures are shown in full.
const FAILURES_SHOWN: usize = 50;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    counts: BTreeMap<String, [usize; 3]>,
    failures: Vec<String>,
    reasons: BTreeMap<String, usize>,
}

impl Report {
    /// Adds a case.
    pub fn add(&mut self, case: &Case, outcome: Outcome) {
        let line = format!("{}/{}/{}/{}", case.preset, case.fork, case.runner, case.handler);
        let counts = self.counts.entry(line).or_default();
        match outcome {
            Outcome::Passed => counts[0] += 1,
            Outcome::Failed(why) => {
                counts[1] += 1;
                self.failures.push(format!("{}: {why}", case.id()));
            }
            Outcome::Skipped(why) => {
                counts[2] += 1;
                *self.reasons.entry(why).or_default() += 1;
            }
        }
    }

    /// Passed, failed and skipped cases.
    pub fn totals(&self) -> [usize; 3] {
        self.counts.values().fold([0; 3], |sum, counts| [0, 1, 2].map(|i| sum[i] + counts[i]))
    }

    /// True where something ran and nothing failed.
    pub fn is_success(&self) -> bool {
        let [passed, failed, _] = self.totals();
        passed > 0 && failed == 0
    }

    /// Prints a line per handler, the failures, the reasons of skipping, and the totals last.
    pub fn print(&self) {
        for (line, [passed, failed, skipped]) in &self.counts {
            println!("{line}: {passed} passed, {failed} failed, {skipped} skipped");
        }
        for failure in self.failures.iter().take(FAILURES_SHOWN) {
            println!("FAILED {failure}");
        }
        if self.failures.len() > FAILURES_SHOWN {
            println!("… and {} more failures", self.failures.len() - FAILURES_SHOWN);
        }
        for (why, count) in &self.reasons {
            println!("skipped {count}: {why}");
        }
        let [passed, failed, skipped] = self.totals();
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }
}
