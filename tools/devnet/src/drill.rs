//! Nodes that are killed during a run, and what is asked of them afterwards.
//!
//! ```text
//!   Waiting ──random moment in the middle of an epoch──▶ SIGKILL beacon node and validator client
//!   Down    ──some seconds──▶ the same programs with the same arguments
//!   Resuming: its log must say from which head it resumed, and its first answer must not lie before what it had
//!             finalized; then CatchingUp: its head must become that of another node
//! ```
//!
//! Whether the validators signed anything twice is judged at the end, over all logs together.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use types::{Epoch, Slot};

use crate::launch::unix_ms;
use crate::{Devnet, NodeStatus};

/// The words of the beacon node's log after which stands the slot of the head that it begins with. They come before it
/// has spoken to any peer, so that a head beyond genesis can only be from its own database.
const BEGINNINGS: [&str; 2] = ["resumed from database", "beacon node started"];
/// A killed node stays away for a time between these, in milliseconds.
const DOWN_MS: std::ops::Range<u64> = 2000..8000;
/// How long a restarted node may take until it answers, in milliseconds.
const RESUME_MS: u64 = 60_000;

/// Which nodes to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrillPlan {
    /// How many times a node is killed, one after the other.
    pub count: u64,
    /// Decides which nodes, when, and for how long.
    pub seed: u64,
}

/// One kill and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drill {
    /// The node.
    pub node: String,
    /// The slot in which it was killed.
    pub killed_at: Slot,
    /// Its head before.
    pub head_before: Slot,
    /// What it had finalized.
    pub finalized_before: Epoch,
    /// How long it was away, in milliseconds.
    pub down_ms: u64,
    /// The head from which it says it resumed.
    pub resumed_at: Option<Slot>,
    /// The head of its first answer.
    pub head_after: Option<Slot>,
    /// Milliseconds from its restart to its first answer.
    pub answered_after_ms: Option<u64>,
    /// Milliseconds from its restart until it had the head of the others.
    pub caught_up_after_ms: Option<u64>,
    /// Why it did not come back as it should.
    pub problem: Option<String>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing is chosen: the network must finalize first, and a new epoch must begin.
    Idle { after: Epoch },
    /// A node is chosen.
    Waiting { member: usize, kill_at: u64 },
    /// It is away.
    Down { member: usize, restart_at: u64 },
    /// It was started again at this time; its log has this length of what it wrote before.
    Resuming { member: usize, since: u64, log_length: u64 },
    /// It answers.
    CatchingUp { member: usize, since: u64 },
    /// All drills are done, or one failed.
    Over,
}

/// Kills one node after another; see the module.
#[derive(Debug)]
pub struct KillDrill {
    plan: DrillPlan,
    random: ChaCha8Rng,
    phase: Phase,
    /// The drills so far, the last one perhaps not finished.
    pub drills: Vec<Drill>,
}

impl KillDrill {
    /// No node is killed yet.
    pub fn new(plan: DrillPlan) -> Self {
        let random = ChaCha8Rng::seed_from_u64(plan.seed);
        Self { plan, random, phase: Phase::Idle { after: Epoch(0) }, drills: Vec::new() }
    }

    /// True when no more nodes will be killed.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// The epoch in which the last node was killed.
    pub fn last_epoch(&self, devnet: &Devnet) -> Epoch {
        self.drills.last().map_or(Epoch(0), |drill| drill.killed_at.epoch(devnet.spec))
    }

    /// What is going on, in a few words; none between drills.
    pub fn note(&self) -> Option<String> {
        let count = format!("drill {} of {}", self.drills.len(), self.plan.count);
        let node = &self.drills.last()?.node;
        match self.phase {
            Phase::Down { .. } => Some(format!("{count}: {node} is killed")),
            Phase::Resuming { .. } => Some(format!("{count}: {node} starts again")),
            Phase::CatchingUp { .. } => Some(format!("{count}: {node} catches up")),
            _ => None,
        }
    }

    /// Does what is due, given the nodes' latest answers in the order of [`Devnet::members`]. An error says which drill
    /// failed and why; it is then over.
    pub fn step(
        &mut self,
        devnet: &mut Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
    ) -> anyhow::Result<()> {
        let result = self.advance(devnet, statuses);
        if let Err(error) = &result {
            self.phase = Phase::Over;
            if let Some(drill) = self.drills.last_mut() {
                drill.problem = Some(format!("{error:#}"));
            }
        }
        result.with_context(|| format!("drill {} of {}", self.drills.len(), self.plan.count))
    }

