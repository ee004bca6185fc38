//! What the chain database holds after batches, on disk and in memory alike.
#![allow(clippy::unwrap_used)]

mod support;

use storage::{Batch, BlockRef, Database, Fault, Identity, Memory, Op, SidecarRef};
use support::{Noise, Scratch, root};

fn identity() -> Identity {
    Identity { genesis_validators_root: [1; 32], config_fingerprint: [2; 32] }
}

/// Runs a test on both engines.
fn on_both(test: impl Fn(&Database)) {
    test(&Database::in_memory(&Memory::default(), &identity()).unwrap());
    let scratch = Scratch::new();
    test(&Database::open(scratch.path(), &identity(), 1 << 20, |_| ()).unwrap());
}

fn apply(database: &Database, ops: Vec<Op>) -> Result<(), Fault> {
    let seq = database.last_seq().unwrap() + 1;
    database.apply(&[Batch { seq, ops }])
}

/// Blocks by number; tens are the slots.
fn block(number: u64, parent: u64) -> Op {
    let (slot, ssz) = (number / 10, vec![number as u8; 300]);
    Op::PutBlock { root: root(number), slot, parent: root(parent), ssz }
}

fn state(number: u64) -> Op {
    Op::PutState { root: root(number), slot: number / 10, ssz: vec![number as u8; 5000].into() }
}

fn canonical(number: u64) -> Op {
    Op::PutCanonical { slot: number / 10, root: root(number) }
}

/// `0 - 10 - 20 - 40 - 50 - 60` and the fork `10 - 21 - 31`, with another `50 - 61`.
fn tree() -> Vec<Op> {
    let links = [(0, 999), (10, 0), (20, 10), (21, 10), (31, 21), (40, 20), (50, 40), (60, 50), (61, 50)];
    links.into_iter().map(|(number, parent)| block(number, parent)).collect()
}

fn numbers(blocks: Vec<BlockRef>) -> Vec<u64> {
    blocks.iter().map(|block| u64::from_be_bytes(block.root[..8].try_into().unwrap())).collect()
}

#[test]
fn pruning_keeps_the_finalized_chain_what_lies_above_and_the_states_wanted() {
    on_both(|database| {
        apply(database, tree()).unwrap();
        apply(database, [0, 10, 20, 40, 50].map(state).to_vec()).unwrap();
        let mut ops = [0, 10, 20, 40].map(canonical).to_vec();
        ops.push(Op::Prune { finalized_slot: 4, keep_states: vec![root(0)] });
        apply(database, ops).unwrap();
        assert_eq!(numbers(database.blocks_between(0, 100).unwrap()), [0, 10, 20, 40, 50, 60, 61]);
        let states: Vec<u64> = database.states().unwrap().iter().map(|(slot, _)| *slot).collect();
        assert_eq!(states, [0, 4, 5]);
        assert!(database.block(&root(21)).unwrap().is_none());
        assert_eq!(numbers(database.blocks_in_range(1, 5, &root(60)).unwrap()), [10, 20, 40, 50]);
        assert_eq!(numbers(database.blocks_in_range(0, 100, &root(61)).unwrap()), [0, 10, 20, 40, 50, 61]);
        // Again, further on, and the same again.
        for _ in 0..2 {
            let prune = Op::Prune { finalized_slot: 6, keep_states: vec![] };
            apply(database, vec![canonical(50), canonical(61), prune]).unwrap();
            assert_eq!(numbers(database.blocks_between(0, 100).unwrap()), [0, 10, 20, 40, 50, 61]);
        }
    });
}

#[test]
fn pruning_by_a_history_with_a_hole_is_refused_and_drops_nothing() {
    let holes: [&[u64]; 4] = [&[0, 10, 40], &[10, 20], &[40], &[20, 40]];
    for known in holes {
        on_both(|database| {
            apply(database, tree()).unwrap();
            let mut ops: Vec<Op> = known.iter().map(|number| canonical(*number)).collect();
            ops.push(Op::Prune { finalized_slot: 4, keep_states: vec![] });
            let refused = apply(database, ops);
            assert!(matches!(refused, Err(Fault::BrokenHistory(_))), "{known:?}: {refused:?}");
            assert_eq!(database.blocks_between(0, 100).unwrap().len(), 9);
            assert_eq!(database.last_canonical().unwrap(), None, "the batch is undone as a whole");
        });
    }
}

#[test]
fn history_that_is_dropped_leaves_the_rest() {
    on_both(|database| {
        apply(database, tree()).unwrap();
        apply(database, [0, 10, 20, 40].map(canonical).to_vec()).unwrap();
        apply(database, vec![Op::DropHistory { below_slot: 4 }]).unwrap();
        assert_eq!(numbers(database.blocks_between(0, 100).unwrap()), [40, 50, 60, 61]);
        assert_eq!(database.canonical(2).unwrap(), None);
        assert_eq!(database.canonical(4).unwrap(), Some(root(40)));
    });
}

