//! Commits to the block and to the state roots that are about to be written over, each by itself.

use types::bounds::SLOTS_PER_HISTORICAL_ROOT;
use types::{BeaconState, HistoricalSummary, Shape, Ssz};

use super::EpochError;
use super::historical_roots_update::is_batch_full;

/// [`process_historical_summaries_update`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/beacon-chain.md#historical-summaries-updates).
pub fn process_historical_summaries_update(state: &mut BeaconState) -> Result<(), EpochError> {
    const ROOTS: Shape = Shape::Vector(SLOTS_PER_HISTORICAL_ROOT, &Shape::Plain);
    if !is_batch_full(state) {
        return Ok(());
    }
    if state.historical_summaries.len() as u64 >= state.spec().preset.historical_roots_limit {
        return Err(EpochError::HistoricalRootsFull);
    }
    let ctx = state.ctx();
    state.historical_summaries.push(HistoricalSummary {
        block_summary_root: state.block_roots.root(&ROOTS, &ctx),
        state_summary_root: state.state_roots.root(&ROOTS, &ctx),
    });
    Ok(())
}
