//! What follows from a change of fork choice: the head, the balances that votes weigh, finality, and the view.

use std::collections::BTreeSet;
use std::sync::Arc;

use fork_choice::ForkChoice;
use transition::accessors::get_block_root_at_slot;
use types::{BeaconState, Checkpoint, Root, Slot};

use crate::chain::Chain;
use crate::job::AdvanceState;
use crate::limits::ADVANCE_SLOTS_MAX;
use crate::notes::Noted;
use crate::states::{StateKey, committee_decision_slot};
use crate::work::Purpose;
use crate::{
    AdvancedState, Event, ForkChoiceView, HeadView, Job, NodeSummary, Output, Priority, View, Want,
    WantReason,
};

impl Chain {
    /// Draws the consequences of what fork choice was told.
    pub(crate) fn settle(&mut self) {
        if let Some(Checkpoint { epoch, root }) = self.fork_choice.wants_balances() {
            // Until they come the balances before them count.
            self.want_balances(epoch, root);
        }
        self.update_head();
        self.finalize();
        self.check_head_against_finality();
        self.published.is_stale = true;
    }

    fn want_balances(&mut self, epoch: types::Epoch, root: Root) {
        if !self.want_state(StateKey::Checkpoint(epoch, root)) {
            // It is asked again with the next change.
            self.counters.overflows += 1;
        }
    }

    fn update_head(&mut self) {
        let root = self.fork_choice.get_head();
        if root == self.head.root {
            // What is known of its payload may have changed.
            let execution = self.fork_choice.block(&root).map(|node| node.execution).unwrap_or_default();
            self.head.execution = execution;
            return;
        }
        let Some(state) = self.states.get(&root).cloned() else {
            self.want_state(StateKey::Post(root));
            return;
        };
        let old = std::mem::replace(&mut self.head, head_of(&self.fork_choice, root, state));
        self.published.is_fork_choice_stale = true;
        self.tell_of_head(&old);
    }

    fn tell_of_head(&mut self, old: &HeadView) {
        let (spec, head) = (self.spec, &self.head);
        let epoch = head.slot.epoch(spec);
        let is_reorg = !self.fork_choice.is_descendant(&old.root, &head.root);
        self.recent.notes.add(self.now, Noted::Head { slot: head.slot, root: head.root, is_reorg });
        if is_reorg {
            self.counters.reorgs += 1;
            let depth = old.slot.0.saturating_sub(common_slot(&self.fork_choice, &old.root, &head.root).0);
            self.outputs.push_back(Output::Event(Event::ChainReorg {
                slot: head.slot,
                depth,
                old_head_block: old.root,
                new_head_block: head.root,
                old_head_state: old.state_root,
                new_head_state: head.state_root,
                epoch,
            }));
        }
        let parent = self.fork_choice.block(&head.root).map(|node| node.parent_root);
        let parent = parent.and_then(|root| self.fork_choice.block(&root));
        let dependent = |epoch| match committee_decision_slot(spec, epoch) {
            Some(slot) if slot < head.slot => get_block_root_at_slot(&head.state, slot).unwrap_or(head.root),
            Some(_) => head.root,
            None => self.root_at_genesis(),
        };
        self.outputs.push_back(Output::Event(Event::Head {
            slot: head.slot,
            block: head.root,
            state: head.state_root,
            epoch_transition: parent.is_none_or(|parent| parent.slot.epoch(spec) < epoch),
            previous_duty_dependent_root: dependent(epoch),
            current_duty_dependent_root: dependent(epoch + 1),
        }));
    }

    /// The genesis block as the head's state remembers it; the head while that is still genesis. Long after genesis
    /// nothing depends on it any more.
    fn root_at_genesis(&self) -> Root {
        if self.head.slot == Slot(0) {
            return self.head.root;
        }
        get_block_root_at_slot(&self.head.state, Slot(0)).unwrap_or_default()
    }

    /// Advances the head's state to the next slot when the slot nears its end, so that the next block and its duties
    /// find the work done.
    pub(crate) fn advance_head_when_due(&mut self) {
        let next = self.slot + 1;
        let base = self.head.advanced.as_ref().unwrap_or(&self.head.state);
        let is_due = self.now >= self.advance_time() && self.now >= self.genesis.time;
        let is_near = base.slot < next && base.slot + ADVANCE_SLOTS_MAX > next;
        if !is_due || !is_near || self.work.is_advancing(self.head.root, next) {
            return;
        }
        let job = AdvanceState { state: base.clone(), slot: next, balances_of: None };
        let purpose = Purpose::Advance { head: self.head.root, slot: next };
        self.start(purpose, Priority::State, Job::AdvanceState(job));
    }

    pub(crate) fn head_advanced(&mut self, head: Root, made: AdvancedState) {
        let is_newer = |old: &Arc<BeaconState>| old.slot >= made.state.slot;
        if head == self.head.root && !self.head.advanced.as_ref().is_some_and(is_newer) {
            self.head.advanced = Some(made.state.clone());
            self.prepare_payload(&made.state);
            self.published.is_stale = true;
        }
    }

