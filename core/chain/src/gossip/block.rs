//! `beacon_block`.

use data_availability::blobs::max_blobs_per_block;
use transition::block::{PayloadStatus, is_execution_enabled};
use transition::misc::compute_time_at_slot;
use transition::signatures::block_set;
use types::{
    BeaconBlock, BeaconState, ExecutionPayload, ForkName, SignedBeaconBlock, Slot, Time, ValidatorIndex,
};

use super::{
    BlockStore, Checked, FUTURE_SLOT, KnownBlock, SHUFFLING_NOT_KNOWN, Seen, is_not_from_future_slot,
};
use crate::{Verdict, Why};

/// The reason for ignoring a block whose parent is not known; it may be kept until the parent comes.
pub const PARENT_NOT_SEEN: Why = Why("block's parent has not been seen");

/// A block that passed all rules but its signature.
#[derive(Clone, Copy, Debug)]
pub struct CheckedBlock {
    slot: Slot,
    proposer: ValidatorIndex,
}

/// [`validate_beacon_block_gossip`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#beacon_block).
///
/// `state` tells the proposer's key: any state of the network whose registry is long enough does.
pub fn validate_beacon_block_gossip(
    seen: &Seen,
    store: &dyn BlockStore,
    state: &BeaconState,
    signed_block: &SignedBeaconBlock,
    now: Time,
) -> Result<Checked<CheckedBlock>, Verdict> {
    let block = &signed_block.message;
    if !is_not_from_future_slot(state, block.slot, now) {
        return Err(Verdict::Ignore(FUTURE_SLOT));
    }
    let finalized = store.finalized_checkpoint();
    if block.slot <= finalized.epoch.start_slot(state.spec()) {
        return Err(Verdict::ignore("block is not from a slot greater than the latest finalized slot"));
    }
    let facts = CheckedBlock { slot: block.slot, proposer: block.proposer_index };
    if facts.is_seen(seen) {
        return Err(Verdict::ignore("block is not the first valid block for this slot and proposer"));
    }
    if block.proposer_index.as_usize() >= state.validators.len() {
        return Err(Verdict::reject("proposer index out of range"));
    }
    let signature =
        block_set(state, signed_block).map_err(|_| Verdict::reject("invalid proposer signature"))?;
    let parent_slot = check_parent(store, state, block)?;
    if block.slot <= parent_slot {
        return Err(Verdict::reject("block is not from a higher slot than its parent"));
    }
    if store.get_checkpoint_block(&block.parent_root, finalized.epoch) != Some(finalized.root) {
        return Err(Verdict::reject("finalized checkpoint is not an ancestor of block"));
    }
    if block.body.blob_kzg_commitments.len() as u64 > max_blobs_per_block(state.spec(), block.slot) {
        return Err(Verdict::reject("too many blob kzg commitments"));
    }
    match store.expected_proposer(&block.parent_root, block.slot) {
        Some(expected) if expected == block.proposer_index => {}
        Some(_) => return Err(Verdict::reject("block proposer_index does not match expected proposer")),
        None => return Err(Verdict::Ignore(SHUFFLING_NOT_KNOWN)),
    }
    Ok(Checked { signatures: vec![(signature, Why("invalid proposer signature"))], facts })
}

/// The parent is valid, as far as can be known, and so is the time of the payload. Gives the parent's slot.
fn check_parent(store: &dyn BlockStore, state: &BeaconState, block: &BeaconBlock) -> Result<Slot, Verdict> {
    let parent = store.block(&block.parent_root);
    if parent == KnownBlock::Unseen {
        return Err(Verdict::Ignore(PARENT_NOT_SEEN));
    }
    if !has_payload(state, block) {
        return match parent {
            KnownBlock::Valid { slot, .. } => Ok(slot),
            _ => Err(Verdict::reject("block's parent is invalid")),
        };
    }
    if compute_time_at_slot(state, block.slot) != Ok(block.body.execution_payload.timestamp) {
        return Err(Verdict::reject("incorrect execution payload timestamp"));
    }
    match parent {
        KnownBlock::Invalid { payload: PayloadStatus::NotValidated } | KnownBlock::Unseen => {
            Err(Verdict::reject("block's parent is invalid and its payload is optimistic"))
        }
        KnownBlock::Invalid { .. } => {
            Err(Verdict::ignore("block's parent is invalid and its payload is processed"))
        }
        KnownBlock::Valid { payload: PayloadStatus::Invalidated, .. } => {
            Err(Verdict::ignore("block's parent is valid and its payload is invalid"))
        }
        KnownBlock::Valid { slot, .. } => Ok(slot),
    }
}

/// `is_execution_enabled` for a block whose fork may be ahead of the state's.
fn has_payload(state: &BeaconState, block: &BeaconBlock) -> bool {
    match state.spec().fork_name_at_slot(block.slot) {
        ForkName::Phase0 | ForkName::Altair => false,
        ForkName::Bellatrix => {
            is_execution_enabled(state, &block.body)
                || block.body.execution_payload != ExecutionPayload::default()
        }
        _ => true,
    }
}

impl CheckedBlock {
    /// True where a valid block of this proposer and slot was seen.
    pub fn is_seen(&self, seen: &Seen) -> bool {
        seen.proposer_slots.contains(&(self.slot, self.proposer))
    }

    /// Remembers the block; its signature is verified.
    pub fn mark_seen(&self, seen: &mut Seen) {
        seen.proposer_slots.insert((self.slot, self.proposer));
    }
}
