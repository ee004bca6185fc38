//! Blobs and columns in a network of which one node withholds columns of its blocks, and which another joins late.
//!
//! ```text
//!   Watching    the withholder's log names the blocks that it withheld; no honest node may know them
//!      │ all epochs of the drill are over
//!   CatchingUp  a node without anything starts: its head must become that of the others
//!      │
//!   Waiting     until the end of the drill is final on all nodes; then each honest node is asked for every block,
//!      │        its columns and its blobs
//!   Over
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use api::BlockId;
use futures::future::try_join_all;
use types::{Epoch, Root, Slot, Spec};

use crate::data_checks::{self, Place};
use crate::drill::catch_up_deadline;
use crate::launch::unix_ms;
use crate::{Devnet, Member, NodeStatus};

/// The words of a withholder's log for a block whose columns it keeps.
const WITHHELD: &str = "the columns of its own block are withheld";
/// The node that comes when everything is over.
const LATE_NODE: &str = "late-node";

/// The epochs of the drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDrillPlan {
    /// Those whose blocks are looked at.
    pub epochs: Range<Epoch>,
    /// Those among them in which one node withholds columns of its blocks.
    pub withheld: Range<Epoch>,
}

impl Default for DataDrillPlan {
    fn default() -> Self {
        Self { epochs: Epoch(1)..Epoch(6), withheld: Epoch(2)..Epoch(6) }
    }
}

impl DataDrillPlan {
    /// Refuses a plan in which nothing would be drilled.
    pub fn check(&self) -> anyhow::Result<()> {
        let (all, withheld) = (&self.epochs, &self.withheld);
        let inside = all.start <= withheld.start && withheld.start < withheld.end && withheld.end <= all.end;
        ensure!(inside, "columns withheld in epochs {withheld:?} are no part of a drill of epochs {all:?}");
        Ok(())
    }

    /// What the node that withholds is told.
    pub fn misbehaviour(&self, spec: &Spec) -> String {
        let slots = slots(spec, &self.withheld);
        format!("withhold-columns={}..{}", slots.start, slots.end)
    }
}

