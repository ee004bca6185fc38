//! The canonical chain: from the head back through fork choice, then the finalized history of the database.

use chain::View;
use types::{Root, Slot};

use crate::loads::Loads;

/// Slots that one step of a search backwards looks at.
const WINDOW: u64 = 256;
/// Steps of a search backwards; nobody answers for a chain that was silent for longer.
const WINDOWS_MAX: usize = 64;

/// Slot and root of the canonical blocks from `start` to before `end`, oldest first.
pub fn blocks_between(
    view: &View,
    loads: &Loads,
    start: Slot,
    end: Slot,
) -> Result<Vec<(Slot, Root)>, String> {
    let recent = recent_chain(view);
    let mut found = Vec::new();
    if start == 0 && end > 0 {
        found.push((Slot(0), loads.genesis_root));
    }
    let (oldest_slot, oldest) = recent.last().copied().unwrap_or((view.head.slot, view.head.root));
    // Finalized history is indexed by slot. What was pruned from fork choice and is not indexed yet is found by the
    // parents of the oldest block that fork choice still has.
    let (from, to) = (start.max(Slot(1)), end.min(oldest_slot));
    if from < to {
        let stored = loads.database.blocks_in_range(from.0, to.0 - from.0, &oldest.0);
        let stored = stored.map_err(|fault| fault.to_string())?;
        found.extend(stored.iter().map(|block| (Slot(block.slot), Root::from(block.root))));
    }
    let in_range = |(slot, _): &(Slot, Root)| (start.max(Slot(1))..end).contains(slot);
    found.extend(recent.into_iter().rev().filter(in_range));
    Ok(found)
}

/// The canonical block of a slot, if the slot has one.
pub fn block_at(view: &View, loads: &Loads, slot: Slot) -> Result<Option<Root>, String> {
    let found = blocks_between(view, loads, slot, slot.saturating_add(1))?;
    Ok(found.first().map(|(_, root)| *root))
}

/// The last canonical block at or before a slot; none where it is too far before it.
pub fn last_block_by(view: &View, loads: &Loads, slot: Slot) -> Result<Option<(Slot, Root)>, String> {
    let mut end = slot.saturating_add(1);
    for _ in 0..WINDOWS_MAX {
        if end > view.head.slot {
            return Ok(Some((view.head.slot, view.head.root)));
        }
        let start = end.saturating_sub(WINDOW);
        if let Some(last) = blocks_between(view, loads, start, end)?.pop() {
            return Ok(Some(last));
        }
        end = start;
    }
    Ok(None)
}

/// The head and its ancestors as far as fork choice goes, youngest first.
fn recent_chain(view: &View) -> Vec<(Slot, Root)> {
    // Parents stand before children, so one pass from the end meets the chain in order.
    let mut wanted = view.head.root;
    let mut chain = Vec::new();
    for summary in view.fork_choice.nodes.iter().rev() {
        if summary.node.root == wanted {
            chain.push((summary.node.slot, wanted));
            wanted = summary.node.parent_root;
        }
    }
    chain
}
