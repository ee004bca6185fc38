//! The trace: every event of a world in order, as one hash. Two runs of a seed must agree in it.

use std::collections::VecDeque;
use std::fmt;

use sha2::{Digest, Sha256};
use types::{Root, Time};

/// Lines that are kept to be shown with a violation, unless more are wanted. Older ones are forgotten.
const LINES_MAX: usize = 400;

/// The running hash of all that happened, and the last of it in words.
#[derive(Clone, Debug)]
pub struct Trace {
    genesis: Time,
    hash: Sha256,
    events: u64,
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Trace {
    /// An empty trace; its times are shown from genesis on.
    pub fn new(genesis: Time) -> Self {
        Self { genesis, hash: Sha256::new(), events: 0, lines: VecDeque::new(), lines_max: LINES_MAX }
    }

    /// Notes an event: when, at which node, and what, in words that tell it from any other.
    pub fn note(&mut self, now: Time, node: usize, what: fmt::Arguments<'_>) {
        let ms = now.0 as i64 - self.genesis.0 as i64;
        let line = format!("{:>9.3}s node {node:>2}: {what}", ms as f64 / 1000.0);
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.events += 1;
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Keeps all lines from now on: a hundred bytes an event.
    pub fn keep_all(&mut self) {
        self.lines_max = usize::MAX;
    }

    /// How many events were noted.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events, oldest first: at most `count`, of one node where one is named.
    pub fn last(&self, count: usize, node: Option<usize>) -> Vec<String> {
        let name = node.map(|node| format!("node {node:>2}:"));
        let of_node = |line: &&String| name.as_ref().is_none_or(|name| line.contains(name));
        let mut lines: Vec<String> = self.lines.iter().rev().filter(of_node).take(count).cloned().collect();
        lines.reverse();
        lines
    }

    /// The hash of all events so far.
    pub fn digest(&self) -> Root {
        Root::from(<[u8; 32]>::from(self.hash.clone().finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(of: &[(u64, usize, &str)]) -> Trace {
        let mut trace = Trace::new(Time(0));
        of.iter().for_each(|(at, node, what)| trace.note(Time(*at), *node, format_args!("{what}")));
        trace
    }

    #[test]
    fn time_node_words_and_order_all_count() {
        let base = trace(&[(1, 2, "a"), (1, 2, "b")]).digest();
        assert_eq!(base, trace(&[(1, 2, "a"), (1, 2, "b")]).digest());
        for other in [
            [(2, 2, "a"), (1, 2, "b")],
            [(1, 3, "a"), (1, 2, "b")],
            [(1, 2, "b"), (1, 2, "a")],
            [(1, 2, "a"), (1, 2, "c")],
        ] {
            assert_ne!(base, trace(&other).digest());
        }
    }

    #[test]
    fn the_last_lines_can_be_of_one_node() {
        let trace = trace(&[(1, 2, "a"), (2, 12, "b"), (3, 2, "c"), (4, 2, "d")]);
        assert_eq!(trace.last(2, Some(2)), ["    0.003s node  2: c", "    0.004s node  2: d"]);
        assert_eq!(trace.last(9, Some(12)), ["    0.002s node 12: b"]);
        assert_eq!(trace.last(9, None).len(), 4);
    }
}
