//! What a node answers to its peers: its status, and blocks from memory and disk.

use std::sync::Arc;

use chain::View;
use data_availability::Sidecar;
use sync::{Request, Status};
use types::{Root, SignedBeaconBlock, Slot};

use crate::disk::Disk;

/// The node's Status message.
pub fn status(view: &View) -> Status {
    // The checkpoint of genesis is named by no root.
    let finalized_root = if view.finalized.epoch == 0 { Root::ZERO } else { view.finalized.root };
    Status {
        finalized_root,
        finalized_epoch: view.finalized.epoch,
        head_root: view.head.root,
        head_slot: view.head.slot,
        earliest_available_slot: Slot(0),
    }
}

/// The blocks that a peer asks for. A block that is gone ends the answer, since what follows it would not be linked.
pub fn blocks(view: &View, disk: &Disk, request: &Request) -> Vec<Arc<SignedBeaconBlock>> {
    let block = |root: &Root| view.blocks.get(root).or_else(|| disk.block(root)).cloned();
    match request {
        Request::BlocksByRoot(roots) => roots.iter().filter_map(block).collect(),
        Request::BlocksByRange { start, count } => {
            let end = *start + *count;
            let canonical = canonical(view, disk, *start, end).into_iter();
            // The block of genesis was never signed, so nobody has it.
            canonical.filter(|(slot, _)| *slot > 0).map_while(|(_, root)| block(&root)).collect()
        }
        _ => Vec::new(),
    }
}

/// The blobs or columns that a peer asks for, as far as they are here, block after block.
pub fn sidecars(view: &View, disk: &Disk, request: &Request) -> Vec<Sidecar> {
    let of_block = |root: &Root| {
        let block = view.blocks.get(root).or_else(|| disk.block(root));
        let mut found = view.sidecars.get(root).cloned().unwrap_or_default();
        let stored = block.map(|block| disk.sidecars(block.message.slot, *root)).unwrap_or_default();
        found.extend(stored);
        found.sort_by_key(Sidecar::index);
        found.dedup_by_key(|sidecar| sidecar.index());
        found
    };
    let of_range = |start: Slot, count: u64| {
        let roots = canonical(view, disk, start, start + count).into_iter().map(|(_, root)| root);
        roots.flat_map(|root| of_block(&root)).collect::<Vec<_>>()
    };
    let is_blob = |sidecar: &Sidecar| matches!(sidecar, Sidecar::Blob(_));
    let is_column =
        |sidecar: &Sidecar, columns: &[u64]| !is_blob(sidecar) && columns.contains(&sidecar.index());
    match request {
        Request::BlocksByRange { .. } | Request::BlocksByRoot(_) => Vec::new(),
        Request::BlobsByRange { start, count } => {
            of_range(*start, *count).into_iter().filter(is_blob).collect()
        }
        Request::ColumnsByRange { start, count, columns } => {
            of_range(*start, *count).into_iter().filter(|sidecar| is_column(sidecar, columns)).collect()
        }
        Request::BlobsByRoot(wanted) => {
            let one = |(root, index): &(Root, u64)| {
                of_block(root).into_iter().find(|sidecar| is_blob(sidecar) && sidecar.index() == *index)
            };
            wanted.iter().filter_map(one).collect()
        }
        Request::ColumnsByRoot(wanted) => {
            let some = |(root, columns): &(Root, Vec<u64>)| {
                of_block(root).into_iter().filter(|sidecar| is_column(sidecar, columns)).collect::<Vec<_>>()
            };
            wanted.iter().flat_map(some).collect()
        }
    }
}

/// Slot and root of the canonical blocks from `start` to before `end`, oldest first.
fn canonical(view: &View, disk: &Disk, start: Slot, end: Slot) -> Vec<(Slot, Root)> {
    let mut recent = Vec::new();
    let mut wanted = view.head.root;
    // Parents stand before children, so one pass from the end meets the chain in order.
    for summary in view.fork_choice.nodes.iter().rev() {
        if summary.node.root == wanted {
            recent.push((summary.node.slot, wanted));
            wanted = summary.node.parent_root;
        }
    }
    let oldest = recent.last().map_or(Slot(u64::MAX), |(slot, _)| *slot);
    let mut found = disk.canonical_between(start, end.min(oldest));
    found.extend(recent.into_iter().rev().filter(|(slot, _)| (start..end).contains(slot)));
    found
}
