//! Verified attestations by what they vote for and in which committee, and the best aggregate of them.
//!
//! Since Electra (EIP-7549) the data no longer names the committee, so a vote is known by both; before it the data's
//! own index is the committee, and the pair says nothing new.
//!
//! Single votes and aggregates are kept apart and unchanged. What is asked for is put together only when it is asked
//! for, off the writer's thread: the largest aggregate first, then those disjoint from it, then single votes that
//! are still missing. Adding up at arrival would lose such combinations, and costs a curve addition for votes that
//! nobody ever asks about.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::Signature;
use transition::accessors::get_committee_indices;
use types::{Attestation, AttestationData, Bits, CommitteeIndex, Root, Slot};

use crate::held::{Held, sum};

/// Different votes of one slot, those of different committees counted apart. Further ones are dropped: honest
/// validators cast a few for each committee.
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
    /// From this slot on signatures are held as points, too.
    points_from: Slot,
}

/// The votes of one slot, by the root of their data and their committee.
type Votes = BTreeMap<(Root, CommitteeIndex), Arc<Vote>>;

/// Everyone in a committee who cast one vote.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub data: AttestationData,
    pub committee_index: CommitteeIndex,
    /// What the committees of the vote depend on, where that is known.
    pub shuffling: Option<Root>,
    /// Single votes, by their place in the committee.
    singles: BTreeMap<usize, Held>,
    /// Aggregates, none of which covers another; the one with the most attesters first.
    aggregates: Vec<Part>,
    committee_len: usize,
    /// As the attestations have them: empty before Electra.
    committee_bits: Bits,
}

/// Some attesters of a vote, and their signature.
#[derive(Clone, Debug)]
struct Part {
    bits: Bits,
    signature: Held,
}

/// Attesters of one vote that can be put into one attestation.
#[derive(Clone, Debug)]
pub(crate) struct Combination {
    pub bits: Bits,
    pub signatures: Vec<Held>,
}

impl AttestationPool {
    /// Takes a verified attestation of one committee; one of several is [`Inserted::Known`], since it was made of such.
    /// `signature` is its signature as it was verified. `data_root` is the root of its data. `shuffling` is the last block before the
    /// epoch of its committees' seed, on its own chain, where that is known: an attestation cannot be packed on a
    /// chain whose committees are others.
    pub fn insert(
        &mut self,
        attestation: &Attestation,
        signature: &Signature,
        data_root: Root,
        shuffling: Option<Root>,
    ) -> Inserted {
        let slot = attestation.data.slot;
        let Some(committee_index) = committee_index(attestation) else { return Inserted::Known };
        let votes = self.slots.entry(slot).or_default();
        let known = votes.get(&(data_root, committee_index));
        if known.is_some_and(|vote| vote.covers(attestation)) {
            return Inserted::Known;
        }
        if known.is_none() && votes.len() >= DATA_PER_SLOT_MAX {
            return Inserted::Full;
        }
        let vote = Arc::make_mut(votes).entry((data_root, committee_index)).or_insert_with(|| {
            Arc::new(Vote {
                data: attestation.data.clone(),
                committee_index,
                shuffling,
                singles: BTreeMap::new(),
                aggregates: Vec::new(),
                committee_len: attestation.aggregation_bits.len(),
                committee_bits: attestation.committee_bits.clone(),
            })
        });
        let mut held = Held::new(attestation.signature, signature);
        if slot < self.points_from {
            held.forget_point();
        }
        Arc::make_mut(vote).add(attestation, held)
    }

