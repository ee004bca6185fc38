//! Exits and slashings that wait for a block.

use std::collections::{BTreeMap, BTreeSet};

use transition::Signatures;
use transition::block::{check_voluntary_exit, slashable_indices};
use transition::predicates::is_slashable_validator;
use types::{AttesterSlashing, BeaconState, ProposerSlashing, SignedVoluntaryExit, ValidatorIndex};

/// The most of each kind; when full, new ones are dropped (they still spread by gossip).
const OPERATIONS_MAX: usize = 4096;

/// Operations that passed gossip validation.
#[derive(Clone, Debug, Default)]
pub struct OperationPool {
    voluntary_exits: BTreeMap<ValidatorIndex, SignedVoluntaryExit>,
    proposer_slashings: BTreeMap<ValidatorIndex, ProposerSlashing>,
    attester_slashings: Vec<AttesterSlashing>,
}

impl OperationPool {
    /// Adds an exit.
    pub fn insert_voluntary_exit(&mut self, exit: SignedVoluntaryExit) {
        if self.voluntary_exits.len() < OPERATIONS_MAX {
            self.voluntary_exits.entry(exit.message.validator_index).or_insert(exit);
        }
    }

    /// Adds a proposer slashing.
    pub fn insert_proposer_slashing(&mut self, slashing: ProposerSlashing) {
        if self.proposer_slashings.len() < OPERATIONS_MAX {
            self.proposer_slashings
                .entry(slashing.signed_header_1.message.proposer_index)
                .or_insert(slashing);
        }
    }

    /// Adds an attester slashing.
    pub fn insert_attester_slashing(&mut self, slashing: AttesterSlashing) {
        if self.attester_slashings.len() < OPERATIONS_MAX && !self.attester_slashings.contains(&slashing) {
            self.attester_slashings.push(slashing);
        }
    }

    /// All exits.
    pub fn voluntary_exits(&self) -> impl Iterator<Item = &SignedVoluntaryExit> {
        self.voluntary_exits.values()
    }

    /// All proposer slashings.
    pub fn proposer_slashings(&self) -> impl Iterator<Item = &ProposerSlashing> {
        self.proposer_slashings.values()
    }

    /// All attester slashings.
    pub fn attester_slashings(&self) -> impl Iterator<Item = &AttesterSlashing> {
        self.attester_slashings.iter()
    }

    /// Operations for a block on `state`, in its order: none of them makes another invalid, and each slashes or
    /// releases somebody new.
    pub fn pack(
        &self,
        state: &BeaconState,
    ) -> (Vec<ProposerSlashing>, Vec<AttesterSlashing>, Vec<SignedVoluntaryExit>) {
        let preset = &state.spec().preset;
        let epoch = state.slot.epoch(state.spec());
        let mut gone = BTreeSet::new();
        let slashable = |index: &ValidatorIndex| {
            let validator = state.validators.get(index.as_usize());
            validator.is_some_and(|validator| is_slashable_validator(validator, epoch))
        };
        let proposer_slashings: Vec<ProposerSlashing> = self
            .proposer_slashings
            .iter()
            .filter(|(index, _)| slashable(index))
            .take(preset.max_proposer_slashings as usize)
            .map(|(_, slashing)| slashing.clone())
            .collect();
        gone.extend(
            proposer_slashings.iter().map(|slashing| slashing.signed_header_1.message.proposer_index),
        );
        let mut attester_slashings = Vec::new();
        for slashing in &self.attester_slashings {
            let new: Vec<_> = slashable_indices(state, slashing)
                .into_iter()
                .filter(|index| !gone.contains(index))
                .collect();
            if !new.is_empty() && (attester_slashings.len() as u64) < preset.max_attester_slashings {
                gone.extend(new);
                attester_slashings.push(slashing.clone());
            }
        }
        let exits = self.voluntary_exits.values().filter(|exit| {
            !gone.contains(&exit.message.validator_index)
                && check_voluntary_exit(state, exit, &mut Signatures::Skip).is_ok()
        });
        let exits = exits.take(preset.max_voluntary_exits as usize).cloned().collect();
        (proposer_slashings, attester_slashings, exits)
    }

    /// Forgets what a finalized state has made pointless.
    pub fn prune(&mut self, finalized: &BeaconState) {
        let epoch = finalized.slot.epoch(finalized.spec());
        let validator = |index: &ValidatorIndex| finalized.validators.get(index.as_usize());
        self.voluntary_exits.retain(|index, _| {
            validator(index)
                .is_none_or(|validator| validator.exit_epoch == types::constants::FAR_FUTURE_EPOCH)
        });
        self.proposer_slashings.retain(|index, _| {
            validator(index).is_none_or(|validator| is_slashable_validator(validator, epoch))
        });
        self.attester_slashings.retain(|slashing| !slashable_indices(finalized, slashing).is_empty());
    }
}
