//! Dropping what finality made useless. Runs as an operation inside a batch, so that a crash leaves the
//! file either before or after it, and the freed pages are reused by the batches that follow.

use std::collections::HashMap;

use crate::Root;
use crate::database::{
    BlockRef, block_refs, canonical_between, delete_block, delete_state, slot_key, states_below, to_root,
    to_slot,
};
use crate::engine::{Table, Writing, collect};
use crate::error::Fault;

/// First slot not yet pruned, so that each run looks at new slots only and not at all of history.
const PRUNED_BELOW_KEY: &[u8] = b"_pruned_below";
/// Blocks dropped from history per operation.
const HISTORY_BLOCKS_MAX: usize = 4_096;

/// See [`crate::Op::Prune`].
pub(crate) fn prune(
    tables: &mut dyn Writing,
    finalized_slot: u64,
    keep_states: &[Root],
) -> Result<(), Fault> {
    let end_slot = finalized_slot.saturating_add(1);
    let start_slot = tables.get(Table::Meta, PRUNED_BELOW_KEY)?.map_or(Ok(0), |bytes| to_slot(&bytes))?;
    if tables.get(Table::Canonical, &finalized_slot.to_be_bytes())?.is_none() {
        return Err(Fault::BrokenHistory(finalized_slot));
    }
    let blocks = block_refs(tables, start_slot, end_slot)?;
    let canonical: HashMap<u64, Root> =
        canonical_between(tables, start_slot, end_slot)?.into_iter().collect();
    check_one_chain(&blocks, &canonical)?;
    let mut dropped_blocks = 0;
    for block in &blocks {
        if canonical.get(&block.slot) != Some(&block.root) {
            delete_block(tables, &block.root)?;
            dropped_blocks += 1;
        }
    }
    let mut dropped_states = 0;
    for (_, root) in states_below(tables, finalized_slot)? {
        if !keep_states.contains(&root) {
            delete_state(tables, &root)?;
            dropped_states += 1;
        }
    }
    if end_slot > start_slot {
        tables.put(Table::Meta, PRUNED_BELOW_KEY, &end_slot.to_be_bytes())?;
    }
    tracing::debug!(finalized_slot, dropped_blocks, dropped_states, "pruned");
    Ok(())
}

/// Every canonical block must follow the one before it, and the first must not follow a stored block that is not
/// canonical. A hole in the table would make pruning delete good blocks, and those cannot be had back from this disk.
fn check_one_chain(blocks: &[BlockRef], canonical: &HashMap<u64, Root>) -> Result<(), Fault> {
    let is_canonical = |block: &&BlockRef| canonical.get(&block.slot) == Some(&block.root);
    let mut previous: Option<&BlockRef> = None;
    for block in blocks.iter().filter(is_canonical) {
        let follows = match previous {
            Some(previous) => previous.root == block.parent,
            None => blocks.iter().all(|other| other.root != block.parent),
        };
        if !follows {
            return Err(Fault::BrokenHistory(block.slot));
        }
        previous = Some(block);
    }
    Ok(())
}

/// See [`crate::Op::DropHistory`].
pub(crate) fn drop_history(tables: &mut dyn Writing, below_slot: u64) -> Result<(), Fault> {
    let to = below_slot.to_be_bytes();
    let entries = collect(tables, Table::BlockSlots, (&[], &to), HISTORY_BLOCKS_MAX)?;
    for (key, _) in &entries {
        let (slot, root) = (to_slot(&key[..8])?, to_root(&key[8..])?);
        delete_block(tables, &root)?;
        // The index entry goes even where its block is missing, or this would never advance.
        tables.delete(Table::BlockSlots, &slot_key(slot, &root))?;
    }
    let canonical_end = match entries.last() {
        Some((key, _)) if entries.len() == HISTORY_BLOCKS_MAX => key[..8].to_vec(),
        _ => to.to_vec(),
    };
    for (key, _) in collect(tables, Table::Canonical, (&[], &canonical_end), usize::MAX)? {
        tables.delete(Table::Canonical, &key)?;
    }
    tracing::debug!(below_slot, dropped_blocks = entries.len(), "dropped history");
    Ok(())
}
