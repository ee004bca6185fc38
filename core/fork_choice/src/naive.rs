//! The fork choice as the specification writes it: recursive functions over plain maps.
//!
//! Slow and independent of the proto-array on purpose. The tests drive both with the same events; the
//! simulation takes a [`NaiveStore::observe`] of a running store at any moment and compares heads.
//! Function by function it follows
//! [fork-choice.md](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md);
//! a failed assertion of the specification is `None`. Like the store it is handed facts, not states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use types::{Checkpoint, Epoch, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

use crate::{
    AnchorBlock, AttestationFacts, BlockFacts, ExecutionStatus, ForkChoice, JustifiedBalances, Origin,
};

/// `LatestMessage` of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestMessage {
    /// Target epoch of the vote.
    pub epoch: Epoch,
    /// Block voted for.
    pub root: Root,
}

/// What is kept of a block and its post-state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NaiveBlock {
    pub slot: Slot,
    pub parent_root: Root,
    pub proposer_index: ValidatorIndex,
    pub justified: Checkpoint,
    pub unrealized_justified: Checkpoint,
    pub timely: bool,
    pub execution: ExecutionStatus,
}

/// `Store` of the specification. The balances are those of `checkpoint_states[justified_checkpoint]`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NaiveStore {
    pub spec: &'static Spec,
    pub time: Time,
    pub genesis_time: Time,
    pub justified_checkpoint: Checkpoint,
    pub finalized_checkpoint: Checkpoint,
    pub unrealized_justified_checkpoint: Checkpoint,
    pub unrealized_finalized_checkpoint: Checkpoint,
    pub proposer_boost_root: Root,
    pub equivocating_indices: BTreeSet<ValidatorIndex>,
    pub blocks: BTreeMap<Root, NaiveBlock>,
    pub latest_messages: BTreeMap<ValidatorIndex, LatestMessage>,
    pub balances: Arc<JustifiedBalances>,
}

impl NaiveStore {
    /// `get_forkchoice_store`.
    pub fn new(spec: &'static Spec, anchor: &AnchorBlock, genesis_time: Time) -> Self {
        let checkpoint = Checkpoint { epoch: anchor.slot.epoch(spec), root: anchor.root };
        let block = NaiveBlock {
            slot: anchor.slot,
            parent_root: anchor.parent_root,
            proposer_index: anchor.proposer_index,
            justified: anchor.justified.clone(),
            unrealized_justified: checkpoint.clone(),
            timely: true,
            execution: anchor.execution,
        };
        Self {
            spec,
            time: genesis_time.after_ms(anchor.slot.0 * spec.config.slot_duration_ms),
            genesis_time,
            justified_checkpoint: checkpoint.clone(),
            finalized_checkpoint: checkpoint.clone(),
            unrealized_justified_checkpoint: checkpoint.clone(),
            unrealized_finalized_checkpoint: checkpoint,
            proposer_boost_root: Root::ZERO,
            equivocating_indices: BTreeSet::new(),
            blocks: BTreeMap::from([(anchor.root, block)]),
            latest_messages: BTreeMap::new(),
            balances: Arc::default(),
        }
    }

    /// What a running store holds now. Votes that wait for the next slot are left out.
    pub fn observe(store: &ForkChoice) -> Self {
        let block = |node: &crate::Node| NaiveBlock {
            slot: node.slot,
            parent_root: node.parent_root,
            proposer_index: node.proposer_index,
            justified: node.justified.clone(),
            unrealized_justified: node.unrealized_justified.clone(),
            timely: node.timely,
            execution: node.execution,
        };
        let (mut latest_messages, mut equivocating_indices) = (BTreeMap::new(), BTreeSet::new());
        for (index, message) in store.latest_messages() {
            match message {
                Some(message) => drop(latest_messages.insert(index, message)),
                None => drop(equivocating_indices.insert(index)),
            }
        }
        Self {
            spec: store.spec(),
            time: store.time(),
            genesis_time: store.genesis_time(),
            justified_checkpoint: store.justified_checkpoint().clone(),
            finalized_checkpoint: store.finalized_checkpoint().clone(),
            unrealized_justified_checkpoint: store.unrealized_justified_checkpoint().clone(),
            unrealized_finalized_checkpoint: store.unrealized_finalized_checkpoint().clone(),
            proposer_boost_root: store.proposer_boost_root(),
            equivocating_indices,
            blocks: store.nodes().map(|view| (view.node.root, block(&view.node))).collect(),
            latest_messages,
            balances: Arc::clone(store.justified_balances()),
        }
    }

