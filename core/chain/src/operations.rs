//! Operations and votes of the sync committee: messages that the head's state alone judges.

use std::sync::Arc;

use crypto::Signature;
use types::{BeaconState, ForkName, Slot, SyncCommitteeContribution};

use crate::chain::Chain;
use crate::gossip::{
    Checked, compute_sync_committee_period, validate_attester_slashing_gossip,
    validate_bls_to_execution_change_gossip, validate_proposer_slashing_gossip,
    validate_sync_committee_contribution_and_proof_gossip, validate_sync_committee_message_gossip,
    validate_voluntary_exit_gossip,
};
use crate::incoming::{Facts, Incoming};
use crate::{Event, GossipMessage, Output, Verdict};

/// The reason for ignoring votes of a committee that the head's state does not know.
const COMMITTEE_NOT_KNOWN: &str = "the head is too far behind to know the sync committee";

impl Chain {
    /// Puts such a message to the rules.
    pub(crate) fn take_operation(&mut self, incoming: Incoming, message: &GossipMessage) {
        fn as_facts<F>(
            checked: Checked<F>,
            facts: impl Fn(F) -> Facts,
        ) -> (Vec<(crypto::SignatureSet, crate::Why)>, Facts) {
            (checked.signatures, facts(checked.facts))
        }
        let (seen, state, now) = (&self.seen, &self.head.state, self.now);
        let checked = match message {
            GossipMessage::VoluntaryExit(exit) => {
                validate_voluntary_exit_gossip(seen, state, exit).map(|c| as_facts(c, Facts::VoluntaryExit))
            }
            GossipMessage::ProposerSlashing(slashing) => {
                validate_proposer_slashing_gossip(seen, state, slashing)
                    .map(|c| as_facts(c, Facts::ProposerSlashing))
            }
            GossipMessage::AttesterSlashing(slashing) => {
                validate_attester_slashing_gossip(seen, state, slashing)
                    .map(|c| as_facts(c, Facts::AttesterSlashing))
            }
            GossipMessage::BlsToExecutionChange(change) => {
                validate_bls_to_execution_change_gossip(seen, state, change, now)
                    .map(|c| as_facts(c, Facts::BlsChange))
            }
            GossipMessage::SyncCommitteeMessage { message, .. }
                if !self.knows_sync_committee(message.slot) =>
            {
                Err(Verdict::ignore(COMMITTEE_NOT_KNOWN))
            }
            GossipMessage::Contribution(signed)
                if !self.knows_sync_committee(signed.message.contribution.slot) =>
            {
                Err(Verdict::ignore(COMMITTEE_NOT_KNOWN))
            }
            GossipMessage::SyncCommitteeMessage { subnet, message } => {
                let state = self.state_for_sync_committee(message.slot);
                validate_sync_committee_message_gossip(seen, state, message, now, *subnet)
                    .map(|c| as_facts(c, Facts::SyncMessage))
            }
            GossipMessage::Contribution(signed) => {
                let state = self.state_for_sync_committee(signed.message.contribution.slot);
                validate_sync_committee_contribution_and_proof_gossip(seen, state, signed, now)
                    .map(|c| as_facts(c, Facts::Contribution))
            }
            GossipMessage::Block(_)
            | GossipMessage::BlobSidecar { .. }
            | GossipMessage::DataColumnSidecar { .. }
            | GossipMessage::Attestation { .. }
            | GossipMessage::SingleAttestation { .. }
            | GossipMessage::Aggregate(_) => unreachable!("they have rules of their own"),
        };
        self.check_passed(incoming, checked);
    }

    /// The head's state as near to a slot as it is at hand: the committee changes with the period.
    pub(crate) fn state_for_sync_committee(&self, slot: Slot) -> &BeaconState {
        self.head.advanced.as_ref().filter(|state| state.slot <= slot).unwrap_or(&self.head.state)
    }

    /// True where the state at hand tells who votes in a slot. A head that is far behind, in an earlier period or before
    /// Altair, does not; that is no fault of whoever votes.
    fn knows_sync_committee(&self, slot: Slot) -> bool {
        let state = self.state_for_sync_committee(slot);
        let period = |slot: Slot| compute_sync_committee_period(self.spec, (slot + 1).epoch(self.spec));
        state.fork_name() >= ForkName::Altair && period(state.slot) == period(slot)
    }

    /// Takes such a message in, since its signatures are valid.
    pub(crate) fn accept_operation(
        &mut self,
        incoming: &Incoming,
        facts: Facts,
        message: GossipMessage,
        signature: Option<Signature>,
    ) {
        let seen = &mut self.seen;
        macro_rules! once {
            ($checked:expr) => {{
                if $checked.is_seen(seen) {
                    return self.judge(incoming, Verdict::ignore("already seen"));
                }
                $checked.mark_seen(seen);
            }};
        }
        let operations = Arc::make_mut(&mut self.pools.operations);
        let (event, is_in) = match (facts, message) {
            (Facts::VoluntaryExit(checked), GossipMessage::VoluntaryExit(exit)) => {
                once!(checked);
                (Some(Event::VoluntaryExit(exit.clone())), operations.insert_exit(exit))
            }
            (Facts::ProposerSlashing(checked), GossipMessage::ProposerSlashing(slashing)) => {
                once!(checked);
                let is_in = operations.insert_proposer_slashing(slashing.clone());
                (Some(Event::ProposerSlashing(slashing)), is_in)
            }
            (Facts::AttesterSlashing(checked), GossipMessage::AttesterSlashing(slashing)) => {
                once!(checked);
                let is_in = operations.insert_attester_slashing(slashing.clone());
                if let Err(invalid) = self.fork_choice.on_attester_slashing(&checked.indices) {
                    self.fault(format!("fork choice refuses a valid slashing: {invalid}"));
                }
                (Some(Event::AttesterSlashing(slashing)), is_in)
            }
            (Facts::BlsChange(checked), GossipMessage::BlsToExecutionChange(change)) => {
                once!(checked);
                let is_in = operations.insert_bls_change(change.clone());
                (Some(Event::BlsToExecutionChange(change)), is_in)
            }
            (Facts::SyncMessage(checked), GossipMessage::SyncCommitteeMessage { subnet, message }) => {
                once!(checked);
                let votes = Arc::make_mut(&mut self.pools.sync_votes);
                let is_in = signature.is_some_and(|signature| {
                    votes.insert_message(&message, &signature, subnet, &checked.places)
                });
                (None, is_in)
            }
            (Facts::Contribution(checked), GossipMessage::Contribution(signed)) => {
                if let Some(verdict) = checked.is_seen(seen) {
                    return self.judge(incoming, verdict);
                }
                checked.mark_seen(seen);
                let contribution: &SyncCommitteeContribution = &signed.message.contribution;
                let votes = Arc::make_mut(&mut self.pools.sync_votes);
                let is_in =
                    signature.is_some_and(|signature| votes.insert_contribution(contribution, &signature));
                (Some(Event::Contribution(signed)), is_in)
            }
            _ => unreachable!("facts are of their own message"),
        };
        self.counters.overflows += u64::from(!is_in);
        self.judge(incoming, Verdict::Accept);
        self.outputs.extend(event.map(Output::Event));
    }
}
