//! The `Store`: its fields, its clock and its checkpoints.

use std::sync::Arc;

use types::constants::GENESIS_SLOT;
use types::{Checkpoint, Epoch, Gwei, Root, Slot, Spec, Time};

use crate::attestation::Queue;
use crate::tree::Tree;
use crate::votes::Votes;
use crate::{AnchorBlock, BalancesInvalid, JustifiedBalances, Node};

/// The [`Store`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#store).
///
/// Invariants: the justified and the finalized block are in the tree, and so is every checkpoint that a
/// tick may adopt. A snapshot holds everything but what follows from the rest.
#[derive(Clone, Debug)]
pub struct ForkChoice {
    pub(crate) spec: &'static Spec,
    pub(crate) time: Time,
    pub(crate) genesis_time: Time,
    pub(crate) justified_checkpoint: Checkpoint,
    pub(crate) finalized_checkpoint: Checkpoint,
    pub(crate) unrealized_justified_checkpoint: Checkpoint,
    pub(crate) unrealized_finalized_checkpoint: Checkpoint,
    pub(crate) proposer_boost_root: Root,
    pub(crate) tree: Tree,
    pub(crate) votes: Votes,
    pub(crate) queue: Queue,
    pub(crate) balances: Arc<JustifiedBalances>,
    /// The checkpoint whose state `balances` are of; none before the first.
    pub(crate) balances_of: Option<Checkpoint>,
    /// The last answer of `get_head`, while nothing that could change it has happened.
    pub(crate) head: Option<u32>,
}

/// A block as the store sees it, for display.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// The block.
    pub node: Node,
    /// The root of its parent, where the store has the parent.
    pub parent: Option<Root>,
    /// The votes for it and its descendants, with the proposer boost, as of the last `get_head`.
    pub weight: Gwei,
    /// True where it was in the filtered block tree, as of the last `get_head`.
    pub viable: bool,
    /// True where no block builds on it but such whose payload is invalid.
    pub is_leaf: bool,
}

impl ForkChoice {
    /// [`get_forkchoice_store`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_forkchoice_store):
    /// a store that trusts `anchor` and stands at the start of its slot. It wants balances at once.
    pub fn new(spec: &'static Spec, anchor: AnchorBlock, genesis_time: Time) -> Self {
        let checkpoint = Checkpoint { epoch: anchor.slot.epoch(spec), root: anchor.root };
        let since_genesis = anchor.slot.0.saturating_mul(spec.config.slot_duration_ms);
        let node = Node {
            slot: anchor.slot,
            root: anchor.root,
            parent_root: anchor.parent_root,
            proposer_index: anchor.proposer_index,
            state_root: anchor.state_root,
            justified: anchor.justified,
            finalized: anchor.finalized,
            unrealized_justified: checkpoint.clone(),
            unrealized_finalized: checkpoint.clone(),
            // Nobody knows when it came, and what is trusted is not to be reorganized away as late.
            timely: true,
            execution: anchor.execution,
        };
        Self {
            spec,
            time: genesis_time.after_ms(since_genesis),
            genesis_time,
            justified_checkpoint: checkpoint.clone(),
            finalized_checkpoint: checkpoint.clone(),
            unrealized_justified_checkpoint: checkpoint.clone(),
            unrealized_finalized_checkpoint: checkpoint.clone(),
            proposer_boost_root: Root::ZERO,
            tree: Tree::new(node, checkpoint.epoch.start_slot(spec)),
            votes: Votes::default(),
            queue: Queue::default(),
            balances: Arc::default(),
            balances_of: None,
            head: None,
        }
    }

    /// [`on_tick`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#on_tick).
    /// A time before the store's is ignored: the store's clock never goes back.
    ///
    /// The specification walks through every slot that was missed. Only two things can happen on the way:
    /// the boost ends with the first slot, and the unrealized checkpoints are adopted at the first start of
    /// an epoch; later ones find nothing new. So one step does it, however far the clock jumps.
    pub fn on_tick(&mut self, time: Time) {
        if time <= self.time {
            return;
        }
        let previous_slot = self.get_current_slot();
        self.time = time;
        let current_slot = self.get_current_slot();
        if current_slot == previous_slot {
            return;
        }
        if !self.proposer_boost_root.is_zero() {
            self.proposer_boost_root = Root::ZERO;
            self.head = None;
        }
        let previous_epoch = previous_slot.epoch(self.spec);
        if current_slot.epoch(self.spec) > previous_epoch {
            // Viability depends on the epoch even where no checkpoint moves.
            self.head = None;
            let justified = self.unrealized_justified_checkpoint.clone();
            let finalized = self.unrealized_finalized_checkpoint.clone();
            self.update_checkpoints(&justified, &finalized);
        }
        self.count_queued(previous_epoch);
    }

