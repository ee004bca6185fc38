//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use types::ForkName;

use crate::memory::Kind;

/// Measures Interlock's core against the machine and against the libraries that other clients use.
///
/// Prints a line for each measurement: CPU time of all threads and wall time (the least of several runs), what the
/// baseline takes in the same run and how many times more that is, the physical limit and how many times it is exceeded,
/// and the goal where there is one, as it stands and scaled by this machine's hashing or copying. Roots are compared with
/// the baseline's: a difference is an error.
///
/// Without options: Deneb with 1,048,576 validators, phase 0 and Fulu with 131,072, signatures, fork choice and memory,
/// in some minutes.
#[derive(Debug, Parser)]
pub struct Options {
    /// Only lines whose name contains this; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Measure the state of this file (mainnet preset, SSZ) instead of synthetic ones.
    #[arg(long, value_name = "FILE", requires = "fork")]
    state: Option<PathBuf>,
    /// The fork of that state; or, several with commas, the forks of the synthetic states.
    #[arg(long, value_name = "FORK", value_delimiter = ',')]
    fork: Vec<ForkName>,
    /// Validators in the synthetic states: numbers with commas.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    validators: Vec<usize>,
    /// Every fork at every size, and epochs with half of the votes, in a leak, and with many exits.
    #[arg(long)]
    all: bool,
    /// A small and short run that shows that everything works; its figures say little.
    #[arg(long, conflicts_with_all = ["all", "state"])]
    pub quick: bool,
    /// Write all figures to a file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Compare with such a file: exit status 1 where a ratio to the baseline fell by more than 20 %.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Write the states to files that any client reads, and measure nothing.
    #[arg(long, value_name = "DIR")]
    pub write_states: Option<PathBuf>,
    /// Print the names of the lines.
    #[arg(long)]
    pub list: bool,
    /// What a process that was started for its memory does.
    #[arg(long, hide = true)]
    pub child: Option<Kind>,
}

/// Every line's name, and what it measures.
pub const LINES: [(&str, &str); 34] = [
    ("decode", "a state from its encoding"),
    ("encode", "a state's encoding"),
    ("root-full", "the root of a state that was just read"),
    (
        "caches",
        "committees of three epochs, proposers, balance and index of keys of a state that was just read",
    ),
    ("clone", "a copy of a state"),
    ("root-after-epoch", "the root after the end of an epoch"),
    ("empty-slot", "a slot without a block, with the roots before and after it"),
    ("epoch-full", "the end of an epoch in which everyone voted"),
    ("epoch-half", "the end of an epoch in which half voted"),
    ("epoch-leak", "the same in a leak"),
    ("epoch-mass-exits", "the end of an epoch that ejects a sixteenth of the validators"),
    ("block", "a block full of attestations, without signatures"),
    ("block-signed", "the same with its signatures, as one batch"),
    ("root-after-block", "the root after such a block"),
    ("gossip-distinct", "128 votes over 128 messages"),
    ("gossip-distinct-2-threads", "the same by blst on two threads"),
    ("gossip-mixed", "128 votes over four messages"),
    ("gossip-same", "128 votes over one message"),
    ("gossip-distinct-points", "128 votes over 128 messages, their signatures decompressed before"),
    ("gossip-same-points", "128 votes over one message, their signatures decompressed before"),
    ("same-of-distinct", "the share that one message takes of what 128 take"),
    ("same-of-distinct-points", "the same where the signatures were decompressed before"),
    ("aggregates", "128 aggregates of 128 keys each, over 128 messages"),
    ("aggregates-2-threads", "the same by blst on two threads"),
    (
        "votes-in-order",
        "every validator's vote moves, the members of a committee being neighbours, and the head",
    ),
    ("votes-all", "the same with members drawn from everywhere, each vote a cache line of its own"),
    ("votes-32k", "32,768 votes move, and the head"),
    ("votes-none", "the head where nothing changed"),
    ("rss-one", "resident memory of a process with one state, its root and its caches"),
    ("rss-after-epoch", "the same after the end of the epoch"),
    ("rss-highest", "the most that it had on the way"),
    ("64-slots-of-one", "memory of 64 states an empty slot apart, over that of one"),
    ("64-blocks-of-one", "memory of 64 states a full block apart, over that of one"),
    ("16-epochs-of-one", "memory of 16 states an epoch apart, over that of one"),
];

/// True for lines that are measured on a state.
pub fn is_of_states(name: &str) -> bool {
    !["gossip", "same-of", "aggregates", "votes"].iter().any(|other| name.starts_with(other))
}

const SIZES: [usize; 4] = [1 << 14, 1 << 17, 1 << 19, 1 << 20];

/// What is to be measured.
#[derive(Debug)]
pub struct Work {
    /// States: fork and validators.
    pub states: Vec<(ForkName, usize)>,
    /// True where epochs without full participation belong to it.
    pub has_all_epochs: bool,
    /// Trees of fork choice, by their blocks.
    pub trees: Vec<usize>,
    /// Validators that vote in them.
    pub voters: u32,
}

impl Options {
    /// The file that is to be measured, and its fork.
    pub fn state_file(&self) -> anyhow::Result<Option<(PathBuf, ForkName)>> {
        let Some(state) = self.state.clone() else { return Ok(None) };
        Ok(Some((state, *self.fork.first().context("--state needs --fork")?)))
    }

    /// What is to be measured where it is no file.
    pub fn work(&self) -> anyhow::Result<Work> {
        use ForkName::{Deneb, Fulu, Phase0};
        let product = |forks: &[ForkName], sizes: &[usize]| -> Vec<(ForkName, usize)> {
            forks.iter().flat_map(|fork| sizes.iter().map(|size| (*fork, *size))).collect()
        };
        let asked = !self.fork.is_empty() || !self.validators.is_empty();
        let states = if asked {
            let forks = if self.fork.is_empty() { vec![Phase0, Deneb, Fulu] } else { self.fork.clone() };
            let sizes = if self.validators.is_empty() { SIZES.to_vec() } else { self.validators.clone() };
            product(&forks, &sizes)
        } else if self.all {
            product(&[Phase0, Deneb, Fulu], &SIZES)
        } else if self.quick {
            product(&[Phase0, Deneb, Fulu], &SIZES[..1])
        } else {
            vec![(Phase0, SIZES[1]), (Fulu, SIZES[1]), (Deneb, SIZES[3])]
        };
        let trees = if self.quick { vec![64] } else { vec![64, 10_000, 100_000] };
        let voters = if self.quick { 1 << 16 } else { 1 << 20 };
        Ok(Work { states, has_all_epochs: self.all || asked || self.quick, trees, voters })
    }

    /// Wall time that a line may take before it is content with the runs it has.
    pub fn budget(&self) -> Duration {
        Duration::from_millis(if self.quick { 20 } else { 1500 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_the_states_that_goals_speak_of() {
        let work = Options::parse_from(["bench"]).work().unwrap();
        assert!(work.states.contains(&(ForkName::Deneb, 1 << 20)));
        assert!(work.states.contains(&(ForkName::Phase0, 1 << 17)));
        let all = Options::parse_from(["bench", "--all"]).work().unwrap();
        assert_eq!(all.states.len(), 12);
        let some = Options::parse_from(["bench", "--fork", "fulu", "--validators", "64,128"]).work().unwrap();
        assert_eq!(some.states, [(ForkName::Fulu, 64), (ForkName::Fulu, 128)]);
        assert!(Options::try_parse_from(["bench", "--state", "x"]).is_err());
    }
}
