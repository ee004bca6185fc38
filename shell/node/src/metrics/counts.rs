//! What threads and tasks count as it happens. Counting takes no lock that a reader holds for longer than it takes to
//! copy a family's numbers, and most of it takes none at all.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use chain::{Event, Job, JobResult, Verdict, View};
use engine::{EngineReply, EngineRequest};
use exporter::{COUNTS, Histogram, SECONDS};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use types::{Slot, Time};

use crate::import_times::ImportTime;
use crate::workers::JobTime;

use super::labels::{CALLS, JOBS, MOMENTS, STAGES, TOPICS, call};

type Label = [(&'static str, &'static str); 1];
type Times = Family<Label, Histogram, fn() -> Histogram>;
type Counters<const N: usize> = Family<[(&'static str, &'static str); N], Counter>;

/// Slots after which a block is one that was caught up with, whose time within its slot says nothing.
const LIVE_SLOTS: u64 = 2;

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Times by the value of one label; all values are there from the start, so that a rate has a beginning.
fn times(label: &'static str, values: &[&'static str]) -> Times {
    let family = Times::new_with_constructor(seconds);
    values.iter().for_each(|value| drop(family.get_or_create(&[(label, *value)])));
    family
}

/// What threads and tasks count.
#[derive(Debug)]
pub struct Counts {
    verdicts: Counters<3>,
    published: Counters<1>,
    blocks: Times,
    stages: Times,
    jobs_waited: Times,
    jobs_ran: Times,
    jobs_panicked: Counter,
    signature_sets: Histogram,
    calls: Times,
    calls_failed: Counters<1>,
    stored: Histogram,
    busy: Counter<f64, AtomicU64>,
    column_verdicts: Histogram,
    columns_judged: Counter,
    columns_recovered: Counter,
}

impl Default for Counts {
    fn default() -> Self {
        let (verdicts, published) = (Counters::<3>::default(), Counters::<1>::default());
        for topic in TOPICS {
            drop(verdicts.get_or_create(&[("topic", topic), ("verdict", "accept"), ("reason", "")]));
            drop(published.get_or_create(&[("topic", topic)]));
        }
        let calls_failed = Counters::<1>::default();
        CALLS.iter().for_each(|call| drop(calls_failed.get_or_create(&[("call", *call)])));
        Self {
            verdicts,
            published,
            blocks: times("moment", &MOMENTS),
            stages: times("stage", &STAGES),
            jobs_waited: times("job", &JOBS),
            jobs_ran: times("job", &JOBS),
            jobs_panicked: Counter::default(),
            signature_sets: Histogram::new(COUNTS),
            calls: times("call", &CALLS),
            calls_failed,
            stored: seconds(),
            busy: Counter::default(),
            column_verdicts: seconds(),
            columns_judged: Counter::default(),
            columns_recovered: Counter::default(),
        }
    }
}

