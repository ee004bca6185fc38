//! Votes for Eth1 data.

use types::{BeaconBlockBody, BeaconState};

use super::BlockInvalid;

/// [`process_eth1_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#eth1-data).
pub fn process_eth1_data(state: &mut BeaconState, body: &BeaconBlockBody) -> Result<(), BlockInvalid> {
    let preset = &state.spec().preset;
    let period = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch;
    // The list is emptied when it may be full, so only a state that no block led to has no room.
    if state.eth1_data_votes.len() as u64 >= period {
        return Err(BlockInvalid::Eth1VotesFull);
    }
    state.eth1_data_votes.push(body.eth1_data.clone());
    let votes = state.eth1_data_votes.iter().filter(|vote| **vote == body.eth1_data).count() as u64;
    if votes * 2 > period {
        state.eth1_data = body.eth1_data.clone();
    }
    Ok(())
}
