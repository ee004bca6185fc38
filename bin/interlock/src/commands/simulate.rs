//! `interlock simulate`: whole networks in one thread, over a virtual clock and a seeded network.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use simulation::{
    Demands, Faults, Links, Moments, Report, Scenario, SignatureMode, Work, run_seed, run_seed_twice,
    run_seeds, trace_seed,
};

use super::simulated_forks::SimulatedForks;
use crate::output::write_file;

/// Reasons for missed duties that are shown.
const REASONS_MAX: usize = 12;

/// Run networks of nodes deterministically: the machines of production over a virtual clock, with faults drawn from a
/// seed, and checkers for finality, slashing, fork choice, liveness, participation and data.
///
/// Prints a line a seed. The same seed and options give the same trace hash on any machine. Fails where a checker
/// fires, with the reason and the last lines of the trace.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// How many nodes.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=256))]
    nodes: u64,
    /// How many validators, dealt to the nodes in turn.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(8..=65_536))]
    validators: u64,
    /// How many epochs to run.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    epochs: u64,
    /// The seeds: one, or a range without its end.
    #[arg(long, default_value = "0..1", value_name = "SEED|A..B", value_parser = seeds)]
    seeds: Range<u64>,
    /// The least and most mean latency of a link, in ms; a message takes between half of its link's and three halves.
    #[arg(long, default_value = "20..80", value_name = "MS|A..B", value_parser = span)]
    latency_ms: (u64, u64),
    /// How many messages are lost, in percent.
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = basis_points)]
    loss: u32,
    /// How many messages arrive twice, in percent.
    #[arg(long, default_value = "0%", value_name = "PERCENT", value_parser = basis_points)]
    duplicates: u32,
    /// How many nodes crash and come back, once each.
    #[arg(long, default_value_t = 0)]
    crashes: usize,
    /// Let all crashes happen within a second.
    #[arg(long)]
    power_cut: bool,
    /// How long a crashed node is down, in ms.
    #[arg(long, default_value = "1000..40000", value_name = "MS|A..B", value_parser = span)]
    downtime_ms: (u64, u64),
    /// The epochs in which one half of the nodes cannot reach the other: from, and before.
    #[arg(long, value_name = "A..B", value_parser = span)]
    partition: Option<(u64, u64)>,
    /// How far a node's clock is off at most, either way, in ms.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=400))]
    clock_skew_ms: u64,
    /// The most until a write is durable, in ms.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    disk_ms: u64,
    /// Whether signatures are verified.
    #[arg(long, value_enum, default_value_t = Signatures::Real)]
    signatures: Signatures,
    /// The epoch that must be final at the end; by default three before the end, and none with a partition that
    /// leaves too little time.
    #[arg(long, value_name = "EPOCH")]
    finalized: Option<u64>,
    #[command(flatten)]
    forks: SimulatedForks,
    /// Let each seed draw the whole scenario, with more going wrong than these options can say; all of them but the
    /// seeds are ignored.
    #[arg(long)]
    swarm: bool,
    /// Run every seed twice, and fail where the two traces differ.
    #[arg(long)]
    check_determinism: bool,
    #[command(flatten)]
    records: Records,
    /// How many seeds to run at once, each on one thread.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

// What is kept of a run. No text of documentation, which would replace the command's own.
#[derive(Args)]
struct Records {
    /// Write what each node told of its fork choice to a file that the fork view plays, at most 64 MiB; with one seed
    /// only.
    #[arg(long, value_name = "FILE", conflicts_with = "check_determinism")]
    trace: Option<PathBuf>,
    /// Write every event of the seed to a file, a line each; with one seed only.
    #[arg(long, value_name = "FILE", conflicts_with = "check_determinism")]
    events: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  A lossy network and a node that crashes, each seed run twice to compare the traces:
    interlock simulate --seeds 0..4 --latency-ms 50..400 --loss 1% --crashes 1 --check-determinism

