//! How a run ended, in figures.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use types::{Checkpoint, Epoch, ForkName, Slot};

use crate::{DataReport, Drill, LoadReport, Missed, Participation, PartitionReport, Signatures};

/// What is known at the end of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The nodes with the slot of their last head, in order.
    pub heads: Vec<(String, Option<Slot>)>,
    /// The latest checkpoint that all nodes finalized.
    pub finalized: Option<Checkpoint>,
    /// The lowest participation that any node saw, by epoch.
    pub participation: BTreeMap<Epoch, Participation>,
    /// The forks that the network was to go through, with their epochs.
    pub forks: BTreeMap<ForkName, Epoch>,
    /// Blocks and other duties that were missed.
    pub missed: Missed,
    /// Nodes that were killed.
    pub drills: Vec<Drill>,
    /// What the drill of blobs and columns found.
    pub data: Option<DataReport>,
    /// What came of the partition.
    pub partition: Option<PartitionReport>,
    /// What became of the votes, and what processes took.
    pub load: Option<LoadReport>,
    /// What the validators signed.
    pub signatures: Signatures,
    /// From the start of the first process to the end of the last.
    pub wall: Duration,
    /// Where logs and databases lie.
    pub dir: PathBuf,
}

impl Summary {
    /// The lowest participation after the first epoch, whose first attestations may meet a network that is not yet
    /// connected.
    pub fn least_participation(&self) -> Option<Participation> {
        let later = self.participation.range(Epoch(1)..).map(|(_, participation)| *participation);
        later.min_by_key(|participation| participation.attesting)
    }

