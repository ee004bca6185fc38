//! Which blobs and columns a peer may have: of the canonical chain by range, of any block that we have by root, and
//! never older ones than peers must be ready to serve.

use std::collections::BTreeSet;

use chain::View;
use data_availability::blobs::{compute_max_request_blob_sidecars, max_blobs_per_block};
use data_availability::columns::compute_max_request_data_column_sidecars;
use network::code;
use types::{Epoch, ForkName, Root, Slot};

use crate::asked::{Asked, Refusal};
use crate::canonical;
use crate::disk::encode_sidecar;
use crate::loads::Loads;
use crate::serve::storage_failed;

/// A sidecar that may be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its block.
    pub root: Root,
    /// The block's slot.
    pub slot: Slot,
    /// The blob's or column's place.
    pub index: u64,
}

const TOO_OLD: Refusal = (code::RESOURCE_UNAVAILABLE, "these sidecars are no longer kept");
const NEVER_KEPT: Refusal = (code::RESOURCE_UNAVAILABLE, "not all columns of these slots are kept");

/// The first slot whose blobs, and the first whose columns, are kept in an epoch.
pub fn window(view: &View, epoch: Epoch) -> (Slot, Slot) {
    let config = &view.spec.config;
    let first = |epochs: u64| epoch.saturating_sub(epochs).start_slot(view.spec);
    (
        first(config.min_epochs_for_blob_sidecars_requests),
        first(config.min_epochs_for_data_column_sidecars_requests),
    )
}

/// The sidecars that a request asks for, in order. Some may not be here.
pub fn places(view: &View, loads: &Loads, columns_since: Slot, asked: Asked) -> Result<Vec<Place>, Refusal> {
    let (blobs_from, columns_from) = window(view, view.current_slot.epoch(view.spec));
    let spec = view.spec;
    match asked {
        // https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/p2p-interface.md#blobsidecarsbyrange-v1
        Asked::BlobsByRange(start, end) => {
            if end <= blobs_from {
                return Err(TOO_OLD);
            }
            let fork = spec.fork_name_at_slot(view.current_slot);
            let max = compute_max_request_blob_sidecars(spec, fork);
            let blobs = |slot: Slot| (0..max_blobs_per_block(spec, slot)).collect();
            let is_of_kind = |slot: Slot| !is_of_columns(view, slot) && slot >= blobs_from;
            canonical_places(view, loads, (start, end), is_of_kind, blobs)
                .map(|found| whole_blocks(found, max))
        }
        // https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#datacolumnsidecarsbyrange-v1
        Asked::ColumnsByRange(start, end, columns) => {
            if end <= columns_from {
                return Err(TOO_OLD);
            }
            let first = spec.fork_epoch(ForkName::Fulu).start_slot(spec).max(columns_from).max(start);
            if first < end && first < columns_since {
                return Err(NEVER_KEPT);
            }
            let max = compute_max_request_data_column_sidecars(spec);
            let columns: BTreeSet<u64> = columns.into_iter().collect();
            let is_of_kind = |slot: Slot| is_of_columns(view, slot) && slot >= columns_from;
            canonical_places(view, loads, (start, end), is_of_kind, |_| columns.iter().copied().collect())
                .map(|found| whole_blocks(found, max))
        }
        Asked::BlobsByRoot(blobs) => {
            let asked = blobs.into_iter().map(|(root, index)| (root, vec![index]));
            by_root(view, loads, asked, |slot| !is_of_columns(view, slot) && slot >= blobs_from)
        }
        Asked::ColumnsByRoot(blocks) => {
            by_root(view, loads, blocks.into_iter(), |slot| is_of_columns(view, slot) && slot >= columns_from)
        }
        Asked::BlocksByRange(..) | Asked::BlocksByRoot(_) | Asked::BlocksByHead(..) => {
            Err((code::INVALID_REQUEST, "not a request for data"))
        }
    }
}

fn is_of_columns(view: &View, slot: Slot) -> bool {
    view.spec.fork_name_at_slot(slot) >= ForkName::Fulu
}

/// The sidecars of canonical blocks that are here, among these of each slot.
fn canonical_places(
    view: &View,
    loads: &Loads,
    (start, end): (Slot, Slot),
    is_of_kind: impl Fn(Slot) -> bool,
    indices: impl Fn(Slot) -> Vec<u64>,
) -> Result<Vec<Vec<Place>>, Refusal> {
    let found = canonical::blocks_between(view, loads, start.max(Slot(1)), end)
        .map_err(|error| storage_failed(&error))?;
    let mut blocks = Vec::new();
    for (slot, root) in found.into_iter().filter(|(slot, _)| is_of_kind(*slot)) {
        let held = held(view, loads, &root).map_err(|error| storage_failed(&error))?;
        let places = indices(slot).into_iter().filter(|index| held.contains(index));
        blocks.push(places.map(|index| Place { root, slot, index }).collect());
    }
    Ok(blocks)
}

/// The indices of a block's sidecars that are here.
fn held(view: &View, loads: &Loads, root: &Root) -> Result<BTreeSet<u64>, String> {
    let in_memory = view.sidecars.get(root).into_iter().flatten().map(|sidecar| sidecar.index());
    let stored = loads.database.sidecar_indices(&root.0).map_err(|fault| fault.to_string())?;
    Ok(in_memory.chain(stored).collect())
}

/// The first blocks whose sidecars are at most so many: a block is never cut.
fn whole_blocks(blocks: Vec<Vec<Place>>, max: u64) -> Vec<Place> {
    let mut places = Vec::new();
    for block in blocks {
        if (places.len() + block.len()) as u64 > max {
            break;
        }
        places.extend(block);
    }
    places
}

fn by_root(
    view: &View,
    loads: &Loads,
    asked: impl Iterator<Item = (Root, Vec<u64>)>,
    is_served: impl Fn(Slot) -> bool,
) -> Result<Vec<Place>, Refusal> {
    let mut places = Vec::new();
    for (root, indices) in asked {
        let slot = slot_of(view, loads, &root).map_err(|error| storage_failed(&error))?;
        if let Some(slot) = slot.filter(|slot| is_served(*slot)) {
            places.extend(indices.into_iter().map(|index| Place { root, slot, index }));
        }
    }
    Ok(places)
}

/// The slot of a block of which there may be sidecars.
fn slot_of(view: &View, loads: &Loads, root: &Root) -> Result<Option<Slot>, String> {
    if let Some(sidecar) = view.sidecars.get(root).and_then(|sidecars| sidecars.first()) {
        return Ok(Some(sidecar.slot()));
    }
    let stored = loads.database.slot_of_block(&root.0).map_err(|fault| fault.to_string())?;
    Ok(stored.map(Slot))
}

/// The SSZ of a sidecar; none where it is not here.
pub fn read(view: &View, loads: &Loads, place: &Place) -> Result<Option<Vec<u8>>, String> {
    let in_memory = view.sidecars.get(&place.root);
    let in_memory = in_memory.and_then(|all| all.iter().find(|sidecar| sidecar.index() == place.index));
    match in_memory {
        Some(sidecar) => Ok(Some(encode_sidecar(sidecar, view.spec.ctx_at_slot(place.slot)))),
        None => loads.sidecar(&place.root, place.index),
    }
}
