//! Runs seeds of a named scenario, for a quick look without the binary: `seeds NAME FIRST LAST [trace]`, where NAME is
//! `baseline`, `crash`, `partition`, `swarm`, `forks` (all of them, two epochs apart) `boundaries` (one apart), `engines`,
//! `withheld` or `storm` (drawn with forks). With `trace` the first seed alone is run and its trace printed.

use simulation::{Report, Scenario, run_seed, run_seeds, trace_seed};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse::<u64>().ok());
    let name = arguments.first().map_or("baseline", String::as_str);
    let scenario = |seed| match name {
        "crash" => Scenario::latency_loss_crash(),
        "partition" => Scenario::partition_heals(),
        "swarm" => Scenario::drawn(seed),
        "forks" => Scenario::all_forks(2).expect("forks in their order"),
        "boundaries" => Scenario::all_forks(1).expect("forks in their order"),
        "storm" => Scenario::drawn_with_forks(seed),
        "engines" => Scenario::engines_crash().expect("forks in their order"),
        "withheld" => Scenario::withheld_columns().expect("forks in their order"),
        _ => Scenario::baseline(),
    };
    let first = number(1).unwrap_or(0);
    let seeds: Vec<u64> = (first..number(2).unwrap_or(first + 1)).collect();
    if arguments.get(3).is_some_and(|word| word == "trace") {
        let (report, recording) = trace_seed(&scenario(first), first);
        recording.events.iter().for_each(|line| println!("{line}"));
        return show(&report);
    }
    run_seeds(&seeds, 2, |seed| run_seed(&scenario(seed), seed), show);
}

fn show(report: &Report) {
    println!("{report}");
    println!("    {:?} verdicts {:?} signed {}", report.counts, report.verdicts, report.signed);
    for (why, count) in &report.missed {
        println!("    missed {count:>4}  {why}");
    }
}