  Through every fork, with latency and one crash:
    interlock simulate --nodes 6 --epochs 17 --seeds 0..10 --latency-ms 30..250 --crashes 1 --downtime-ms 1000..20000 \
      --fork altair=2,bellatrix=4,capella=6,deneb=8,electra=10,fulu=12 --blobs 2 --strict --participation 80

  Two halves that cannot reach each other for two epochs, as a film for the fork view:
    interlock simulate --nodes 6 --epochs 7 --partition 2..4 --trace split.jsonl

  A node that withholds its columns:
    interlock simulate --nodes 6 --epochs 6 --fork fulu=0 --blobs 2 --withhold-columns 1";

/// Whether signatures are verified.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Signatures {
    /// Each once, for all nodes.
    Real,
    /// Not at all: nobody forges any.
    Assumed,
}

impl Simulate {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let scenario = self.scenario()?;
        let seeds: Vec<u64> = self.seeds.clone().collect();
        ensure!(!seeds.is_empty(), "no seeds in {:?}", self.seeds);
        let scenario_of = |seed| if self.swarm { Scenario::drawn(seed) } else { scenario.clone() };
        let run = |seed| match self.check_determinism {
            true => run_seed_twice(&scenario_of(seed), seed),
            false => run_seed(&scenario_of(seed), seed),
        };
        let begin = Instant::now();
        let reports = match (self.records.trace.is_some() || self.records.events.is_some(), seeds.as_slice())
        {
            (false, _) => run_seeds(&seeds, usize::from(self.threads), run, |report| println!("{report}")),
            (true, [seed]) => vec![self.record(&scenario_of(*seed), *seed)?],
            (true, _) => bail!("--trace and --events are for one seed"),
        };
        for (why, count) in missed(&reports) {
            println!("missed {count:>5}  {why}");
        }
        println!("{}", self.summary(&reports, begin.elapsed().as_secs_f64()));
        let failed: Vec<String> = reports
            .iter()
            .filter(|report| report.violation.is_some())
            .map(|report| report.seed.to_string())
            .collect();
        if !failed.is_empty() {
            bail!("{} of {} seeds failed: {}", failed.len(), seeds.len(), failed.join(", "));
        }
        Ok(())
    }

    /// Runs one seed and writes what was kept of it.
    fn record(&self, scenario: &Scenario, seed: u64) -> anyhow::Result<Report> {
        let (report, recording) = trace_seed(scenario, seed);
        println!("{report}");
        if let Some(path) = &self.records.events {
            write_file(path, (recording.events.join("\n") + "\n").as_bytes())?;
        }
        if let Some(path) = &self.records.trace {
            write_file(path, recording.film.text().as_bytes())?;
            if !recording.film.is_whole() {
                println!("the trace ends before the network does: it reached its bound");
            }
        }
        Ok(report)
    }

    fn summary(&self, reports: &[Report], real_s: f64) -> String {
        let runs = if self.check_determinism { 2.0 } else { 1.0 };
        let virtual_s: f64 =
            reports.iter().map(|report| report.elapsed_ms as f64 / 1000.0).sum::<f64>() * runs;
        let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
        format!(
            "{} seeds{}: {} blocks, {} gossip messages, {} crashes, {} of engines, {} engine calls, {} slashable signatures checked, \
             {} signature verdicts by {} pairings; {virtual_s:.0} s of the world in {real_s:.1} s, {:.0}x",
            reports.len(),
            if self.check_determinism {
                ", each twice with the same trace unless said otherwise"
            } else {
                ""
            },
            sum(|report| report.counts.blocks),
            sum(|report| report.counts.gossip),
            sum(|report| report.counts.crashes),
            sum(|report| report.counts.engine_crashes),
            sum(|report| report.counts.engine_calls),
            sum(|report| report.signed),
            sum(|report| report.verdicts.0),
            sum(|report| report.verdicts.1 as u64),
            virtual_s / real_s.max(1e-6),
        )
    }

    fn scenario(&self) -> anyhow::Result<Scenario> {
        let base = Scenario::baseline();
        ensure!(self.crashes as u64 <= self.nodes, "{} of {} nodes cannot crash", self.crashes, self.nodes);
        let healed = match self.partition {
            Some((from, before)) => {
                ensure!(
                    before <= self.epochs,
                    "the partition ends after the {} epochs of the run",
                    self.epochs
                );
                before + u64::from(from < before)
            }
            None => 0,
        };
        // A checkpoint is final two epochs after its own, and the last epoch is not over at the end. The first one to
        // become final is that of epoch 2.
        let reachable = self.epochs.saturating_sub(3);
        let default = (reachable >= healed.max(2)).then_some(reachable);
        self.forks.complete(Scenario {
            nodes: usize::try_from(self.nodes).context("too many nodes")?,
            validators: usize::try_from(self.validators).context("too many validators")?,
            epochs: self.epochs,
            links: Links {
                latency_ms: self.latency_ms,
                loss_bps: self.loss,
                duplicate_bps: self.duplicates,
                ..base.links
            },
            work: Work {
                clock_skew_ms: self.clock_skew_ms,
                store_ms_max: self.disk_ms,
                ack_ms_max: (self.disk_ms / 2).max(1),
                ..base.work
            },
            faults: Faults {
                end_epoch: self.epochs.saturating_sub(3).max(1),
                crashes: self.crashes,
                moments: if self.power_cut { Moments::Together } else { Moments::Apart },
                downtime_ms: self.downtime_ms,
                partition_epochs: self.partition,
                loss_bps: 0,
            },
            signatures: match self.signatures {
                Signatures::Real => SignatureMode::Real,
                Signatures::Assumed => SignatureMode::Assumed,
            },
            demands: Demands { finalized: self.finalized.or(default), ..Demands::default() },
            ..base
        })
    }
}

