//! Phase 0: who attested to what, from the attestations that the state keeps of two epochs.
//!
//! A committee lies in one piece in the shuffling of its epoch, and the bits of an attestation are in its order. So
//! what an attestation says is marked in the order of the shuffling, where it is one walk over neighbours; and only when
//! all attestations are marked, each validator is looked up, once.

use std::ops::Range;
use std::sync::Arc;

use types::{BeaconState, CommitteeCache, CommitteeIndex, Epoch, List, PendingAttestation, Root, Slot};

use super::EpochError;
use super::columns::{NOT_INCLUDED, ValidatorColumns, ValidatorFlags};
use super::summary::Inclusion;
use crate::accessors::{AccessError, committee_cache, get_block_root, get_block_root_at_slot};

/// Marks of all attesters, by their places in shufflings; see the module.
pub(super) struct Marks<'a> {
    state: &'a BeaconState,
    previous_epoch: Epoch,
    current_epoch: Epoch,
    /// One for each epoch that attestations were met of: two, in states that valid blocks lead to.
    epochs: Vec<EpochMarks>,
}

struct EpochMarks {
    committees: Arc<CommitteeCache>,
    flags: Vec<ValidatorFlags>,
    /// The place of the first inclusion with the smallest delay; see [`NOT_INCLUDED`].
    inclusions: Vec<u32>,
}

impl<'a> Marks<'a> {
    pub(super) fn new(state: &'a BeaconState, previous_epoch: Epoch, current_epoch: Epoch) -> Self {
        Self { state, previous_epoch, current_epoch, epochs: Vec::new() }
    }

    /// Marks what attestations of the previous epoch say; the answer is how each was included.
    pub(super) fn add_previous(
        &mut self,
        attestations: &List<PendingAttestation>,
    ) -> Result<Vec<Inclusion>, EpochError> {
        let mut target_root = None;
        let mut inclusions = Vec::with_capacity(attestations.len());
        for attestation in attestations {
            inclusions.push(self.inclusion(attestation)?);
            let mut flags = ValidatorFlags::PREVIOUS_SOURCE;
            let target = block_root_once(&mut target_root, self.state, self.previous_epoch)?;
            if attestation.data.target.root == target {
                flags = flags.with(ValidatorFlags::PREVIOUS_TARGET);
                let head = get_block_root_at_slot(self.state, attestation.data.slot)?;
                flags.set_if(attestation.data.beacon_block_root == head, ValidatorFlags::PREVIOUS_HEAD);
            }
            let (marks, range) = self.committee(attestation.data.slot, attestation.data.index)?;
            let members = members(attestation, range.len())?;
            let place = u32::try_from(inclusions.len() - 1).expect("a state has fewer attestations");
            let (marked, included) = (&mut marks.flags[range.clone()], &mut marks.inclusions[range]);
            for member in members {
                marked[member] = marked[member].with(flags);
                // The first of equal delays counts, so only a smaller one replaces.
                let known = inclusions.get(included[member] as usize);
                if known.is_none_or(|known| attestation.inclusion_delay < known.delay) {
                    included[member] = place;
                }
            }
        }
        Ok(inclusions)
    }

    /// Marks who attested to the right target in the current epoch.
    pub(super) fn add_current(&mut self, attestations: &List<PendingAttestation>) -> Result<(), EpochError> {
        let mut target_root = None;
        for attestation in attestations {
            let target = block_root_once(&mut target_root, self.state, self.current_epoch)?;
            if attestation.data.target.root != target {
                continue;
            }
            let (marks, range) = self.committee(attestation.data.slot, attestation.data.index)?;
            let members = members(attestation, range.len())?;
            let marked = &mut marks.flags[range];
            for member in members {
                marked[member] = marked[member].with(ValidatorFlags::CURRENT_TARGET);
            }
        }
        Ok(())
    }

    /// Writes the marks to the validators that they are of.
    pub(super) fn write(self, validators: &mut ValidatorColumns, inclusions: &[Inclusion]) {
        validators.inclusions = vec![NOT_INCLUDED; validators.len()];
        let delay = |place: u32| inclusions.get(place as usize).map(|inclusion| (inclusion.delay, place));
        for marks in &self.epochs {
            let marked = marks.flags.iter().zip(&marks.inclusions);
            for (index, (flags, place)) in marks.committees.shuffling.iter().zip(marked) {
                let index = index.as_usize();
                validators.flags[index] = validators.flags[index].with(*flags);
                let known = &mut validators.inclusions[index];
                if *known == NOT_INCLUDED || delay(*place).is_some_and(|new| Some(new) < delay(*known)) {
                    *known = *place;
                }
            }
        }
    }

    fn inclusion(&self, attestation: &PendingAttestation) -> Result<Inclusion, EpochError> {
        let inclusion =
            Inclusion { delay: attestation.inclusion_delay, proposer_index: attestation.proposer_index };
        if inclusion.delay == Slot(0) {
            return Err(EpochError::NoInclusionDelay);
        }
        if inclusion.proposer_index.as_usize() >= self.state.validators.len() {
            return Err(EpochError::UnknownProposer(inclusion.proposer_index));
        }
        Ok(inclusion)
    }

    /// The marks of an epoch, and where in them those of a committee lie.
    fn committee(
        &mut self,
        slot: Slot,
        index: CommitteeIndex,
    ) -> Result<(&mut EpochMarks, Range<usize>), EpochError> {
        let epoch = slot.epoch(self.state.spec());
        let known = self.epochs.iter().position(|marks| marks.committees.key.epoch == epoch);
        let place = match known {
            Some(place) => place,
            None => {
                let committees = committee_cache(self.state, epoch)?;
                let count = committees.shuffling.len();
                let (flags, inclusions) = (vec![ValidatorFlags::default(); count], vec![NOT_INCLUDED; count]);
                self.epochs.push(EpochMarks { committees, flags, inclusions });
                self.epochs.len() - 1
            }
        };
        let marks = &mut self.epochs[place];
        let range = marks.committees.range(slot, index.0);
        Ok((marks, range.ok_or(AccessError::NoCommittee { slot, index })?))
    }
}

/// The places in a committee of those who took part. Bits beyond the committee count for nobody.
fn members(
    attestation: &PendingAttestation,
    committee: usize,
) -> Result<impl Iterator<Item = usize> + '_, EpochError> {
    let bits = &attestation.aggregation_bits;
    if bits.len() < committee {
        return Err(EpochError::TooFewBits);
    }
    Ok(bits.ones().take_while(move |member| *member < committee))
}

/// The block root of an epoch, looked up when first needed: at an epoch's first slot, where fork choice asks too, there
/// is no such root yet and no attestation that needs it.
fn block_root_once(root: &mut Option<Root>, state: &BeaconState, epoch: Epoch) -> Result<Root, EpochError> {
    match *root {
        Some(root) => Ok(root),
        None => Ok(*root.insert(get_block_root(state, epoch)?)),
    }
}
