//! A line of the table: what was measured, and what it stands against.

use crate::clock::Cost;
use crate::goals::{Goal, Verdict};
use crate::machine::Machine;

/// What an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds of CPU time.
    Time,
    /// Bytes.
    Memory,
    /// One amount divided by another.
    Ratio,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was measured: a word for `--only`.
    pub name: String,
    /// Of what: fork and validators.
    pub subject: String,
    /// What `ours` and `baseline` count.
    pub unit: Unit,
    /// What Interlock takes.
    pub ours: f64,
    /// Wall time in nanoseconds, and the runs that the least was taken of.
    pub wall_ns: Option<(f64, u32)>,
    /// What the same costs otherwise, and how.
    pub baseline: Option<(&'static str, f64)>,
    /// What no implementation on this machine would go below, and why.
    pub limit: Option<(String, f64)>,
    /// What must be reached.
    pub goal: Option<Goal>,
}

impl Line {
    /// A line about time.
    pub fn time(name: &str, subject: &str, ours: Cost) -> Self {
        let wall_ns = Some((ours.wall_ns, ours.runs));
        Self { wall_ns, ..Self::amount(name, subject, Unit::Time, ours.cpu_ns) }
    }

    /// A line about another amount.
    pub fn amount(name: &str, subject: &str, unit: Unit, ours: f64) -> Self {
        let goal = Goal::of(name, subject);
        let (name, subject) = (name.to_owned(), subject.to_owned());
        Self { name, subject, unit, ours, wall_ns: None, baseline: None, limit: None, goal }
    }

    /// The same beside what does it otherwise.
    pub fn against(self, what: &'static str, cost: Cost) -> Self {
        Self { baseline: Some((what, cost.cpu_ns)), ..self }
    }

    /// The same beside what cannot be gone below.
    pub fn limited_by(self, what: impl Into<String>, amount: f64) -> Self {
        Self { limit: Some((what.into(), amount)), ..self }
    }

    /// How many times more the baseline takes.
    pub fn ratio(&self) -> Option<f64> {
        self.baseline.map(|(_, baseline)| baseline / self.ours)
    }

    /// Whether the goal is met, where there is one.
    pub fn verdict(&self, machine: &Machine) -> Option<Verdict> {
        self.goal.as_ref().map(|goal| goal.judge(self, machine))
    }

    /// The row of the table.
    pub fn row(&self, machine: &Machine) -> String {
        let wall = self.wall_ns.map_or(String::new(), |(ns, _)| show(Unit::Time, ns));
        let runs = self.wall_ns.map_or(String::new(), |(_, runs)| runs.to_string());
        let baseline = self.baseline.map_or(String::new(), |(what, amount)| {
            format!("{} {what} x{:.2}", show(self.unit, amount), amount / self.ours)
        });
        let limit = self.limit.as_ref().map_or(String::new(), |(what, amount)| {
            format!("{} {what} /{:.1}", show(self.unit, *amount), self.ours / amount)
        });
        let verdict = self.verdict(machine).map_or(String::new(), |verdict| verdict.to_string());
        format!(
            "{:<26} {:<16} {:>10} {:>10} {:>4}  {:<28} {:<38} {}",
            self.name,
            self.subject,
            show(self.unit, self.ours),
            wall,
            runs,
            baseline,
            limit,
            verdict
        )
    }
}

/// The names of the columns.
pub fn heading() -> String {
    format!(
        "{:<26} {:<16} {:>10} {:>10} {:>4}  {:<28} {:<38} {}",
        "line", "of", "cpu", "wall", "runs", "baseline x times ours", "limit / ours over it", "goal"
    )
}

/// An amount with three digits and its unit.
pub fn show(unit: Unit, amount: f64) -> String {
    let (value, unit) = match unit {
        Unit::Ratio => (amount, ""),
        Unit::Memory => (amount / f64::from(1 << 20), " MiB"),
        Unit::Time if amount >= 1e9 => (amount / 1e9, " s"),
        Unit::Time if amount >= 1e6 => (amount / 1e6, " ms"),
        Unit::Time if amount >= 1e3 => (amount / 1e3, " us"),
        Unit::Time => (amount, " ns"),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_with_a_fitting_unit() {
        assert_eq!(show(Unit::Time, 12_345.0), "12.3 us");
        assert_eq!(show(Unit::Time, 1_234_567_890.0), "1.23 s");
        assert_eq!(show(Unit::Memory, 157_286_400.0), "150 MiB");
        assert_eq!(show(Unit::Ratio, 1.154), "1.15");
    }
}
