//! Seed after seed until the time is over or a difference is found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use types::ForkName;

use crate::case::Outcome;
use crate::drawing::draw;
use crate::judge::{Answers, Verdict, ask, judge};
use crate::peer::Peer;
use crate::recipe::{Kitchen, Recipe};
use crate::report::Finding;
use crate::shrinking::shrink;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The seeds; each is used once for every fork.
    pub seeds: Range<u64>,
    /// The forks.
    pub forks: Vec<ForkName>,
    /// `minimal` or `mainnet`.
    pub preset: String,
    /// For how long.
    pub time: Duration,
    /// Where findings are written.
    pub out: PathBuf,
    /// Whether to go on after a difference of ours.
    pub keep_going: bool,
}

/// What was run and found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases that were asked.
    pub cases: u64,
    /// Of these, how many ours accepted.
    pub accepted: u64,
    /// Seeds for which no case could be made.
    pub unmade: u64,
    /// Cases by fork and action.
    pub by_kind: BTreeMap<String, u64>,
    /// Cases to which somebody gave no answer.
    pub unanswered: u64,
    /// Known differences, by reason.
    pub known: BTreeMap<&'static str, u64>,
    /// Folders of what was found in ours.
    pub ours: Vec<PathBuf>,
    /// Folders of what was found in others, one of each kind.
    pub theirs: Vec<PathBuf>,
    /// Differences of others, by kind.
    pub their_kinds: BTreeMap<String, u64>,
    /// The seed after the last one.
    pub next_seed: u64,
    kinds: BTreeSet<String>,
}

impl Campaign {
    /// Runs it.
    pub fn run(&self, peers: &mut [Peer]) -> anyhow::Result<Tally> {
        let end = Instant::now() + self.time;
        let mut kitchen = Kitchen::default();
        let mut tally = Tally { next_seed: self.seeds.start, ..Tally::default() };
        'seeds: for seed in self.seeds.clone() {
            for fork in &self.forks {
                if Instant::now() >= end {
                    break 'seeds;
                }
                let recipe = draw(&mut kitchen, &self.preset, *fork, seed)
                    .with_context(|| format!("drawing seed {seed} of {fork}"))?;
                self.one(&mut kitchen, peers, &mut tally, &recipe)
                    .with_context(|| format!("seed {seed} of {fork}"))?;
                if !tally.ours.is_empty() && !self.keep_going {
                    break 'seeds;
                }
            }
            tally.next_seed = seed + 1;
        }
        Ok(tally)
    }

    fn one(
        &self,
        kitchen: &mut Kitchen,
        peers: &mut [Peer],
        tally: &mut Tally,
        recipe: &Recipe,
    ) -> anyhow::Result<()> {
        // On some states, such as one without active validators, no block can be made.
        let Ok(case) = kitchen.case(recipe) else {
            tally.unmade += 1;
            return Ok(());
        };
        let answers = ask(&case, peers, false);
        let verdict = judge(&case, &answers);
        tally.count(recipe, &answers);
        if answers.theirs.iter().any(|(_, outcome)| matches!(outcome, Outcome::NoAnswer(_))) {
            println!("  that was seed {} of {}, {}", recipe.seed, recipe.fork, action_word(recipe));
        }
        match &verdict {
            Verdict::Same => return Ok(()),
            Verdict::Known(reasons) => {
                for reason in reasons {
                    *tally.known.entry(reason).or_default() += 1;
                }
                return Ok(());
            }
            Verdict::OursDiffers(_) | Verdict::TheirsDiffers(_) => {}
        }
        let kind = kind_of(recipe, &answers, &verdict);
        if let Verdict::TheirsDiffers(_) = verdict {
            *tally.their_kinds.entry(kind.clone()).or_default() += 1;
        }
        // One of a kind is enough to look at.
        if !tally.kinds.insert(kind.clone()) {
            return Ok(());
        }
        println!("seed {} of {}: {kind}", recipe.seed, recipe.fork);
        let (smallest, tries) = shrink(kitchen, peers, recipe, &kind);
        let case = kitchen.case(&smallest)?;
        let answers = ask(&case, peers, true);
        let finding = Finding { recipe: &smallest, case: &case, answers: &answers, verdict: &verdict };
        let folder = finding.write(&self.out, kitchen)?;
        println!(
            "  {} of {} changes are left after {tries} tries: {}",
            smallest.mutations.len(),
            recipe.mutations.len(),
            folder.display()
        );
        match verdict {
            Verdict::OursDiffers(_) => tally.ours.push(folder),
            _ => tally.theirs.push(folder),
        }
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, recipe: &Recipe, answers: &Answers) {
        self.cases += 1;
        self.accepted += u64::from(matches!(answers.ours, Outcome::Accepted { .. }));
        let is_silent = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::NoAnswer(_));
        self.unanswered += u64::from(answers.theirs.iter().any(is_silent));
        *self.by_kind.entry(format!("{} {}", recipe.fork, action_word(recipe))).or_default() += 1;
    }

    /// Prints what was run and found.
    pub fn print(&self, elapsed: Duration) {
        let Self { cases, accepted, unanswered, .. } = self;
        println!(
            "{cases} cases in {:.0} s, {accepted} of them accepted, {unanswered} without an answer, {} seeds without a case; \
             the next seed is {}",
            elapsed.as_secs_f64(),
            self.unmade,
            self.next_seed
        );
        for (kind, count) in &self.by_kind {
            println!("  {count:>6} {kind}");
        }
        println!("known differences: {}", self.known.values().sum::<u64>());
        for (reason, count) in &self.known {
            println!("  {count:>6} {reason}");
        }
        println!("differences of others: {}", self.their_kinds.values().sum::<u64>());
        for (kind, count) in &self.their_kinds {
            println!("  {count:>6} {kind}");
        }
        println!("differences of ours: {}", self.ours.len());
        for folder in &self.ours {
            println!("  {}", folder.display());
        }
    }
}

fn action_word(recipe: &Recipe) -> String {
    match &recipe.action {
        crate::case::Action::Slots(_) => "slots".to_owned(),
        other => other.to_string(),
    }
}

/// What tells one kind of difference from another: who, in what, and the words of refusals without their numbers.
pub fn kind_of(recipe: &Recipe, answers: &Answers, verdict: &Verdict) -> String {
    let words = |outcome: &Outcome| {
        let text = match outcome {
            Outcome::Accepted { .. } => "accepted".to_owned(),
            other => other.to_string(),
        };
        // Numbers, roots and keys differ from case to case; places in source code do not.
        let plain = |word: &str| match word.chars().any(|c| c.is_ascii_digit()) && !word.contains(":") {
            true => "#".to_owned(),
            false => word.to_owned(),
        };
        let text = text.split_whitespace().map(plain).collect::<Vec<_>>().join(" ");
        text.chars().take(140).collect::<String>()
    };
    let (Verdict::OursDiffers(name) | Verdict::TheirsDiffers(name)) = verdict else { return String::new() };
    let theirs = answers.theirs.iter().find(|(other, _)| other == name).map(|(_, outcome)| words(outcome));
    let whose =
        if matches!(verdict, Verdict::OursDiffers(_)) { "ours differs from" } else { "differs from ours:" };
    format!(
        "{}: {whose} {name}: ours {}; {name} {}",
        action_word(recipe),
        words(&answers.ours),
        theirs.unwrap_or_default()
    )
}