    /// [`update_checkpoints`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_checkpoints).
    pub(crate) fn update_checkpoints(&mut self, justified: &Checkpoint, finalized: &Checkpoint) {
        if justified.epoch > self.justified_checkpoint.epoch {
            self.justified_checkpoint = justified.clone();
            self.head = None;
        }
        if finalized.epoch > self.finalized_checkpoint.epoch {
            self.finalized_checkpoint = finalized.clone();
            let index = self.tree.index_of(&finalized.root).expect("adoptable checkpoints are in the tree");
            self.tree.set_finalized(index, finalized.epoch.start_slot(self.spec));
            self.head = None;
        }
    }

    /// [`update_unrealized_checkpoints`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#update_unrealized_checkpoints).
    pub(crate) fn update_unrealized_checkpoints(&mut self, justified: &Checkpoint, finalized: &Checkpoint) {
        if justified.epoch > self.unrealized_justified_checkpoint.epoch {
            self.unrealized_justified_checkpoint = justified.clone();
        }
        if finalized.epoch > self.unrealized_finalized_checkpoint.epoch {
            self.unrealized_finalized_checkpoint = finalized.clone();
        }
    }

    /// The justified checkpoint, where the balances of its state are still owed.
    pub fn wants_balances(&self) -> Option<Checkpoint> {
        (self.balances_of.as_ref() != Some(&self.justified_checkpoint))
            .then(|| self.justified_checkpoint.clone())
    }

    /// Gives the balances of the state that `wants_balances` asks for: the state of the checkpoint's block,
    /// advanced to the start of its epoch. Balances of another checkpoint are refused.
    pub fn set_justified_balances(
        &mut self,
        checkpoint: &Checkpoint,
        balances: Arc<JustifiedBalances>,
    ) -> Result<(), BalancesInvalid> {
        if *checkpoint != self.justified_checkpoint {
            return Err(BalancesInvalid::NotOfJustified);
        }
        self.votes.count_anew(&balances, &mut self.tree.own);
        self.balances = balances;
        self.balances_of = Some(checkpoint.clone());
        self.head = None;
        Ok(())
    }

    /// Removes what does not descend from the finalized block, and gives the removed roots. Costs a pass over the blocks
    /// when there is something to remove, and now and then one over the votes, so it is for when finality advanced.
    ///
    /// While a checkpoint that counts, or that a tick may adopt, conflicts with the finalized one (which
    /// takes a third of all stake to be slashable), or the finalized payload is invalid (which takes two thirds to vote
    /// for what they did not execute), nothing is removed, so that the answers remain those of the specification.
    pub fn prune(&mut self) -> Vec<Root> {
        let finalized = self.index_expected(&self.finalized_checkpoint);
        let mut wanted = vec![&self.justified_checkpoint];
        if self.unrealized_justified_checkpoint.epoch > self.justified_checkpoint.epoch {
            wanted.push(&self.unrealized_justified_checkpoint);
        }
        if self.unrealized_finalized_checkpoint.epoch > self.finalized_checkpoint.epoch {
            wanted.push(&self.unrealized_finalized_checkpoint);
        }
        let conflict = wanted.into_iter().any(|c| !self.tree.is_ancestor(self.index_expected(c), finalized));
        // The oldest block is never one that leads to no head.
        if finalized == self.tree.oldest || conflict || self.tree.is_invalid(finalized) {
            return Vec::new();
        }
        // The head is among what stays, and so is what made it.
        let removed = self.tree.prune();
        if let Some(moved) = self.tree.renumber() {
            self.votes.renumber(&moved);
            self.queue.renumber(&moved);
            self.head = None;
        }
        removed
    }

    /// The index of a checkpoint's block.
    pub(crate) fn index_expected(&self, checkpoint: &Checkpoint) -> u32 {
        self.tree.index_of(&checkpoint.root).expect("checkpoints that count are never pruned")
    }

