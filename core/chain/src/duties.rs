//! What validators ask of a [`View`]: what to attest to, and when they attest and propose.

use std::sync::Arc;

use transition::accessors::{committee_cache, get_beacon_proposer_indices, get_block_root_at_slot};
use transition::process_slots;
use types::constants::GENESIS_EPOCH;
use types::{
    Attestation, AttestationData, BeaconState, BlsPubkey, Checkpoint, CommitteeIndex, Epoch, ForkName, Root,
    SignedBeaconBlock, Slot, ValidatorIndex,
};

use crate::View;

/// A proposer duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposerDuty {
    /// The proposer's key.
    pub pubkey: BlsPubkey,
    /// The proposer.
    pub validator_index: ValidatorIndex,
    /// The slot to propose in.
    pub slot: Slot,
}

/// An attester duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttesterDuty {
    /// The attester's key.
    pub pubkey: BlsPubkey,
    /// The attester.
    pub validator_index: ValidatorIndex,
    /// The committee's place within the slot.
    pub committee_index: CommitteeIndex,
    /// Members of the committee.
    pub committee_length: u64,
    /// Committees in the slot.
    pub committees_at_slot: u64,
    /// The attester's place in the committee.
    pub validator_committee_index: u64,
    /// The slot to attest in.
    pub slot: Slot,
}

/// Duties, and the block that they follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duties<D> {
    /// The last block whose change would change the duties.
    pub dependent_root: Root,
    /// The duties, by slot.
    pub duties: Vec<D>,
}

/// Why a view has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The slot is not close enough to the present.
    #[error("slot {slot} is too far from the current slot {current}")]
    SlotOutOfRange {
        /// The slot asked for.
        slot: Slot,
        /// The view's slot.
        current: Slot,
    },
    /// The epoch is neither the current one, nor the one before or after.
    #[error("epoch {epoch} is too far from the current epoch {current}")]
    EpochOutOfRange {
        /// The epoch asked for.
        epoch: Epoch,
        /// The view's epoch.
        current: Epoch,
    },
    /// The committee does not exist.
    #[error("slot {slot} has no committee {index}")]
    NoCommittee {
        /// The slot.
        slot: Slot,
        /// The committee asked for.
        index: CommitteeIndex,
    },
    /// The head is too far behind the clock to answer.
    #[error("the head at slot {head} is too far behind slot {wanted}: the node is syncing")]
    HeadBehind {
        /// The head's slot.
        head: Slot,
        /// The slot that was to be reached.
        wanted: Slot,
    },
    /// A fault of our own.
    #[error("{0}")]
    Fault(String),
}

impl View {
    /// What to attest to in a slot, per the
    /// [validator guide](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#attestation-data).
    /// The slot may be up to an epoch before the view's, or up to two after. Since
    /// [Electra](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#attesting) the data
    /// names no committee.
    pub fn attestation_data(&self, slot: Slot, index: CommitteeIndex) -> Result<AttestationData, ViewError> {
        let spec = self.spec;
        let earliest = self.current_slot.saturating_sub(spec.preset.slots_per_epoch);
        if slot < earliest || slot > self.current_slot + 2 {
            return Err(ViewError::SlotOutOfRange { slot, current: self.current_slot });
        }
        // For a slot that is over, the vote is for the block that was the head then.
        let head_root =
            self.block_root_at(slot).ok_or(ViewError::HeadBehind { head: self.head.slot, wanted: slot })?;
        let epoch = slot.epoch(spec);
        let state = self.head_state_at(epoch)?;
        if committee_cache(&state, epoch).map_err(fault)?.range(slot, index.0).is_none() {
            return Err(ViewError::NoCommittee { slot, index });
        }
        let start = epoch.start_slot(spec);
        let target_root = self.block_root_at(start).unwrap_or(head_root);
        let source = match epoch == state.slot.epoch(spec) {
            true => state.current_justified_checkpoint.clone(),
            false => state.previous_justified_checkpoint.clone(),
        };
        let target = Checkpoint { epoch, root: target_root };
        let index = match spec.fork_name_at_epoch(epoch) >= ForkName::Electra {
            true => CommitteeIndex(0),
            false => index,
        };
        Ok(AttestationData { slot, index, beacon_block_root: head_root, source, target })
    }

