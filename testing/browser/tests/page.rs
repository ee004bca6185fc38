//! The fork view in a real browser: recordings of simulated networks, nodes that answer nonsense, a thousand blocks.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use browser::{Answer, Browser, Page, Scheme, Site};
use serde_json::{Value, json};
use simulation::{Demands, Faults, Scenario, trace_seed};

const PATIENCE: Duration = Duration::from_secs(60);

/// The page at `/forkview/`, and what `others` answers elsewhere.
fn site(others: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Site {
    Site::serve(move |path| {
        let file = path.split('?').next().unwrap_or(path);
        match file.strip_prefix("/forkview/").and_then(forkview::asset) {
            Some(asset) => Answer::ok(asset.media_type, asset.text),
            None => others(file),
        }
    })
    .unwrap()
}

/// What the last frame shows is what was changed before it.
fn settle(page: &mut Page<'_>) {
    page.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))").unwrap();
}

/// Four nodes that are in two halves in epoch 1.
fn split() -> String {
    let base = Scenario::baseline();
    let faults = Faults { partition_epochs: Some((1, 2)), ..base.faults };
    let scenario =
        Scenario { nodes: 4, validators: 32, epochs: 4, demands: Demands::default(), faults, ..base };
    let (report, recording) = trace_seed(&scenario, 3);
    assert!(report.violation.is_none(), "{report}");
    recording.film.text().to_owned()
}

/// The nodes whose heads lie on the chain of the first node's head, or the other way round; then the others.
const SIDES: &str = "(() => {
    const { world, node } = forkview.scene(), main = world.chainOf(node.head);
    const near = seen => main.has(seen.head) || world.chainOf(seen.head).has(node.head);
    const all = [...world.nodes.values()];
    return [all.filter(near).map(seen => seen.id), all.filter(seen => !near(seen)).map(seen => seen.id)];
})()";

fn sides(page: &mut Page<'_>) -> (usize, usize) {
    let sides = page.eval(SIDES).unwrap();
    (sides[0].as_array().unwrap().len(), sides[1].as_array().unwrap().len())
}

#[test]
fn a_recorded_fork_plays_and_can_be_gone_back_in() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let film = split();
    let site = site(move |_| Answer::ok("text/plain", film.clone()));
    let mut page = browser.open(&format!("{}/forkview/?trace=/split.jsonl", site.url())).unwrap();
    page.until("forkview.record.frames.length > 100", PATIENCE).unwrap();
    page.eval("forkview.setPlaying(false)").unwrap();

    // Just before the halves meet again: slots are six seconds, epochs eight slots.
    page.eval("forkview.seek(forkview.record.frames.findIndex(frame => frame.t > 2 * 48000 - 200))").unwrap();
    settle(&mut page);
    assert_eq!(sides(&mut page), (2, 2));
    let lanes = page
        .eval("[...forkview.scene().world.nodes.values()].map(seen => forkview.layout.places.get(seen.head).lane)")
        .unwrap();
    let lanes: std::collections::BTreeSet<i64> =
        lanes.as_array().unwrap().iter().map(|lane| lane.as_i64().unwrap()).collect();
    assert_eq!(lanes.len(), 2, "each branch has its lane");
    assert!(page.eval("document.getElementById('nodes').innerText.split('≠').length - 1").unwrap() == 2);
    assert_eq!(page.eval("document.querySelectorAll('#reorgs .root').length").unwrap(), 0);

    // Any moment can be gone to, and back: the same again.
    page.eval("forkview.seek(forkview.record.frames.length)").unwrap();
    settle(&mut page);
    assert_eq!(sides(&mut page), (4, 0));
    let left = page.eval("forkview.scene().world.reorgs.map(reorg => [reorg.node, reorg.depth])").unwrap();
    let deep = left.as_array().unwrap().iter().filter(|reorg| reorg[1].as_u64() > Some(4)).count();
    assert_eq!(deep, 2, "the half that lost left its branch: {left}");
    let at = page.eval("forkview.record.at").unwrap().as_u64().unwrap();
    page.press(",").unwrap();
    settle(&mut page);
    assert_eq!(page.eval("forkview.record.at").unwrap(), at - 1);
    page.eval("forkview.seek(forkview.record.frames.findIndex(frame => frame.t > 2 * 48000 - 200))").unwrap();
    settle(&mut page);
    assert_eq!(sides(&mut page), (2, 2));
    assert_eq!(page.faults(), Vec::<String>::new());
}

