//! What cannot be used is refused with one line that says why, and is left as it was, byte for byte.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use storage::{Batch, Database, Identity, LockFile, Op, OpenError, Protection, ProtectionError};
use support::{Noise, Scratch, child, kill_after, root};

const CACHE: usize = 1 << 20;

fn identity() -> Identity {
    Identity { genesis_validators_root: [1; 32], config_fingerprint: [2; 32] }
}

fn open(directory: &Path) -> Result<Database, OpenError> {
    Database::open(directory, &identity(), CACHE, |_| ())
}

fn block(number: u64) -> Op {
    let ssz = Noise(number).bytes(20_000);
    Op::PutBlock { root: root(number), slot: number, parent: root(number - 1), ssz }
}

fn fill(directory: &Path) {
    let database = open(directory).unwrap();
    for seq in 1..=20 {
        database.apply(&[Batch { seq, ops: vec![block(seq)] }]).unwrap();
    }
}

/// All files below a directory but the locks, which are not the database.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_none_or(|extension| extension != "lock"));
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn check_one_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// Opening fails, says so on one line that names the file, and changes nothing.
fn check_refused(directory: &Path) -> OpenError {
    let before = contents(directory);
    let error = open(directory).unwrap_err();
    let text = check_one_line(&error);
    assert!(text.contains(directory.to_str().unwrap()), "{text}");
    assert!(contents(directory) == before, "the files changed: {text}");
    error
}

fn check_protection_refused(file: &Path) -> ProtectionError {
    let before = contents(file.parent().unwrap());
    let error = Protection::open(file, &[1; 32]).unwrap_err();
    let text = check_one_line(&error);
    assert!(text.contains(file.to_str().unwrap()), "{text}");
    assert!(contents(file.parent().unwrap()) == before, "the files changed: {text}");
    error
}

#[test]
fn a_database_is_created_once_and_found_again() {
    let scratch = Scratch::new();
    let directory = scratch.join("deep/er");
    fill(&directory);
    let database = open(&directory).unwrap();
    assert_eq!(database.last_seq().unwrap(), 20);
    assert_eq!(database.block(&root(7)).unwrap().unwrap().ssz, Noise(7).bytes(20_000));
}

#[test]
fn a_database_of_another_network_configuration_or_version_is_refused() {
    let scratch = Scratch::new();
    fill(scratch.path());
    let before = contents(scratch.path());
    let other = Identity { genesis_validators_root: [9; 32], ..identity() };
    let error = Database::open(scratch.path(), &other, CACHE, |_| ()).unwrap_err();
    assert!(matches!(error, OpenError::OtherNetwork { .. }));
    assert!(check_one_line(&error).contains(&format!("0x{}", "01".repeat(32))));
    let other = Identity { config_fingerprint: [9; 32], ..identity() };
    let error = Database::open(scratch.path(), &other, CACHE, |_| ()).unwrap_err();
    assert!(matches!(error, OpenError::OtherConfig { .. }));
    assert!(contents(scratch.path()) == before);
    let raw = redb::Database::open(scratch.join("chain.redb")).unwrap();
    let transaction = raw.begin_write().unwrap();
    let meta: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("meta");
    let version = 7u64.to_be_bytes();
    transaction.open_table(meta).unwrap().insert(&b"_schema_version"[..], &version[..]).unwrap();
    transaction.commit().unwrap();
    drop(raw);
    assert!(matches!(check_refused(scratch.path()), OpenError::SchemaVersion { found: 7, ours: 2, .. }));
}

#[test]
fn a_truncated_database_is_refused_wherever_it_ends() {
    let scratch = Scratch::new();
    fill(scratch.path());
    let file = scratch.join("chain.redb");
    let whole = fs::read(&file).unwrap();
    let lengths = [0, 1, 9, 100, 319, 320, 4095, 4096, 4097, 8192, whole.len() / 2, whole.len() - 4096];
    for length in lengths {
        fs::write(&file, &whole[..length]).unwrap();
        let error = check_refused(scratch.path());
        assert!(matches!(error, OpenError::Corrupt { .. }), "{length}: {error:?}");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(open(scratch.path()).unwrap().last_seq().unwrap(), 20);
}

#[test]
fn what_is_no_database_is_refused() {
    let scratch = Scratch::new();
    fill(scratch.path());
    let file = scratch.join("chain.redb");
    for garbage in [b"hello".to_vec(), Noise(1).bytes(50_000), vec![0; 50_000], b"redb".repeat(4000)] {
        fs::write(&file, garbage).unwrap();
        assert!(matches!(check_refused(scratch.path()), OpenError::Corrupt { .. }));
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_an_io_error() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), b"").unwrap();
    assert!(matches!(open(&scratch.join("file")), Err(OpenError::Io { .. })));
    let below = Protection::open(&scratch.join("file/protection.sqlite"), &[1; 32]);
    assert!(matches!(below, Err(ProtectionError::Io { .. })));
}