    /// The attestation with the most attesters of a committee for a vote, where there is one; before Electra the data
    /// tells the committee. Costs a curve addition for each part.
    pub fn aggregate(
        &self,
        slot: Slot,
        data_root: Root,
        committee: Option<CommitteeIndex>,
    ) -> Option<Attestation> {
        self.pools.attestations.aggregate_attestation(slot, data_root, committee)
    }

    /// Who proposes in an epoch: the current one, or the one before or after.
    ///
    /// For an epoch that the head has not reached, its state is advanced: at most an epoch transition or two where that
    /// was not done ahead of need.
    pub fn proposer_duties(&self, epoch: Epoch) -> Result<Duties<ProposerDuty>, ViewError> {
        let spec = self.spec;
        self.check_epoch(epoch)?;
        let state = self.state_in_epoch(epoch)?;
        let proposers = get_beacon_proposer_indices(&state).map_err(fault)?;
        let start = epoch.start_slot(spec);
        let duty = |(place, index): (usize, &ValidatorIndex)| ProposerDuty {
            pubkey: state.validators[index.as_usize()].pubkey,
            validator_index: *index,
            slot: start + place as u64,
        };
        let duties = proposers.iter().enumerate().map(duty).collect();
        // Balances, which the choice depends on, change until the epoch begins.
        Ok(Duties { dependent_root: self.root_before(epoch)?, duties })
    }

    /// When these validators attest in an epoch: the current one, or the one before or after. Validators without a duty
    /// are left out.
    pub fn attester_duties(
        &self,
        epoch: Epoch,
        validators: &[ValidatorIndex],
    ) -> Result<Duties<AttesterDuty>, ViewError> {
        self.check_epoch(epoch)?;
        let before = Epoch(epoch.0.saturating_sub(self.spec.preset.min_seed_lookahead)).max(GENESIS_EPOCH);
        let state = self.state_for_committees_of(epoch)?;
        let cache = committee_cache(&state, epoch).map_err(fault)?;
        let wanted = Wanted::of(validators, state.validators.len());
        let mut duties = Vec::new();
        for slot in (0..cache.slots_per_epoch).map(|place| cache.first_slot + place) {
            for index in 0..cache.committees_per_slot {
                let range = cache.range(slot, index).expect("slot and index are the cache's own");
                let committee = &cache.shuffling[range];
                for (place, validator) in committee.iter().enumerate().filter(|(_, v)| wanted.has(**v)) {
                    duties.push(AttesterDuty {
                        pubkey: state.validators[validator.as_usize()].pubkey,
                        validator_index: *validator,
                        committee_index: index.into(),
                        committee_length: committee.len() as u64,
                        committees_at_slot: cache.committees_per_slot,
                        validator_committee_index: place as u64,
                        slot,
                    });
                }
            }
        }
        Ok(Duties { dependent_root: self.root_before(before)?, duties })
    }

    /// The last block of the head's chain at or before a slot; none where the view does not reach so far back.
    pub fn block_root_at(&self, slot: Slot) -> Option<Root> {
        if slot >= self.head.slot {
            return Some(self.head.root);
        }
        get_block_root_at_slot(&self.head.state, slot).ok()
    }

    /// The block of the head's chain in a slot: none where the slot is empty or the block is not in memory.
    pub fn block_by_slot(&self, slot: Slot) -> Option<(Root, Arc<SignedBeaconBlock>)> {
        if slot > self.head.slot {
            return None;
        }
        let root = self.block_root_at(slot)?;
        let block = self.blocks.get(&root)?;
        (block.message.slot == slot).then(|| (root, block.clone()))
    }

    /// True where the block is in the head's chain, as far as the head's state remembers.
    pub fn is_canonical(&self, root: &Root, slot: Slot) -> bool {
        self.block_root_at(slot).as_ref() == Some(root)
    }

