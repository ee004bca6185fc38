//! Calls to the execution engine that are under way, and what each is for.

use std::collections::BTreeMap;

use engine::{EngineCallId, EngineReply, EngineRequest, PayloadAttributes};
use types::Root;

use crate::chain::Chain;
use crate::payload::MergeAsk;
use crate::terminal::Search;
use crate::{CommandId, Output};

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
    /// The payload of a block in import, one for each; or of one that the engine has to be told again.
    Payload { root: Root },
    /// The blocks that a merge block builds on, one for each block in import.
    MergeBlock { root: Root, ask: MergeAsk },
    /// The head; one at a time.
    Forkchoice { head: Root },
    /// The head, and what to build on it ahead of need; one for each state that is advanced.
    Prepare { parent: Root, attributes: Box<PayloadAttributes> },
    /// The same for a production, one for each command.
    Build { command: CommandId },
    /// The payload of a production, one for each command.
    GetPayload { command: CommandId },
    /// The blocks that a merge block builds on, since the payload of `valid`, which is or follows that block, was found
    /// valid; one for each answer about a head.
    LateMerge { merge: Root, valid: Root, ask: MergeAsk },
    /// Whether the engine has a payload; one for each round of telling it what it lacks, like the next two.
    ReplayAsk,
    /// A payload that the engine lacks.
    ReplayPayload,
    /// The last payload of a window, to be adopted.
    ReplayAdopt,
    /// The terminal block, one for each command.
    Terminal(Box<Search>),
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
            EngineCall::Payload { root } => self.payload_answered(root, reply),
            EngineCall::MergeBlock { root, ask } => self.merge_block_answered(root, ask, reply),
            EngineCall::Forkchoice { head } => self.forkchoice_answered(head, reply),
            EngineCall::Prepare { parent, attributes } => self.prepared(parent, *attributes, reply),
            EngineCall::Build { command } => self.payload_begun(command, reply),
            EngineCall::GetPayload { command } => self.payload_came(command, reply),
            EngineCall::LateMerge { merge, valid, ask } => {
                self.late_merge_answered(merge, valid, ask, reply);
            }
            EngineCall::ReplayAsk => self.replay_asked(reply),
            EngineCall::ReplayPayload => self.replay_told(reply),
            EngineCall::ReplayAdopt => self.replay_adopted(),
            EngineCall::Terminal(search) => self.terminal_answered(*search, reply),
        }
    }
}
