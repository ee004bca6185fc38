//! When the checkers look, and at what.

use fork_choice::naive::NaiveStore;
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Slot, Time};

use crate::checkers::{Violation, check_end, heads_agree};
use crate::genesis::GENESIS;
use crate::packet::Short;
use crate::world::World;

/// Looks of the checkers, two a slot, at which a node may be loading the state of a new head.
const LOADING_CHECKS_MAX: u32 = 4;

/// How long a gossip message, command or segment may go without its answer, in epochs.
const ANSWER_EPOCHS: u64 = 2;

/// How long a node or an engine that was down needs not be as good as the others, in epochs.
const SETTLE_EPOCHS: u64 = 1;

impl World {
    /// Looks at all nodes.
    pub(crate) fn check(&mut self) {
        for node in 0..self.nodes.len() {
            let Some(running) = &mut self.nodes[node].running else { continue };
            let view = running.chain.view().clone();
            if let Some(film) = &mut self.film {
                film.look(self.now, node, &view);
            }
            let result = heads_agree(node, view.head.root, running.chain.fork_choice());
            // A head whose state is not in memory is shown once the state is loaded.
            let is_loading = result.is_err() && {
                let expected = NaiveStore::observe(running.chain.fork_choice()).get_head();
                !view.states.contains_key(&expected)
            };
            running.loading_checks = if is_loading { running.loading_checks + 1 } else { 0 };
            let result =
                if running.loading_checks > LOADING_CHECKS_MAX || !is_loading { result } else { Ok(()) };
            let what = format_args!(
                "head {} of slot {}, justified {}, final {}",
                Short(&view.head.root),
                view.head.slot,
                view.justified.epoch,
                view.finalized.epoch
            );
            self.trace.note(self.now, node, what);
            if let Err(violation) = result.and_then(|()| check_bounds(node, &view)) {
                self.fail(violation);
            }
        }
        if let Err(violation) = self.observe_participation().and_then(|()| self.check_forks()) {
            self.fail(violation);
        }
    }

    /// Near the end of an epoch the furthest head's state knows who voted in the one before.
    fn observe_participation(&mut self) -> Result<(), Violation> {
        let spec = self.scenario.spec;
        let (slot, ms) = self.time();
        let is_last = (slot + 1).epoch(spec) > slot.epoch(spec);
        if !is_last || ms < self.scenario.slot_ms() / 2 {
            return Ok(());
        }
        let views = self.nodes.iter().filter_map(|node| Some(node.running.as_ref()?.chain.view()));
        let Some(view) = views.max_by_key(|view| view.head.slot) else { return Ok(()) };
        if view.head.slot.epoch(spec) != slot.epoch(spec) {
            return Ok(());
        }
        self.participation.observe(&view.head.state)?;
        self.participation.check(self.scenario.demands.participation_percent)
    }

    /// A while after a fork, every node must have finalized a checkpoint of it.
    fn check_forks(&self) -> Result<(), Violation> {
        let spec = self.scenario.spec;
        let Some(patience) = self.scenario.demands.epochs_to_finality else { return Ok(()) };
        let (slot, ms) = self.time();
        let due = |fork: &ForkName| {
            let begin = spec.fork_epoch(*fork);
            let is_scheduled = begin != FAR_FUTURE_EPOCH && begin > 0;
            is_scheduled && (begin + patience).start_slot(spec) == slot && ms >= self.scenario.slot_ms() / 2
        };
        for fork in ForkName::ALL.into_iter().filter(due) {
            let begin = spec.fork_epoch(fork);
            for standing in self.standings() {
                if standing.finalized.epoch < begin && self.is_settled(standing.node) {
                    let what = format!(
                        "{patience} epochs after the fork to {fork} in epoch {begin}, epoch {} is final",
                        standing.finalized.epoch
                    );
                    return Err(Violation::at("finality after a fork", standing.node, what));
                }
            }
        }
        Ok(())
    }

    /// The slot of the world, and the time in it in ms.
    fn time(&self) -> (Slot, u64) {
        let (since, slot_ms) = (self.now.since(GENESIS), self.scenario.slot_ms());
        (Slot(since / slot_ms), since % slot_ms)
    }

