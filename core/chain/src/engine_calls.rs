//! Calls to the execution engine that are under way, and what each is for.

use std::collections::BTreeMap;

use engine::{EngineCallId, EngineReply, EngineRequest};
use types::Root;

use crate::Output;
use crate::chain::Chain;

/// Calls that were not answered yet. Bounded by what they are for: each purpose says how many of its kind there are.
#[derive(Debug, Default)]
pub(crate) struct EngineCalls {
    next: u64,
    open: BTreeMap<EngineCallId, EngineCall>,
}

/// What a call is for.
#[derive(Debug)]
pub(crate) enum EngineCall {
    /// The blobs of a block that waits for its data; one for each such block, see
    /// [`crate::limits::EXPECTED_BLOCKS_MAX`].
    Blobs { root: Root },
}

impl Chain {
    /// Asks the engine.
    pub(crate) fn ask_engine(&mut self, call: EngineCall, request: EngineRequest) {
        let calls = &mut self.work.engine;
        let id = EngineCallId(calls.next);
        calls.next += 1;
        calls.open.insert(id, call);
        self.outputs.push_back(Output::Engine(id, request));
    }

    /// Takes the engine's answer.
    pub(crate) fn engine_done(&mut self, id: EngineCallId, reply: EngineReply) {
        let Some(call) = self.work.engine.open.remove(&id) else {
            return self.fault(format!("an answer came for engine call {}, which is not under way", id.0));
        };
        match call {
            EngineCall::Blobs { root } => self.engine_blobs_came(root, reply),
        }
    }
}
