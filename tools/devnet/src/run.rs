//! A whole run: start, watch, end, judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};
use types::{Epoch, Slot};

use crate::drill::catch_up_deadline;
use crate::launch::{signers, unix_ms};
use crate::load::{LoadWatch, SETTLE_SLOTS};
use crate::processes::STOP_DEADLINE;
use crate::progress::{Row, Snapshot};
use crate::{
    DataDrill, Devnet, DevnetPlan, Finality, Foreign, KillDrill, LoadReport, Missed, NodeStatus,
    Participation, Partition, Progress, Signatures, SignedLog, Summary,
};

/// Epochs from an epoch to its finality when everybody votes: it is justified when it ends, and final when the next ends.
const FINALITY_EPOCHS: u64 = 2;
/// Epochs that a network may take longer than that.
const SLACK_EPOCHS: u64 = 3;
/// And the time that does not depend on its slots.
const SLACK: Duration = Duration::from_secs(60);

/// Runs a network until its end is reached, it fails, or it is interrupted; then stops all its processes, judges what was
/// signed, and prints a summary. Progress and summary go to standard output.
///
/// An error says why the network did not do what it should. An interruption is an error only where an end was set.
pub async fn run(plan: DevnetPlan, foreign: Vec<Box<dyn Foreign>>) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    plan.check(signers(&plan, &foreign))?;
    println!(
        "starting {} nodes with {} validators (preset {}, slots of {} ms) in {}",
        plan.nodes,
        plan.validators,
        plan.preset,
        plan.slot_ms,
        plan.dir.display()
    );
    let starting = Devnet::start(plan, &foreign);
    let devnet = tokio::select! {
        devnet = starting => devnet?,
        _ = interrupt.recv() => bail!("interrupted while starting"),
        _ = terminate.recv() => bail!("terminated while starting"),
    };
    let mut watch = Watch::new(devnet);
    let end = tokio::select! {
        end = watch.drive() => end,
        _ = interrupt.recv() => watch.interrupted(),
        _ = terminate.recv() => watch.interrupted(),
    };
    watch.progress.finish();
    watch.devnet.processes.stop_all(STOP_DEADLINE);
    let load = watch.load.take().map(|load| load.report(&watch.devnet));
    let written = write_report(&watch.devnet.plan, load.as_ref());
    let summary = watch.summary(begun, load);
    let (summary, judged) = match summary {
        Ok(summary) => (Some(summary), Ok(())),
        Err(error) => (None, Err(error)),
    };
    if let Some(summary) = &summary {
        println!("{summary}");
    }
    // What went wrong first is the reason; what the logs say comes after it.
    end?;
    judged?;
    written?;
    let summary = summary.ok_or_else(|| anyhow!("no summary"))?;
    judge(&summary)?;
    if let (Some(plan), Some(report)) = (&watch.devnet.plan.load, &summary.load) {
        plan.requirement.judge(report)?;
    }
    Ok(summary)
}

fn write_report(plan: &DevnetPlan, report: Option<&LoadReport>) -> anyhow::Result<()> {
    let file = plan.load.as_ref().and_then(|load| load.file.as_deref());
    let (Some(file), Some(report)) = (file, report) else { return Ok(()) };
    let text = serde_json::to_string_pretty(&report.to_json()).context("a report is JSON")?;
    std::fs::write(file, text + "\n").with_context(|| file.display().to_string())
}

fn judge(summary: &Summary) -> anyhow::Result<()> {
    let slashable = &summary.signatures.slashable;
    if let Some(first) = slashable.first() {
        bail!("validators signed {} slashable messages: {first}", slashable.len());
    }
    // A judge of empty logs would find everybody innocent.
    ensure!(
        summary.finalized.is_none() || summary.signatures.attestations > 0,
        "blocks were finalized, but no validator client noted that it signed anything"
    );
    Ok(())
}