fn slots(spec: &Spec, epochs: &Range<Epoch>) -> Range<Slot> {
    epochs.start.start_slot(spec)..epochs.end.start_slot(spec)
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataReport {
    /// The slots that were looked at.
    pub slots: u64,
    /// Blobs of each block.
    pub blobs: u64,
    /// Blocks that all honest nodes imported.
    pub blocks: u64,
    /// Blocks that none of them imported, since their columns were withheld.
    pub withheld: BTreeMap<Slot, Root>,
    /// By honest node, how many columns of each block it has.
    pub columns: Vec<(String, usize)>,
    /// The slot in which the late node began.
    pub joined_at: Option<Slot>,
    /// Milliseconds from then until it had the head of the others.
    pub caught_up_after_ms: Option<u64>,
    /// True when everything was looked at and found in order.
    pub is_complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Watching,
    CatchingUp { joiner: usize, since: u64 },
    Waiting,
    Over,
}

/// The drill; see the module.
#[derive(Debug)]
pub struct DataDrill {
    plan: DataDrillPlan,
    phase: Phase,
    /// The slot in which the nodes were last asked for withheld blocks.
    asked_in: Slot,
    /// What was found so far.
    pub report: DataReport,
}

impl DataDrill {
    /// Nothing has happened yet.
    pub fn new(plan: DataDrillPlan) -> Self {
        Self { plan, phase: Phase::Watching, asked_in: Slot(0), report: DataReport::default() }
    }

    /// True when everything was checked.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The epoch that must become final on all nodes before the drill is judged: all its blocks come before.
    pub fn final_epoch(&self) -> Epoch {
        self.plan.epochs.end
    }

    /// What is going on, in a few words.
    pub fn note(&self) -> Option<String> {
        let withheld = match self.report.withheld.last_key_value() {
            Some((slot, _)) => format!("{} blocks withheld, last at {slot}", self.report.withheld.len()),
            None => "nothing withheld yet".to_owned(),
        };
        match self.phase {
            Phase::Watching => Some(withheld),
            Phase::CatchingUp { .. } => Some(format!("{withheld}; {LATE_NODE} catches up")),
            Phase::Waiting => Some(format!("{withheld}; epoch {} is to become final", self.final_epoch())),
            Phase::Over => None,
        }
    }

    /// Does what is due, given the nodes' latest answers, and whether [`Self::final_epoch`] is final on all of them.
    /// An error says what is not as it should be.
    pub async fn step(
        &mut self,
        devnet: &mut Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
        is_final: bool,
    ) -> anyhow::Result<()> {
        let now = unix_ms();
        let slot = devnet.slot_at(now).unwrap_or_default();
        if slot > self.asked_in {
            self.asked_in = slot;
            self.look_for_withheld(devnet).await?;
        }
        match self.phase {
            Phase::Watching if slot >= slots(devnet.spec, &self.plan.epochs).end => {
                let joiner = devnet.start_late_node(LATE_NODE).await?;
                self.report.joined_at = Some(slot);
                self.phase = Phase::CatchingUp { joiner, since: now };
            }
            Phase::CatchingUp { joiner, since } => self.catch_up(devnet, statuses, joiner, since)?,
            Phase::Waiting if is_final => {
                self.judge(devnet).await?;
                self.phase = Phase::Over;
            }
            Phase::Watching | Phase::Waiting | Phase::Over => {}
        }
        Ok(())
    }

    /// Reads which blocks were withheld, and asks all honest nodes for them.
    async fn look_for_withheld(&mut self, devnet: &Devnet) -> anyhow::Result<()> {
        let withholder = withholder(devnet);
        let log = devnet.processes.plan(&withholder.beacon).map(|plan| plan.log.as_path());
        self.report.withheld = withheld_blocks(log.context("the withholder has no process")?)?;
        for member in honest(devnet) {
            for (slot, root) in &self.report.withheld {
                // A node that is too busy to answer is asked again in the next slot, and at the end.
                let known = data_checks::header(&member.probe, &root.to_string()).await;
                ensure!(
                    !matches!(known, Ok(Some(_))),
                    "{} imported block {root} of slot {slot}, whose columns were withheld",
                    member.name
                );
            }
        }
        Ok(())
    }

    fn catch_up(
        &mut self,
        devnet: &Devnet,
        statuses: &[anyhow::Result<NodeStatus>],
        joiner: usize,
        since: u64,
    ) -> anyhow::Result<()> {
        let waited = unix_ms() - since;
        let mine = statuses.get(joiner).and_then(|status| status.as_ref().ok());
        let others = statuses.iter().take(joiner).filter_map(|status| status.as_ref().ok());
        let best = others.map(|other| (other.head_slot, other.head_root)).max_by_key(|(slot, _)| *slot);
        if mine.is_some() && mine.map(|mine| (mine.head_slot, mine.head_root)) == best {
            self.report.caught_up_after_ms = Some(waited);
            self.phase = Phase::Waiting;
            return Ok(());
        }
        if u128::from(waited) > catch_up_deadline(devnet).as_millis() {
            let head = mine.map_or("no answer".to_owned(), |mine| format!("head at slot {}", mine.head_slot));
            let best = best.map_or(Slot(0), |(slot, _)| slot);
            bail!(
                "{LATE_NODE} has not caught up after {} s: {head}, the others are at slot {best}",
                waited / 1000
            );
        }
        Ok(())
    }

    /// Asks every honest node for everything.
    async fn judge(&mut self, devnet: &Devnet) -> anyhow::Result<()> {
        ensure!(
            !self.report.withheld.is_empty(),
            "{} proposed no block in epochs {:?}, so none was withheld: the drill shows nothing; run it again",
            withholder(devnet).name,
            self.plan.withheld
        );
        let slots = slots(devnet.spec, &self.plan.epochs);
        self.report.slots = slots.end.0 - slots.start.0;
        self.report.blobs = devnet.plan.blobs;
        let first = &devnet.members[0];
        let chain = data_checks::canonical(&first.probe, slots.clone()).await?;
        self.report.blocks = chain.len() as u64;
        ensure!(
            2 * self.report.blocks > self.report.slots,
            "only {} of {} slots have blocks",
            chain.len(),
            self.report.slots
        );
        for place in &chain {
            self.check_block(devnet, first, *place).await?;
        }
        let checks = honest(devnet).map(|member| check_node(devnet, member, &chain));
        self.report.columns = try_join_all(checks).await?;
        for member in honest(devnet) {
            for (slot, root) in &self.report.withheld {
                let known = data_checks::header(&member.probe, &root.to_string()).await?;
                ensure!(known.is_none(), "{} has the withheld block of slot {slot}", member.name);
            }
        }
        self.report.is_complete = true;
        Ok(())
    }

    async fn check_block(&self, devnet: &Devnet, member: &Member, (slot, root): Place) -> anyhow::Result<()> {
        let withheld = self.report.withheld.get(&slot);
        ensure!(withheld != Some(&root), "block {root} of slot {slot} is canonical, and was withheld");
        let (_, block) = member.probe.client().block(devnet.spec, BlockId::Root(root)).await?;
        let commitments = block.message.body.blob_kzg_commitments.len() as u64;
        ensure!(
            commitments == devnet.plan.blobs,
            "block {root} of slot {slot} commits to {commitments} blobs, not to {}",
            devnet.plan.blobs
        );
        Ok(())
    }
}

/// Whether a node has this chain, the columns of its custody of each block, and no others; one with all columns also
/// the blobs. Gives its name and the number of its columns.
async fn check_node(devnet: &Devnet, member: &Member, chain: &[Place]) -> anyhow::Result<(String, usize)> {
    let probe = &member.probe;
    let (first, last) = (chain[0].0, chain[chain.len() - 1].0);
    let own = data_checks::canonical(probe, first..last + 1).await?;
    let other = chain.iter().find(|place| !own.contains(place));
    ensure!(
        own == chain,
        "{} has another chain of {} blocks: {other:?} is not among them",
        member.name,
        own.len()
    );
    let expected = data_checks::custody(devnet.spec, probe).await?;
    for (slot, root) in chain {
        let context = || format!("{}, block {root} of slot {slot}", member.name);
        let columns = data_checks::columns(devnet.spec, probe, *root, devnet.plan.blobs).await;
        let columns = columns.with_context(context)?;
        data_checks::check_indices(&expected, &columns).with_context(context)?;
        if expected.len() as u64 == devnet.spec.preset.number_of_columns {
            let blobs = data_checks::check_blobs(devnet.spec, probe, *root, &columns).await;
            blobs.with_context(context)?;
        }
    }
    Ok((member.name.clone(), expected.len()))
}

/// The last node that was there from the start.
fn withholder(devnet: &Devnet) -> &Member {
    let place = usize::try_from(devnet.plan.nodes).unwrap_or(usize::MAX) - 1;
    &devnet.members[place.min(devnet.members.len() - 1)]
}

/// All others, the late one included.
fn honest(devnet: &Devnet) -> impl Iterator<Item = &Member> {
    let withholder = withholder(devnet).name.clone();
    devnet.members.iter().filter(move |member| member.name != withholder)
}

fn withheld_blocks(log: &Path) -> anyhow::Result<BTreeMap<Slot, Root>> {
    let text = std::fs::read(log).with_context(|| log.display().to_string())?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(withheld_block).collect())
}

