//! Aggregates: for each committee with an aggregator among the keys, the node's best one, with the proof.

use std::collections::{BTreeMap, BTreeSet};

use types::{
    AggregateAndProof, Attestation, BlsSignature, CommitteeIndex, ForkName, Root, SignedAggregateAndProof,
    Slot, ValidatorIndex,
};

use crate::Duties;
use crate::duties::Purpose;
use crate::schedule::Attester;
use crate::traffic::{Ask, Duty};

impl Duties {
    fn aggregators_of(&self, slot: Slot) -> BTreeMap<CommitteeIndex, Vec<Attester>> {
        let mut committees: BTreeMap<CommitteeIndex, Vec<Attester>> = BTreeMap::new();
        for attester in self.attesters_of(slot).filter(|attester| attester.is_aggregator) {
            committees.entry(attester.duty.committee_index).or_default().push(*attester);
        }
        committees
    }

    /// Asks for the aggregates that are due, each once.
    pub(crate) fn aggregate(&mut self) {
        let Some(current) = self.current_slot() else { return };
        for slot in (self.next_close.0..=current.0).map(Slot) {
            if self.now < self.aggregate_due(slot) {
                continue;
            }
            for index in self.aggregators_of(slot).into_keys() {
                let Some((_, root)) = self.committee_data(slot, index) else { continue };
                if self.votes.aggregates_asked.insert((slot, index)) {
                    self.ask(Purpose::Aggregate(slot, index, root), Ask::Aggregate(slot, index, root));
                }
            }
        }
    }

    pub(crate) fn aggregate_failed(&mut self, slot: Slot, index: CommitteeIndex, root: Root, why: String) {
        let why = format!("the node gave no aggregate: {why}");
        if !self.again(Purpose::Aggregate(slot, index, root), self.close_of(slot)) {
            self.aggregates_lost(slot, index, why);
        }
    }

    fn aggregates_lost(&mut self, slot: Slot, index: CommitteeIndex, why: String) {
        let of = self.aggregators_of(slot).remove(&index).unwrap_or_default();
        let of = of.iter().map(|attester| attester.duty.validator_index).collect();
        self.missed(Duty::Aggregate(slot), of, why);
    }

    pub(crate) fn aggregate_known(
        &mut self,
        slot: Slot,
        index: CommitteeIndex,
        _root: Root,
        aggregate: Attestation,
    ) {
        let Some((data, _)) = self.committee_data(slot, index) else { return };
        let aggregators = self.aggregators_of(slot).remove(&index).unwrap_or_default();
        let Some(length) = aggregators.first().map(|attester| attester.duty.committee_length) else { return };
        if aggregate.data != data {
            let why = "the node's aggregate is of other data".to_owned();
            return self.aggregates_lost(slot, index, why);
        }
        if aggregate.aggregation_bits.len() as u64 != length {
            let why = "the node's aggregate is of a committee of another size".to_owned();
            return self.aggregates_lost(slot, index, why);
        }
        // Since Electra the data no longer tells the committee.
        let is_electra = self.spec.fork_name_at_slot(slot) >= ForkName::Electra;
        if is_electra && !aggregate.committee_bits.ones().eq([index.as_usize()]) {
            return self.aggregates_lost(slot, index, "the node's aggregate is of another committee".into());
        }
        let (mut requests, mut aggregates) = (Vec::new(), Vec::new());
        for attester in &aggregators {
            let Some(selection_proof) = attester.selection_proof else { continue };
            let message =
                get_aggregate_and_proof(attester.duty.validator_index, aggregate.clone(), selection_proof);
            let request = self.domains.get_aggregate_and_proof_signature(attester.duty.pubkey, &message);
            requests.push(request);
            aggregates.push(SignedAggregateAndProof { message, signature: BlsSignature::ZERO });
        }
        self.sign(Purpose::AggregateSignatures(slot, aggregates), requests);
    }

    pub(crate) fn aggregates_signed(
        &mut self,
        slot: Slot,
        aggregates: Vec<SignedAggregateAndProof>,
        results: Vec<Result<BlsSignature, String>>,
    ) {
        let all = aggregates.iter().map(|item| item.message.aggregator_index).collect();
        if results.len() != aggregates.len() {
            return self.missed(Duty::Aggregate(slot), all, "the signer answered with too few signatures");
        }
        let mut signed = Vec::new();
        for (mut item, result) in aggregates.into_iter().zip(results) {
            match result {
                Ok(signature) => {
                    item.signature = signature;
                    signed.push(item);
                }
                Err(why) => {
                    let of = vec![item.message.aggregator_index];
                    self.missed(Duty::Aggregate(slot), of, format!("it was not signed: {why}"));
                }
            }
        }
        let Some(root) = signed.first().map(|item| item.message.aggregate.data.beacon_block_root) else {
            return;
        };
        let of = signed.iter().map(|item| item.message.aggregator_index).collect();
        self.ask(Purpose::AggregatePublication(slot, root, of), Ask::PublishAggregates(signed));
    }

    /// Reports the aggregates of a slot that were never asked for, and forgets the slot's votes.
    pub(crate) fn close_aggregates(&mut self, slot: Slot) {
        for index in self.aggregators_of(slot).into_keys() {
            if !self.votes.aggregates_asked.contains(&(slot, index)) {
                self.aggregates_lost(slot, index, "there was no attestation data to aggregate for".into());
            }
        }
        let keep: BTreeSet<_> = self.votes.aggregates_asked.split_off(&(slot + 1, CommitteeIndex(0)));
        self.votes.aggregates_asked = keep;
        self.votes.slots = self.votes.slots.split_off(&(slot + 1));
    }
}

/// [`get_aggregate_and_proof`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#broadcast-aggregate).
fn get_aggregate_and_proof(
    aggregator_index: ValidatorIndex,
    aggregate: Attestation,
    selection_proof: BlsSignature,
) -> AggregateAndProof {
    AggregateAndProof { aggregator_index, aggregate, selection_proof }
}
