//! Values derived from a state's fields, remembered so that they are computed once.
//!
//! The cells are pure memos: not serialized, no part of equality, shared by clones. Each names what it was computed
//! for, and a reader that wants another value computes it instead of taking a stale one:
//!
//! | cell | belongs to | what it depends on can change |
//! |---|---|---|
//! | active validators | epoch | never: who is active is settled `MAX_SEED_LOOKAHEAD` epochs before |
//! | committees | epoch, seed and decision block | never: seed and active set are settled `MIN_SEED_LOOKAHEAD` epochs before |
//! | proposers | epoch and seed | when an epoch ends (effective balances) |
//! | total active balance | epoch | when an epoch ends (effective balances, activity) |
//! | weights of targets | epoch, and the registry as it was | with each slashing and deposit; readers look at what differs |
//! | validators by key | a length of the registry | never: the registry only grows; entries beyond are searched |
//! | decompressed keys | the compressed key | never |
//!
//! Within an epoch nothing of this moves: activations and exits take effect `1 + MAX_SEED_LOOKAHEAD` epochs later, a
//! slashing leaves the effective balance and the active set as they are, and the mixes that seeds come from are of
//! epochs that are over. [`StateCaches::enter_epoch`] moves the cells on when the state's epoch changes. Whoever
//! writes effective balances, activation or exit epochs by hand, as a test does, calls [`StateCaches::forget`].

use std::sync::{Arc, OnceLock};

use crypto::PubkeyTable;

use crate::key_sums::KeySums;
use crate::pubkey_index::PubkeyIndex;
use crate::{Epoch, Gwei, Root, Slot, TargetWeights, ValidatorIndex};

/// What decides the committees of an epoch. States with equal keys have equal committees.
///
/// The seed alone would not do: two blocks of one proposer for one slot have the same reveal, and so lead to the same
/// seed, but may activate different validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShufflingKey {
    /// The epoch of the committees.
    pub epoch: Epoch,
    /// The last block before the committees were settled; zero where that is the genesis block.
    pub decision_root: Root,
    /// The seed of the shuffling.
    pub seed: [u8; 32],
}

/// The committees of an epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct CommitteeCache {
    /// What decided them.
    pub key: ShufflingKey,
    /// The epoch's first slot.
    pub first_slot: Slot,
    /// Slots in an epoch.
    pub slots_per_epoch: u64,
    /// Committees in each slot.
    pub committees_per_slot: u64,
    /// All active validators in shuffled order, committee after committee.
    pub shuffling: Vec<ValidatorIndex>,
    /// The sums of the committees' keys, as far as they were asked for.
    pub key_sums: KeySums,
}

impl CommitteeCache {
    /// Where a committee lies in the shuffling; none where the slot is of another epoch or has no such committee.
    pub fn range(&self, slot: Slot, index: u64) -> Option<std::ops::Range<usize>> {
        let place = slot.0.checked_sub(self.first_slot.0).filter(|place| *place < self.slots_per_epoch)?;
        if index >= self.committees_per_slot {
            return None;
        }
        let count = self.committees_per_slot * self.slots_per_epoch;
        let number = place * self.committees_per_slot + index;
        let length = self.shuffling.len() as u64;
        Some((length * number / count) as usize..(length * (number + 1) / count) as usize)
    }
}

/// The proposers of an epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct ProposerCache {
    /// The epoch.
    pub epoch: Epoch,
    /// The seed that they were drawn with.
    pub seed: [u8; 32],
    /// The proposer of each slot of the epoch.
    pub proposers: Arc<Vec<ValidatorIndex>>,
}

/// Who is active in an epoch, a bit for each validator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveSet {
    /// The epoch.
    pub epoch: Epoch,
    bits: Vec<u64>,
    count: usize,
}

impl ActiveSet {
    /// An empty set of an epoch with room for so many validators.
    pub fn with_capacity(epoch: Epoch, validators: usize) -> Self {
        Self { epoch, bits: Vec::with_capacity(validators.div_ceil(64)), count: 0 }
    }

    /// Appends up to 64 validators, the first of them in the lowest bit. All but the last call must append 64.
    pub fn push(&mut self, bits: u64) {
        self.count += bits.count_ones() as usize;
        self.bits.push(bits);
    }

    /// How many are active.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Makes the validator at `index` active or not; nothing where the set does not reach so far.
    pub fn set(&mut self, index: usize, is_active: bool) {
        let Some(word) = self.bits.get_mut(index / 64) else { return };
        let bit = 1 << (index % 64);
        self.count -= usize::from(*word & bit != 0);
        *word = if is_active { *word | bit } else { *word & !bit };
        self.count += usize::from(is_active);
    }

    /// The active validators in ascending order.
    pub fn indices(&self) -> Vec<u32> {
        let mut indices = Vec::with_capacity(self.count);
        for (first, word) in (0u32..).step_by(64).zip(&self.bits) {
            if *word == u64::MAX {
                indices.extend(first..first + 64);
                continue;
            }
            let mut left = *word;
            while left != 0 {
                indices.push(first + left.trailing_zeros());
                left &= left - 1;
            }
        }
        indices
    }
}