#[test]
fn a_database_in_use_names_the_process() {
    let scratch = Scratch::new();
    let database = open(scratch.path()).unwrap();
    let error = open(scratch.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    check_one_line(&error);
    drop(database);
    open(scratch.path()).unwrap();
}

#[test]
fn a_creation_that_was_cut_short_starts_over() {
    let scratch = Scratch::new();
    fs::write(scratch.join("chain.redb.new"), b"half").unwrap();
    fs::write(scratch.join("protection.sqlite.new"), b"half").unwrap();
    fs::write(scratch.join("protection.sqlite.new-wal"), b"half").unwrap();
    assert_eq!(open(scratch.path()).unwrap().last_seq().unwrap(), 0);
    assert!(
        Protection::open(&scratch.join("protection.sqlite"), &[1; 32])
            .unwrap()
            .registered()
            .unwrap()
            .is_empty()
    );
}

const CHILD: &str = "INTERLOCK_TEST_UNCLEAN";

/// A process that holds the database open for good.
#[test]
fn unclean_child() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let database = open(Path::new(&directory)).unwrap();
    for seq in 1..=20 {
        database.apply(&[Batch { seq, ops: vec![block(seq)] }]).unwrap();
    }
    println!("ready now");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_database_that_was_not_closed_is_repaired_and_a_truncated_one_refused() {
    let scratch = Scratch::new();
    let child = child("unclean_child", CHILD, scratch.path());
    let held = |lines: &[String]| assert_eq!(lines, ["now"]);
    held(&kill_after(child, "ready", 1));
    let file = scratch.join("chain.redb");
    let whole = fs::read(&file).unwrap();
    for length in [0, 100, 4096, whole.len() / 4, whole.len() / 2] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = check_refused(scratch.path());
        assert!(matches!(error, OpenError::Corrupt { .. }), "{length}: {error:?}");
    }
    fs::write(&file, &whole).unwrap();
    let other = Identity { genesis_validators_root: [9; 32], ..identity() };
    let error = Database::open(scratch.path(), &other, CACHE, |_| ()).unwrap_err();
    assert!(matches!(error, OpenError::OtherNetwork { .. }));
    let database = open(scratch.path()).unwrap();
    assert_eq!(database.last_seq().unwrap(), 20);
    assert_eq!(database.blocks_between(0, 100).unwrap().len(), 20);
}

fn fill_protection(file: &Path) {
    let protection = Protection::open(file, &[1; 32]).unwrap();
    protection.register(&[[5; 48]]).unwrap();
    for epoch in 1..200 {
        protection.check_and_insert_attestation(&[5; 48], epoch - 1, epoch, &root(epoch)).unwrap();
    }
}

#[test]
fn a_damaged_protection_database_is_refused_and_never_replaced() {
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    fill_protection(&file);
    let whole = fs::read(&file).unwrap();
    for length in [0, 5, 16, 99, 100, 4095, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let error = check_protection_refused(&file);
        assert!(matches!(error, ProtectionError::Corrupt { .. }), "{length}: {error:?}");
    }
    for garbage in [Noise(1).bytes(20_000), b"SQLite format 3\0".repeat(1000)] {
        fs::write(&file, garbage).unwrap();
        assert!(matches!(check_protection_refused(&file), ProtectionError::Corrupt { .. }));
    }
    fs::write(&file, &whole).unwrap();
    let protection = Protection::open(&file, &[1; 32]).unwrap();
    assert!(protection.check_and_insert_attestation(&[5; 48], 198, 199, &root(1)).is_err());
}

#[test]
fn a_protection_database_of_another_network_or_in_use_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    fill_protection(&file);
    let before = contents(scratch.path());
    let error = Protection::open(&file, &[2; 32]).unwrap_err();
    assert!(matches!(error, ProtectionError::OtherNetwork { .. }));
    check_one_line(&error);
    assert!(contents(scratch.path()) == before);
    let held = Protection::open(&file, &[1; 32]).unwrap();
    let error = Protection::open(&file, &[1; 32]).unwrap_err();
    assert!(matches!(error, ProtectionError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    // Another name for the same file does not help.
    let link = scratch.join("link.sqlite");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(matches!(Protection::open(&link, &[1; 32]), Err(ProtectionError::InUse { .. })));
    drop(held);
    Protection::open(&link, &[1; 32]).unwrap();
}

#[test]
fn a_protection_log_without_its_database_is_not_thrown_away() {
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    let held = Protection::open(&file, &[1; 32]).unwrap();
    held.register(&[[5; 48]]).unwrap();
    let log = fs::read(scratch.join("protection.sqlite-wal")).unwrap();
    drop(held);
    fs::remove_file(&file).unwrap();
    fs::write(scratch.join("protection.sqlite-wal"), log).unwrap();
    assert!(matches!(check_protection_refused(&file), ProtectionError::Corrupt { .. }));
}

#[test]
fn a_lock_that_a_dead_process_left_does_not_block() {
    let scratch = Scratch::new();
    fs::write(scratch.join("chain.lock"), "4000000\n").unwrap();
    let database = open(scratch.path()).unwrap();
    assert!(LockFile::acquire(&scratch.join("chain.lock")).is_err());
    drop(database);
    LockFile::acquire(&scratch.join("chain.lock")).unwrap();
}
