//! `beacon_attestation_{subnet_id}`.

use transition::accessors::{get_beacon_committee, get_committee_count_per_slot};
use transition::signatures::indexed_attestation_set;
use types::{
    Attestation, AttestationData, BeaconState, Bits, BlsSignature, CommitteeIndex, Epoch, ForkName,
    IndexedAttestation, SingleAttestation, Slot, Spec, Time, ValidatorIndex,
};

use super::{
    BLOCK_NOT_SEEN, BlockStore, Checked, KnownBlock, Seen, is_current_or_previous_epoch,
    is_not_from_future_slot, is_within_slot_range,
};
use crate::{Verdict, Why};

/// An unaggregated attestation, in the form of its fork.
#[derive(Clone, Copy, Debug)]
pub enum Unaggregated<'a> {
    /// Before Electra: one bit of a committee.
    Bit(&'a Attestation),
    /// Since Electra: an attester by index.
    Single(&'a SingleAttestation),
}

/// An unaggregated attestation that passed all rules but its signature.
#[derive(Clone, Debug)]
pub struct CheckedAttestation {
    target_epoch: Epoch,
    /// Who attested.
    pub attester: ValidatorIndex,
    /// The committee.
    pub committee_index: CommitteeIndex,
    /// The attester's place in the committee.
    pub place: usize,
    /// Members of the committee.
    pub committee_length: usize,
}

/// [`compute_subnet_for_attestation`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#broadcast-attestation).
pub fn compute_subnet_for_attestation(
    spec: &Spec,
    committees_per_slot: u64,
    slot: Slot,
    index: CommitteeIndex,
) -> u64 {
    let since_epoch_start = slot.0 % spec.preset.slots_per_epoch * committees_per_slot;
    (since_epoch_start + index.0) % spec.config.attestation_subnet_count
}

/// [`validate_beacon_attestation_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beacon_attestation_subnet_id);
/// modified in [Deneb](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#beacon_attestation_subnet_id)
/// and [Electra](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/p2p-interface.md#beacon_attestation_subnet_id).
///
/// `state` tells the committees of the target epoch: it is of the target's chain and of that epoch or next to it.
pub fn validate_beacon_attestation_gossip<'a>(
    seen: &Seen,
    store: &dyn BlockStore,
    state: &BeaconState,
    attestation: impl Into<Unaggregated<'a>>,
    now: Time,
    subnet_id: u64,
) -> Result<Checked<CheckedAttestation>, Verdict> {
    let attestation = attestation.into();
    let (spec, data) = (state.spec(), attestation.data());
    let committee_index = attestation.committee_index()?;
    // Before the committees are asked for, which are not to be had of arbitrary epochs.
    check_slot(state, data, now)?;
    let committees_per_slot = get_committee_count_per_slot(state, data.target.epoch);
    if committee_index >= committees_per_slot {
        return Err(Verdict::reject("committee index out of range"));
    }
    if compute_subnet_for_attestation(spec, committees_per_slot, data.slot, committee_index) != subnet_id {
        return Err(Verdict::reject("attestation is for wrong subnet"));
    }
    let committee = get_beacon_committee(state, data.slot, committee_index)
        .map_err(|_| Verdict::ignore("the shuffling of the target epoch is not available"))?;
    let place = attestation.place_in(&committee)?;
    let facts = CheckedAttestation {
        target_epoch: data.target.epoch,
        attester: committee[place],
        committee_index,
        place,
        committee_length: committee.len(),
    };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen attestation for this epoch and validator"));
    }
    let indexed = IndexedAttestation {
        attesting_indices: vec![facts.attester],
        data: data.clone(),
        signature: attestation.signature(),
    };
    const INVALID: &str = "invalid attestation signature";
    let signature = indexed_attestation_set(state, &indexed).map_err(|_| Verdict::reject(INVALID))?;
    check_blocks(store, data)?;
    Ok(Checked { signatures: vec![(signature, Why(INVALID))], facts })
}

