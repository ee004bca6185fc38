use std::collections::BTreeSet;
use std::sync::Arc;

use types::{Bytes, DataColumnSidecar, Epoch, ForkName};

use super::*;
use crate::fixture::{blob_sidecars, block, column_sidecars, data, root, spec};
use crate::{Verification, Verified, needed};

fn columns(indices: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    indices.into_iter().collect()
}

fn fulu(sampled: &[u64], limits: Limits) -> (Availability, &'static Spec) {
    let spec = spec(ForkName::Fulu);
    (Availability::new(spec, columns(sampled.iter().copied()), limits), spec)
}

fn column(sidecar: &Arc<DataColumnSidecar>) -> Sidecar {
    Sidecar::Column(sidecar.clone())
}

/// A column with other cells than the right ones.
fn spoilt(sidecar: &DataColumnSidecar, mark: u8) -> Sidecar {
    let mut sidecar = sidecar.clone();
    sidecar.column[0] = Bytes(vec![mark; 2048]);
    Sidecar::Column(Arc::new(sidecar))
}

#[test]
fn a_block_is_complete_once_every_sampled_column_is_verified() {
    let (mut store, spec) = fulu(&[3, 9], Limits::default());
    let block = block(5, 1);
    let (root, sidecars) = (root(spec, &block), column_sidecars(spec, &block));
    assert_eq!(store.progress(&root), Progress::NoBlock);
    let early = store.receive(column(&sidecars[3])).unwrap();
    assert_eq!(store.progress(&root), Progress::NoBlock);
    let progress = store.block_arrived(root, Slot(5), &data().commitments);
    assert_eq!(progress, Ok(Progress::Missing(vec![3, 9])));
    let (_, progress) = store.verified(&early).unwrap();
    assert_eq!(progress, Progress::Missing(vec![9]));
    // A column that is not sampled is kept, but completes nothing.
    assert_eq!(store.insert_verified(column(&sidecars[4])), Ok(Progress::Missing(vec![9])));
    assert_eq!(store.insert_verified(column(&sidecars[9])), Ok(Progress::Complete));
    let taken: Vec<u64> = store.take(&root).iter().map(Sidecar::index).collect();
    assert_eq!(taken, [3, 4, 9]);
    assert_eq!(store.held(), Held::default());
}

#[test]
fn a_block_is_complete_once_every_blob_is_verified() {
    for fork in [ForkName::Deneb, ForkName::Electra] {
        let spec = spec(fork);
        let mut store = Availability::new(spec, BTreeSet::new(), Limits::default());
        let block = block(5, 1);
        let (root, sidecars) = (root(spec, &block), blob_sidecars(spec, &block));
        assert_eq!(
            store.block_arrived(root, Slot(5), &data().commitments),
            Ok(Progress::Missing(vec![0, 1]))
        );
        let blob = |index: usize| Sidecar::Blob(sidecars[index].clone());
        assert_eq!(store.insert_verified(blob(1)), Ok(Progress::Missing(vec![0])));
        assert_eq!(store.insert_verified(blob(1)), Err(Refused::Known));
        assert_eq!(store.insert_verified(blob(0)), Ok(Progress::Complete));
    }
}

#[test]
fn a_block_without_blobs_or_of_a_fork_without_them_is_complete_at_once() {
    let (mut store, spec) = fulu(&[3], Limits::default());
    let empty = block(5, 1);
    assert_eq!(store.block_arrived(root(spec, &empty), Slot(5), &[]), Ok(Progress::Complete));
    let mut old = Availability::new(crate::fixture::spec(ForkName::Capella), columns([0]), Limits::default());
    assert_eq!(old.block_arrived(Root::ZERO, Slot(5), &data().commitments), Ok(Progress::Complete));
    assert_eq!((store.held(), old.held()), (Held::default(), Held::default()));
}

#[test]
fn wrong_cells_with_a_right_header_do_not_keep_the_right_ones_out() {
    let (mut store, spec) = fulu(&[3], Limits::default());
    let block = block(5, 1);
    let (root, sidecars) = (root(spec, &block), column_sidecars(spec, &block));
    store.block_arrived(root, Slot(5), &data().commitments).unwrap();
    let bad = store.receive(spoilt(&sidecars[3], 1)).unwrap();
    let good = store.receive(column(&sidecars[3])).unwrap();
    assert_eq!(store.receive(column(&sidecars[3])), Err(Refused::Known));
    let late = store.receive(spoilt(&sidecars[3], 2)).unwrap();
    store.failed(&bad);
    assert_eq!(store.verified(&good).unwrap().1, Progress::Complete);
    // The rival is gone, whatever its own verification says.
    assert_eq!(store.verified(&late), None);
    store.failed(&late);
    assert_eq!(store.get(&root, 3), Some(&column(&sidecars[3])));
    assert_eq!(store.held().bytes, column(&sidecars[3]).size());
}

