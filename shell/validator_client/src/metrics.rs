//! What the client tells of itself: to Prometheus, and to the dashboard.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exporter::{Histogram, ProcessMetrics, ProcessUse, SECONDS};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use types::{Slot, Spec, Time};
use validator::{Ask, Done, Due, Duty, Missed};

use crate::reason::{REASONS, reason};

/// Slots whose duties are told to the dashboard; the oldest is forgotten for one more.
const SLOTS_MAX: usize = 64;
/// Misses that are told to the dashboard; the same rule.
const MISSES_MAX: usize = 64;
/// Validators that a miss names.
const NAMED_MAX: usize = 16;

/// The kinds of duties.
const DUTIES: [&str; 5] = ["block", "attestation", "aggregate", "sync_message", "contribution"];
/// The questions to the node and the signer.
const QUESTIONS: [&str; 8] = [
    "duties",
    "subscriptions",
    "attestation_data",
    "block",
    "aggregate",
    "sync_committee",
    "sign",
    "publish",
];

type Counters<const N: usize> = Family<[(&'static str, &'static str); N], Counter>;
type Times = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

fn duty_name(duty: Duty) -> &'static str {
    match duty {
        Duty::Block(_) => "block",
        Duty::Attestation(_) | Duty::Epoch(_) => "attestation",
        Duty::Aggregate(_) => "aggregate",
        Duty::SyncMessage(_) | Duty::SyncPeriod(_) => "sync_message",
        Duty::Contribution(_) => "contribution",
    }
}

/// The name of a question, one of [`QUESTIONS`].
pub(crate) fn question(ask: &Ask) -> &'static str {
    match ask {
        Ask::Keys(_) | Ask::ProposerDuties(_) | Ask::AttesterDuties(..) | Ask::SyncDuties(..) => "duties",
        Ask::Subscribe(_) | Ask::SubscribeSync(_) | Ask::PrepareBeaconProposer(_) => "subscriptions",
        Ask::AttestationData(_) => "attestation_data",
        Ask::Block { .. } => "block",
        Ask::Aggregate(..) => "aggregate",
        Ask::HeadRoot(_) | Ask::Contribution(..) => "sync_committee",
        Ask::Sign(_) => "sign",
        Ask::PublishBlock(_)
        | Ask::PublishAttestations(_)
        | Ask::PublishSingleAttestations(_)
        | Ask::PublishAggregates(_)
        | Ask::PublishSyncMessages(_)
        | Ask::PublishContributions(_) => "publish",
    }
}

fn times(label: &'static str, values: &[&'static str]) -> Times {
    let family = Times::new_with_constructor(|| Histogram::new(SECONDS));
    values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
    family
}

fn counters(label: &'static str, values: &[&'static str]) -> Counters<1> {
    let family = Counters::<1>::default();
    values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
    family
}

/// What the client counts, and the last of what happened.
#[derive(Debug)]
pub(crate) struct ClientMetrics {
    spec: &'static Spec,
    genesis: Time,
    node: String,
    due: Counters<1>,
    done: Counters<1>,
    missed: Counters<2>,
    delays: Times,
    asked: Times,
    failed: Counters<1>,
    keys: Gauge,
    active: Gauge,
    reachable: Gauge,
    ready: Gauge,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    slots: VecDeque<Value>,
    misses: VecDeque<Value>,
}

fn push(list: &mut VecDeque<Value>, value: Value, max: usize) {
    if list.len() == max {
        list.pop_front();
    }
    list.push_back(value);
}

impl ClientMetrics {
    /// Metrics of a client with so many keys, all of them in the registry.
    pub(crate) fn register(
        registry: &mut Registry,
        spec: &'static Spec,
        genesis: Time,
        (node, keys): (&str, usize),
    ) -> Arc<Self> {
        let missed = Counters::<2>::default();
        for duty in DUTIES {
            for reason in REASONS {
                drop(missed.get_or_create(&[("duty", duty), ("reason", reason)]));
            }
        }
        let metrics = Self {
            spec,
            genesis,
            node: node.to_owned(),
            due: counters("duty", &DUTIES),
            done: counters("duty", &DUTIES),
            missed,
            delays: times("duty", &DUTIES),
            asked: times("question", &QUESTIONS),
            failed: counters("question", &QUESTIONS),
            keys: Gauge::default(),
            active: Gauge::default(),
            reachable: Gauge::default(),
            ready: Gauge::default(),
            recent: Mutex::default(),
        };
        metrics.keys.set(keys as i64);
        metrics.reachable.set(1);
        metrics.ready.set(1);
        metrics.register_all(registry);
        Arc::new(metrics)
    }

