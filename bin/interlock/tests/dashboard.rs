//! The dashboard over real processes, in a real browser: what it shows is what the Beacon API and the metrics say.

#![allow(clippy::unwrap_used)]

mod live;

use std::path::PathBuf;

use browser::{Browser, Page, Scheme};
use serde_json::Value;

use live::{Network, PATIENCE, Pair, get, json, wait};

/// The value of a metric with all of these labels; the sum where there are several.
fn metric(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of_name = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
            && labels.iter().all(|label| line.contains(label))
    };
    let values: Vec<f64> =
        text.lines().filter(of_name).map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!values.is_empty(), "there is no {name} {labels:?}");
    values.iter().sum()
}

/// The page with both nodes and their validator clients.
fn url_of(network: &Network) -> String {
    let sources = network.pairs.iter().enumerate().map(|(number, pair)| {
        format!(
            "node=node-{number}@http://127.0.0.1:{}&validator=node-{number}/validator@http://127.0.0.1:{}",
            pair.api, pair.validator
        )
    });
    let sources: Vec<String> = sources.collect();
    format!("http://127.0.0.1:{}/dashboard/?{}", network.pairs[0].api, sources.join("&"))
}

/// A figure of the card of a node, as it is written.
fn figure(page: &mut Page<'_>, card: usize, name: &str) -> String {
    let found =
        format!("document.querySelectorAll('.card')[{card}].querySelector('[data-figure=\"{name}\"]')");
    let text = page.eval(&format!("({found}?.querySelector('b') ?? {found})?.innerText ?? null")).unwrap();
    text.as_str().unwrap_or_else(|| panic!("card {card} has no {name}")).to_owned()
}

fn tile(page: &mut Page<'_>, name: &str) -> String {
    let text =
        page.eval(&format!("document.querySelector('[data-tile=\"{name}\"]')?.innerText ?? ''")).unwrap();
    text.as_str().unwrap().replace('\n', " ")
}

/// What stands as `123 MiB` or `12.5 %`.
fn number(text: &str) -> f64 {
    let (value, unit) = text.split_once(' ').unwrap_or((text, ""));
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {text:?}"));
    match unit {
        "KiB" => value * 1024.0,
        "MiB" => value * 1024.0 * 1024.0,
        "GiB" => value * 1024.0 * 1024.0 * 1024.0,
        _ => value,
    }
}

#[track_caller]
fn near(shown: f64, told: f64, part: f64) {
    assert!(
        (shown - told).abs() <= part * told.abs().max(shown.abs()),
        "the page shows {shown}, told is {told}"
    );
}

/// Takes pictures in both schemes, where a folder for them is named.
fn pictures(page: &mut Page<'_>, name: &str) {
    let folder = std::env::var_os("INTERLOCK_SCREENSHOTS").map(PathBuf::from);
    for (scheme, word) in [(Scheme::Dark, "dark"), (Scheme::Light, "light")] {
        page.prefer(scheme).unwrap();
        let is_dark = scheme == Scheme::Dark;
        page.until(&format!("document.documentElement.classList.contains('dark') === {is_dark}"), PATIENCE)
            .unwrap();
        if let Some(folder) = &folder {
            page.eval("new Promise(done => setTimeout(done, 300))").unwrap();
            page.screenshot(&folder.join(format!("dashboard-{name}-{word}.png"))).unwrap();
        }
    }
}

