//! The figures of a run, for people and for programs.

use std::fmt;

use serde_json::{Value, json};
use types::ForkName;

use super::usage::{Machine, ProcessUsage};
use super::votes::{EpochVotes, VoteCount};

/// Delays up to this number of slots have a column of their own.
const DELAYS_SHOWN: u64 = 4;

/// What a run under load has brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Validators of the network.
    pub validators: u64,
    /// The network's preset.
    pub preset: String,
    /// Milliseconds a slot.
    pub slot_ms: u64,
    /// The forks that it went through.
    pub forks: Vec<ForkName>,
    /// What each epoch that is over has brought, in order.
    pub epochs: Vec<EpochVotes>,
    /// Epochs that are over and could not be judged, with the reason.
    pub unjudged: Vec<String>,
    /// What each process took.
    pub processes: Vec<ProcessUsage>,
    /// What the machine was busy with.
    pub machine: Machine,
    /// Seconds from genesis to the end.
    pub wall_s: f64,
}

impl LoadReport {
    /// The votes of all epochs together.
    pub fn total(&self) -> VoteCount {
        let mut total = VoteCount::default();
        self.epochs.iter().for_each(|epoch| total.add(&epoch.votes));
        total
    }

    /// Votes of the sync committees and places of all epochs together; none before Altair.
    pub fn sync_votes(&self) -> Option<(u64, u64)> {
        let counts = self.epochs.iter().filter_map(|epoch| epoch.sync_votes);
        counts.reduce(|sum, count| (sum.0 + count.0, sum.1 + count.1))
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        let epochs: Vec<Value> = self.epochs.iter().map(epoch_json).collect();
        let processes: Vec<Value> = self.processes.iter().map(process_json).collect();
        let sync = self.sync_votes().map(|(votes, places)| json!({ "votes": votes, "places": places }));
        json!({
            "validators": self.validators,
            "preset": self.preset,
            "slot_ms": self.slot_ms,
            "forks": self.forks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "votes": votes_json(&self.total()),
            "missed_blocks": self.epochs.iter().map(|epoch| epoch.missed.len()).sum::<usize>(),
            "sync_committee": sync,
            "epochs": epochs,
            "unjudged": self.unjudged,
            "processes": processes,
            "machine": {
                "cores": self.machine.cores,
                "busy_percent": self.machine.busy_percent,
                "network_percent": self.machine.network_percent,
                "load_mean": self.machine.load.0,
                "load_max": self.machine.load.1,
            },
            "wall_s": self.wall_s,
        })
    }

    fn write_votes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch  {:>9} {:>9} {:>9} {:>9} {:>9} {:>11} {:>6}",
            "votes due", "included", "source", "target", "head", "timely head", "sync"
        )?;
        writeln!(f, "  missed  included after slots")?;
        for epoch in &self.epochs {
            self.write_row(f, &epoch.epoch.to_string(), &epoch.votes, epoch.sync_votes, epoch.missed.len())?;
        }
        let missed = self.epochs.iter().map(|epoch| epoch.missed.len()).sum();
        self.write_row(f, "all", &self.total(), self.sync_votes(), missed)
    }

    fn write_row(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        votes: &VoteCount,
        sync: Option<(u64, u64)>,
        missed: usize,
    ) -> fmt::Result {
        let percent = |of| down(votes.percent(of));
        let sync = sync.map_or("-".to_owned(), |(of, places)| down(of as f64 * 100.0 / places.max(1) as f64));
        writeln!(
            f,
            "{name:>5}  {:>9} {:>9} {:>9} {:>9} {:>9} {:>11} {sync:>6}  {missed:>6}  {}",
            votes.assigned,
            percent(votes.included),
            percent(votes.source),
            percent(votes.target),
            percent(votes.head),
            percent(votes.timely_head),
            delays(votes)
        )
    }

    fn write_lacking(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for epoch in &self.epochs {
            for (slot, index, count) in epoch.lacking.iter().take(3) {
                writeln!(f, "       lacking: {count} votes of slot {slot}, committee {index}")?;
            }
        }
        self.unjudged.iter().try_for_each(|why| writeln!(f, "       not judged: {why}"))
    }

    fn write_processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = (self.wall_s * 1000.0 / self.slot_ms.max(1) as f64).max(1.0);
        writeln!(
            f,
            "process               CPU s   of a core   busiest 10 s   ms a slot   at start   resident, most   last   written"
        )?;
        for process in &self.processes {
            writeln!(
                f,
                "{:19} {:>7.1} {:>9.1} % {:>12.1} % {:>11.0} {:>8.1} s {:>12.1} MiB {:>6.1} {:>5.1} MiB",
                process.name,
                process.cpu_s,
                process.core_percent(),
                process.busiest_percent,
                process.cpu_s * 1000.0 / slots,
                process.start_cpu_s,
                mib(process.resident_max_kib),
                mib(process.resident_kib),
                mib(process.written_bytes / 1024)
            )?;
        }
        let Machine { cores, busy_percent, network_percent, load } = &self.machine;
        write!(
            f,
            "machine        {cores} cores, {busy_percent:.1} % busy: {network_percent:.1} % with this network; load average \
             {:.1}, at most {:.1}",
            load.0, load.1
        )
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forks: Vec<String> = self.forks.iter().map(ToString::to_string).collect();
        writeln!(
            f,
            "load           {} validators, preset {}, slots of {} ms, {}, {:.0} s from genesis",
            self.validators,
            self.preset,
            self.slot_ms,
            forks.join(", "),
            self.wall_s
        )?;
        self.write_votes(f)?;
        self.write_lacking(f)?;
        self.write_processes(f)
    }
}

