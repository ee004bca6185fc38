//! Slots, and the transition as a whole.

use types::{BeaconState, Ctx, ForkName, Root, SignedBeaconBlock, Slot, SszExt};

use crate::block::process_block;
use crate::epoch::process_epoch;
use crate::error::TransitionError;
use crate::signatures::{Signatures, block_set};
use crate::upgrade::upgrade_to;

/// Whether the block's state root must be that of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidateResult {
    /// It must.
    Yes,
    /// The block is being built, or is trusted.
    No,
}

/// [`state_transition`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beacon-chain-state-transition-function).
///
/// On an error the state is partly changed and of no use: work on a clone, which is cheap. The signatures that were
/// collected up to then are of no use either. How far the block lies ahead is the caller's to bound, see
/// [`process_slots`].
pub fn state_transition(
    state: &mut BeaconState,
    signed_block: &SignedBeaconBlock,
    signatures: &mut Signatures,
    validate_result: ValidateResult,
) -> Result<(), TransitionError> {
    let block = &signed_block.message;
    process_slots(state, block.slot)?;
    if !verify_block_signature(state, signed_block, signatures) {
        return Err(TransitionError::BlockSignature);
    }
    process_block(state, block, signatures)?;
    if validate_result == ValidateResult::Yes {
        let root = state.state_root();
        if block.state_root != root {
            return Err(TransitionError::StateRoot { block: block.state_root, state: root });
        }
    }
    Ok(())
}

/// [`verify_block_signature`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beacon-chain-state-transition-function);
/// true too where the signature was collected or is trusted.
pub fn verify_block_signature(
    state: &BeaconState,
    signed_block: &SignedBeaconBlock,
    signatures: &mut Signatures,
) -> bool {
    signatures.take(|| block_set(state, signed_block))
}

/// [`process_slots`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beacon-chain-state-transition-function).
///
/// Takes time in proportion to the slots: the caller has made sure that the slot is not far in the future. Of 21,000
/// validators, an epoch without blocks takes 12 ms. On an error the state is partly changed and of no use.
pub fn process_slots(state: &mut BeaconState, slot: Slot) -> Result<(), TransitionError> {
    if state.slot >= slot {
        return Err(TransitionError::SlotNotAfterState { from: state.slot, to: slot });
    }
    while state.slot < slot {
        process_slot(state)?;
        let next = state.slot + 1;
        if next.0.is_multiple_of(state.spec().preset.slots_per_epoch) {
            process_epoch(state)?;
            state.slot = next;
            state.context.caches.enter_epoch(next.epoch(state.spec()));
            upgrade_if_scheduled(state)?;
        } else {
            state.slot = next;
        }
    }
    Ok(())
}

/// [`process_slot`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#beacon-chain-state-transition-function).
pub fn process_slot(state: &mut BeaconState) -> Result<(), TransitionError> {
    let place = (state.slot % state.spec().preset.slots_per_historical_root).as_usize();
    let state_root = state.state_root();
    state.state_roots[place] = state_root;
    if state.latest_block_header.state_root == Root::ZERO {
        state.latest_block_header.state_root = state_root;
    }
    state.block_roots[place] = state.latest_block_header.hash_tree_root(Ctx::PLAIN);
    Ok(())
}

/// Where a fork begins with the state's slot, the state becomes one of that fork; where several do, of one after the
/// other.
fn upgrade_if_scheduled(state: &mut BeaconState) -> Result<(), TransitionError> {
    let scheduled = state.spec().fork_name_at_slot(state.slot);
    let before = state.fork_name();
    for fork in ForkName::ALL.into_iter().filter(|fork| before < *fork && *fork <= scheduled) {
        upgrade_to(state, fork)?;
    }
    Ok(())
}
