//! States and blocks by the names that requests of the API give them.

use std::sync::Arc;

use api::{ApiError, BlockId, BlockPlace, Found, StateId};
use chain::View;
use types::{BeaconState, Root, SignedBeaconBlock, Slot, SszExt};

use crate::canonical;
use crate::loads::{Loads, advanced};
use crate::serve::find;

/// A block with its place.
pub type FoundBlock = Found<(BlockPlace, Arc<SignedBeaconBlock>)>;

/// Epochs through which a state is advanced over empty slots for a reader.
const ADVANCE_EPOCHS_MAX: u64 = 32;

/// One request's look at the chain; reads storage, so it is for blocking threads.
pub struct Lookup {
    /// What the core showed when the request came.
    pub view: Arc<View>,
    /// What is stored.
    pub loads: Arc<Loads>,
}

fn fault(error: String) -> ApiError {
    tracing::error!(error, "storage failed");
    ApiError::internal(error)
}

impl Lookup {
    /// A state; 404 where there is none, or none any more.
    pub fn state(&self, id: StateId) -> Result<Found<Arc<BeaconState>>, ApiError> {
        let view = &self.view;
        let found = match id {
            StateId::Head => Some(view.head.state.clone()),
            StateId::Genesis => Some(self.loads.genesis_state.clone()),
            StateId::Finalized => self.post_state(&view.finalized.root)?,
            StateId::Justified => self.post_state(&view.justified.root)?,
            StateId::Slot(slot) => self.state_at(slot)?,
            StateId::Root(root) => self.state_of_root(&root)?,
        };
        let value = found.ok_or_else(|| ApiError::not_found("state not found"))?;
        let finalized = match id {
            StateId::Genesis | StateId::Finalized => true,
            StateId::Head | StateId::Justified | StateId::Slot(_) => self.is_final(value.slot),
            StateId::Root(_) => self.is_final(value.slot) && self.is_of_head_chain(&value)?,
        };
        let execution_optimistic = self.is_optimistic_state(&value);
        Ok(Found { value, finalized, execution_optimistic })
    }

    /// True where no engine has executed the payload of a block yet. Of blocks that fork choice has let go of the oldest
    /// one that it has tells: what comes before a valid payload is valid.
    pub fn is_optimistic(&self, root: &Root) -> bool {
        let nodes = &self.view.fork_choice.nodes;
        let node = nodes.iter().rev().find(|summary| summary.node.root == *root).or(nodes.first());
        node.is_some_and(|summary| summary.node.execution.is_optimistic())
    }

    /// 503 for what nobody may sign or vote for.
    pub fn refuse_optimistic(&self, root: &Root) -> Result<(), ApiError> {
        match self.is_optimistic(root) {
            true => Err(ApiError::unavailable(format!(
                "block {root} is optimistic: no execution engine has verified its payload yet"
            ))),
            false => Ok(()),
        }
    }

    fn is_optimistic_state(&self, state: &BeaconState) -> bool {
        // Hashing is spared where there is nothing to be found.
        if !self.view.fork_choice.nodes.iter().any(|summary| summary.node.execution.is_optimistic()) {
            return false;
        }
        let mut header = state.latest_block_header.clone();
        if header.state_root.is_zero() {
            header.state_root = state.state_root();
        }
        self.is_optimistic(&header.hash_tree_root(state.ctx()))
    }

    /// A block; 404 where there is none.
    pub fn block(&self, id: BlockId) -> Result<FoundBlock, ApiError> {
        let view = &self.view;
        let root = match id {
            BlockId::Head => Some(view.head.root),
            BlockId::Genesis => Some(self.loads.genesis_root),
            BlockId::Finalized => Some(view.finalized.root),
            BlockId::Justified => Some(view.justified.root),
            BlockId::Slot(slot) => canonical::block_at(view, &self.loads, slot).map_err(fault)?,
            BlockId::Root(root) => Some(root),
        };
        let found = root.map(|root| self.block_of_root(&root)).transpose()?.flatten();
        found.ok_or_else(|| ApiError::not_found("block not found"))
    }

    /// The blocks of a slot, or with a parent, or both; with neither, the head. Empty where there is none.
    pub fn headers(&self, slot: Option<Slot>, parent: Option<Root>) -> Result<Vec<FoundBlock>, ApiError> {
        if slot.is_none() && parent.is_none() {
            return Ok(vec![self.block(BlockId::Head)?]);
        }
        let nodes = self.view.fork_choice.nodes.iter().map(|summary| &summary.node);
        let fits = |at: Slot, of: &Root| {
            slot.is_none_or(|slot| slot == at) && parent.as_ref().is_none_or(|parent| parent == of)
        };
        let mut roots: Vec<Root> =
            nodes.filter(|node| fits(node.slot, &node.parent_root)).map(|node| node.root).collect();
        roots.extend(self.stored_roots(slot, parent)?);
        roots.sort();
        roots.dedup();
        let mut found = Vec::new();
        for root in roots {
            let block = self.block_of_root(&root)?;
            found.extend(
                block.filter(|found| fits(found.value.1.message.slot, &found.value.1.message.parent_root)),
            );
        }
        Ok(found)
    }

