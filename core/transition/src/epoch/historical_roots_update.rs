//! Commits to the block and state roots that are about to be written over.

use types::{BeaconState, HistoricalBatch, SszExt};

use super::EpochError;
use crate::accessors::get_current_epoch;

/// [`process_historical_roots_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#historical-roots-updates);
/// since Capella summaries are kept instead
/// ([`process_historical_summaries_update`](super::process_historical_summaries_update)).
pub fn process_historical_roots_update(state: &mut BeaconState) -> Result<(), EpochError> {
    if !is_batch_full(state) {
        return Ok(());
    }
    if state.historical_roots.len() as u64 >= state.spec().preset.historical_roots_limit {
        return Err(EpochError::HistoricalRootsFull);
    }
    let batch =
        HistoricalBatch { block_roots: state.block_roots.clone(), state_roots: state.state_roots.clone() };
    state.historical_roots.push(batch.hash_tree_root(state.ctx()));
    Ok(())
}

/// True in the last epoch before the state's block roots begin anew.
pub(super) fn is_batch_full(state: &BeaconState) -> bool {
    let preset = &state.spec().preset;
    let next_epoch = get_current_epoch(state) + 1;
    // Not the quotient of the two: a preset may have more slots in an epoch than roots in the vector.
    let epochs_per_batch = (preset.slots_per_historical_root / preset.slots_per_epoch).max(1);
    next_epoch % epochs_per_batch == 0
}
