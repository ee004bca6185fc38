//! The next sync committee takes over at the end of a period.

use types::BeaconState;

use super::EpochError;
use crate::accessors::{get_current_epoch, get_next_sync_committee};

/// [`process_sync_committee_updates`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/beacon-chain.md#sync-committee-updates).
pub fn process_sync_committee_updates(state: &mut BeaconState) -> Result<(), EpochError> {
    let next_epoch = get_current_epoch(state) + 1;
    if next_epoch % state.spec().preset.epochs_per_sync_committee_period == 0 {
        let next = get_next_sync_committee(state)?;
        state.current_sync_committee = std::mem::replace(&mut state.next_sync_committee, next);
    }
    Ok(())
}
