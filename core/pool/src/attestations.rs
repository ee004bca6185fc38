//! Verified attestations by what they vote for, and the best aggregate of them.
//!
//! Single votes and aggregates are kept apart and unchanged. What is asked for is put together only when it is asked
//! for, off the writer's thread: the largest aggregate first, then those disjoint from it, then single votes that
//! are still missing. Adding up at arrival would lose such combinations, and costs a curve addition for votes that
//! nobody ever asks about.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::Signature;
use types::{Attestation, AttestationData, Bits, BlsSignature, Root, Slot};

/// Different votes of one slot. Further ones are dropped: honest validators cast a few for each committee.
pub const DATA_PER_SLOT_MAX: usize = 1024;

/// Aggregates of one vote. When there are more, the one with the fewest attesters goes.
pub const AGGREGATES_MAX: usize = 16;

/// What became of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It adds attesters or a combination.
    New,
    /// Something held covers it.
    Known,
    /// A bound is reached.
    Full,
}

/// Verified attestations; a clone costs a few pointers for each slot held.
#[derive(Clone, Debug, Default)]
pub struct AttestationPool {
    slots: BTreeMap<Slot, Arc<Votes>>,
}

/// The votes of one slot, by the root of their data.
type Votes = BTreeMap<Root, Arc<Vote>>;

/// Everyone who cast one vote.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub data: AttestationData,
    /// What the committees of the vote depend on, where that is known.
    pub shuffling: Option<Root>,
    /// Single votes, by their place in the committee.
    singles: BTreeMap<usize, BlsSignature>,
    /// Aggregates, none of which covers another; the one with the most attesters first.
    aggregates: Vec<Part>,
    committee_len: usize,
    committee_bits: Bits,
}

/// Some attesters of a vote, and their signature.
#[derive(Clone, Debug)]
struct Part {
    bits: Bits,
    signature: BlsSignature,
}

/// Attesters of one vote that can be put into one attestation.
#[derive(Clone, Debug)]
pub(crate) struct Combination {
    pub bits: Bits,
    signatures: Vec<BlsSignature>,
}

impl AttestationPool {
    /// Takes a verified attestation. `data_root` is the root of its data. `shuffling` is the last block before the
    /// epoch of its committees' seed, on its own chain, where that is known: an attestation cannot be packed on a
    /// chain whose committees are others.
    pub fn insert(
        &mut self,
        attestation: &Attestation,
        data_root: Root,
        shuffling: Option<Root>,
    ) -> Inserted {
        let slot = attestation.data.slot;
        let votes = self.slots.entry(slot).or_default();
        let known = votes.get(&data_root);
        if known.is_some_and(|vote| vote.covers(attestation)) {
            return Inserted::Known;
        }
        if known.is_none() && votes.len() >= DATA_PER_SLOT_MAX {
            return Inserted::Full;
        }
        let vote = Arc::make_mut(votes).entry(data_root).or_insert_with(|| {
            Arc::new(Vote {
                data: attestation.data.clone(),
                shuffling,
                singles: BTreeMap::new(),
                aggregates: Vec::new(),
                committee_len: attestation.aggregation_bits.len(),
                committee_bits: attestation.committee_bits.clone(),
            })
        });
        Arc::make_mut(vote).add(attestation)
    }

    /// The attestation with the most attesters that can be put together for a vote; none where there is no such vote.
    ///
    /// Costs a curve addition for each part, so it is not for the writer's thread.
    pub fn aggregate_attestation(&self, slot: Slot, data_root: Root) -> Option<Attestation> {
        let vote = self.slots.get(&slot)?.get(&data_root)?;
        vote.combinations(1).pop()?.attestation(vote)
    }

    /// The best aggregate of every vote of a slot, or of all slots, oldest first.
    pub fn best(&self, slot: Option<Slot>) -> Vec<Attestation> {
        let chosen = self.slots.iter().filter(|(of, _)| slot.is_none_or(|slot| slot == **of));
        let votes = chosen.flat_map(|(_, votes)| votes.values());
        votes.filter_map(|vote| vote.combinations(1).pop()?.attestation(vote)).collect()
    }