    /// Canonical blocks outside of fork choice that may be meant.
    fn stored_roots(&self, slot: Option<Slot>, parent: Option<Root>) -> Result<Option<Root>, ApiError> {
        if let Some(slot) = slot {
            return canonical::block_at(&self.view, &self.loads, slot).map_err(fault);
        }
        let Some(parent) = parent.map(|root| self.block_of_root(&root)).transpose()?.flatten() else {
            return Ok(None);
        };
        let after = parent.value.1.message.slot + 1;
        let end = after + self.view.spec.preset.slots_per_epoch;
        let next = canonical::blocks_between(&self.view, &self.loads, after, end).map_err(fault)?;
        Ok(next.first().map(|(_, root)| *root))
    }

    fn block_of_root(&self, root: &Root) -> Result<Option<FoundBlock>, ApiError> {
        let Some(block) = find(&self.view, &self.loads, root).map_err(fault)? else { return Ok(None) };
        let slot = block.message.slot;
        let canonical = canonical::block_at(&self.view, &self.loads, slot).map_err(fault)? == Some(*root);
        let place = BlockPlace { root: *root, fork: self.view.spec.fork_name_at_slot(slot), canonical };
        Ok(Some(Found {
            value: (place, block),
            finalized: canonical && self.is_final(slot),
            execution_optimistic: self.is_optimistic(root),
        }))
    }

    /// True where a canonical block or state of a slot cannot change any more.
    fn is_final(&self, slot: Slot) -> bool {
        slot <= self.view.finalized.epoch.start_slot(self.view.spec)
    }

    fn is_of_head_chain(&self, state: &BeaconState) -> Result<bool, ApiError> {
        let root = self.canonical_state_root(state.slot)?;
        Ok(root == Some(state.state_root()))
    }

    fn canonical_state_root(&self, slot: Slot) -> Result<Option<Root>, ApiError> {
        Ok(self.state_at(slot)?.map(|state| state.state_root()))
    }

    fn post_state(&self, root: &Root) -> Result<Option<Arc<BeaconState>>, ApiError> {
        if let Some(state) = self.view.states.get(root) {
            return Ok(Some(state.clone()));
        }
        if *root == self.view.finalized.root
            && let Some(state) = &self.view.finalized_state
        {
            return Ok(Some(state.clone()));
        }
        self.loads.replayed_state(*root).map_err(fault)
    }

    /// The state of the head's chain at a slot; none in the future.
    fn state_at(&self, slot: Slot) -> Result<Option<Arc<BeaconState>>, ApiError> {
        let view = &self.view;
        if slot > view.current_slot {
            return Ok(None);
        }
        let Some((at, root)) = canonical::last_block_by(view, &self.loads, slot).map_err(fault)? else {
            return Ok(None);
        };
        if slot.saturating_sub(at) > view.spec.preset.slots_per_epoch * ADVANCE_EPOCHS_MAX {
            return Err(ApiError::unavailable(format!("the last block before slot {slot} is of slot {at}")));
        }
        let state =
            if root == view.head.root { Some(view.head.state.clone()) } else { self.post_state(&root)? };
        state.map(|state| advanced(state, slot).map_err(ApiError::internal)).transpose()
    }

    /// A state by its own root: of blocks in fork choice, and of the last slots of the head's chain.
    fn state_of_root(&self, root: &Root) -> Result<Option<Arc<BeaconState>>, ApiError> {
        let view = &self.view;
        if *root == view.head.state_root {
            return Ok(Some(view.head.state.clone()));
        }
        let nodes = &view.fork_choice.nodes;
        if let Some(summary) = nodes.iter().find(|summary| summary.node.state_root == *root) {
            return self.post_state(&summary.node.root);
        }
        if *root == self.loads.genesis_block.message.state_root {
            return Ok(Some(self.loads.genesis_state.clone()));
        }
        // States of slots without a block have roots too.
        let head = &view.head.state;
        let ring = view.spec.preset.slots_per_historical_root;
        let first = head.slot.saturating_sub(ring);
        let slot = (first.0..head.slot.0).find(|slot| head.state_roots[(slot % ring) as usize] == *root);
        slot.map_or(Ok(None), |slot| self.state_at(Slot(slot)))
    }
}