/// A network that is watched.
struct Watch {
    devnet: Devnet,
    progress: Progress,
    finality: Finality,
    drill: Option<KillDrill>,
    data_drill: Option<DataDrill>,
    partition: Option<Partition>,
    /// From genesis on, where a report is wanted.
    load: Option<LoadWatch>,
    /// By node, the participation of each epoch.
    participation: Vec<BTreeMap<Epoch, Participation>>,
    heads: Vec<Option<Slot>>,
    /// Slots that some node's chain has no block of.
    missed: BTreeSet<Slot>,
    /// When the end must be reached, in Unix milliseconds.
    deadline: Option<u64>,
    late_start: bool,
}

impl Watch {
    fn new(devnet: Devnet) -> Self {
        let nodes = devnet.members.len();
        let drill = devnet.plan.drills.map(KillDrill::new);
        let data_drill = devnet.plan.data_drill.clone().map(DataDrill::new);
        let partition = devnet.plan.partition.clone().map(Partition::new);
        let mut watch = Self {
            progress: Progress::new(),
            finality: Finality::default(),
            drill,
            data_drill,
            partition,
            load: None,
            participation: vec![BTreeMap::new(); nodes],
            heads: vec![None; nodes],
            missed: BTreeSet::new(),
            deadline: None,
            late_start: unix_ms() > devnet.genesis_time * 1000,
            devnet,
        };
        watch.deadline = watch.deadline();
        watch
    }

    /// Where no end is set, there is no deadline.
    fn deadline(&self) -> Option<u64> {
        let plan = &self.devnet.plan;
        if !self.waits() && plan.until_epoch.is_none() {
            return None;
        }
        let drilled = self.data_drill.as_ref().map(DataDrill::final_epoch);
        let drilled = drilled.max(self.partition.as_ref().map(Partition::last_epoch));
        let epoch = plan.until_finalized.max(drilled).max(plan.until_epoch).unwrap_or(Epoch(1)).0;
        let epoch_ms = self.devnet.spec.preset.slots_per_epoch * self.devnet.spec.config.slot_duration_ms;
        let mut ms = (epoch + FINALITY_EPOCHS + SLACK_EPOCHS) * epoch_ms + millis(SLACK);
        if let Some(drills) = plan.drills {
            // A drill waits for its epoch and lasts as long as it may; then what follows it must become final.
            ms += drills.count * (2 * epoch_ms + millis(SLACK) + millis(catch_up_deadline(&self.devnet)));
            ms += (1 + FINALITY_EPOCHS) * epoch_ms;
        }
        Some(self.devnet.genesis_time * 1000 + ms)
    }

    /// True where something must become final before the network ends.
    fn waits(&self) -> bool {
        let plan = &self.devnet.plan;
        let has_drill = plan.drills.is_some() || plan.data_drill.is_some() || plan.partition.is_some();
        has_drill || plan.until_finalized.is_some()
    }

    fn interrupted(&self) -> anyhow::Result<()> {
        match self.deadline {
            Some(_) => bail!("interrupted before the end was reached: {}", self.standing()),
            None => Ok(()),
        }
    }