#[test]
fn one_job_verifies_what_waits_and_says_who_lied() {
    let (mut store, spec) = fulu(&[3, 4], Limits::default());
    let block = block(5, 1);
    let sidecars = column_sidecars(spec, &block);
    let mut job = Verification::default();
    for sidecar in [column(&sidecars[3]), spoilt(&sidecars[4], 1), column(&sidecars[4])] {
        job.waiting.push((store.receive(sidecar.clone()).unwrap(), sidecar));
    }
    let tickets: Vec<Ticket> = job.waiting.iter().map(|(ticket, _)| *ticket).collect();
    let found = job.run();
    assert_eq!(found, Verified { valid: vec![tickets[0], tickets[2]], invalid: vec![tickets[1]] });
    found.invalid.iter().for_each(|ticket| store.failed(ticket));
    found.valid.iter().for_each(|ticket| assert!(store.verified(ticket).is_some()));
    let progress = store.block_arrived(root(spec, &block), Slot(5), &data().commitments);
    assert_eq!(progress, Ok(Progress::Complete));
    let deneb = crate::fixture::spec(ForkName::Deneb);
    let mut store = Availability::new(deneb, BTreeSet::new(), Limits::default());
    let blob = Sidecar::Blob(blob_sidecars(deneb, &block)[1].clone());
    let ticket = store.receive(blob.clone()).unwrap();
    assert_eq!(Verification { waiting: vec![(ticket, blob)] }.run().valid, [ticket]);
}

#[test]
fn only_so_many_wait_in_one_place() {
    let (mut store, spec) = fulu(&[3], Limits { candidates_max: 2, ..Limits::default() });
    let sidecars = column_sidecars(spec, &block(5, 1));
    let first = store.receive(spoilt(&sidecars[3], 1)).unwrap();
    store.receive(spoilt(&sidecars[3], 2)).unwrap();
    assert_eq!(store.receive(column(&sidecars[3])), Err(Refused::Candidates));
    store.receive(column(&sidecars[4])).unwrap();
    store.failed(&first);
    store.receive(column(&sidecars[3])).unwrap();
}

#[test]
fn what_no_block_of_the_slot_can_have_is_refused() {
    let (mut store, spec) = fulu(&[3], Limits::default());
    let block = block(5, 1);
    let sidecars = column_sidecars(spec, &block);
    let deneb = crate::fixture::spec(ForkName::Deneb);
    let blob = Sidecar::Blob(blob_sidecars(deneb, &block)[0].clone());
    assert_eq!(store.receive(blob), Err(Refused::Kind));
    let mut beyond = (*sidecars[3]).clone();
    beyond.index = 128;
    assert_eq!(store.receive(Sidecar::Column(Arc::new(beyond))), Err(Refused::Index));
    let mut other = (*sidecars[3]).clone();
    other.kzg_commitments.pop();
    let other = Sidecar::Column(Arc::new(other));
    // Before the block is here nobody can tell; then it goes, and no other enters.
    let waiting = store.receive(other.clone()).unwrap();
    store.block_arrived(root(spec, &block), Slot(5), &data().commitments).unwrap();
    assert_eq!(store.verified(&waiting), None);
    assert_eq!(store.receive(other), Err(Refused::Commitments));
    assert_eq!(store.held(), Held { blocks: 1, bytes: 0 });
}

#[test]
fn finalized_slots_are_forgotten_and_refused() {
    let (mut store, spec) = fulu(&[3], Limits::default());
    let (old, new) = (block(5, 1), block(6, 1));
    let ticket = store.receive(column(&column_sidecars(spec, &old)[3])).unwrap();
    store.insert_verified(column(&column_sidecars(spec, &new)[3])).unwrap();
    store.prune(Slot(5));
    assert_eq!(store.verified(&ticket), None);
    assert_eq!(store.held().blocks, 1);
    assert_eq!(store.receive(column(&column_sidecars(spec, &old)[3])), Err(Refused::Finalized));
    let arrived = store.block_arrived(root(spec, &old), Slot(5), &data().commitments);
    assert_eq!(arrived, Err(Refused::Finalized));
}

