//! Gossip: what a node publishes or accepts goes to its neighbours; each message gets one verdict.

use std::sync::Arc;

use chain::{GossipId, GossipMessage, Verdict};

use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Slot};

use crate::checkers::Violation;
use crate::genesis::GENESIS;
use crate::node::Todo;
use crate::packet::Packet;
use crate::world::{Event, World};

/// Epochs before a fork from which on its topics are heard.
const HEARD_BEFORE_EPOCHS: u64 = 1;

/// Epochs after the next fork for which a fork's topics are heard.
const HEARD_AFTER_EPOCHS: u64 = 2;

impl World {
    /// The chain has judged a message.
    pub(crate) fn verdict(&mut self, node: usize, id: GossipId, verdict: Verdict) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some((packet, from, _)) = running.undecided.remove(&id) else {
            let what = format!("{id:?} got {verdict:?} without being undecided");
            return self.fail(Violation::at("one verdict for each message", node, what));
        };
        match verdict {
            Verdict::Accept => {
                self.trace.note(self.now, node, format_args!("accepts {}", packet.name));
                self.spread(node, Some(from), &packet);
            }
            Verdict::Ignore(why) => {
                self.counts.ignored += 1;
                self.trace.note(self.now, node, format_args!("ignores {}: {why}", packet.name));
            }
            // Whoever withholds data sends nothing that is wrong.
            Verdict::Reject(why) => {
                let what = format!("{} from node {from} is rejected: {why}", packet.name);
                self.fail(Violation::at("no honest message is rejected", node, what));
            }
        }
    }

    /// The chain publishes a message of its own.
    pub(crate) fn publish(&mut self, node: usize, message: &GossipMessage) {
        let slot = self.slot_at(node);
        let packet = match Packet::new(self.scenario.spec, message, slot) {
            Ok(packet) => Arc::new(packet),
            Err(error) => {
                return self.fail(Violation::at("what is published decodes", node, error.to_string()));
            }
        };
        if let GossipMessage::Block(block) = &packet.message {
            let ctx = self.scenario.spec.ctx_at_slot(block.message.slot);
            let root = types::SszExt::hash_tree_root(&block.message, ctx);
            self.finality.block(root, block.message.slot, block.message.parent_root);
            self.counts.blocks += 1;
            if self.is_byzantine(node) && !block.message.body.blob_kzg_commitments.is_empty() {
                self.withheld.insert(root);
            }
        }
        let is_sidecar = packet.column.is_some() || matches!(message, GossipMessage::BlobSidecar { .. });
        #[cfg(test)]
        let is_sidecar = is_sidecar && !self.leaks;
        if is_sidecar && self.is_byzantine(node) {
            return self.trace.note(self.now, node, format_args!("withholds {}", packet.name));
        }
        self.trace.note(self.now, node, format_args!("publishes {}", packet.name));
        let Some(running) = &mut self.nodes[node].running else { return };
        running.seen.insert(packet.id);
        self.spread(node, None, &packet);
    }

    /// The slot of a node's clock.
    pub(crate) fn slot_at(&self, node: usize) -> Slot {
        let since = self.nodes[node].clock(self.now).since(GENESIS);
        Slot(since / self.scenario.slot_ms())
    }

    /// Whether a node hears the topic of a message: topics of a fork from an epoch before it to two after it, those of
    /// columns where it samples them.
    fn hears(&self, node: usize, packet: &Packet) -> bool {
        let spec = self.scenario.spec;
        let epoch = self.slot_at(node).epoch(spec);
        let next = ForkName::ALL
            .into_iter()
            .map(|fork| spec.fork_epoch(fork))
            .find(|begin| *begin != FAR_FUTURE_EPOCH && spec.fork_name_at_epoch(*begin) > packet.fork);
        let is_begun = spec.fork_epoch(packet.fork) <= epoch + HEARD_BEFORE_EPOCHS;
        let is_over = next.is_some_and(|next| epoch >= next + HEARD_AFTER_EPOCHS);
        is_begun && !is_over && packet.column.is_none_or(|column| self.nodes[node].custody.contains(&column))
    }

    /// To whom a node sends a message: its neighbours that hear it. Few nodes hear the topic of a column, so that who
    /// publishes one looks for all of them.
    fn audience(&self, node: usize, from: Option<usize>, packet: &Packet) -> Vec<usize> {
        match (packet.column, from) {
            (Some(column), None) => {
                let hears = |other: &usize| *other != node && self.nodes[*other].custody.contains(&column);
                (0..self.nodes.len()).filter(hears).collect()
            }
            (Some(column), Some(_)) => {
                let neighbours = self.network.neighbours(node).into_iter();
                neighbours.filter(|other| self.nodes[*other].custody.contains(&column)).collect()
            }
            (None, _) => self.network.neighbours(node),
        }
    }

    /// Sends a message to its audience, but not to the one that it came from.
    fn spread(&mut self, node: usize, from: Option<usize>, packet: &Arc<Packet>) {
        for to in self.audience(node, from, packet) {
            if Some(to) == from {
                continue;
            }
            for at in self.network.copies(self.now, node, to) {
                self.queue.push(at, Event::Gossip { node: to, from: node, packet: packet.clone() });
            }
        }
    }

    /// A gossip message arrives.
    pub(crate) fn gossip(&mut self, node: usize, from: usize, packet: Arc<Packet>) {
        let now = self.now;
        if !self.hears(node, &packet) {
            return;
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        if !running.seen.insert(packet.id) {
            return;
        }
        self.counts.gossip += 1;
        let id = GossipId(running.next_id());
        self.trace.note(now, node, format_args!("hears {} from node {from}", packet.name));
        running.remember_sender(id, from);
        let message = packet.message.clone();
        running.undecided.insert(id, (packet, from, now));
        self.process(node, vec![Todo::Chain(chain::Input::Gossip { id, message })]);
    }
}
