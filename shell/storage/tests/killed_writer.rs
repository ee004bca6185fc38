//! A process that is killed in the middle: what it was told is stored is there, and nothing is there by half.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use storage::{Attempt, Batch, Database, Identity, NotSafe, Op, Protection, Refused, Report, Safe, Writer};
use support::{Noise, Scratch, child, kill_after, root};

const CHAIN: &str = "INTERLOCK_TEST_CHAIN";
/// Slots whose sidecars are kept.
const SIDECAR_SLOTS: u64 = 5;
const SIGNER: &str = "INTERLOCK_TEST_SIGNER";

fn open(directory: &Path) -> Database {
    let identity = Identity { genesis_validators_root: [1; 32], config_fingerprint: [2; 32] };
    Database::open(directory, &identity, 1 << 20, |_| ()).unwrap()
}

/// A batch whose parts all name its number, so that a part that is missing shows.
fn batch(seq: u64) -> Batch {
    let ssz = Noise(seq).bytes(1 + (seq as usize * 7919) % 90_000);
    let block = Op::PutBlock { root: root(seq), slot: seq, parent: root(seq - 1), ssz };
    let head = Op::PutMeta("head".to_owned(), seq.to_be_bytes().to_vec());
    let fork_choice = Op::PutForkChoice(Noise(seq + 1).bytes(40_000));
    let mut ops = vec![block, fork_choice, Op::PutCanonical { slot: seq, root: root(seq) }, head];
    ops.extend((0..3).map(|index| Op::PutSidecar {
        root: root(seq),
        slot: seq,
        index,
        ssz: Noise(seq + index).bytes(50_000),
    }));
    if seq > SIDECAR_SLOTS {
        ops.push(Op::PruneSidecars { below_slot: seq - SIDECAR_SLOTS });
    }
    Batch { seq, ops }
}

/// Stores one batch after the other until it is killed, and says what was reported as stored.
#[test]
fn chain_child() {
    let Some(directory) = std::env::var_os(CHAIN) else { return };
    let database = Arc::new(open(Path::new(&directory)));
    let first = database.last_seq().unwrap() + 1;
    let writer = Writer::start(database, 4, |report| match report {
        Report::Stored(seq) => println!("stored {seq}"),
        Report::Fault(fault) => panic!("{fault}"),
    })
    .unwrap();
    for seq in first.. {
        writer.store_waiting(batch(seq)).unwrap();
    }
}

#[test]
fn what_was_reported_as_stored_survives_being_killed_and_nothing_is_there_by_half() {
    let scratch = Scratch::new();
    let mut last = 0;
    for lines in [1, 13, 40] {
        let reported = kill_after(child("chain_child", CHAIN, scratch.path()), "stored ", lines);
        let reported: Vec<u64> = reported.iter().map(|seq| seq.parse().unwrap()).collect();
        assert!(reported.iter().zip(last + 1..).all(|(seq, expected)| *seq == expected), "{reported:?}");
        let database = open(scratch.path());
        let seq = database.last_seq().unwrap();
        assert!(seq >= *reported.last().unwrap());
        for number in 1..=seq {
            let Op::PutBlock { ssz, .. } = batch(number).ops.remove(0) else { panic!() };
            assert!(database.block(&root(number)).unwrap().unwrap().ssz == ssz, "{number}");
        }
        assert_eq!(database.blocks_between(0, u64::MAX).unwrap().len() as u64, seq);
        assert_eq!(database.last_canonical().unwrap(), Some((seq, root(seq))));
        assert_eq!(database.meta("head").unwrap().unwrap(), seq.to_be_bytes());
        assert!(database.fork_choice().unwrap().unwrap() == Noise(seq + 1).bytes(40_000));
        for sidecar in database.sidecars_between(0, u64::MAX).unwrap() {
            let ssz = database.sidecar(&sidecar.root, sidecar.index).unwrap().unwrap();
            assert!(ssz == Noise(sidecar.slot + sidecar.index).bytes(50_000), "{sidecar:?}");
        }
        let kept = database.sidecars_between(0, u64::MAX).unwrap().len() as u64;
        assert_eq!(kept, 3 * seq.min(SIDECAR_SLOTS + 1), "{seq}");
        last = seq;
    }
}

