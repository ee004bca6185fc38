//! Choosing the attestations of a block: those that bring the most new voters, one after the other.

use std::collections::BTreeMap;

use transition::accessors::{get_current_epoch, get_previous_epoch};
use types::{Attestation, AttestationData, BeaconState, Bits, CommitteeIndex, Epoch, Slot};

use crate::AttestationPool;

/// Whose votes are in the state already, by committee. A voter counts once an epoch whatever it voted for.
type Included = BTreeMap<(Slot, CommitteeIndex), Bits>;

impl AttestationPool {
    /// The attestations for a block on `state`, which stands at the block's slot: valid there, and at most
    /// `MAX_ATTESTATIONS`.
    pub fn pack(&self, state: &BeaconState) -> Vec<Attestation> {
        let preset = &state.spec().preset;
        let mut included = included(state);
        let first = state.slot.saturating_sub(preset.slots_per_epoch);
        let votes = self.votes_from(first).filter(|vote| is_includable(state, &vote.data));
        let mut candidates: Vec<Attestation> = votes.flat_map(|vote| vote.attestations()).collect();
        let mut packed = Vec::new();
        while (packed.len() as u64) < preset.max_attestations {
            let gain = |attestation: &Attestation| new_voters(&included, attestation);
            candidates.retain(|candidate| gain(candidate) > 0);
            // Of equal gains the newer vote earns more.
            let best = (0..candidates.len()).max_by_key(|place| {
                (gain(&candidates[*place]), candidates[*place].data.slot, std::cmp::Reverse(*place))
            });
            let Some(best) = best else { break };
            let chosen = candidates.swap_remove(best);
            mark(&mut included, &chosen.data, &chosen.aggregation_bits);
            packed.push(chosen);
        }
        packed
    }
}

/// The rules of `process_attestation` that need no committee.
fn is_includable(state: &BeaconState, data: &AttestationData) -> bool {
    let preset = &state.spec().preset;
    let epoch: Epoch = data.target.epoch;
    let source = if epoch == get_current_epoch(state) {
        &state.current_justified_checkpoint
    } else if epoch == get_previous_epoch(state) {
        &state.previous_justified_checkpoint
    } else {
        return false;
    };
    data.source == *source
        && data.slot + preset.min_attestation_inclusion_delay <= state.slot
        && state.slot <= data.slot + preset.slots_per_epoch
}

fn included(state: &BeaconState) -> Included {
    let mut included = Included::new();
    for pending in state.previous_epoch_attestations.iter().chain(state.current_epoch_attestations.iter()) {
        mark(&mut included, &pending.data, &pending.aggregation_bits);
    }
    included
}

fn mark(included: &mut Included, data: &AttestationData, bits: &Bits) {
    let known = included.entry((data.slot, data.index)).or_insert_with(|| Bits::zero(bits.len()));
    if known.len() == bits.len() {
        known.union_with(bits);
    }
}

fn new_voters(included: &Included, attestation: &Attestation) -> usize {
    let bits = &attestation.aggregation_bits;
    match included.get(&(attestation.data.slot, attestation.data.index)) {
        Some(known) => bits.ones().filter(|place| !known.get(*place)).count(),
        None => bits.count_ones(),
    }
}