    fn write_participation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs: Vec<String> =
            self.participation.iter().map(|(epoch, value)| format!("{epoch}: {value}")).collect();
        match (epochs.is_empty(), self.least_participation()) {
            (true, _) => writeln!(f, "participation  unknown, no epoch is complete"),
            (false, None) => writeln!(f, "participation  {}", epochs.join(", ")),
            (false, Some(least)) => writeln!(
                f,
                "participation  {}; least after the first epoch {least} (epoch {})",
                epochs.join(", "),
                least.epoch
            ),
        }
    }

    /// The forks that are final on all nodes, and those that are not.
    fn write_forks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forks.is_empty() {
            return Ok(());
        }
        let last = self.finalized.as_ref().map_or(Epoch(0), |checkpoint| checkpoint.epoch);
        let text = |(fork, epoch): (&ForkName, &Epoch)| {
            // The first block of a fork is final with the checkpoint of the epoch after.
            let is_final = *epoch < last || *epoch == 0;
            format!("{fork} in epoch {epoch}{}", if is_final { "" } else { " (not final)" })
        };
        writeln!(f, "forks          {}", self.forks.iter().map(text).collect::<Vec<_>>().join(", "))
    }

    fn write_missed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missed { blocks, lines, count } = &self.missed;
        writeln!(f, "missed         {} blocks, {count} reports of other duties", blocks.len())?;
        blocks.iter().try_for_each(|(slot, why)| writeln!(f, "               slot {slot}: {why}"))?;
        lines.iter().try_for_each(|line| writeln!(f, "               {line}"))
    }

    /// Says why the epoch before Electra cannot be whole: a block of Electra holds no vote whose data name a committee
    /// other than the first, and the votes of the last slot before it can go into no earlier block.
    fn write_boundary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let electra = self.forks.range(ForkName::Electra..).next().map_or(Epoch(0), |(_, epoch)| *epoch);
        let Some(last) = electra.0.checked_sub(1).and_then(|last| self.participation.get(&Epoch(last)))
        else {
            return Ok(());
        };
        if last.attesting == last.active {
            return Ok(());
        }
        writeln!(
            f,
            "               epoch {} is the last before Electra, whose blocks cannot hold votes of its last slot but for \
             those of the first committee",
            last.epoch
        )
    }

    fn write_drills(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drills.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "drill  {:10} {:>9} {:>8} {:>11} {:>9} {:>10} {:>13} {:>13}  result",
            "node",
            "killed at",
            "down",
            "final epoch",
            "head then",
            "resumed at",
            "answers after",
            "caught up in"
        )?;
        for (place, drill) in self.drills.iter().enumerate() {
            let seconds =
                |ms: Option<u64>| ms.map_or("-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
            let slot = |slot: Option<Slot>| slot.map_or("-".to_owned(), |slot| slot.to_string());
            let result = match (&drill.problem, drill.caught_up_after_ms) {
                (Some(problem), _) => problem.as_str(),
                (None, Some(_)) => "ok",
                (None, None) => "not finished",
            };
            writeln!(
                f,
                "{:>5}  {:10} {:>9} {:>8} {:>11} {:>9} {:>10} {:>13} {:>13}  {result}",
                place + 1,
                drill.node,
                drill.killed_at,
                seconds(Some(drill.down_ms)),
                drill.finalized_before,
                drill.head_before,
                slot(drill.resumed_at.or(drill.head_after)),
                seconds(drill.answered_after_ms),
                seconds(drill.caught_up_after_ms)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.finalized {
            Some(checkpoint) => writeln!(
                f,
                "finalized      epoch {} root {} on all {} nodes",
                checkpoint.epoch,
                checkpoint.root,
                self.heads.len()
            )?,
            None => writeln!(f, "finalized      nothing that all {} nodes share", self.heads.len())?,
        }
        let heads = self.heads.iter().map(|(name, head)| match head {
            Some(slot) => format!("{name} {slot}"),
            None => format!("{name} unknown"),
        });
        writeln!(f, "heads          {}", heads.collect::<Vec<_>>().join(", "))?;
        self.write_forks(f)?;
        self.write_participation(f)?;
        self.write_boundary(f)?;
        self.write_missed(f)?;
        self.write_drills(f)?;
        self.data.iter().try_for_each(|report| write!(f, "{report}"))?;
        self.partition.iter().try_for_each(|report| write!(f, "{report}"))?;
        self.load.iter().try_for_each(|report| writeln!(f, "{report}"))?;
        let Signatures { keys, blocks, attestations, slashable } = &self.signatures;
        let verdict = match slashable.len() {
            0 => "nothing slashable".to_owned(),
            count => format!("{count} SLASHABLE"),
        };
        writeln!(
            f,
            "signed         {blocks} blocks and {attestations} attestations by {keys} keys: {verdict}"
        )?;
        slashable.iter().take(10).try_for_each(|offence| writeln!(f, "               {offence}"))?;
        write!(f, "wall time      {:.1} s; files in {}", self.wall.as_secs_f64(), self.dir.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Gwei;

    fn participation(epoch: u64, attesting: u64) -> (Epoch, Participation) {
        let value = Participation { epoch: Epoch(epoch), attesting: Gwei(attesting), active: Gwei(64) };
        (Epoch(epoch), value)
    }

    #[test]
    fn the_first_epoch_does_not_count_for_the_least() {
        let mut summary = Summary::default();
        summary.participation.extend([participation(0, 10), participation(1, 64), participation(2, 63)]);
        assert_eq!(summary.least_participation().unwrap().epoch, Epoch(2));
        let text = summary.to_string();
        let expected =
            "participation  0: 15.6 %, 1: 100.0 %, 2: 98.4 %; least after the first epoch 98.4 % (epoch 2)";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("nothing slashable"), "{text}");
        assert!(!text.contains("the last before Electra"), "{text}");
        summary.forks = [(ForkName::Altair, Epoch(1)), (ForkName::Fulu, Epoch(3))].into();
        assert!(summary.to_string().contains("epoch 2 is the last before Electra"));
    }

    #[test]
    fn forks_and_missed_slots_are_told() {
        let mut summary = Summary::default();
        assert!(summary.to_string().contains("missed         0 blocks, 0 reports"));
        summary.forks = [(ForkName::Altair, Epoch(2)), (ForkName::Bellatrix, Epoch(4))].into();
        summary.finalized = Some(Checkpoint { epoch: Epoch(4), ..Checkpoint::default() });
        summary.missed.blocks.insert(Slot(9), "node-1: no engine".to_owned());
        let text = summary.to_string();
        assert!(
            text.contains("forks          altair in epoch 2, bellatrix in epoch 4 (not final)"),
            "{text}"
        );
        assert!(text.contains("slot 9: node-1: no engine"), "{text}");
    }

    #[test]
    fn drills_are_a_table() {
        let mut summary = Summary::default();
        assert!(!summary.to_string().contains("drill"));
        summary.drills.push(Drill {
            node: "node-1".into(),
            killed_at: Slot(36),
            down_ms: 2500,
            caught_up_after_ms: Some(900),
            ..Drill::default()
        });
        summary.drills.push(Drill { problem: Some("node-2 gave no answer".into()), ..Drill::default() });
        let text = summary.to_string();
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("node-")).collect();
        assert!(rows[0].starts_with("    1  node-1            36    2.5 s"), "{text}");
        assert!(rows[0].ends_with("0.9 s  ok"), "{text}");
        assert!(rows[1].ends_with("node-2 gave no answer"), "{text}");
    }
}