    /// Takes blocks away that a store has pruned. Votes for them stay, and count nowhere.
    pub fn forget(&mut self, roots: &[Root]) {
        for root in roots {
            self.blocks.remove(root);
        }
    }

    /// `get_current_slot`.
    pub fn get_current_slot(&self) -> Slot {
        Slot(self.time.since(self.genesis_time) / self.spec.config.slot_duration_ms)
    }

    /// `get_current_store_epoch`.
    pub fn get_current_store_epoch(&self) -> Epoch {
        self.get_current_slot().epoch(self.spec)
    }

    fn time_into_slot_ms(&self) -> u64 {
        self.time.since(self.genesis_time) % self.spec.config.slot_duration_ms
    }

    /// `get_ancestor`; none past the oldest block.
    pub fn get_ancestor(&self, root: Root, slot: Slot) -> Option<Root> {
        let block = self.blocks.get(&root)?;
        if block.slot > slot { self.get_ancestor(block.parent_root, slot) } else { Some(root) }
    }

    /// `is_ancestor`; false where `root` is not known.
    pub fn is_ancestor(&self, root: Root, ancestor: Root) -> bool {
        self.get_ancestor(root, self.blocks[&ancestor].slot) == Some(ancestor)
    }

    /// `get_checkpoint_block`.
    pub fn get_checkpoint_block(&self, root: Root, epoch: Epoch) -> Option<Root> {
        self.get_ancestor(root, epoch.start_slot(self.spec))
    }

    fn calculate_committee_fraction(&self, percent: u64) -> Gwei {
        let committee_weight = self.balances.total_active() / self.spec.preset.slots_per_epoch;
        committee_weight * percent / 100
    }

    /// `get_attestation_score`.
    pub fn get_attestation_score(&self, root: Root) -> Gwei {
        let counts = |(index, message): &(&ValidatorIndex, &LatestMessage)| {
            !self.equivocating_indices.contains(index)
                && self.is_ancestor(message.root, root)
                && !self.is_invalid(message.root)
        };
        let votes = self.latest_messages.iter().filter(counts);
        votes.map(|(index, _)| self.balances.effective(*index)).sum()
    }

    /// `get_weight`.
    pub fn get_weight(&self, root: Root) -> Gwei {
        let attestation_score = self.get_attestation_score(root);
        let boosted = self.proposer_boost_root;
        if boosted.is_zero() || !self.is_ancestor(boosted, root) || self.is_invalid(boosted) {
            return attestation_score;
        }
        attestation_score + self.calculate_committee_fraction(self.spec.config.proposer_score_boost)
    }

    /// `get_voting_source`.
    pub fn get_voting_source(&self, root: Root) -> &Checkpoint {
        let block = &self.blocks[&root];
        if self.get_current_store_epoch() > block.slot.epoch(self.spec) {
            &block.unrealized_justified
        } else {
            &block.justified
        }
    }

    fn is_invalid(&self, root: Root) -> bool {
        self.blocks.get(&root).is_some_and(|block| block.execution.is_invalid())
    }

    /// Those that were not removed because their payload is invalid.
    fn children(&self, root: Root) -> Vec<Root> {
        let is_child = |block: &NaiveBlock| block.parent_root == root && !block.execution.is_invalid();
        self.blocks.iter().filter(|(_, block)| is_child(block)).map(|(root, _)| *root).collect()
    }

    /// The justified block; where it is invalid, the newest block before it that is not.
    fn start_of_head(&self) -> Root {
        let mut start = self.justified_checkpoint.root;
        while self.is_invalid(start) {
            start = self.blocks[&start].parent_root;
        }
        start
    }

