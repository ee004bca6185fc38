//! Attestations: one set of data a slot, and one batch of signatures for all keys whose turn it is.

use std::collections::{BTreeMap, BTreeSet};

use types::{
    Attestation, AttestationData, Bits, BlsSignature, CommitteeIndex, Epoch, ForkName, Root,
    SingleAttestation, Slot, SszExt, Time, ValidatorIndex,
};

use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::{Ask, AttesterDuty, Duty};

/// What the votes of a slot are made from.
#[derive(Debug, Default)]
pub(crate) struct Vote {
    asked: bool,
    pub(crate) data: Option<AttestationData>,
    pub(crate) failure: Option<String>,
}

/// How far the signing of selection proofs is, which goes on in portions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Proving {
    /// Nothing is lacking.
    #[default]
    Idle,
    /// A portion is with the signer.
    Signing { since: Time },
    /// The signer is to be left to others for a while.
    Resting { until: Time },
}

impl Proving {
    /// When the rest ends.
    pub(crate) fn rest(self) -> Option<Time> {
        if let Self::Resting { until } = self { Some(until) } else { None }
    }
}

/// The votes of the slots under work, and who voted.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    pub(crate) slots: BTreeMap<Slot, Vote>,
    pub(crate) aggregates_asked: BTreeSet<(Slot, CommitteeIndex)>,
    /// Who was handed to the signer in an epoch. Whatever duties change into, nobody is handed over twice.
    attested: BTreeMap<Epoch, BTreeSet<ValidatorIndex>>,
    /// Whose attestation of an epoch was reported as missed.
    reported: BTreeMap<Epoch, BTreeSet<ValidatorIndex>>,
    pub(crate) proving: Proving,
}

impl Votes {
    pub(crate) fn has_attested(&self, epoch: Epoch, validator: ValidatorIndex) -> bool {
        self.attested.get(&epoch).is_some_and(|set| set.contains(&validator))
    }

    pub(crate) fn forget_before(&mut self, epoch: Epoch) {
        self.attested.retain(|of, _| *of >= epoch);
        self.reported.retain(|of, _| *of >= epoch);
    }
}

impl Duties {
    /// Works on the votes of the slots that are open.
    pub(crate) fn attest(&mut self) {
        let Some(current) = self.current_slot() else { return };
        for slot in (self.next_close.0..=current.0).map(Slot) {
            // The head event of the slot says that there is nothing to wait for.
            if self.now < self.attestation_due(slot) && self.head_slot != Some(slot) {
                continue;
            }
            let duties = self.votes_to_make(slot);
            if duties.is_empty() {
                continue;
            }
            let vote = self.votes.slots.entry(slot).or_default();
            if let Some(data) = vote.data.clone() {
                self.sign_votes(&duties, &data);
            } else if !vote.asked {
                vote.asked = true;
                self.ask(Purpose::Data(slot), Ask::AttestationData(slot));
            }
        }
    }

    fn votes_to_make(&self, slot: Slot) -> Vec<AttesterDuty> {
        let epoch = slot.epoch(self.spec);
        let mut duties = self.attestations_of(slot);
        duties.retain(|duty| !self.votes.has_attested(epoch, duty.validator_index));
        duties
    }

    pub(crate) fn data_failed(&mut self, slot: Slot, why: String) {
        // Without time for another try the question counts as asked for good: a node that refuses at once would else
        // be asked again at once, until the slot is closed.
        self.again(Purpose::Data(slot), self.close_of(slot));
        if let Some(vote) = self.votes.slots.get_mut(&slot) {
            vote.failure = Some(format!("the node gave no attestation data: {why}"));
        }
    }

    pub(crate) fn data_known(&mut self, slot: Slot, data: AttestationData) {
        let epoch = slot.epoch(self.spec);
        let wrong = if data.slot != slot {
            Some(format!("it gave some for slot {}", data.slot))
        } else if data.target.epoch != epoch {
            Some(format!("it gave some with target {}", data.target.epoch))
        } else if data.source.epoch > epoch {
            Some(format!("it gave some with source {}, after its target", data.source.epoch))
        } else {
            None
        };
        if let Some(why) = wrong {
            self.data_failed(slot, why);
        } else if let Some(vote) = self.votes.slots.get_mut(&slot) {
            vote.data = Some(AttestationData { index: CommitteeIndex(0), ..data });
        }
    }

