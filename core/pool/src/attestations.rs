//! Attestations by what they vote for, added up where their voters differ.

use std::collections::BTreeMap;

use crypto::Signature;
use types::{Attestation, AttestationData, Bits, Ctx, Root, Slot, SszExt};

/// Votes of a slot with different data: a committee each, and a few forks. Further ones are dropped.
const DATA_PER_SLOT_MAX: usize = 512;
/// Aggregates kept for one vote. When full, a new one replaces the smallest where it is larger.
const AGGREGATES_MAX: usize = 32;

#[derive(Clone, Debug)]
struct Aggregate {
    bits: Bits,
    signature: Signature,
}

/// All that is known of one vote.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) data: AttestationData,
    aggregates: Vec<Aggregate>,
}

/// Attestations whose signatures are verified, by slot and data.
#[derive(Clone, Debug, Default)]
pub struct AttestationPool {
    votes: BTreeMap<Slot, BTreeMap<Root, Vote>>,
}

impl Vote {
    fn insert(&mut self, new: Aggregate) {
        if self.aggregates.iter().any(|known| known.bits.is_superset(&new.bits)) {
            return;
        }
        self.aggregates.retain(|known| !new.bits.is_superset(&known.bits));
        let apart = self
            .aggregates
            .iter_mut()
            .find(|known| known.bits.len() == new.bits.len() && !known.bits.intersects(&new.bits));
        if let Some(known) = apart {
            known.add(&new);
            return;
        }
        if self.aggregates.len() < AGGREGATES_MAX {
            self.aggregates.push(new);
            return;
        }
        let smallest = self.aggregates.iter_mut().min_by_key(|known| known.bits.count_ones());
        if let Some(smallest) = smallest.filter(|known| known.bits.count_ones() < new.bits.count_ones()) {
            *smallest = new;
        }
    }

    /// The aggregates as attestations.
    pub(crate) fn attestations(&self) -> impl Iterator<Item = Attestation> + '_ {
        self.aggregates.iter().map(|aggregate| Attestation {
            aggregation_bits: aggregate.bits.clone(),
            data: self.data.clone(),
            signature: aggregate.signature.compress().into(),
            committee_bits: Bits::default(),
        })
    }
}

impl Aggregate {
    fn add(&mut self, other: &Self) {
        self.bits.union_with(&other.bits);
        self.signature =
            crypto::aggregate(&[self.signature, other.signature]).expect("two signatures can be added");
    }
}

impl AttestationPool {
    /// Adds an attestation that passed all checks. One whose signature is no point is not added.
    pub fn insert(&mut self, attestation: &Attestation) {
        let Ok(signature) = Signature::from_compressed(&attestation.signature.0) else { return };
        let data = &attestation.data;
        let votes = self.votes.entry(data.slot).or_default();
        let root = data.hash_tree_root(Ctx::PLAIN);
        if !votes.contains_key(&root) && votes.len() >= DATA_PER_SLOT_MAX {
            return;
        }
        let vote = votes.entry(root).or_insert_with(|| Vote { data: data.clone(), aggregates: Vec::new() });
        vote.insert(Aggregate { bits: attestation.aggregation_bits.clone(), signature });
    }

    /// The aggregate with the most voters.
    pub fn best_aggregate(&self, slot: Slot, data_root: &Root) -> Option<Attestation> {
        let vote = self.votes.get(&slot)?.get(data_root)?;
        vote.attestations().max_by_key(|attestation| attestation.aggregation_bits.count_ones())
    }

    /// All attestations, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Attestation> + '_ {
        self.votes.values().flat_map(BTreeMap::values).flat_map(Vote::attestations)
    }

    /// Votes of slots from `first` on.
    pub(crate) fn votes_from(&self, first: Slot) -> impl Iterator<Item = &Vote> {
        self.votes.range(first..).flat_map(|(_, votes)| votes.values())
    }

    /// Forgets votes of slots before `first`.
    pub fn prune(&mut self, first: Slot) {
        self.votes = self.votes.split_off(&first);
    }

    /// How many different votes are kept.
    pub fn len(&self) -> usize {
        self.votes.values().map(BTreeMap::len).sum()
    }

    /// True where nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SecretKey;

    fn attestation(members: usize, voters: &[usize]) -> Attestation {
        let data = AttestationData { slot: Slot(5), ..AttestationData::default() };
        let mut aggregation_bits = Bits::zero(members);
        let mut signatures = Vec::new();
        for voter in voters {
            aggregation_bits.set(*voter, true);
            signatures.push(SecretKey::from_bytes(&[*voter as u8 + 1; 32]).unwrap().sign(b"vote"));
        }
        let signature = crypto::aggregate(&signatures).unwrap().compress().into();
        Attestation { aggregation_bits, data, signature, committee_bits: Bits::default() }
    }

    #[test]
    fn votes_of_different_voters_are_added_up() {
        let mut pool = AttestationPool::default();
        for voter in 0..4 {
            pool.insert(&attestation(4, &[voter]));
        }
        let root = attestation(4, &[0]).data.hash_tree_root(Ctx::PLAIN);
        assert_eq!(pool.best_aggregate(Slot(5), &root).unwrap(), attestation(4, &[0, 1, 2, 3]));
        assert_eq!(pool.iter().count(), 1);
    }

    #[test]
    fn what_overlaps_is_kept_apart_and_what_is_contained_is_dropped() {
        let mut pool = AttestationPool::default();
        pool.insert(&attestation(4, &[0, 1]));
        pool.insert(&attestation(4, &[1, 2, 3]));
        pool.insert(&attestation(4, &[2]));
        assert_eq!(pool.iter().count(), 2);
        pool.prune(Slot(6));
        assert!(pool.is_empty());
    }
}