#[test]
fn a_block_says_what_it_holds_and_why_it_won() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let film = split();
    let site = site(move |_| Answer::ok("text/plain", film.clone()));
    let mut page = browser.open(&format!("{}/forkview/?trace=/split.jsonl", site.url())).unwrap();
    page.until("forkview.record.frames.length > 100", PATIENCE).unwrap();
    page.eval("forkview.setPlaying(false); forkview.seek(forkview.record.frames.findIndex(frame => frame.t > 110000))").unwrap();
    settle(&mut page);
    // The first blocks after the last common one.
    page.eval("document.querySelector('#reorgs .root').click()").unwrap();
    settle(&mut page);
    let text = "document.getElementById('details').innerText";
    assert!(page.eval(text).unwrap().as_str().unwrap().contains("attestation"));
    page.eval(
        "(() => { const { world } = forkview.scene(), reorg = world.reorgs.at(-1);
            forkview.select(world.children.get(reorg.common).find(root => world.chainOf(reorg.from).has(root))); })()",
    )
    .unwrap();
    settle(&mut page);
    let details = page.eval(text).unwrap();
    let details = details.as_str().unwrap();
    assert!(details.contains("Lost: ") && details.contains("won"), "{details}");
    assert_eq!(page.eval("document.querySelectorAll('.won tbody tr').length").unwrap(), 2);

    // By the keyboard alone: to the parent, from there to the heavier child, which won.
    page.press("ArrowLeft").unwrap();
    settle(&mut page);
    page.press("ArrowRight").unwrap();
    settle(&mut page);
    let details = page.eval(text).unwrap();
    assert!(details.as_str().unwrap().contains("Won: "), "{details}");
    assert_eq!(page.faults(), Vec::<String>::new());
}

#[test]
fn light_and_dark_follow_the_user_and_the_key() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let site = site(|_| Answer::not_found());
    let mut page = browser.open(&format!("{}/forkview/", site.url())).unwrap();
    let dark = "document.documentElement.classList.contains('dark')";
    for (scheme, is_dark) in [(Scheme::Dark, true), (Scheme::Light, false)] {
        page.prefer(scheme).unwrap();
        page.until(&format!("{dark} === {is_dark}"), PATIENCE).unwrap();
    }
    page.press("t").unwrap();
    page.until(dark, PATIENCE).unwrap();
    page.press("?").unwrap();
    page.until("document.getElementById('help-box').open", PATIENCE).unwrap();
    assert_eq!(page.faults(), Vec::<String>::new());
}

fn root(number: usize) -> String {
    format!("0x{number:064x}")
}

/// Answers as a node does whose fork choice has three blocks, but for one path.
fn node(path: &str, wrong: (&str, Answer)) -> Answer {
    let json = |value: Value| Answer::ok("application/json", value.to_string());
    let point = json!({ "epoch": "0", "root": root(1) });
    let entry = |number: usize| {
        json!({ "slot": number.to_string(), "block_root": root(number), "parent_root": root(number - 1),
            "weight": "32000000000", "validity": "VALID" })
    };
    match path {
        path if path == wrong.0 => wrong.1,
        "/eth/v1/node/version" => json(json!({ "data": { "version": "Foreign/v1" } })),
        "/eth/v1/beacon/headers/head" => json(json!({ "data": { "root": root(3) } })),
        "/eth/v1/debug/fork_choice" => json(json!({
            "justified_checkpoint": point, "finalized_checkpoint": point,
            "fork_choice_nodes": [entry(1), entry(2), entry(3)],
        })),
        "/eth/v2/debug/beacon/heads" => {
            json(json!({ "data": [{ "root": root(3), "slot": "3", "execution_optimistic": true }] }))
        }
        "/eth/v1/beacon/states/head/finality_checkpoints" => {
            json(json!({ "data": { "current_justified": point, "finalized": point } }))
        }
        path => match path.strip_prefix("/eth/v1/beacon/headers/0x") {
            Some(hex) => {
                let number = usize::from_str_radix(hex, 16).unwrap();
                let message = json!({ "slot": number.to_string(), "parent_root": root(number - 1) });
                json(json!({ "data": { "root": root(number), "header": { "message": message } } }))
            }
            None => Answer::not_found(),
        },
    }
}

