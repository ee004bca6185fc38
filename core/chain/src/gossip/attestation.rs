//! `beacon_attestation_{subnet_id}`.

use transition::accessors::{get_beacon_committee, get_committee_count_per_slot};
use transition::signatures::indexed_attestation_set;
use types::{
    Attestation, AttestationData, BeaconState, CommitteeIndex, Epoch, IndexedAttestation, Slot, Spec, Time,
    ValidatorIndex,
};

use super::{BLOCK_NOT_SEEN, BlockStore, Checked, KnownBlock, Seen, is_within_slot_range};
use crate::{Verdict, Why};

/// An unaggregated attestation that passed all rules but its signature.
#[derive(Clone, Debug)]
pub struct CheckedAttestation {
    target_epoch: Epoch,
    /// Who attested.
    pub attester: ValidatorIndex,
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

/// [`validate_beacon_attestation_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beacon_attestation_subnet_id).
///
/// `state` tells the committees of the target epoch: it is of the target's chain and of that epoch or next to it.
pub fn validate_beacon_attestation_gossip(
    seen: &Seen,
    store: &dyn BlockStore,
    state: &BeaconState,
    attestation: &Attestation,
    now: Time,
    subnet_id: u64,
) -> Result<Checked<CheckedAttestation>, Verdict> {
    let (spec, data) = (state.spec(), &attestation.data);
    // Before the committees are asked for, which are not to be had of arbitrary epochs.
    check_slot(state, data, now)?;
    let committees_per_slot = get_committee_count_per_slot(state, data.target.epoch);
    if data.index >= committees_per_slot {
        return Err(Verdict::reject("committee index out of range"));
    }
    if compute_subnet_for_attestation(spec, committees_per_slot, data.slot, data.index) != subnet_id {
        return Err(Verdict::reject("attestation is for wrong subnet"));
    }
    let bits = &attestation.aggregation_bits;
    let mut ones = bits.ones();
    let (Some(place), None) = (ones.next(), ones.next()) else {
        return Err(Verdict::reject("attestation is not unaggregated"));
    };
    let committee = get_beacon_committee(state, data.slot, data.index)
        .map_err(|_| Verdict::ignore("the shuffling of the target epoch is not available"))?;
    if bits.len() != committee.len() {
        return Err(Verdict::reject("aggregation bits length does not match committee size"));
    }
    let facts = CheckedAttestation { target_epoch: data.target.epoch, attester: committee[place] };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("already seen attestation for this epoch and validator"));
    }
    let indexed = IndexedAttestation {
        attesting_indices: vec![facts.attester],
        data: data.clone(),
        signature: attestation.signature,
    };
    const INVALID: &str = "invalid attestation signature";
    let signature = indexed_attestation_set(state, &indexed).map_err(|_| Verdict::reject(INVALID))?;
    check_blocks(store, data)?;
    Ok(Checked { signatures: vec![(signature, Why(INVALID))], facts })
}

/// The slot is recent, and of the target's epoch.
pub(crate) fn check_slot(state: &BeaconState, data: &AttestationData, now: Time) -> Result<(), Verdict> {
    let range = state.spec().config.attestation_propagation_slot_range;
    if !is_within_slot_range(state, data.slot, range, now) {
        return Err(Verdict::ignore("attestation slot not within propagation range"));
    }
    if data.target.epoch != data.slot.epoch(state.spec()) {
        return Err(Verdict::reject("attestation epoch does not match target epoch"));
    }
    Ok(())
}

/// The blocks voted for are known, valid, and on one chain with the finalized block.
pub(super) fn check_blocks(store: &dyn BlockStore, data: &AttestationData) -> Result<(), Verdict> {
    match store.block(&data.beacon_block_root) {
        KnownBlock::Unseen => return Err(Verdict::Ignore(BLOCK_NOT_SEEN)),
        KnownBlock::Invalid => return Err(Verdict::reject("block being voted for failed validation")),
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
    /// True where a valid attestation of this validator for this target epoch was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.attestation_validator_epochs.contains(&(self.target_epoch, self.attester))
    }

    /// Remembers the attestation; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.attestation_validator_epochs.insert((self.target_epoch, self.attester));
    }
}
