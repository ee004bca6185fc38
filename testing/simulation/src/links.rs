//! The network between nodes: who is connected to whom, and what becomes of a message on its way.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Time};

use crate::Scenario;
use crate::scenario::Links;

/// The network between nodes.
#[derive(Debug)]
pub struct Network {
    rng: ChaCha8Rng,
    links: Links,
    /// Neighbours of each node, both ways.
    neighbours: Vec<BTreeSet<usize>>,
    /// The mean latency of each link, by its two ends in order of direction: links are asymmetric.
    latency_ms: BTreeMap<(usize, usize), u64>,
    /// The side of the partition on which each node is.
    side: Vec<bool>,
    partition: Option<(Time, Time)>,
    faults_end: Time,
    fault_loss_bps: u32,
    /// Messages lost or cut off so far.
    pub lost: u64,
    /// Messages sent so far.
    pub sent: u64,
}

impl Network {
    /// A connected seeded graph.
    pub fn new(scenario: &Scenario, genesis: Time, mut rng: ChaCha8Rng) -> Self {
        let nodes = scenario.nodes;
        let mut neighbours = vec![BTreeSet::new(); nodes];
        let mut connect = |a: usize, b: usize| {
            if a != b {
                neighbours[a].insert(b);
                neighbours[b].insert(a);
            }
        };
        // A ring over a seeded order makes the graph connected, whatever is dialled besides.
        let mut ring: Vec<usize> = (0..nodes).collect();
        ring.shuffle(&mut rng);
        for place in 0..nodes {
            connect(ring[place], ring[(place + 1) % nodes]);
        }
        for node in 0..nodes {
            for _ in 1..scenario.links.dials {
                connect(node, rng.random_range(0..nodes));
            }
        }
        // Who needs columns looks for peers that have them, and everyone finds those that have all.
        if scenario.spec.fork_epoch(ForkName::Fulu) != FAR_FUTURE_EPOCH {
            for super_node in 0..scenario.data.supernodes.min(nodes) {
                (0..nodes).for_each(|node| connect(super_node, node));
            }
        }
        let (least, most) = scenario.links.latency_ms;
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        let latency_ms = pairs.map(|pair| (pair, rng.random_range(least..=most.max(least)).max(1))).collect();
        let mut order: Vec<usize> = (0..nodes).collect();
        order.shuffle(&mut rng);
        let mut side = vec![false; nodes];
        order.iter().take(nodes / 2).for_each(|node| side[*node] = true);
        let epoch = |epoch: u64| genesis.after_ms(epoch * scenario.epoch_ms());
        let partition = scenario.faults.partition_epochs.map(|(from, before)| (epoch(from), epoch(before)));
        Self {
            rng,
            links: scenario.links,
            neighbours,
            latency_ms,
            side,
            partition,
            faults_end: epoch(scenario.faults.end_epoch),
            fault_loss_bps: scenario.faults.loss_bps,
            lost: 0,
            sent: 0,
        }
    }

    /// Whom a node is connected to, in order.
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        self.neighbours[node].iter().copied().collect()
    }

    /// True where a partition keeps the two apart now.
    pub fn is_cut(&self, now: Time, from: usize, to: usize) -> bool {
        let now_cut = self.partition.is_some_and(|(start, end)| start <= now && now < end);
        now_cut && self.side[from] != self.side[to]
    }

    /// When the copies of a gossip message arrive: none where it is lost, two where it is duplicated.
    pub fn copies(&mut self, now: Time, from: usize, to: usize) -> Vec<Time> {
        let Some(first) = self.arrival(now, from, to) else { return Vec::new() };
        match self.happens(self.links.duplicate_bps) {
            true => vec![first, now.after_ms(self.delay_ms(from, to))],
            false => vec![first],
        }
    }

    /// When a message arrives; none where it is lost.
    pub fn arrival(&mut self, now: Time, from: usize, to: usize) -> Option<Time> {
        self.sent += 1;
        let faults = if now < self.faults_end { self.fault_loss_bps } else { 0 };
        if self.happens(self.links.loss_bps) || self.happens(faults) || self.is_cut(now, from, to) {
            self.lost += 1;
            return None;
        }
        Some(now.after_ms(self.delay_ms(from, to)))
    }

    /// How long a message takes from one node to another that it reaches.
    pub fn delay_ms(&mut self, from: usize, to: usize) -> u64 {
        let mean = self.latency_ms[&(from, to)];
        mean / 2 + self.rng.random_range(0..=mean)
    }

    fn happens(&mut self, bps: u32) -> bool {
        bps > 0 && self.rng.random_range(0..10_000) < bps
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn network(seed: u64, scenario: &Scenario) -> Network {
        Network::new(scenario, Time(1_000), ChaCha8Rng::seed_from_u64(seed))
    }

    fn history(seed: u64) -> (Vec<Vec<usize>>, Vec<Vec<Time>>) {
        let mut network = network(seed, &Scenario::latency_loss_crash());
        let neighbours = (0..16).map(|node| network.neighbours(node)).collect();
        let times =
            (0..2_000).map(|i| network.copies(Time(i), i as usize % 16, (i as usize + 5) % 16)).collect();
        (neighbours, times)
    }

    #[test]
    fn a_seed_decides_the_graph_and_every_arrival() {
        assert_eq!(history(3), history(3));
        assert_ne!(history(3), history(4));
    }

    #[test]
    fn losses_duplicates_and_latencies_are_those_of_the_scenario() {
        let (_, times) = history(7);
        let count = |copies: usize| times.iter().filter(|times| times.len() == copies).count();
        assert!((5..60).contains(&count(0)), "{} of 2000 lost at 1 %", count(0));
        assert!((5..60).contains(&count(2)), "{} of 2000 doubled at 1 %", count(2));
        for (sent, times) in times.iter().enumerate() {
            assert!(times.iter().all(|at| (25..=600).contains(&at.since(Time(sent as u64)))), "{times:?}");
        }
    }

    #[test]
    fn every_node_is_reachable_from_every_other() {
        for seed in 0..50 {
            let network = network(seed, &Scenario::baseline());
            let mut reached = BTreeSet::from([0]);
            let mut todo = vec![0];
            while let Some(node) = todo.pop() {
                todo.extend(network.neighbours(node).into_iter().filter(|next| reached.insert(*next)));
            }
            assert_eq!(reached.len(), 16);
        }
    }

    #[test]
    fn a_partition_halves_the_nodes_and_ends() {
        let scenario = Scenario::partition_heals();
        let mut network = network(1, &scenario);
        let inside = Time(1_000 + 2 * scenario.epoch_ms());
        let cut = |now: Time| (0..16).filter(|node| network.is_cut(now, 0, *node)).count();
        assert_eq!(cut(inside), 8);
        assert_eq!(cut(Time(inside.0 - 1)), 0);
        assert_eq!(cut(Time(1_000 + 4 * scenario.epoch_ms())), 0);
        let other = (0..16).find(|node| network.is_cut(inside, 0, *node)).unwrap();
        assert_eq!(network.arrival(inside, 0, other), None);
    }
}