#[test]
fn a_node_that_answers_nonsense_shows_one_clear_line_beside_its_name() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let json = |text: &str| Answer::ok("application/json", text);
    let dump = "/eth/v1/debug/fork_choice";
    let entry = format!("{{\"fork_choice_nodes\":[{{\"block_root\":\"{}\",\"slot\":\"x\"}}]}}", root(1));
    let cases = [
        (
            "page",
            ("/eth/v1/node/version", json("<html>")),
            "/eth/v1/node/version: the answer is no JSON: <html>",
        ),
        ("empty", (dump, json("{}")), "there are no fork_choice_nodes"),
        ("list", (dump, json("[1,2]")), "there are no fork_choice_nodes"),
        ("slot", (dump, json(&entry)), "fork_choice_nodes[0].slot is \"x\", no number"),
        (
            "head",
            ("/eth/v1/beacon/headers/head", json("{\"data\":{\"root\":7}}")),
            "the root of its head is 7, no root",
        ),
        ("cut", (dump, json("{\"fork_choice_nodes\":[")), "the answer is no JSON"),
        ("error", (dump, Answer { status: 500, ..json("out of order") }), "500 out of order"),
    ];
    let page_site = site(|_| Answer::not_found());
    let good = Site::serve(|path| node(path, ("", Answer::not_found()))).unwrap();
    let bad: Vec<(Site, &str, &str)> = cases
        .into_iter()
        .map(|(name, wrong, why)| (Site::serve(move |path| node(path, wrong.clone())).unwrap(), name, why))
        .collect();
    let mut url = format!("{}/forkview/?node=good@{}", page_site.url(), good.url());
    for (site, name, _) in &bad {
        url += &format!("&node={name}@{}", site.url());
    }
    let mut page = browser.open(&url).unwrap();
    page.until(&format!("document.querySelectorAll('#nodes tr.why').length === {}", bad.len()), PATIENCE)
        .unwrap();
    for (_, name, why) in &bad {
        let line =
            page.eval(&format!("document.querySelector('#nodes tr.why[data-id={name}]').innerText")).unwrap();
        let line = line.as_str().unwrap().trim();
        assert!(line.contains(why) && !line.contains('\n'), "{name}: {line}");
    }
    // The good one is shown as if it were alone.
    assert_eq!(page.eval("forkview.scene().world.nodes.get('good').head").unwrap(), root(3));
    assert_eq!(page.eval("forkview.layout.places.size").unwrap(), 3);
    assert_eq!(page.faults(), Vec::<String>::new());
}

#[test]
fn a_node_without_a_dump_of_its_fork_choice_is_shown_by_its_heads() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let page_site = site(|_| Answer::not_found());
    let old = Site::serve(|path| node(path, ("/eth/v1/debug/fork_choice", Answer::not_found()))).unwrap();
    let mut page = browser.open(&format!("{}/forkview/?node=old@{}", page_site.url(), old.url())).unwrap();
    page.until("forkview.layout.places.size === 3", PATIENCE).unwrap();
    assert_eq!(page.eval("forkview.scene().world.nodes.get('old').head").unwrap(), root(3));
    assert_eq!(
        page.eval(&format!("forkview.scene().node.validity.get('{}')", root(3))).unwrap(),
        "optimistic"
    );
    page.eval(&format!("forkview.select('{}')", root(2))).unwrap();
    settle(&mut page);
    let details = page.eval("document.getElementById('details').innerText").unwrap();
    assert!(details.as_str().unwrap().contains("not told by this node"), "{details}");
    assert_eq!(page.faults(), Vec::<String>::new());
}

#[test]
fn a_trace_that_is_none_is_refused_with_its_line() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let header = "{\"format\":\"interlock-trace-1\",\"nodes\":[]}\n";
    for (text, why) in [
        ("hello".to_owned(), "line 1 of the trace is no JSON"),
        ("{}".to_owned(), "line 1 of the trace does not say"),
        (format!("{header}\n{{\"t\":1}}"), "line 3 of the trace has no node or time"),
        (
            format!("{header}{{\"t\":1,\"node\":\"0\",\"blocks\":[{{}}]}}"),
            "line 2 of the trace has a block without root, parent or slot",
        ),
    ] {
        let site = site(move |_| Answer::ok("text/plain", text.clone()));
        let mut page = browser.open(&format!("{}/forkview/?trace=/t.jsonl", site.url())).unwrap();
        let says = format!("document.getElementById('notice').textContent.includes('{why}')");
        page.until(&says, PATIENCE).unwrap();
        assert_eq!(page.faults(), Vec::<String>::new());
    }
}

