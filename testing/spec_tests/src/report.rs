//! Counts per preset, fork, runner and handler; failures; what was skipped and why.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::{Case, Outcome};

/// How many failures, and how many notes, are shown in full.
const SHOWN: usize = 50;
/// How many files that belong to no case are named.
const STRAYS_SHOWN: usize = 10;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Passed, failed, skipped; by preset, fork, runner and handler.
    counts: BTreeMap<String, [usize; 3]>,
    failures: Vec<String>,
    /// Cases by the reason why they were skipped.
    reasons: BTreeMap<String, usize>,
    /// Files of passed cases by the reason why they were not read.
    unneeded: BTreeMap<String, usize>,
    notes: Vec<String>,
    strays: Vec<String>,
}

impl Report {
    /// Adds a case.
    pub fn add(&mut self, case: &Case, outcome: Outcome) {
        self.notes.extend(case.notes().iter().map(|note| format!("{}: {note}", case.id())));
        let line = format!("{}/{}/{}/{}", case.preset, case.fork, case.runner, case.handler);
        let counts = self.counts.entry(line).or_default();
        match outcome {
            Outcome::Passed => {
                counts[0] += 1;
                for (name, why) in case.unneeded() {
                    *self.unneeded.entry(format!("{name} {why}")).or_default() += 1;
                }
            }
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

    /// Ends the run: names the files that belong to no case, and sorts what threads have mixed.
    pub fn finish(&mut self, strays: Vec<String>) {
        self.strays = strays;
        self.failures.sort();
        self.notes.sort();
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

    /// The totals in one line.
    pub fn summary(&self) -> String {
        counted(self.totals())
    }

    /// Totals by so many of preset, fork and runner.
    fn totals_by(&self, names: usize) -> BTreeMap<&str, [usize; 3]> {
        let mut totals: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for (line, counts) in &self.counts {
            let end = line.match_indices('/').nth(names - 1).map_or(line.len(), |(at, _)| at);
            let sum = totals.entry(&line[..end]).or_default();
            *sum = [0, 1, 2].map(|i| sum[i] + counts[i]);
        }
        totals
    }
}

fn counted([passed, failed, skipped]: [usize; 3]) -> String {
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// A line per handler, then one per runner, fork and preset, the failures, and the reasons of skipping.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, counts) in &self.counts {
            writeln!(f, "{line}: {}", counted(*counts))?;
        }
        // By preset, fork and runner, by preset and fork, by preset.
        for names in [3, 2, 1] {
            for (line, counts) in self.totals_by(names) {
                writeln!(f, "all of {line}: {}", counted(counts))?;
            }
        }
        for (title, lines) in [("note", &self.notes), ("FAILED", &self.failures)] {
            for line in lines.iter().take(SHOWN) {
                writeln!(f, "{title} {line}")?;
            }
            if lines.len() > SHOWN {
                writeln!(f, "{title}: {} more", lines.len() - SHOWN)?;
            }
        }
        for (why, count) in &self.reasons {
            writeln!(f, "skipped {count} cases: {why}")?;
        }
        for (why, count) in &self.unneeded {
            writeln!(f, "skipped {count} files of passed cases: {why}")?;
        }
        if !self.strays.is_empty() {
            let named =
                self.strays.iter().take(STRAYS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if self.strays.len() > STRAYS_SHOWN { " …" } else { "" };
            writeln!(f, "skipped {} files that belong to no case: {named}{more}", self.strays.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(path: &str) -> Case {
        let names: Vec<String> = path.split('/').map(str::to_owned).collect();
        Case::new(&names, BTreeMap::new())
    }

    #[test]
    fn every_case_is_counted_once_under_its_handler_runner_fork_and_preset() {
        let mut report = Report::default();
        report.add(&case("minimal/phase0/sanity/slots/suite/a"), Outcome::Passed);
        report.add(&case("minimal/phase0/sanity/slots/suite/b"), Outcome::Passed);
        let skipped = case("minimal/phase0/sanity/blocks/suite/c");
        skipped.note("is late".into());
        report.add(&skipped, Outcome::Skipped("no time".into()));
        assert!(report.is_success());
        report.add(&case("minimal/altair/sanity/blocks/suite/d"), Outcome::Failed("wrong".into()));
        assert!(!report.is_success());
        report.finish(vec!["README".into()]);
        let expected = "\
minimal/altair/sanity/blocks: 0 passed, 1 failed, 0 skipped
minimal/phase0/sanity/blocks: 0 passed, 0 failed, 1 skipped
minimal/phase0/sanity/slots: 2 passed, 0 failed, 0 skipped
all of minimal/altair/sanity: 0 passed, 1 failed, 0 skipped
all of minimal/phase0/sanity: 2 passed, 0 failed, 1 skipped
all of minimal/altair: 0 passed, 1 failed, 0 skipped
all of minimal/phase0: 2 passed, 0 failed, 1 skipped
all of minimal: 2 passed, 1 failed, 1 skipped
note minimal/phase0/sanity/blocks/suite/c: is late
FAILED minimal/altair/sanity/blocks/suite/d: wrong
skipped 1 cases: no time
skipped 1 files that belong to no case: README
";
        assert_eq!(report.to_string(), expected);
        assert_eq!(report.summary(), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_run_in_which_nothing_passed_is_no_success() {
        let mut report = Report::default();
        assert!(!report.is_success());
        report.add(&case("minimal/altair/sanity/blocks/suite/d"), Outcome::Skipped("no time".into()));
        assert!(!report.is_success());
    }
}
