//! Small worlds through every fork, and worlds in which something about forks, engines or data is broken.

use mock_engine::Lie;

use crate::{
    Data, Demands, Engines, Faults, Links, Report, Scenario, SignatureMode, World, run_seed, run_seed_twice,
};

/// Every fork an epoch after the one before, in four nodes.
fn boundaries() -> Scenario {
    let base = Scenario::all_forks(1).unwrap();
    // A quarter of the stake is on the node that crashes.
    let demands = Demands { participation_percent: 70, ..base.demands };
    Scenario { nodes: 4, validators: 32, demands, ..base }
}

/// Bellatrix from the first epoch on, and nothing after it.
fn merged() -> Scenario {
    let base = boundaries();
    let spec = crate::spec_with_forks(&[(types::ForkName::Bellatrix, types::Epoch(0))].into()).unwrap();
    let faults = Faults { crashes: 0, ..base.faults };
    let demands =
        Demands { finalized: None, epochs_to_finality: None, participation_percent: 0, ..base.demands };
    Scenario { spec, epochs: 3, faults, demands, ..base }
}

fn assert_good(report: &Report) {
    assert!(report.violation.is_none(), "{report}");
}

fn rule(mut world: World) -> &'static str {
    world.run().unwrap_err().rule
}

#[test]
fn every_fork_is_passed_with_a_crash() {
    let report = run_seed(&boundaries(), 1);
    assert_good(&report);
    assert_eq!((report.counts.crashes, report.missed.len()), (1, 0), "{report}");
    assert!(report.counts.engine_calls > 3 * 80, "{report}");
}

#[test]
fn a_seed_decides_the_whole_history_through_every_fork() {
    let assumed = Scenario { signatures: SignatureMode::Assumed, ..boundaries() };
    assert_good(&run_seed_twice(&assumed, 7));
}

#[test]
fn engines_that_crash_and_forget_all_are_led_back_to_the_head() {
    let base = boundaries();
    let engines = Engines { crashes: 2, syncing_ms: 4_000, ..base.engines };
    let demands = Demands { participation_percent: 50, ..base.demands };
    let report = run_seed(&Scenario { engines, demands, ..base }, 2);
    assert_good(&report);
    assert_eq!(report.counts.engine_crashes, 2);
}

fn withheld() -> Scenario {
    let base = Scenario::withheld_columns().unwrap();
    let demands = Demands { finalized: Some(2), participation_percent: 70, ..base.demands };
    Scenario { nodes: 4, validators: 32, epochs: 5, demands, ..base }
}

#[test]
fn blocks_whose_columns_are_withheld_are_imported_by_nobody_and_hold_nobody_up() {
    let mut world = World::new(withheld(), 5).unwrap();
    world.run().unwrap();
    assert!(!world.withheld.is_empty());
}

#[test]
fn a_block_without_data_that_is_imported_is_caught() {
    let mut world = World::new(withheld(), 5).unwrap();
    // The checker takes these blocks for withheld, and they are not.
    world.leaks = true;
    assert_eq!(rule(world), "no block is imported without its data");
}

#[test]
fn columns_reach_nodes_that_missed_their_gossip() {
    let base = withheld();
    let links = Links { loss_bps: 300, ..base.links };
    let data = Data { withholding: 0, public_percent: 0, ..base.data };
    let demands = Demands { participation_percent: 0, ..base.demands };
    let report = run_seed(&Scenario { links, data, demands, ..base }, 3);
    assert_good(&report);
}

#[test]
fn an_engine_that_never_catches_up_is_caught_by_the_duties_and_at_the_end() {
    let lying = |scenario: Scenario| {
        let mut world = World::new(scenario, 3).unwrap();
        world.nodes[1].engine.engine.conduct_mut().lie = Some(Lie::AllSyncing);
        world
    };
    assert_eq!(rule(lying(merged())), "no duty is missed");
    let patient = Scenario { demands: Demands::default(), ..merged() };
    assert_eq!(rule(lying(patient)), "the engine and its node agree");
}

#[test]
fn a_fork_that_is_not_finalized_in_time_is_caught() {
    let base = boundaries();
    let faults = Faults { crashes: 0, partition_epochs: Some((2, 8)), ..base.faults };
    let demands = Demands { epochs_to_finality: Some(4), ..Demands::default() };
    let mut world = World::new(Scenario { faults, demands, ..base }, 3).unwrap();
    let violation = world.run().unwrap_err();
    assert_eq!(violation.rule, "finality after a fork", "{violation}");
}

#[test]
fn votes_that_are_missing_are_caught() {
    let base = merged();
    let demands = Demands { participation_percent: 99, ..Demands::default() };
    let faults = Faults { partition_epochs: Some((1, 3)), ..base.faults };
    let world = World::new(Scenario { epochs: 4, demands, faults, ..base }, 3).unwrap();
    assert_eq!(rule(world), "participation");
}