    /// `filter_block_tree`.
    pub fn filter_block_tree(&self, root: Root, blocks: &mut BTreeSet<Root>) -> bool {
        let children = self.children(root);
        if !children.is_empty() {
            let mut any = false;
            for child in children {
                any |= self.filter_block_tree(child, blocks);
            }
            if any {
                blocks.insert(root);
            }
            return any;
        }
        let voting_source = self.get_voting_source(root);
        let correct_justified = self.justified_checkpoint.epoch == 0
            || voting_source.epoch == self.justified_checkpoint.epoch
            || voting_source.epoch + 2 >= self.get_current_store_epoch();
        let finalized = &self.finalized_checkpoint;
        let correct_finalized =
            finalized.epoch == 0 || Some(finalized.root) == self.get_checkpoint_block(root, finalized.epoch);
        if correct_justified && correct_finalized {
            blocks.insert(root);
            return true;
        }
        false
    }

    /// `get_filtered_block_tree`.
    pub fn get_filtered_block_tree(&self) -> BTreeSet<Root> {
        let mut blocks = BTreeSet::new();
        self.filter_block_tree(self.start_of_head(), &mut blocks);
        blocks
    }

    /// `get_head`.
    pub fn get_head(&self) -> Root {
        let blocks = self.get_filtered_block_tree();
        let mut head = self.start_of_head();
        loop {
            let children = self.children(head).into_iter().filter(|child| blocks.contains(child));
            match children.max_by_key(|child| (self.get_weight(*child), *child)) {
                Some(child) => head = child,
                None => return head,
            }
        }
    }

    /// `is_head_weak`.
    pub fn is_head_weak(&self, head: Root, head_committees: &[ValidatorIndex]) -> bool {
        let threshold = self.calculate_committee_fraction(self.spec.config.reorg_head_weight_threshold);
        let mut head_weight = self.get_attestation_score(head);
        for index in head_committees {
            if self.equivocating_indices.contains(index) {
                head_weight += self.balances.raw(*index);
            }
        }
        head_weight < threshold
    }

    /// `is_parent_strong`.
    pub fn is_parent_strong(&self, head: Root) -> bool {
        let threshold = self.calculate_committee_fraction(self.spec.config.reorg_parent_weight_threshold);
        self.get_attestation_score(self.blocks[&head].parent_root) > threshold
    }

    /// `get_proposer_head`.
    pub fn get_proposer_head(
        &self,
        head: Root,
        slot: Slot,
        head_committees: &[ValidatorIndex],
    ) -> Option<Root> {
        let head_block = self.blocks.get(&head)?;
        let parent_root = head_block.parent_root;
        let parent_block = self.blocks.get(&parent_root)?;
        let head_late = !head_block.timely;
        let not_epoch_boundary = !slot.0.is_multiple_of(self.spec.preset.slots_per_epoch);
        let ffg_competitive = head_block.unrealized_justified == parent_block.unrealized_justified;
        let epochs_since_finalization = slot.epoch(self.spec).saturating_sub(self.finalized_checkpoint.epoch);
        let finalization_ok =
            epochs_since_finalization <= self.spec.config.reorg_max_epochs_since_finalization;
        let cutoff = self.spec.get_slot_component_duration_ms(self.spec.config.proposer_reorg_cutoff_bps);
        let proposing_on_time = self.time_into_slot_ms() <= cutoff;
        let parent_slot_ok = parent_block.slot + 1 == head_block.slot;
        let current_time_ok = head_block.slot + 1 == slot;
        if self.proposer_boost_root == head {
            return None;
        }
        let head_weak = self.is_head_weak(head, head_committees);
        let parent_strong = self.is_parent_strong(head);
        let same = |block: &&NaiveBlock| {
            block.proposer_index == head_block.proposer_index && block.slot == head_block.slot
        };
        let proposer_equivocation = self.blocks.values().filter(same).count() > 1;

        let reorg_late_block = head_late
            && not_epoch_boundary
            && ffg_competitive
            && finalization_ok
            && proposing_on_time
            && parent_slot_ok
            && current_time_ok
            && head_weak
            && parent_strong;
        let reorg_equivocation = head_weak && current_time_ok && proposer_equivocation;
        Some(if reorg_late_block || reorg_equivocation { parent_root } else { head })
    }

