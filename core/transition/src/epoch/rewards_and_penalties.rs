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
    let mut is_over = false;
    let mut new = Vec::new();
    state.balances.for_each_page(|start, mut page| {
        let balances = page.items();
        let all = start..start + balances.len();
        let deltas = deltas.rewards[all.clone()].iter().zip(&deltas.penalties[all]);
        new.clear();
        new.extend(balances.iter().zip(deltas).map(|(balance, (reward, penalty))| {
            let (rewarded, carries) = balance.0.overflowing_add(reward.0);
            is_over |= carries;
            Gwei(rewarded.saturating_sub(penalty.0))
        }));
        if balances != new {
            page.set(&new);
        }
    });
    if is_over { Err(EpochError::Overflow("a balance")) } else { Ok(()) }
}
