//! Messages against the rules of gossip.

use std::sync::Arc;

use fork_choice::ExecutionStatus;
use transition::accessors::get_beacon_proposer_indices;
use transition::block::PayloadStatus;
use types::{
    AttestationData, BeaconState, Checkpoint, Epoch, Root, SignedAggregateAndProof, SignedBeaconBlock, Slot,
    SszExt, ValidatorIndex,
};

use crate::chain::Chain;
use crate::gossip::{
    BLOCK_NOT_SEEN, BlockStore, FUTURE_SLOT, KnownBlock, PARENT_NOT_SEEN, SHUFFLING_NOT_KNOWN, Unaggregated,
    check_attestation_slot, validate_beacon_aggregate_and_proof_gossip, validate_beacon_attestation_gossip,
    validate_beacon_block_gossip,
};
use crate::import::Fault;
use crate::incoming::{Candidate, Facts, Incoming, Origin};
use crate::states::{StateKey, committee_decision_slot};
use crate::work::Parked;
use crate::{GossipMessage, Output, Priority, PublishOutcome, Verdict, Want, WantReason};

/// What the rules ask about blocks, answered from fork choice and the states in memory.
pub(crate) struct Known<'a>(&'a Chain);

impl BlockStore for Known<'_> {
    fn block(&self, root: &Root) -> KnownBlock {
        match self.0.fork_choice.block(root) {
            Some(node) => KnownBlock::Valid {
                slot: node.slot,
                payload: match node.execution {
                    ExecutionStatus::Irrelevant | ExecutionStatus::Valid { .. } => PayloadStatus::Valid,
                    ExecutionStatus::NotValidated { .. } => PayloadStatus::NotValidated,
                    ExecutionStatus::Invalidated { .. } => PayloadStatus::Invalidated,
                },
            },
            None => match self.0.imports.fault_of(root) {
                Some(Fault::Consensus) => KnownBlock::Invalid { payload: PayloadStatus::NotValidated },
                Some(Fault::Payload) => KnownBlock::Invalid { payload: PayloadStatus::Invalidated },
                None => KnownBlock::Unseen,
            },
        }
    }

    fn finalized_checkpoint(&self) -> Checkpoint {
        self.0.fork_choice.finalized_checkpoint().clone()
    }

    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        self.0.fork_choice.get_checkpoint_block(root, epoch)
    }

    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex> {
        let spec = self.0.spec;
        let state = self.0.state_for_proposers(parent, slot.epoch(spec))?;
        let proposers = get_beacon_proposer_indices(&state).ok()?;
        proposers.get((slot.0 % spec.preset.slots_per_epoch) as usize).copied()
    }
}

