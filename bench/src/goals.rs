//! What must be reached, as the machine of the goals measures; and the same where the machine is another.

use std::fmt;

use crate::line::{Line, Unit, show};
use crate::machine::{Machine, OF_GOALS};

/// What a line is bound by, and so what a goal is scaled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Hashing.
    Hashes,
    /// Moving bytes.
    Bytes,
    /// Nothing of the machine.
    Nothing,
}

/// What a line must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No more than so much of the line's unit, on the machine of the goals.
    AtMost(f64, Bound),
    /// Less than the baseline by so much: baseline / ours.
    Ratio(f64),
}

const US: f64 = 1e3;
const MS: f64 = 1e6;
const MILLION: &str = "deneb 1048576";

impl Goal {
    /// The goal of a line.
    pub fn of(name: &str, subject: &str) -> Option<Self> {
        use Bound::{Bytes, Hashes, Nothing};
        let goal = match (name, subject) {
            ("epoch-full", MILLION) => Self::AtMost(60.0 * MS, Bytes),
            ("epoch-full", "phase0 131072") => Self::AtMost(8.0 * MS, Bytes),
            ("root-after-epoch", MILLION) => Self::AtMost(20.0 * MS, Hashes),
            ("root-full", MILLION) => Self::AtMost(500.0 * MS, Hashes),
            ("decode", MILLION) => Self::AtMost(60.0 * MS, Bytes),
            ("encode", MILLION) => Self::AtMost(40.0 * MS, Bytes),
            ("caches", MILLION) => Self::AtMost(300.0 * MS, Hashes),
            ("empty-slot", MILLION) => Self::AtMost(20.0 * US, Hashes),
            ("clone", MILLION) => Self::AtMost(50.0 * US, Nothing),
            ("rss-after-epoch", MILLION) => Self::AtMost(f64::from(400 << 20), Nothing),
            ("64-slots-of-one", MILLION) => Self::AtMost(1.15, Nothing),
            ("decode-ratio", MILLION) => Self::Ratio(5.0),
            ("root-full-ratio", MILLION) => Self::Ratio(3.0),
            // Within 1.2 of blst alone.
            ("block-signed", _) => Self::Ratio(1.0 / 1.2),
            // From points, as batches get them; from bytes decompression alone is 6 % of the batch of distinct ones.
            ("same-of-distinct-points", _) => Self::AtMost(0.08, Nothing),
            ("votes-all" | "votes-in-order", "64 blocks") => Self::AtMost(8.0 * MS, Bytes),
            ("votes-all" | "votes-in-order", "10000 blocks") => Self::AtMost(10.0 * MS, Bytes),
            ("votes-all" | "votes-in-order", "100000 blocks") => Self::AtMost(12.0 * MS, Bytes),
            ("votes-32k", "100000 blocks") => Self::AtMost(5.0 * MS, Bytes),
            ("votes-none", "100000 blocks") => Self::AtMost(10.0 * US, Nothing),
            _ => return None,
        };
        Some(goal)
    }

    /// Whether a line reaches it, by the figure as it stands and by the one for this machine.
    pub fn judge(self, line: &Line, machine: &Machine) -> Verdict {
        match self {
            Self::AtMost(most, bound) => {
                let scaled = most * factor(bound, machine);
                let text = if bound == Bound::Nothing {
                    format!("<= {}", show(line.unit, most))
                } else {
                    format!("<= {} ({} here)", show(line.unit, most), show(line.unit, scaled))
                };
                Verdict { text, met: line.ours <= most, met_here: line.ours <= scaled }
            }
            Self::Ratio(least) => {
                let met = line.ratio().is_some_and(|ratio| ratio >= least);
                Verdict { text: format!(">= x{}", show(Unit::Ratio, least)), met, met_here: met }
            }
        }
    }
}

/// How much longer this machine takes than the one of the goals.
fn factor(bound: Bound, machine: &Machine) -> f64 {
    match bound {
        Bound::Hashes => machine.speed.hash_ns / OF_GOALS.hash_ns,
        Bound::Bytes => machine.speed.copy_ns / OF_GOALS.copy_ns,
        Bound::Nothing => 1.0,
    }
}

/// What became of a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The goal.
    pub text: String,
    /// Met as it stands.
    pub met: bool,
    /// Met by the figure scaled to this machine.
    pub met_here: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.met, self.met_here) {
            (true, _) => "met",
            (false, true) => "met here",
            (false, false) => "MISSED",
        };
        write!(f, "{}: {word}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Cost;
    use crate::machine::Speed;

    fn machine(hash_ns: f64) -> Machine {
        Machine {
            speed: Speed { hash_ns, ..OF_GOALS },
            batched_hash_ns: hash_ns / 2.5,
            cpu: "a CPU".to_owned(),
            cores: 2,
            versions: [String::new(), String::new()],
        }
    }

    fn line(ms: f64) -> Line {
        let cost = Cost { cpu_ns: ms * MS, wall_ns: ms * MS, runs: 3 };
        Line::time("root-full", MILLION, cost)
    }

    #[test]
    fn a_goal_is_judged_as_it_stands_and_for_this_machine() {
        let verdict = |ms, hash_ns| line(ms).verdict(&machine(hash_ns)).unwrap().to_string();
        assert_eq!(verdict(499.0, 82.0), "<= 500 ms (500 ms here): met");
        assert_eq!(verdict(750.0, 82.0), "<= 500 ms (500 ms here): MISSED");
        assert_eq!(verdict(750.0, 164.0), "<= 500 ms (1.00 s here): met here");
    }

    #[test]
    fn a_ratio_needs_a_baseline() {
        let cost = Cost { cpu_ns: 10.0, wall_ns: 10.0, runs: 3 };
        let line = Line { goal: Some(Goal::Ratio(3.0)), ..Line::time("x", "y", cost) };
        assert!(!line.verdict(&machine(82.0)).unwrap().met);
        let line = line.against("slow", Cost { cpu_ns: 31.0, ..cost });
        assert!(line.verdict(&machine(82.0)).unwrap().met);
    }
}
