//! States in memory: post-states of blocks, and those of checkpoints advanced to the start of their epoch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use types::{BeaconState, Checkpoint, Epoch, Root, Slot};

use crate::limits::{CHECKPOINT_STATES_MAX, STATES_MAX};

/// A state that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StateKey {
    /// The post-state of a block.
    Post(Root),
    /// The post-state of a block, advanced to the start of an epoch.
    Checkpoint(Epoch, Root),
}

/// How long a state stays when room is short: a smaller rank goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Any block's.
    Ordinary,
    /// That of the first block of a recent epoch, from which others are replayed.
    Boundary,
    /// The head's, the justified or the finalized block's.
    Pinned,
}

/// States in memory, at most [`STATES_MAX`] and [`CHECKPOINT_STATES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct States {
    post: Arc<BTreeMap<Root, Arc<BeaconState>>>,
    /// Oldest first.
    checkpoints: VecDeque<(Checkpoint, Arc<BeaconState>)>,
}

impl States {
    pub fn get(&self, root: &Root) -> Option<&Arc<BeaconState>> {
        self.post.get(root)
    }

    /// All post-states, shared with readers.
    pub fn shared(&self) -> Arc<BTreeMap<Root, Arc<BeaconState>>> {
        self.post.clone()
    }

    pub fn len(&self) -> usize {
        self.post.len() + self.checkpoints.len()
    }

    /// The state of a checkpoint, where one is at hand.
    pub fn checkpoint(&self, epoch: Epoch, root: &Root) -> Option<&Arc<BeaconState>> {
        if let Some(state) = self.post.get(root)
            && state.slot == epoch.start_slot(state.spec())
        {
            return Some(state);
        }
        let same = |(of, _): &&(Checkpoint, _)| of.epoch == epoch && of.root == *root;
        self.checkpoints.iter().find(same).map(|(_, state)| state)
    }

    /// All states with the block that each is of.
    pub fn iter(&self) -> impl Iterator<Item = (&Root, &Arc<BeaconState>)> {
        let checkpoints = self.checkpoints.iter().map(|(checkpoint, state)| (&checkpoint.root, state));
        self.post.iter().chain(checkpoints)
    }

    /// Takes the post-state of a block; where that is one too many, the state of the smallest rank goes, the oldest of
    /// several.
    pub fn insert(&mut self, root: Root, state: Arc<BeaconState>, rank: impl Fn(&Root) -> Rank) {
        let post = Arc::make_mut(&mut self.post);
        post.insert(root, state);
        while post.len() > STATES_MAX {
            let order = |(root, state): &(&Root, &Arc<BeaconState>)| (rank(root), state.slot, **root);
            let Some((first, _)) = post.iter().min_by_key(order) else { return };
            let first = *first;
            post.remove(&first);
        }
    }

    /// Takes the state of a checkpoint; where that is one too many, the oldest entry goes.
    pub fn insert_checkpoint(&mut self, checkpoint: Checkpoint, state: Arc<BeaconState>) {
        self.checkpoints.retain(|(of, _)| *of != checkpoint);
        self.checkpoints.push_back((checkpoint, state));
        while self.checkpoints.len() > CHECKPOINT_STATES_MAX {
            self.checkpoints.pop_front();
        }
    }

    /// Drops the states of blocks that are not wanted any more.
    pub fn retain(&mut self, keep: impl Fn(&Root) -> bool) {
        if self.post.keys().any(|root| !keep(root)) {
            Arc::make_mut(&mut self.post).retain(|root, _| keep(root));
        }
        self.checkpoints.retain(|(checkpoint, _)| keep(&checkpoint.root));
    }
}

/// The slot whose block decides the committees of an epoch; none where no block does.
pub(crate) fn committee_decision_slot(spec: &types::Spec, epoch: Epoch) -> Option<Slot> {
    let settled = epoch.0.checked_sub(spec.preset.min_seed_lookahead)?;
    Some(Slot(Epoch(settled).start_slot(spec).0.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use types::{FixedBytes, ForkName, Spec};

    use super::*;

    fn root(number: u8) -> Root {
        FixedBytes([number; 32])
    }

    fn state(slot: u64) -> Arc<BeaconState> {
        let mut state = BeaconState::empty(Spec::minimal(), ForkName::Phase0);
        state.slot = Slot(slot);
        Arc::new(state)
    }

    #[test]
    fn the_oldest_state_of_the_smallest_rank_goes() {
        let mut states = States::default();
        let rank = |root: &Root| match root.0[0] {
            0 => Rank::Pinned,
            1 => Rank::Boundary,
            _ => Rank::Ordinary,
        };
        for number in 0..=STATES_MAX as u8 {
            states.insert(root(number), state(u64::from(number)), rank);
        }
        assert_eq!(states.len(), STATES_MAX);
        let kept = |states: &States, number| states.get(&root(number)).is_some();
        assert!(kept(&states, 0) && kept(&states, 1) && !kept(&states, 2) && kept(&states, 3));
    }

    #[test]
    fn a_block_in_the_first_slot_of_its_epoch_is_its_own_checkpoint() {
        let mut states = States::default();
        states.insert(root(1), state(16), |_| Rank::Ordinary);
        states.insert(root(2), state(17), |_| Rank::Ordinary);
        assert!(states.checkpoint(Epoch(2), &root(1)).is_some());
        assert!(states.checkpoint(Epoch(3), &root(1)).is_none());
        assert!(states.checkpoint(Epoch(2), &root(2)).is_none());
        states.insert_checkpoint(Checkpoint { epoch: Epoch(3), root: root(2) }, state(24));
        assert_eq!(states.checkpoint(Epoch(3), &root(2)).map(|state| state.slot), Some(Slot(24)));
    }

    #[test]
    fn checkpoint_states_are_bounded() {
        let mut states = States::default();
        for number in 0..CHECKPOINT_STATES_MAX as u64 + 3 {
            states.insert_checkpoint(Checkpoint { epoch: Epoch(number), root: root(1) }, state(number * 8));
        }
        assert_eq!(states.len(), CHECKPOINT_STATES_MAX);
        states.retain(|_| false);
        assert_eq!(states.len(), 0);
    }

    #[test]
    fn committees_are_decided_an_epoch_ahead() {
        let spec = Spec::minimal();
        assert_eq!(committee_decision_slot(spec, Epoch(0)), None);
        assert_eq!(committee_decision_slot(spec, Epoch(1)), None);
        assert_eq!(committee_decision_slot(spec, Epoch(2)), Some(Slot(7)));
    }
}