/// What a node's card shows, beside the Beacon API and the metrics of the same moment; the chain goes on meanwhile.
fn compare(page: &mut Page<'_>, card: usize, pair: &Pair) {
    let metrics = get(pair.metrics, "/metrics").unwrap();
    let header = json(pair.api, "/eth/v1/beacon/headers/head");
    let head: f64 = header["data"]["header"]["message"]["slot"].as_str().unwrap().parse().unwrap();
    let points = json(pair.api, "/eth/v1/beacon/states/head/finality_checkpoints");
    let finalized: f64 = points["data"]["finalized"]["epoch"].as_str().unwrap().parse().unwrap();
    let peers = json(pair.api, "/eth/v1/node/peer_count");
    assert!((number(&figure(page, card, "head slot")) - head).abs() <= 4.0, "head {head}");
    let distance = (metric(&metrics, "beacon_slot", &[]) / 8.0).floor() - finalized;
    assert!((number(&figure(page, card, "to finality")) - distance).abs() <= 1.0, "finalized {finalized}");
    assert_eq!(figure(page, card, "peers"), peers["data"]["connected"].as_str().unwrap());
    let legend = page
        .eval(&format!("document.querySelectorAll('.card')[{card}].querySelector('.legend').innerText"))
        .unwrap();
    assert_eq!(legend, "interlock 1", "peers by client");
    assert_eq!(metric(&metrics, "interlock_peers", &["client=\"interlock\""]), 1.0);

    near(number(&figure(page, card, "Memory")), metric(&metrics, "process_resident_memory_bytes", &[]), 0.2);
    near(number(&figure(page, card, "Database")), metric(&metrics, "interlock_database_bytes", &[]), 0.3);
    let cpu = number(&figure(page, card, "CPU"));
    assert!((0.0..400.0).contains(&cpu), "{cpu}");
}

/// Participation and inclusion as shown, and as the votes in the node's own report say.
fn compare_votes(page: &mut Page<'_>, card: usize, pair: &Pair) {
    let told = "[...document.querySelectorAll('.card')].map(card => ['participation', 'inclusion']
        .map(name => card.querySelector(`[data-figure=\"${name}\"]`)).map(box => [box.title, box.querySelector('b').innerText]))";
    let shown = page.eval(&format!("({told})[{card}]")).unwrap();
    let report = json(pair.api, "/interlock/v1/status");
    for (place, part) in ["participation", "local"].iter().enumerate() {
        let title = shown[place][0].as_str().unwrap();
        let epoch = title.strip_prefix("target of epoch ").unwrap().split(',').next().unwrap();
        let epoch: u64 = epoch.parse().unwrap();
        let epochs = report[part]["epochs"].as_array().unwrap();
        let votes = epochs.iter().find(|votes| votes["epoch"] == epoch);
        let target =
            100.0 * votes.unwrap_or_else(|| panic!("{part}: no epoch {epoch}"))["target"].as_f64().unwrap();
        assert!(
            (number(shown[place][1].as_str().unwrap()) - target).abs() < 0.06,
            "{part}: {shown}, {target}"
        );
    }
}

/// By the keyboard: a card's other figures, its queues among them, and back.
fn expand(page: &mut Page<'_>, pair: &Pair) {
    page.press("1").unwrap();
    page.press(" ").unwrap();
    // The card is wide at once, and has its rows with the next drawing.
    page.until("document.querySelectorAll('.card.wide [data-queue]').length >= 10", PATIENCE).unwrap();
    let queues = page
        .eval("[...document.querySelectorAll('.card.wide [data-queue]')].map(row => [row.dataset.queue, row.title])")
        .unwrap();
    let metrics = get(pair.metrics, "/metrics").unwrap();
    for queue in queues.as_array().unwrap() {
        let (name, title) = (queue[0].as_str().unwrap(), queue[1].as_str().unwrap());
        let label = format!("queue=\"{name}\"");
        metric(&metrics, "interlock_queue_depth", &[&label]);
        if let Some((_, bound)) = title.split_once(" of ") {
            assert_eq!(number(bound), metric(&metrics, "interlock_queue_bound", &[&label]), "{name}");
        }
    }
    page.press("ArrowRight").unwrap();
    assert_eq!(page.eval("document.activeElement.getAttribute('aria-label')").unwrap(), "node-1");
    page.press("1").unwrap();
    page.press("Enter").unwrap();
    page.until("!document.querySelector('.card.wide')", PATIENCE).unwrap();
}

/// Texts that do not fit into the boxes that cut them off, and whatever is wider than the page.
const CUT: &str = "[...document.querySelectorAll('main *')].filter(box =>
    box.scrollWidth > box.clientWidth + 1 && box.clientWidth && getComputedStyle(box).overflowX !== 'visible'
    || box.getBoundingClientRect().right > innerWidth + 1).map(box => box.className + ' ' + box.textContent.slice(0, 60))";