    /// [`get_current_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_current_slot);
    /// the genesis slot before genesis.
    pub fn get_current_slot(&self) -> Slot {
        self.slot_at(self.time)
    }

    /// [`get_current_store_epoch`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_current_store_epoch).
    pub fn get_current_store_epoch(&self) -> Epoch {
        self.get_current_slot().epoch(self.spec)
    }

    pub(crate) fn slot_at(&self, time: Time) -> Slot {
        GENESIS_SLOT + time.since(self.genesis_time) / self.spec.config.slot_duration_ms
    }

    pub(crate) fn ms_into_slot(&self, time: Time) -> u64 {
        time.since(self.genesis_time) % self.spec.config.slot_duration_ms
    }

    /// [`get_ancestor`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_ancestor);
    /// none where the block is not known or the ancestor is older than the store reaches.
    pub fn get_ancestor(&self, root: &Root, slot: Slot) -> Option<Root> {
        let ancestor = self.tree.ancestor_at(self.tree.index_of(root)?, slot)?;
        Some(self.tree.root(ancestor))
    }

    /// [`get_checkpoint_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#get_checkpoint_block);
    /// none as in [`Self::get_ancestor`].
    pub fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        self.get_ancestor(root, epoch.start_slot(self.spec))
    }

    /// True where both are known and `ancestor` is `root` or in its chain.
    pub fn is_descendant(&self, ancestor: &Root, root: &Root) -> bool {
        match (self.tree.index_of(ancestor), self.tree.index_of(root)) {
            (Some(ancestor), Some(index)) => self.tree.is_ancestor(index, ancestor),
            _ => false,
        }
    }

    /// True where the block is in the store.
    pub fn contains(&self, root: &Root) -> bool {
        self.tree.index_of(root).is_some()
    }

    /// A block of the store.
    pub fn block(&self, root: &Root) -> Option<Node> {
        Some(self.tree.node(self.tree.index_of(root)?))
    }

    /// The blocks of a slot.
    pub fn blocks_at(&self, slot: Slot) -> impl Iterator<Item = Node> + '_ {
        self.tree.indices_at(slot).map(|index| self.tree.node(index))
    }

    /// How many blocks the store holds; never zero.
    pub fn block_count(&self) -> usize {
        self.tree.count()
    }

    /// All blocks, parents before their children.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView> + '_ {
        self.tree.indices().map(|index| self.view_of(index))
    }

    /// The blocks that no block builds on, viable or not; without those whose payload is invalid.
    pub fn heads(&self) -> impl Iterator<Item = NodeView> + '_ {
        let is_head = |index: &u32| !self.tree.has_children(*index) && !self.tree.is_invalid(*index);
        self.tree.indices().filter(is_head).map(|index| self.view_of(index))
    }

    pub(crate) fn view_of(&self, index: u32) -> NodeView {
        let node = self.tree.node(index);
        NodeView {
            parent: (index != self.tree.oldest).then_some(node.parent_root),
            node,
            weight: Gwei(self.tree.score(index)),
            viable: self.tree.is_viable(index),
            is_leaf: !self.tree.has_children(index),
        }
    }

    /// The specification the store follows.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// The time of the last tick.
    pub fn time(&self) -> Time {
        self.time
    }

    /// The time of genesis.
    pub fn genesis_time(&self) -> Time {
        self.genesis_time
    }

    /// Where `get_head` starts.
    pub fn justified_checkpoint(&self) -> &Checkpoint {
        &self.justified_checkpoint
    }

    /// What the head must descend from.
    pub fn finalized_checkpoint(&self) -> &Checkpoint {
        &self.finalized_checkpoint
    }

    /// What becomes justified at the next epoch at the latest.
    pub fn unrealized_justified_checkpoint(&self) -> &Checkpoint {
        &self.unrealized_justified_checkpoint
    }

    /// What becomes finalized at the next epoch at the latest.
    pub fn unrealized_finalized_checkpoint(&self) -> &Checkpoint {
        &self.unrealized_finalized_checkpoint
    }

    /// The block whose chain has the proposer boost; zero where there is none.
    pub fn proposer_boost_root(&self) -> Root {
        self.proposer_boost_root
    }

    /// The balances that votes weigh.
    pub fn justified_balances(&self) -> &Arc<JustifiedBalances> {
        &self.balances
    }
}