impl Counts {
    /// Makes everything readable in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let mut times = |name: &str, help: &str, times: &Times| registry.register(name, help, times.clone());
        times(
            "interlock_block_delay_seconds",
            "From the start of a block's slot to a moment of its",
            &self.blocks,
        );
        let help = "Where the time of a live block goes from its arrival until readers see it";
        times("interlock_block_import_seconds", help, &self.stages);
        times("interlock_job_waited_seconds", "Until a worker was free for a job", &self.jobs_waited);
        times("interlock_job_ran_seconds", "From then on until the job was done", &self.jobs_ran);
        times("interlock_engine_call_seconds", "Until the execution engine answered", &self.calls);
        let help = "Verdicts on gossip messages, with the rule that those broke which were not accepted";
        registry.register("interlock_gossip_verdicts", help, self.verdicts.clone());
        let help = "Messages of our own that were given to gossip";
        registry.register("interlock_gossip_published", help, self.published.clone());
        registry.register("interlock_jobs_panicked", "Jobs that panicked", self.jobs_panicked.clone());
        let help = "Signature sets that were verified as one batch";
        registry.register("interlock_signature_batch_sets", help, self.signature_sets.clone());
        let help = "Calls that the execution engine did not answer as it should";
        registry.register("interlock_engine_calls_failed", help, self.calls_failed.clone());
        let help = "From handing a batch to the disk until it was durable";
        registry.register("interlock_batch_stored_seconds", help, self.stored.clone());
        let help = "Time in which the core thread did not wait for messages";
        registry.register("interlock_core_busy_seconds", help, self.busy.clone());
        self.register_columns(registry);
    }

    /// Data columns, under the names that all clients export.
    fn register_columns(&self, registry: &mut Registry) {
        let help = "Gossip verification of data column sidecars, from arrival to verdict";
        let name = "beacon_data_column_sidecar_gossip_verification_seconds";
        registry.register(name, help, self.column_verdicts.clone());
        let of_job = |job: &'static str| self.jobs_ran.get_or_create_owned(&[("job", job)]);
        let help = "Making the columns that are missing of half of them";
        let name = "beacon_data_availability_reconstruction_time_seconds";
        registry.register(name, help, of_job("recover_columns"));
        let help = "Making the columns of own blobs, with cells, proofs and inclusion proof";
        registry.register("beacon_data_column_sidecar_computation_seconds", help, of_job("make_sidecars"));
        let help = "Verifying a batch of blobs or columns";
        let name = "beacon_kzg_verification_data_column_batch_seconds";
        registry.register(name, help, of_job("verify_sidecars"));
        let help = "Columns that were made of others";
        let name = "beacon_data_availability_reconstructed_columns";
        registry.register(name, help, self.columns_recovered.clone());
    }

    /// A gossip message has its verdict, so long after it was handed to the core.
    pub fn verdict(&self, topic: &'static str, verdict: Verdict, took: Duration) {
        self.refused(topic, verdict);
        if topic == "data_column_sidecar" {
            self.columns_judged.inc();
            self.column_verdicts.observe_time(took);
        }
    }

    /// A gossip message has its verdict, without being handed to the core.
    pub fn refused(&self, topic: &'static str, verdict: Verdict) {
        let (name, reason) = match verdict {
            Verdict::Accept => ("accept", ""),
            Verdict::Ignore(why) => ("ignore", why.0),
            Verdict::Reject(why) => ("reject", why.0),
        };
        self.verdicts.get_or_create(&[("topic", topic), ("verdict", name), ("reason", reason)]).inc();
    }

    /// How many messages of a topic were accepted.
    pub fn accepted_of(&self, topic: &'static str) -> u64 {
        self.verdicts.get_or_create(&[("topic", topic), ("verdict", "accept"), ("reason", "")]).get()
    }

    /// How many columns of gossip had a verdict.
    pub fn columns_judged(&self) -> u64 {
        self.columns_judged.get()
    }

    /// A message of our own goes to gossip.
    pub fn published(&self, topic: &'static str) {
        self.published.get_or_create(&[("topic", topic)]).inc();
    }

    /// How many messages of a topic went to gossip.
    pub fn published_of(&self, topic: &'static str) -> u64 {
        self.published.get_or_create(&[("topic", topic)]).get()
    }

    /// A block came by gossip.
    pub fn block_arrived(&self, view: &View, slot: Slot, now: Time) {
        self.block_moment(view, slot, "arrived", now);
    }

    /// Something happened that the API is told.
    pub fn event(&self, view: &View, event: &Event, now: Time) {
        match event {
            Event::Block { slot, .. } => self.block_moment(view, *slot, "imported", now),
            Event::Head { slot, .. } => self.block_moment(view, *slot, "head", now),
            _ => {}
        }
    }

    fn block_moment(&self, view: &View, slot: Slot, moment: &'static str, now: Time) {
        let slot_ms = view.spec.config.slot_duration_ms;
        let start = view.genesis.time.after_ms(slot.0.saturating_mul(slot_ms));
        let late_ms = now.since(start);
        if now >= start && late_ms < LIVE_SLOTS * slot_ms {
            self.blocks.get_or_create(&[("moment", moment)]).observe(late_ms as f64 / 1000.0);
        }
    }

    /// A live block was imported.
    pub fn imported(&self, time: &ImportTime) {
        let parts = [time.total, time.checks, time.waited, time.signatures, time.transition, time.head];
        for (stage, part) in STAGES.into_iter().zip(parts) {
            self.stages.get_or_create(&[("stage", stage)]).observe_time(part);
        }
    }

    /// The times of a stage of imports.
    pub fn stage(&self, stage: &'static str) -> Histogram {
        self.stages.get_or_create(&[("stage", stage)]).clone()
    }

    /// A job was given to the workers.
    pub fn job_given(&self, job: &Job) {
        if let Job::VerifySignatures(verify) = job {
            self.signature_sets.observe(verify.sets() as f64);
        }
    }

    /// A job has ended.
    pub fn job_ended(&self, time: JobTime, result: &JobResult) {
        let job = time.name;
        self.jobs_waited.get_or_create(&[("job", job)]).observe_time(time.waited);
        self.jobs_ran.get_or_create(&[("job", job)]).observe_time(time.ran);
        match result {
            JobResult::Panicked(_) => {
                self.jobs_panicked.inc();
            }
            JobResult::Sidecars(Ok(made)) if job == "recover_columns" => {
                self.columns_recovered.inc_by(made.len() as u64);
            }
            _ => {}
        }
    }

    /// The engine has answered, or has not.
    pub fn called(&self, call: &'static str, took: Duration, reply: &EngineReply) {
        self.calls.get_or_create(&[("call", call)]).observe_time(took);
        if matches!(reply, EngineReply::Failed(_)) {
            self.calls_failed.get_or_create(&[("call", call)]).inc();
        }
    }

    /// The name of a call, for [`Counts::called`].
    pub fn call_of(request: &EngineRequest) -> &'static str {
        call(request)
    }

    /// Times of the engine's answers to a call.
    pub fn calls_of(&self, call: &'static str) -> Histogram {
        self.calls.get_or_create(&[("call", call)]).clone()
    }

    /// A batch is durable.
    pub fn stored(&self, took: Duration) {
        self.stored.observe_time(took);
    }

    /// The core thread has worked for so long.
    pub fn worked(&self, time: Duration) {
        self.busy.inc_by(time.as_secs_f64());
    }

    /// For how long the core thread has worked, in seconds.
    pub fn busy_seconds(&self) -> f64 {
        self.busy.get()
    }

    /// The times until batches were durable.
    pub fn stored_times(&self) -> Histogram {
        self.stored.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    fn exposed(counts: &Counts) -> String {
        let mut registry = Registry::default();
        counts.register(&mut registry);
        exporter::plain_text(&registry)
    }

    #[test]
    fn verdicts_are_counted_by_topic_and_reason_and_columns_beside() {
        let counts = Counts::default();
        counts.verdict("beacon_block", Verdict::reject("the slot is over"), Duration::ZERO);
        counts.verdict("data_column_sidecar", Verdict::Accept, Duration::from_millis(3));
        counts.refused("beacon_attestation", Verdict::ignore("too much gossip waits"));
        let text = exposed(&counts);
        for line in [
            "interlock_gossip_verdicts_total{topic=\"beacon_block\",verdict=\"reject\",reason=\"the slot is over\"} 1",
            "interlock_gossip_verdicts_total{topic=\"beacon_block\",verdict=\"accept\",reason=\"\"} 0",
            "beacon_data_column_sidecar_gossip_verification_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert_eq!((counts.columns_judged(), counts.accepted_of("data_column_sidecar")), (1, 1));
    }

    #[test]
    fn only_blocks_of_the_present_have_a_moment_in_their_slot() {
        let mut world = World::new();
        world.grow([1]);
        let (view, counts) = (world.view(), Counts::default());
        let slot_ms = view.spec.config.slot_duration_ms;
        let at = |slot: u64, ms: u64| view.genesis.time.after_ms(slot * slot_ms + ms);
        counts.block_arrived(&view, Slot(1), at(1, 500));
        counts.block_arrived(&view, Slot(1), at(9, 0));
        counts.block_arrived(&view, Slot(1), at(0, 0));
        let text = exposed(&counts);
        let line = "interlock_block_delay_seconds_count{moment=\"arrived\"} 1";
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}
