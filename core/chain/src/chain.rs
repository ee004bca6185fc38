//! The machine itself: its fields, its inputs and its clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use data_availability::Sidecar;
use deposits::Eth1Chain;
use fork_choice::ForkChoice;
use types::{Epoch, Root, SignedBeaconBlock, Slot, Spec, Time};

use crate::aside::Aside;
use crate::data::Data;
use crate::evidence::Kept;
use crate::gossip::Seen;
use crate::import::Imports;
use crate::incoming::{Incoming, Origin};
use crate::ledger::Ledger;
use crate::notes::{Noted, Notes};
use crate::publishing::OpenCommand;
use crate::states::States;
use crate::work::Work;
use crate::{
    ChainConfig, Command, CommandId, Counters, GenesisInfo, HeadView, Input, Liveness, Output, PoolsView,
    View,
};

/// The writer of the beacon chain. See the crate's documentation for what goes in and out.
#[derive(Debug)]
pub struct Chain {
    pub(crate) spec: &'static Spec,
    pub(crate) config: ChainConfig,
    pub(crate) genesis: GenesisInfo,
    pub(crate) now: Time,
    /// The slot whose start was last acted upon.
    pub(crate) slot: Slot,
    pub(crate) fork_choice: ForkChoice,
    pub(crate) head: HeadView,
    pub(crate) seen: Seen,
    pub(crate) pools: PoolsView,
    pub(crate) states: States,
    pub(crate) recent: Recent,
    pub(crate) data: Data,
    pub(crate) imports: Imports,
    pub(crate) aside: Aside,
    pub(crate) work: Work,
    pub(crate) commands: BTreeMap<CommandId, OpenCommand>,
    pub(crate) ledger: Ledger,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) published: Published,
}

/// What is remembered of the last slots, for readers and for whoever looks into what happened.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pub blocks: Arc<BTreeMap<Root, Arc<SignedBeaconBlock>>>,
    pub sidecars: Arc<BTreeMap<Root, Vec<Sidecar>>>,
    pub liveness: Arc<Liveness>,
    pub notes: Notes,
    pub evidence: Kept,
}

/// The last view, and whether it still tells the truth.
#[derive(Debug)]
pub(crate) struct Published {
    pub view: Arc<View>,
    /// Something that readers see has changed.
    pub is_stale: bool,
    /// Blocks, weights or checkpoints of fork choice have changed.
    pub is_fork_choice_stale: bool,
}

