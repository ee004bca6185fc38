//! Building blocks for validators.

use transition::accessors::committee_cache;
use types::{BlsSignature, Root, Slot, ValidatorIndex};

use crate::chain::Chain;
use crate::limits::COMMANDS_MAX;
use crate::publishing::OpenCommand;
use crate::states::StateKey;
use crate::work::{Parked, Purpose};
use crate::{BuildBlock, CommandId, Job, Output, Priority, Produced, Reply};

/// The block that a proposer wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub slot: Slot,
    pub randao_reveal: BlsSignature,
    pub graffiti: Root,
}

impl Chain {
    /// Starts to build a block.
    pub(crate) fn produce(&mut self, id: CommandId, wish: Wish) {
        if let Err(why) = self.check_wish(&wish) {
            return self.built(id, Err(why));
        }
        self.commands.insert(id, OpenCommand::Production);
        let parent_root = self.parent_for(wish.slot);
        let state = match parent_root == self.head.root {
            true => {
                let advanced = self.head.advanced.as_ref().filter(|state| state.slot <= wish.slot);
                Some(advanced.unwrap_or(&self.head.state).clone())
            }
            false => self.states.get(&parent_root).cloned(),
        };
        let Some(state) = state else {
            if let Err(parked) =
                self.park(StateKey::Post(parent_root), Parked::Production(id, Box::new(wish)))
            {
                self.unavailable(parked);
            }
            return;
        };
        let job = BuildBlock {
            state,
            parent_root,
            slot: wish.slot,
            randao_reveal: wish.randao_reveal,
            graffiti: wish.graffiti,
            attestations: self.pools.attestations.clone(),
            sync_votes: self.pools.sync_votes.clone(),
            operations: self.pools.operations.clone(),
            eth1: self.pools.eth1.clone(),
        };
        self.start(Purpose::Build(id), Priority::Production, Job::BuildBlock(Box::new(job)));
    }

    fn check_wish(&self, wish: &Wish) -> Result<(), String> {
        // A proposer's clock may be a little ahead of ours.
        if wish.slot > self.slot + 1 || wish.slot + self.spec.preset.slots_per_epoch < self.slot {
            return Err(format!("slot {} is too far from the current slot {}", wish.slot, self.slot));
        }
        if wish.slot <= self.head.slot {
            return Err(format!("slot {} is not after the head's slot {}", wish.slot, self.head.slot));
        }
        if self.commands.len() >= COMMANDS_MAX {
            return Err("too many commands are under way".to_owned());
        }
        Ok(())
    }

    /// The block to build on: the head, or its parent where the head came late and few voted for it.
    fn parent_for(&mut self, slot: Slot) -> Root {
        let head = self.head.root;
        let members = self.head_committees();
        // An error says that the head has the boost or nothing below it: then it is what to build on.
        self.fork_choice.get_proposer_head(&head, slot, &members).unwrap_or(head)
    }

    /// The members of all committees of the head's slot.
    fn head_committees(&self) -> Vec<ValidatorIndex> {
        let state = &self.head.state;
        let Ok(cache) = committee_cache(state, state.slot.epoch(self.spec)) else { return Vec::new() };
        let ranges = (0..cache.committees_per_slot).filter_map(|index| cache.range(state.slot, index));
        ranges.flat_map(|range| cache.shuffling[range].iter().copied()).collect()
    }

    /// Answers with the block, or with why there is none.
    pub(crate) fn built(&mut self, id: CommandId, result: Result<Box<Produced>, String>) {
        self.commands.remove(&id);
        self.outputs.push_back(Output::Reply(id, Reply::Produced(result)));
    }
}