fn attempts(epoch: u64) -> Vec<Attempt> {
    let attempt =
        |key: u8| Attempt { pubkey: [key; 48], source: epoch - 1, target: epoch, signing_root: root(epoch) };
    (0..50).map(attempt).collect()
}

/// Takes leave to sign for fifty keys epoch after epoch, and says so only after it was given.
#[test]
fn signer_child() {
    let Some(file) = std::env::var_os(SIGNER) else { return };
    let protection = Protection::open(Path::new(&file), &[1; 32]).unwrap();
    let keys: Vec<[u8; 48]> = (0..50).map(|key| [key; 48]).collect();
    protection.register(&keys).unwrap();
    let signed = protection.export(Some(&keys[..1])).unwrap()[0].signed_attestations.clone();
    let first = signed.iter().map(|signed| signed.target_epoch).max().unwrap_or(0) + 1;
    for epoch in first.. {
        let block = protection.check_and_insert_block(&[0; 48], epoch, &root(epoch));
        assert_eq!(block, Ok(Safe::New));
        let verdicts = protection.check_and_insert_attestations(&attempts(epoch));
        assert!(verdicts.iter().all(|verdict| *verdict == Ok(Safe::New)));
        println!("signed {epoch}");
    }
}

#[test]
fn what_may_have_been_signed_before_being_killed_is_known_afterwards() {
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    for lines in [1, 25, 60] {
        let signed = kill_after(child("signer_child", SIGNER, &file), "signed ", lines);
        let protection = Protection::open(&file, &[1; 32]).unwrap();
        for epoch in signed.iter().map(|epoch| epoch.parse::<u64>().unwrap()) {
            assert!(protection.check_and_insert_block(&[0; 48], epoch, &root(999)).is_err());
            for attempt in attempts(epoch) {
                let other = Attempt { signing_root: root(999), ..attempt };
                let verdicts = protection.check_and_insert_attestations(&[attempt, other]);
                assert_eq!(verdicts[0], Ok(Safe::SameData));
                assert_eq!(verdicts[1], Err(NotSafe::DoubleVote { target: epoch }));
            }
        }
    }
}

#[test]
fn batches_are_reported_in_order_and_all_of_them_before_the_writer_ends() {
    let scratch = Scratch::new();
    let database = Arc::new(open(scratch.path()));
    let (sender, reports) = channel();
    let writer = Writer::start(database.clone(), 100, move |report| sender.send(report).unwrap()).unwrap();
    for seq in 1..=60 {
        writer.store(batch(seq)).unwrap();
    }
    writer.shut_down();
    let reports: Vec<Report> = reports.iter().collect();
    assert_eq!(reports, (1..=60).map(Report::Stored).collect::<Vec<_>>());
    assert_eq!(database.last_seq().unwrap(), 60);
}

#[test]
fn a_fault_stops_the_writer_and_nothing_after_it_is_stored() {
    let scratch = Scratch::new();
    let database = Arc::new(open(scratch.path()));
    let (sender, reports) = channel();
    let writer = Writer::start(database.clone(), 1, move |report| sender.send(report).unwrap()).unwrap();
    writer.store_waiting(batch(1)).unwrap();
    assert_eq!(reports.recv().unwrap(), Report::Stored(1));
    let reserved = Op::PutMeta("_last_seq".to_owned(), vec![]);
    let mut bad = batch(2);
    bad.ops.push(reserved);
    writer.store_waiting(bad).unwrap();
    assert!(matches!(reports.recv().unwrap(), Report::Fault(_)));
    // The thread has ended or is about to: a batch may wait in the queue, but is never stored.
    let refused = (3..10)
        .map(|seq| writer.store_waiting(batch(seq)))
        .any(|result| matches!(result, Err(Refused::Stopped(_))));
    assert!(refused);
    assert_eq!(database.last_seq().unwrap(), 1);
    assert!(!database.has_block(&root(2)).unwrap());
}