    fn update_checkpoints(&mut self, justified: &Checkpoint, finalized: &Checkpoint) {
        if justified.epoch > self.justified_checkpoint.epoch {
            self.justified_checkpoint = justified.clone();
        }
        if finalized.epoch > self.finalized_checkpoint.epoch {
            self.finalized_checkpoint = finalized.clone();
        }
    }

    fn on_tick_per_slot(&mut self, time: Time) {
        let previous_slot = self.get_current_slot();
        self.time = time;
        let current_slot = self.get_current_slot();
        if current_slot > previous_slot {
            self.proposer_boost_root = Root::ZERO;
            if current_slot.0.is_multiple_of(self.spec.preset.slots_per_epoch) {
                let justified = self.unrealized_justified_checkpoint.clone();
                let finalized = self.unrealized_finalized_checkpoint.clone();
                self.update_checkpoints(&justified, &finalized);
            }
        }
    }

    /// `on_tick`, for a time not before the store's.
    pub fn on_tick(&mut self, time: Time) {
        let slot_ms = self.spec.config.slot_duration_ms;
        let tick_slot = time.since(self.genesis_time) / slot_ms;
        while self.get_current_slot() < tick_slot {
            let next = (self.get_current_slot().0 + 1) * slot_ms;
            self.on_tick_per_slot(self.genesis_time.after_ms(next));
        }
        self.on_tick_per_slot(time);
    }

    fn get_shuffling_dependent_root(&self, root: Root, epoch: Epoch) -> Option<Root> {
        let lookahead = self.spec.preset.min_seed_lookahead;
        if epoch <= lookahead {
            return None;
        }
        let dependent_slot = (epoch - lookahead).start_slot(self.spec) - 1;
        self.get_ancestor(root, dependent_slot)
    }

    /// `on_block`, with the time of arrival deciding about timeliness. None where it is invalid.
    pub fn on_block(&mut self, facts: &BlockFacts) -> Option<()> {
        if self.blocks.contains_key(&facts.root) {
            return Some(());
        }
        let parent = self.blocks.get(&facts.parent_root)?;
        let finalized = self.finalized_checkpoint.clone();
        let valid = self.get_current_slot() >= facts.slot
            && facts.slot > finalized.epoch.start_slot(self.spec)
            && self.get_checkpoint_block(facts.parent_root, finalized.epoch) == Some(finalized.root)
            && facts.slot > parent.slot
            && !parent.execution.is_invalid()
            && !facts.execution.is_invalid()
            && !(facts.execution == ExecutionStatus::Irrelevant
                && parent.execution != ExecutionStatus::Irrelevant);
        if !valid {
            return None;
        }
        let head = self.get_head();
        let slot_ms = self.spec.config.slot_duration_ms;
        let arrived = facts.arrived.since(self.genesis_time);
        let due_ms = self.spec.get_slot_component_duration_ms(self.spec.config.attestation_due_bps);
        let timely = facts.slot == arrived / slot_ms && arrived % slot_ms < due_ms;
        let block = NaiveBlock {
            slot: facts.slot,
            parent_root: facts.parent_root,
            proposer_index: facts.proposer_index,
            justified: facts.justified.clone(),
            unrealized_justified: facts.unrealized_justified.clone(),
            timely,
            execution: facts.execution,
        };
        self.blocks.insert(facts.root, block);
        if let ExecutionStatus::Valid { .. } = facts.execution {
            self.on_valid_payload(facts.parent_root);
        }
        let epoch = self.get_current_store_epoch();
        let same_dependent_root = self.get_shuffling_dependent_root(head, epoch)
            == self.get_shuffling_dependent_root(facts.root, epoch);
        let now = self.get_current_slot() == facts.slot;
        if timely && now && self.proposer_boost_root.is_zero() && same_dependent_root {
            self.proposer_boost_root = facts.root;
        }
        self.update_checkpoints(&facts.justified, &facts.finalized);
        self.compute_pulled_up_tip(facts);
        Some(())
    }

    fn compute_pulled_up_tip(&mut self, facts: &BlockFacts) {
        let (justified, finalized) = (&facts.unrealized_justified, &facts.unrealized_finalized);
        if justified.epoch > self.unrealized_justified_checkpoint.epoch {
            self.unrealized_justified_checkpoint = justified.clone();
        }
        if finalized.epoch > self.unrealized_finalized_checkpoint.epoch {
            self.unrealized_finalized_checkpoint = finalized.clone();
        }
        if facts.slot.epoch(self.spec) < self.get_current_store_epoch() {
            self.update_checkpoints(justified, finalized);
        }
    }