    fn advance(
        &mut self,
        devnet: &mut Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
    ) -> anyhow::Result<()> {
        let now = unix_ms();
        match self.phase.clone() {
            Phase::Idle { after } => self.choose(devnet, statuses, after, now),
            Phase::Waiting { member, kill_at } if now >= kill_at => {
                let Ok(before) = &statuses[member] else { return Ok(()) };
                self.kill(devnet, member, before, now)?;
            }
            Phase::Down { member, restart_at } if now >= restart_at => {
                let log_length = log_length(devnet, member);
                devnet.restart_member(member)?;
                self.phase = Phase::Resuming { member, since: now, log_length };
            }
            Phase::Resuming { member, since, log_length } => {
                let status = statuses[member].as_ref().ok();
                self.resume(devnet, member, status, (since, log_length))?;
            }
            Phase::CatchingUp { member, since } => self.catch_up(devnet, statuses, member, since)?,
            Phase::Waiting { .. } | Phase::Down { .. } | Phase::Over => {}
        }
        Ok(())
    }

    /// Once all nodes have finalized something and a later epoch has begun, chooses a node of ours and a moment in the
    /// middle of the next epoch: neither in its first slot nor in its last.
    fn choose(&mut self, devnet: &Devnet, statuses: &[anyhow::Result<NodeStatus>], after: Epoch, now: u64) {
        let Some(slot) = devnet.slot_at(now) else { return };
        let ready = |status: &anyhow::Result<NodeStatus>| {
            status.as_ref().is_ok_and(|status| status.finalized.epoch > 0)
        };
        let epoch = slot.epoch(devnet.spec);
        if epoch <= after || !statuses.iter().all(ready) {
            return;
        }
        let slot_ms = devnet.spec.config.slot_duration_ms;
        let slots = devnet.spec.preset.slots_per_epoch;
        let member = self.random.random_range(0..devnet.plan.nodes);
        let offset_ms = self.random.random_range(slot_ms..(slots - 1) * slot_ms);
        let start = (epoch + 1).start_slot(devnet.spec).0 * slot_ms;
        let kill_at = devnet.genesis_time * 1000 + start + offset_ms;
        self.phase = Phase::Waiting { member: usize::try_from(member).unwrap_or(0), kill_at };
    }

    fn kill(
        &mut self,
        devnet: &mut Devnet,
        member: usize,
        before: &NodeStatus,
        now: u64,
    ) -> anyhow::Result<()> {
        let down_ms = self.random.random_range(DOWN_MS);
        self.drills.push(Drill {
            node: devnet.members[member].name.clone(),
            killed_at: devnet.slot_at(now).unwrap_or_default(),
            head_before: before.head_slot,
            finalized_before: before.finalized.epoch,
            down_ms,
            ..Drill::default()
        });
        devnet.kill_member(member)?;
        self.phase = Phase::Down { member, restart_at: now + down_ms };
        Ok(())
    }

    /// Judges the first answer after a restart, and what the log says since then.
    fn resume(
        &mut self,
        devnet: &Devnet,
        member: usize,
        status: Option<&NodeStatus>,
        (since, log_length): (u64, u64),
    ) -> anyhow::Result<()> {
        let waited = unix_ms() - since;
        let drill = self.drills.last_mut().expect("it was added when the node was killed");
        let line = first_line(&log_since(devnet, member, log_length));
        let (Some(status), Some(line)) = (status, &line) else {
            if waited > RESUME_MS {
                let missing = if status.is_none() {
                    "answer"
                } else {
                    "line in its log about the head that it begins with"
                };
                bail!("{} gave no {missing} within {} s", drill.node, RESUME_MS / 1000);
            }
            return Ok(());
        };
        drill.head_after = Some(status.head_slot);
        drill.answered_after_ms = Some(waited);
        drill.resumed_at = slot_in(line);
        let finalized = drill.finalized_before.start_slot(devnet.spec);
        let first = drill.resumed_at.unwrap_or(status.head_slot).min(status.head_slot);
        if first < finalized {
            bail!(
                "{} came back at slot {first}, before slot {finalized}, which it had finalized: {line}",
                drill.node
            );
        }
        self.phase = Phase::CatchingUp { member, since };
        Ok(())
    }

