//! What every node told of its fork choice, moment by moment, as a recording that the fork view plays.
//!
//! ```text
//!   {"format":"interlock-trace-1","slots_per_epoch":8,"seconds_per_slot":6,"genesis_ms":0,"nodes":[{"id":"0","name":"node 0"},…]}
//!   {"t":6020,"node":"0","blocks":[{"root":…,"parent":…,"slot":1,"proposer":…,"votes":[[slot,voters,head],…]}],"weights":{…},"head":…}
//!   …
//! ```
//!
//! A line after the first is what changed at one node since its line before. It is written when the node's head or boost
//! moves and at every look of the checkers, so that its length follows from blocks, nodes and slots, and not from
//! messages. What a block holds is told once, with whoever knew it first.
//!
//! Overflow rule: a recording that reached its bound takes no more lines and says so; the lines before stay.

use std::collections::{BTreeMap, BTreeSet};

use chain::View;
use fork_choice::ExecutionStatus;
use serde_json::{Map, Value, json};
use types::{Checkpoint, Gwei, Root, SignedBeaconBlock, Time};

use crate::Scenario;
use crate::genesis::GENESIS;

/// The most that a recording takes, in bytes: a page that is given more is slow to read it.
const BYTES_MAX: usize = 64 << 20;

/// A recording.
#[derive(Clone, Debug)]
pub struct Film {
    text: String,
    bytes_max: usize,
    is_whole: bool,
    told: Vec<Told>,
    /// Blocks whose contents were told, by any node.
    shown: BTreeSet<Root>,
}

/// What a node told last.
#[derive(Clone, Debug, Default)]
struct Told {
    blocks: BTreeMap<Root, (Gwei, &'static str)>,
    head: Root,
    boost: Root,
    checkpoints: Option<(Checkpoint, Checkpoint)>,
    is_down: bool,
}

impl Film {
    /// An empty recording of a world.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let nodes: Vec<Value> =
            (0..scenario.nodes).map(|node| json!({ "id": node.to_string(), "name": name(node) })).collect();
        let header = json!({
            "format": "interlock-trace-1",
            "slots_per_epoch": scenario.spec.preset.slots_per_epoch,
            "seconds_per_slot": scenario.slot_ms() as f64 / 1000.0,
            "genesis_ms": 0,
            "nodes": nodes,
        });
        Self {
            text: format!("{header}\n"),
            bytes_max: BYTES_MAX,
            is_whole: true,
            told: vec![Told::default(); scenario.nodes],
            shown: BTreeSet::new(),
        }
    }

    /// The lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// False where the recording ended before the world did, since it had reached its bound.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// True where the node's head or boost is another than it told.
    pub(crate) fn has_moved(&self, node: usize, view: &View) -> bool {
        let told = &self.told[node];
        told.is_down || told.head != view.head.root || told.boost != view.fork_choice.proposer_boost_root
    }

    /// Records that a node is down.
    pub(crate) fn goes_down(&mut self, now: Time, node: usize) {
        if !std::mem::replace(&mut self.told[node].is_down, true) {
            self.line(now, node, Map::from_iter([("down".to_owned(), json!(true))]));
        }
    }

    /// Records what changed at a node.
    pub(crate) fn look(&mut self, now: Time, node: usize, view: &View) {
        if !self.is_whole {
            return;
        }
        let mut line = self.changed_blocks(node, view);
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        let told = &mut self.told[node];
        if std::mem::replace(&mut told.is_down, false) {
            put("down", json!(false));
        }
        if told.head != view.head.root {
            told.head = view.head.root;
            put("head", json!(view.head.root.to_string()));
        }
        if told.boost != view.fork_choice.proposer_boost_root {
            told.boost = view.fork_choice.proposer_boost_root;
            let boost = (!told.boost.is_zero()).then(|| told.boost.to_string());
            put("boost", json!(boost));
        }
        let checkpoints = Some((view.justified.clone(), view.finalized.clone()));
        if told.checkpoints != checkpoints {
            told.checkpoints = checkpoints;
            put("justified", checkpoint(&view.justified));
            put("finalized", checkpoint(&view.finalized));
        }
        self.line(now, node, line);
    }