    /// `validate_on_attestation`; false where an assertion fails.
    pub fn validate_on_attestation(&self, attestation: &AttestationFacts, origin: Origin) -> bool {
        let target = &attestation.target;
        let current_epoch = self.get_current_store_epoch();
        let in_time = target.epoch == current_epoch || target.epoch == current_epoch.saturating_sub(1);
        let Some(block) = self.blocks.get(&attestation.beacon_block_root) else { return false };
        (origin == Origin::Block || in_time)
            && target.epoch == attestation.slot.epoch(self.spec)
            && self.blocks.contains_key(&target.root)
            && block.slot <= attestation.slot
            && self.get_checkpoint_block(attestation.beacon_block_root, target.epoch) == Some(target.root)
            && self.get_current_slot() > attestation.slot
    }

    /// `on_attestation`; none where it is invalid.
    pub fn on_attestation(
        &mut self,
        attestation: &AttestationFacts,
        attesting_indices: &[ValidatorIndex],
        origin: Origin,
    ) -> Option<()> {
        if !self.validate_on_attestation(attestation, origin) {
            return None;
        }
        for index in attesting_indices {
            let newer = match self.latest_messages.get(index) {
                Some(message) => attestation.target.epoch > message.epoch,
                None => true,
            };
            if newer && !self.equivocating_indices.contains(index) {
                let (epoch, root) = (attestation.target.epoch, attestation.beacon_block_root);
                self.latest_messages.insert(*index, LatestMessage { epoch, root });
            }
        }
        Some(())
    }

    /// A payload, and with it all before it, is valid. Nothing happens where an engine said otherwise before.
    pub fn on_valid_payload(&mut self, root: Root) {
        let Some(block) = self.blocks.get_mut(&root) else { return };
        let parent_root = block.parent_root;
        if let ExecutionStatus::NotValidated { block_hash } = block.execution {
            block.execution = ExecutionStatus::Valid { block_hash };
        }
        if let ExecutionStatus::Valid { .. } = block.execution {
            self.on_valid_payload(parent_root);
        }
    }

    /// The chain of a block, newest first.
    fn chain_of(&self, root: Root) -> Vec<Root> {
        let Some(block) = self.blocks.get(&root) else { return Vec::new() };
        let mut chain = vec![root];
        chain.extend(self.chain_of(block.parent_root));
        chain
    }

    /// A payload is invalid: the table of optimistic sync. Nothing happens where what is valid or the oldest block would
    /// be invalidated.
    pub fn on_invalid_payload(&mut self, root: Root, latest_valid_hash: Option<Root>) {
        let chain = self.chain_of(root);
        let execution = |root: &Root| self.blocks[root].execution;
        let is_latest_valid = |root: &Root| match execution(root).block_hash() {
            Some(hash) => Some(hash) == latest_valid_hash,
            None => latest_valid_hash == Some(Root::ZERO),
        };
        let child = chain.iter().skip(1).position(is_latest_valid);
        let first = chain[child.unwrap_or(0)];
        let is_bad = !matches!(
            execution(&root),
            ExecutionStatus::NotValidated { .. } | ExecutionStatus::Invalidated { .. }
        );
        let is_oldest = !self.blocks.contains_key(&self.blocks[&first].parent_root);
        if is_bad || is_oldest || matches!(execution(&first), ExecutionStatus::Valid { .. }) {
            return;
        }
        let descendants: Vec<Root> =
            self.blocks.keys().filter(|other| self.chain_of(**other).contains(&first)).copied().collect();
        for root in descendants {
            let block = self.blocks.get_mut(&root).expect("it was just found");
            if let Some(block_hash) = block.execution.block_hash() {
                block.execution = ExecutionStatus::Invalidated { block_hash };
            }
        }
    }

    /// `on_attester_slashing`, given the indices in both attestations.
    pub fn on_attester_slashing(&mut self, indices: &[ValidatorIndex]) {
        self.equivocating_indices.extend(indices);
    }
}
