//! Exits and slashings that wait to be included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use transition::Signatures;
use transition::block::{
    check_attester_slashing, check_bls_to_execution_change, check_proposer_slashing, check_voluntary_exit,
    slashable_indices,
};
use types::constants::{BLS_WITHDRAWAL_PREFIX, FAR_FUTURE_EPOCH};
use types::{
    AttesterSlashing, BeaconState, ForkName, ProposerSlashing, SignedBLSToExecutionChange,
    SignedVoluntaryExit, Validator, ValidatorIndex,
};

/// Exits held. Further ones are refused; a block takes 16.
pub const EXITS_MAX: usize = 4096;

/// Proposer slashings held. Further ones are refused; a block takes 16.
pub const PROPOSER_SLASHINGS_MAX: usize = 1024;

/// Attester slashings held. Further ones are refused; a block takes 2 (and since Electra 1).
pub const ATTESTER_SLASHINGS_MAX: usize = 256;

/// Changes of withdrawal credentials held. Further ones are refused; a block takes 16.
pub const BLS_CHANGES_MAX: usize = 16384;

/// Verified exits, slashings and changes; a clone costs a pointer for each.
#[derive(Clone, Debug, Default)]
pub struct OperationPool {
    exits: BTreeMap<ValidatorIndex, Arc<SignedVoluntaryExit>>,
    proposer_slashings: BTreeMap<ValidatorIndex, Arc<ProposerSlashing>>,
    attester_slashings: Vec<Arc<AttesterSlashing>>,
    bls_changes: BTreeMap<ValidatorIndex, Arc<SignedBLSToExecutionChange>>,
}

/// What a block takes, each valid after those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedOperations {
    /// At most `MAX_PROPOSER_SLASHINGS`.
    pub proposer_slashings: Vec<ProposerSlashing>,
    /// At most `MAX_ATTESTER_SLASHINGS`.
    pub attester_slashings: Vec<AttesterSlashing>,
    /// At most `MAX_VOLUNTARY_EXITS`.
    pub voluntary_exits: Vec<SignedVoluntaryExit>,
    /// At most `MAX_BLS_TO_EXECUTION_CHANGES`.
    pub bls_to_execution_changes: Vec<SignedBLSToExecutionChange>,
}

impl OperationPool {
    /// Takes a verified exit. False where it is known or the pool is full.
    pub fn insert_exit(&mut self, exit: Arc<SignedVoluntaryExit>) -> bool {
        let index = exit.message.validator_index;
        if self.exits.contains_key(&index) || self.exits.len() >= EXITS_MAX {
            return false;
        }
        self.exits.insert(index, exit);
        true
    }

    /// Takes a verified proposer slashing. False where the proposer's is known or the pool is full.
    pub fn insert_proposer_slashing(&mut self, slashing: Arc<ProposerSlashing>) -> bool {
        let index = slashing.signed_header_1.message.proposer_index;
        let full = self.proposer_slashings.len() >= PROPOSER_SLASHINGS_MAX;
        if self.proposer_slashings.contains_key(&index) || full {
            return false;
        }
        self.proposer_slashings.insert(index, slashing);
        true
    }

    /// Takes a verified attester slashing. False where the same is known or the pool is full.
    pub fn insert_attester_slashing(&mut self, slashing: Arc<AttesterSlashing>) -> bool {
        if self.attester_slashings.contains(&slashing)
            || self.attester_slashings.len() >= ATTESTER_SLASHINGS_MAX
        {
            return false;
        }
        self.attester_slashings.push(slashing);
        true
    }

    /// Takes a verified change of credentials. False where the validator's is known or the pool is full.
    pub fn insert_bls_change(&mut self, change: Arc<SignedBLSToExecutionChange>) -> bool {
        let index = change.message.validator_index;
        if self.bls_changes.contains_key(&index) || self.bls_changes.len() >= BLS_CHANGES_MAX {
            return false;
        }
        self.bls_changes.insert(index, change);
        true
    }

    /// All changes of credentials, by validator.
    pub fn bls_changes(&self) -> impl Iterator<Item = &Arc<SignedBLSToExecutionChange>> {
        self.bls_changes.values()
    }

