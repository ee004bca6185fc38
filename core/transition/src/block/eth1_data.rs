//! Votes for Eth1 data.

use types::{BeaconBlockBody, BeaconState};

/// [`process_eth1_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#eth1-data).
pub fn process_eth1_data(state: &mut BeaconState, body: &BeaconBlockBody) {
    state.eth1_data_votes.push(body.eth1_data.clone());
    let preset = &state.spec().preset;
    let period = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch;
    let votes = state.eth1_data_votes.iter().filter(|vote| **vote == body.eth1_data).count() as u64;
    if votes * 2 > period {
        state.eth1_data = body.eth1_data.clone();
    }
}
