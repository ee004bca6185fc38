//! Values derived from a state's fields, remembered so that they are computed once.
//!
//! The cells belong to one epoch, the state's current one. What they hold cannot change within it: activations and
//! exits take effect `MAX_SEED_LOOKAHEAD` epochs later, seeds come from the epoch before, and effective balances move
//! only while an epoch is processed. [`StateCaches::enter_epoch`] moves them on; a state whose epoch is another than
//! the cells' is served without them. Clones share what is there.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crypto::PubkeyTable;

use crate::{BlsPubkey, Epoch, Gwei, Slot, ValidatorIndex};

/// The committees of an epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct CommitteeCache {
    /// The epoch.
    pub epoch: Epoch,
    /// The epoch's first slot.
    pub first_slot: Slot,
    /// Slots in an epoch.
    pub slots_per_epoch: u64,
    /// Committees in each slot.
    pub committees_per_slot: u64,
    /// All active validators in shuffled order, committee after committee.
    pub shuffling: Vec<ValidatorIndex>,
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

/// Validators by key, as of some length of the registry.
#[derive(Debug, Default)]
pub struct PubkeyIndex {
    /// Validators that were looked at.
    pub count: usize,
    /// Their places.
    pub places: HashMap<BlsPubkey, u32>,
}

/// Lazy cells of a state; see the module.
#[derive(Clone, Debug, Default)]
pub struct StateCaches {
    /// The epoch that the cells are for.
    pub epoch: Epoch,
    /// Committees of the previous, the current and the next epoch.
    pub committees: [OnceLock<Arc<CommitteeCache>>; 3],
    /// The proposer of each slot of the current epoch.
    pub proposers: OnceLock<Arc<Vec<ValidatorIndex>>>,
    /// The active validators' effective balance in the current epoch.
    pub total_active_balance: OnceLock<Gwei>,
    /// Validators by key.
    pub pubkey_index: OnceLock<Arc<PubkeyIndex>>,
    /// Decompressed keys; states of one network share a table.
    pub pubkeys: Arc<PubkeyTable>,
}

impl StateCaches {
    /// Cells for a state at an epoch.
    pub fn at(epoch: Epoch) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Moves the cells on to the epoch that the state has entered.
    pub fn enter_epoch(&mut self, epoch: Epoch) {
        if epoch == self.epoch {
            return;
        }
        let follows = epoch == self.epoch + 1;
        let [_, current, next] = std::mem::take(&mut self.committees);
        if follows {
            self.committees = [current, next, OnceLock::new()];
        }
        self.epoch = epoch;
        self.proposers = OnceLock::new();
        self.total_active_balance = OnceLock::new();
    }
}
