//! The header.

use types::{BeaconBlock, BeaconBlockHeader, BeaconState, Ctx, Root, SszExt};

use super::HeaderInvalid;
use crate::accessors::get_beacon_proposer_index;

/// [`process_block_header`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#block-header).
pub fn process_block_header(state: &mut BeaconState, block: &BeaconBlock) -> Result<(), HeaderInvalid> {
    if block.slot != state.slot {
        return Err(HeaderInvalid::Slot { block: block.slot, state: state.slot });
    }
    if block.slot <= state.latest_block_header.slot {
        return Err(HeaderInvalid::NotAfterParent);
    }
    let expected = get_beacon_proposer_index(state)?;
    if block.proposer_index != expected {
        return Err(HeaderInvalid::Proposer { found: block.proposer_index, expected });
    }
    let parent = state.latest_block_header.hash_tree_root(Ctx::PLAIN);
    if block.parent_root != parent {
        return Err(HeaderInvalid::Parent { found: block.parent_root, expected: parent });
    }
    state.latest_block_header = BeaconBlockHeader {
        slot: block.slot,
        proposer_index: block.proposer_index,
        parent_root: block.parent_root,
        // Filled in when the next slot is processed.
        state_root: Root::ZERO,
        body_root: block.body.hash_tree_root(state.ctx()),
    };
    if state.validators[block.proposer_index.as_usize()].slashed {
        return Err(HeaderInvalid::ProposerSlashed);
    }
    Ok(())
}
