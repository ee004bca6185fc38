//! Era files as a person takes them apart: made here from a chain of blocks, in the form of
//! <https://github.com/status-im/nimbus-eth2/blob/stable/docs/e2store.md>.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ssz::SszExt;
use synthetic::{Chain, Keys, StatePlan, spec_at};
use types::{BeaconState, ForkName, SignedBeaconBlock, Slot};

const BLOCK: u16 = 0x0001;
const STATE: u16 = 0x0002;
const VERSION: u16 = 0x3265;
const SLOT_INDEX: u16 = 0x3269;

/// An e2store file that grows.
#[derive(Default)]
struct Store(Vec<u8>);

impl Store {
    /// Appends a record; gives where it begins.
    fn put(&mut self, kind: u16, data: &[u8]) -> usize {
        let begin = self.0.len();
        self.0.extend(kind.to_le_bytes());
        self.0.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        self.0.extend([0; 2]);
        self.0.extend(data);
        begin
    }

    fn put_framed(&mut self, kind: u16, data: &[u8]) -> usize {
        let mut packed = Vec::new();
        snap::read::FrameEncoder::new(data).read_to_end(&mut packed).unwrap();
        self.put(kind, &packed)
    }

    fn put_index(&mut self, first: Slot, begins: &[Option<usize>]) -> usize {
        let at = self.0.len() as i64;
        let offsets = begins.iter().map(|begin| begin.map_or(0, |begin| begin as i64 - at));
        let numbers = std::iter::once(first.0 as i64).chain(offsets).chain([begins.len() as i64]);
        let bytes: Vec<u8> = numbers.flat_map(i64::to_le_bytes).collect();
        self.put(SLOT_INDEX, &bytes)
    }
}

/// An era: the blocks before a state, and the state.
fn era(blocks: &[Option<SignedBeaconBlock>], state: &BeaconState) -> Vec<u8> {
    let mut store = Store::default();
    store.put(VERSION, &[]);
    let put =
        |store: &mut Store, block: &SignedBeaconBlock| store.put_framed(BLOCK, &block.to_ssz(state.ctx()));
    let begins: Vec<Option<usize>> =
        blocks.iter().map(|block| block.as_ref().map(|block| put(&mut store, block))).collect();
    let begin = store.put_framed(STATE, &state.encoded());
    if !blocks.is_empty() {
        store.put_index(Slot(state.slot.0 - blocks.len() as u64), &begins);
    }
    store.put_index(state.slot, &[Some(begin)]);
    store.0
}

/// Runs the program in a folder: whether it succeeded, what it said, and the last line of its complaint.
fn interlock(at: &Path, line: &str) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_interlock")).args(line.split(' ')).current_dir(at).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {error}");
    let last = error.lines().last().unwrap_or_default().to_owned();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), last)
}

#[track_caller]
fn succeeds(at: &Path, line: &str) -> String {
    let (is_success, out, error) = interlock(at, line);
    assert!(is_success, "{line}: {error}");
    out
}

#[track_caller]
fn fails(at: &Path, line: &str) -> String {
    let (is_success, out, error) = interlock(at, line);
    assert!(!is_success && error.starts_with("error: "), "{line}: {error}\n{out}");
    error
}

/// Two eras in a folder, and the state and the last block's post-state of the second.
struct Eras {
    folder: tempfile::TempDir,
    blocks: Vec<Option<SignedBeaconBlock>>,
    last: BeaconState,
    end: BeaconState,
}

fn eras() -> Eras {
    let keys = Arc::new(Keys::new(11, 64));
    let spec = spec_at("minimal", ForkName::Deneb).unwrap();
    let slots = spec.preset.slots_per_historical_root;
    let mut start = StatePlan::new(spec, ForkName::Deneb, 64).state(&keys).unwrap();
    let first = (start.slot.0 / slots + 1) * slots;
    transition::process_slots(&mut start, Slot(first)).unwrap();
    let mut chain = Chain::new(start.clone(), keys);
    // The state of an era is that before the block of its slot, so that the next era begins with that block.
    let empty = [0, 5, 6, 23, slots - 1];
    let place = |slot: u64| (!empty.contains(&slot)).then(|| Slot(first + slot));
    let blocks: Vec<Option<SignedBeaconBlock>> =
        (0..slots).map(|slot| place(slot).map(|slot| chain.block_at(slot).unwrap())).collect();
    let last = chain.state().clone();
    let mut end = last.clone();
    transition::process_slots(&mut end, Slot(first + slots)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("minimal-00000.era"), era(&[], &start)).unwrap();
    std::fs::write(folder.path().join("minimal-00001.era"), era(&blocks, &end)).unwrap();
    Eras { folder, blocks, last, end }
}