/// Slot and root in a line of the withholder's log.
fn withheld_block(line: &str) -> Option<Place> {
    let (_, fields) = line.split_once(WITHHELD)?;
    let field = |name: &str| fields.split_whitespace().find_map(|word| word.strip_prefix(name));
    Some((Slot(field("slot=")?.parse().ok()?), field("root=")?.parse().ok()?))
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let withheld: Vec<String> = self.withheld.keys().map(Slot::to_string).collect();
        writeln!(
            f,
            "data           of {} slots {} have a block with {} blobs on all honest nodes; withheld, and on none of \
             them: {} (slots {})",
            self.slots,
            self.blocks,
            self.blobs,
            withheld.len(),
            withheld.join(", ")
        )?;
        let columns: Vec<String> =
            self.columns.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "columns        exactly those of the custody: {}", columns.join(", "))?;
        let caught_up = match (self.joined_at, self.caught_up_after_ms) {
            (Some(slot), Some(ms)) => format!("in slot {slot}, in step after {:.1} s", ms as f64 / 1000.0),
            (Some(slot), None) => format!("in slot {slot}, never in step"),
            (None, _) => "never".to_owned(),
        };
        writeln!(f, "{LATE_NODE}      began {caught_up}")?;
        let verdict = if self.is_complete { "everything as it should be" } else { "NOT COMPLETE" };
        writeln!(f, "data drill     {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_blocks_are_found_in_the_log() {
        let root = Root::from([0xab; 32]);
        let line = format!(
            "2026-01-01T00:00:00Z  WARN node::misbehaviour: MISBEHAVES, for a drill: {WITHHELD} slot=17 root={root} published=\"1/8\""
        );
        assert_eq!(withheld_block(&line), Some((Slot(17), root)));
        assert_eq!(withheld_block("INFO slot slot=17 root=0xab"), None);
    }

    #[test]
    fn columns_are_withheld_inside_the_drill() {
        let plan = DataDrillPlan::default();
        plan.check().unwrap();
        assert_eq!(plan.misbehaviour(Spec::minimal()), "withhold-columns=16..48");
        for withheld in [Epoch(0)..Epoch(3), Epoch(3)..Epoch(3), Epoch(4)..Epoch(9)] {
            assert!(DataDrillPlan { withheld, ..plan.clone() }.check().is_err());
        }
    }

    #[test]
    fn the_report_tells_what_was_not_reached() {
        let mut report = DataReport { slots: 40, blobs: 6, blocks: 36, ..DataReport::default() };
        report.withheld.insert(Slot(17), Root::ZERO);
        report.joined_at = Some(Slot(48));
        let text = report.to_string();
        assert!(text.contains("of 40 slots 36 have a block with 6 blobs"), "{text}");
        assert!(text.contains("1 (slots 17)"), "{text}");
        assert!(text.contains("in slot 48, never in step") && text.contains("NOT COMPLETE"), "{text}");
        (report.caught_up_after_ms, report.is_complete) = (Some(4300), true);
        assert!(report.to_string().contains("in step after 4.3 s"));
    }
}
