//! What the node tells of itself: to Prometheus, and to the dashboard.
//!
//! ```text
//!   threads, tasks ──count──▶ Counts ──┐
//!   core ──publishes──▶ View ──────────┼──▶ NodeMetrics ──▶ /metrics (text), /interlock/v1/status (JSON)
//!   once a slot ──▶ Sampled ───────────┤
//!   queues, peers, process ────────────┘
//! ```
//!
//! Reading asks nothing of the core thread: it loads the published view and counts of atomics. What goes through the
//! registry of validators is computed once a slot, on a blocking thread. Labels come from fixed lists, so that no peer
//! decides how many series there are.

mod chain;
mod clients;
mod counts;
mod labels;
mod memory;
mod queues;
mod report;
mod sample;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ::chain::View;
use execution::Engines;
use exporter::ProcessMetrics;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use types::{Slot, Spec};

use crate::custody::OwnCustody;
use crate::peers::Peers;
use crate::published::Published;

pub use clients::client;
pub use counts::Counts;
pub use labels::{topic, topic_name};
pub use queues::Queues;
pub use sample::Sample;
use sample::Sampled;

/// Everything that is told.
#[derive(Debug)]
pub struct NodeMetrics {
    spec: &'static Spec,
    published: Arc<Published>,
    peers: Arc<Peers>,
    custody: Arc<OwnCustody>,
    engines: Option<Arc<Engines>>,
    counts: Arc<Counts>,
    queues: Queues,
    sampled: Sampled,
    /// The folder of the database.
    database: PathBuf,
    /// Requests that the Beacon API had, once it listens.
    requests: OnceLock<Arc<api::Requests>>,
}

/// Where metrics come from, beside the counts.
pub struct Sources {
    /// The network.
    pub spec: &'static Spec,
    /// What the core shows.
    pub published: Arc<Published>,
    /// Who is connected.
    pub peers: Arc<Peers>,
    /// Who uses the node.
    pub custody: Arc<OwnCustody>,
    /// The execution engines, where there are any.
    pub engines: Option<Arc<Engines>>,
    /// Where things wait.
    pub queues: Queues,
    /// The folder of the database.
    pub database: PathBuf,
}

impl NodeMetrics {
    /// Registers everything that is told.
    pub fn register(registry: &mut Registry, sources: Sources, counts: Arc<Counts>) -> Arc<Self> {
        let Sources { spec, published, peers, custody, engines, queues, database } = sources;
        counts.register(registry);
        let version = [("version", env!("CARGO_PKG_VERSION")), ("network", &spec.config.config_name)]
            .map(|(name, value)| (name, value.to_owned()));
        registry.register(
            "interlock_build",
            "The program and the network that it follows",
            Info::new(version),
        );
        let metrics = Arc::new(Self {
            spec,
            published,
            peers,
            custody,
            engines,
            counts,
            queues,
            sampled: Sampled::default(),
            database,
            requests: OnceLock::new(),
        });
        registry.register_collector(Box::new(metrics.clone()));
        registry.register_collector(Box::new(ProcessMetrics));
        metrics
    }

    /// Learns where the requests of the Beacon API are counted; once.
    pub fn count_requests(&self, requests: Arc<api::Requests>) {
        drop(self.requests.set(requests));
    }

    /// Computes what is told once a slot. Goes through the registry of validators: for a blocking thread.
    pub fn sample(&self, view: &View, slot: Slot) -> Arc<Sample> {
        self.sampled.update(view, slot, &self.custody.attached(slot.epoch(self.spec)), &self.database)
    }
}
