//! Verified votes of the sync committee, and the best aggregate of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::Signature;
use types::constants::{G2_POINT_AT_INFINITY, SYNC_COMMITTEE_SUBNET_COUNT};
use types::{
    Bits, FixedBytes, Root, Slot, Spec, SyncAggregate, SyncCommitteeContribution, SyncCommitteeMessage,
};

/// Blocks voted for in one slot by one subcommittee. Votes for further ones are refused: honest members vote for one or
/// two.
pub const SYNC_ROOTS_MAX: usize = 32;

/// Contributions held for one block by one subcommittee. When full, the one with the fewest votes goes.
pub const CONTRIBUTIONS_MAX: usize = 8;

/// Verified votes of the sync committee; a clone costs a pointer for each block voted for.
#[derive(Clone, Debug, Default)]
pub struct SyncPool {
    votes: BTreeMap<(Slot, u64), BTreeMap<Root, Arc<Votes>>>,
}

/// The votes of a subcommittee for a block. They are kept for two slots, and so their signatures as points, 192 bytes each.
#[derive(Clone, Debug, Default)]
struct Votes {
    /// Single votes by place.
    singles: BTreeMap<usize, Signature>,
    /// Contributions, the one with the most votes first.
    contributions: Vec<(Bits, Signature)>,
}

impl SyncPool {
    /// Takes a verified vote, with its signature as it was verified, at its validator's places in a subcommittee. False
    /// where there is no room for it.
    pub fn insert_message(
        &mut self,
        message: &SyncCommitteeMessage,
        signature: &Signature,
        subcommittee: u64,
        places: &[usize],
    ) -> bool {
        let Some(votes) = self.votes(message.slot, subcommittee, message.beacon_block_root) else {
            return false;
        };
        votes.singles.extend(places.iter().map(|place| (*place, *signature)));
        true
    }

    /// Takes a verified contribution, with its signature as it was verified. False where a better one is there, or no room
    /// for it.
    pub fn insert_contribution(
        &mut self,
        contribution: &SyncCommitteeContribution,
        signature: &Signature,
    ) -> bool {
        let SyncCommitteeContribution {
            slot,
            beacon_block_root,
            subcommittee_index,
            aggregation_bits: bits,
            signature: _,
        } = contribution;
        let Some(votes) = self.votes(*slot, *subcommittee_index, *beacon_block_root) else { return false };
        if votes.contributions.iter().any(|(known, _)| known.is_superset(bits)) {
            return false;
        }
        votes.contributions.retain(|(known, _)| !bits.is_superset(known));
        let count = bits.count_ones();
        let place = votes.contributions.partition_point(|(known, _)| known.count_ones() >= count);
        votes.contributions.insert(place, (bits.clone(), *signature));
        votes.contributions.truncate(CONTRIBUTIONS_MAX);
        place < CONTRIBUTIONS_MAX
    }

    fn votes(&mut self, slot: Slot, subcommittee: u64, root: Root) -> Option<&mut Votes> {
        let roots = self.votes.entry((slot, subcommittee)).or_default();
        if !roots.contains_key(&root) && roots.len() >= SYNC_ROOTS_MAX {
            return None;
        }
        Some(Arc::make_mut(roots.entry(root).or_default()))
    }

    /// The contribution with the most votes of a subcommittee for a block. Costs a curve addition for each part.
    pub fn contribution(
        &self,
        spec: &Spec,
        slot: Slot,
        root: Root,
        subcommittee: u64,
    ) -> Option<SyncCommitteeContribution> {
        let (aggregation_bits, signature) = self.best(spec, slot, root, subcommittee)?;
        let signature = FixedBytes(signature.compress());
        Some(SyncCommitteeContribution {
            slot,
            beacon_block_root: root,
            subcommittee_index: subcommittee,
            aggregation_bits,
            signature,
        })
    }