    /// Drops the votes of slots before this one.
    pub fn prune(&mut self, before: Slot) {
        if self.slots.first_key_value().is_some_and(|(slot, _)| *slot < before) {
            self.slots = self.slots.split_off(&before);
        }
    }

    /// How many different votes are held.
    pub fn len(&self) -> usize {
        self.slots.values().map(|votes| votes.len()).sum()
    }

    /// True where nothing is held.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All votes, oldest first.
    pub(crate) fn votes(&self) -> impl Iterator<Item = &Arc<Vote>> {
        self.slots.values().flat_map(|votes| votes.values())
    }
}

impl Vote {
    /// True where what is held in one piece has all its attesters.
    fn covers(&self, attestation: &Attestation) -> bool {
        let bits = &attestation.aggregation_bits;
        let single = bits.count_ones() == 1 && bits.ones().all(|place| self.singles.contains_key(&place));
        single || self.aggregates.iter().any(|part| part.bits.is_superset(bits))
    }

    fn add(&mut self, attestation: &Attestation) -> Inserted {
        let bits = &attestation.aggregation_bits;
        let mut places = bits.ones();
        let (Some(first), second) = (places.next(), places.next()) else { return Inserted::Known };
        if bits.len() != self.committee_len {
            return Inserted::Known;
        }
        if second.is_none() {
            self.singles.insert(first, attestation.signature);
            return Inserted::New;
        }
        self.aggregates.retain(|part| !bits.is_superset(&part.bits));
        let count = bits.count_ones();
        let place = self.aggregates.partition_point(|part| part.bits.count_ones() >= count);
        if place >= AGGREGATES_MAX {
            return Inserted::Full;
        }
        self.aggregates.insert(place, Part { bits: bits.clone(), signature: attestation.signature });
        self.aggregates.truncate(AGGREGATES_MAX);
        Inserted::New
    }

    /// Up to `count` different combinations, each begun with another aggregate and made as large as possible.
    pub fn combinations(&self, count: usize) -> Vec<Combination> {
        let empty = Combination { bits: Bits::zero(self.committee_len), signatures: Vec::new() };
        if self.aggregates.is_empty() {
            return vec![self.complete(empty)];
        }
        let mut made: Vec<Combination> = Vec::new();
        for first in self.aggregates.iter().take(count) {
            let begun = Combination { bits: first.bits.clone(), signatures: vec![first.signature] };
            let combination = self.complete(begun);
            if !made.iter().any(|other| other.bits.is_superset(&combination.bits)) {
                made.push(combination);
            }
        }
        made.sort_by_key(|combination| combination.bits.count_ones());
        made
    }

    fn complete(&self, mut made: Combination) -> Combination {
        for part in &self.aggregates {
            if !made.bits.intersects(&part.bits) {
                made.bits.union_with(&part.bits);
                made.signatures.push(part.signature);
            }
        }
        for (place, signature) in &self.singles {
            if !made.bits.get(*place) {
                made.bits.set(*place, true);
                made.signatures.push(*signature);
            }
        }
        made
    }
}

