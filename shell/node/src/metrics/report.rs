//! What the dashboard reads: one value with the figures of now. The route is this project's own; numbers are numbers.

use std::collections::BTreeMap;

use chain::View;
use exporter::{Histogram, ProcessUse};
use serde_json::{Value, json};
use sync::SyncState;

use super::labels::{CALLS, STAGES};
use super::{NodeMetrics, Sample};
use crate::{clock, execution_state};

impl NodeMetrics {
    /// The node's figures as they are now.
    pub fn report(&self) -> Value {
        let (view, sample) = (self.published.view(), self.sampled.newest());
        let counters = &view.counters;
        json!({
            "kind": "beacon",
            "version": concat!("Interlock/v", env!("CARGO_PKG_VERSION")),
            "time_ms": clock::now().0,
            "chain": self.chain(&view),
            "sync": self.sync(),
            "participation": {
                "epochs": sample.votes, "current_target": sample.current_target,
            },
            "local": { "validators": sample.local, "epochs": sample.local_votes },
            "validators": sample.validators.iter().copied().collect::<BTreeMap<_, _>>(),
            "peers": self.peer_counts(),
            "queues": self.queues.iter().map(|queue| json!({
                "name": queue.name, "depth": queue.depth(), "bound": queue.bound,
            })).collect::<Vec<_>>(),
            "imports": STAGES.iter().map(|stage| (*stage, times(&self.counts.stage(stage)))).collect::<BTreeMap<_, _>>(),
            "engine": self.engine(&view),
            "database": { "bytes": sample.database_bytes, "stored": times(&self.counts.stored_times()) },
            "memory": memory(&view, &sample),
            "process": ProcessUse::now(),
            "core_busy_seconds": self.counts.busy_seconds(),
            "counters": {
                "blocks_imported": counters.blocks_imported, "blocks_invalid": counters.blocks_invalid,
                "attestations_verified": counters.attestations_verified, "reorgs": counters.reorgs,
                "gossip_accepted": counters.gossip_accepted, "gossip_ignored": counters.gossip_ignored,
                "gossip_rejected": counters.gossip_rejected, "overflows": counters.overflows,
                "faults": counters.faults,
            },
        })
    }

    fn chain(&self, view: &View) -> Value {
        let slot = clock::slot_at(self.spec, view.genesis.time, clock::now());
        json!({
            "network": self.spec.config.config_name,
            "fork": self.spec.fork_name_at_slot(slot).as_str(),
            "genesis_time_ms": view.genesis.time.0,
            "slot_ms": self.spec.config.slot_duration_ms,
            "slots_per_epoch": self.spec.preset.slots_per_epoch,
            "slot": slot.0,
            "epoch": slot.epoch(self.spec).0,
            "head_slot": view.head.slot.0,
            "head_root": view.head.root.to_string(),
            "optimistic": view.head.is_optimistic(),
            "justified_epoch": view.justified.epoch.0,
            "finalized_epoch": view.finalized.epoch.0,
            "finalized_root": view.finalized.root.to_string(),
        })
    }

    fn sync(&self) -> Value {
        match self.published.sync() {
            SyncState::Synced => json!({ "state": "synced", "distance": 0 }),
            SyncState::Syncing { distance, .. } => json!({ "state": "syncing", "distance": distance }),
        }
    }

    fn peer_counts(&self) -> Value {
        let found = self.peers.by_client();
        let mut clients: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for ((client, direction), count) in &found {
            *clients.entry(client).or_default().entry(direction).or_default() += count;
        }
        json!({ "total": found.values().sum::<usize>(), "clients": clients })
    }

    fn engine(&self, view: &View) -> Value {
        let calls = CALLS.iter().map(|call| (*call, times(&self.counts.calls_of(call))));
        json!({
            "text": execution_state::text(self.engines.as_deref(), view),
            "calls": calls.filter(|(_, times)| times["count"] != 0).collect::<BTreeMap<_, _>>(),
        })
    }
}

fn memory(view: &View, sample: &Sample) -> Value {
    json!({
        "states": view.counters.states_held, "state_bytes": sample.state_bytes,
        "blocks": view.blocks.len(), "fork_choice_blocks": view.fork_choice.nodes.len(),
        "sidecar_blocks": view.sidecars.len(), "data_bytes_pending": view.counters.data_bytes_pending,
    })
}

/// How often, and how long: the median, and what 95 of 100 do not exceed, in milliseconds.
fn times(histogram: &Histogram) -> Value {
    let ms = |part| histogram.quantile(part).map(|seconds| (seconds * 10_000.0).round() / 10.0);
    json!({ "count": histogram.count(), "p50_ms": ms(0.5), "p95_ms": ms(0.95) })
}
