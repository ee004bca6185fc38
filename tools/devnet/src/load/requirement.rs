//! What a network under load must reach.

use std::path::PathBuf;

use anyhow::ensure;

use super::report::LoadReport;

/// The least that the votes of a run must reach, in percent of those that were due.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requirement {
    /// Votes in blocks.
    pub inclusion: Option<f64>,
    /// Votes for the right head.
    pub head: Option<f64>,
}

/// What is to be reported of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadPlan {
    /// Where the report goes as JSON, besides the summary.
    pub file: Option<PathBuf>,
    /// What makes the run fail.
    pub requirement: Requirement,
}

impl Requirement {
    /// True where nothing is required.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what is no part of a hundred.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for percent in self.inclusion.into_iter().chain(self.head) {
            ensure!((0.0..=100.0).contains(&percent), "{percent} is no percentage");
        }
        Ok(())
    }

    /// An error that says what was not reached.
    pub fn judge(&self, report: &LoadReport) -> anyhow::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let votes = report.total();
        ensure!(votes.assigned > 0, "no epoch's votes could be judged");
        for (what, least, count) in
            [("included", self.inclusion, votes.included), ("for the right head", self.head, votes.head)]
        {
            let reached = votes.percent(count);
            if let Some(least) = least {
                ensure!(reached >= least, "{reached:.3} % of the votes were {what}, not {least} %");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EpochVotes, VoteCount};

    fn report(assigned: u64, included: u64, head: u64) -> LoadReport {
        let votes = VoteCount { assigned, included, head, ..VoteCount::default() };
        LoadReport { epochs: vec![EpochVotes { votes, ..EpochVotes::default() }], ..LoadReport::default() }
    }

    #[test]
    fn less_than_what_is_required_fails_and_says_how_much_it_was() {
        let requirement = Requirement { inclusion: Some(99.0), head: Some(98.0) };
        requirement.judge(&report(1000, 990, 980)).unwrap();
        let error = requirement.judge(&report(1000, 989, 989)).unwrap_err().to_string();
        assert_eq!(error, "98.900 % of the votes were included, not 99 %");
        let error = requirement.judge(&report(1000, 1000, 979)).unwrap_err().to_string();
        assert_eq!(error, "97.900 % of the votes were for the right head, not 98 %");
        assert!(requirement.judge(&report(0, 0, 0)).is_err(), "nothing judged is nothing reached");
        Requirement::default().judge(&report(0, 0, 0)).unwrap();
    }

    #[test]
    fn a_percentage_is_part_of_a_hundred() {
        assert!(Requirement { inclusion: Some(101.0), head: None }.check().is_err());
        assert!(Requirement { inclusion: None, head: Some(f64::NAN) }.check().is_err());
        Requirement { inclusion: Some(100.0), head: Some(0.0) }.check().unwrap();
    }
}