impl Chain {
    /// Takes one input. `now` is the shell's clock; a time before that of an earlier input counts as that one.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.catch_up_with_clock();
        match input {
            Input::Tick => {}
            Input::Gossip { id, message } => {
                self.take(Incoming { origin: Origin::Gossip(id), message, arrived: self.now });
            }
            Input::Segment { id, blocks, sidecars } => self.take_segment(id, blocks, sidecars),
            Input::Sidecars { id, sidecars } => self.take_sidecars(id, sidecars),
            Input::EngineDone(id, reply) => self.engine_done(id, reply),
            Input::Eth1(eth1) => self.follow_eth1(eth1),
            Input::JobDone(id, result) => self.job_done(id, result),
            Input::Stored(seq) => self.ledger.stored(seq),
            Input::Loaded(id, loaded) => self.loaded(id, loaded),
            Input::Command(id, command) => self.take_command(id, command),
        }
        self.look_after_data();
        self.run_imports();
        self.flush_due_batch();
        self.ask_due_payloads();
        self.advance_head_when_due();
        self.tell_engine();
        self.write();
        self.refresh_view();
    }

    /// The next thing that the chain wants done; to be asked until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the chain wants [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Time {
        let mut deadline = self.start_of(self.slot + 1);
        if self.now < self.genesis.time {
            deadline = self.genesis.time;
        }
        if let Some(flush) = self.work.batch_due() {
            deadline = deadline.min(flush);
        }
        if let Some(due) = self.data.deadline() {
            deadline = deadline.min(due);
        }
        if let Some(due) = self.work.payloads.due() {
            deadline = deadline.min(due);
        }
        let advance = self.advance_time();
        if advance > self.now {
            deadline = deadline.min(advance);
        }
        deadline
    }

    /// What readers see, as of the last input.
    pub fn view(&self) -> &Arc<View> {
        &self.published.view
    }

    /// The fork choice, for those who check it.
    pub fn fork_choice(&self) -> &ForkChoice {
        &self.fork_choice
    }

    /// When a slot begins.
    pub(crate) fn start_of(&self, slot: Slot) -> Time {
        self.genesis.time.after_ms(slot.0.saturating_mul(self.spec.config.slot_duration_ms))
    }

    /// From when the head's state is advanced to the next slot: in the last quarter of a slot the votes are in, and the
    /// next proposer has not begun.
    pub(crate) fn advance_time(&self) -> Time {
        self.start_of(self.slot).after_ms(self.spec.config.slot_duration_ms * 3 / 4)
    }

    pub(crate) fn current_epoch(&self) -> Epoch {
        self.slot.epoch(self.spec)
    }

    /// Acts on the starts of slots since the last input.
    fn catch_up_with_clock(&mut self) {
        self.fork_choice.on_tick(self.now);
        let slot = self.fork_choice.get_current_slot();
        if slot <= self.slot {
            return;
        }
        self.slot = slot;
        self.work.told.slot_began();
        self.work.payloads.slot_began(self.now);
        self.published.is_stale = true;
        self.published.is_fork_choice_stale = true;
        self.prune_by_time();
        for incoming in self.aside.expire(slot, self.finalized_slot()) {
            self.judge(&incoming, crate::Verdict::Ignore(crate::gossip::BLOCK_NOT_SEEN));
        }
        for incoming in self.aside.due(slot) {
            self.take(incoming);
        }
        self.settle();
        self.ask_again();
    }

    /// Drops what no message can refer to any more.
    fn prune_by_time(&mut self) {
        let preset = &self.spec.preset;
        let range = self.spec.config.attestation_propagation_slot_range;
        // One slot more, for clocks that differ.
        let first_slot = self.slot.saturating_sub(range + 1);
        self.seen.prune(self.finalized_slot(), first_slot.epoch(self.spec), first_slot);
        // Since Deneb (EIP-7045) votes are included until the epoch after theirs ends.
        let epoch_before = self.slot.epoch(self.spec).saturating_sub(1).start_slot(self.spec);
        let first_included = self.slot.saturating_sub(preset.slots_per_epoch).min(epoch_before);
        let votes = Arc::make_mut(&mut self.pools.attestations);
        votes.prune(first_included);
        // Aggregators add up votes in their slot, proposers in the next.
        votes.forget_points(self.slot.saturating_sub(1));
        // Votes of the sync committee are included in the next slot or never.
        Arc::make_mut(&mut self.pools.sync_votes).prune(self.slot.saturating_sub(1));
    }

    pub(crate) fn finalized_slot(&self) -> Slot {
        self.fork_choice.finalized_checkpoint().epoch.start_slot(self.spec)
    }

    /// A fault of our own, that no peer is to blame for.
    pub(crate) fn fault(&mut self, text: String) {
        self.counters.faults += 1;
        self.note(Noted::Fault(text.clone()));
        self.outputs.push_back(Output::Fault(text));
    }

    pub(crate) fn note(&mut self, what: Noted) {
        self.recent.notes.add(self.now, what);
    }

    fn follow_eth1(&mut self, eth1: Arc<Eth1Chain>) {
        self.pools.eth1 = Some(eth1);
        self.published.is_stale = true;
    }

    fn take_command(&mut self, id: CommandId, command: Command) {
        match command {
            Command::ProduceBlock { slot, randao_reveal, graffiti } => {
                self.produce(id, crate::production::Wish { slot, randao_reveal, graffiti });
            }
            Command::PrepareBeaconProposer(proposers) => {
                self.prepare_proposers(proposers);
                self.outputs.push_back(Output::Reply(id, crate::Reply::Items(Vec::new())));
            }
            Command::SetCustody(columns) => {
                self.set_custody(columns);
                self.outputs.push_back(Output::Reply(id, crate::Reply::Items(Vec::new())));
            }
            Command::Flush => {
                let seq = self.flush();
                self.outputs.push_back(Output::Reply(id, crate::Reply::Flushed { seq }));
            }
            publish => self.publish(id, publish),
        }
    }
}
