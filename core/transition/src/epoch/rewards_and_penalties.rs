//! Pays and fines validators for their attestations.

use types::constants::GENESIS_EPOCH;
use types::{BeaconState, ForkName, Gwei};

use super::flag_deltas::apply_all_deltas;
use super::{EpochError, EpochSummary, get_attestation_deltas};

/// [`process_rewards_and_penalties`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#process_rewards_and_penalties);
/// modified in Altair.
pub fn process_rewards_and_penalties(
    state: &mut BeaconState,
    summary: &EpochSummary,
) -> Result<(), EpochError> {
    // Rewards are for the work of the previous epoch, which the first epoch does not have.
    if summary.current_epoch == GENESIS_EPOCH {
        return Ok(());
    }
    if state.fork_name() >= ForkName::Altair {
        return apply_all_deltas(state, summary);
    }
    let deltas = get_attestation_deltas(state, summary)?;
    let mut overflow = false;
    state.balances.update(|index, balance| {
        let Some(rewarded) = balance.0.checked_add(deltas.rewards[index].0) else {
            overflow = true;
            return None;
        };
        let changed = Gwei(rewarded.saturating_sub(deltas.penalties[index].0));
        (changed != *balance).then_some(changed)
    });
    if overflow { Err(EpochError::Overflow("a balance")) } else { Ok(()) }
}