    fn changed_blocks(&mut self, node: usize, view: &View) -> Map<String, Value> {
        let (mut blocks, mut weights, mut validity) = (Vec::new(), Map::new(), Map::new());
        let mut known = BTreeMap::new();
        for summary in &view.fork_choice.nodes {
            let root = summary.node.root;
            let now = (summary.weight, validity_of(summary.node.execution));
            let before = self.told[node].blocks.get(&root).copied();
            if before.is_none() {
                let mut block = json!({
                    "root": root.to_string(),
                    "parent": summary.parent.unwrap_or(summary.node.parent_root).to_string(),
                    "slot": summary.node.slot.0,
                });
                if let Some(content) = view.blocks.get(&root).filter(|_| self.shown.insert(root)) {
                    show(content, &mut block);
                }
                blocks.push(block);
            }
            if before.is_none_or(|(weight, _)| weight != now.0) {
                weights.insert(root.to_string(), json!(now.0.0.to_string()));
            }
            if before.map_or("valid", |(_, validity)| validity) != now.1 {
                validity.insert(root.to_string(), json!(now.1));
            }
            known.insert(root, now);
        }
        let before = std::mem::replace(&mut self.told[node].blocks, known);
        let is_gone = |root: &&Root| !self.told[node].blocks.contains_key(*root);
        let removed: Vec<Value> = before.keys().filter(is_gone).map(|root| json!(root.to_string())).collect();
        let parts = [
            ("blocks", Value::Array(blocks)),
            ("weights", Value::Object(weights)),
            ("validity", Value::Object(validity)),
            ("removed", Value::Array(removed)),
        ];
        let is_empty = |value: &Value| value == &json!([]) || value == &json!({});
        parts
            .into_iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    fn line(&mut self, now: Time, node: usize, mut line: Map<String, Value>) {
        if line.is_empty() || !self.is_whole {
            return;
        }
        line.insert("t".to_owned(), json!(now.0 as i64 - GENESIS.0 as i64));
        line.insert("node".to_owned(), json!(node.to_string()));
        let line = Value::Object(line).to_string();
        if self.text.len() + line.len() >= self.bytes_max {
            self.is_whole = false;
            return;
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

fn name(node: usize) -> String {
    format!("node {node}")
}

fn checkpoint(checkpoint: &Checkpoint) -> Value {
    json!({ "epoch": checkpoint.epoch.0.to_string(), "root": checkpoint.root.to_string() })
}

fn validity_of(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Irrelevant | ExecutionStatus::Valid { .. } => "valid",
        ExecutionStatus::NotValidated { .. } => "optimistic",
        ExecutionStatus::Invalidated { .. } => "invalid",
    }
}

/// Adds who proposed a block and what it holds.
fn show(block: &SignedBeaconBlock, line: &mut Value) {
    let message = &block.message;
    let votes = message.body.attestations.iter().map(|vote| {
        json!([vote.data.slot.0, vote.aggregation_bits.count_ones(), vote.data.beacon_block_root.to_string()])
    });
    line["proposer"] = json!(message.proposer_index.0);
    line["votes"] = Value::Array(votes.collect());
    let sync = &message.body.sync_aggregate.sync_committee_bits;
    if !sync.is_empty() {
        line["sync"] = json!([sync.count_ones(), sync.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Demands, Faults, trace_seed};

    fn split() -> Scenario {
        let base = Scenario::baseline();
        let faults = Faults { partition_epochs: Some((1, 2)), ..base.faults };
        Scenario { nodes: 4, validators: 32, epochs: 4, demands: Demands::default(), faults, ..base }
    }

    /// The lines of a recording after its header, which is checked.
    fn lines(film: &Film) -> Vec<Value> {
        let mut lines = film.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let header = lines.next().unwrap();
        assert_eq!(header["format"], "interlock-trace-1");
        assert_eq!(header["nodes"].as_array().unwrap().len(), 4);
        lines.collect()
    }

    /// The blocks from one down to the oldest that is known.
    fn chain_of(parents: &BTreeMap<String, String>, head: &str) -> Vec<String> {
        let step = |root: &String| parents.get(root).cloned();
        std::iter::successors(Some(head.to_owned()), step).collect()
    }

    #[test]
    fn a_partition_is_recorded_as_a_fork_and_its_end_as_a_reorganization() {
        let (report, recording) = trace_seed(&split(), 3);
        assert!(report.violation.is_none(), "{report}");
        assert!(recording.film.is_whole());
        let (mut parents, mut heads) = (BTreeMap::new(), BTreeMap::<String, String>::new());
        let (mut forked, mut reorganized) = (BTreeSet::new(), BTreeSet::new());
        for line in lines(&recording.film) {
            for block in line["blocks"].as_array().into_iter().flatten() {
                let text = |key: &str| block[key].as_str().unwrap().to_owned();
                parents.insert(text("root"), text("parent"));
            }
            let Some(head) = line["head"].as_str() else { continue };
            let node = line["node"].as_str().unwrap().to_owned();
            let chain = chain_of(&parents, head);
            if let Some(before) = heads.insert(node.clone(), head.to_owned())
                && !chain.contains(&before)
            {
                reorganized.insert(node);
            }
            // Two nodes whose heads are not one upon the other's chain, for longer than a block takes to arrive.
            for other in heads.values() {
                let theirs = chain_of(&parents, other);
                if !chain.contains(other) && !theirs.contains(&head.to_owned()) {
                    let apart = chain.iter().take_while(|root| !theirs.contains(root)).count();
                    forked.insert(apart);
                }
            }
        }
        assert!(forked.last().is_some_and(|apart| *apart >= 3), "{forked:?}");
        assert_eq!(reorganized.len(), 2, "the half that lost leaves its branch: {reorganized:?}");
        let last: BTreeSet<&String> = heads.values().collect();
        assert!(last.len() <= 2, "heads are one again, but for a block that is on its way: {last:?}");
    }

    #[test]
    fn a_seed_decides_its_recording_and_recording_changes_nothing() {
        let (report, recording) = trace_seed(&split(), 5);
        let (_, again) = trace_seed(&split(), 5);
        assert!(recording.film.text() == again.film.text(), "two recordings of a seed differ");
        assert_eq!(report.trace, crate::run_seed(&split(), 5).trace);
    }

    #[test]
    fn what_a_block_holds_is_told_once_and_a_full_recording_keeps_whole_lines() {
        let (_, recording) = trace_seed(&split(), 3);
        let blocks = |film: &Film| -> Vec<Value> {
            lines(film)
                .iter()
                .flat_map(|line| line["blocks"].as_array().cloned().unwrap_or_default())
                .collect()
        };
        let with_votes: Vec<Value> =
            blocks(&recording.film).into_iter().filter(|block| !block["votes"].is_null()).collect();
        let roots: BTreeSet<&str> = with_votes.iter().map(|block| block["root"].as_str().unwrap()).collect();
        assert_eq!(roots.len(), with_votes.len());
        assert!(with_votes.iter().any(|block| block["votes"][0][1].as_u64() > Some(0)));

        let mut film = Film::new(&split());
        film.bytes_max = film.text.len() + 60;
        for node in 0..4 {
            film.goes_down(Time(GENESIS.0 + 7), node);
            film.goes_down(Time(GENESIS.0 + 8), node);
        }
        assert!(!film.is_whole());
        assert_eq!(lines(&film), [json!({ "t": 7, "node": "0", "down": true })]);
    }
}
