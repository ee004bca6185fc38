//! Contributions: for each subcommittee with an aggregator among the members, the votes that the node has.

use std::collections::BTreeSet;

use types::{
    BlsPubkey, BlsSignature, ContributionAndProof, Root, SignedContributionAndProof, Slot,
    SyncCommitteeContribution, ValidatorIndex,
};

use super::{Aggregator, SyncPurpose};
use crate::Duties;
use crate::duties::Purpose;
use crate::selection::{is_sync_committee_aggregator, sync_subcommittee_size};
use crate::traffic::{Ask, Duty};

type Results = Vec<Result<BlsSignature, String>>;

impl Duties {
    /// Signs the selection proofs of a slot once: one for each member and subcommittee.
    pub(super) fn sync_prove(&mut self, slot: Slot) {
        if std::mem::replace(&mut self.sync.slot(slot).proofs_asked, true) {
            return;
        }
        let size = sync_subcommittee_size(self.spec).max(1);
        let mut of = Vec::new();
        for duty in self.members_of(slot) {
            let parts: BTreeSet<u64> = duty.places.iter().map(|place| place / size).collect();
            of.extend(parts.into_iter().map(|part| (duty.pubkey, duty.validator_index, part)));
        }
        let request = |(pubkey, _, part): &(BlsPubkey, ValidatorIndex, u64)| {
            self.domains.get_sync_committee_selection_proof(*pubkey, slot, *part)
        };
        let requests = of.iter().map(request).collect();
        self.sign(Purpose::Sync(SyncPurpose::Proofs(slot, of)), requests);
    }

    pub(super) fn sync_proofs_known(
        &mut self,
        slot: Slot,
        of: Vec<(BlsPubkey, ValidatorIndex, u64)>,
        proofs: Results,
    ) {
        let mut unsigned = Vec::new();
        for ((pubkey, validator, subcommittee), proof) in of.into_iter().zip(proofs) {
            match proof {
                Ok(proof) if is_sync_committee_aggregator(self.spec, &proof) => {
                    let aggregator = Aggregator { pubkey, validator, subcommittee, proof };
                    self.sync.slot(slot).aggregators.push(aggregator);
                }
                Ok(_) => {}
                Err(why) => unsigned.push((validator, why)),
            }
        }
        for (validator, why) in unsigned {
            let why = format!("the selection proof was not signed: {why}");
            self.missed(Duty::Contribution(slot), vec![validator], why);
        }
    }

    fn contributors(&self, slot: Slot, subcommittee: u64) -> Vec<Aggregator> {
        let all = self.sync.slots.get(&slot).into_iter().flat_map(|work| &work.aggregators);
        all.filter(|aggregator| aggregator.subcommittee == subcommittee).copied().collect()
    }

    /// Asks for the contributions of the current slot that are due, each once.
    pub(crate) fn contribute(&mut self) {
        let Some(slot) = self.current_slot() else { return };
        if self.now < self.contribution_due(slot) {
            return;
        }
        let Some(work) = self.sync.slots.get_mut(&slot) else { return };
        // Before the vote there is nothing to contribute to.
        let Some(root) = work.root else { return };
        let parts: BTreeSet<u64> =
            work.aggregators.iter().map(|aggregator| aggregator.subcommittee).collect();
        for part in parts {
            if self.sync.slot(slot).contributions_asked.insert(part) {
                let purpose = SyncPurpose::Contribution(slot, part, root);
                self.ask(Purpose::Sync(purpose), Ask::Contribution(slot, part, root));
            }
        }
    }

    pub(super) fn contribution_failed(&mut self, slot: Slot, part: u64, root: Root, why: &str) {
        let purpose = Purpose::Sync(SyncPurpose::Contribution(slot, part, root));
        if !self.again(purpose, self.start_of(slot + 1)) {
            self.contribution_lost(slot, part, format!("the node gave no contribution: {why}"));
        }
    }

    fn contribution_lost(&mut self, slot: Slot, part: u64, why: impl Into<String>) {
        let of = self.contributors(slot, part).iter().map(|aggregator| aggregator.validator).collect();
        self.missed(Duty::Contribution(slot), of, why);
    }

    pub(super) fn contribution_known(
        &mut self,
        slot: Slot,
        part: u64,
        root: Root,
        contribution: &SyncCommitteeContribution,
    ) {
        let place = (contribution.slot, contribution.subcommittee_index, contribution.beacon_block_root);
        if place != (slot, part, root) {
            return self.contribution_lost(slot, part, "the node's contribution is of other votes");
        }
        let size = sync_subcommittee_size(self.spec);
        if contribution.aggregation_bits.len() as u64 != size
            || contribution.aggregation_bits.count_ones() == 0
        {
            return self.contribution_lost(slot, part, "the node's contribution holds no votes");
        }
        let (mut requests, mut all) = (Vec::new(), Vec::new());
        for aggregator in self.contributors(slot, part) {
            let message = ContributionAndProof {
                aggregator_index: aggregator.validator,
                contribution: contribution.clone(),
                selection_proof: aggregator.proof,
            };
            requests.push(self.domains.get_contribution_and_proof_signature(aggregator.pubkey, &message));
            all.push(SignedContributionAndProof { message, signature: BlsSignature::ZERO });
        }
        self.sign(Purpose::Sync(SyncPurpose::ContributionSignatures(slot, all)), requests);
    }

    pub(super) fn contributions_signed(
        &mut self,
        slot: Slot,
        all: Vec<SignedContributionAndProof>,
        results: Results,
    ) {
        if results.len() != all.len() {
            let of = all.iter().map(|signed| signed.message.aggregator_index).collect();
            return self.missed(Duty::Contribution(slot), of, "the signer answered with too few signatures");
        }
        let mut signed = Vec::new();
        for (mut item, result) in all.into_iter().zip(results) {
            match result {
                Ok(signature) => {
                    item.signature = signature;
                    signed.push(item);
                }
                Err(why) => {
                    let of = vec![item.message.aggregator_index];
                    self.missed(Duty::Contribution(slot), of, format!("it was not signed: {why}"));
                }
            }
        }
        let Some(first) = signed.first() else { return };
        let root = first.message.contribution.beacon_block_root;
        let of = signed.iter().map(|item| item.message.aggregator_index).collect();
        let purpose = SyncPurpose::ContributionPublication(slot, root, of);
        self.ask(Purpose::Sync(purpose), Ask::PublishContributions(signed));
    }

    pub(super) fn close_contributions(&mut self, slot: Slot) {
        let Some(work) = self.sync.slots.get(&slot) else { return };
        let parts: BTreeSet<u64> =
            work.aggregators.iter().map(|aggregator| aggregator.subcommittee).collect();
        let lost: Vec<u64> = parts.difference(&work.contributions_asked).copied().collect();
        for part in lost {
            self.contribution_lost(slot, part, "there was no vote to contribute to");
        }
    }
}