#[test]
fn eras_are_listed_shown_converted_and_run() {
    let Eras { folder, blocks, last, end } = eras();
    let at = folder.path();
    let there: Vec<&SignedBeaconBlock> = blocks.iter().flatten().collect();

    let told = succeeds(at, "ssz entries minimal-00001.era");
    let count = |name: &str| told.lines().filter(|line| line.ends_with(name)).count();
    assert_eq!(count(" Version"), 1, "{told}");
    assert_eq!(count(" CompressedSignedBeaconBlock"), there.len(), "{told}");
    assert_eq!(count(" CompressedBeaconState"), 1, "{told}");
    assert_eq!(count(" SlotIndex"), 2, "{told}");

    let form = "--preset minimal --fork deneb";
    for (number, block) in [(0, there[0]), (7, there[7]), (there.len() - 1, there[there.len() - 1])] {
        let root = succeeds(at, &format!("ssz root minimal-00001.era --entry {number} {form}"));
        assert_eq!(root.trim(), block.hash_tree_root(end.ctx()).to_string());
        let slot = succeeds(
            at,
            &format!("ssz query minimal-00001.era --entry {number} {form} --bare --path message.slot"),
        );
        assert_eq!(slot.trim().trim_matches('"'), block.message.slot.to_string());
    }
    // What it is guessed to be without a word.
    assert!(succeeds(at, "ssz pretty minimal-00001.era --entry 3").contains("proposer_index"));
    let state = there.len();
    succeeds(at, &format!("ssz convert minimal-00001.era --entry {state} {form} --to ssz --out end.ssz"));
    assert_eq!(std::fs::read(at.join("end.ssz")).unwrap(), end.encoded());
    assert!(
        fails(at, &format!("ssz root minimal-00001.era --entry {}", state + 1))
            .contains("there is no block or state number")
    );

    // From the state of one era through the blocks of the next to its state.
    let told = succeeds(
        at,
        &format!("transition blocks {form} --pre minimal-00000.era minimal-00001.era --post last.ssz"),
    );
    assert_eq!(told.trim(), last.state_root().to_string());
    let left = end.slot.0 - last.slot.0;
    let told = succeeds(
        at,
        &format!("transition slots {form} --pre last.ssz --slots {left} --against minimal-00001.era"),
    );
    assert!(told.contains("1 states compared, all equal"), "{told}");
    assert!(
        succeeds(at, &format!("transition epoch {form} --pre minimal-00001.era --steps"))
            .contains("process_slashings: ")
    );
}

#[test]
fn what_is_wrong_with_an_era_is_told_by_file_and_byte() {
    let Eras { folder, end, .. } = eras();
    let at = folder.path();
    let whole = std::fs::read(at.join("minimal-00001.era")).unwrap();
    let put = |bytes: &[u8]| std::fs::write(at.join("bad.era"), bytes).unwrap();
    let blocks = "transition blocks --preset minimal --fork deneb --pre minimal-00000.era bad.era";

    // Wherever it ends too early: within a header, within a record.
    for length in [11, 20, 1000, whole.len() / 2, whole.len() - 3] {
        put(&whole[..length]);
        for line in
            ["ssz entries bad.era", "ssz root bad.era", blocks, "transition slots --pre bad.era --slots 1"]
        {
            let told = fails(at, line);
            assert!(told.contains("bad.era: the e2store record at byte "), "{line}: {told}");
        }
    }
    put(&whole[..8]);
    assert!(fails(at, "ssz root bad.era").contains("there is no block or state number 0"));
    assert!(
        fails(at, "transition slots --pre bad.era --slots 1")
            .contains("bad.era: an e2store file without a BeaconState")
    );

    let spoilt = |place: usize, bits: u8| {
        let mut bytes = whole.clone();
        bytes[place] ^= bits;
        put(&bytes);
    };
    // The first block's data begins behind two headers; the checksum of its frame tells.
    spoilt(16 + 60, 0x40);
    for line in ["ssz pretty bad.era", blocks] {
        let told = fails(at, line);
        assert!(told.contains("bad.era") && told.contains("at byte 16"), "{line}: {told}");
    }
    // A wrong length leads into the middle of another record.
    spoilt(10, 0x04);
    let told = fails(at, "ssz entries bad.era");
    assert!(
        told.contains("bad.era: at byte ") || told.contains("bad.era: the e2store record at byte "),
        "{told}"
    );
    // An index that leads astray.
    spoilt(whole.len() - 16, 0x01);
    let told = fails(at, "ssz entries bad.era");
    assert!(
        told.contains(&format!("bad.era: the slot index at byte {} is wrong: its offset ", whole.len() - 32)),
        "{told}"
    );
    assert!(told.contains(&format!(" of slot {} leads to no block or state", end.slot)), "{told}");
    spoilt(whole.len() - 8, 0x02);
    assert!(fails(at, "ssz entries bad.era").contains("it counts 3 slots and has 1"));
    // A record that is whole, with a value that is none.
    let mut store = Store::default();
    store.put(VERSION, &[]);
    store.put_framed(BLOCK, &[7; 300]);
    put(&store.0);
    let told = fails(at, "ssz root bad.era --preset minimal --fork deneb");
    assert!(told.contains("bad.era: no SignedBeaconBlock of deneb: at byte 0"), "{told}");
    let told = fails(at, blocks);
    assert!(told.contains("bad.era, record at byte 16: no signed block of "), "{told}");
}
