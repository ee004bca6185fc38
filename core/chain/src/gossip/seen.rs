//! What valid messages were seen: the specification's `Seen`.
//!
//! Entries are made only once signatures are verified, so that there are at most as many as validators and epochs
//! that are kept; [`Seen::prune`] drops the epochs that no message can be of any more.

use std::collections::{BTreeMap, BTreeSet};

use types::{Bits, CommitteeIndex, Epoch, Root, Slot, ValidatorIndex};

/// What valid messages were seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub(super) proposer_slots: BTreeSet<(Slot, ValidatorIndex)>,
    pub(super) aggregator_epochs: BTreeSet<(Epoch, ValidatorIndex)>,
    pub(super) aggregate_data_roots: BTreeMap<(Slot, Root, CommitteeIndex), Vec<Bits>>,
    pub(super) voluntary_exit_indices: BTreeSet<ValidatorIndex>,
    pub(super) proposer_slashing_indices: BTreeSet<ValidatorIndex>,
    pub(super) attester_slashing_indices: BTreeSet<ValidatorIndex>,
    pub(super) attestation_validator_epochs: BTreeSet<(Epoch, ValidatorIndex)>,
    pub(super) sync_contribution_aggregator_slots: BTreeSet<(Slot, ValidatorIndex, u64)>,
    pub(super) sync_contribution_data: BTreeMap<(Slot, Root, u64), Vec<Bits>>,
    pub(super) sync_message_validator_slots: BTreeSet<(Slot, ValidatorIndex, u64)>,
    pub(super) bls_to_execution_change_indices: BTreeSet<ValidatorIndex>,
}

impl Seen {
    /// Forgets blocks up to the finalized slot, and votes of targets before `first_epoch`.
    pub fn prune(&mut self, finalized_slot: Slot, first_epoch: Epoch, first_slot: Slot) {
        self.proposer_slots = self.proposer_slots.split_off(&(finalized_slot + 1, ValidatorIndex(0)));
        self.aggregator_epochs = self.aggregator_epochs.split_off(&(first_epoch, ValidatorIndex(0)));
        self.attestation_validator_epochs =
            self.attestation_validator_epochs.split_off(&(first_epoch, ValidatorIndex(0)));
        self.aggregate_data_roots =
            self.aggregate_data_roots.split_off(&(first_slot, Root::ZERO, CommitteeIndex(0)));
        // Votes of the sync committee are forwarded in their own slot only.
        let first = (first_slot, ValidatorIndex(0), 0);
        self.sync_contribution_aggregator_slots = self.sync_contribution_aggregator_slots.split_off(&first);
        self.sync_message_validator_slots = self.sync_message_validator_slots.split_off(&first);
        self.sync_contribution_data = self.sync_contribution_data.split_off(&(first_slot, Root::ZERO, 0));
    }

    /// True where the validator was seen attesting for the target epoch.
    pub fn has_attested(&self, validator: ValidatorIndex, epoch: Epoch) -> bool {
        self.attestation_validator_epochs.contains(&(epoch, validator))
    }
}
