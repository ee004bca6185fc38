//! Clears the place that the next epoch's slashings are counted in.

use types::{BeaconState, Gwei};

use crate::accessors::get_current_epoch;

/// [`process_slashings_reset`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#slashings-balances-updates).
pub fn process_slashings_reset(state: &mut BeaconState) {
    let next_epoch = get_current_epoch(state) + 1;
    let place = (next_epoch % state.spec().preset.epochs_per_slashings_vector).as_usize();
    state.slashings[place] = Gwei(0);
}
