//! Payloads for blocks of our own validators.
//!
//! ```text
//!  head advanced to the next slot ──▶ a registered proposer? ──▶ engine: build ──▶ prepared
//!  Command::ProduceBlock ──▶ prepared? ─no─▶ engine: build ─┐
//!                               └──────────────────────────┴▶ engine: the payload ──▶ Job: block
//! ```
//!
//! [`prepare_execution_payload`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/validator.md#executionpayload)
//! with its changes of Capella and Deneb. Before the merge the engine is asked for the terminal block of proof of work
//! instead, and the block has the empty payload while there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{EngineReply, EngineRequest, ForkchoiceState, PayloadAttributes, PayloadId};
use transition::accessors::{get_beacon_proposer_index, get_current_epoch, get_randao_mix};
use transition::block::{get_expected_withdrawals, is_merge_transition_complete};
use transition::misc::compute_time_at_slot;
use types::{BeaconState, Epoch, ExecutionAddress, ForkName, Root, Slot, ValidatorIndex};

use crate::CommandId;
use crate::chain::Chain;
use crate::engine_calls::EngineCall;
use crate::limits::{PROPOSER_EPOCHS, PROPOSERS_MAX};
use crate::production::{Ground, Wish};
use crate::terminal::Terminal;

/// What is known for building payloads, and what is built.
#[derive(Debug, Default)]
pub(crate) struct Building {
    /// Who wants the fees of whose blocks, and when that was said. At most [`PROPOSERS_MAX`].
    proposers: BTreeMap<ValidatorIndex, (ExecutionAddress, Epoch)>,
    prepared: Option<Prepared>,
    /// Productions that wait for the engine, at most one a command.
    pub productions: BTreeMap<CommandId, Production>,
    pub terminal: Terminal,
}

/// A payload that the engine builds ahead of need.
#[derive(Debug)]
struct Prepared {
    parent: Root,
    attributes: PayloadAttributes,
    id: PayloadId,
}

/// A production that waits for the engine.
#[derive(Debug)]
pub(crate) struct Production {
    pub wish: Wish,
    pub ground: Ground,
    fork: ForkName,
    attributes: PayloadAttributes,
    /// The engine was asked to build, and not only for what it had prepared.
    is_asked: bool,
    forkchoice: ForkchoiceState,
}

/// What a payload is built of, by a state of the slot's epoch.
///
/// [`PayloadAttributes`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/fork-choice.md#modified-payloadattributes)
pub(crate) fn payload_attributes(
    state: &BeaconState,
    slot: Slot,
    parent_root: Root,
    fee_recipient: ExecutionAddress,
) -> Result<PayloadAttributes, String> {
    let fork = state.fork_name();
    let withdrawals = match fork >= ForkName::Capella {
        true => get_expected_withdrawals(state).map_err(|error| error.to_string())?.withdrawals,
        false => Vec::new(),
    };
    Ok(PayloadAttributes {
        timestamp: compute_time_at_slot(state, slot).map_err(|error| error.to_string())?,
        prev_randao: get_randao_mix(state, get_current_epoch(state)),
        suggested_fee_recipient: fee_recipient,
        withdrawals,
        parent_beacon_block_root: if fork >= ForkName::Deneb { parent_root } else { Root::ZERO },
    })
}

impl Chain {
    /// Takes who wants the fees.
    pub(crate) fn prepare_proposers(&mut self, proposers: Vec<(ValidatorIndex, ExecutionAddress)>) {
        let epoch = self.current_epoch();
        let known = &mut self.work.building.proposers;
        known.retain(|_, (_, since)| *since + PROPOSER_EPOCHS >= epoch);
        for (validator, address) in proposers {
            if known.len() >= PROPOSERS_MAX && !known.contains_key(&validator) {
                self.counters.overflows += 1;
                break;
            }
            known.insert(validator, (address, epoch));
        }
        // The moment to begin may have passed just before.
        let next = self.slot + 1;
        if let Some(state) = self.head.advanced.clone().filter(|state| state.slot == next) {
            self.prepare_payload(&state);
        }
    }

    fn fee_recipient(&self, proposer: ValidatorIndex) -> ExecutionAddress {
        let known = self.work.building.proposers.get(&proposer);
        known.map_or(self.config.fee_recipient, |(address, _)| *address)
    }