    fn finalize(&mut self) {
        let checkpoint = self.fork_choice.finalized_checkpoint().clone();
        if checkpoint == self.ledger.finalized {
            return;
        }
        let Some(node) = self.fork_choice.block(&checkpoint.root) else { return };
        self.note(Noted::Finalized(checkpoint.clone()));
        let event = Event::FinalizedCheckpoint { checkpoint: checkpoint.clone(), state: node.state_root };
        let canonical = chain_down_to(&self.fork_choice, &checkpoint.root, &self.ledger.finalized.root);
        let removed = self.fork_choice.prune();
        self.prune_data();
        self.record_finality(checkpoint, canonical, &removed);
        let store = &self.fork_choice;
        self.states.retain(|root| store.contains(root));
        self.work.unchecked_merges.retain(|root| store.contains(root));
        let gone: BTreeSet<Root> = removed.into_iter().collect();
        let finalized_slot = self.finalized_slot();
        let stays = |root: &Root, slot: Slot| !gone.contains(root) || slot >= finalized_slot;
        Arc::make_mut(&mut self.recent.blocks).retain(|root, block| stays(root, block.message.slot));
        if let Some(state) = self.states.get(&self.fork_choice.finalized_checkpoint().root) {
            Arc::make_mut(&mut self.pools.operations).prune(state);
        }
        self.published.is_fork_choice_stale = true;
        self.outputs.push_back(Output::Event(event));
    }

    /// Asks once more for what was not found.
    pub(crate) fn ask_again(&mut self) {
        let (parents, voted) = self.aside.wanted();
        let parents = parents.into_iter().map(|root| (root, WantReason::Parent { from: None }));
        let voted = voted.into_iter().map(|root| (root, WantReason::Attested { from: None }));
        for (root, reason) in parents.chain(voted) {
            if !self.imports.is_in_flight(&root) {
                self.outputs.push_back(Output::Fetch(Want::Block { root, reason }));
            }
        }
    }

    /// Publishes a new view where the last one no longer tells the truth.
    pub(crate) fn refresh_view(&mut self) {
        if !std::mem::take(&mut self.published.is_stale) {
            return;
        }
        let is_fork_choice_stale = std::mem::take(&mut self.published.is_fork_choice_stale);
        let fork_choice = match is_fork_choice_stale {
            true => Arc::new(fork_choice_view(&self.fork_choice)),
            false => self.published.view.fork_choice.clone(),
        };
        self.published.view = Arc::new(self.make_view(fork_choice));
    }

    pub(crate) fn make_view(&self, fork_choice: Arc<ForkChoiceView>) -> View {
        let (blocks_pending, attestations_pending) = self.aside.counts();
        let mut counters = self.counters;
        counters.blocks_pending = blocks_pending as u64;
        (counters.blocks_without_data, counters.data_bytes_pending) = self.data.counts();
        counters.attestations_pending = attestations_pending as u64;
        counters.states_held = self.states.len() as u64;
        counters.jobs_running = self.work.jobs_running() as u64;
        let finalized = self.fork_choice.finalized_checkpoint().clone();
        View {
            spec: self.spec,
            genesis: self.genesis,
            time: self.now,
            current_slot: self.slot,
            head: self.head.clone(),
            justified: self.fork_choice.justified_checkpoint().clone(),
            finalized_state: self.states.get(&finalized.root).cloned(),
            finalized,
            fork_choice,
            blocks: self.recent.blocks.clone(),
            sidecars: self.recent.sidecars.clone(),
            states: self.states.shared(),
            pools: self.pools.clone(),
            liveness: self.recent.liveness.clone(),
            counters,
        }
    }
}

/// The head, given its post-state.
pub(crate) fn head_of(store: &ForkChoice, root: Root, state: Arc<BeaconState>) -> HeadView {
    let state_root = store.block(&root).map(|node| node.state_root).unwrap_or_default();
    let execution = store.block(&root).map(|node| node.execution).unwrap_or_default();
    HeadView { root, slot: state.slot, state, state_root, advanced: None, execution }
}

pub(crate) fn fork_choice_view(store: &ForkChoice) -> ForkChoiceView {
    let summary = |view: fork_choice::NodeView| NodeSummary {
        node: view.node,
        parent: view.parent,
        weight: view.weight,
        viable: view.viable,
        is_leaf: view.is_leaf,
    };
    ForkChoiceView {
        proposer_boost_root: store.proposer_boost_root(),
        nodes: store.nodes().map(summary).collect(),
    }
}

/// The slot of the last block that is in both chains.
fn common_slot(store: &ForkChoice, old: &Root, new: &Root) -> Slot {
    let mut at = store.block(old);
    while let Some(node) = at {
        if store.is_descendant(&node.root, new) {
            return node.slot;
        }
        at = store.block(&node.parent_root);
    }
    Slot(0)
}

/// The blocks of a chain after `base`, oldest first, `root` last. Where `base` is not met, all that fork choice has.
fn chain_down_to(store: &ForkChoice, root: &Root, base: &Root) -> Vec<(Slot, Root)> {
    let mut chain = Vec::new();
    let mut at = store.block(root);
    while let Some(node) = at.filter(|node| node.root != *base) {
        chain.push((node.slot, node.root));
        at = store.block(&node.parent_root);
    }
    chain.reverse();
    chain
}
