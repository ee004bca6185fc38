//! The state tells its proposers ahead (EIP-7917).

use types::BeaconState;

use super::EpochError;
use crate::accessors::{AccessError, draw_proposers, get_current_epoch};

/// [`process_proposer_lookahead`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/beacon-chain.md#new-process_proposer_lookahead):
/// the proposers of the epoch that ends make room for those of the first epoch that is not told yet.
pub fn process_proposer_lookahead(state: &mut BeaconState) -> Result<(), EpochError> {
    let preset = &state.spec().preset;
    let (slots, told) = (preset.slots_per_epoch as usize, preset.min_seed_lookahead + 1);
    let mut lookahead = state.proposer_lookahead.to_vec();
    if Some(lookahead.len()) != slots.checked_mul(told as usize) {
        return Err(AccessError::LookaheadLength.into());
    }
    lookahead.drain(..slots);
    lookahead.append(&mut draw_proposers(state, get_current_epoch(state).saturating_add(told))?);
    state.proposer_lookahead = lookahead.into();
    Ok(())
}