impl<'a> Unaggregated<'a> {
    /// What is voted for.
    pub fn data(self) -> &'a AttestationData {
        match self {
            Self::Bit(attestation) => &attestation.data,
            Self::Single(attestation) => &attestation.data,
        }
    }

    fn signature(self) -> BlsSignature {
        match self {
            Self::Bit(attestation) => attestation.signature,
            Self::Single(attestation) => attestation.signature,
        }
    }

    fn committee_index(self) -> Result<CommitteeIndex, Verdict> {
        match self {
            Self::Bit(attestation) => Ok(attestation.data.index),
            Self::Single(attestation) if attestation.data.index == 0 => Ok(attestation.committee_index),
            Self::Single(_) => Err(Verdict::reject("attestation data index is non-zero")),
        }
    }

    /// The attester's place in its committee.
    fn place_in(self, committee: &[ValidatorIndex]) -> Result<usize, Verdict> {
        match self {
            Self::Bit(attestation) => {
                let bits = &attestation.aggregation_bits;
                let mut ones = bits.ones();
                let (Some(place), None) = (ones.next(), ones.next()) else {
                    return Err(Verdict::reject("attestation is not unaggregated"));
                };
                if bits.len() != committee.len() {
                    return Err(Verdict::reject("aggregation bits length does not match committee size"));
                }
                Ok(place)
            }
            Self::Single(attestation) => {
                let place = committee.iter().position(|member| *member == attestation.attester_index);
                place.ok_or(Verdict::reject("attester is not a member of the committee"))
            }
        }
    }
}

impl<'a> From<&'a Attestation> for Unaggregated<'a> {
    fn from(attestation: &'a Attestation) -> Self {
        Self::Bit(attestation)
    }
}

impl<'a> From<&'a SingleAttestation> for Unaggregated<'a> {
    fn from(attestation: &'a SingleAttestation) -> Self {
        Self::Single(attestation)
    }
}

/// The slot is recent (since Deneb: of this epoch or the one before), and of the target's epoch.
pub(crate) fn check_slot(state: &BeaconState, data: &AttestationData, now: Time) -> Result<(), Verdict> {
    let spec = state.spec();
    let epoch = data.slot.epoch(spec);
    if spec.fork_name_at_epoch(epoch) >= ForkName::Deneb {
        if !is_not_from_future_slot(state, data.slot, now) {
            return Err(Verdict::ignore("attestation slot is from a future slot"));
        }
        if !is_current_or_previous_epoch(state, epoch, now) {
            return Err(Verdict::ignore("attestation epoch is not current or previous epoch"));
        }
    } else if !is_within_slot_range(state, data.slot, spec.config.attestation_propagation_slot_range, now) {
        return Err(Verdict::ignore("attestation slot not within propagation range"));
    }
    if data.target.epoch != epoch {
        return Err(Verdict::reject("attestation epoch does not match target epoch"));
    }
    Ok(())
}

/// The blocks voted for are known, valid, and on one chain with the finalized block.
pub(super) fn check_blocks(store: &dyn BlockStore, data: &AttestationData) -> Result<(), Verdict> {
    match store.block(&data.beacon_block_root) {
        KnownBlock::Unseen => return Err(Verdict::Ignore(BLOCK_NOT_SEEN)),
        KnownBlock::Invalid { .. } => return Err(Verdict::reject("block being voted for failed validation")),
        KnownBlock::Valid { .. } => {}
    }
    let checkpoint_block = |epoch| store.get_checkpoint_block(&data.beacon_block_root, epoch);
    if checkpoint_block(data.target.epoch) != Some(data.target.root) {
        return Err(Verdict::reject("target block is not an ancestor of LMD vote block"));
    }
    let finalized = store.finalized_checkpoint();
    if checkpoint_block(finalized.epoch) != Some(finalized.root) {
        return Err(Verdict::ignore("finalized checkpoint is not an ancestor of block"));
    }
    Ok(())
}

impl CheckedAttestation {
    /// The attestation as an aggregate of one, as pools and blocks have it since Electra.
    pub fn aggregate_of(&self, spec: &Spec, single: &SingleAttestation) -> Attestation {
        let mut aggregation_bits = Bits::zero(self.committee_length);
        aggregation_bits.set(self.place, true);
        let mut committee_bits = Bits::zero(spec.preset.max_committees_per_slot as usize);
        committee_bits.set(self.committee_index.as_usize(), true);
        Attestation {
            aggregation_bits,
            data: single.data.clone(),
            signature: single.signature,
            committee_bits,
        }
    }

    /// True where a valid attestation of this validator for this target epoch was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.attestation_validator_epochs.contains(&(self.target_epoch, self.attester))
    }

    /// Remembers the attestation; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.attestation_validator_epochs.insert((self.target_epoch, self.attester));
    }
}
