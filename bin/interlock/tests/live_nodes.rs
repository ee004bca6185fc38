//! The debugger beside running nodes: states, blocks and rules from one, and what another says of the same blocks.

#![allow(clippy::unwrap_used)]

mod live;

use std::process::Command;

use live::{Devnet, Network, PATIENCE, get, json, wait};

/// Whether it succeeded, what it said, and the last line of its complaint.
fn interlock(line: &str) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_interlock")).args(line.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {error}");
    let last = error.lines().last().unwrap_or_default().to_owned();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), last)
}

#[track_caller]
fn succeeds(line: &str) -> String {
    let (is_success, out, error) = interlock(line);
    assert!(is_success, "{line}: {error}");
    out
}

#[track_caller]
fn fails(line: &str) -> String {
    let (is_success, out, error) = interlock(line);
    assert!(!is_success && error.starts_with("error: "), "{line}: {error}\n{out}");
    error
}

fn head_slot(port: u16) -> u64 {
    let header = json(port, "/eth/v1/beacon/headers/head");
    header["data"]["header"]["message"]["slot"].as_str().and_then(|slot| slot.parse().ok()).unwrap_or(0)
}

/// What is true of any two nodes that agree, whoever made them: blocks of slots 3 to 19, the first of Altair being 8.
fn walk_along(ours: &str, theirs: &str) {
    let told =
        succeeds(&format!("transition blocks --node {ours} --state 2 --range 3..20 --against {theirs}"));
    let compared: u64 = told
        .lines()
        .find_map(|line| line.strip_suffix(" states compared, all equal"))
        .unwrap()
        .parse()
        .unwrap();
    assert!((10..=17).contains(&compared), "{told}");
    let told = succeeds(&format!(
        "transition blocks --node {ours} --state genesis --block 1 --steps --step-lines 1"
    ));
    assert!(told.contains(" process_randao: "), "{told}");
    let told =
        succeeds(&format!("transition slots --node {ours} --state 7 --slots 1 --steps --step-lines 0"));
    assert!(told.contains("slot 8 upgrade_to_altair: "), "{told}");
    let told = succeeds(&format!("transition epoch --node {ours} --state 15 --steps --step-lines 0"));
    assert!(told.contains(" process_sync_committee_updates: "), "{told}");
    // An empty slot is another thing than the block that the other had in it.
    let slot = (3..20).find(|slot| get_block(theirs, *slot)).unwrap();
    let line =
        fails(&format!("transition slots --node {ours} --state {} --slots 1 --against {theirs}", slot - 1));
    assert!(
        line.contains(&format!("differences from {theirs}"))
            && line.contains(", which has a block in this slot, "),
        "{line}"
    );
    // What is not there, and who is not there.
    assert!(
        fails(&format!("transition blocks --node {ours} --state head --block 999999"))
            .contains("no block 999999")
    );
    let line = fails(&format!("transition slots --node {ours} --state 999999 --slots 1"));
    assert!(line.contains(&format!("{ours}/eth/v2/debug/beacon/states/999999: ")), "{line}");
    let line = fails(&format!(
        "transition blocks --node {ours} --state 2 --range 3..5 --against http://127.0.0.1:1"
    ));
    assert!(
        line.contains("http://127.0.0.1:1/eth/v2/debug/beacon/states/") && line.contains("cannot connect: "),
        "{line}"
    );
}

fn get_block(url: &str, slot: u64) -> bool {
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    get(port, &format!("/eth/v1/beacon/headers/{slot}")).is_some()
}

#[test]
fn the_transition_is_walked_along_running_nodes_and_held_against_them() {
    let network = Network::start("--fork altair=1");
    let urls: Vec<String> =
        network.pairs.iter().map(|pair| format!("http://127.0.0.1:{}", pair.api)).collect();
    wait("slot 20", || network.pairs.iter().all(|pair| head_slot(pair.api) >= 20));
    walk_along(&urls[0], &urls[1]);
    // A state as a file from one node is held against the other one, and the case is kept as a vector that fails nowhere.
    let folder = tempfile::tempdir().unwrap();
    let vectors = folder.path().display();
    let told = succeeds(&format!(
        "transition blocks --node {} --state 10 --range 11..15 --against {} --write-vector {vectors}",
        urls[0], urls[1]
    ));
    let vector = told.lines().find_map(|line| line.strip_prefix("vector: ")).unwrap();
    assert!(succeeds(&format!("transition replay {vector}")).contains("the same"));
}

/// `cargo test --release -p interlock --test live_nodes -- --ignored`, with Lodestar installed.
#[test]
#[ignore = "takes two minutes, and needs Lodestar (interlock interop install)"]
fn the_transition_is_held_against_lodestar_and_walked_along_it() {
    let options =
        "--nodes 2 --validators 64 --slot-ms 2000 --until-epoch 1000 --fork altair=1 --join lodestar-node";
    let mut devnet = Devnet::start(options);
    let page = devnet.fork_view();
    let urls: Vec<String> = page
        .split("node=")
        .skip(1)
        .map(|node| node.split('@').nth(1).unwrap().trim_end_matches('&').to_owned())
        .collect();
    let lodestar = urls.last().unwrap();
    let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
    let end = std::time::Instant::now() + 2 * PATIENCE;
    while urls.iter().any(|url| head_slot(port(url)) < 20) {
        assert!(std::time::Instant::now() < end, "slot 20 is not reached");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    walk_along(&urls[0], lodestar);
    walk_along(lodestar, &urls[0]);
}