    fn best(&self, spec: &Spec, slot: Slot, root: Root, subcommittee: u64) -> Option<(Bits, Signature)> {
        self.votes.get(&(slot, subcommittee))?.get(&root)?.best(subcommittee_size(spec))
    }

    /// What a block upon `parent` includes: the votes of the slot before the block's for its parent. Nobody's votes
    /// where there are none.
    ///
    /// [`process_sync_committee_contributions`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/validator.md#sync-committee).
    pub fn sync_aggregate(&self, spec: &Spec, slot: Slot, parent: Root) -> SyncAggregate {
        let size = subcommittee_size(spec);
        let mut bits = Bits::zero(size * SYNC_COMMITTEE_SUBNET_COUNT as usize);
        let mut signatures = Vec::new();
        for subcommittee in 0..SYNC_COMMITTEE_SUBNET_COUNT {
            let best = self.best(spec, slot, parent, subcommittee);
            let Some((places, signature)) = best else { continue };
            let start = size * subcommittee as usize;
            places.ones().for_each(|place| bits.set(start + place, true));
            signatures.push(signature);
        }
        let signature = crypto::aggregate(&signatures).map(|sum| FixedBytes(sum.compress()));
        SyncAggregate {
            sync_committee_bits: bits,
            sync_committee_signature: signature.unwrap_or(G2_POINT_AT_INFINITY),
        }
    }

    /// Drops the votes of slots before this one.
    pub fn prune(&mut self, before: Slot) {
        if self.votes.first_key_value().is_some_and(|((slot, _), _)| *slot < before) {
            self.votes = self.votes.split_off(&(before, 0));
        }
    }

    /// How many pairs of a subcommittee and a block have votes.
    pub fn len(&self) -> usize {
        self.votes.values().map(BTreeMap::len).sum()
    }

    /// True where there are no votes.
    pub fn is_empty(&self) -> bool {
        self.votes.is_empty()
    }
}

impl Votes {
    /// The largest contribution, those disjoint from it, and single votes that are still missing.
    fn best(&self, size: usize) -> Option<(Bits, Signature)> {
        let mut bits = Bits::zero(size);
        let mut parts = Vec::new();
        for (other, signature) in &self.contributions {
            if other.len() == size && !bits.intersects(other) {
                bits.union_with(other);
                parts.push(*signature);
            }
        }
        for (place, signature) in &self.singles {
            if *place < size && !bits.get(*place) {
                bits.set(*place, true);
                parts.push(*signature);
            }
        }
        Some((bits, crypto::aggregate(&parts).ok()?))
    }
}

fn subcommittee_size(spec: &Spec) -> usize {
    (spec.preset.sync_committee_size / SYNC_COMMITTEE_SUBNET_COUNT) as usize
}

#[cfg(test)]
mod tests {
    use crypto::{PublicKey, SecretKey};
    use types::ValidatorIndex;

    use super::*;

    const ROOT: Root = FixedBytes([3; 32]);

    fn key(member: usize) -> SecretKey {
        let mut bytes = [3; 32];
        bytes[31] = member as u8;
        SecretKey::from_bytes(&bytes).unwrap()
    }

    fn message(member: usize) -> SyncCommitteeMessage {
        SyncCommitteeMessage {
            slot: Slot(5),
            beacon_block_root: ROOT,
            validator_index: ValidatorIndex(member as u64),
            signature: FixedBytes(key(member).sign(&ROOT.0).compress()),
        }
    }

    fn contribution(subcommittee_index: u64, members: &[(usize, usize)]) -> SyncCommitteeContribution {
        let mut aggregation_bits = Bits::zero(subcommittee_size(Spec::minimal()));
        members.iter().for_each(|(place, _)| aggregation_bits.set(*place, true));
        let signatures: Vec<_> = members.iter().map(|(_, member)| key(*member).sign(&ROOT.0)).collect();
        let signature = FixedBytes(crypto::aggregate(&signatures).unwrap().compress());
        SyncCommitteeContribution {
            slot: Slot(5),
            beacon_block_root: ROOT,
            subcommittee_index,
            aggregation_bits,
            signature,
        }
    }

