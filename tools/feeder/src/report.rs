//! What came of a run.

use std::fmt;

use anyhow::ensure;

use crate::log::Import;
use crate::process::Usage;

/// A part of the time of an import, in milliseconds.
type Part = fn(&Import) -> f64;

/// What must be kept to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most that may be resident at any time, in MiB.
    pub resident_mib: u64,
    /// The most that 95 of 100 imports may take, in milliseconds.
    pub import_p95_ms: f64,
}

/// A start of the node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// From the start of the process until its API answers, in seconds.
    pub seconds: f64,
    /// What it used by then.
    pub usage: Usage,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Blocks that were fed.
    pub blocks: u64,
    /// The start on the genesis state.
    pub start: Start,
    /// What the node used before the first block, its start digested.
    pub at_rest: Usage,
    /// What it used at the end.
    pub end: Usage,
    /// Its imports, in order.
    pub imports: Vec<Import>,
    /// How long the first question for attestation data of each epoch took, asked as the epoch begins, in milliseconds.
    pub first_votes_ms: Vec<f64>,
    /// The start on what was stored, where there was one.
    pub restart: Option<Start>,
    /// Lines of the log at error level.
    pub errors: Vec<String>,
}

/// The value that so many percent of the values are not above; zero where there are none.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil().max(1.0) as usize;
    values.get(rank - 1).copied().unwrap_or_default()
}

impl Report {
    fn of(&self, part: impl Fn(&Import) -> f64, percent: f64) -> f64 {
        percentile(self.imports.iter().map(part), percent)
    }

    /// An error that says what was not kept to.
    pub fn judge(&self, bounds: Bounds) -> anyhow::Result<()> {
        ensure!(self.errors.is_empty(), "the node's log has errors, the first: {}", self.errors[0]);
        let heads = self.imports.iter().filter(|import| import.is_head).count() as u64;
        ensure!(heads == self.blocks, "{heads} of {} blocks became the head", self.blocks);
        let p95 = self.of(|import| import.total, 95.0);
        let (most, ms) = (bounds.resident_mib, bounds.import_p95_ms);
        ensure!(p95 <= ms, "95 of 100 imports took up to {p95:.0} ms, not {ms:.0}");
        ensure!(
            self.end.peak_mib <= most as f64,
            "{:.0} MiB were resident, not {most} at most",
            self.end.peak_mib
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = |f: &mut fmt::Formatter<'_>, what: &str, start: &Start| {
            let Usage { resident_mib, peak_mib, cpu_seconds } = start.usage;
            writeln!(
                f,
                "{what}: {:.1} s, {cpu_seconds:.1} s of CPU, {resident_mib:.0} MiB resident, {peak_mib:.0} at most",
                start.seconds
            )
        };
        start(f, "start on genesis", &self.start)?;
        writeln!(f, "before the first block: {:.0} MiB resident", self.at_rest.resident_mib)?;
        writeln!(
            f,
            "after {} blocks: {:.0} MiB resident, {:.0} at most, {:.1} s of CPU since the first block was due",
            self.blocks,
            self.end.resident_mib,
            self.end.peak_mib,
            self.end.cpu_seconds - self.at_rest.cpu_seconds
        )?;
        writeln!(f, "imports, ms        p50     p95     max")?;
        let parts: [(&str, Part); 7] = [
            ("all", |import| import.total),
            ("checks", |import| import.checks),
            ("waited", |import| import.waited),
            ("signatures", |import| import.signatures),
            ("transition", |import| import.transition),
            ("head", |import| import.head),
            ("all unstalled", |import| import.total - import.stalled),
        ];
        for (name, part) in parts {
            let [p50, p95, max] = [50.0, 95.0, 100.0].map(|percent| self.of(part, percent));
            writeln!(f, "  {name:<13}{p50:>8.1}{p95:>8.1}{max:>8.1}")?;
        }
        let first = self.imports.iter().filter(|import| import.slot % 32 == 0);
        let first: Vec<String> = first.map(|import| format!("{:.0}", import.total)).collect();
        writeln!(f, "imports of the first blocks of epochs: {} ms", first.join(", "))?;
        let votes: Vec<String> = self.first_votes_ms.iter().map(|ms| format!("{ms:.0}")).collect();
        write!(f, "attestation data as an epoch begins: {} ms", votes.join(", "))?;
        if let Some(restart) = &self.restart {
            writeln!(f)?;
            start(f, "start on what was stored", restart)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let values = || (1..=64).map(f64::from);
        assert_eq!(percentile(values(), 50.0), 32.0);
        assert_eq!(percentile(values(), 95.0), 61.0);
        assert_eq!(percentile(values(), 100.0), 64.0);
        assert_eq!(percentile([], 95.0), 0.0);
        assert_eq!(percentile([3.0], 1.0), 3.0);
    }

    #[test]
    fn what_is_missed_is_named() {
        let import = Import { total: 100.0, is_head: true, ..Import::default() };
        let end = Usage { peak_mib: 1000.0, ..Usage::default() };
        let report = Report { blocks: 2, imports: vec![import; 2], end, ..Report::default() };
        let bounds = Bounds { resident_mib: 1000, import_p95_ms: 100.0 };
        report.judge(bounds).unwrap();
        let missed = |report: &Report, bounds| report.judge(bounds).unwrap_err().to_string();
        assert!(missed(&report, Bounds { resident_mib: 999, ..bounds }).contains("MiB were resident"));
        assert!(missed(&report, Bounds { import_p95_ms: 99.0, ..bounds }).contains("imports took"));
        let report = Report { blocks: 3, ..report };
        assert!(missed(&report, bounds).contains("2 of 3 blocks"));
        let report = Report { errors: vec!["ERROR boom".to_owned()], ..report };
        assert!(missed(&report, bounds).contains("boom"));
    }
}
