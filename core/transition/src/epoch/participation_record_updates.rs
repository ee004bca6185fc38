//! The current epoch's attestations become those of the previous one.

use types::BeaconState;

/// [`process_participation_record_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#participation-records-rotation).
pub fn process_participation_record_updates(state: &mut BeaconState) {
    state.previous_epoch_attestations = std::mem::take(&mut state.current_epoch_attestations);
}
