//! The next epoch's randomness begins with that of the current one.

use types::BeaconState;

use crate::accessors::{get_current_epoch, get_randao_mix};

/// [`process_randao_mixes_reset`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#randao-mixes-updates).
pub fn process_randao_mixes_reset(state: &mut BeaconState) {
    let current_epoch = get_current_epoch(state);
    let place = ((current_epoch + 1) % state.spec().preset.epochs_per_historical_vector).as_usize();
    state.randao_mixes[place] = get_randao_mix(state, current_epoch);
}
