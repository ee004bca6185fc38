//! What the operator reads: a line a slot, and a line for everything that was missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::{Root, Slot, Spec, ValidatorIndex};
use validator::{Done, Due, Duty, Missed};

use crate::metrics::ClientMetrics;

/// Validators that a line names; of more it says how many there are.
const NAMED_MAX: usize = 8;

#[derive(Debug, Default)]
struct Tally {
    blocks: usize,
    attestations: usize,
    aggregates: usize,
    sync_messages: usize,
    contributions: usize,
    /// The block proposed, and the one voted for.
    proposed: Option<Root>,
    voted: Option<Root>,
}

impl Tally {
    /// The duties done, in the order of [`Due`].
    fn counts(&self) -> [usize; 5] {
        [self.blocks, self.attestations, self.aggregates, self.sync_messages, self.contributions]
    }
}

/// Counts duties until their slot is over. Bounded: a slot's count is dropped when its line is written.
#[derive(Debug)]
pub(crate) struct Journal {
    spec: &'static Spec,
    /// The first slot whose line is still to be written.
    next: Slot,
    metrics: Arc<ClientMetrics>,
    tallies: BTreeMap<Slot, Tally>,
}

impl Journal {
    pub(crate) fn new(spec: &'static Spec, first: Slot, metrics: Arc<ClientMetrics>) -> Self {
        Self { spec, next: first, metrics, tallies: BTreeMap::new() }
    }

    pub(crate) fn done(&mut self, done: &Done) {
        let (Duty::Block(slot)
        | Duty::Attestation(slot)
        | Duty::Aggregate(slot)
        | Duty::SyncMessage(slot)
        | Duty::Contribution(slot)) = done.duty
        else {
            return;
        };
        if slot < self.next {
            tracing::info!("slot {slot}: late: {} done by {}", done.duty, names(&done.validators));
            return;
        }
        let tally = self.tallies.entry(slot).or_default();
        let count = done.validators.len();
        match done.duty {
            Duty::Block(_) => {
                tally.blocks += count;
                tally.proposed = Some(done.root);
            }
            Duty::Attestation(_) => {
                tally.attestations += count;
                tally.voted = Some(done.root);
            }
            Duty::Aggregate(_) => tally.aggregates += count,
            Duty::SyncMessage(_) => {
                tally.sync_messages += count;
                tally.voted.get_or_insert(done.root);
            }
            Duty::Contribution(_) => tally.contributions += count,
            Duty::Epoch(_) | Duty::SyncPeriod(_) => {}
        }
    }

    pub(crate) fn missed(&self, missed: &Missed) {
        self.metrics.missed(missed);
        tracing::warn!("{}", missed_line(missed));
    }

    /// Writes the lines of slots before `current`. After a leap of the clock the slots in between share a line.
    pub(crate) fn close_before(&mut self, current: Slot, due: impl Fn(Slot) -> Due) {
        while self.next < current {
            let slot = self.next;
            self.next = slot + 1;
            let tally = self.tallies.remove(&slot).unwrap_or_default();
            let due = due(slot);
            if due == Due::default() && current > slot + 1 {
                let leapt = self.next;
                self.next = current;
                self.tallies = self.tallies.split_off(&current);
                tracing::info!("slots {slot} to {}: the clock leapt over them", (leapt.0).max(current.0 - 1));
            } else {
                self.metrics.slot(slot, due, tally.counts());
                tracing::info!("{}", slot_line(self.spec, slot, &tally, due));
            }
        }
    }
}

fn slot_line(spec: &Spec, slot: Slot, tally: &Tally, due: Due) -> String {
    let mut line = format!("slot {slot} (epoch {}): ", slot.epoch(spec));
    let done =
        tally.blocks + tally.attestations + tally.aggregates + tally.sync_messages + tally.contributions;
    if due == Due::default() && done == 0 {
        line.push_str("nothing due");
        return line;
    }
    let mut parts = Vec::new();
    let mut part = |verb: &str, done: usize, due: usize, root: Option<Root>| {
        if due > 0 || done > 0 {
            let root = root.map(|root| format!(" {root}")).unwrap_or_default();
            parts.push(format!("{verb} {done}/{due}{root}"));
        }
    };
    part("proposed", tally.blocks, due.blocks, tally.proposed);
    part("attested", tally.attestations, due.attestations, None);
    part("aggregated", tally.aggregates, due.aggregates, None);
    part("synced", tally.sync_messages, due.sync_messages, None);
    part("contributed", tally.contributions, due.contributions, None);
    if let Some(root) = tally.voted.filter(|root| tally.proposed != Some(*root)) {
        parts.push(format!("head {root}"));
    }
    line.push_str(&parts.join(", "));
    line
}

fn missed_line(missed: &Missed) -> String {
    format!("missed {} by {}: {}", missed.duty, names(&missed.validators), missed.why)
}

fn names(validators: &[ValidatorIndex]) -> String {
    let named: Vec<String> = validators.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let word = if validators.len() == 1 { "validator" } else { "validators" };
    match validators.len().saturating_sub(NAMED_MAX) {
        0 => format!("{word} {}", named.join(", ")),
        more => format!("{word} {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validators(count: u64) -> Vec<ValidatorIndex> {
        (0..count).map(ValidatorIndex).collect()
    }

    #[test]
    fn a_slots_line_says_what_of_the_due_was_done() {
        let spec = Spec::minimal();
        let due = Due { blocks: 1, attestations: 3, sync_messages: 4, ..Due::default() };
        let root = Root::from([0xab; 32]);
        let tally = Tally { attestations: 2, sync_messages: 4, voted: Some(root), ..Tally::default() };
        let line = slot_line(spec, Slot(17), &tally, due);
        assert_eq!(line, format!("slot 17 (epoch 2): proposed 0/1, attested 2/3, synced 4/4, head {root}"));
        let line = slot_line(spec, Slot(3), &Tally::default(), Due::default());
        assert_eq!(line, "slot 3 (epoch 0): nothing due");
    }

    #[test]
    fn a_missed_duty_is_told_with_names_and_reason() {
        let why = "the node gave no attestation data: cannot connect".to_owned();
        let missed = Missed { duty: Duty::Attestation(Slot(5)), validators: validators(10), why };
        assert_eq!(
            missed_line(&missed),
            "missed attestation of slot 5 by validators 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: the node gave no \
             attestation data: cannot connect"
        );
    }
}
