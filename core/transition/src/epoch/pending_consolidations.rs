//! Consolidations take effect when their source has left.

use types::BeaconState;

use super::EpochError;
use crate::accessors::{AccessError, get_current_epoch};
use crate::mutators::{decrease_balance, increase_balance};

/// [`process_pending_consolidations`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-process_pending_consolidations).
pub fn process_pending_consolidations(state: &mut BeaconState) -> Result<(), EpochError> {
    let next_epoch = get_current_epoch(state) + 1;
    let pending = state.pending_consolidations.clone();
    let mut done = 0;
    for consolidation in &pending {
        let index = consolidation.source_index;
        let source = state.validators.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
        if !source.slashed {
            if source.withdrawable_epoch > next_epoch {
                break;
            }
            let balance = *state.balances.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
            // What is above the effective balance stays with the source, and is withdrawn.
            let moved = balance.min(source.effective_balance);
            decrease_balance(state, index, moved)?;
            increase_balance(state, consolidation.target_index, moved)?;
        }
        done += 1;
    }
    if done > 0 {
        state.pending_consolidations = pending.iter().skip(done).cloned().collect();
    }
    Ok(())
}