#[test]
fn batches_out_of_order_are_refused_as_a_whole() {
    on_both(|database| {
        database.apply(&[Batch { seq: 5, ops: vec![block(10, 0)] }]).unwrap();
        for seqs in [[5, 6], [7, 7], [4, 9]] {
            let batches = seqs.map(|seq| Batch { seq, ops: vec![block(20, 10)] });
            assert!(matches!(database.apply(&batches), Err(Fault::Sequence { .. })));
        }
        assert_eq!(database.last_seq().unwrap(), 5);
        assert!(!database.has_block(&root(20)).unwrap());
    });
}

#[test]
fn values_are_replaced_and_deleted_with_their_index() {
    on_both(|database| {
        apply(database, vec![block(10, 0), state(10), Op::PutPool(vec![1; 50_000])]).unwrap();
        apply(database, vec![Op::PutPool(vec![2]), Op::PutMeta("head".to_owned(), vec![3])]).unwrap();
        assert_eq!(database.pool().unwrap(), Some(vec![2]));
        assert_eq!(database.meta("head").unwrap(), Some(vec![3]));
        assert_eq!(database.state(&root(10)).unwrap().unwrap().slot, 1);
        apply(database, vec![Op::DeleteBlock { root: root(10) }, Op::DeleteState { root: root(10) }])
            .unwrap();
        apply(database, vec![Op::DeleteBlock { root: root(77) }]).unwrap();
        assert!(database.blocks_between(0, 100).unwrap().is_empty() && database.states().unwrap().is_empty());
        assert!(database.block(&root(10)).unwrap().is_none() && database.state(&root(10)).unwrap().is_none());
        let reserved = Op::PutMeta("_schema_version".to_owned(), vec![]);
        assert!(matches!(apply(database, vec![reserved]), Err(Fault::ReservedKey(_))));
    });
}

/// A sidecar of the block with this number.
fn sidecar(number: u64, index: u64) -> Op {
    let ssz = Noise(number.wrapping_add(index)).bytes(70_000);
    Op::PutSidecar { root: root(number), slot: number / 10, index, ssz }
}

fn places(sidecars: Vec<SidecarRef>) -> Vec<(u64, u64)> {
    let number = |root: [u8; 32]| u64::from_be_bytes(root[..8].try_into().unwrap());
    sidecars.iter().map(|sidecar| (number(sidecar.root), sidecar.index)).collect()
}

#[test]
fn sidecars_are_found_through_their_blocks_and_by_slots() {
    on_both(|database| {
        apply(database, tree()).unwrap();
        apply(
            database,
            [(21, 3), (20, 0), (20, u64::MAX), (20, 7), (40, 1)].map(|(n, i)| sidecar(n, i)).to_vec(),
        )
        .unwrap();
        assert_eq!(database.sidecar(&root(20), 7).unwrap().unwrap(), Noise(27).bytes(70_000));
        assert_eq!(database.sidecar(&root(20), 8).unwrap(), None);
        assert_eq!(database.sidecar(&root(77), 7).unwrap(), None);
        let of_block = database.sidecars(&root(20)).unwrap();
        assert_eq!(of_block.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 7, u64::MAX]);
        assert!(of_block.iter().all(|(index, ssz)| *ssz == Noise(20u64.wrapping_add(*index)).bytes(70_000)));
        let all = [(20, 0), (20, 7), (20, u64::MAX), (21, 3), (40, 1)];
        assert_eq!(places(database.sidecars_between(0, u64::MAX).unwrap()), all);
        assert_eq!(places(database.sidecars_between(3, 4).unwrap()), []);
        assert_eq!(places(database.sidecars_between(3, 5).unwrap()), [(40, 1)]);
    });
}

#[test]
fn sidecars_go_with_their_blocks_or_before_them() {
    on_both(|database| {
        apply(database, tree()).unwrap();
        apply(
            database,
            [10, 20, 21, 31, 40, 50].into_iter().flat_map(|n| [sidecar(n, 0), sidecar(n, 1)]).collect(),
        )
        .unwrap();
        // The fork 21 - 31 goes, as finality has it.
        let mut ops = [0, 10, 20, 40].map(canonical).to_vec();
        ops.push(Op::Prune { finalized_slot: 4, keep_states: vec![] });
        apply(database, ops).unwrap();
        let left = [(10, 0), (10, 1), (20, 0), (20, 1), (40, 0), (40, 1), (50, 0), (50, 1)];
        assert_eq!(places(database.sidecars_between(0, 9).unwrap()), left);
        apply(database, vec![Op::PruneSidecars { below_slot: 2 }]).unwrap();
        assert_eq!(places(database.sidecars_between(0, 9).unwrap()), left[2..]);
        assert!(database.has_block(&root(10)).unwrap(), "its block stays");
        apply(database, vec![Op::DeleteBlock { root: root(50) }]).unwrap();
        assert_eq!(places(database.sidecars_between(0, 9).unwrap()), left[2..6]);
        assert_eq!(database.sidecars(&root(50)).unwrap(), []);
    });
}