#[test]
fn where_there_is_no_room_sidecars_without_a_block_go_first_then_the_lowest_slots() {
    let (mut store, spec) = fulu(&[3], Limits { blocks_max: 2, ..Limits::default() });
    let blocks: Vec<_> = (5..9).map(|slot| block(slot, 1)).collect();
    let roots: Vec<Root> = blocks.iter().map(|block| root(spec, block)).collect();
    let sidecar = |place: usize| column(&column_sidecars(spec, &blocks[place])[3]);
    store.block_arrived(roots[0], Slot(5), &data().commitments).unwrap();
    store.receive(sidecar(1)).unwrap();
    store.receive(sidecar(2)).unwrap();
    // Slot 6, of which only a sidecar came, went before slot 5.
    assert_eq!(store.progress(&roots[0]), Progress::Missing(vec![3]));
    assert_eq!(store.receive(sidecar(1)), Err(Refused::Full));
    store.block_arrived(roots[3], Slot(8), &data().commitments).unwrap();
    assert_eq!(store.held().blocks, 2);
    assert_eq!(store.receive(sidecar(2)), Err(Refused::Full));
    store.block_arrived(roots[2], Slot(7), &data().commitments).unwrap();
    assert_eq!(store.progress(&roots[0]), Progress::NoBlock);
    assert_eq!(store.block_arrived(roots[0], Slot(5), &data().commitments), Err(Refused::Full));
    assert_eq!(store.held().blocks, 2);
}

#[test]
fn bytes_are_bounded_and_counted_down_to_the_last() {
    let sidecars = {
        let spec = spec(ForkName::Fulu);
        (5..8).map(|slot| column(&column_sidecars(spec, &block(slot, 1))[3])).collect::<Vec<_>>()
    };
    let size = sidecars[0].size();
    let (mut store, _) = fulu(&[3], Limits { bytes_max: 2 * size, ..Limits::default() });
    for sidecar in &sidecars {
        store.insert_verified(sidecar.clone()).unwrap();
        assert!(store.held().bytes <= 2 * size);
    }
    assert_eq!(store.held(), Held { blocks: 2, bytes: 2 * size });
    assert_eq!(store.get(&sidecars[0].block_root(), 3), None);
    for sidecar in &sidecars {
        store.take(&sidecar.block_root());
    }
    assert_eq!(store.held(), Held::default());
}

#[test]
fn half_of_the_columns_give_one_recovery_whose_columns_complete_the_block() {
    let (mut store, spec) = fulu(&[3, 90], Limits::default());
    let block = block(5, 1);
    let (root, sidecars) = (root(spec, &block), column_sidecars(spec, &block));
    store.block_arrived(root, Slot(5), &data().commitments).unwrap();
    for sidecar in &sidecars[..63] {
        store.insert_verified(column(sidecar)).unwrap();
        assert!(store.recovery(&root).is_none());
    }
    store.insert_verified(column(&sidecars[63])).unwrap();
    assert!(store.recovery(&root).is_some());
    assert!(store.recovery(&root).is_none());
    store.abandon_recovery(&root);
    let recovery = store.recovery(&root).unwrap();
    assert_eq!(store.progress(&root), Progress::Missing(vec![90]));
    // The cells are those of the fixture, so recovering them again would only cost time.
    for sidecar in recovery.assemble(&data().cells).unwrap() {
        store.insert_verified(Sidecar::Column(Arc::new(sidecar))).unwrap();
    }
    assert_eq!(store.progress(&root), Progress::Complete);
    assert_eq!(store.take(&root).len(), 128);
}

#[test]
fn sampling_more_asks_more_of_blocks_that_wait() {
    let (mut store, spec) = fulu(&[3], Limits::default());
    let block = block(5, 1);
    let (root, sidecars) = (root(spec, &block), column_sidecars(spec, &block));
    store.block_arrived(root, Slot(5), &data().commitments).unwrap();
    assert_eq!(store.insert_verified(column(&sidecars[3])), Ok(Progress::Complete));
    store.sample(columns([3, 7, 100]));
    assert_eq!(store.progress(&root), Progress::Missing(vec![7, 100]));
}

#[test]
fn old_blocks_need_no_data() {
    let spec = spec(ForkName::Fulu);
    let kept = spec.config.min_epochs_for_data_column_sidecars_requests;
    assert_eq!(needed(spec, Slot(8), Epoch(1 + kept)), Needed::Columns);
    assert_eq!(needed(spec, Slot(8), Epoch(2 + kept)), Needed::Nothing);
    assert_eq!(needed(crate::fixture::spec(ForkName::Electra), Slot(8), Epoch(1)), Needed::Blobs);
    assert_eq!(needed(crate::fixture::spec(ForkName::Capella), Slot(8), Epoch(1)), Needed::Nothing);
}
