//! Who proposes.

use std::sync::Arc;

use crypto::hash;
use types::constants::DOMAIN_BEACON_PROPOSER;
use types::{BeaconState, Epoch, ForkName, ProposerCache, ValidatorIndex};

use super::{AccessError, active_set, get_current_epoch, get_seed};
use crate::misc::draw_candidate;

/// [`get_beacon_proposer_index`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#get_beacon_proposer_index);
/// modified in Electra and Fulu.
pub fn get_beacon_proposer_index(state: &BeaconState) -> Result<ValidatorIndex, AccessError> {
    let place = (state.slot.0 % state.spec().preset.slots_per_epoch) as usize;
    if state.fork_name() >= ForkName::Fulu {
        return known_proposer(state, place);
    }
    Ok(get_beacon_proposer_indices(state)?[place])
}

/// The proposer of each slot of the state's current epoch.
pub fn get_beacon_proposer_indices(state: &BeaconState) -> Result<Arc<Vec<ValidatorIndex>>, AccessError> {
    let epoch = get_current_epoch(state);
    if state.fork_name() >= ForkName::Fulu {
        let slots = state.spec().preset.slots_per_epoch as usize;
        let proposers = (0..slots).map(|place| known_proposer(state, place));
        return Ok(Arc::new(proposers.collect::<Result<_, _>>()?));
    }
    let seed = get_seed(state, epoch, DOMAIN_BEACON_PROPOSER);
    let cell = &state.context.caches.proposers;
    if let Some(cache) = cell.get().filter(|cache| (cache.epoch, cache.seed) == (epoch, seed)) {
        return Ok(cache.proposers.clone());
    }
    let proposers = Arc::new(compute_proposer_indices(state, epoch, &seed)?);
    // The cell may be taken: by another thread with the same proposers, or by ones that no longer fit.
    let _ = cell.set(Arc::new(ProposerCache { epoch, seed, proposers: proposers.clone() }));
    Ok(proposers)
}

/// Since Fulu (EIP-7917) the state tells its proposers ahead; an error where it tells none, or one that there is not.
fn known_proposer(state: &BeaconState, place: usize) -> Result<ValidatorIndex, AccessError> {
    let index = *state.proposer_lookahead.get(place).ok_or(AccessError::LookaheadLength)?;
    let exists = index.as_usize() < state.validators.len();
    if exists { Ok(index) } else { Err(AccessError::NoProposer(index)) }
}

/// The proposers of an epoch from the effective balances that the state has now, which decide once the epoch before
/// the lookahead begins.
pub fn draw_proposers(state: &BeaconState, epoch: Epoch) -> Result<Vec<ValidatorIndex>, AccessError> {
    compute_proposer_indices(state, epoch, &get_seed(state, epoch, DOMAIN_BEACON_PROPOSER))
}

/// [`initialize_proposer_lookahead`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/fork.md#new-initialize_proposer_lookahead).
pub fn initialize_proposer_lookahead(state: &BeaconState) -> Result<Vec<ValidatorIndex>, AccessError> {
    let current = get_current_epoch(state);
    let mut lookahead = Vec::new();
    for distance in 0..=state.spec().preset.min_seed_lookahead {
        lookahead.append(&mut draw_proposers(state, current.saturating_add(distance))?);
    }
    Ok(lookahead)
}

/// [`compute_proposer_indices`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/beacon-chain.md#new-compute_proposer_indices)
/// of those who are active in the epoch.
fn compute_proposer_indices(
    state: &BeaconState,
    epoch: Epoch,
    epoch_seed: &[u8; 32],
) -> Result<Vec<ValidatorIndex>, AccessError> {
    let spec = state.spec();
    let active = active_set(state, epoch).indices();
    let first = epoch.start_slot(spec).0;
    (0..spec.preset.slots_per_epoch)
        .map(|place| {
            let mut bytes = epoch_seed.to_vec();
            // Wraps in the last epoch of all only, for slots that do not exist.
            bytes.extend_from_slice(&first.wrapping_add(place).to_le_bytes());
            let balance_of = |place: usize| state.validators[active[place] as usize].effective_balance.0;
            let place = draw_candidate(spec, state.fork_name(), active.len(), &hash(&bytes), balance_of)?;
            Ok(ValidatorIndex(u64::from(active[place])))
        })
        .collect()
}