    fn check_epoch(&self, epoch: Epoch) -> Result<(), ViewError> {
        let current = self.current_slot.epoch(self.spec);
        match epoch <= current + 1 && epoch + 1 >= current {
            true => Ok(()),
            false => Err(ViewError::EpochOutOfRange { epoch, current }),
        }
    }

    /// The last block before an epoch, or the genesis block.
    fn root_before(&self, epoch: Epoch) -> Result<Root, ViewError> {
        let slot = epoch.start_slot(self.spec).saturating_sub(1);
        let behind = ViewError::HeadBehind { head: self.head.slot, wanted: slot };
        self.block_root_at(slot).ok_or(behind)
    }

    /// A state of the head's chain that knows the committees of an epoch: they are settled an epoch ahead, so that nothing
    /// has to be advanced for the epoch after the head's.
    fn state_for_committees_of(&self, epoch: Epoch) -> Result<Arc<BeaconState>, ViewError> {
        let head = self.head.state.slot.epoch(self.spec);
        if epoch <= head + 1 { Ok(self.head.state.clone()) } else { self.state_in_epoch(epoch) }
    }

    /// A state of the head's chain whose epoch is this one or next to it, so that it knows its committees and, where
    /// it is of the epoch or later, its checkpoints.
    fn head_state_at(&self, epoch: Epoch) -> Result<Arc<BeaconState>, ViewError> {
        let head = self.head.state.slot.epoch(self.spec);
        if epoch <= head { Ok(self.head.state.clone()) } else { self.state_in_epoch(epoch) }
    }

    /// A state of the head's chain within an epoch, for what only such a state can tell.
    fn state_in_epoch(&self, epoch: Epoch) -> Result<Arc<BeaconState>, ViewError> {
        let spec = self.spec;
        let is_within = |state: &&Arc<BeaconState>| state.slot.epoch(spec) == epoch;
        let ready = [Some(&self.head.state), self.head.advanced.as_ref()];
        if let Some(state) = ready.into_iter().flatten().find(is_within) {
            return Ok(state.clone());
        }
        let behind = ViewError::HeadBehind { head: self.head.slot, wanted: epoch.start_slot(spec) };
        if self.head.state.slot.epoch(spec) > epoch {
            // The block may be off the recent ones; the state of the epoch's last block knows the same.
            let last =
                self.block_root_at((epoch + 1).start_slot(spec).saturating_sub(1)).ok_or(behind.clone())?;
            let state = self.states.get(&last).filter(is_within);
            return state.cloned().ok_or(behind);
        }
        if epoch > self.head.state.slot.epoch(spec) + EPOCHS_AHEAD_MAX {
            return Err(behind);
        }
        let nearest = self.head.advanced.as_ref().filter(|state| state.slot.epoch(spec) < epoch);
        let mut state = (**nearest.unwrap_or(&self.head.state)).clone();
        process_slots(&mut state, epoch.start_slot(spec)).map_err(fault)?;
        Ok(Arc::new(state))
    }
}

/// Some validators of a registry, one bit each: every member of every committee of an epoch is asked after.
struct Wanted(Vec<u64>);

impl Wanted {
    fn of(validators: &[ValidatorIndex], registry: usize) -> Self {
        let mut words = vec![0; registry.div_ceil(64)];
        for validator in validators.iter().filter(|validator| validator.0 < registry as u64) {
            words[validator.as_usize() / 64] |= 1 << (validator.0 % 64);
        }
        Self(words)
    }

    fn has(&self, validator: ValidatorIndex) -> bool {
        self.0[validator.as_usize() / 64] >> (validator.0 % 64) & 1 == 1
    }
}

/// How many epochs a reader may advance the head's state by. A head further behind means that the node is syncing, and
/// its duties would be wrong anyway.
const EPOCHS_AHEAD_MAX: u64 = 4;

fn fault(error: impl std::fmt::Display) -> ViewError {
    ViewError::Fault(error.to_string())
}
