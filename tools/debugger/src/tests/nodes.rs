//! Nodes that answer nonsense: one clear line that names the address, and where in the answer it is.

use std::time::{Duration, Instant};

use types::ForkName;

use super::foreign::{FakeNode, Said};
use super::{Fixture, run};
use crate::{Against, Limits, Node, Options, Run};

const QUICK: Limits =
    Limits { body_max: 1 << 20, idle: Duration::from_millis(300), total: Duration::from_secs(5) };

/// The one line that a run beside such a node ends with.
fn line_of(fixture: &Fixture, said: Said) -> (String, String) {
    let node = FakeNode::start(move |_| said.clone());
    let against = Against::open(&node.url, fixture.pre.spec(), QUICK).unwrap();
    let options = Options { against: Some(against), ..Options::default() };
    let (_, outcome, _) = run(fixture, &options, None);
    let line = format!("{:#}", outcome.unwrap_err());
    assert!(!line.contains('\n'), "{line}");
    assert!(line.starts_with(&format!("{}/eth/v2/debug/beacon/states/", node.url)), "{line}");
    (line, node.url.clone())
}

#[test]
fn what_a_broken_node_answers_is_told_in_one_line_with_address_and_place() {
    let fixture = Fixture::new(ForkName::Deneb, 1);
    let right = &fixture.states[0];
    let check = |said: Said, expected: &str| {
        let (line, _) = line_of(&fixture, said);
        assert!(line.contains(expected), "{line}, not {expected}");
    };
    check(Said::text(200, "text/html", "<html>\nwelcome</html>"), "no JSON");
    check(Said::text(200, "application/json", "{\"data\": 1}"), "unknown fork \"none\"");
    check(
        Said::text(200, "application/json", "{\"version\": \"osaka\", \"data\": {}}"),
        "unknown fork \"osaka\"",
    );
    check(
        Said::text(200, "application/json", "{\"version\": \"deneb\", \"data\": {\"genesis_time\": \"-1\"}}"),
        "no state of deneb: data.",
    );
    check(Said::text(500, "text/plain", "out of\norder"), "500: out of order");
    check(Said::text(404, "application/json", r#"{"code":404,"message":"gone"}"#), "404: gone");
    check(Said { version: Some("osaka".into()), ..Said::ssz(right) }, "unknown fork \"osaka\"");
    check(Said { version: Some("phase0".into()), ..Said::ssz(right) }, "bytes that are no state of phase0: ");
    let mut body = right.encoded();
    body.truncate(body.len() - 3);
    check(Said { body, ..Said::ssz(right) }, "at byte ");
    check(Said { body: vec![], ..Said::ssz(right) }, "0 bytes that are no state of deneb: at byte 0");
    let size = right.encoded().len();
    check(
        Said { cut: Some(1000), ..Said::ssz(right) },
        &format!("the answer stops at byte 1000 of {size}: "),
    );
    check(Said { body: vec![0; 2 << 20], ..Said::ssz(right) }, "more than 1048576 bytes");
}

#[test]
fn a_state_of_another_slot_is_not_compared() {
    let fixture = Fixture::new(ForkName::Deneb, 1);
    let node = FakeNode::start({
        let state = fixture.pre.clone();
        move |_| Said::ssz(&state)
    });
    let against = Against::open(&node.url, fixture.pre.spec(), QUICK).unwrap();
    let (_, outcome, _) = run(&fixture, &Options { against: Some(against), ..Options::default() }, None);
    let line = outcome.unwrap_err().to_string();
    assert!(line.contains(&node.url) && line.contains("this is a state of slot"), "{line}");
}

#[test]
fn a_node_that_falls_silent_is_given_up() {
    let fixture = Fixture::new(ForkName::Deneb, 1);
    let begin = Instant::now();
    let said = Said { cut: Some(77), hangs: true, ..Said::ssz(&fixture.states[0]) };
    let (line, _) = line_of(&fixture, said);
    assert!(line.contains("stops at byte 77 of ") && line.contains("nothing more in time"), "{line}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn nobody_there_and_no_address_are_told() {
    let fixture = Fixture::new(ForkName::Deneb, 1);
    // Nobody listens on the port of a listener that is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}"), "http://".to_owned()] {
        let against = Against::open(&url, fixture.pre.spec(), QUICK).unwrap();
        let (_, outcome, _) = run(&fixture, &Options { against: Some(against), ..Options::default() }, None);
        let line = outcome.unwrap_err().to_string();
        assert!(line.contains("cannot connect") || line.contains("no URL"), "{line}");
    }
}

#[test]
fn a_slot_that_the_other_has_a_block_in_is_told_as_such() {
    let fixture = Fixture::new(ForkName::Deneb, 1);
    let node = FakeNode::with_states(&fixture.states);
    let against = Against::open(&node.url, fixture.pre.spec(), QUICK).unwrap();
    let options = Options { against: Some(against), ..Options::default() };
    let mut out = Vec::new();
    let line = Run::new(fixture.pre.clone(), &options, &mut out).slot().unwrap_err().to_string();
    assert!(line.contains(&format!("{} (deneb), which has a block in this slot, ", node.url)), "{line}");
}

#[test]
fn states_blocks_and_rules_are_taken_from_a_node() {
    let fixture = Fixture::new(ForkName::Deneb, 2);
    let config = fixture.pre.spec().config.to_yaml();
    let (state, block) = (fixture.pre.clone(), fixture.blocks[0].clone());
    let node = FakeNode::start(move |path| match path {
        "/eth/v1/config/spec" => {
            let lines = config.lines().filter(|line| !line.starts_with("BLOB_SCHEDULE"));
            let entries = lines.filter_map(|line| line.split_once(": "));
            let quoted = entries.map(|(key, value)| format!("\"{key}\": \"{}\"", value.trim_matches('\'')));
            let quoted: Vec<String> = quoted.collect();
            let body = format!("{{\"data\": {{{}, \"BLOB_SCHEDULE\": []}}}}", quoted.join(", "));
            Said::text(200, "application/json", &body)
        }
        "/eth/v2/debug/beacon/states/head" => Said::ssz(&state),
        path if path == format!("/eth/v2/beacon/blocks/{}", block.message.slot) => {
            use ssz::SszExt;
            Said { body: block.to_ssz(state.ctx()), ..Said::ssz(&state) }
        }
        "/eth/v2/beacon/blocks/9" => Said { body: vec![1, 2, 3], ..Said::ssz(&state) },
        _ => Said::text(404, "application/json", "{}"),
    });
    let opened = Node::open(&node.url, QUICK).unwrap();
    assert_eq!(opened.spec().config.to_yaml(), fixture.pre.spec().config.to_yaml());
    assert_eq!(opened.state("head").unwrap().state_root(), fixture.pre.state_root());
    let block = opened.block(&fixture.blocks[0].message.slot.to_string()).unwrap();
    assert_eq!(block.as_ref(), Some(&fixture.blocks[0]));
    assert!(opened.block("5").unwrap().is_none());
    let line = opened.block("9").unwrap_err().to_string();
    assert!(line.contains("/eth/v2/beacon/blocks/9: no signed block of deneb: at byte 0"), "{line}");
}
