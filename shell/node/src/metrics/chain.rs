//! What the published view tells, written when it is asked for. The names that all clients export come first:
//! <https://github.com/ethereum/beacon-metrics/blob/master/metrics.md>.

use std::fmt::Error;

use chain::{Counters, View};
use exporter::{write_counter, write_gauge, write_gauges};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use sync::SyncState;
use types::Root;

use super::NodeMetrics;
use super::clients::CLIENTS;
use crate::clock;
use crate::execution_state::{best_state, engine_text};

type Written = Result<(), Error>;

/// A root as the standard's numbers have it: its last 8 bytes, little-endian, signed.
fn number(root: &Root) -> i64 {
    i64::from_le_bytes(root.0[24..].try_into().expect("8 of 32 bytes"))
}

impl Collector for NodeMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Written {
        let (view, to) = (self.published.view(), &mut encoder);
        self.standard(&view, to)?;
        self.standard_roots(&view, to)?;
        self.standard_counters(&view, to)?;
        self.sampled(&view, to)?;
        self.counters(&view.counters, to)?;
        self.sync_and_engine(&view, to)?;
        self.queues(to)?;
        self.peers(to)
    }
}

impl NodeMetrics {
    fn standard(&self, view: &View, to: &mut DescriptorEncoder<'_>) -> Written {
        let now = clock::slot_at(self.spec, view.genesis.time, clock::now());
        let state = &view.head.state;
        let sample = self.sampled.newest();
        let active = sample.validators.iter().find(|(status, _)| *status == "active");
        let operations = &view.pools.operations;
        let gauges: [(&str, &str, f64); 16] = [
            ("beacon_slot", "Slot of the clock", now.0 as f64),
            ("interlock_epoch", "Epoch of the clock", now.epoch(self.spec).0 as f64),
            ("beacon_head_slot", "Slot of the head", view.head.slot.0 as f64),
            ("beacon_finalized_epoch", "Finalized epoch", view.finalized.epoch.0 as f64),
            ("beacon_current_justified_epoch", "Justified epoch", view.justified.epoch.0 as f64),
            (
                "beacon_previous_justified_epoch",
                "Justified epoch before the last justification, in the head's state",
                state.previous_justified_checkpoint.epoch.0 as f64,
            ),
            ("beacon_current_active_validators", "Active validators", active.map_or(0, |(_, n)| *n) as f64),
            (
                "beacon_current_live_validators",
                "Active validators that voted in this epoch",
                sample.live.0 as f64,
            ),
            ("beacon_previous_live_validators", "The same of the epoch before", sample.live.1 as f64),
            (
                "beacon_pending_deposits",
                "Deposits that wait in the head's state",
                state.pending_deposits.len() as f64,
            ),
            (
                "beacon_pending_partial_withdrawals",
                "Partial withdrawals that wait in the head's state",
                state.pending_partial_withdrawals.len() as f64,
            ),
            (
                "beacon_pending_consolidations",
                "Consolidations that wait in the head's state",
                state.pending_consolidations.len() as f64,
            ),
            ("beacon_pending_exits", "Exits that wait to be packed", operations.exits().count() as f64),
            ("beacon_previous_epoch_orphaned_blocks", "Blocks off the chain", sample.orphaned as f64),
            ("local_validator_count", "Validators that use this node", sample.local as f64),
            ("beacon_custody_groups", "Custody groups of this node", self.custody.current().groups as f64),
        ];
        gauges.into_iter().try_for_each(|(name, help, value)| write_gauge(to, name, help, value))?;
        let statuses = sample.validators.iter().map(|(status, count)| (*status, *count as f64));
        write_gauges(to, ("beacon_current_validators", "Validators of the head's state"), "status", statuses)
    }

    fn standard_roots(&self, view: &View, to: &mut DescriptorEncoder<'_>) -> Written {
        let state = &view.head.state;
        let roots = [
            ("beacon_head_root", "The head", &view.head.root),
            ("beacon_head_state_root", "The head's state", &view.head.state_root),
            ("beacon_finalized_root", "The finalized block", &view.finalized.root),
            (
                "beacon_head_state_finalized_root",
                "The same in the head's state",
                &state.finalized_checkpoint.root,
            ),
            ("beacon_current_justified_root", "The justified block", &view.justified.root),
            (
                "beacon_previous_justified_root",
                "The justified block before the last justification",
                &state.previous_justified_checkpoint.root,
            ),
        ];
        for (name, help, root) in roots {
            let help = format!("{help}: the last 8 bytes of the root as a little-endian number");
            let metric = to.encode_descriptor(name, &help, None, MetricType::Gauge)?;
            ConstGauge::new(number(root)).encode(metric)?;
        }
        Ok(())
    }

    fn standard_counters(&self, view: &View, to: &mut DescriptorEncoder<'_>) -> Written {
        let (counts, counters) = (&self.counts, &view.counters);
        let (requests, successes) = self.requests.get().map_or((0, 0), |requests| requests.counts());
        let accepted = |topic| counts.accepted_of(topic);
        let received = "Accepted messages of the topic";
        let columns = self.counts.columns_judged();
        let counters: [(&str, &str, u64); 15] = [
            ("beacon_reorgs", "Reorganizations", counters.reorgs),
            ("beacon_processed_deposits", "Deposits in the head's state", view.head.state.eth1_deposit_index),
            ("beacon_attestations_received", received, accepted("beacon_attestation")),
            ("beacon_aggregates_received", received, accepted("beacon_aggregate_and_proof")),
            ("beacon_attestor_slashing_received", received, accepted("attester_slashing")),
            ("beacon_block_proposed", "Blocks published for validators", counts.published_of("beacon_block")),
            ("beacon_attestations_published", "For validators", counts.published_of("beacon_attestation")),
            ("beacon_processor_gossip_block_imported", "Blocks imported", counters.blocks_imported),
            ("libp2p_pubsub_validation_failure", "Gossip messages rejected", counters.gossip_rejected),
            ("beacon_http_api_requests", "Requests of the Beacon API", requests),
            ("beacon_http_api_successes", "Requests that were answered with success", successes),
            ("beacon_data_column_sidecar_processing_requests", "Columns that came by gossip", columns),
            (
                "beacon_data_column_sidecar_processing_successes",
                "Columns that came by gossip and were accepted",
                accepted("data_column_sidecar"),
            ),
            ("interlock_faults", "Faults of our own", counters.faults),
            ("interlock_evidence_kept", "Pieces of evidence given to the disk", counters.evidence_kept),
        ];
        counters.into_iter().try_for_each(|(name, help, value)| write_counter(to, name, help, value))
    }

