//! The harness with the foreign implementations, where they are installed; without them it says so and ends.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use differential::{Campaign, PEERS_VARIABLE, Peer, PeerName, Start, Tally, silence_panics};
use types::ForkName;

/// Runs for a time; none where nothing is installed.
fn run(out: &Path, time: Duration) -> Option<Tally> {
    let Some(peers) = std::env::var_os(PEERS_VARIABLE).map(PathBuf::from) else {
        eprintln!("skipped: {PEERS_VARIABLE} names no folder that peers/setup.sh installed into");
        return None;
    };
    silence_panics();
    let start = |name| Start::installed(name, &peers, "minimal", out, Duration::from_secs(60)).unwrap();
    let mut peers = [PeerName::Spec, PeerName::Lodestar].map(|name| Peer::start(start(name)).unwrap());
    let campaign = Campaign {
        seeds: 0..u64::MAX,
        forks: ForkName::ALL.to_vec(),
        preset: "minimal".to_owned(),
        time,
        out: out.to_owned(),
        keep_going: false,
    };
    Some(campaign.run(&mut peers).unwrap())
}

#[cfg(not(feature = "planted_fault"))]
#[test]
fn a_minute_of_cases_shows_no_difference_of_ours() {
    let out = tempfile::tempdir().unwrap();
    let Some(tally) = run(out.path(), Duration::from_secs(60)) else { return };
    assert!(tally.ours.is_empty(), "{:?}", tally.ours);
    assert!(
        tally.cases > 20 && tally.unanswered == 0,
        "{} cases, {} unanswered",
        tally.cases,
        tally.unanswered
    );
}

/// `planted_fault.sh` shows the rest: that the same vector passes once the fault is gone.
#[cfg(feature = "planted_fault")]
#[test]
fn the_planted_fault_is_found_within_five_minutes_and_its_vector_fails() {
    let out = tempfile::tempdir().unwrap();
    let Some(tally) = run(out.path(), Duration::from_secs(300)) else { return };
    let [folder] = tally.ours.as_slice() else { panic!("{:?}", tally.ours) };
    let report = std::fs::read_to_string(folder.join("report.txt")).unwrap();
    assert!(report.contains("effective_balance: "), "{report}");
    assert_eq!(differential::replay(&folder.join("vector")).unwrap(), 1);
}