    /// True for honest nodes that have been up for some time together with their engines.
    pub(crate) fn is_settled(&self, node: usize) -> bool {
        let at = &self.nodes[node];
        let settled = |since: Time| since.after_ms(SETTLE_EPOCHS * self.scenario.epoch_ms()) <= self.now;
        let is_up = at.running.is_some() && (at.generation == 1 || settled(at.up_since));
        let has_engine =
            at.engine.is_up && (at.engine.healthy_since == Time(0) || settled(at.engine.healthy_since));
        is_up && has_engine && !self.is_byzantine(node)
    }

    /// Judges the end.
    pub(crate) fn check_end(&self, end: Time) -> Result<(), Violation> {
        let demands = self.scenario.demands;
        let honest = self.nodes.len() - self.scenario.data.withholding.min(self.nodes.len());
        check_end(honest, &self.standings(), &self.finality, &demands)?;
        self.check_answers(Time(end.0.saturating_sub(ANSWER_EPOCHS * self.scenario.epoch_ms())))?;
        (0..honest).try_for_each(|node| self.check_engine(node))
    }

    /// At the end, the node follows no payload that its engine has not executed, and its engine follows the node.
    fn check_engine(&self, node: usize) -> Result<(), Violation> {
        let (at, rule) = (&self.nodes[node], "the engine and its node agree");
        let Some(running) = &at.running else { return Ok(()) };
        let head = &running.chain.view().head;
        if head.is_optimistic() {
            let what = format!("at the end the head of slot {} is optimistic", head.slot);
            return Err(Violation::at(rule, node, what));
        }
        let payload = head.state.latest_execution_payload_header.block_hash;
        let followed = at.engine.engine.forkchoice().head_block_hash;
        if payload.is_zero() || payload == followed || at.engine.healthy_since > self.now {
            return Ok(());
        }
        let what = format!(
            "at the end the engine follows {}, the node's head of slot {} has {}",
            Short(&followed),
            head.slot,
            Short(&payload)
        );
        Err(Violation::at(rule, node, what))
    }

    /// What was given to a chain before `since` must have been answered by now.
    fn check_answers(&self, since: Time) -> Result<(), Violation> {
        for (node, at) in self.nodes.iter().enumerate() {
            let Some(running) = &at.running else { continue };
            let gossip = running.undecided.values().map(|(packet, _, at)| (packet.name.clone(), *at));
            let commands = running.commands.iter().map(|(id, (_, at))| (format!("{id:?}"), *at));
            let segments = running.segments.iter().map(|(id, at)| (format!("{id:?}"), *at));
            let sidecars = running.sidecars.iter().map(|(id, at)| (format!("{id:?}"), *at));
            if let Some((name, at)) =
                gossip.chain(commands).chain(segments).chain(sidecars).find(|(_, at)| *at < since)
            {
                let what = format!("{name} of {} ms after genesis has no answer", at.since(GENESIS));
                return Err(Violation::at("everything is answered", node, what));
            }
        }
        Ok(())
    }
}

/// Compares a chain's counts with its own limits.
fn check_bounds(node: usize, view: &chain::View) -> Result<(), Violation> {
    use chain::limits;
    let counters = &view.counters;
    let bounds = [
        ("blocks aside", counters.blocks_pending, limits::PENDING_BLOCKS_MAX + limits::EARLY_BLOCKS_MAX),
        (
            "votes aside",
            counters.attestations_pending,
            limits::WAITING_ATTESTATIONS_MAX + limits::EARLY_ATTESTATIONS_MAX,
        ),
        ("states", counters.states_held, limits::STATES_MAX + limits::CHECKPOINT_STATES_MAX),
        ("blocks", view.blocks.len() as u64, limits::RECENT_BLOCKS_MAX),
        ("blocks with sidecars", view.sidecars.len() as u64, limits::RECENT_SIDECARS_BLOCKS_MAX),
    ];
    match bounds.into_iter().find(|(_, count, max)| *count > *max as u64) {
        Some((name, count, max)) => {
            Err(Violation::at("everything is bounded", node, format!("{count} {name}, at most {max}")))
        }
        None => Ok(()),
    }
}