    /// What is computed once a slot.
    fn sampled(&self, view: &View, to: &mut DescriptorEncoder<'_>) -> Written {
        let sample = self.sampled.newest();
        let votes = sample.votes.last().copied().unwrap_or_default();
        let local = sample.local_votes.last().copied().unwrap_or_default();
        let of = |votes: super::sample::Votes| {
            [("source", votes.source), ("target", votes.target), ("head", votes.head)]
        };
        let help = "Part of the active balance whose votes of the epoch before the head's are in its chain";
        write_gauges(to, ("interlock_participation_ratio", help), "vote", of(votes))?;
        let help = "The same of the validators that use this node";
        write_gauges(to, ("interlock_local_inclusion_ratio", help), "vote", of(local))?;
        let states = view.counters.states_held as f64;
        let gauges = [
            (
                "interlock_current_target_ratio",
                "Part of the balance that voted in this epoch",
                sample.current_target,
            ),
            ("interlock_states", "Post-states in memory", states),
            ("interlock_state_bytes", "Distinct pages of these states", sample.state_bytes as f64),
            ("interlock_blocks", "Blocks in memory", view.blocks.len() as f64),
            ("interlock_fork_choice_blocks", "Blocks of fork choice", view.fork_choice.nodes.len() as f64),
            ("interlock_database_bytes", "Files of the chain database", sample.database_bytes as f64),
            ("interlock_sample_seconds", "Time to compute such figures", sample.took_ms / 1000.0),
        ];
        gauges.into_iter().try_for_each(|(name, help, value)| write_gauge(to, name, help, value))
    }

    fn counters(&self, counters: &Counters, to: &mut DescriptorEncoder<'_>) -> Written {
        let totals = [
            (
                "interlock_blocks_optimistic",
                "Blocks imported without an engine's verdict",
                counters.blocks_optimistic,
            ),
            ("interlock_blocks_invalid", "Blocks found invalid", counters.blocks_invalid),
            ("interlock_payloads_invalid", "Imported blocks found invalid later", counters.payloads_invalid),
            ("interlock_attestations_verified", "Attestations verified", counters.attestations_verified),
            ("interlock_overflows", "Things dropped since a bound was reached", counters.overflows),
            ("interlock_engine_replays", "Rounds that told an engine what it lacked", counters.replays),
        ];
        totals.into_iter().try_for_each(|(name, help, value)| write_counter(to, name, help, value))?;
        let help = "Blobs and columns of blocks that are not imported";
        write_gauge(to, "interlock_data_pending_bytes", help, counters.data_bytes_pending as f64)
    }

    fn sync_and_engine(&self, view: &View, to: &mut DescriptorEncoder<'_>) -> Written {
        let (state, distance) = match self.published.sync() {
            SyncState::Synced => (1.0, 0.0),
            SyncState::Syncing { distance, .. } => (2.0, distance as f64),
        };
        write_gauge(to, "beacon_sync_state", "0 not syncing, 1 synced, 2 syncing", state)?;
        write_gauge(to, "interlock_sync_distance_slots", "Slots behind the peers", distance)?;
        let optimistic = f64::from(u8::from(view.head.is_optimistic()));
        write_gauge(to, "interlock_head_optimistic", "1 where no engine executed the head", optimistic)?;
        let online = best_state(self.engines.as_deref()).map(engine_text) == Some("online");
        let help = "1 where an execution engine answers and is not syncing";
        write_gauge(to, "interlock_engine_online", help, f64::from(u8::from(online)))
    }

    fn queues(&self, to: &mut DescriptorEncoder<'_>) -> Written {
        let depths = self.queues.iter().map(|queue| (queue.name, queue.depth() as f64));
        write_gauges(to, ("interlock_queue_depth", "What waits in a queue"), "queue", depths)?;
        let bound = |queue: &super::queues::Queue| Some((queue.name, queue.bound? as f64));
        let bounds: Vec<_> = self.queues.iter().filter_map(bound).collect();
        write_gauges(to, ("interlock_queue_bound", "What may wait in it"), "queue", bounds)
    }

    fn peers(&self, to: &mut DescriptorEncoder<'_>) -> Written {
        let found = self.peers.by_client();
        let help = "Connected peers by client and by who dialled";
        let mut family = to.encode_descriptor("interlock_peers", help, None, MetricType::Gauge)?;
        for client in CLIENTS {
            for direction in ["inbound", "outbound"] {
                let count = found.get(&(client, direction)).copied().unwrap_or(0);
                let labels = [("client", client), ("direction", direction)];
                ConstGauge::new(count as i64).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roots_number_is_that_of_its_last_bytes() {
        let mut root = Root::from([0xff; 32]);
        root.0[24..].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(number(&root), i64::MIN + 1);
    }
}
