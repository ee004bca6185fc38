//! Who proposes.

use std::sync::Arc;

use crypto::hash;
use types::constants::DOMAIN_BEACON_PROPOSER;
use types::{BeaconState, Epoch, ForkName, ProposerCache, ValidatorIndex};

use super::{AccessError, get_active_validator_indices, get_current_epoch, get_seed, require_built};
use crate::misc::compute_proposer_index;

/// [`get_beacon_proposer_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_beacon_proposer_index).
pub fn get_beacon_proposer_index(state: &BeaconState) -> Result<ValidatorIndex, AccessError> {
    let place = state.slot.0 % state.spec().preset.slots_per_epoch;
    Ok(get_beacon_proposer_indices(state)?[place as usize])
}

/// The proposer of each slot of the state's current epoch.
pub fn get_beacon_proposer_indices(state: &BeaconState) -> Result<Arc<Vec<ValidatorIndex>>, AccessError> {
    // Fulu reads the draw from the state.
    require_built(state, ForkName::Electra)?;
    let epoch = get_current_epoch(state);
    let seed = get_seed(state, epoch, DOMAIN_BEACON_PROPOSER);
    let cell = &state.context.caches.proposers;
    if let Some(cache) = cell.get().filter(|cache| (cache.epoch, cache.seed) == (epoch, seed)) {
        return Ok(cache.proposers.clone());
    }
    let proposers = Arc::new(compute_proposers(state, epoch, &seed)?);
    // The cell may be taken: by another thread with the same proposers, or by ones that no longer fit.
    let _ = cell.set(Arc::new(ProposerCache { epoch, seed, proposers: proposers.clone() }));
    Ok(proposers)
}

fn compute_proposers(
    state: &BeaconState,
    epoch: Epoch,
    epoch_seed: &[u8; 32],
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let spec = state.spec();
    let active = get_active_validator_indices(state, epoch);
    let first = epoch.start_slot(spec).0;
    (0..spec.preset.slots_per_epoch)
        .map(|place| {
            let mut bytes = epoch_seed.to_vec();
            // Wraps in the last epoch of all only, for slots that do not exist.
            bytes.extend_from_slice(&first.wrapping_add(place).to_le_bytes());
            let balance_of = |index: ValidatorIndex| state.validators[index.as_usize()].effective_balance.0;
            compute_proposer_index(spec, state.fork_name(), &active, &hash(&bytes), balance_of)
        })
        .collect()
}
