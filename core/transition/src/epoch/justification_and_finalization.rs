//! Casper FFG: which checkpoints become justified and finalized.

use types::constants::{GENESIS_EPOCH, JUSTIFICATION_BITS_LENGTH};
use types::{BeaconState, Checkpoint, Gwei};

use super::target_balances::TargetBalances;
use super::{EpochError, EpochSummary};
use crate::accessors::{get_block_root, get_current_epoch, get_previous_epoch};

/// [`process_justification_and_finalization`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#justification-and-finalization).
pub fn process_justification_and_finalization(
    state: &mut BeaconState,
    summary: &EpochSummary,
) -> Result<(), EpochError> {
    // Checkpoints begin with a zero root that stands for genesis; the first two epochs must not replace it.
    if summary.current_epoch <= GENESIS_EPOCH + 1 {
        return Ok(());
    }
    weigh_justification_and_finalization(
        state,
        summary.total_active_balance,
        summary.previous_target_balance,
        summary.current_target_balance,
    )
}

/// [`weigh_justification_and_finalization`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#justification-and-finalization).
pub fn weigh_justification_and_finalization(
    state: &mut BeaconState,
    total_active_balance: Gwei,
    previous_epoch_target_balance: Gwei,
    current_epoch_target_balance: Gwei,
) -> Result<(), EpochError> {
    let previous_epoch = get_previous_epoch(state);
    let current_epoch = get_current_epoch(state);
    let old_previous_justified = state.previous_justified_checkpoint.clone();
    let old_current_justified = state.current_justified_checkpoint.clone();

    state.previous_justified_checkpoint = state.current_justified_checkpoint.clone();
    for place in (1..JUSTIFICATION_BITS_LENGTH as usize).rev() {
        let newer = state.justification_bits.get(place - 1);
        state.justification_bits.set(place, newer);
    }
    state.justification_bits.set(0, false);
    for (place, epoch, balance) in
        [(1, previous_epoch, previous_epoch_target_balance), (0, current_epoch, current_epoch_target_balance)]
    {
        if is_two_thirds(balance, total_active_balance)? {
            let root = get_block_root(state, epoch)?;
            state.current_justified_checkpoint = Checkpoint { epoch, root };
            state.justification_bits.set(place, true);
        }
    }

    // Where the epochs of these bits are all justified, and the checkpoint is the source of the newest of them, it is
    // finalized. The last rule that holds decides.
    let bits = &state.justification_bits;
    for (justified, source, distance) in [
        (1..4, &old_previous_justified, 3),
        (1..3, &old_previous_justified, 2),
        (0..3, &old_current_justified, 2),
        (0..2, &old_current_justified, 1),
    ] {
        if justified.into_iter().all(|place| bits.get(place)) {
            let reached = source.epoch.0.checked_add(distance).ok_or(EpochError::Overflow("an epoch"))?;
            if reached == current_epoch.0 {
                state.finalized_checkpoint = source.clone();
            }
        }
    }
    Ok(())
}

fn is_two_thirds(part: Gwei, whole: Gwei) -> Result<bool, EpochError> {
    let overflow = EpochError::Overflow("a target balance");
    match (part.0.checked_mul(3), whole.0.checked_mul(2)) {
        (Some(part), Some(whole)) => Ok(part >= whole),
        _ => Err(overflow),
    }
}

/// The justified and the finalized checkpoint that the state would have if its epoch ended now, which fork choice
/// asks after every block
/// ([`compute_pulled_up_tip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/fork-choice.md#compute_pulled_up_tip)).
/// The state stays as it is.
pub fn compute_unrealized_checkpoints(state: &BeaconState) -> Result<(Checkpoint, Checkpoint), EpochError> {
    let mut pulled_up = state.clone();
    // Blocks come more often than epochs end; where the weights of votes are at hand, the registry is not read.
    if let Some(TargetBalances { total_active, previous, current }) = TargetBalances::of(state) {
        if get_current_epoch(state) > GENESIS_EPOCH + 1 {
            weigh_justification_and_finalization(&mut pulled_up, total_active, previous, current)?;
        }
    } else {
        // The summary is built from the state itself, so that committees found on the way stay in its cache.
        let summary = EpochSummary::new(state)?;
        process_justification_and_finalization(&mut pulled_up, &summary)?;
    }
    Ok((pulled_up.current_justified_checkpoint, pulled_up.finalized_checkpoint))
}
