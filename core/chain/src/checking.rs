//! Messages against the rules of gossip, and what follows where they hold.

use std::sync::Arc;

use fork_choice::{AttestationFacts, ForkChoice};
use transition::accessors::get_beacon_proposer_indices;
use types::{
    Attestation, AttestationData, BeaconState, Checkpoint, Ctx, Epoch, Root, SignedAggregateAndProof,
    SignedBeaconBlock, Slot, SszExt, ValidatorIndex,
};

use crate::chain::Chain;
use crate::gossip::{
    AGGREGATE_KNOWN, BLOCK_NOT_SEEN, BlockStore, FUTURE_SLOT, KnownBlock, PARENT_NOT_SEEN,
    SHUFFLING_NOT_KNOWN, check_attestation_slot, validate_attester_slashing_gossip,
    validate_beacon_aggregate_and_proof_gossip, validate_beacon_attestation_gossip,
    validate_beacon_block_gossip, validate_proposer_slashing_gossip, validate_voluntary_exit_gossip,
};
use crate::import::{Import, Imports, Source};
use crate::incoming::{Candidate, Facts, Incoming, Origin};
use crate::states::{StateKey, committee_decision_slot};
use crate::work::Parked;
use crate::{Event, GossipMessage, Output, Priority, PublishOutcome, Reply, Verdict, Want, WantReason};

/// What the rules ask about blocks, answered from fork choice and the states in memory.
struct Known<'a> {
    chain: &'a Chain,
    fork_choice: &'a ForkChoice,
    imports: &'a Imports,
}

impl BlockStore for Known<'_> {
    fn block(&self, root: &Root) -> KnownBlock {
        match self.fork_choice.block(root) {
            Some(node) => KnownBlock::Valid { slot: node.slot },
            None if self.imports.is_invalid(root) => KnownBlock::Invalid,
            None => KnownBlock::Unseen,
        }
    }

    fn finalized_checkpoint(&self) -> Checkpoint {
        self.fork_choice.finalized_checkpoint().clone()
    }

    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        self.fork_choice.get_checkpoint_block(root, epoch)
    }

    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex> {
        let spec = self.fork_choice.spec();
        let state = self.chain.state_for_proposers(parent, slot.epoch(spec))?;
        let proposers = get_beacon_proposer_indices(&state).ok()?;
        proposers.get((slot.0 % spec.preset.slots_per_epoch) as usize).copied()
    }
}