/// Duties missed in all worlds, by reason, the most frequent first.
fn missed(reports: &[Report]) -> Vec<(String, u64)> {
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (why, count) in reports.iter().flat_map(|report| &report.missed) {
        *all.entry(why.clone()).or_default() += count;
    }
    let mut all: Vec<(String, u64)> = all.into_iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.truncate(REASONS_MAX);
    all
}

/// `7`, or `0..20`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = bounds(text)?;
    match end {
        Some(end) if end > first => Ok(first..end),
        Some(_) => Err("the range is empty".to_owned()),
        None => Ok(first..first.checked_add(1).ok_or("too large")?),
    }
}

/// `80`, or `50..400`.
pub fn span(text: &str) -> Result<(u64, u64), String> {
    let (least, most) = bounds(text)?;
    let most = most.unwrap_or(least);
    if most < least { Err("the end is below the beginning".to_owned()) } else { Ok((least, most)) }
}

fn bounds(text: &str) -> Result<(u64, Option<u64>), String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    match text.split_once("..") {
        Some((first, end)) => Ok((number(first)?, Some(number(end)?))),
        None => Ok((number(text)?, None)),
    }
}

/// `1%`, `0.5%` or `0.5`, in ten-thousandths.
fn basis_points(text: &str) -> Result<u32, String> {
    let percent = text.trim().trim_end_matches('%').parse::<f64>().map_err(|error| error.to_string())?;
    match (0.0..=100.0).contains(&percent) {
        true => Ok((percent * 100.0).round() as u32),
        false => Err("a percentage is between 0 and 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_percentages_read_as_people_write_them() {
        assert_eq!(seeds("7"), Ok(7..8));
        assert_eq!(seeds("0..20"), Ok(0..20));
        assert_eq!(span("50..400"), Ok((50, 400)));
        assert_eq!(span("80"), Ok((80, 80)));
        assert_eq!((basis_points("1%"), basis_points("0.25")), (Ok(100), Ok(25)));
        for wrong in ["4..4", "x", "3..", "-1"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
        assert!(span("9..3").is_err() && basis_points("101%").is_err() && basis_points("-1").is_err());
    }
}
