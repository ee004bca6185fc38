//! Validators by key, without a second copy of the keys.
//!
//! A table holds places in the registry, four bytes each and a byte of the table's own; whether a place has the key
//! that is looked for is asked of the registry. So an index may be used with the registry of another branch: a place
//! that has another key there is not found, instead of being wrong. A million validators take 11 MB.
//!
//! Depositors choose their keys, so the hash has a secret of its own (SipHash): keys that all fall into one bucket
//! cannot be made. The secret changes no result.
//!
//! The registry only grows, and clones of a state share the index. So there are two tables: a large one that is
//! shared, and a small one of those that joined since it was made, which is copied when it grows.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::{BlsPubkey, List, Validator};

/// The small table is merged into the large one when it has more entries than this,
const RECENT_MAX: usize = 1024;
/// and more than one in so many of those of the large one.
const RECENT_PART: usize = 64;

/// Validators by key, as of some length of the registry; see the module.
#[derive(Clone, Debug)]
pub struct PubkeyIndex {
    hasher: RandomState,
    settled: Arc<HashTable<u32>>,
    recent: HashTable<u32>,
    count: usize,
}

impl PubkeyIndex {
    /// The index of a whole registry.
    pub fn of(validators: &List<Validator>) -> Self {
        let hasher = RandomState::new();
        let settled = Arc::new(table_of_all(validators, &hasher));
        Self { hasher, settled, recent: HashTable::new(), count: validators.len() }
    }

    /// The index of this registry, which begins with the validators that this one was made of.
    pub fn extended(&self, validators: &List<Validator>) -> Self {
        let mut index = self.clone();
        let (settled, recent) = (self.settled.len(), self.recent.len());
        let added = validators.len().saturating_sub(self.count);
        if recent + added > RECENT_MAX.max(settled / RECENT_PART) {
            let mut table = HashTable::clone(&self.settled);
            let hash = hash_at(&self.hasher, validators);
            table.reserve(recent + added, &hash);
            for place in &self.recent {
                table.insert_unique(hash(place), *place, &hash);
            }
            insert(&mut table, &self.hasher, validators, self.count);
            (index.settled, index.recent) = (Arc::new(table), HashTable::new());
        } else {
            for place in self.count..validators.len() {
                if index.get(validators, &validators[place].pubkey).is_none() {
                    let hash = hash_at(&index.hasher, validators);
                    let place = small(place);
                    index.recent.insert_unique(hash(&place), place, hash);
                }
            }
        }
        index.count = validators.len();
        index
    }

    /// How many validators of the registry were looked at.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first validator with this key among those that were looked at.
    pub fn get(&self, validators: &List<Validator>, pubkey: &BlsPubkey) -> Option<usize> {
        let hash = self.hasher.hash_one(pubkey.0);
        let has_key = |place: &u32| key_at(validators, *place) == Some(pubkey);
        let found = self.settled.find(hash, has_key).or_else(|| self.recent.find(hash, has_key));
        found.map(|place| *place as usize)
    }
}

/// The table of a whole registry.
///
/// In the order of the registry each entry would be written somewhere else in a table that is larger than a processor's
/// caches. So the places are sorted coarsely by where they go, and the hashes, which come from one pass over the keys,
/// tell apart what falls together.
fn table_of_all(validators: &List<Validator>, hasher: &RandomState) -> HashTable<u32> {
    /// Sorted by so many of the bits that choose a bucket: they are the lowest ones of a hash.
    const PARTS: usize = 512;
    let hashes: Vec<u64> =
        validators.slices().flatten().map(|validator| hasher.hash_one(validator.pubkey.0)).collect();
    let mut table = HashTable::with_capacity(hashes.len());
    let shift = table.num_buckets().max(PARTS).ilog2() - PARTS.ilog2();
    let part_of = |hash: u64| (hash >> shift) as usize % PARTS;
    let mut ends = [0usize; PARTS];
    hashes.iter().for_each(|hash| ends[part_of(*hash)] += 1);
    let mut sum = 0;
    for end in &mut ends {
        sum += std::mem::replace(end, sum);
    }
    let mut sorted = vec![0u32; hashes.len()];
    for (place, hash) in hashes.iter().enumerate() {
        let end = &mut ends[part_of(*hash)];
        sorted[*end] = small(place);
        *end += 1;
    }
    // Within a part the order is still that of the registry: of equal keys the first comes first, and counts.
    let hash = |place: &u32| hashes[*place as usize];
    for place in sorted {
        let has_key = |known: &u32| {
            hash(known) == hash(&place) && key_at(validators, *known) == key_at(validators, place)
        };
        table.entry(hash(&place), has_key, hash).or_insert(place);
    }
    table
}