    /// Lets the engine begin with the payload of the next slot where one of our validators proposes then. `state` is the
    /// head's, advanced to that slot.
    pub(crate) fn prepare_payload(&mut self, state: &Arc<BeaconState>) {
        let is_ready = state.fork_name() >= ForkName::Bellatrix
            && is_merge_transition_complete(state)
            && !self.head.execution.is_optimistic();
        let Ok(proposer) = get_beacon_proposer_index(state) else { return };
        if !is_ready || !self.work.building.proposers.contains_key(&proposer) {
            return;
        }
        let parent = self.head.root;
        let attributes = payload_attributes(state, state.slot, parent, self.fee_recipient(proposer));
        let (Ok(attributes), Some(forkchoice)) = (attributes, self.forkchoice_state(&parent)) else { return };
        if self
            .work
            .building
            .prepared
            .as_ref()
            .is_some_and(|p| p.parent == parent && p.attributes == attributes)
        {
            return;
        }
        let call = EngineCall::Prepare { parent, attributes: Box::new(attributes.clone()) };
        self.ask_to_build(call, state.fork_name(), forkchoice, attributes);
    }

    /// Takes the name of a payload that the engine builds ahead of need.
    pub(crate) fn prepared(&mut self, parent: Root, attributes: PayloadAttributes, reply: EngineReply) {
        if let Ok(Some(id)) = self.note_forkchoice(&parent, reply) {
            self.work.building.prepared = Some(Prepared { parent, attributes, id });
        }
    }

    /// Asks the engine for the payload of a block.
    pub(crate) fn produce_payload(
        &mut self,
        id: CommandId,
        wish: Wish,
        ground: Ground,
        forkchoice: ForkchoiceState,
    ) {
        let state = &ground.state;
        let fork = state.fork_name();
        let proposer = match self.proposer_of(&ground, wish.slot) {
            Ok(proposer) => proposer,
            Err(why) => return self.built(id, Err(why)),
        };
        let recipient = self.fee_recipient(proposer);
        let attributes = match payload_attributes(state, wish.slot, ground.parent_root, recipient) {
            Ok(attributes) => attributes,
            Err(why) => return self.built(id, Err(why)),
        };
        let is_ready =
            |prepared: &Prepared| prepared.parent == ground.parent_root && prepared.attributes == attributes;
        let ready = self.work.building.prepared.take_if(|prepared| is_ready(prepared));
        let production = Production {
            wish,
            ground,
            fork,
            attributes: attributes.clone(),
            is_asked: ready.is_none(),
            forkchoice,
        };
        self.work.building.productions.insert(id, production);
        match ready {
            Some(ready) => self.ask_for_payload(id, fork, ready.id),
            None => self.ask_to_build(EngineCall::Build { command: id }, fork, forkchoice, attributes),
        }
    }

    fn ask_for_payload(&mut self, command: CommandId, fork: ForkName, id: PayloadId) {
        self.ask_engine(EngineCall::GetPayload { command }, EngineRequest::GetPayload { fork, id });
    }

    /// Takes the name of the payload that a production waits for.
    pub(crate) fn payload_begun(&mut self, command: CommandId, reply: EngineReply) {
        let Some(production) = self.work.building.productions.get(&command) else { return };
        let (parent, fork) = (production.ground.parent_root, production.fork);
        match self.note_forkchoice(&parent, reply) {
            Ok(Some(id)) => self.ask_for_payload(command, fork, id),
            Ok(None) if parent != self.head.root => self.produce_on_head(command),
            Ok(None) => self.built(command, Err("the engine does not begin with a payload".to_owned())),
            Err(why) => self.built(command, Err(format!("there is no payload: {why}"))),
        }
    }

    /// Takes a built payload, and builds the block with it.
    pub(crate) fn payload_came(&mut self, command: CommandId, reply: EngineReply) {
        let why = match reply {
            EngineReply::Payload(built) => {
                let Some(production) = self.work.building.productions.remove(&command) else { return };
                return self.build_block(command, production.wish, production.ground, Some(built));
            }
            EngineReply::Failed(failure) => failure.to_string(),
            other => format!("the engine answers with something else: {other:?}"),
        };
        self.counters.engine_failures += 1;
        match self.work.building.productions.get_mut(&command) {
            // What was prepared may be forgotten by an engine that was restarted.
            Some(production) if !production.is_asked => {
                production.is_asked = true;
                let (fork, state) = (production.fork, production.forkchoice);
                let attributes = production.attributes.clone();
                self.ask_to_build(EngineCall::Build { command }, fork, state, attributes);
            }
            _ => self.built(command, Err(format!("there is no payload: {why}"))),
        }
    }

    fn proposer_of(&self, ground: &Ground, slot: Slot) -> Result<ValidatorIndex, String> {
        let proposers = transition::accessors::get_beacon_proposer_indices(&ground.state);
        let proposers = proposers.map_err(|error| error.to_string())?;
        let place = (slot.0 % self.spec.preset.slots_per_epoch) as usize;
        proposers.get(place).copied().ok_or_else(|| format!("nobody proposes at slot {slot}"))
    }
}