impl Combination {
    /// The attestation; none where a signature is no point, which verified ones are.
    pub fn attestation(self, vote: &Vote) -> Option<Attestation> {
        let signature = match self.signatures.as_slice() {
            [only] => *only,
            many => {
                let points = many.iter().map(|signature| Signature::from_compressed(&signature.0).ok());
                let sum = crypto::aggregate(&points.collect::<Option<Vec<_>>>()?).ok()?;
                types::FixedBytes(sum.compress())
            }
        };
        Some(Attestation {
            aggregation_bits: self.bits,
            data: vote.data.clone(),
            signature,
            committee_bits: vote.committee_bits.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crypto::{PublicKey, SecretKey};
    use types::{FixedBytes, SszExt};

    use super::*;

    const COMMITTEE: usize = 8;

    fn key(member: usize) -> SecretKey {
        let mut bytes = [3; 32];
        bytes[31] = member as u8;
        SecretKey::from_bytes(&bytes).unwrap()
    }

    fn data(slot: u64) -> AttestationData {
        AttestationData { slot: Slot(slot), ..AttestationData::default() }
    }

    fn root(data: &AttestationData) -> Root {
        data.hash_tree_root(types::Ctx::PLAIN)
    }

    fn attestation(members: &[usize], slot: u64) -> Attestation {
        let data = data(slot);
        let mut bits = Bits::zero(COMMITTEE);
        members.iter().for_each(|member| bits.set(*member, true));
        let signatures: Vec<_> = members.iter().map(|m| key(*m).sign(&root(&data).0)).collect();
        let signature = FixedBytes(crypto::aggregate(&signatures).unwrap().compress());
        Attestation { aggregation_bits: bits, data, signature, ..Attestation::default() }
    }

    fn pool(of: &[&[usize]]) -> AttestationPool {
        let mut pool = AttestationPool::default();
        for members in of {
            let attestation = attestation(members, 1);
            pool.insert(&attestation, root(&attestation.data), None);
        }
        pool
    }

    #[track_caller]
    fn check_best(of: &[&[usize]], expected: &[usize]) {
        let best = pool(of).aggregate_attestation(Slot(1), root(&data(1))).unwrap();
        assert_eq!(best.aggregation_bits.ones().collect::<Vec<_>>(), expected);
        let keys: Vec<Arc<PublicKey>> = expected.iter().map(|m| Arc::new(key(*m).public_key())).collect();
        let signature = Signature::from_compressed(&best.signature.0).unwrap();
        assert!(crypto::fast_aggregate_verify(&keys, &root(&data(1)).0, &signature));
    }

    #[test]
    fn single_votes_add_up() {
        check_best(&[&[0], &[3], &[5]], &[0, 3, 5]);
    }

    #[test]
    fn disjoint_aggregates_and_missing_single_votes_are_combined() {
        check_best(&[&[0, 1], &[2, 3, 4], &[4, 5], &[0], &[6]], &[0, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn single_votes_join_an_aggregate_that_came_later() {
        check_best(&[&[0], &[1], &[1, 2]], &[0, 1, 2]);
    }

    #[test]
    fn what_is_covered_is_known() {
        let mut pool = pool(&[&[0, 1, 2], &[4]]);
        for members in [[0, 1].as_slice(), &[2], &[4]] {
            let attestation = attestation(members, 1);
            assert_eq!(pool.insert(&attestation, root(&attestation.data), None), Inserted::Known);
        }
    }

    #[test]
    fn votes_and_aggregates_are_bounded() {
        let mut pool = AttestationPool::default();
        let mut attestation = attestation(&[1], 1);
        for number in 0..DATA_PER_SLOT_MAX as u64 + 5 {
            attestation.data.index = number.into();
            let expected = if number < DATA_PER_SLOT_MAX as u64 { Inserted::New } else { Inserted::Full };
            assert_eq!(pool.insert(&attestation, root(&attestation.data), None), expected);
        }
        assert_eq!(pool.len(), DATA_PER_SLOT_MAX);

        let mut vote = AttestationPool::default();
        for first in 0..COMMITTEE {
            for second in first + 1..COMMITTEE {
                let mut bits = Bits::zero(COMMITTEE);
                bits.set(first, true);
                bits.set(second, true);
                attestation.aggregation_bits = bits;
                vote.insert(&attestation, Root::ZERO, None);
            }
        }
        assert_eq!(vote.votes().next().unwrap().aggregates.len(), AGGREGATES_MAX);
    }

    #[test]
    fn old_slots_go() {
        let mut pool = AttestationPool::default();
        for slot in 1..6 {
            let attestation = attestation(&[1], slot);
            pool.insert(&attestation, root(&attestation.data), None);
        }
        pool.prune(Slot(4));
        assert_eq!(pool.len(), 2);
        assert_eq!(pool.best(None).len(), 2);
        assert_eq!(pool.best(Some(Slot(4))).len(), 1);
    }
}