/// Inserts validators from a place on. Of equal keys the first counts, as it does in the specification.
fn insert(table: &mut HashTable<u32>, hasher: &RandomState, validators: &List<Validator>, from: usize) {
    let hash = hash_at(hasher, validators);
    for place in from..validators.len() {
        let key = &validators[place].pubkey;
        let has_key = |known: &u32| key_at(validators, *known) == Some(key);
        table.entry(hasher.hash_one(key.0), has_key, &hash).or_insert(small(place));
    }
}

fn hash_at<'a>(hasher: &'a RandomState, validators: &'a List<Validator>) -> impl Fn(&u32) -> u64 + 'a {
    |place| key_at(validators, *place).map_or(0, |key| hasher.hash_one(key.0))
}

fn key_at(validators: &List<Validator>, place: u32) -> Option<&BlsPubkey> {
    validators.get(place as usize).map(|validator| &validator.pubkey)
}

fn small(place: usize) -> u32 {
    u32::try_from(place).expect("a registry of 2^32 validators fits in no memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(number: u64) -> Validator {
        let mut validator = Validator::default();
        validator.pubkey.0[..8].copy_from_slice(&number.to_le_bytes());
        validator
    }

    fn registry(numbers: impl Iterator<Item = u64>) -> List<Validator> {
        numbers.map(validator).collect()
    }

    /// The first validator with the key, as a search finds it.
    fn search(validators: &List<Validator>, key: &BlsPubkey) -> Option<usize> {
        validators.iter().position(|validator| validator.pubkey == *key)
    }

    #[test]
    fn an_index_that_grows_with_the_registry_finds_what_a_search_finds() {
        let mut validators = registry((0..300).map(|number| number % 250));
        let mut index = PubkeyIndex::of(&validators);
        for step in [1, 3, 700, 20, 2000, 16] {
            let first = validators.len() as u64;
            // Half of them have keys that were there before.
            (0..step).for_each(|number| validators.push(validator((first + number) / 2)));
            index = index.extended(&validators);
            assert_eq!(index.count(), validators.len());
        }
        assert!(index.settled.len() > 300 && !index.recent.is_empty());
        for number in 0..4000 {
            let key = validator(number).pubkey;
            assert_eq!(index.get(&validators, &key), search(&validators, &key), "{number}");
        }
    }

    #[test]
    fn an_index_of_another_branch_finds_nothing_wrong() {
        let index = PubkeyIndex::of(&registry(0..100));
        let other = registry((0..50).chain(200..260));
        for number in 0..260 {
            let key = validator(number).pubkey;
            let found = index.get(&other, &key);
            assert!(found.is_none() || found == search(&other, &key));
            assert_eq!(found.is_some(), number < 50);
        }
    }

    #[test]
    fn the_index_it_was_extended_from_stays_as_it_was() {
        let mut validators = registry(0..10);
        let index = PubkeyIndex::of(&validators);
        validators.push(validator(10));
        let extended = index.extended(&validators);
        assert_eq!(index.get(&validators, &validator(10).pubkey), None);
        assert_eq!(extended.get(&validators, &validator(10).pubkey), Some(10));
    }
}
