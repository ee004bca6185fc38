//! Runs mixes, one after the other.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use types::{Epoch, ForkName};

use crate::agreement::{one_head, one_history};
use crate::cluster::{Cluster, Programs};
use crate::install::Peer;
use crate::mix::{Client, Mix, Plan};
use crate::network::Network;
use crate::participation::Tally;
use crate::report::Outcome;
use crate::watch::{Watch, unix_now};

/// From the making of the genesis state to the genesis: long enough for all processes to be there.
const GENESIS_DELAY_SECONDS: u64 = 30;
/// Beyond the epochs that a mix needs at least: for slots without a block and nodes that come late.
const SPARE_EPOCHS: u64 = 4;
/// The smallest part of the votes that the chain must have taken. A healthy network takes nearly all; an epoch or two
/// are lost where a machine is busy with other work.
const PARTICIPATION_MIN: f64 = 0.75;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The mixes, in this order.
    pub mixes: Vec<Mix>,
    /// Whole seconds a slot.
    pub slot_seconds: u64,
    /// Epochs to be finalized after the foreign part joined.
    pub epochs: u64,
    /// Validators in all, an even number.
    pub validators: u64,
    /// Where logs and data go, a folder for each mix.
    pub dir: PathBuf,
    /// The `interlock` program.
    pub interlock: PathBuf,
    /// The folder that Lodestar is installed in.
    pub lodestar: PathBuf,
}

/// Whom progress is told, in a few words at a time.
pub type Tell<'a> = dyn FnMut(Mix, &str) + 'a;

/// Runs the mixes; those after a failure run all the same. An error where nothing could be run.
pub async fn run(options: &Options, tell: &mut Tell<'_>) -> anyhow::Result<Vec<(Mix, Outcome)>> {
    ensure!(options.slot_seconds > 0, "a slot lasts at least a second");
    ensure!(
        options.validators >= 16 && options.validators.is_multiple_of(2),
        "validators: 16 or more, an even number"
    );
    let lodestar = Peer::Lodestar.program(&options.lodestar);
    if !lodestar.is_file() {
        bail!("there is no {}; `interlock interop install` installs Lodestar", lodestar.display());
    }
    let programs = Programs { interlock: options.interlock.clone(), lodestar };
    let mut outcomes = Vec::new();
    for mix in options.mixes.iter().copied() {
        let started = Instant::now();
        let mut outcome = Outcome::default();
        let mut tell = |words: &str| tell(mix, words);
        tell(mix.shows());
        let result = run_mix(options, mix, &programs, &mut outcome, &mut tell).await;
        outcome.failure = result.err().map(|error| format!("{error:#}"));
        outcome.seconds = started.elapsed().as_secs();
        let result = if outcome.failure.is_none() { "passed" } else { "FAILED" };
        tell(&format!("{result} after {} s", outcome.seconds));
        outcomes.push((mix, outcome));
    }
    Ok(outcomes)
}

async fn run_mix(
    options: &Options,
    mix: Mix,
    programs: &Programs,
    outcome: &mut Outcome,
    tell: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let dir = &options.dir.join(mix.letter().to_string());
    clear(dir)?;
    let genesis_time = unix_now() + GENESIS_DELAY_SECONDS;
    let (seconds, upgrades) = (options.slot_seconds, mix.upgrades());
    let network = Network::write(&dir.join("network"), seconds, options.validators, genesis_time, upgrades)?;
    let mut cluster = Cluster::new(network, programs.clone(), dir)?;
    let result = follow(options, mix, &mut cluster, outcome, tell).await;
    // Stopping waits for processes, which must not hold up the threads that run everything else.
    tokio::task::spawn_blocking(|| cluster.stop()).await.context("a panic while stopping")?;
    result
}

/// Removes what an earlier run left, which would be taken for this run's chain; and nothing that is not from a run.
pub fn clear(dir: &Path) -> anyhow::Result<()> {
    let name = || dir.display().to_string();
    if !dir.exists() {
        return Ok(());
    }
    let empty = std::fs::read_dir(dir).with_context(name)?.next().is_none();
    ensure!(
        empty || dir.join("network").join("genesis.ssz").is_file(),
        "{} is not from an earlier run, so it is left alone; choose another --dir",
        dir.display()
    );
    std::fs::remove_dir_all(dir).with_context(name)
}