/// A node goes: its validators miss what they should do, and the page says so and why.
fn stop_one(page: &mut Page<'_>, network: &mut Network) {
    let before = number(&figure(page, 1, "head slot"));
    drop(network.pairs[1].node.take());
    let gone = "document.querySelectorAll('.card')[1]";
    page.until(&format!("{gone}.querySelector('.pill').innerText === 'unreachable'"), PATIENCE).unwrap();
    page.until(&format!("/Stale: the figures of [0-9:]+, [0-9]+ s ago/.test({gone}.innerText)"), PATIENCE)
        .unwrap();
    assert!(number(&figure(page, 1, "head slot")) >= before, "its last figures stay");
    assert!(page.eval(&format!("{gone}.querySelector('.stale [data-figure]') !== null")).unwrap() == true);
    assert!(tile(page, "Nodes").contains("1 / 2 1 unreachable"), "{}", tile(page, "Nodes"));
    page.until("document.querySelectorAll('#misses tbody tr').length", PATIENCE).unwrap();
    let shown = page
        .eval("[...document.querySelectorAll('#misses tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))")
        .unwrap();
    let told = json(network.pairs[1].validator, "/interlock/v1/status");
    let told = told["misses"].as_array().unwrap();
    for row in shown.as_array().unwrap() {
        assert_eq!(row[0], "node-1/validator");
        let is_it = |miss: &Value| {
            let named = miss["validators"].as_array().unwrap().iter().map(Value::to_string);
            let named: Vec<String> = named.collect();
            miss["what"] == row[1]
                && miss["why"] == row[3]
                && row[2].as_str().unwrap().starts_with(&named.join(", "))
        };
        assert!(told.iter().any(is_it), "the client told no {row}: {told:?}");
    }
    // Some of the rows are of whole epochs, for which nobody is counted.
    let counted = || {
        metric(&get(network.pairs[1].validator, "/metrics").unwrap(), "validator_duties_missed_total", &[])
    };
    wait("missed duties are counted", || counted() >= 1.0);
    page.until(
        "/^[1-9][0-9]* missed$/.test(document.querySelector('[data-tile=Duties] b').innerText)",
        PATIENCE,
    )
    .unwrap();
}

#[test]
fn the_dashboard_shows_what_the_nodes_say_and_what_is_stale() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let mut network = Network::start("--fork altair=0");
    let mut page = browser.open(&url_of(&network)).unwrap();
    // Everything that the page loads and asks comes from the nodes' own addresses.
    page.until("document.querySelectorAll('.card').length === 2", PATIENCE).unwrap();
    let finality = "[...document.querySelectorAll('[data-figure=\"to finality\"]')].length === 2
        && document.querySelector('[data-tile=Finality] b').innerText === '2 epochs'";
    page.until(finality, PATIENCE).unwrap();
    for (card, pair) in network.pairs.iter().enumerate() {
        compare(&mut page, card, pair);
        compare_votes(&mut page, card, pair);
    }
    assert!(tile(&mut page, "Nodes").contains("2 / 2"));
    assert!(tile(&mut page, "Heads").contains("one branch"), "{}", tile(&mut page, "Heads"));
    let elsewhere = page
        .eval("performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !/^(http:\\/\\/127\\.0\\.0\\.1:|data:)/.test(name))")
        .unwrap();
    assert_eq!(elsewhere, Value::Array(vec![]), "the page needs no other network");
    expand(&mut page, &network.pairs[0]);
    for (width, height) in [(1400, 900), (900, 900), (420, 900)] {
        page.resize(width, height).unwrap();
        page.until(&format!("innerWidth === {width}"), PATIENCE).unwrap();
        assert_eq!(page.eval(CUT).unwrap(), Value::Array(vec![]), "cut off where {width} pixels wide");
    }
    page.resize(1400, 900).unwrap();
    pictures(&mut page, "devnet");

    stop_one(&mut page, &mut network);
    // The other side goes on.
    assert_eq!(
        page.eval("document.querySelectorAll('.card')[0].querySelector('.stale')").unwrap(),
        Value::Null
    );
    pictures(&mut page, "stopped");
    assert_eq!(page.faults(), Vec::<String>::new());
}