    /// All exits, by validator.
    pub fn exits(&self) -> impl Iterator<Item = &Arc<SignedVoluntaryExit>> {
        self.exits.values()
    }

    /// All proposer slashings, by proposer.
    pub fn proposer_slashings(&self) -> impl Iterator<Item = &Arc<ProposerSlashing>> {
        self.proposer_slashings.values()
    }

    /// All attester slashings, oldest first.
    pub fn attester_slashings(&self) -> impl Iterator<Item = &Arc<AttesterSlashing>> {
        self.attester_slashings.iter()
    }

    /// How many operations are held.
    pub fn len(&self) -> usize {
        let slashings = self.proposer_slashings.len() + self.attester_slashings.len();
        self.exits.len() + slashings + self.bls_changes.len()
    }

    /// True where nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What can be included in a block upon `state`, which stands at the block's slot.
    pub fn pack(&self, state: &BeaconState) -> PackedOperations {
        let preset = &state.spec().preset;
        let mut packed = PackedOperations::default();
        let max_attester_slashings = match state.fork_name() >= ForkName::Electra {
            true => preset.max_attester_slashings_electra,
            false => preset.max_attester_slashings,
        };
        // Operations come in this order in a block, and whoever is slashed by one can be hit by none after it.
        let mut slashed = BTreeSet::new();
        for (index, slashing) in &self.proposer_slashings {
            if packed.proposer_slashings.len() as u64 >= preset.max_proposer_slashings {
                break;
            }
            if check_proposer_slashing(state, slashing, &mut Signatures::Skip).is_ok() {
                packed.proposer_slashings.push((**slashing).clone());
                slashed.insert(*index);
            }
        }
        for slashing in &self.attester_slashings {
            if packed.attester_slashings.len() as u64 >= max_attester_slashings {
                break;
            }
            let Ok(indices) = check_attester_slashing(state, slashing, &mut Signatures::Skip) else {
                continue;
            };
            if indices.iter().any(|index| !slashed.contains(index)) {
                packed.attester_slashings.push((**slashing).clone());
                slashed.extend(indices);
            }
        }
        for (index, exit) in &self.exits {
            if packed.voluntary_exits.len() as u64 >= preset.max_voluntary_exits {
                break;
            }
            // The signature is looked at again, since the state's fork may be another than when the exit came.
            if !slashed.contains(index) && check_voluntary_exit(state, exit, &mut Signatures::Verify).is_ok()
            {
                packed.voluntary_exits.push((**exit).clone());
            }
        }
        if state.fork_name() >= ForkName::Capella {
            let valid = |change: &&Arc<SignedBLSToExecutionChange>| {
                check_bls_to_execution_change(state, change, &mut Signatures::Skip).is_ok()
            };
            let changes =
                self.bls_changes.values().filter(valid).take(preset.max_bls_to_execution_changes as usize);
            packed.bls_to_execution_changes = changes.map(|change| (**change).clone()).collect();
        }
        packed
    }

    /// Drops what can never be included any more, as the finalized state shows.
    pub fn prune(&mut self, finalized: &BeaconState) {
        let validator = |index: &ValidatorIndex| finalized.validators.get(index.as_usize());
        let stays = |entry: &Validator| entry.exit_epoch == FAR_FUTURE_EPOCH;
        self.exits.retain(|index, _| validator(index).is_none_or(stays));
        let has_key = |entry: &Validator| entry.withdrawal_credentials.0[0] == BLS_WITHDRAWAL_PREFIX;
        self.bls_changes.retain(|index, _| validator(index).is_none_or(has_key));
        let epoch = finalized.slot.epoch(finalized.spec());
        let slashable = |entry: &Validator| !entry.slashed && epoch < entry.withdrawable_epoch;
        self.proposer_slashings.retain(|index, _| validator(index).is_none_or(slashable));
        // A validator that the finalized state does not have yet may still become slashable.
        let reaches_newer = |slashing: &AttesterSlashing| {
            let last = slashing.attestation_1.attesting_indices.last();
            last.is_some_and(|index| validator(index).is_none())
        };
        self.attester_slashings
            .retain(|slashing| reaches_newer(slashing) || !slashable_indices(finalized, slashing).is_empty());
    }
}