/// A percentage, rounded down, so that 100 % means all.
fn down(percent: f64) -> String {
    format!("{:.2} %", (percent * 100.0).floor() / 100.0)
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn delays(votes: &VoteCount) -> String {
    let mut texts: Vec<String> =
        votes.delays.range(..=DELAYS_SHOWN).map(|(delay, count)| format!("{delay}: {count}")).collect();
    let later: u64 = votes.delays.range(DELAYS_SHOWN + 1..).map(|(_, count)| count).sum();
    if later > 0 {
        texts.push(format!("later: {later}"));
    }
    texts.join(", ")
}

fn votes_json(votes: &VoteCount) -> Value {
    let delays: serde_json::Map<String, Value> =
        votes.delays.iter().map(|(delay, count)| (delay.to_string(), (*count).into())).collect();
    json!({
        "assigned": votes.assigned,
        "included": votes.included,
        "source": votes.source,
        "target": votes.target,
        "head": votes.head,
        "timely_head": votes.timely_head,
        "included_percent": votes.percent(votes.included),
        "source_percent": votes.percent(votes.source),
        "target_percent": votes.percent(votes.target),
        "head_percent": votes.percent(votes.head),
        "mean_delay": votes.mean_delay(),
        "delays": delays,
    })
}

fn epoch_json(epoch: &EpochVotes) -> Value {
    let sync = epoch.sync_votes.map(|(votes, places)| json!({ "votes": votes, "places": places }));
    json!({
        "epoch": epoch.epoch.0,
        "judged_until_slot": epoch.until.0,
        "votes": votes_json(&epoch.votes),
        "missed_slots": epoch.missed.iter().map(|slot| slot.0).collect::<Vec<_>>(),
        "sync_committee": sync,
    })
}

fn process_json(process: &ProcessUsage) -> Value {
    json!({
        "name": process.name,
        "cpu_s": process.cpu_s,
        "core_percent": process.core_percent(),
        "busiest_percent": process.busiest_percent,
        "cpu_s_at_start": process.start_cpu_s,
        "wall_s": process.wall_s,
        "resident_max_kib": process.resident_max_kib,
        "resident_last_kib": process.resident_kib,
        "written_bytes": process.written_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{CommitteeIndex, Epoch, Slot};

    fn report() -> LoadReport {
        let votes = VoteCount {
            assigned: 1000,
            included: 999,
            source: 999,
            target: 998,
            head: 990,
            timely_head: 980,
            delays: [(1, 980), (2, 10), (7, 9)].into(),
        };
        let first = EpochVotes {
            votes: votes.clone(),
            sync_votes: Some((511, 512)),
            lacking: vec![(Slot(3), CommitteeIndex(1), 1)],
            ..EpochVotes::default()
        };
        let second = EpochVotes { epoch: Epoch(1), votes, missed: vec![Slot(40)], ..EpochVotes::default() };
        LoadReport {
            validators: 1000,
            preset: "mainnet".into(),
            slot_ms: 12_000,
            forks: vec![ForkName::Fulu],
            epochs: vec![first, second],
            processes: vec![ProcessUsage {
                name: "node-0/beacon".into(),
                cpu_s: 12.0,
                wall_s: 120.0,
                resident_max_kib: 204_800,
                ..ProcessUsage::default()
            }],
            wall_s: 120.0,
            ..LoadReport::default()
        }
    }

    #[test]
    fn epochs_and_processes_are_tables() {
        let text = report().to_string();
        let row = |begin: &str| text.lines().find(|line| line.starts_with(begin)).unwrap().to_owned();
        let words = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(row("    0")),
            "0 1000 99.90 % 99.90 % 99.80 % 99.00 % 98.00 % 99.80 % 0 1: 980, 2: 10, later: 9"
        );
        assert!(words(row("  all")).starts_with("all 2000 99.90 % 99.90 %"), "{text}");
        assert!(text.contains("lacking: 1 votes of slot 3, committee 1"), "{text}");
        assert!(words(row("node-0")).starts_with("node-0/beacon 12.0 10.0 %"), "{text}");
        assert!(words(row("node-0")).contains(" 1200 "), "a slot takes 1200 ms of a core: {text}");
    }

    #[test]
    fn a_program_reads_the_same_figures() {
        let json = report().to_json();
        assert_eq!(json["votes"]["assigned"], 2000);
        assert_eq!(json["votes"]["included_percent"], 99.9);
        assert_eq!(json["votes"]["delays"]["7"], 18);
        assert_eq!(json["missed_blocks"], 1);
        assert_eq!(json["epochs"][1]["missed_slots"][0], 40);
        assert_eq!(json["sync_committee"]["votes"], 511);
        assert_eq!(json["processes"][0]["core_percent"], 10.0);
        assert_eq!(json["forks"][0], "fulu");
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        assert_eq!(down(99.999), "99.99 %");
        assert_eq!(down(100.0), "100.00 %");
    }
}