impl Chain {
    pub(crate) fn known(&self) -> Known<'_> {
        Known(self)
    }

    /// Puts a message to the rules.
    pub(crate) fn take(&mut self, incoming: Incoming) {
        match incoming.message.clone() {
            GossipMessage::Block(block) => self.take_block(incoming, &block),
            GossipMessage::Attestation { subnet, attestation } => {
                self.take_attestation(incoming, subnet, &*attestation);
            }
            GossipMessage::Aggregate(aggregate) => self.take_aggregate(incoming, &aggregate),
            GossipMessage::SingleAttestation { subnet, attestation } => {
                self.take_attestation(incoming, subnet, &*attestation);
            }
            GossipMessage::BlobSidecar { .. } | GossipMessage::DataColumnSidecar { .. } => {
                self.take_sidecar(incoming);
            }
            message => self.take_operation(incoming, &message),
        }
    }

    pub(crate) fn check_passed(
        &mut self,
        incoming: Incoming,
        checked: Result<(Vec<(crypto::SignatureSet, crate::Why)>, Facts), Verdict>,
    ) {
        match checked {
            Ok((signatures, facts)) => {
                let priority = match facts {
                    Facts::Block { .. } | Facts::Sidecar(_) => Priority::Block,
                    _ => Priority::Attestation,
                };
                let (signatures, reasons) = signatures.into_iter().unzip();
                self.verify(Candidate { incoming, facts, signatures, reasons }, priority);
            }
            Err(verdict) => self.judge(&incoming, verdict),
        }
    }

    fn take_block(&mut self, incoming: Incoming, block: &Arc<SignedBeaconBlock>) {
        let message = &block.message;
        let root = message.hash_tree_root(self.spec.ctx_at_slot(message.slot));
        if self.fork_choice.contains(&root) {
            return self.already_imported(&incoming);
        }
        match self.imports.fault_of(&root) {
            None => {}
            Some(Fault::Consensus) => {
                return self.judge(&incoming, Verdict::reject("block failed validation"));
            }
            // Who follows the chain optimistically passes it on in good faith.
            Some(Fault::Payload) => {
                return self.judge(&incoming, Verdict::ignore("the payload of the block is invalid"));
            }
        }
        if self.imports.is_in_flight(&root) {
            return self.judge(&incoming, Verdict::ignore("block is being imported"));
        }
        let state = self.head.state.clone();
        match validate_beacon_block_gossip(&self.seen, &self.known(), &state, block, self.now) {
            Ok(checked) => {
                self.imports.take_off(root);
                let facts = Facts::Block { checked: checked.facts, root };
                self.check_passed(incoming, Ok((checked.signatures, facts)));
            }
            Err(Verdict::Ignore(PARENT_NOT_SEEN)) => self.hold_orphan(incoming, root, block),
            Err(Verdict::Ignore(SHUFFLING_NOT_KNOWN)) => {
                let epoch = message.slot.epoch(self.spec);
                let checkpoint = self.fork_choice.get_checkpoint_block(&message.parent_root, epoch);
                let key = StateKey::Checkpoint(epoch, checkpoint.unwrap_or(message.parent_root));
                self.park_message(key, incoming);
            }
            Err(Verdict::Ignore(FUTURE_SLOT)) if message.slot == self.slot + 1 => {
                self.hold_early(message.slot, incoming);
            }
            Err(verdict) => self.judge(&incoming, verdict),
        }
    }

    fn already_imported(&mut self, incoming: &Incoming) {
        match incoming.origin {
            Origin::Command(id, _) => self.block_reply(id, PublishOutcome::Imported),
            _ => self.judge(incoming, Verdict::ignore("block was imported before")),
        }
    }

    pub(crate) fn park_message(&mut self, key: StateKey, incoming: Incoming) {
        if let Err(parked) = self.park(key, Parked::Message(incoming)) {
            self.unavailable(parked);
        }
    }

    pub(crate) fn hold_early(&mut self, slot: Slot, incoming: Incoming) {
        if let Err(incoming) = self.aside.hold_early(slot, incoming) {
            self.counters.overflows += 1;
            self.judge(&incoming, Verdict::Ignore(FUTURE_SLOT));
        }
    }

    /// The verdict is given at once: whoever wants to forward the block can wait for its parent itself.
    fn hold_orphan(&mut self, incoming: Incoming, root: Root, block: &SignedBeaconBlock) {
        let from = incoming.origin.gossip();
        self.judge(&incoming, Verdict::Ignore(PARENT_NOT_SEEN));
        if let Origin::Command(..) = incoming.origin {
            return;
        }
        let parent = block.message.parent_root;
        if !self.aside.hold_orphan(root, &block.message, Incoming { origin: Origin::Kept, ..incoming }) {
            self.counters.overflows += 1;
            return;
        }
        self.published.is_stale = true;
        if !self.imports.is_in_flight(&parent) && !self.aside.is_orphan(&parent) {
            let reason = WantReason::Parent { from };
            self.outputs.push_back(Output::Fetch(Want::Block { root: parent, reason }));
        }
    }

    fn take_attestation<'a>(
        &mut self,
        incoming: Incoming,
        subnet: u64,
        attestation: impl Into<Unaggregated<'a>>,
    ) {
        let attestation = attestation.into();
        let data = attestation.data();
        let Some((state, incoming)) = self.committee_state_of(incoming, data) else { return };
        let store = self.known();
        let checked =
            validate_beacon_attestation_gossip(&self.seen, &store, &state, attestation, self.now, subnet);
        let shuffling = self.shuffling_of(&data.beacon_block_root, data.target.epoch);
        let facts = |checked| Facts::Attestation { checked, shuffling };
        self.check_passed(incoming, checked.map(|c| (c.signatures, facts(c.facts))));
    }

    fn take_aggregate(&mut self, incoming: Incoming, aggregate: &SignedAggregateAndProof) {
        let data = &aggregate.message.aggregate.data;
        let Some((state, incoming)) = self.committee_state_of(incoming, data) else { return };
        let store = self.known();
        let checked =
            validate_beacon_aggregate_and_proof_gossip(&self.seen, &store, &state, aggregate, self.now);
        let shuffling = self.shuffling_of(&data.beacon_block_root, data.target.epoch);
        let facts = |checked| Facts::Aggregate { checked, shuffling };
        self.check_passed(incoming, checked.map(|c| (c.signatures, facts(c.facts))));
    }

    /// The state that knows the committees of a vote. None where the message was judged or put aside instead.
    fn committee_state_of(
        &mut self,
        incoming: Incoming,
        data: &AttestationData,
    ) -> Option<(Arc<BeaconState>, Incoming)> {
        let early = data.slot == self.slot + 1;
        match check_attestation_slot(&self.head.state, data, self.now) {
            Err(Verdict::Ignore(_)) if early => {
                self.hold_early(data.slot, incoming);
                return None;
            }
            Err(verdict) => {
                self.judge(&incoming, verdict);
                return None;
            }
            Ok(()) => {}
        }
        let block = data.beacon_block_root;
        if !self.fork_choice.contains(&block) {
            self.hold_vote(incoming, data);
            return None;
        }
        if let Some(state) = self.state_for_committees(&block, data.target.epoch) {
            return Some((state, incoming));
        }
        let root = self.fork_choice.get_checkpoint_block(&block, data.target.epoch).unwrap_or(block);
        self.park_message(StateKey::Checkpoint(data.target.epoch, root), incoming);
        None
    }

    fn hold_vote(&mut self, incoming: Incoming, data: &AttestationData) {
        let (block, from) = (data.beacon_block_root, incoming.origin.gossip());
        if let Some(fault) = self.imports.fault_of(&block) {
            return self.judge(&incoming, fault.verdict_on_votes());
        }
        if let Err(incoming) = self.aside.hold_vote(block, self.slot, incoming) {
            self.counters.overflows += 1;
            return self.judge(&incoming, Verdict::Ignore(BLOCK_NOT_SEEN));
        }
        self.published.is_stale = true;
        if !self.imports.is_in_flight(&block) && !self.aside.is_orphan(&block) {
            let reason = WantReason::Attested { from };
            self.outputs.push_back(Output::Fetch(Want::Block { root: block, reason }));
        }
    }

    /// The last block that decides the committees of an epoch on the chain of a block; none where no block does.
    fn shuffling_of(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        self.fork_choice.get_ancestor(root, committee_decision_slot(self.spec, epoch)?)
    }

    /// A state in memory that knows the committees of an epoch on the chain of a block.
    pub(crate) fn state_for_committees(&self, root: &Root, epoch: Epoch) -> Option<Arc<BeaconState>> {
        let decision = self.shuffling_of(root, epoch);
        let fits = |of: &Root, state: &BeaconState| {
            let at = state.slot.epoch(self.spec);
            at + 1 >= epoch && epoch + 1 >= at && self.shuffling_of(of, epoch) == decision
        };
        self.find_state(root, fits)
    }

    /// A state in memory that knows the proposers of an epoch for blocks upon `parent`: of that epoch, and of the same
    /// chain up to where the epoch begins.
    fn state_for_proposers(&self, parent: &Root, epoch: Epoch) -> Option<Arc<BeaconState>> {
        let before = epoch.start_slot(self.spec).saturating_sub(1);
        let decision = self.fork_choice.get_ancestor(parent, before);
        let fits = |of: &Root, state: &BeaconState| {
            state.slot.epoch(self.spec) == epoch && self.fork_choice.get_ancestor(of, before) == decision
        };
        self.find_state(parent, fits)
    }

    fn find_state(
        &self,
        first: &Root,
        fits: impl Fn(&Root, &BeaconState) -> bool,
    ) -> Option<Arc<BeaconState>> {
        let head = [Some(&self.head.state), self.head.advanced.as_ref()];
        let head = head.into_iter().flatten().map(|state| (&self.head.root, state));
        let own = self.states.get(first).map(|state| (first, state));
        let mut all = head.chain(own).chain(self.states.iter());
        all.find(|(of, state)| fits(of, state)).map(|(_, state)| state.clone())
    }
}