    fn register_all(&self, registry: &mut Registry) {
        registry.register("validator_keys", "Keys of the client", self.keys.clone());
        registry.register("validator_active_keys", "Keys with duties now", self.active.clone());
        let help = "Duties that were due in slots that are over";
        registry.register("validator_duties_due", help, self.due.clone());
        let help = "Duties done: published and taken by the node";
        registry.register("validator_duties_done", help, self.done.clone());
        registry.register("validator_duties_missed", "Duties missed, with the reason", self.missed.clone());
        let help = "From the start of the slot until a duty was done";
        registry.register("validator_duty_delay_seconds", help, self.delays.clone());
        let help = "Until a question to the beacon node or the signer was answered";
        registry.register("validator_question_seconds", help, self.asked.clone());
        registry.register("validator_questions_failed", "Questions without an answer", self.failed.clone());
        let help = "1 while the beacon node can be reached";
        registry.register("validator_beacon_node_reachable", help, self.reachable.clone());
        let help = "1 while the beacon node is in step, and an execution engine stands behind its head";
        registry.register("validator_beacon_node_ready", help, self.ready.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("validator_build", "The program", version);
        registry.register_collector(Box::new(ProcessMetrics));
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Duties were done at this moment.
    pub(crate) fn done(&self, done: &Done, now: Time) {
        let name = duty_name(done.duty);
        self.done.get_or_create(&[("duty", name)]).inc_by(done.validators.len() as u64);
        if let Some(slot) = slot_of(done.duty) {
            let start = self.genesis.after_ms(slot.0.saturating_mul(self.spec.config.slot_duration_ms));
            self.delays.get_or_create(&[("duty", name)]).observe(now.since(start) as f64 / 1000.0);
        }
    }

    /// Duties were missed.
    pub(crate) fn missed(&self, missed: &Missed) {
        let (duty, reason) = (duty_name(missed.duty), reason(&missed.why));
        let count = missed.validators.len();
        self.missed.get_or_create(&[("duty", duty), ("reason", reason)]).inc_by(count as u64);
        let named: Vec<u64> = missed.validators.iter().take(NAMED_MAX).map(|index| index.0).collect();
        let entry = json!({
            "duty": duty, "slot": slot_of(missed.duty).map(|slot| slot.0), "what": missed.duty.to_string(),
            "count": count, "validators": named, "reason": reason, "why": missed.why,
        });
        push(&mut self.recent().misses, entry, MISSES_MAX);
    }

    /// A slot is over, in which this was due and these numbers of duties were done, in the order of [`Due`].
    pub(crate) fn slot(&self, slot: Slot, due: Due, done: [usize; 5]) {
        let due = [due.blocks, due.attestations, due.aggregates, due.sync_messages, due.contributions];
        for (name, count) in DUTIES.into_iter().zip(due) {
            self.due.get_or_create(&[("duty", name)]).inc_by(count as u64);
        }
        push(&mut self.recent().slots, json!({ "slot": slot.0, "due": due, "done": done }), SLOTS_MAX);
    }

    /// So many keys have duties.
    pub(crate) fn active(&self, count: usize) {
        self.active.set(count as i64);
    }

    /// The node can be reached, or not.
    pub(crate) fn reachable(&self, is_reachable: bool) {
        self.reachable.set(i64::from(is_reachable));
    }

    /// The node is ready to give things to sign, or not.
    pub(crate) fn ready(&self, is_ready: bool) {
        self.ready.set(i64::from(is_ready));
    }

    /// A question was answered, or was not.
    pub(crate) fn asked(&self, question: &'static str, took: Duration, answered: bool) {
        self.asked.get_or_create(&[("question", question)]).observe_time(took);
        if !answered {
            self.failed.get_or_create(&[("question", question)]).inc();
        }
    }

    /// What the dashboard reads: the client's figures as they are now.
    pub(crate) fn report(&self) -> Value {
        let count = |family: &Counters<1>, duty| family.get_or_create(&[("duty", duty)]).get();
        let missed = |duty| -> serde_json::Map<String, Value> {
            let count = |reason| self.missed.get_or_create(&[("duty", duty), ("reason", reason)]).get();
            let all = REASONS.into_iter().map(|reason| (reason.to_owned(), json!(count(reason))));
            all.filter(|(_, count)| *count != 0).collect()
        };
        let of_duty = |duty: &'static str| {
            let delay = self.delays.get_or_create(&[("duty", duty)]).clone();
            json!({
                "duty": duty, "due": count(&self.due, duty), "done": count(&self.done, duty),
                "missed": missed(duty), "p50_ms": ms(&delay, 0.5), "p95_ms": ms(&delay, 0.95),
            })
        };
        let asked = |question: &'static str| {
            let times = self.asked.get_or_create(&[("question", question)]).clone();
            json!({
                "question": question, "count": times.count(), "p50_ms": ms(&times, 0.5), "p95_ms": ms(&times, 0.95),
                "failed": self.failed.get_or_create(&[("question", question)]).get(),
            })
        };
        let recent = self.recent();
        json!({
            "kind": "validator",
            "version": concat!("Interlock/v", env!("CARGO_PKG_VERSION")),
            "beacon_node": self.node,
            "reachable": self.reachable.get() == 1,
            "ready": self.ready.get() == 1,
            "keys": self.keys.get(),
            "active_keys": self.active.get(),
            "duties": DUTIES.map(of_duty),
            "questions": QUESTIONS.map(asked),
            "slots": recent.slots,
            "misses": recent.misses,
            "process": ProcessUse::now(),
        })
    }
}

