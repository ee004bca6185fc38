//! Runs seeds of a named scenario: `seeds NAME FIRST LAST [NODES] [EPOCHS]`, for a quick look without the binary.

use simulation::{Scenario, run_seed, run_seeds};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| {
        arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let mut scenario = match arguments.first().map(String::as_str) {
        Some("crash") => Scenario::latency_loss_crash(),
        Some("partition") => Scenario::partition_heals(),
        _ => Scenario::baseline(),
    };
    scenario.nodes = number(3, scenario.nodes as u64) as usize;
    scenario.epochs = number(4, scenario.epochs);
    let seeds: Vec<u64> = (number(1, 0)..number(2, 1)).collect();
    run_seeds(
        &seeds,
        2,
        |seed| run_seed(&scenario, seed),
        |report| {
            println!(
                "{report}\n    {:?} verdicts {:?} signed {}",
                report.counts, report.verdicts, report.signed
            );
        },
    );
}
