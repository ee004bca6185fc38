//! The dashboard over nodes that answer as a test says: which of them are on one branch, and what is wrong with answers.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use browser::{Answer, Browser, Page, Site};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// The block of a slot on a branch, as its root.
fn root(branch: u64, slot: u64) -> String {
    format!("0x{branch:032x}{slot:032x}")
}

/// A node of another maker on a branch that left branch 0 after slot 5, with a head of some slot.
fn node(path: &str, branch: u64, head: u64) -> Answer {
    let ok = |value: Value| Answer::ok("application/json", value.to_string());
    let block_at = |slot: u64| root(if slot > 5 { branch } else { 0 }, slot);
    let header = |slot: u64| {
        let message = json!({ "slot": slot.to_string() });
        ok(json!({ "data": { "root": block_at(slot), "header": { "message": message } } }))
    };
    let point = json!({ "epoch": "0", "root": root(0, 0) });
    match path {
        "/eth/v1/node/version" => ok(json!({ "data": { "version": "Foreign/v1" } })),
        "/eth/v1/node/syncing" => {
            ok(json!({ "data": { "head_slot": head.to_string(), "sync_distance": "0" } }))
        }
        "/eth/v1/node/peers" => ok(json!({ "data": [
            { "agent": "Lodestar/v1", "direction": "inbound" }, { "agent": "", "direction": "outbound" },
        ] })),
        "/eth/v1/beacon/genesis" => ok(json!({ "data": { "genesis_time": "1700000000" } })),
        "/eth/v1/config/spec" => ok(json!({ "data": { "SECONDS_PER_SLOT": "12", "SLOTS_PER_EPOCH": "32" } })),
        "/eth/v1/beacon/states/head/finality_checkpoints" => {
            ok(json!({ "data": { "current_justified": point, "finalized": point } }))
        }
        "/eth/v1/beacon/headers/head" => header(head),
        path => match path.strip_prefix("/eth/v1/beacon/headers/").and_then(|slot| slot.parse().ok()) {
            Some(slot) if slot <= head => header(slot),
            _ => Answer::not_found(),
        },
    }
}

/// The page at `/dashboard/`, and nodes below a folder of their own.
fn site(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Site {
    Site::serve(move |path| {
        let file = path.split('?').next().unwrap_or(path);
        if let Some(asset) = file.strip_prefix("/dashboard/").and_then(dashboard::asset) {
            return Answer::ok(asset.media_type, asset.text);
        }
        let (name, rest) = file[1..].split_once('/').unwrap_or((&file[1..], ""));
        answer(name, &format!("/{rest}"))
    })
    .unwrap()
}

fn address(site: &Site, names: &[&str]) -> String {
    let nodes: Vec<String> = names.iter().map(|name| format!("node={name}@{}/{name}", site.url())).collect();
    format!("{}/dashboard/?{}", site.url(), nodes.join("&"))
}

fn heads(page: &mut Page<'_>, expected: &str) {
    let text = "document.querySelector('[data-tile=Heads] b')?.innerText";
    page.until(&format!("{text} === '{expected}'"), PATIENCE).unwrap();
}

#[test]
fn who_is_asked_earlier_or_is_behind_is_on_no_other_branch() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    // The second node's branch, and its head; the first one's is branch 0 with a head of slot 10.
    let second = Arc::new((AtomicU64::new(0), AtomicU64::new(9)));
    let told = second.clone();
    let site = site(move |name, path| match name {
        "first" => node(path, 0, 10),
        _ => node(path, told.0.load(Ordering::Relaxed), told.1.load(Ordering::Relaxed)),
    });
    let mut page = browser.open(&address(&site, &["first", "second"])).unwrap();
    page.until("document.querySelectorAll('[data-figure=\"to finality\"]').length === 2", PATIENCE).unwrap();
    heads(&mut page, "one branch");
    // It stays so through some polls.
    let settled = "new Promise(done => setTimeout(() => done(document.querySelector('[data-tile=Heads]').innerText), 4000))";
    let text = page.eval(settled).unwrap();
    assert!(
        text.as_str().unwrap().contains("one branch") && text.as_str().unwrap().contains("slots 9 to 10"),
        "{text}"
    );
    for (branch, head, expected) in
        [(7, 9, "2 branches"), (7, 4, "one branch"), (7, 12, "2 branches"), (0, 12, "one branch")]
    {
        second.0.store(branch, Ordering::Relaxed);
        second.1.store(head, Ordering::Relaxed);
        heads(&mut page, expected);
    }
    let peers = page.eval("document.querySelector('.card .legend').innerText").unwrap();
    assert!(
        peers.as_str().unwrap().contains("lodestar 1") && peers.as_str().unwrap().contains("unknown 1"),
        "{peers}"
    );
    assert_eq!(page.faults(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_an_answer_stands_in_one_line_on_the_card() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let site = site(|name, path| match (name, path) {
        ("page", _) => Answer::ok("text/html", "<html>welcome</html>"),
        ("kind", _) => Answer::ok("application/json", "{\"kind\":\"teapot\"}"),
        ("ill", "/eth/v1/beacon/headers/head") => Answer { status: 500, ..Answer::not_found() },
        ("ill", path) => node(path, 0, 3),
        _ => node(path, 0, 3),
    });
    let mut page = browser.open(&address(&site, &["page", "kind", "ill", "well"])).unwrap();
    page.until("document.querySelectorAll('.card .why').length === 3", PATIENCE).unwrap();
    let told = page.eval("[...document.querySelectorAll('.card .why')].map(line => line.innerText)").unwrap();
    let expected = [
        format!("{}/page/interlock/v1/status: the answer is no JSON: <html>welcome</html>", site.url()),
        format!("{}/kind: its status is of no kind that is known", site.url()),
        format!("{}/ill/eth/v1/beacon/headers/head: 500", site.url()),
    ];
    assert_eq!(told, json!(expected));
    let pills =
        page.eval("[...document.querySelectorAll('.card .pill')].map(pill => pill.innerText)").unwrap();
    assert_eq!(pills.as_array().unwrap()[..3], vec![json!("answers wrongly"); 3]);
    page.until("document.querySelector('[data-tile=Nodes]').innerText.includes('1 / 4')", PATIENCE).unwrap();
    assert_eq!(page.faults(), Vec::<String>::new());
}