fn ms(times: &Histogram, part: f64) -> Option<f64> {
    times.quantile(part).map(|seconds| (seconds * 10_000.0).round() / 10.0)
}

fn slot_of(duty: Duty) -> Option<Slot> {
    match duty {
        Duty::Block(slot)
        | Duty::Attestation(slot)
        | Duty::Aggregate(slot)
        | Duty::SyncMessage(slot)
        | Duty::Contribution(slot) => Some(slot),
        Duty::Epoch(_) | Duty::SyncPeriod(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Root, ValidatorIndex};

    fn metrics() -> (Registry, Arc<ClientMetrics>) {
        let mut registry = Registry::default();
        let spec = Spec::minimal();
        let metrics = ClientMetrics::register(&mut registry, spec, Time(1_000_000), ("http://node", 3));
        (registry, metrics)
    }

    #[test]
    fn what_is_done_and_missed_is_counted_with_delay_and_reason() {
        let (registry, metrics) = metrics();
        let validators = vec![ValidatorIndex(1), ValidatorIndex(2)];
        let duty = Duty::Attestation(Slot(2));
        metrics.done(&Done { duty, validators: validators.clone(), root: Root::ZERO }, Time(1_014_000));
        let why = "the node gave no attestation data: 503: syncing".to_owned();
        metrics.missed(&Missed { duty, validators, why });
        metrics.slot(Slot(2), Due { attestations: 4, ..Due::default() }, [0, 2, 0, 0, 0]);
        let text = exporter::plain_text(&registry);
        for line in [
            "validator_duties_due_total{duty=\"attestation\"} 4",
            "validator_duties_done_total{duty=\"attestation\"} 2",
            "validator_duties_missed_total{duty=\"attestation\",reason=\"node_not_ready\"} 2",
            "validator_duty_delay_seconds_sum{duty=\"attestation\"} 2.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let report = metrics.report();
        assert_eq!(report["duties"][1]["missed"]["node_not_ready"], 2);
        assert_eq!(report["misses"][0]["validators"], json!([1, 2]));
        assert_eq!(report["slots"][0]["done"], json!([0, 2, 0, 0, 0]));
    }

    #[test]
    fn the_past_that_is_kept_is_bounded() {
        let (_, metrics) = metrics();
        for slot in 0..200 {
            metrics.slot(Slot(slot), Due::default(), [0; 5]);
            let duty = Duty::Block(Slot(slot));
            metrics.missed(&Missed { duty, validators: vec![ValidatorIndex(1); 40], why: "x".to_owned() });
        }
        let report = metrics.report();
        assert_eq!(report["slots"].as_array().unwrap().len(), SLOTS_MAX);
        assert_eq!(report["misses"].as_array().unwrap().len(), MISSES_MAX);
        assert_eq!(report["misses"][63]["slot"], 199);
        assert_eq!(report["misses"][63]["validators"].as_array().unwrap().len(), NAMED_MAX);
    }
}
