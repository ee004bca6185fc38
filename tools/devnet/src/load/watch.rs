//! Watches a network under load: samples its processes, and reads each epoch's blocks when it is over.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use api::{BlockId, StateId};
use transition::accessors::get_block_root_at_slot;
use types::{BeaconState, Epoch, ForkName, Root, SignedBeaconBlock, Slot};

use super::report::LoadReport;
use super::usage::Usage;
use super::votes::EpochVotes;
use crate::{Devnet, MemberKind, NodeProbe};

/// Slots after the last epoch in which its votes may still come into blocks, when a run ends with an epoch. In a network
/// that works the next block takes them; what comes later than this is counted as lacking.
pub(crate) const SETTLE_SLOTS: u64 = 4;
/// Attempts to read an epoch, one a slot.
const ATTEMPTS: u32 = 3;

/// The watch of one run.
#[derive(Debug)]
pub(crate) struct LoadWatch {
    begun: Instant,
    usage: Usage,
    epochs: BTreeMap<Epoch, EpochVotes>,
    /// The blocks of two epochs, which the next epoch's judgement shares one with.
    blocks: BTreeMap<Root, SignedBeaconBlock>,
    /// The slot of the last attempt, and how often the next epoch was tried.
    tried: (Option<Slot>, u32),
    unjudged: Vec<String>,
    next: Epoch,
}

impl LoadWatch {
    /// Begins at genesis.
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            usage: Usage::default(),
            epochs: BTreeMap::new(),
            blocks: BTreeMap::new(),
            tried: (None, 0),
            unjudged: Vec::new(),
            next: Epoch(0),
        }
    }

    /// Samples what the processes take, this one included.
    pub(crate) fn sample(&mut self, devnet: &Devnet) {
        let me = ("devnet", std::process::id());
        let names = devnet.processes.names();
        let running = names.filter_map(|name| Some((name, devnet.processes.pid(name)?)));
        self.usage.sample(self.begun.elapsed().as_secs_f64(), running.chain([me]));
    }

    /// The epoch whose votes are to be judged next, where all blocks that may hold them are there. `slot` is by the clock.
    fn due(&self, devnet: &Devnet, slot: Slot) -> Option<Epoch> {
        let over = (self.next + 2).start_slot(devnet.spec);
        (slot >= over && self.tried.0 != Some(slot)).then_some(self.next)
    }

    /// Judges an epoch that is over, where there is one. A node that cannot tell is asked again in the next slot.
    pub(crate) async fn step(&mut self, devnet: &Devnet, slot: Slot) {
        let Some(epoch) = self.due(devnet, slot) else { return };
        let last = (epoch + 2).start_slot(devnet.spec) - 1;
        self.judge(devnet, epoch, slot, last).await;
    }

    /// Judges the epochs before `until` that no later epoch was waited for. `slot` is by the clock.
    pub(crate) async fn settle(&mut self, devnet: &Devnet, until: Epoch, slot: Slot) {
        while self.next < until {
            let last = ((self.next + 2).start_slot(devnet.spec) - 1).min(slot);
            self.judge(devnet, self.next, slot, last).await;
        }
    }

    async fn judge(&mut self, devnet: &Devnet, epoch: Epoch, slot: Slot, last: Slot) {
        self.tried = (Some(slot), self.tried.1 + 1);
        match self.read(devnet, epoch, last).await {
            Ok(votes) => {
                self.epochs.insert(epoch, votes);
            }
            Err(_) if self.tried.1 < ATTEMPTS => return,
            Err(error) => self.unjudged.push(format!("epoch {epoch}: {error:#}")),
        }
        self.tried.1 = 0;
        self.next = epoch + 1;
    }

    /// An epoch's votes, by the chain of our first node that runs, up to the last slot not after `last` that it has a
    /// state of.
    async fn read(&mut self, devnet: &Devnet, epoch: Epoch, last: Slot) -> anyhow::Result<EpochVotes> {
        let ours = devnet.members.iter().enumerate().filter(|(_, member)| member.kind == MemberKind::Ours);
        let member = ours.into_iter().find(|(place, _)| devnet.is_running(*place));
        let probe = &member.context("none of our nodes runs")?.1.probe;
        let first = (epoch + 1).start_slot(devnet.spec);
        let state = last_state(devnet, probe, first, last).await?;
        let blocks = self.blocks_of(devnet, probe, &state, epoch.start_slot(devnet.spec)).await?;
        EpochVotes::judge(&state, &blocks)
    }

    /// The blocks of the state's chain from a slot on, in order.
    async fn blocks_of(
        &mut self,
        devnet: &Devnet,
        probe: &NodeProbe,
        state: &BeaconState,
        first: Slot,
    ) -> anyhow::Result<Vec<SignedBeaconBlock>> {
        let mut known = std::mem::take(&mut self.blocks);
        let mut blocks = Vec::new();
        // The genesis block has no votes, and not every client shows it.
        for slot in (first.0.max(1)..state.slot.0).map(Slot) {
            let root = get_block_root_at_slot(state, slot)?;
            if root == get_block_root_at_slot(state, slot - 1)? {
                continue;
            }
            let block = match known.remove(&root) {
                Some(block) => block,
                None => {
                    let found = probe.client().block(devnet.spec, BlockId::Root(root)).await;
                    found.with_context(|| format!("the block of slot {slot}"))?.1
                }
            };
            self.blocks.insert(root, block.clone());
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// Everything together.
    pub(crate) fn report(self, devnet: &Devnet) -> LoadReport {
        let forks = self.epochs.keys().map(|epoch| devnet.spec.fork_name_at_epoch(*epoch));
        let mut forks: Vec<ForkName> = forks.collect();
        forks.dedup();
        LoadReport {
            validators: devnet.plan.validators,
            preset: devnet.plan.preset.to_string(),
            slot_ms: devnet.plan.slot_ms,
            forks,
            epochs: self.epochs.into_values().collect(),
            unjudged: self.unjudged,
            processes: self.usage.processes(),
            machine: self.usage.machine(),
            wall_s: self.begun.elapsed().as_secs_f64(),
        }
    }
}

/// The last state that a node has between two slots.
async fn last_state(
    devnet: &Devnet,
    probe: &NodeProbe,
    first: Slot,
    last: Slot,
) -> anyhow::Result<BeaconState> {
    for slot in (first.0..=last.0).rev().map(Slot) {
        match probe.client().state(devnet.spec, StateId::Slot(slot)).await {
            // The node may answer for a later slot than its head's with the head's state.
            Ok(state) if state.slot >= first => return Ok(state),
            Ok(_) => break,
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("no state between slots {first} and {last}")
}
