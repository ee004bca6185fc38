//! Small worlds, end to end.

use crate::signer::Signer;
use crate::{
    Demands, Faults, Links, Report, Scenario, Violation, Work, World, run_seed, run_seed_twice, run_seeds,
};

fn finalized(epoch: u64) -> Demands {
    Demands { finalized: Some(epoch), ..Demands::default() }
}

/// Four nodes, 32 validators, and the five epochs that the first finality takes.
fn small() -> Scenario {
    let base = Scenario::baseline();
    Scenario { nodes: 4, validators: 32, epochs: 5, demands: finalized(2), ..base }
}

fn hostile() -> Scenario {
    let base = small();
    Scenario {
        epochs: 6,
        links: Links { latency_ms: (50, 300), loss_bps: 100, duplicate_bps: 300, ..base.links },
        work: Work { store_ms_max: 400, ack_ms_max: 200, clock_skew_ms: 80, ..base.work },
        faults: Faults { end_epoch: 3, crashes: 1, downtime_ms: (1_000, 60_000), ..base.faults },
        demands: finalized(2),
        ..base
    }
}

fn assert_good(report: &Report) {
    assert!(report.violation.is_none(), "{report}");
}

#[test]
fn a_seed_decides_the_whole_history() {
    let report = run_seed_twice(&hostile(), 7);
    assert_good(&report);
    assert_ne!(report.trace, run_seed(&hostile(), 8).trace);
}

#[test]
fn a_quiet_network_misses_no_block_and_finalizes() {
    let report = run_seed(&small(), 1);
    assert_good(&report);
    assert_eq!((report.counts.blocks, report.head.1.0), (39, 39));
    assert_eq!(report.finalized.0.0, 2);
    assert!(report.signed >= 39 + 4 * 38, "{} signatures", report.signed);
}

#[test]
fn a_node_that_crashes_comes_back_with_what_its_disk_had() {
    let reports = run_seeds(&[0, 1, 2, 3], 2, |seed| run_seed(&hostile(), seed), |_| {});
    reports.iter().for_each(assert_good);
    assert!(reports.iter().all(|report| report.counts.crashes == 1));
}

#[test]
fn a_restart_goes_on_from_a_snapshot_and_the_journal_after_it() {
    let base = hostile();
    let scenario = Scenario { work: Work { snapshot_bytes: Some(0), ..base.work }, ..base };
    let reports = run_seeds(&[0, 1, 2, 3], 2, |seed| run_seed(&scenario, seed), assert_good);
    let blocks: u64 = reports.iter().map(|report| report.counts.from_journal).sum();
    assert!(blocks >= 4, "{blocks} blocks from journals");
    // What is small enough is a snapshot with every block.
    assert_eq!(run_seed(&hostile(), 0).counts.from_journal, 0);
}

#[test]
fn a_partition_into_halves_stops_finality_until_it_heals() {
    let base = small();
    let faults = Faults { partition_epochs: Some((2, 4)), ..base.faults };
    let cut = Scenario { epochs: 4, demands: Demands::default(), faults, ..base };
    let report = run_seed(&cut, 3);
    assert!(report.finalized.1 <= 1, "{report}");
    assert_eq!(report.violation.map(|(violation, _)| violation.rule), Some("agreement"));
    let healed = Scenario { epochs: 8, demands: finalized(5), ..cut };
    assert_good(&run_seed(&healed, 3));
}

#[test]
fn drawn_scenarios_end_well() {
    let seeds: Vec<u64> = (0..6).collect();
    run_seeds(&seeds, 2, |seed| run_seed(&Scenario::drawn(seed), seed), assert_good);
}

#[test]
fn keys_that_run_on_two_nodes_are_caught_at_their_first_slashable_message() {
    let base = small();
    let faults = Faults { partition_epochs: Some((1, 3)), ..base.faults };
    let mut world = World::new(Scenario { nodes: 2, faults, ..base }, 4).unwrap();
    // Each of the two has a record of its own, as after a careless move of keys.
    let keys = world.genesis.keys.iter().flatten().map(|(pubkey, key)| (*pubkey, key.clone())).collect();
    world.nodes[1].signer = Signer::new(keys);
    let violation = world.run().unwrap_err();
    assert_eq!(violation.rule, "slashable message", "{violation}");
}

#[test]
fn a_disk_that_loses_an_acknowledged_block_is_caught_at_the_restart() {
    let mut world = World::new(hostile(), 4).unwrap();
    world.nodes.iter_mut().for_each(|node| node.disk.forgets_blocks = true);
    let violation = world.run().unwrap_err();
    assert_eq!(violation.rule, "a node starts from what it stored", "{violation}");
}

#[test]
fn remembered_verdicts_spare_most_of_the_work() {
    let mut world = World::new(small(), 2).unwrap();
    world.run().unwrap();
    assert!(world.verdicts.asked > 3 * world.verdicts.verified() as u64);
}

#[test]
fn what_cannot_be_reached_is_reported_with_the_seed_and_the_trace() {
    let report = run_seed(&Scenario { demands: finalized(9), ..small() }, 5);
    let (violation, lines) = report.violation.as_ref().unwrap();
    assert_eq!(violation.rule, "liveness");
    assert!(!lines.is_empty());
    assert!(report.to_string().contains("seed 5 FAILED: liveness"));
}

#[test]
fn violations_name_their_node() {
    assert_eq!(Violation::at("rule", 3, "what").to_string(), "rule (node 3): what");
}
