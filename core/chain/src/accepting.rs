//! Verdicts, and what follows where a message is valid.

use std::sync::Arc;

use crypto::Signature;
use fork_choice::AttestationFacts;
use types::{Attestation, Ctx, Root, SszExt, ValidatorIndex};

use crate::chain::Chain;
use crate::gossip::{AGGREGATE_KNOWN, CONTRIBUTION_KNOWN};
use crate::import::{Import, Source};
use crate::incoming::{Candidate, Facts, Incoming, Origin};
use crate::notes::Noted;
use crate::{CommandId, Event, GossipMessage, Output, PublishOutcome, Reply, Verdict};

impl Chain {
    /// Says what becomes of a message to whom it may concern.
    pub(crate) fn judge(&mut self, incoming: &Incoming, verdict: Verdict) {
        if let (GossipMessage::Block(block), false) = (&incoming.message, incoming.origin == Origin::Kept) {
            let (message, why) = (&block.message, verdict.why());
            self.note(Noted::Judged {
                slot: message.slot,
                proposer: message.proposer_index,
                parent: message.parent_root,
                verdict: why.map_or("accepted".to_owned(), |why| why.to_string()),
            });
        }
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
                    self.broadcast(id, message.clone());
                    // The answer for a block comes with its import.
                    if !matches!(message, GossipMessage::Block(_)) {
                        self.item_done(id, index, None);
                    }
                }
                // All aggregators of a committee publish the same votes; the first has done what the others ask for.
                (GossipMessage::Aggregate(_), Some(AGGREGATE_KNOWN))
                | (GossipMessage::Contribution(_), Some(CONTRIBUTION_KNOWN)) => {
                    self.item_done(id, index, None)
                }
                (_, Some(why)) => self.item_done(id, index, Some(why.to_string())),
            },
        }
        self.published.is_stale = true;
    }

    pub(crate) fn block_reply(&mut self, id: CommandId, outcome: PublishOutcome) {
        self.data.own.remove(&id);
        if self.commands.remove(&id).is_some() {
            self.outputs.push_back(Output::Reply(id, Reply::Block(outcome)));
        }
    }

    /// Lets go of a block whose signature is not valid or could not be verified.
    pub(crate) fn forget_flight(&mut self, candidate: &Candidate) {
        match &candidate.facts {
            Facts::Block { root, .. } => self.imports.land(root),
            Facts::Sidecar(facts) => self.header_refused(&candidate.incoming, facts),
            _ => {}
        }
    }

    /// Takes a message in, since its signatures are valid. That of a vote came back from its verification.
    pub(crate) fn accept(&mut self, candidate: Candidate, signature: Option<Signature>) {
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
                if let Source::Command(id) = source {
                    self.publish_own_sidecars(id);
                }
                self.expect_data(root, &block, incoming.origin.gossip());
                self.import(Import::verified(root, block, source, incoming.arrived));
            }
            (Facts::Sidecar(facts), _) => self.header_verified(incoming, facts),
            (Facts::Attestation { checked, shuffling }, message) => {
                if checked.is_seen(&self.seen) {
                    let why = Verdict::ignore("already seen attestation for this epoch and validator");
                    return self.judge(&incoming, why);
                }
                checked.mark_seen(&mut self.seen);
                self.judge(&incoming, Verdict::Accept);
                let attestation = match message {
                    GossipMessage::Attestation { attestation, .. } => attestation,
                    GossipMessage::SingleAttestation { attestation, .. } => {
                        Arc::new(checked.aggregate_of(self.spec, &attestation))
                    }
                    _ => unreachable!("facts are of their own message"),
                };
                self.count_vote(&attestation, signature, &[checked.attester], shuffling);
                self.outputs.push_back(Output::Event(Event::Attestation(attestation)));
            }
            (Facts::Aggregate { checked, shuffling }, GossipMessage::Aggregate(signed)) => {
                if let Some(verdict) = checked.is_seen(&self.seen) {
                    return self.judge(&incoming, verdict);
                }
                checked.mark_seen(&mut self.seen);
                self.judge(&incoming, Verdict::Accept);
                let attestation = Arc::new(signed.message.aggregate.clone());
                self.count_vote(&attestation, signature, &checked.attesters, shuffling);
                self.outputs.push_back(Output::Event(Event::Attestation(attestation)));
            }
            (facts, message) => self.accept_operation(&incoming, facts, message, signature),
        }
    }

    fn count_vote(
        &mut self,
        attestation: &Attestation,
        signature: Option<Signature>,
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
        if let Some(signature) = signature {
            let (pool, root) = (Arc::make_mut(&mut self.pools.attestations), data.hash_tree_root(Ctx::PLAIN));
            if pool.insert(attestation, &signature, root, shuffling) == pool::Inserted::Full {
                self.counters.overflows += 1;
            }
        }
        let liveness = Arc::make_mut(&mut self.recent.liveness);
        attesters.iter().for_each(|attester| liveness.saw(data.target.epoch, *attester));
        self.counters.attestations_verified += 1;
    }
}
