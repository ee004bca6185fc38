//! The last block of proof of work, which the first payload builds on: looked for when a block is to be produced.

use engine::{EngineReply, EngineRequest, PowBlock};
use types::Root;

use crate::CommandId;
use crate::chain::Chain;
use crate::engine_calls::EngineCall;
use crate::limits::TERMINAL_SEARCH_MAX;
use crate::production::{Ground, Wish};

/// The terminal block, once it was found.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    found: Option<Root>,
}

/// A search for the terminal block, from the newest block to the first that reaches the difficulty.
#[derive(Debug)]
pub(crate) struct Search {
    pub command: CommandId,
    wish: Wish,
    ground: Ground,
    /// The oldest block so far that reaches the difficulty.
    reached: Option<PowBlock>,
    steps: usize,
}

impl Chain {
    /// Produces a block before the merge: the first with a payload where proof of work has ended.
    pub(crate) fn produce_before_merge(&mut self, id: CommandId, wish: Wish, ground: Ground) {
        let config = &self.spec.config;
        if let Some(hash) = self.work.building.terminal.found {
            return self.produce_on_terminal(id, wish, ground, hash);
        }
        let is_named = !config.terminal_block_hash.is_zero();
        if is_named && wish.slot.epoch(self.spec) < config.terminal_block_hash_activation_epoch {
            return self.build_block(id, wish, ground, None);
        }
        let hash = is_named.then_some(config.terminal_block_hash);
        let search = Search { command: id, wish, ground, reached: None, steps: 0 };
        self.ask_engine(EngineCall::Terminal(Box::new(search)), EngineRequest::GetPowBlock { hash });
    }

    /// [`get_terminal_pow_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/validator.md#get_terminal_pow_block),
    /// one step: takes a block that was asked for.
    pub(crate) fn terminal_answered(&mut self, mut search: Search, reply: EngineReply) {
        let config = &self.spec.config;
        let block = match reply {
            EngineReply::PowBlock(block) => block,
            reply => {
                if let EngineReply::Failed(_) = reply {
                    self.counters.engine_failures += 1;
                }
                // Nobody is kept from producing blocks before the merge by an engine that is not there.
                None
            }
        };
        let reaches = |block: &PowBlock| {
            block.total_difficulty.is_some_and(|difficulty| difficulty >= config.terminal_total_difficulty)
        };
        let is_named = !config.terminal_block_hash.is_zero();
        let found = match (block, search.reached) {
            (Some(block), _) if is_named => Some(block.block_hash),
            (Some(block), _) if reaches(&block) && block.parent_hash.is_zero() => Some(block.block_hash),
            (Some(block), _) if reaches(&block) && search.steps < TERMINAL_SEARCH_MAX => {
                search.steps += 1;
                search.reached = Some(block);
                let hash = Some(block.parent_hash);
                return self
                    .ask_engine(EngineCall::Terminal(Box::new(search)), EngineRequest::GetPowBlock { hash });
            }
            (Some(block), Some(child)) if block.total_difficulty.is_some() && !reaches(&block) => {
                Some(child.block_hash)
            }
            _ => None,
        };
        let Search { command, wish, ground, .. } = search;
        match found {
            Some(hash) => {
                self.work.building.terminal.found = Some(hash);
                self.produce_on_terminal(command, wish, ground, hash);
            }
            None => self.build_block(command, wish, ground, None),
        }
    }

    fn produce_on_terminal(&mut self, id: CommandId, wish: Wish, ground: Ground, hash: Root) {
        let state = engine::ForkchoiceState { head_block_hash: hash, ..Default::default() };
        self.produce_payload(id, wish, ground, state);
    }
}
