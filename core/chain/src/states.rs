//! States in memory: post-states of blocks, and those of checkpoints advanced to the start of their epoch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use types::{BeaconState, Checkpoint, Epoch, Root, Slot};

use crate::chain::Chain;
use crate::limits::{
    BOUNDARY_EPOCHS, CHECKPOINT_STATES_MAX, FIRST_STATE_BYTES_A_VALIDATOR, STATE_BYTES_A_VALIDATOR,
    STATES_BYTES_MAX, STATES_MAX,
};

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

/// States in memory, at most [`STATES_MAX`] or [`STATES_BYTES_MAX`], and [`CHECKPOINT_STATES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct States {
    post: Arc<BTreeMap<Root, Arc<BeaconState>>>,
    /// What each of them is reckoned to take for itself, and all together, in bytes.
    own_bytes: BTreeMap<Root, usize>,
    all_bytes: usize,
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

    /// Takes the post-state of a block, which is reckoned to take so many bytes for itself. Where there are too many, or
    /// too large ones, the state of the smallest rank goes, the oldest of several; never the new one, which somebody waits
    /// for, and none that is pinned for the sake of bytes alone.
    pub fn insert(
        &mut self,
        root: Root,
        (state, own_bytes): (Arc<BeaconState>, usize),
        rank: impl Fn(&Root) -> Rank,
    ) {
        Arc::make_mut(&mut self.post).insert(root, state);
        let before = self.own_bytes.insert(root, own_bytes).unwrap_or_default();
        self.all_bytes = self.all_bytes - before + own_bytes;
        while self.post.len() > STATES_MAX || self.all_bytes > STATES_BYTES_MAX {
            let others = self.post.iter().filter(|(other, _)| **other != root);
            let ranked = others.map(|(other, state)| (rank(other), state.slot, *other));
            let Some((rank, _, first)) = ranked.min() else { return };
            if rank == Rank::Pinned && self.post.len() <= STATES_MAX {
                return;
            }
            self.remove(&first);
        }
    }

    fn remove(&mut self, root: &Root) {
        Arc::make_mut(&mut self.post).remove(root);
        self.all_bytes -= self.own_bytes.remove(root).unwrap_or_default();
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
        let gone: Vec<Root> = self.post.keys().filter(|root| !keep(root)).copied().collect();
        gone.iter().for_each(|root| self.remove(root));
        self.checkpoints.retain(|(checkpoint, _)| keep(&checkpoint.root));
    }
}

/// The slot whose block decides the committees of an epoch; none where no block does.
pub(crate) fn committee_decision_slot(spec: &types::Spec, epoch: Epoch) -> Option<Slot> {
    let settled = epoch.0.checked_sub(spec.preset.min_seed_lookahead)?;
    Some(Slot(Epoch(settled).start_slot(spec).0.checked_sub(1)?))
}

impl Chain {
    /// Keeps a post-state in memory.
    pub(crate) fn keep_state(&mut self, root: Root, state: Arc<BeaconState>) {
        let (spec, store, head) = (self.spec, &self.fork_choice, self.head.root);
        let pinned = [head, store.justified_checkpoint().root, store.finalized_checkpoint().root];
        let recent = self.slot.epoch(spec).saturating_sub(BOUNDARY_EPOCHS);
        let is_first = |node: &fork_choice::Node| {
            let parent = store.block(&node.parent_root);
            parent.is_none_or(|parent| parent.slot.epoch(spec) < node.slot.epoch(spec))
        };
        let rank = |root: &Root| match store.block(root) {
            _ if pinned.contains(root) => Rank::Pinned,
            Some(node) if node.slot.epoch(spec) >= recent && is_first(&node) => Rank::Boundary,
            _ => Rank::Ordinary,
        };
        let of_validator = match store.block(&root).is_none_or(|node| is_first(&node)) {
            true => FIRST_STATE_BYTES_A_VALIDATOR,
            false => STATE_BYTES_A_VALIDATOR,
        };
        let own_bytes = state.validators.len() * of_validator;
        self.states.insert(root, (state, own_bytes), rank);
        self.published.is_stale = true;
    }
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
            states.insert(root(number), (state(u64::from(number)), 1), rank);
        }
        assert_eq!(states.len(), STATES_MAX);
        let kept = |states: &States, number| states.get(&root(number)).is_some();
        assert!(kept(&states, 0) && kept(&states, 1) && !kept(&states, 2) && kept(&states, 3));
    }

    #[test]
    fn large_states_are_fewer_and_what_is_pinned_or_new_stays() {
        let mut states = States::default();
        let rank = |root: &Root| if root.0[0] < 2 { Rank::Pinned } else { Rank::Ordinary };
        let large = STATES_BYTES_MAX / 4;
        for number in 0..8 {
            states.insert(root(number), (state(100 - u64::from(number)), large), rank);
        }
        let kept: Vec<u8> = (0..8).filter(|number| states.get(&root(*number)).is_some()).collect();
        // The last is the oldest of its rank, and somebody waits for it.
        assert_eq!(kept, [0, 1, 2, 7]);
        states.insert(root(7), (state(93), 1), rank);
        states.insert(root(8), (state(92), large - 1), rank);
        assert_eq!(states.len(), 5, "a state that was put again counts once");
        states.retain(|root| root.0[0] == 8);
        assert_eq!((states.len(), states.all_bytes), (1, large - 1));
    }

    #[test]
    fn a_block_in_the_first_slot_of_its_epoch_is_its_own_checkpoint() {
        let mut states = States::default();
        states.insert(root(1), (state(16), 1), |_| Rank::Ordinary);
        states.insert(root(2), (state(17), 1), |_| Rank::Ordinary);
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