    fn sign_votes(&mut self, duties: &[AttesterDuty], data: &AttestationData) {
        let epoch = data.target.epoch;
        let validators: Vec<ValidatorIndex> = duties.iter().map(|duty| duty.validator_index).collect();
        self.votes.attested.entry(epoch).or_default().extend(validators.iter().copied());
        let of_committee = |duty: &AttesterDuty| {
            let index = self.index_in_data(data.slot, duty.committee_index);
            (*duty, AttestationData { index, ..data.clone() })
        };
        let votes: Vec<(AttesterDuty, AttestationData)> = duties.iter().map(of_committee).collect();
        let requests = votes
            .iter()
            .map(|(duty, data)| self.domains.get_attestation_signature(duty.pubkey, data))
            .collect();
        self.sign(Purpose::VoteSignatures(votes), requests);
    }

    pub(crate) fn votes_signed(
        &mut self,
        votes: Vec<(AttesterDuty, AttestationData)>,
        results: Vec<Result<BlsSignature, String>>,
    ) {
        let Some((first, data)) = votes.first() else { return };
        let (slot, root) = (first.slot, data.beacon_block_root);
        if results.len() != votes.len() {
            let of = votes.iter().map(|(duty, _)| duty.validator_index).collect();
            return self.missed(Duty::Attestation(slot), of, "the signer answered with too few signatures");
        }
        let (mut signed, mut validators) = (Vec::new(), Vec::new());
        let mut unsigned: BTreeMap<String, Vec<ValidatorIndex>> = BTreeMap::new();
        for ((duty, data), result) in votes.into_iter().zip(results) {
            match result {
                Ok(signature) => {
                    validators.push(duty.validator_index);
                    signed.push((duty, data, signature));
                }
                Err(why) => unsigned.entry(why).or_default().push(duty.validator_index),
            }
        }
        for (why, of) in unsigned {
            self.missed(Duty::Attestation(slot), of, format!("it was not signed: {why}"));
        }
        if !signed.is_empty() {
            let publication = match self.spec.fork_name_at_slot(slot) >= ForkName::Electra {
                true => Ask::PublishSingleAttestations(signed.into_iter().map(single_attestation).collect()),
                false => Ask::PublishAttestations(signed.into_iter().map(attestation).collect()),
            };
            self.ask(Purpose::VotePublication(slot, root, validators), publication);
        }
    }

    pub(crate) fn close_votes(&mut self, slot: Slot) {
        let left = self.votes_to_make(slot);
        let failure = self.votes.slots.get(&slot).and_then(|vote| vote.failure.clone());
        let why = match (failure, self.votes.slots.contains_key(&slot)) {
            (Some(why), _) => why,
            (None, true) => "the node gave no attestation data in time".to_owned(),
            (None, false) => "it was learned too late, or the clock leapt over the slot".to_owned(),
        };
        self.report_votes(slot, left, why);
    }

    /// Reports votes as missed, those of them that were not reported yet.
    pub(crate) fn report_votes(&mut self, slot: Slot, mut duties: Vec<AttesterDuty>, why: String) {
        let reported = self.votes.reported.entry(slot.epoch(self.spec)).or_default();
        duties.retain(|duty| reported.insert(duty.validator_index));
        let of = duties.iter().map(|duty| duty.validator_index).collect();
        self.missed(Duty::Attestation(slot), of, why);
    }

    /// What the data of a committee's votes names: the committee, until
    /// [Electra](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#construct-attestation).
    fn index_in_data(&self, slot: Slot, committee: CommitteeIndex) -> CommitteeIndex {
        if self.spec.fork_name_at_slot(slot) >= ForkName::Electra { CommitteeIndex(0) } else { committee }
    }

    /// The data of a slot's votes as a committee signs it, and its root.
    pub(crate) fn committee_data(
        &self,
        slot: Slot,
        index: CommitteeIndex,
    ) -> Option<(AttestationData, Root)> {
        let data = self.votes.slots.get(&slot)?.data.clone()?;
        let data = AttestationData { index: self.index_in_data(slot, index), ..data };
        let root = data.hash_tree_root(ssz::Ctx::PLAIN);
        Some((data, root))
    }
}

/// A vote with its signature.
type Signed = (AttesterDuty, AttestationData, BlsSignature);

fn attestation((duty, data, signature): Signed) -> Attestation {
    let mut aggregation_bits = Bits::zero(duty.committee_length as usize);
    aggregation_bits.set(duty.validator_committee_index as usize, true);
    Attestation { aggregation_bits, data, signature, committee_bits: Bits::default() }
}

fn single_attestation((duty, data, signature): Signed) -> SingleAttestation {
    let AttesterDuty { committee_index, validator_index: attester_index, .. } = duty;
    SingleAttestation { committee_index, attester_index, data, signature }
}
