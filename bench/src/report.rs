//! Lines as they come, the file that keeps them, and the comparison with a file that was kept.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::line::{Line, heading};
use crate::machine::Machine;

/// By how much a ratio may fall below the one that was kept.
const FALL_MAX: f64 = 0.2;

/// What was measured so far; prints each line at once.
#[derive(Debug)]
pub struct Report {
    only: Vec<String>,
    /// The machine.
    pub machine: Machine,
    lines: Vec<Line>,
}

impl Report {
    /// A report of lines whose name contains one of the words of `only`, or of all where there are no words. Prints what
    /// stands above the table.
    pub fn begin(machine: Machine, only: Vec<String>) -> Self {
        println!("{}\n{}", machine.header(), heading());
        Self { only, machine, lines: Vec::new() }
    }

    /// True where a line of this name is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }

    /// True where one of these is asked for.
    pub fn wants_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.wants(name))
    }

    /// Takes a line.
    pub fn add(&mut self, line: Line) {
        println!("{}", line.row(&self.machine));
        self.lines.push(line);
    }

    /// The goals that were measured, counted; those missed by name.
    pub fn summary(&self) -> String {
        let judged = self.lines.iter().filter_map(|line| Some((line, line.verdict(&self.machine)?)));
        let judged: Vec<_> = judged.collect();
        let missed: Vec<String> = judged
            .iter()
            .filter(|(_, verdict)| !verdict.met && !verdict.met_here)
            .map(|(line, _)| format!("{} of {}", line.name, line.subject))
            .collect();
        let met = judged.len() - missed.len();
        if missed.is_empty() {
            format!("{met} of {} goals met", judged.len())
        } else {
            format!("{met} of {} goals met; missed: {}", judged.len(), missed.join(", "))
        }
    }

    /// Writes everything as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let speed = &self.machine.speed;
        let machine = json!({
            "cpu": self.machine.cpu,
            "threads": self.machine.cores,
            "hash_ns": rounded(speed.hash_ns),
            "batched_hash_ns": rounded(self.machine.batched_hash_ns),
            "copy_gb_per_s": rounded(1.0 / speed.copy_ns),
            "verify_ns": rounded(speed.verify_ns),
        });
        let lines: Vec<Value> = self.lines.iter().map(to_json).collect();
        let text = serde_json::to_string_pretty(&json!({ "machine": machine, "lines": lines }))?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())
    }

    /// Fails where a ratio is worse than the kept one by more than a fifth. Lines that only one side has are not compared,
    /// but something must be.
    pub fn check(&self, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let kept: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let (compared, fallen) = compare(&self.lines, &kept);
        if compared == 0 {
            bail!("{} has no line with a baseline that was measured now", path.display());
        }
        if !fallen.is_empty() {
            bail!("slower, compared with the baseline, than {}:\n  {}", path.display(), fallen.join("\n  "));
        }
        println!("{compared} ratios are no worse than in {}", path.display());
        Ok(())
    }
}

fn compare(lines: &[Line], kept: &Value) -> (usize, Vec<String>) {
    let kept = kept["lines"].as_array().map_or([].as_slice(), Vec::as_slice);
    let (mut compared, mut fallen) = (0, Vec::new());
    for line in lines {
        let same =
            |other: &&Value| other["name"] == line.name.as_str() && other["of"] == line.subject.as_str();
        let before = kept.iter().find(same).and_then(|other| other["ratio"].as_f64());
        let (Some(before), Some(now)) = (before, line.ratio()) else { continue };
        compared += 1;
        if now < before * (1.0 - FALL_MAX) {
            fallen.push(format!("{} of {}: x{now:.2}, was x{before:.2}", line.name, line.subject));
        }
    }
    (compared, fallen)
}

fn to_json(line: &Line) -> Value {
    let mut value = json!({
        "name": line.name,
        "of": line.subject,
        "unit": format!("{:?}", line.unit).to_lowercase(),
        "ours": rounded(line.ours),
    });
    if let Some((wall_ns, runs)) = line.wall_ns {
        (value["wall_ns"], value["runs"]) = (json!(rounded(wall_ns)), json!(runs));
    }
    if let Some((what, amount)) = line.baseline {
        (value["baseline"], value["baseline_takes"]) = (json!(what), json!(rounded(amount)));
        value["ratio"] = json!(rounded(amount / line.ours));
    }
    if let Some((what, amount)) = &line.limit {
        (value["limit"], value["limit_takes"]) = (json!(what), json!(rounded(*amount)));
    }
    value
}

/// Three decimals at most.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Cost;

    fn line(ours: f64, baseline: f64) -> Line {
        let cost = |cpu_ns| Cost { cpu_ns, wall_ns: cpu_ns, runs: 3 };
        Line::time("decode", "deneb 64", cost(ours)).against("milhouse", cost(baseline))
    }

    #[test]
    fn a_ratio_that_falls_by_more_than_a_fifth_is_found() {
        let kept = json!({ "lines": [to_json(&line(10.0, 50.0))] });
        assert_eq!(compare(&[line(12.0, 50.0)], &kept), (1, vec![]));
        // The machine became slower, both did.
        assert_eq!(compare(&[line(20.0, 100.0)], &kept), (1, vec![]));
        let (compared, fallen) = compare(&[line(13.0, 50.0)], &kept);
        assert_eq!(
            (compared, fallen.as_slice()),
            (1, ["decode of deneb 64: x3.85, was x5.00".to_owned()].as_slice())
        );
    }

    #[test]
    fn lines_of_one_side_are_not_compared() {
        let other = Line { subject: "deneb 128".to_owned(), ..line(10.0, 50.0) };
        assert_eq!(compare(&[line(99.0, 50.0)], &json!({ "lines": [to_json(&other)] })), (0, vec![]));
        assert_eq!(compare(&[line(99.0, 50.0)], &json!({})), (0, vec![]));
    }
}
