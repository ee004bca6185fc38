//! What the engine is told of the head: `notify_forkchoice_updated` of the specification.
//!
//! It is told whenever the head or a checkpoint moves, one update at a time; and once a slot for as long as its last
//! answer was not that the head is valid, so that an engine which was away, restarted or lost its database hears of the
//! head again. Nothing is said before there is a payload.
//!
//! [Specification](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork-choice.md#notify_forkchoice_updated).

use engine::{EngineReply, EngineRequest, ForkchoiceState, PayloadAttributes, PayloadId, PayloadStatus};
use types::Root;

use crate::chain::Chain;
use crate::engine_calls::EngineCall;

/// What the engine was told last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    state: ForkchoiceState,
    is_under_way: bool,
    /// It is told again, whether or not anything changes.
    is_due: bool,
    /// Its last answer was that the head is valid.
    is_followed: bool,
}

impl Told {
    /// The engine is told once more, whether or not anything changes.
    pub fn tell_again(&mut self) {
        self.is_due = true;
    }

    /// A slot has begun.
    pub fn slot_began(&mut self) {
        self.is_due = !self.is_followed;
    }
}

impl Chain {
    /// The engine's part of fork choice for a head; none where the head has no payload.
    pub(crate) fn forkchoice_state(&self, head: &Root) -> Option<ForkchoiceState> {
        let store = &self.fork_choice;
        Some(ForkchoiceState {
            head_block_hash: store.block(head)?.execution.block_hash()?,
            safe_block_hash: store.get_safe_execution_block_hash(),
            finalized_block_hash: store.finalized_execution_block_hash(),
        })
    }

    /// Tells the engine of the head where there is something new.
    pub(crate) fn tell_engine(&mut self) {
        let told = &self.work.told;
        if told.is_under_way {
            return;
        }
        let Some(state) = self.forkchoice_state(&self.head.root) else { return };
        if told.state == state && !told.is_due {
            return;
        }
        let told = &mut self.work.told;
        (told.state, told.is_due, told.is_under_way) = (state, false, true);
        let fork = self.spec.fork_name_at_slot(self.head.slot);
        let call = EngineCall::Forkchoice { head: self.head.root };
        self.ask_engine(call, EngineRequest::ForkchoiceUpdated { fork, state, attributes: None });
    }

    /// Asks the engine to adopt a block and to build on it; the answer comes to `call`.
    pub(crate) fn ask_to_build(
        &mut self,
        call: EngineCall,
        fork: types::ForkName,
        state: ForkchoiceState,
        attributes: PayloadAttributes,
    ) {
        // What it was told is no longer the head where a proposer builds on the head's parent.
        self.work.told.state = state;
        let attributes = Some(attributes);
        self.ask_engine(call, EngineRequest::ForkchoiceUpdated { fork, state, attributes });
    }

    /// Takes the engine's answer to an update without attributes.
    pub(crate) fn forkchoice_answered(&mut self, head: Root, reply: EngineReply) {
        self.work.told.is_under_way = false;
        let _ = self.note_forkchoice(&head, reply);
    }

    /// Takes what the engine says of a head; gives the payload that it builds, or why there is none.
    pub(crate) fn note_forkchoice(
        &mut self,
        head: &Root,
        reply: EngineReply,
    ) -> Result<Option<PayloadId>, String> {
        let (status, payload_id): (PayloadStatus, _) = match reply {
            EngineReply::ForkchoiceUpdated { status, payload_id } => (status, payload_id),
            EngineReply::Failed(failure) => {
                self.work.told.is_followed = false;
                self.counters.engine_failures += 1;
                return Err(failure.to_string());
            }
            other => {
                self.work.told.is_followed = false;
                return Err(format!("the engine answers with something else: {other:?}"));
            }
        };
        let is_valid = !status.is_optimistic() && !status.is_invalid();
        self.work.told.is_followed = is_valid;
        self.note_status(head, &status);
        self.settle();
        match is_valid {
            true => Ok(payload_id),
            false => {
                if status.is_optimistic() {
                    self.engine_is_behind(head);
                }
                Err(format!("the engine says that the block to build on is {:?}", status.verdict))
            }
        }
    }
}