/// A recording of one node with so many blocks, none of them final: a chain that loses a branch of three every ten slots.
fn long(blocks: usize) -> String {
    let mut list = vec![json!({ "root": root(1), "parent": root(0), "slot": 0 })];
    let mut weights = serde_json::Map::new();
    let (mut tip, mut slot) = (1, 0);
    while list.len() < blocks {
        slot += 1;
        let number = list.len() + 1;
        list.push(json!({ "root": root(number), "parent": root(tip), "slot": slot }));
        let mut side = tip;
        tip = number;
        if slot % 10 == 0 {
            for step in 0..3.min(blocks - list.len()) {
                let number = list.len() + 1;
                list.push(json!({ "root": root(number), "parent": root(side), "slot": slot + step }));
                side = number;
            }
        }
    }
    for number in 1..=list.len() {
        weights.insert(root(number), json!((1_000_000 - number).to_string()));
    }
    let point = json!({ "epoch": "0", "root": root(1) });
    let header = json!({ "format": "interlock-trace-1", "slots_per_epoch": 32, "nodes": [{ "id": "0", "name": "one" }] });
    let frame = json!({ "t": 0, "node": "0", "blocks": list, "weights": weights, "head": root(tip),
        "justified": point, "finalized": point });
    format!("{header}\n{frame}\n")
}

fn open_long<'a>(browser: &'a mut Browser, site: &Site) -> Page<'a> {
    let mut page = browser.open(&format!("{}/forkview/?trace=/long.jsonl", site.url())).unwrap();
    page.until("forkview.layout.places.size >= 1000", PATIENCE).unwrap();
    page
}

#[test]
fn a_thousand_blocks_that_are_not_final_are_placed_and_fit_the_window() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let film = long(1000);
    let site = site(move |_| Answer::ok("text/plain", film.clone()));
    let mut page = open_long(&mut browser, &site);
    assert_eq!(page.eval("forkview.layout.places.size").unwrap(), 1000);
    let clashes = "(() => { const seen = new Set(); return forkview.layout.bySlot.filter(place => {
        const key = place.slot + '/' + place.lane; return seen.size === seen.add(key).size; }).length; })()";
    assert_eq!(page.eval(clashes).unwrap(), 0, "two blocks in one place");
    assert!(page.eval("forkview.layout.bottom - forkview.layout.top").unwrap().as_i64().unwrap() <= 3);
    page.press("f").unwrap();
    settle(&mut page);
    let inside = "forkview.layout.bySlot.every(place => { const p = forkview.picture;
        return p.toX(place.slot) > 0 && p.toX(place.slot) < p.width && p.toY(place.lane) > 0 && p.toY(place.lane) < p.height; })";
    assert_eq!(page.eval(inside).unwrap(), true);
    assert_eq!(page.faults(), Vec::<String>::new());
}

/// Frames a second while the picture moves for three seconds, by the times that the browser gives to frames.
const PAN: &str = "new Promise(done => {
    forkview.setFollowing(false);
    const times = [];
    const step = time => {
        times.push(time);
        forkview.picture.x += 1;
        EXTRA
        if (time - times[0] < 3000) return requestAnimationFrame(step);
        const gaps = times.slice(1).map((time, place) => time - times[place]).sort((a, b) => a - b);
        done([1000 * (times.length - 1) / (times.at(-1) - times[0]), gaps[Math.floor(gaps.length * .95)]]);
    };
    requestAnimationFrame(step);
})";

/// Votes that move every block's weight, ten times a second.
const VOTES: &str = "if (times.length % 6 === 0) {
    const weights = {};
    for (const root of forkview.layout.places.keys()) weights[root] = String(1000000 + times.length);
    forkview.record.frames.push({ t: times.length, node: '0', weights });
    forkview.seek(forkview.record.frames.length);
}";

#[test]
#[ignore = "measures time, which a busy machine has none of: run it alone"]
fn a_thousand_blocks_pan_at_thirty_frames_a_second() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let film = long(1000);
    let site = site(move |_| Answer::ok("text/plain", film.clone()));
    let mut page = open_long(&mut browser, &site);
    page.press("f").unwrap();
    settle(&mut page);
    for (what, extra) in [("all in the window", ""), ("all in the window, all weights changing", VOTES)] {
        let measured = page.eval(&PAN.replace("EXTRA", extra)).unwrap();
        let (rate, gap) = (measured[0].as_f64().unwrap(), measured[1].as_f64().unwrap());
        println!("1000 blocks, {what}: {rate:.1} frames a second, 95 % of them within {gap:.1} ms");
        assert!(rate >= 30.0, "{rate:.1} frames a second");
    }
}
