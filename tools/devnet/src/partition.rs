//! A network that is divided on purpose: two sides that cannot reach each other for some epochs.
//!
//! ```text
//!   Whole ──first slot of `from`──▶ Split: every connection between the sides is cut; both go on alone
//!   Split ──first slot of `before`─▶ the heads must be on two branches; the connections are let through again
//!   Healing: all nodes must come to one head, and who was on the other branch must have left it
//! ```

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, bail, ensure};
use types::{Epoch, Root, Slot};

use crate::launch::unix_ms;
use crate::progress::short;
use crate::{Devnet, NodeStatus};

/// How long nodes may take to come to one head again, in epochs: a connection is back after a second or after the pause
/// of who dials, then each side has to fetch and judge the blocks of the other.
const HEALING_EPOCHS: u64 = 6;

/// When a network is divided, and into which sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPlan {
    /// The epoch with whose first slot the sides are cut apart.
    pub from: Epoch,
    /// The epoch with whose first slot they are together again.
    pub before: Epoch,
    /// The nodes of both sides by their names; by default they take sides in turn, each client's for itself.
    pub sides: Option<[Vec<String>; 2]>,
}

impl PartitionPlan {
    /// Refuses what is no partition of such a network.
    pub fn check(&self, nodes: u64) -> anyhow::Result<()> {
        let Self { from, before, .. } = self;
        ensure!(from < before, "a partition from epoch {from} to before epoch {before} divides nothing");
        ensure!(*from > 0, "a partition begins with epoch 1 or later: nodes have to meet first");
        ensure!(*before < 1 << 32, "epoch {before} is too far away");
        ensure!(nodes > 1, "one node cannot be divided: a side needs a node of ours");
        Ok(())
    }

    /// The nodes of both sides.
    pub(crate) fn sides_of(&self, ours: &[String], foreign: &[String]) -> [Vec<String>; 2] {
        if let Some(sides) = &self.sides {
            return sides.clone();
        }
        let side = |side: usize| {
            let in_turn = |names: &[String]| names.iter().skip(side).step_by(2).cloned().collect::<Vec<_>>();
            [in_turn(ours), in_turn(foreign)].concat()
        };
        [side(0), side(1)]
    }
}

/// Where a node stood when the partition ended, and what became of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The node.
    pub node: String,
    /// Its side, 0 or 1.
    pub side: usize,
    /// Its head when the partition ended.
    pub head: (Root, Slot),
    /// True where that head is no part of its chain any more.
    pub has_left: bool,
}

/// What came of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionReport {
    /// The slots in which the sides were apart: from, and before.
    pub slots: (Slot, Slot),
    /// The nodes.
    pub branches: Vec<Branch>,
    /// Milliseconds from its end until all nodes had one head.
    pub healed_after_ms: Option<u64>,
}

