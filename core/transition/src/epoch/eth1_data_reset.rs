//! Forgets the votes on Eth1 data at the end of a voting period.

use types::BeaconState;

use crate::accessors::get_current_epoch;

/// [`process_eth1_data_reset`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#eth1-data-votes-updates).
pub fn process_eth1_data_reset(state: &mut BeaconState) {
    let next_epoch = get_current_epoch(state) + 1;
    if next_epoch % state.spec().preset.epochs_per_eth1_voting_period == 0 {
        state.eth1_data_votes.clear();
    }
}
