//! Requests between nodes: what sync asks goes to a peer, and its answer or silence comes back.

use std::collections::VecDeque;

use sync::{PeerId, RequestError, Status, SyncState};

use crate::node::Todo;
use crate::serve;
use crate::world::{Asked, Event, World};

impl World {
    /// A peer's Status. A head that gossip should have brought by now, where range sync sees no gap to close, is looked
    /// up: the last block that we missed, or another branch after a partition.
    pub(crate) fn status_input(
        &mut self,
        node: usize,
        peer: PeerId,
        status: Status,
        todos: &mut VecDeque<Todo>,
    ) {
        let custody = self.nodes[peer.0 as usize].custody.clone();
        todos.push_back(Todo::Sync(sync::Input::Custody(peer, custody)));
        todos.push_back(Todo::Sync(sync::Input::Status(peer, status)));
        let Some(running) = &self.nodes[node].running else { return };
        let view = running.chain.view();
        let is_due = status.head_slot < view.current_slot
            && status.head_slot > view.finalized.epoch.start_slot(view.spec);
        if is_due
            && running.sync_state == SyncState::Synced
            && !view.fork_choice.nodes.iter().any(|summary| summary.node.root == status.head_root)
        {
            todos.push_back(Todo::Sync(sync::Input::Want(status.head_root, Some(peer))));
        }
    }

    /// Asks a peer for its status, telling it one's own.
    pub(crate) fn ask_status(&mut self, node: usize, peer: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let status = serve::status(running.chain.view());
        self.request(node, peer, Asked::Status(status));
    }

    /// Sends a request on its way.
    pub(crate) fn request(&mut self, node: usize, to: usize, asked: Asked) {
        self.counts.requests += 1;
        let generation = self.nodes[node].generation;
        match self.network.arrival(self.now, node, to) {
            Some(at) => self.queue.push(at, Event::Request { node: to, from: node, generation, asked }),
            None => self.no_answer((node, generation), to, &asked, RequestError::Timeout),
        }
    }

    /// A node that asked hears that there is no answer.
    fn no_answer(
        &mut self,
        (node, generation): (usize, u64),
        peer: usize,
        asked: &Asked,
        error: RequestError,
    ) {
        let wait = match error {
            RequestError::Timeout => self.scenario.links.timeout_ms,
            _ => self.scenario.links.latency_ms.1,
        };
        let at = self.now.after_ms(wait);
        match asked {
            Asked::Blocks(id, _) => {
                let todos = vec![Todo::Sync(sync::Input::Failed(*id, error))];
                self.queue.push(at, Event::Deliver { node, generation, todos });
            }
            // A peer that is down says hello when it is up again; to one that did not answer the connection is made
            // anew, and that begins with a Status.
            Asked::Status(_) if error == RequestError::Timeout => {
                self.queue.push(at, Event::Greet { node, generation, peer });
            }
            Asked::Status(_) => {}
        }
    }

    /// Answers a request of another node.
    pub(crate) fn serve(&mut self, node: usize, from: usize, generation: u64, asked: Asked) {
        let Some(running) = &self.nodes[node].running else {
            return self.no_answer((from, generation), node, &asked, RequestError::Disconnected);
        };
        let view = running.chain.view().clone();
        let (todos, told) = match &asked {
            Asked::Status(status) => {
                (vec![Todo::Status(PeerId(node as u64), serve::status(&view))], Some(*status))
            }
            Asked::Blocks(id, request) => {
                let disk = &self.nodes[node].disk;
                let blocks = serve::blocks(&view, disk, request);
                let mut sidecars = serve::sidecars(&view, disk, request);
                sidecars.retain(|sidecar| !self.withheld.contains(&sidecar.block_root()));
                let what = format_args!(
                    "gives {} blocks and {} sidecars to node {from}",
                    blocks.len(),
                    sidecars.len()
                );
                self.trace.note(self.now, node, what);
                let blocks = blocks.into_iter().map(|block| Todo::Sync(sync::Input::Chunk(*id, block)));
                let sidecars =
                    sidecars.into_iter().map(|sidecar| Todo::Sync(sync::Input::Sidecar(*id, sidecar)));
                (blocks.chain(sidecars).chain([Todo::Sync(sync::Input::Done(*id))]).collect(), None)
            }
        };
        match self.network.arrival(self.now, node, from) {
            Some(at) => self.queue.push(at, Event::Deliver { node: from, generation, todos }),
            None => self.no_answer((from, generation), node, &asked, RequestError::Timeout),
        }
        if let Some(status) = told {
            self.process(node, vec![Todo::Status(PeerId(from as u64), status)]);
        }
    }
}
