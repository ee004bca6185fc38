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
pub fn held(view: &View, loads: &Loads, root: &Root) -> Result<BTreeSet<u64>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;
    use storage::{Batch, Op};
    use types::Spec;

    /// A chain with blocks in slots 1, 2, 9 and 10, shown as one of Deneb whose second epoch is Fulu's, and what is
    /// stored of its data.
    fn world() -> (World, View, Vec<Root>) {
        let mut world = World::new();
        let roots = world.grow([1, 2, 9, 10]);
        world.flush();
        let held = [(0, 1, 0), (0, 1, 1), (1, 2, 0), (2, 9, 3), (2, 9, 5), (3, 10, 3), (3, 10, 9)];
        let put = |(block, slot, index): (usize, u64, u64)| Op::PutSidecar {
            root: roots[block].0,
            slot,
            index,
            ssz: vec![slot as u8, index as u8],
        };
        let seq = world.loads.database.last_seq().unwrap() + 1;
        let ops = held.into_iter().map(put).collect();
        world.loads.database.apply(&[Batch { seq, ops }]).unwrap();
        let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\n\
            CAPELLA_FORK_EPOCH: 0\nDENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 1\nFULU_FORK_EPOCH: 1\n\
            MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS: 2\nMIN_EPOCHS_FOR_DATA_COLUMN_SIDECARS_REQUESTS: 3\n";
        let mut view = (*world.view()).clone();
        view.spec = Spec::from_yaml(text, None).unwrap();
        (world, view, roots)
    }

    /// Places of what a request gets, with blocks by their slots.
    fn found(world: &World, view: &View, since: u64, asked: Asked) -> Result<Vec<(u64, u64)>, u8> {
        let places = places(view, &world.loads, Slot(since), asked).map_err(|(code, _)| code)?;
        for place in &places {
            let ssz = read(view, &world.loads, place).unwrap().unwrap();
            assert_eq!(ssz, [place.slot.0 as u8, place.index as u8]);
        }
        Ok(places.iter().map(|place| (place.slot.0, place.index)).collect())
    }

    #[test]
    fn a_range_gives_what_is_kept_of_the_canonical_blocks_of_its_kind() {
        let (world, view, _) = world();
        let blobs = |start, end| found(&world, &view, 0, Asked::BlobsByRange(Slot(start), Slot(end)));
        assert_eq!(blobs(0, 20), Ok(vec![(1, 0), (1, 1), (2, 0)]));
        assert_eq!(blobs(2, 3), Ok(vec![(2, 0)]));
        assert_eq!(blobs(9, 20), Ok(vec![]), "blocks of Fulu have no blob sidecars");
        let columns = |start, end, columns: &[u64]| {
            found(&world, &view, 0, Asked::ColumnsByRange(Slot(start), Slot(end), columns.to_vec()))
        };
        assert_eq!(columns(0, 20, &[9, 3, 4, 3]), Ok(vec![(9, 3), (10, 3), (10, 9)]));
        assert_eq!(columns(9, 10, &[5]), Ok(vec![(9, 5)]));
        assert_eq!(columns(1, 8, &[0, 1]), Ok(vec![]));
    }

    #[test]
    fn by_root_a_peer_gets_what_is_kept_of_blocks_of_its_kind() {
        let (world, view, roots) = world();
        let other = Root::from([9; 32]);
        let blobs = Asked::BlobsByRoot(vec![(roots[1], 0), (other, 0), (roots[2], 3), (roots[0], 1)]);
        assert_eq!(found(&world, &view, 0, blobs), Ok(vec![(2, 0), (1, 1)]));
        let columns = Asked::ColumnsByRoot(vec![(roots[3], vec![9]), (roots[0], vec![0]), (other, vec![1])]);
        assert_eq!(found(&world, &view, 0, columns), Ok(vec![(10, 9)]));
        // What is asked for and not kept is left out when it is read.
        let place = Place { root: roots[3], slot: Slot(10), index: 77 };
        assert_eq!(read(&view, &world.loads, &place), Ok(None));
    }

    #[test]
    fn what_is_too_old_or_was_never_kept_is_unavailable() {
        let (world, mut view, roots) = world();
        let blobs = |view: &View, end| found(&world, view, 0, Asked::BlobsByRange(Slot(1), Slot(end)));
        let columns = |view: &View, since, start| {
            found(&world, view, since, Asked::ColumnsByRange(Slot(start), Slot(11), vec![3]))
        };
        assert_eq!(columns(&view, 10, 9), Err(code::RESOURCE_UNAVAILABLE));
        assert_eq!(columns(&view, 10, 10), Ok(vec![(10, 3)]));
        assert_eq!(columns(&view, 8, 1), Ok(vec![(9, 3), (10, 3)]), "before Fulu there was nothing to keep");
        view.current_slot = Slot(4 * 8);
        assert_eq!(blobs(&view, 16), Err(code::RESOURCE_UNAVAILABLE));
        assert_eq!(blobs(&view, 17), Ok(vec![]));
        assert_eq!(found(&world, &view, 0, Asked::BlobsByRoot(vec![(roots[0], 0)])), Ok(vec![]));
        assert_eq!(columns(&view, 0, 1), Ok(vec![(9, 3), (10, 3)]));
        view.current_slot = Slot(5 * 8);
        assert_eq!(columns(&view, 0, 1), Err(code::RESOURCE_UNAVAILABLE));
    }

    #[test]
    fn a_block_is_never_cut_to_keep_a_limit() {
        let block = |slot: u64, count: u64| -> Vec<Place> {
            (0..count).map(|index| Place { root: Root::ZERO, slot: Slot(slot), index }).collect()
        };
        let all = vec![block(1, 3), block(2, 0), block(3, 3), block(4, 3)];
        assert_eq!(whole_blocks(all.clone(), 8).len(), 6);
        assert_eq!(whole_blocks(all.clone(), 9).len(), 9);
        assert_eq!(whole_blocks(all, 2).len(), 0);
    }
}
