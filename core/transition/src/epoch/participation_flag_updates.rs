//! The current epoch's participation flags become those of the previous one.

use types::{BeaconState, List};

/// [`process_participation_flag_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#participation-flags-updates).
pub fn process_participation_flag_updates(state: &mut BeaconState) {
    let none = List::filled(0, state.validators.len());
    state.previous_epoch_participation = std::mem::replace(&mut state.current_epoch_participation, none);
}