    /// The attestation with the most attesters that can be put together for a committee's vote; none where there is no
    /// such vote. Without a committee it is that of the first committee with such data, which before Electra is the
    /// only one.
    ///
    /// Costs a curve addition for each part, so it is not for the writer's thread.
    pub fn aggregate_attestation(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Option<Attestation> {
        let votes = self.slots.get(&slot)?;
        let vote = match committee {
            Some(index) => votes.get(&(data_root, index))?,
            None => {
                votes.range((data_root, CommitteeIndex(0))..=(data_root, CommitteeIndex(u64::MAX))).next()?.1
            }
        };
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

    /// Drops the points of signatures of slots before this one, and keeps their bytes: most votes are added up in their
    /// own slot and the next, by aggregators and proposers, and the few that are later are decompressed again.
    ///
    /// Costs a pass over the votes of the slots since the last time.
    pub fn forget_points(&mut self, before: Slot) {
        if before <= self.points_from {
            return;
        }
        for votes in self.slots.range_mut(self.points_from..before).map(|(_, votes)| votes) {
            Arc::make_mut(votes).values_mut().for_each(|vote| Arc::make_mut(vote).forget_points());
        }
        self.points_from = before;
    }

    /// How many signatures are held as points.
    pub fn points(&self) -> usize {
        self.votes().map(|(_, vote)| vote.held().filter(|held| held.has_point()).count()).sum()
    }

    /// How many different votes are held.
    pub fn len(&self) -> usize {
        self.slots.values().map(|votes| votes.len()).sum()
    }

    /// True where nothing is held.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All votes with the roots of their data, oldest first, those of equal data together.
    pub(crate) fn votes(&self) -> impl Iterator<Item = (Root, &Arc<Vote>)> {
        self.slots.values().flat_map(|votes| votes.iter().map(|((root, _), vote)| (*root, vote)))
    }
}

/// The committee of an attestation; none where it is of several or of none.
fn committee_index(attestation: &Attestation) -> Option<CommitteeIndex> {
    if attestation.committee_bits.is_empty() {
        return Some(attestation.data.index);
    }
    let mut indices = get_committee_indices(&attestation.committee_bits);
    indices.next().filter(|_| indices.next().is_none())
}

impl Vote {
    /// True where what is held in one piece has all its attesters.
    fn covers(&self, attestation: &Attestation) -> bool {
        let bits = &attestation.aggregation_bits;
        let single = bits.count_ones() == 1 && bits.ones().all(|place| self.singles.contains_key(&place));
        single || self.aggregates.iter().any(|part| part.bits.is_superset(bits))
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.singles.values().chain(self.aggregates.iter().map(|part| &part.signature))
    }

    fn forget_points(&mut self) {
        self.singles.values_mut().for_each(Held::forget_point);
        self.aggregates.iter_mut().for_each(|part| part.signature.forget_point());
    }

    fn add(&mut self, attestation: &Attestation, signature: Held) -> Inserted {
        let bits = &attestation.aggregation_bits;
        let mut places = bits.ones();
        let (Some(first), second) = (places.next(), places.next()) else { return Inserted::Known };
        if bits.len() != self.committee_len {
            return Inserted::Known;
        }
        if second.is_none() {
            self.singles.insert(first, signature);
            return Inserted::New;
        }
        self.aggregates.retain(|part| !bits.is_superset(&part.bits));
        let count = bits.count_ones();
        let place = self.aggregates.partition_point(|part| part.bits.count_ones() >= count);
        if place >= AGGREGATES_MAX {
            return Inserted::Full;
        }
        self.aggregates.insert(place, Part { bits: bits.clone(), signature });
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
            let begun = Combination { bits: first.bits.clone(), signatures: vec![first.signature.clone()] };
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
                made.signatures.push(part.signature.clone());
            }
        }
        for (place, signature) in &self.singles {
            if !made.bits.get(*place) {
                made.bits.set(*place, true);
                made.signatures.push(signature.clone());
            }
        }
        made
    }
}

impl Combination {
    /// The attestation in the form of the votes; none where a signature is no point, which verified ones are.
    pub fn attestation(self, vote: &Vote) -> Option<Attestation> {
        Some(Attestation {
            signature: sum(&self.signatures)?,
            aggregation_bits: self.bits,
            data: vote.data.clone(),
            committee_bits: vote.committee_bits.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
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
            insert(&mut pool, &attestation, root(&attestation.data));
        }
        pool
    }

    #[track_caller]
    fn check_best(of: &[&[usize]], expected: &[usize]) {
        let best = pool(of).aggregate_attestation(Slot(1), root(&data(1)), None).unwrap();
        assert_eq!(best.aggregation_bits.ones().collect::<Vec<_>>(), expected);
        let keys: Vec<PublicKey> = expected.iter().map(|m| key(*m).public_key()).collect();
        let signature = Signature::from_compressed(&best.signature.0).unwrap();
        assert!(crypto::fast_aggregate_verify(&keys, &root(&data(1)).0, &signature));
    }

    fn insert(pool: &mut AttestationPool, attestation: &Attestation, data_root: Root) -> Inserted {
        let signature = Signature::from_compressed(&attestation.signature.0).unwrap();
        pool.insert(attestation, &signature, data_root, None)
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
            assert_eq!(insert(&mut pool, &attestation, root(&attestation.data)), Inserted::Known);
        }
    }

