//! Building blocks for validators.

use std::sync::Arc;

use engine::BuiltPayload;
use transition::accessors::committee_cache;
use transition::block::is_merge_transition_complete;
use types::{BeaconState, BlsSignature, ForkName, Root, Slot, ValidatorIndex};

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

/// What a block is built on.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// The parent's post-state, perhaps advanced towards the block's slot; of the slot's epoch where there is a payload.
    pub state: Arc<BeaconState>,
    pub parent_root: Root,
}

impl Chain {
    /// Starts to build a block.
    pub(crate) fn produce(&mut self, id: CommandId, wish: Wish) {
        if let Err(why) = self.check_wish(&wish) {
            return self.built(id, Err(why));
        }
        self.commands.insert(id, OpenCommand::Production);
        let parent_root = self.parent_for(wish.slot);
        self.produce_on(id, wish, parent_root);
    }

    /// Builds on the head after all, since the engine does not build on the head's parent.
    pub(crate) fn produce_on_head(&mut self, id: CommandId) {
        if let Some(production) = self.work.building.productions.remove(&id) {
            self.produce_on(id, production.wish, self.head.root);
        }
    }

    fn produce_on(&mut self, id: CommandId, wish: Wish, parent_root: Root) {
        let fork = self.spec.fork_name_at_slot(wish.slot);
        let state = self.state_to_build_on(&parent_root, wish.slot);
        let epoch = wish.slot.epoch(self.spec);
        // What a payload is built of follows from the epoch of its slot.
        let is_usable =
            |state: &BeaconState| fork < ForkName::Bellatrix || state.slot.epoch(self.spec) == epoch;
        let key = match &state {
            Some(state) if is_usable(state) => None,
            Some(_) => Some(StateKey::Checkpoint(epoch, parent_root)),
            None => Some(StateKey::Post(parent_root)),
        };
        let (Some(state), None) = (state, key) else {
            let key = key.unwrap_or(StateKey::Post(parent_root));
            if let Err(parked) = self.park(key, Parked::Production(id, Box::new(wish))) {
                self.unavailable(parked);
            }
            return;
        };
        let ground = Ground { state, parent_root };
        if fork < ForkName::Bellatrix {
            return self.build_block(id, wish, ground, None);
        }
        if fork == ForkName::Bellatrix && !is_merge_transition_complete(&ground.state) {
            return self.produce_before_merge(id, wish, ground);
        }
        if self.fork_choice.is_optimistic(&parent_root) {
            let why = "the node is optimistic: no execution engine has executed the head's payload yet";
            return self.built(id, Err(why.to_owned()));
        }
        match self.forkchoice_state(&parent_root) {
            Some(forkchoice) => self.produce_payload(id, wish, ground, forkchoice),
            None => self.built(id, Err("the block to build on has no payload".to_owned())),
        }
    }

    /// The newest state at hand of a block that is not after a slot.
    fn state_to_build_on(&self, parent_root: &Root, slot: Slot) -> Option<Arc<BeaconState>> {
        let of_head = [self.head.advanced.as_ref(), Some(&self.head.state)];
        let of_head = of_head.into_iter().flatten().filter(|_| *parent_root == self.head.root);
        let post = self.states.get(parent_root);
        let advanced = self.states.checkpoint(slot.epoch(self.spec), parent_root);
        let all = of_head.chain(post).chain(advanced).filter(|state| state.slot <= slot);
        all.max_by_key(|state| state.slot).cloned()
    }

    /// Starts the job that builds a block.
    pub(crate) fn build_block(
        &mut self,
        id: CommandId,
        wish: Wish,
        ground: Ground,
        payload: Option<Box<BuiltPayload>>,
    ) {
        let job = BuildBlock {
            state: ground.state,
            parent_root: ground.parent_root,
            slot: wish.slot,
            randao_reveal: wish.randao_reveal,
            graffiti: wish.graffiti,
            attestations: self.pools.attestations.clone(),
            sync_votes: self.pools.sync_votes.clone(),
            operations: self.pools.operations.clone(),
            eth1: self.pools.eth1.clone(),
            payload,
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
        self.work.building.productions.remove(&id);
        self.outputs.push_back(Output::Reply(id, Reply::Produced(result)));
    }
}