impl fmt::Display for PartitionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, before) = self.slots;
        match self.healed_after_ms {
            Some(ms) => writeln!(
                f,
                "partition      slots {from} to {before}; one head again after {:.1} s",
                ms as f64 / 1000.0
            )?,
            None => writeln!(f, "partition      slots {from} to {before}; not healed")?,
        }
        for side in 0..2 {
            for branch in self.branches.iter().filter(|branch| branch.side == side) {
                let (root, slot) = branch.head;
                let end = if branch.has_left { "which it left" } else { "which it kept" };
                let letter = ["A", "B"][side];
                writeln!(
                    f,
                    "               side {letter}: {} was at slot {slot} {}, {end}",
                    branch.node,
                    short(&root)
                )?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Whole,
    Split,
    Healing { since: u64 },
    Over,
}

/// Divides a network and brings it together again; see the module.
#[derive(Debug)]
pub struct Partition {
    plan: PartitionPlan,
    phase: Phase,
    /// What is known so far.
    pub report: PartitionReport,
}

impl Partition {
    /// The network is still whole.
    pub fn new(plan: PartitionPlan) -> Self {
        Self { plan, phase: Phase::Whole, report: PartitionReport::default() }
    }

    /// True when all nodes had one head again.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The epoch that must become final on all nodes, which it cannot before they agree.
    pub fn final_epoch(&self) -> Epoch {
        self.plan.before + 1
    }

    /// The last epoch in which nodes may come to one head.
    pub fn last_epoch(&self) -> Epoch {
        self.plan.before + HEALING_EPOCHS
    }

    /// What is going on, in a few words; none where nothing is.
    pub fn note(&self) -> Option<String> {
        match self.phase {
            Phase::Whole | Phase::Over => None,
            Phase::Split => Some(format!("partition: two sides until epoch {}", self.plan.before)),
            Phase::Healing { .. } => Some("partition: over, the nodes come together".to_owned()),
        }
    }

    /// Goes on where its time has come. The statuses are in the order of the members.
    pub async fn step(
        &mut self,
        devnet: &Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
    ) -> anyhow::Result<()> {
        let slot = devnet.slot_at(unix_ms()).unwrap_or_default();
        let (from, before) =
            (self.plan.from.start_slot(devnet.spec), self.plan.before.start_slot(devnet.spec));
        match self.phase {
            Phase::Whole if slot >= from => {
                self.report.slots = (from, before);
                devnet.cut()?;
                self.phase = Phase::Split;
            }
            Phase::Split if slot >= before => {
                self.report.branches = self.branches(devnet, statuses)?;
                devnet.heal()?;
                self.phase = Phase::Healing { since: unix_ms() };
            }
            Phase::Healing { since } => {
                if self.is_healed(devnet, statuses).await? {
                    self.report.healed_after_ms = Some(unix_ms().saturating_sub(since));
                    self.phase = Phase::Over;
                } else if slot >= self.last_epoch().start_slot(devnet.spec) {
                    bail!(
                        "{HEALING_EPOCHS} epochs after the partition the nodes have not come to one head:\n{}",
                        self.report
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where every node stands at the end of the partition. The sides must have no head in common, and within a side
    /// nodes must be on one branch, which is for the end to show: the last block may be on its way.
    fn branches(
        &self,
        devnet: &Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
    ) -> anyhow::Result<Vec<Branch>> {
        let sides = devnet.sides();
        let mut branches = Vec::new();
        for (member, status) in devnet.members.iter().zip(statuses) {
            let status = match status {
                Ok(status) => status,
                Err(error) => bail!("{} does not answer at the end of the partition: {error:#}", member.name),
            };
            let side = usize::from(sides[1].contains(&member.name));
            let head = (status.head_root, status.head_slot);
            branches.push(Branch { node: member.name.clone(), side, head, has_left: false });
        }
        let heads = |side: usize| -> BTreeSet<Root> {
            branches.iter().filter(|branch| branch.side == side).map(|branch| branch.head.0).collect()
        };
        if let Some(shared) = heads(0).intersection(&heads(1)).next() {
            bail!("the partition divided nothing: {shared} is the head of nodes on both sides");
        }
        let start = self.report.slots.0;
        if let Some(stuck) = branches.iter().find(|branch| branch.head.1 < start) {
            bail!("{} did not go on alone: its head is of slot {}", stuck.node, stuck.head.1);
        }
        Ok(branches)
    }

    /// True once all nodes have one head, and the nodes that were not on its chain have left theirs.
    async fn is_healed(
        &mut self,
        devnet: &Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
    ) -> anyhow::Result<bool> {
        let heads: Option<BTreeSet<Root>> =
            statuses.iter().map(|status| status.as_ref().ok().map(|status| status.head_root)).collect();
        if heads.is_none_or(|heads| heads.len() != 1) {
            return Ok(false);
        }
        for (branch, member) in self.report.branches.iter_mut().zip(&devnet.members) {
            let (root, slot) = branch.head;
            branch.has_left = match member.probe.client().header(&slot.to_string()).await {
                Ok((now, _)) => now != root,
                // The chain has no block of that slot.
                Err(error) if error.code() == Some(404) => true,
                Err(error) => return Err(error).with_context(|| member.name.clone()),
            };
        }
        let left = |side: usize| {
            self.report.branches.iter().filter(|branch| branch.side == side).all(|branch| branch.has_left)
        };
        // A moment at which both heads were the last common block would look like agreement.
        Ok(left(0) != left(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(from: u64, before: u64) -> PartitionPlan {
        PartitionPlan { from: Epoch(from), before: Epoch(before), sides: None }
    }

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_divides_nothing_is_refused() {
        plan(1, 2).check(2).unwrap();
        let refusal = |plan: PartitionPlan, nodes| plan.check(nodes).unwrap_err().to_string();
        assert!(refusal(plan(2, 2), 4).contains("divides nothing"));
        assert!(refusal(plan(0, 2), 4).contains("epoch 1 or later"));
        assert!(refusal(plan(1, 2), 1).contains("one node"));
    }

    #[test]
    fn by_default_each_clients_nodes_take_sides_in_turn() {
        let sides = plan(1, 2).sides_of(&names("node-0 node-1 node-2"), &names("lodestar-0 lodestar-1"));
        assert_eq!(sides, [names("node-0 node-2 lodestar-0"), names("node-1 lodestar-1")]);
    }

    #[test]
    fn the_report_tells_who_kept_its_branch_and_who_left() {
        let branch = |node: &str, side, has_left| Branch {
            node: node.to_owned(),
            side,
            head: (Root::from([0xab; 32]), Slot(30)),
            has_left,
        };
        let mut report = PartitionReport {
            slots: (Slot(16), Slot(32)),
            branches: vec![branch("node-0", 0, false), branch("lodestar-1", 1, true)],
            healed_after_ms: None,
        };
        assert!(report.to_string().starts_with("partition      slots 16 to 32; not healed\n"));
        report.healed_after_ms = Some(4321);
        let text = report.to_string();
        assert!(text.contains("one head again after 4.3 s\n"), "{text}");
        assert!(text.contains("side A: node-0 was at slot 30 0xabababab, which it kept\n"), "{text}");
        assert!(text.contains("side B: lodestar-1 was at slot 30 0xabababab, which it left\n"), "{text}");
    }
}