    /// Watches until the end that was set is reached.
    async fn drive(&mut self) -> anyhow::Result<()> {
        let genesis = self.devnet.genesis_time * 1000;
        let wait = genesis.saturating_sub(unix_ms());
        if self.late_start {
            println!("genesis was {} ms ago: starting took longer than its delay", unix_ms() - genesis);
        } else {
            println!("all nodes answer; genesis in {:.1} s", wait as f64 / 1000.0);
        }
        println!("fork view      {}", self.devnet.fork_view());
        println!("dashboard      {}", self.devnet.dashboard());
        tokio::time::sleep(Duration::from_millis(wait)).await;
        self.load = self.devnet.plan.load.as_ref().map(|_| LoadWatch::new());
        let tick = Duration::from_millis((self.devnet.plan.slot_ms / 8).clamp(100, 500));
        loop {
            let next = tokio::time::Instant::now() + tick;
            self.devnet.still_alive()?;
            let statuses = self.devnet.statuses().await;
            self.observe(&statuses)?;
            if let Some(mut drill) = self.drill.take() {
                let result = drill.step(&mut self.devnet, &statuses);
                self.drill = Some(drill);
                result?;
            }
            self.step_data_drill(&statuses).await?;
            if let Some(partition) = &mut self.partition {
                partition.step(&self.devnet, &statuses).await?;
            }
            self.read_participation().await;
            self.show(statuses);
            let reached = self.is_reached();
            self.watch_load(reached).await;
            if reached {
                return Ok(());
            }
            if self.deadline.is_some_and(|deadline| unix_ms() > deadline) {
                bail!("the end was not reached in time: {}", self.standing());
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn watch_load(&mut self, is_last: bool) {
        let Some(load) = &mut self.load else { return };
        load.sample(&self.devnet);
        let slot = self.devnet.slot_at(unix_ms()).unwrap_or_default();
        match self.devnet.plan.until_epoch.filter(|_| is_last) {
            Some(until) => load.settle(&self.devnet, until, slot).await,
            None => load.step(&self.devnet, slot).await,
        }
    }

    async fn step_data_drill(&mut self, statuses: &[anyhow::Result<NodeStatus>]) -> anyhow::Result<()> {
        let Some(mut drill) = self.data_drill.take() else { return Ok(()) };
        let is_final = self.finality.agreed(drill.final_epoch(), self.names()).is_some();
        let result = drill.step(&mut self.devnet, statuses, is_final).await;
        self.data_drill = Some(drill);
        // A node may have joined.
        let nodes = self.devnet.members.len();
        self.heads.resize(nodes, None);
        self.participation.resize(nodes, BTreeMap::new());
        result.context("the drill of blobs and columns")
    }

    fn observe(&mut self, statuses: &[anyhow::Result<NodeStatus>]) -> anyhow::Result<()> {
        for (place, status) in statuses.iter().enumerate() {
            let Ok(status) = status else { continue };
            self.heads[place] = Some(status.head_slot);
            self.finality.observe(&self.devnet.members[place].name, status.finalized.clone())?;
        }
        Ok(())
    }

    /// Reads the participation of an epoch from each node whose head is two epochs further, one epoch at a time. A node
    /// that cannot tell is asked again, until a later epoch is due.
    async fn read_participation(&mut self) {
        for place in 0..self.devnet.members.len() {
            let Some(head) = self.heads[place] else { continue };
            let epoch = head.epoch(self.devnet.spec);
            if epoch < 2 || !self.devnet.is_running(place) {
                continue;
            }
            let wanted = epoch.saturating_sub(2);
            if self.participation[place].contains_key(&wanted) {
                continue;
            }
            if let Ok(report) = self.devnet.members[place].probe.epoch(wanted).await {
                self.participation[place].insert(wanted, report.participation);
                self.missed.extend(report.missed);
            }
        }
    }

    fn show(&mut self, statuses: Vec<anyhow::Result<NodeStatus>>) {
        let slot = self.devnet.slot_at(unix_ms()).unwrap_or_default();
        let rows = statuses.into_iter().enumerate().map(|(place, status)| Row {
            name: self.devnet.members[place].name.clone(),
            status: self.devnet.is_running(place).then(|| status.map_err(|error| format!("{error:#}"))),
            participation: self.participation[place].last_key_value().map(|(_, value)| *value),
        });
        let snapshot = Snapshot {
            slot,
            epoch: slot.epoch(self.devnet.spec),
            fork: self.devnet.spec.fork_name_at_slot(slot),
            rows: rows.collect(),
            note: self
                .drill
                .as_ref()
                .and_then(KillDrill::note)
                .or_else(|| self.data_drill.as_ref().and_then(DataDrill::note))
                .or_else(|| self.partition.as_ref().and_then(Partition::note)),
        };
        self.progress.show(snapshot);
    }

    /// The logs of our validator clients, with the names of their nodes.
    fn validator_logs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.devnet.members.iter().filter_map(|member| {
            let process = self.devnet.processes.plan(member.validator.as_deref()?)?;
            Some((member.name.as_str(), process.log.as_path()))
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.devnet.members.iter().map(|member| member.name.as_str())
    }

    /// The epoch that all nodes must finalize, as far as it is known yet.
    fn wanted(&self) -> Option<Epoch> {
        let drills = match &self.drill {
            // Finality must go on after the last node came back.
            Some(drill) => Some(drill.is_over().then(|| drill.last_epoch(&self.devnet))?),
            None => None,
        };
        let drilled = self.data_drill.as_ref().map(DataDrill::final_epoch);
        let healed = self.partition.as_ref().map(Partition::final_epoch);
        drills.into_iter().chain(drilled).chain(healed).chain(self.devnet.plan.until_finalized).max()
    }

    /// True where every end that was set is reached, and one was set.
    fn is_reached(&self) -> bool {
        let plan = &self.devnet.plan;
        let is_final = || {
            self.data_drill.as_ref().is_none_or(DataDrill::is_over)
                && self.partition.as_ref().is_none_or(Partition::is_over)
                && self.wanted().is_some_and(|epoch| self.finality.agreed(epoch, self.names()).is_some())
        };
        let is_late = |until: Epoch| {
            let settle = if plan.load.is_some() { SETTLE_SLOTS } else { 0 };
            let end = until.start_slot(self.devnet.spec) + settle;
            self.devnet.slot_at(unix_ms()).is_some_and(|slot| slot >= end)
        };
        match plan.until_epoch {
            None => is_final(),
            Some(until) => is_late(until) && (!self.waits() || is_final()),
        }
    }

    /// How far the network came, for an error.
    fn standing(&self) -> String {
        if let Some(drill) = self.drill.as_ref().filter(|drill| !drill.is_over()) {
            let note = drill.note().unwrap_or_else(|| format!("{} drills begun", drill.drills.len()));
            return format!("{note}; {}", self.finalized_epochs());
        }
        let wanted = self.wanted().map_or("-".to_owned(), |epoch| epoch.to_string());
        format!("epoch {wanted} is not final on all nodes with one root; {}", self.finalized_epochs())
    }

    fn finalized_epochs(&self) -> String {
        let slot = self.devnet.slot_at(unix_ms()).unwrap_or_default();
        let nodes = self.devnet.members.iter().zip(&self.heads).map(|(member, head)| {
            let head = head.map_or("unknown".to_owned(), |head| head.to_string());
            format!("{} has finalized epoch {} (head {head})", member.name, self.finality.of(&member.name))
        });
        format!("at slot {slot} {}", nodes.collect::<Vec<_>>().join(", "))
    }

    /// Reads all signed logs, and puts everything together. The processes must have ended.
    fn summary(&self, begun: Instant, load: Option<LoadReport>) -> anyhow::Result<Summary> {
        let mut log = SignedLog::default();
        for member in &self.devnet.members {
            if let Some(path) = member.signed_log.as_deref().filter(|path| path.exists()) {
                log.read(path)?;
            }
        }
        let mut participation: BTreeMap<Epoch, Participation> = BTreeMap::new();
        for value in self.participation.iter().flat_map(BTreeMap::values) {
            let least = participation.entry(value.epoch).or_insert(*value);
            if value.attesting < least.attesting {
                *least = *value;
            }
        }
        Ok(Summary {
            heads: self.names().map(str::to_owned).zip(self.heads.iter().copied()).collect(),
            finalized: self.finality.agreed(Epoch(0), self.names()),
            participation,
            forks: self.devnet.plan.forks.clone(),
            missed: Missed::explain(&self.missed, self.validator_logs()),
            drills: self.drill.as_ref().map(|drill| drill.drills.clone()).unwrap_or_default(),
            data: self.data_drill.as_ref().map(|drill| drill.report.clone()),
            partition: self.partition.as_ref().map(|partition| partition.report.clone()),
            load,
            signatures: Signatures::judge(&log),
            wall: begun.elapsed(),
            dir: self.devnet.plan.dir.clone(),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
