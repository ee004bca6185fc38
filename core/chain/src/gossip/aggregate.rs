//! `beacon_aggregate_and_proof`.

use crypto::hash;
use transition::accessors::{get_beacon_committee, get_committee_count_per_slot, get_indexed_attestation};
use transition::signatures::{aggregate_and_proof_set, attestation_set, selection_proof_set};
use types::constants::TARGET_AGGREGATORS_PER_COMMITTEE;
use types::{
    Attestation, BeaconState, Bits, BlsSignature, CommitteeIndex, Ctx, Epoch, ForkName, Root,
    SignedAggregateAndProof, Slot, Spec, SszExt, Time, ValidatorIndex,
};

use super::attestation::{check_blocks, check_slot};
use super::{BlockStore, Checked, Seen};
use crate::{Verdict, Why};

/// An aggregate with the same votes, or more, is known already.
pub const AGGREGATE_KNOWN: Why = Why("already seen aggregate for this data");

/// An aggregate that passed all rules but its signatures.
#[derive(Clone, Debug)]
pub struct CheckedAggregate {
    slot: Slot,
    committee_index: CommitteeIndex,
    data_root: Root,
    bits: Bits,
    target_epoch: Epoch,
    aggregator: ValidatorIndex,
    /// Who attested, in ascending order.
    pub attesters: Vec<ValidatorIndex>,
}

/// [`is_aggregator`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#aggregation-selection)
/// for a committee of so many members.
pub fn is_aggregator(committee_length: usize, selection_proof: &BlsSignature) -> bool {
    let modulo = (committee_length as u64 / TARGET_AGGREGATORS_PER_COMMITTEE).max(1);
    let digest = hash(&selection_proof.0);
    u64::from_le_bytes(digest[..8].try_into().expect("8 bytes")) % modulo == 0
}

/// [`validate_beacon_aggregate_and_proof_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beacon_aggregate_and_proof).
///
/// `state` tells the committees of the target epoch: it is of the target's chain and of that epoch or next to it.
pub fn validate_beacon_aggregate_and_proof_gossip(
    seen: &Seen,
    store: &dyn BlockStore,
    state: &BeaconState,
    signed: &SignedAggregateAndProof,
    now: Time,
) -> Result<Checked<CheckedAggregate>, Verdict> {
    let (message, aggregate) = (&signed.message, &signed.message.aggregate);
    let data = &aggregate.data;
    check_slot(state, data, now)?;
    let index = committee_index(state.spec(), aggregate)?;
    if index >= get_committee_count_per_slot(state, data.target.epoch) {
        return Err(Verdict::reject("committee index out of range"));
    }
    let committee = get_beacon_committee(state, data.slot, index)
        .map_err(|_| Verdict::ignore("the shuffling of the target epoch is not available"))?;
    let indexed = get_indexed_attestation(state, aggregate)
        .map_err(|_| Verdict::reject("aggregation bits length does not match committee size"))?;
    if indexed.attesting_indices.is_empty() {
        return Err(Verdict::reject("aggregate has no participants"));
    }
    let facts = CheckedAggregate {
        slot: data.slot,
        committee_index: index,
        data_root: data.hash_tree_root(Ctx::PLAIN),
        bits: aggregate.aggregation_bits.clone(),
        target_epoch: data.target.epoch,
        aggregator: message.aggregator_index,
        attesters: indexed.attesting_indices.clone(),
    };
    if let Some(verdict) = facts.is_seen(seen) {
        return Err(verdict);
    }
    if !is_aggregator(committee.len(), &message.selection_proof) {
        return Err(Verdict::reject("validator is not selected as aggregator"));
    }
    if !committee.contains(&message.aggregator_index) {
        return Err(Verdict::reject("aggregator index not in committee"));
    }
    let signatures = [
        (selection_proof_set(state, signed), "invalid selection proof signature"),
        (aggregate_and_proof_set(state, signed), "invalid aggregator signature"),
        (attestation_set(state, aggregate), "invalid aggregate signature"),
    ];
    let signatures = signatures.into_iter().map(|(set, why)| match set {
        Ok(set) => Ok((set, Why(why))),
        Err(_) => Err(Verdict::reject(why)),
    });
    let signatures = signatures.collect::<Result<_, _>>()?;
    check_blocks(store, data)?;
    Ok(Checked { signatures, facts })
}

/// The one committee of an aggregate. Since Electra it is not part of what is signed.
fn committee_index(spec: &Spec, aggregate: &Attestation) -> Result<CommitteeIndex, Verdict> {
    let data = &aggregate.data;
    if spec.fork_name_at_slot(data.slot) < ForkName::Electra {
        return Ok(data.index);
    }
    if data.index != 0 {
        return Err(Verdict::reject("aggregate data index is non-zero"));
    }
    let mut indices = aggregate.committee_bits.ones();
    match (indices.next(), indices.next()) {
        (Some(index), None) => Ok(CommitteeIndex(index as u64)),
        _ => Err(Verdict::reject("aggregate committee bits must specify exactly one committee")),
    }
}

impl CheckedAggregate {
    /// The verdict where an aggregate as good, or another of this aggregator, was seen.
    pub fn is_seen(&self, seen: &Seen) -> Option<Verdict> {
        let known = seen.aggregate_data_roots.get(&(self.slot, self.data_root, self.committee_index));
        if known.is_some_and(|known| known.iter().any(|bits| bits.is_superset(&self.bits))) {
            return Some(Verdict::Ignore(AGGREGATE_KNOWN));
        }
        seen.aggregator_epochs
            .contains(&(self.target_epoch, self.aggregator))
            .then_some(Verdict::ignore("already seen aggregate for this epoch and aggregator"))
    }

    /// Remembers the aggregate; its signatures are verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.aggregator_epochs.insert((self.target_epoch, self.aggregator));
        let known =
            seen.aggregate_data_roots.entry((self.slot, self.data_root, self.committee_index)).or_default();
        known.retain(|bits| !self.bits.is_superset(bits));
        known.push(self.bits.clone());
    }
}
