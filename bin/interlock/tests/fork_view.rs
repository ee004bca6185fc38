//! The fork view of networks of processes, in a real browser.

#![allow(clippy::unwrap_used)]

mod live;

use std::path::PathBuf;

use browser::{Browser, Page, Scheme};

use live::{Devnet, PATIENCE};

#[test]
fn the_heads_of_a_live_devnet_are_shown_and_follow_it() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let mut devnet = Devnet::start("--nodes 2 --validators 16 --slot-ms 2000 --until-epoch 1000");
    let url = devnet.fork_view();
    let mut page = browser.open(&url).unwrap();
    let heads = "(() => { const { world } = forkview.scene();
        const heads = ['node-0', 'node-1'].map(id => world.blocks.get(world.nodes.get(id)?.head));
        return heads.every(head => head?.slot >= 3) && heads.map(head => head.root); })()";
    let shown = page.until(heads, PATIENCE).unwrap();
    // What the page shows as a head is a block of the node that it asked.
    for (node, root) in shown.as_array().unwrap().iter().enumerate() {
        let asked = format!(
            "forkview.nodes()[{node}].json('/eth/v1/beacon/headers/{}').then(answer => answer.data.root)",
            root.as_str().unwrap()
        );
        assert_eq!(page.eval(&asked).unwrap(), *root);
    }
    let rows = page.eval("document.getElementById('nodes').innerText").unwrap();
    let rows = rows.as_str().unwrap().to_lowercase();
    assert!(rows.contains("node-0") && rows.contains("node-1") && rows.contains("interlock"), "{rows}");
    // A block is fetched from its node when it is stepped into.
    page.eval(&format!("forkview.select('{}')", shown[0].as_str().unwrap())).unwrap();
    page.until("document.getElementById('details').innerText.includes('proposer')", PATIENCE).unwrap();
    assert_eq!(page.faults(), Vec::<String>::new());
}

/// True where the heads of these nodes are on the first node's branch, and of those not: both lists of ids as JSON.
fn divided(here: &str, there: &str) -> String {
    format!(
        "(() => {{ const {{ world }} = forkview.scene(), head = id => world.nodes.get(id)?.head;
            const first = head({here}[0]), other = head({there}[0]);
            const near = (a, b) => a && b && (world.chainOf(a).has(b) || world.chainOf(b).has(a));
            return {here}.every(id => near(head(id), first)) && {there}.every(id => near(head(id), other) && !near(head(id), first)); }})()"
    )
}

/// Takes pictures in both schemes, where a folder for them is named.
fn pictures(page: &mut Page<'_>, name: &str) {
    let Some(folder) = std::env::var_os("INTERLOCK_SCREENSHOTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (scheme, word) in [(Scheme::Dark, "dark"), (Scheme::Light, "light")] {
        page.prefer(scheme).unwrap();
        page.until(
            &format!("document.documentElement.classList.contains('dark') === {}", word == "dark"),
            PATIENCE,
        )
        .unwrap();
        page.eval("new Promise(done => setTimeout(done, 300))").unwrap();
        page.screenshot(&folder.join(format!("fork-view-{name}-{word}.png"))).unwrap();
    }
}

/// Four epochs and some more: `cargo test --release -p interlock --test fork_view -- --ignored`, with Lodestar installed.
/// `INTERLOCK_SCREENSHOTS` names a folder for pictures.
#[test]
#[ignore = "takes five minutes, and needs Lodestar (interlock interop install)"]
fn a_mixed_network_that_is_divided_shows_two_branches_and_the_reorganization_when_it_heals() {
    let Some(mut browser) = Browser::launch().unwrap() else { return };
    let lodestar = "--join lodestar-node-with-validators";
    let mut devnet = Devnet::start(&format!(
        "--nodes 3 {lodestar} {lodestar} --validators 65 --slot-ms 3000 --partition 2..4"
    ));
    let url = devnet.fork_view();
    let mut page = browser.open(&url).unwrap();
    let (here, there) = ("['node-0','node-2','lodestar-0']", "['node-1','lodestar-1']");
    page.until(&format!("forkview.nodes().length === 5 && {}", divided(here, there)), 2 * PATIENCE).unwrap();
    // Each side goes on for some slots.
    page.until("Math.floor(forkview.scene().slotNow) >= 30", 2 * PATIENCE).unwrap();
    assert_eq!(page.eval(&divided(here, there)).unwrap(), true);
    page.press("f").unwrap();
    pictures(&mut page, "partition");

    let one = "(() => { const { world } = forkview.scene(), heads = [...world.nodes.values()].map(seen => seen.head);
        return heads.length === 5 && new Set(heads).size === 1 && world.blocks.get(heads[0]).slot > 33; })()";
    page.until(one, 3 * PATIENCE).unwrap();
    // Both clients of one side have left their branch, ten slots deep or more.
    let left = page
        .eval("[...new Set(forkview.scene().world.reorgs.filter(reorg => reorg.depth >= 8).map(reorg => reorg.node))].sort().join()")
        .unwrap();
    let left = left.as_str().unwrap();
    assert!(left == "lodestar-1,node-1" || left == "lodestar-0,node-0,node-2", "{left}");
    page.eval("document.querySelector('#reorgs .root').click()").unwrap();
    page.press("f").unwrap();
    pictures(&mut page, "healed");
    assert_eq!(page.faults(), Vec::<String>::new());
    let (status, said) = devnet.end();
    assert!(status.success(), "{said}");
    assert!(said.contains("which it left") && said.contains("nothing slashable"), "{said}");
}