    fn point(bytes: &types::BlsSignature) -> Signature {
        Signature::from_compressed(&bytes.0).unwrap()
    }

    fn insert_message(pool: &mut SyncPool, vote: &SyncCommitteeMessage, of: u64, places: &[usize]) -> bool {
        pool.insert_message(vote, &point(&vote.signature), of, places)
    }

    fn insert_contribution(pool: &mut SyncPool, contribution: &SyncCommitteeContribution) -> bool {
        pool.insert_contribution(contribution, &point(&contribution.signature))
    }

    #[track_caller]
    fn check(aggregate: &SyncAggregate, expected: &[(usize, usize)]) {
        let places: Vec<usize> = expected.iter().map(|(place, _)| *place).collect();
        assert_eq!(aggregate.sync_committee_bits.ones().collect::<Vec<_>>(), places);
        let keys: Vec<PublicKey> = expected.iter().map(|(_, m)| key(*m).public_key()).collect();
        let signature = Signature::from_compressed(&aggregate.sync_committee_signature.0).unwrap();
        assert!(crypto::fast_aggregate_verify(&keys, &ROOT.0, &signature));
    }

    #[test]
    fn votes_of_all_subcommittees_add_up() {
        let mut pool = SyncPool::default();
        // Member 1 sits in two places of the first subcommittee, so that its vote counts twice.
        assert!(insert_message(&mut pool, &message(1), 0, &[0, 3]));
        assert!(insert_message(&mut pool, &message(2), 0, &[5]));
        assert!(insert_contribution(&mut pool, &contribution(2, &[(1, 4), (2, 6)])));
        let aggregate = pool.sync_aggregate(Spec::minimal(), Slot(5), ROOT);
        check(&aggregate, &[(0, 1), (3, 1), (5, 2), (17, 4), (18, 6)]);
    }

    #[test]
    fn single_votes_fill_the_gaps_of_contributions() {
        let mut pool = SyncPool::default();
        assert!(insert_contribution(&mut pool, &contribution(0, &[(0, 1), (1, 2)])));
        assert!(!insert_contribution(&mut pool, &contribution(0, &[(1, 2)])));
        assert!(insert_contribution(&mut pool, &contribution(0, &[(4, 5)])));
        assert!(insert_message(&mut pool, &message(2), 0, &[1]));
        assert!(insert_message(&mut pool, &message(7), 0, &[7]));
        let aggregate = pool.sync_aggregate(Spec::minimal(), Slot(5), ROOT);
        check(&aggregate, &[(0, 1), (1, 2), (4, 5), (7, 7)]);
    }

    #[test]
    fn nobody_s_votes_are_the_point_at_infinity() {
        let aggregate = SyncPool::default().sync_aggregate(Spec::minimal(), Slot(5), ROOT);
        assert_eq!(aggregate.sync_committee_signature, G2_POINT_AT_INFINITY);
        assert_eq!(
            (aggregate.sync_committee_bits.len(), aggregate.sync_committee_bits.count_ones()),
            (32, 0)
        );
    }

    #[test]
    fn votes_are_bounded_and_old_slots_go() {
        let mut pool = SyncPool::default();
        let mut vote = message(1);
        for number in 0..SYNC_ROOTS_MAX as u8 + 2 {
            vote.beacon_block_root = FixedBytes([number; 32]);
            assert_eq!(insert_message(&mut pool, &vote, 1, &[0]), usize::from(number) < SYNC_ROOTS_MAX);
        }
        pool.prune(Slot(5));
        assert_eq!(pool.len(), SYNC_ROOTS_MAX);
        pool.prune(Slot(6));
        assert!(pool.is_empty());
    }
}