/// Lazy cells of a state; see the module.
#[derive(Clone, Debug, Default)]
pub struct StateCaches {
    /// The epoch around which the cells lie.
    pub epoch: Epoch,
    /// Committees of the previous, the current and the next epoch.
    pub committees: [OnceLock<Arc<CommitteeCache>>; 3],
    /// Active validators of the same epochs.
    pub active: [OnceLock<Arc<ActiveSet>>; 3],
    /// Active validators of the epoch after the next one, which the end of an epoch leaves for the state that enters it.
    pub active_ahead: Option<Arc<ActiveSet>>,
    /// Proposers of the current epoch.
    pub proposers: OnceLock<Arc<ProposerCache>>,
    /// An epoch, and the active validators' effective balance in it.
    pub total_active_balance: OnceLock<(Epoch, Gwei)>,
    /// What votes for targets weigh in the current epoch.
    pub target_weights: OnceLock<Arc<TargetWeights>>,
    /// Validators by key.
    pub pubkey_index: OnceLock<Arc<PubkeyIndex>>,
    /// Decompressed keys. States of one network should share one table: filling an entry takes 60 µs.
    pub pubkeys: Arc<PubkeyTable>,
}

impl StateCaches {
    /// Empty cells for a state at an epoch.
    pub fn at(epoch: Epoch) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Moves the cells on to the epoch that the state has entered.
    pub fn enter_epoch(&mut self, epoch: Epoch) {
        if epoch == self.epoch {
            return;
        }
        let follows = Some(epoch.0) == self.epoch.0.checked_add(1);
        let [_, current, next] = std::mem::take(&mut self.committees);
        let [_, active, active_next] = std::mem::take(&mut self.active);
        let ahead = self.active_ahead.take();
        if follows {
            self.committees = [current, next, OnceLock::new()];
            self.active = [active, active_next, ahead.map_or_else(OnceLock::new, OnceLock::from)];
        }
        self.epoch = epoch;
        self.proposers = OnceLock::new();
        self.target_weights = OnceLock::new();
        // The end of the epoch before may have found it already.
        if self.total_active_balance.get().is_none_or(|(of, _)| *of != epoch) {
            self.total_active_balance = OnceLock::new();
        }
    }

    /// Forgets what follows from fields that were written by hand; keys are kept, for they cannot be wrong.
    pub fn forget(&mut self) {
        *self = Self { epoch: self.epoch, pubkeys: self.pubkeys.clone(), ..Self::default() };
    }

    /// Takes over the decompressed keys of another state, which may be of any branch: a state that was just decoded
    /// has none of its own.
    pub fn share_keys_of(&mut self, other: &Self) {
        self.pubkeys = other.pubkeys.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committees(epoch: u64) -> OnceLock<Arc<CommitteeCache>> {
        let key = ShufflingKey { epoch: Epoch(epoch), decision_root: Root::ZERO, seed: [0; 32] };
        let shuffling = (0..10).map(ValidatorIndex).collect();
        let (first_slot, slots_per_epoch) = (Slot(epoch * 8), 8);
        let (committees_per_slot, key_sums) = (2, KeySums::default());
        Arc::new(CommitteeCache {
            key,
            first_slot,
            slots_per_epoch,
            committees_per_slot,
            shuffling,
            key_sums,
        })
        .into()
    }

    fn filled() -> StateCaches {
        let total = (Epoch(5), Gwei(7)).into();
        let committees = [committees(4), committees(5), committees(6)];
        StateCaches { epoch: Epoch(5), committees, total_active_balance: total, ..StateCaches::default() }
    }

    fn epochs(caches: &StateCaches) -> Vec<Option<u64>> {
        caches.committees.iter().map(|cell| cell.get().map(|cache| cache.key.epoch.0)).collect()
    }

    #[test]
    fn the_next_epoch_keeps_two_committees_and_no_balance() {
        let mut caches = filled();
        caches.enter_epoch(Epoch(6));
        assert_eq!(epochs(&caches), [Some(5), Some(6), None]);
        assert_eq!((caches.epoch, caches.total_active_balance.get()), (Epoch(6), None));
    }

    #[test]
    fn another_epoch_than_the_next_keeps_nothing() {
        for epoch in [4, 7, 100] {
            let mut caches = filled();
            caches.enter_epoch(Epoch(epoch));
            assert_eq!(epochs(&caches), [None, None, None]);
        }
    }

    #[test]
    fn the_same_epoch_keeps_everything() {
        let mut caches = filled();
        caches.enter_epoch(Epoch(5));
        assert_eq!(epochs(&caches), [Some(4), Some(5), Some(6)]);
        assert!(caches.total_active_balance.get().is_some());
    }

    #[test]
    fn committees_lie_one_after_the_other_and_cover_the_epoch() {
        let cell = committees(5);
        let cache = cell.get().unwrap();
        let mut end = 0;
        for slot in 40..48 {
            for index in 0..2 {
                let range = cache.range(Slot(slot), index).unwrap();
                assert_eq!(range.start, end);
                end = range.end;
            }
        }
        assert_eq!(end, 10);
        assert_eq!(cache.range(Slot(40), 2), None);
        assert_eq!(cache.range(Slot(39), 0), None);
        assert_eq!(cache.range(Slot(48), 0), None);
    }
}