impl Chain {
    fn known(&self) -> Known<'_> {
        Known { chain: self, fork_choice: &self.fork_choice, imports: &self.imports }
    }

    /// Puts a message to the rules.
    pub(crate) fn take(&mut self, incoming: Incoming) {
        match incoming.message.clone() {
            GossipMessage::Block(block) => self.take_block(incoming, &block),
            GossipMessage::Attestation { subnet, attestation } => {
                self.take_attestation(incoming, subnet, &attestation);
            }
            GossipMessage::Aggregate(aggregate) => self.take_aggregate(incoming, &aggregate),
            GossipMessage::VoluntaryExit(exit) => {
                let checked = validate_voluntary_exit_gossip(&self.seen, &self.head.state, &exit);
                self.check_passed(incoming, checked.map(|c| (c.signatures, Facts::VoluntaryExit(c.facts))));
            }
            GossipMessage::ProposerSlashing(slashing) => {
                let checked = validate_proposer_slashing_gossip(&self.seen, &self.head.state, &slashing);
                self.check_passed(
                    incoming,
                    checked.map(|c| (c.signatures, Facts::ProposerSlashing(c.facts))),
                );
            }
            GossipMessage::AttesterSlashing(slashing) => {
                let checked = validate_attester_slashing_gossip(&self.seen, &self.head.state, &slashing);
                self.check_passed(
                    incoming,
                    checked.map(|c| (c.signatures, Facts::AttesterSlashing(c.facts))),
                );
            }
        }
    }

    fn check_passed(
        &mut self,
        incoming: Incoming,
        checked: Result<(Vec<(crypto::SignatureSet, crate::Why)>, Facts), Verdict>,
    ) {
        match checked {
            Ok((signatures, facts)) => {
                let priority = match facts {
                    Facts::Block { .. } => Priority::Block,
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
        if self.imports.is_invalid(&root) {
            return self.judge(&incoming, Verdict::reject("block failed validation"));
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

    fn park_message(&mut self, key: StateKey, incoming: Incoming) {
        if let Err(parked) = self.park(key, Parked::Message(incoming)) {
            self.unavailable(parked);
        }
    }

    fn hold_early(&mut self, slot: Slot, incoming: Incoming) {
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

    fn take_attestation(&mut self, incoming: Incoming, subnet: u64, attestation: &Attestation) {
        let data = &attestation.data;
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
        if self.imports.is_invalid(&block) {
            return self.judge(&incoming, Verdict::reject("block being voted for failed validation"));
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

    /// Says what becomes of a message to whom it may concern.
    pub(crate) fn judge(&mut self, incoming: &Incoming, verdict: Verdict) {
        match incoming.origin {
            Origin::Kept => {}
            Origin::Gossip(id) => {
                match verdict {
                    Verdict::Accept => self.counters.gossip_accepted += 1,
                    Verdict::Ignore(_) => self.counters.gossip_ignored += 1,
                    Verdict::Reject(_) => self.counters.gossip_rejected += 1,
                }
                self.outputs.push_back(Output::Verdict(id, verdict));
            }
            Origin::Command(id, index) => match (&incoming.message, verdict.why()) {
                (GossipMessage::Block(_), Some(why)) => {
                    self.block_reply(id, PublishOutcome::Invalid(why.to_string()));
                }
                (message, None) => {
                    self.outputs.push_back(Output::Publish(message.clone()));
                    // The answer for a block comes with its import.
                    if !matches!(message, GossipMessage::Block(_)) {
                        self.item_done(id, index, None);
                    }
                }
                // All aggregators of a committee publish the same votes; the first has done what the others ask for.
                (GossipMessage::Aggregate(_), Some(AGGREGATE_KNOWN)) => self.item_done(id, index, None),
                (_, Some(why)) => self.item_done(id, index, Some(why.to_string())),
            },
        }
        self.published.is_stale = true;
    }

    pub(crate) fn block_reply(&mut self, id: crate::CommandId, outcome: PublishOutcome) {
        if self.commands.remove(&id).is_some() {
            self.outputs.push_back(Output::Reply(id, Reply::Block(outcome)));
        }
    }

    /// Lets go of a block whose signature is not valid or could not be verified.
    pub(crate) fn forget_flight(&mut self, candidate: &Candidate) {
        if let Facts::Block { root, .. } = &candidate.facts {
            self.imports.land(root);
        }
    }

    /// Takes a message in, since its signatures are valid.
    pub(crate) fn accept(&mut self, candidate: Candidate) {
        let Candidate { incoming, facts, .. } = candidate;
        match (facts, incoming.message.clone()) {
            (Facts::Block { checked, root }, GossipMessage::Block(block)) => {
                if checked.is_seen(&self.seen) {
                    self.imports.land(&root);
                    return self.judge(
                        &incoming,
                        Verdict::ignore("block is not the first valid block for this slot and proposer"),
                    );
                }
                checked.mark_seen(&mut self.seen);
                self.judge(&incoming, Verdict::Accept);
                self.outputs
                    .push_back(Output::Event(Event::BlockGossip { slot: block.message.slot, block: root }));
                let source = match incoming.origin {
                    Origin::Command(id, _) => Source::Command(id),
                    _ => Source::Gossip,
                };
                self.import(Import::verified(root, block, source, incoming.arrived));
            }
            (Facts::Attestation { checked, shuffling }, GossipMessage::Attestation { attestation, .. }) => {
                if checked.is_seen(&self.seen) {
                    return self.judge(
                        &incoming,
                        Verdict::ignore("already seen attestation for this epoch and validator"),
                    );
                }
                checked.mark_seen(&mut self.seen);
                self.judge(&incoming, Verdict::Accept);
                self.count_vote(&attestation, &[checked.attester], shuffling);
                self.outputs.push_back(Output::Event(Event::Attestation(attestation)));
            }
            (Facts::Aggregate { checked, shuffling }, GossipMessage::Aggregate(signed)) => {
                if let Some(verdict) = checked.is_seen(&self.seen) {
                    return self.judge(&incoming, verdict);
                }
                checked.mark_seen(&mut self.seen);
                self.judge(&incoming, Verdict::Accept);
                let attestation = Arc::new(signed.message.aggregate.clone());
                self.count_vote(&attestation, &checked.attesters, shuffling);
                self.outputs.push_back(Output::Event(Event::Attestation(attestation)));
            }
            (facts, message) => self.accept_operation(&incoming, facts, message),
        }
    }

    fn count_vote(
        &mut self,
        attestation: &Attestation,
        attesters: &[ValidatorIndex],
        shuffling: Option<Root>,
    ) {
        let data = &attestation.data;
        let facts = AttestationFacts {
            slot: data.slot,
            beacon_block_root: data.beacon_block_root,
            target: data.target.clone(),
        };
        // Older votes than fork choice takes may still be forwarded and packed.
        let _ = self.fork_choice.queue_attestation(&facts, attesters);
        let pool = Arc::make_mut(&mut self.pools.attestations);
        if pool.insert(attestation, data.hash_tree_root(Ctx::PLAIN), shuffling) == pool::Inserted::Full {
            self.counters.overflows += 1;
        }
        let liveness = Arc::make_mut(&mut self.liveness);
        attesters.iter().for_each(|attester| liveness.saw(data.target.epoch, *attester));
        self.counters.attestations_verified += 1;
    }

    fn accept_operation(&mut self, incoming: &Incoming, facts: Facts, message: GossipMessage) {
        let operations = Arc::make_mut(&mut self.pools.operations);
        let seen_before = match &facts {
            Facts::VoluntaryExit(checked) => checked.is_seen(&self.seen),
            Facts::ProposerSlashing(checked) => checked.is_seen(&self.seen),
            Facts::AttesterSlashing(checked) => checked.is_seen(&self.seen),
            _ => unreachable!("facts are of their own message"),
        };
        if seen_before {
            return self.judge(incoming, Verdict::ignore("already seen"));
        }
        let (event, is_in) = match (&facts, message) {
            (Facts::VoluntaryExit(checked), GossipMessage::VoluntaryExit(exit)) => {
                checked.mark_seen(&mut self.seen);
                let is_in = operations.insert_exit(exit.clone());
                (Event::VoluntaryExit(exit), is_in)
            }
            (Facts::ProposerSlashing(checked), GossipMessage::ProposerSlashing(slashing)) => {
                checked.mark_seen(&mut self.seen);
                let is_in = operations.insert_proposer_slashing(slashing.clone());
                (Event::ProposerSlashing(slashing), is_in)
            }
            (Facts::AttesterSlashing(checked), GossipMessage::AttesterSlashing(slashing)) => {
                checked.mark_seen(&mut self.seen);
                let is_in = operations.insert_attester_slashing(slashing.clone());
                if let Err(invalid) = self.fork_choice.on_attester_slashing(&checked.indices) {
                    self.counters.faults += 1;
                    self.outputs
                        .push_back(Output::Fault(format!("fork choice refuses a valid slashing: {invalid}")));
                }
                (Event::AttesterSlashing(slashing), is_in)
            }
            _ => unreachable!("facts are of their own message"),
        };
        self.counters.overflows += u64::from(!is_in);
        self.judge(incoming, Verdict::Accept);
        self.outputs.push_back(Output::Event(event));
    }
}