    #[test]
    fn votes_and_aggregates_are_bounded() {
        let mut pool = AttestationPool::default();
        let mut attestation = attestation(&[1], 1);
        for number in 0..DATA_PER_SLOT_MAX as u64 + 5 {
            attestation.data.index = number.into();
            let expected = if number < DATA_PER_SLOT_MAX as u64 { Inserted::New } else { Inserted::Full };
            assert_eq!(insert(&mut pool, &attestation, root(&attestation.data)), expected);
        }
        assert_eq!(pool.len(), DATA_PER_SLOT_MAX);

        let mut vote = AttestationPool::default();
        for first in 0..COMMITTEE {
            for second in first + 1..COMMITTEE {
                let mut bits = Bits::zero(COMMITTEE);
                bits.set(first, true);
                bits.set(second, true);
                attestation.aggregation_bits = bits;
                insert(&mut vote, &attestation, Root::ZERO);
            }
        }
        assert_eq!(vote.votes().next().unwrap().1.aggregates.len(), AGGREGATES_MAX);
    }

    #[test]
    fn committees_with_the_same_data_are_kept_apart() {
        let of_committee = |index, members: &[usize]| {
            let mut committee_bits = Bits::zero(4);
            committee_bits.set(index, true);
            Attestation { committee_bits, ..attestation(members, 1) }
        };
        let data_root = root(&data(1));
        let mut pool = AttestationPool::default();
        for of in [of_committee(1, &[0]), of_committee(3, &[0, 1]), of_committee(1, &[2])] {
            assert_eq!(insert(&mut pool, &of, data_root), Inserted::New);
        }
        let aggregate = |index| pool.aggregate_attestation(Slot(1), data_root, Some(CommitteeIndex(index)));
        let members = |index| aggregate(index).map(|a| a.aggregation_bits.ones().collect::<Vec<_>>());
        assert_eq!([0, 1, 3].map(members), [None, Some(vec![0, 2]), Some(vec![0, 1])]);
        assert_eq!(aggregate(3).unwrap().committee_bits, of_committee(3, &[0]).committee_bits);
        assert_eq!(pool.best(Some(Slot(1))).len(), 2);
        let mut of_two = of_committee(1, &[5]);
        of_two.committee_bits.set(2, true);
        assert_eq!(insert(&mut pool, &of_two, data_root), Inserted::Known);
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn what_is_added_up_is_the_same_with_points_and_without() {
        let of: [&[usize]; 5] = [&[0, 1], &[2, 3, 4], &[5], &[4, 5], &[6]];
        let mut pool = pool(&of);
        assert_eq!(pool.points(), 5);
        let with_points = pool.best(None);
        pool.forget_points(Slot(1));
        assert_eq!(pool.points(), 5, "those of the slot stay");
        pool.forget_points(Slot(2));
        assert_eq!(pool.points(), 0);
        assert_eq!(pool.best(None), with_points);
        let members = [0, 1, 2, 3, 4, 5, 6];
        assert_eq!(with_points, [attestation(&members, 1)], "the same bytes as signed together");
        // What comes late is held without, and what comes in time with its point.
        insert(&mut pool, &attestation(&[7], 1), root(&data(1)));
        assert_eq!(pool.points(), 0);
        insert(&mut pool, &attestation(&[7], 2), root(&data(2)));
        assert_eq!(pool.points(), 1);
        assert_eq!(pool.best(Some(Slot(1))), [attestation(&[0, 1, 2, 3, 4, 5, 6, 7], 1)]);
    }

    #[test]
    fn old_slots_go() {
        let mut pool = AttestationPool::default();
        for slot in 1..6 {
            let attestation = attestation(&[1], slot);
            insert(&mut pool, &attestation, root(&attestation.data));
        }
        pool.prune(Slot(4));
        assert_eq!(pool.len(), 2);
        assert_eq!(pool.best(None).len(), 2);
        assert_eq!(pool.best(Some(Slot(4))).len(), 1);
    }
}
