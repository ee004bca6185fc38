//! Who attested, committee by committee, without a list of who they are.

use std::ops::Range;
use std::sync::Arc;

use crypto::{KeySum, PublicKey};
use types::{Attestation, BeaconState, Bits, CommitteeCache, CommitteeIndex, Slot, ValidatorIndex};

use crate::accessors::{AccessError, committee_cache, get_committee_indices, public_key};

/// The committees of an attestation with their bits, which are as many as they have members.
pub(crate) struct Attesters<'a> {
    bits: &'a Bits,
    cache: Arc<CommitteeCache>,
    committees: Vec<CommitteeBits>,
}

/// A committee that may have voted.
struct CommitteeBits {
    /// Its number in the epoch.
    number: usize,
    /// Where its members are in the shuffling.
    members: Range<usize>,
    /// The place of its first bit.
    first_bit: usize,
    voted: usize,
}

impl<'a> Attesters<'a> {
    /// Of an attestation of any fork; modified in Electra, where bits name the committees. An error where there is no
    /// such committee, or bits and members differ in number.
    pub fn of(state: &BeaconState, attestation: &'a Attestation) -> Result<Self, AccessError> {
        let (data, bits) = (&attestation.data, &attestation.aggregation_bits);
        let cache = committee_cache(state, data.slot.epoch(state.spec()))?;
        let mut first_bit = 0;
        let mut committee = |index: CommitteeIndex| {
            let range = cache.range(data.slot, index.0);
            let members = range.ok_or(AccessError::NoCommittee { slot: data.slot, index })?;
            let bits_of_it = first_bit..first_bit + members.len();
            let voted = bits_of_it.clone().filter(|place| bits.get(*place)).count();
            // The range is there only for a slot of the epoch.
            let number = number(&cache, data.slot, index.0);
            let found = CommitteeBits { number, members, first_bit, voted };
            first_bit = bits_of_it.end;
            Ok(found)
        };
        // An attestation of a fork before Electra has no such bits, whatever the fork of the state.
        let committees = if attestation.committee_bits.is_empty() {
            vec![committee(data.index)?]
        } else {
            let indices = get_committee_indices(&attestation.committee_bits);
            indices.map(&mut committee).collect::<Result<Vec<_>, AccessError>>()?
        };
        if bits.len() != first_bit {
            return Err(AccessError::BitsLength { bits: bits.len(), members: first_bit });
        }
        Ok(Self { bits, cache, committees })
    }

    /// True where nobody voted.
    pub fn is_empty(&self) -> bool {
        self.committees.iter().all(|committee| committee.voted == 0)
    }

    /// True where somebody of each committee voted.
    pub fn is_of_every_committee(&self) -> bool {
        self.committees.iter().all(|committee| committee.voted > 0)
    }

    /// Those who voted, committee by committee; nobody is in two.
    pub fn iter(&self) -> impl Iterator<Item = ValidatorIndex> + '_ {
        self.committees.iter().flat_map(|committee| self.members(committee, true))
    }

    fn members(&self, committee: &CommitteeBits, voted: bool) -> impl Iterator<Item = ValidatorIndex> + '_ {
        let members = self.cache.shuffling[committee.members.clone()].iter().zip(committee.first_bit..);
        members.filter(move |(_, place)| self.bits.get(*place) == voted).map(|(member, _)| *member)
    }

    /// The sum of their keys.
    pub fn key_sum(&self, state: &BeaconState) -> Result<PublicKey, AccessError> {
        let mut sum = KeySum::default();
        for committee in &self.committees {
            let missing = committee.members.len() - committee.voted;
            // With many missing it takes as much to take them off as to add up the others. And where some member has
            // no key there is no sum of all.
            let CommitteeBits { number, members, .. } = committee;
            let of_all = (committee.voted >= 3 * missing)
                .then(|| committee_sum(state, &self.cache, *number, members.clone()));
            if let Some(Ok(of_all)) = of_all {
                sum.add(&of_all);
                for index in self.members(committee, false) {
                    sum.subtract(&public_key(state, index)?);
                }
            } else {
                for index in self.members(committee, true) {
                    sum.add(&public_key(state, index)?);
                }
            }
        }
        Ok(sum.finish())
    }
}

/// Adds up the keys of a slot's committees ahead of need: whoever verifies their votes finds the sums. Committees that
/// have a member whose key was not decompressed yet are passed over, since that would take seconds where there are many.
pub fn remember_key_sums(state: &BeaconState, slot: Slot) -> Result<(), AccessError> {
    let cache = committee_cache(state, slot.epoch(state.spec()))?;
    let keys = &state.context.caches.pubkeys;
    for index in 0..cache.committees_per_slot {
        let Some(members) = cache.range(slot, index) else { continue };
        if cache.shuffling[members.clone()].iter().all(|member| keys.is_known(member.as_usize())) {
            committee_sum(state, &cache, number(&cache, slot, index), members)?;
        }
    }
    Ok(())
}

/// The number of a committee in its epoch, of which the slot must be.
fn number(cache: &CommitteeCache, slot: Slot, index: u64) -> usize {
    ((slot.0 - cache.first_slot.0) * cache.committees_per_slot + index) as usize
}

/// The sum of the keys of all members of a committee.
fn committee_sum(
    state: &BeaconState,
    cache: &CommitteeCache,
    number: usize,
    members: Range<usize>,
) -> Result<PublicKey, AccessError> {
    let count = (cache.committees_per_slot * cache.slots_per_epoch) as usize;
    let memo = cache.key_sums.of(number, count);
    if let Some(sum) = memo.and_then(|memo| memo.get()) {
        return Ok(*sum);
    }
    let mut sum = KeySum::default();
    for index in &cache.shuffling[members] {
        sum.add(&public_key(state, *index)?);
    }
    let sum = sum.finish();
    // Another thread may have been faster, with the same sum.
    let _ = memo.map(|memo| memo.set(sum));
    Ok(sum)
}