    fn catch_up(
        &mut self,
        devnet: &Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
        member: usize,
        since: u64,
    ) -> anyhow::Result<()> {
        let waited = unix_ms() - since;
        let drill = self.drills.last_mut().expect("it was added when the node was killed");
        let others = statuses.iter().enumerate().filter(|(place, _)| *place != member);
        let others: Vec<&NodeStatus> = others.filter_map(|(_, status)| status.as_ref().ok()).collect();
        let mine = statuses[member].as_ref().ok();
        if mine.is_some_and(|mine| has_caught_up(mine, &others, drill.head_before)) {
            drill.caught_up_after_ms = Some(waited);
            let after = drill.killed_at.epoch(devnet.spec) + 1;
            let done = self.drills.len() as u64 == self.plan.count;
            self.phase = if done { Phase::Over } else { Phase::Idle { after } };
            return Ok(());
        }
        let deadline = catch_up_deadline(devnet);
        if waited > u64::try_from(deadline.as_millis())? {
            let head = mine.map_or("no answer".to_owned(), |mine| format!("head at slot {}", mine.head_slot));
            let best = others.iter().map(|other| other.head_slot).max().unwrap_or_default();
            bail!(
                "{} has not caught up after {} s: {head}, the others are at slot {best}",
                drill.node,
                waited / 1000
            );
        }
        Ok(())
    }
}

/// Two epochs of the network, and a while for what takes its time whatever the slots are.
pub(crate) fn catch_up_deadline(devnet: &Devnet) -> Duration {
    let slots = 2 * devnet.spec.preset.slots_per_epoch;
    Duration::from_millis(slots * devnet.spec.config.slot_duration_ms) + Duration::from_secs(30)
}

/// True where a node has the head of the furthest other one; alone, where it has a new head.
fn has_caught_up(mine: &NodeStatus, others: &[&NodeStatus], head_before: Slot) -> bool {
    match others.iter().max_by_key(|other| other.head_slot) {
        Some(best) => {
            mine.head_slot >= best.head_slot && others.iter().any(|other| other.head_root == mine.head_root)
        }
        None => mine.head_slot > head_before,
    }
}

fn beacon_log(devnet: &Devnet, member: usize) -> Option<&Path> {
    devnet.processes.plan(&devnet.members[member].beacon).map(|plan| plan.log.as_path())
}

fn log_length(devnet: &Devnet, member: usize) -> u64 {
    let log = beacon_log(devnet, member);
    log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |metadata| metadata.len())
}

fn log_since(devnet: &Devnet, member: usize, length: u64) -> String {
    let bytes = beacon_log(devnet, member).and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
    let start = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// The line that tells with which head a node begins.
fn first_line(log: &str) -> Option<String> {
    log.lines().find(|line| slot_in(line).is_some()).map(str::to_owned)
}

/// The number behind the word `slot` in such a line, whichever signs stand between.
fn slot_in(line: &str) -> Option<Slot> {
    let (_, rest) = BEGINNINGS.iter().find_map(|words| line.split_once(words))?;
    let (_, rest) = rest.split_once("slot")?;
    let digits = rest.trim_start_matches(|sign: char| !sign.is_ascii_digit());
    let end = digits.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Checkpoint, Root};

    fn status(slot: u64, root: u8) -> NodeStatus {
        NodeStatus {
            head_slot: Slot(slot),
            head_root: Root::from([root; 32]),
            justified: Checkpoint::default(),
            finalized: Checkpoint::default(),
            peers: 0,
            is_optimistic: false,
            is_engine_offline: false,
        }
    }

    #[test]
    fn catching_up_means_the_head_of_the_furthest_other_node() {
        let caught_up = |mine: NodeStatus, others: &[NodeStatus]| {
            has_caught_up(&mine, &others.iter().collect::<Vec<_>>(), Slot(7))
        };
        assert!(caught_up(status(9, 9), &[status(9, 9), status(8, 8)]));
        assert!(!caught_up(status(8, 8), &[status(9, 9), status(8, 8)]));
        assert!(!caught_up(status(9, 7), &[status(9, 9), status(9, 9)]), "another block of the same slot");
        assert!(!caught_up(status(7, 7), &[]));
        assert!(caught_up(status(8, 8), &[]));
    }

    #[test]
    fn the_line_of_a_resumed_node_names_its_slot() {
        let log = "INFO slot slot=40\nresumed from database: head slot 41 root 0xab, finalized epoch 3\n";
        assert_eq!(slot_in(&first_line(log).unwrap()), Some(Slot(41)));
        assert_eq!(slot_in("INFO beacon node started head_slot=12 finalized=1"), Some(Slot(12)));
        assert_eq!(slot_in("slot 9: resumed from database"), None);
        assert_eq!(first_line("started from genesis\nINFO slot slot=40\n"), None);
    }
}