async fn follow(
    options: &Options,
    mix: Mix,
    cluster: &mut Cluster,
    outcome: &mut Outcome,
    tell: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let plan = &mix.plan(options.validators);
    for client in &plan.nodes {
        cluster.start_node(*client).await?;
    }
    for validator in &plan.validators {
        cluster.start_validator(validator)?;
    }
    tell(&format!(
        "{} nodes answer, {} validator clients were started",
        plan.nodes.len(),
        plan.validators.len()
    ));
    let mut watch = Watch::default();
    let mut joined = Epoch(0);
    if let Some(late) = plan.late {
        let wanted = Epoch(Plan::LATE_FINALIZED);
        let deadline = deadline(cluster, wanted);
        watch.until_finalized(cluster, wanted, deadline, tell).await?;
        joined = cluster.network().epoch_at(unix_now());
        cluster.start_node(late).await?;
        tell(&format!("a late {} node was started in epoch {joined}", late.as_str()));
    }
    let goal = (joined + options.epochs).max(mix.goal());
    let deadline = deadline(cluster, goal);
    let reached = watch.until_finalized(cluster, goal, deadline, tell).await;
    let finalized = watch.finalized(cluster);
    outcome.finalized = Some(finalized.0);
    outcome.after_joining = Some(finalized.0.saturating_sub(joined.0));
    reached?;
    one_head(cluster).await?;
    let mut tally = Tally::default();
    let blocks = one_history(cluster, finalized, &mut tally).await?;
    all_forks(mix, &tally, tell)?;
    outcome.agreement = Some((blocks, cluster.nodes.len()));
    // An epoch's last votes stand in blocks of the next epoch, and genesis begins while clients still start.
    count_votes(plan, &watch, &tally, 1..finalized.0.saturating_sub(1), outcome)
}

/// Every fork of the schedule has blocks; those since the merge have payloads, and those since Altair the votes of most
/// of the sync committee.
fn all_forks(mix: Mix, tally: &Tally, tell: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    for (fork, _) in mix.upgrades() {
        let of_fork = tally.of_fork(*fork);
        let (votes, seats) = of_fork.sync_votes;
        tell(&format!(
            "{fork}: {} blocks, {} with payloads, {votes} of {seats} votes of sync committees",
            of_fork.blocks, of_fork.payloads
        ));
        ensure!(of_fork.blocks > 0, "no block of {fork} is in the chain");
        let share = votes as f64 / seats.max(1) as f64;
        ensure!(share >= PARTICIPATION_MIN, "{fork}: {votes} of {seats} votes of sync committees");
        // Bellatrix begins before the merge, which happens with its first block that can.
        let expected = match fork {
            ForkName::Altair => 0,
            ForkName::Bellatrix => of_fork.blocks / 2,
            _ => of_fork.blocks,
        };
        ensure!(of_fork.payloads >= expected, "{fork}: {of_fork:?}, too few payloads");
    }
    Ok(())
}

/// The chain finalizes an epoch two epochs later.
fn deadline(cluster: &Cluster, goal: Epoch) -> u64 {
    let network = cluster.network();
    let spec = network.spec;
    let slots = (goal + 2 + SPARE_EPOCHS).start_slot(spec).0;
    network.genesis_time + slots * spec.config.slot_duration_ms / 1000
}

fn count_votes(
    plan: &Plan,
    watch: &Watch,
    tally: &Tally,
    epochs: Range<u64>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let all = 0..plan.validators.iter().map(|part| part.range.end).max().unwrap_or(0);
    let share = tally.share(&watch.duties, &all, epochs.clone()).context("no epoch's duties are known")?;
    outcome.participation = Some(share);
    for client in [Client::Interlock, Client::Lodestar] {
        let parts: Vec<_> = plan.validators.iter().filter(|part| part.client == client).collect();
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { continue };
        let range = first.range.start..last.range.end;
        let share = tally.share(&watch.duties, &range, epochs.clone()).context("no duties are known")?;
        let blocks = tally.blocks(&range);
        outcome.by_client.push((client.as_str(), share, blocks));
        if share < PARTICIPATION_MIN || blocks == 0 {
            bail!(
                "validators on {}: {:.0} % of their votes and {blocks} of their blocks are in the chain",
                client.as_str(),
                share * 100.0
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_an_earlier_run_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mine = dir.path().join("a");
        clear(&mine).unwrap();
        std::fs::create_dir_all(mine.join("photos")).unwrap();
        assert!(clear(&mine).unwrap_err().to_string().contains("left alone"));
        assert!(mine.join("photos").is_dir());
        std::fs::create_dir_all(mine.join("network")).unwrap();
        std::fs::write(mine.join("network").join("genesis.ssz"), b"").unwrap();
        clear(&mine).unwrap();
        assert!(!mine.exists());
    }

    #[tokio::test]
    async fn without_lodestar_the_error_says_how_to_install_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            mixes: Mix::ALL.to_vec(),
            slot_seconds: 2,
            epochs: 3,
            validators: 64,
            dir: dir.path().into(),
            interlock: "interlock".into(),
            lodestar: dir.path().join("none"),
        };
        let error = run(&options, &mut |_, _| {}).await.unwrap_err().to_string();
        assert!(error.contains("interlock interop install"), "{error}");
    }
}
