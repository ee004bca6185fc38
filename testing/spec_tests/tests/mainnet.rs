//! Cases of the mainnet preset, made here and run as a set from outside would be: from folders and from a pack.
//!
//! The states are the default ones of the preset. What becomes of them was computed with the executable specification, so
//! that the values are not our own. Each case is spoilt too, in every way in which a runner might not look.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use spec_tests::{Report, run};
use ssz::SszExt;
use synthetic::spec_at;
use types::{BeaconState, Checkpoint, Epoch, FixedBytes, ForkName, Root, SyncCommittee};

/// A fork, the root of its default state, and that of the state three slots later.
const ROOTS: [(ForkName, &str, &str); 7] = [
    (
        ForkName::Phase0,
        "0x0996b41e411c3b49dedd1ae54df347e9a0f8e81f1bb2faba7e10b9af91b96bfa",
        "0x3ad9540b081bd87c17d0cbc8b2a9a0c553e5c85858ec34c09b1f91236f41c723",
    ),
    (
        ForkName::Altair,
        "0x93d15cae8c997371fbf493345d28cbd1a3b5ff79ea8ba76789c6bceb9634fec7",
        "0xd36b4974d040fa1adc343ce365f6d26fce9ac978d043fcf4655bb58ff45c7fcc",
    ),
    (
        ForkName::Bellatrix,
        "0x0617561534e6a3ff7fed7f007ae993035b81110f7b7def36e14ff8cbb8034581",
        "0x8632a105cf102749c44ee0571b39cbd0486771c2003a97fa3da241adb5d478d5",
    ),
    (
        ForkName::Capella,
        "0x6c1dbede1fac000558326175f03b5e4fc73f63f383143b1a415d83cc209ca92f",
        "0xb5978ff2e1cf1120c5bdf9f6c9c3e4455e4904499599e6622a2cc1ccbae06fc2",
    ),
    (
        ForkName::Deneb,
        "0xe6b7639e8c664e1969196fd2a97a275fc3ebb02b811b80b4736d35b6b73c2161",
        "0x4205e1486a754c39b63195ea5b9dcb316d84bfa50cfc18f14ce2db50fb7f8d68",
    ),
    (
        ForkName::Electra,
        "0x5207fc9acbba286073f94594ed82279da50e39933bd75617f5a4e1e60737956e",
        "0x11c829bbbb7d9428c1510db737d325f17bbff9e34ce64953c39342173298df8e",
    ),
    (
        ForkName::Fulu,
        "0xaa03245cb96b199dd7fcab484ff39037bc77919a060ca4bea6648ca849768247",
        "0x998e73026ef35d089be32b688a55af325e7bf39fbe01059268b2c0772f162f86",
    ),
];

/// A set of vectors in a folder of its own, which goes with the value.
struct Set(PathBuf);

impl Set {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("spec_tests_mainnet_{name}_{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Writes a file of a case, compressed where its name says so.
    fn write(&self, case: &str, file: &str, bytes: &[u8]) {
        let folder = self.0.join("tests").join(case);
        fs::create_dir_all(&folder).unwrap();
        let packed =
            file.ends_with("_snappy").then(|| snap::raw::Encoder::new().compress_vec(bytes).unwrap());
        fs::write(folder.join(file), packed.as_deref().unwrap_or(bytes)).unwrap();
    }

    fn report(&self) -> Report {
        let report = run(&self.0).unwrap();
        // The counts are printed by preset.
        assert!(report.to_string().contains("all of mainnet: "), "{report}");
        report
    }

    /// Moves everything into one pack, as sets are handed on.
    fn pack(&self, name: &str) {
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_dir_all("tests", self.0.join("tests")).unwrap();
        let bytes = zstd::encode_all(archive.into_inner().unwrap().as_slice(), 3).unwrap();
        fs::remove_dir_all(self.0.join("tests")).unwrap();
        fs::write(self.0.join(name), bytes).unwrap();
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The default state of a fork, and the one three slots later, with the roots that the executable specification gives.
fn states(fork: ForkName, before: &str, after: &str) -> (BeaconState, BeaconState) {
    let pre = BeaconState::empty(spec_at("mainnet", fork).unwrap(), fork);
    assert_eq!(pre.state_root().to_string(), before, "{fork}");
    let mut post = pre.clone();
    transition::process_slots(&mut post, types::Slot(3)).unwrap();
    assert_eq!(post.state_root().to_string(), after, "{fork}");
    (pre, post)
}

fn slots_case(fork: ForkName) -> String {
    format!("mainnet/{fork}/sanity/slots/pyspec_tests/slots_3")
}

fn write_slots(set: &Set, fork: ForkName, before: &str, after: &str) {
    let (pre, post) = states(fork, before, after);
    let case = slots_case(fork);
    set.write(&case, "pre.ssz_snappy", &pre.encoded());
    set.write(&case, "post.ssz_snappy", &post.encoded());
    set.write(&case, "slots.yaml", b"3\n...\n");
    set.write(&case, "manifest.yaml", b"preset: mainnet\n");
}

fn static_case(fork: ForkName, container: &str) -> String {
    format!("mainnet/{fork}/ssz_static/{container}/ssz_random/case_0")
}

/// A case of `ssz_static`; the text of a value is what the Beacon API writes, which for these types is what vectors write.
fn write_static<T: ssz::Ssz>(set: &Set, fork: ForkName, container: &str, value: &T) {
    let ctx = spec_at("mainnet", fork).unwrap().ctx(fork);
    let case = static_case(fork, container);
    set.write(&case, "serialized.ssz_snappy", &value.to_ssz(ctx));
    set.write(&case, "roots.yaml", format!("{{root: '{}'}}\n", value.hash_tree_root(ctx)).as_bytes());
    set.write(&case, "value.yaml", value.to_json_string(ctx).as_bytes());
}

#[test]
fn cases_of_mainnet_run_with_its_preset_at_every_fork_from_folders_and_from_a_pack() {
    let set = Set::new("forks");
    for (fork, before, after) in ROOTS {
        write_slots(&set, fork, before, after);
        write_static(&set, fork, "Checkpoint", &Checkpoint { epoch: Epoch(7), root: FixedBytes([3; 32]) });
    }
    // 512 members, not 32.
    let committee =
        SyncCommittee::new_default(spec_at("mainnet", ForkName::Fulu).unwrap().ctx(ForkName::Fulu));
    assert_eq!(committee.pubkeys.len(), 512);
    write_static(&set, ForkName::Fulu, "SyncCommittee", &committee);
    let from_folders = set.report();
    assert_eq!(from_folders.totals(), [15, 0, 0], "{from_folders}");
    assert!(from_folders.is_success());
    set.pack("mainnet-all.tar.zst");
    let from_pack = set.report();
    assert_eq!(from_pack.to_string(), from_folders.to_string());
}

#[test]
fn what_is_spoilt_in_a_case_of_mainnet_is_found() {
    let (fork, before, after) = ROOTS[6];
    let (pre, post) = states(fork, before, after);
    let failures_after = |name: &str, spoil: &dyn Fn(&Set, &str)| {
        let set = Set::new(name);
        write_slots(&set, fork, before, after);
        spoil(&set, &slots_case(fork));
        let report = set.report();
        assert!(!report.is_success(), "{name}: {report}");
        assert_eq!(report.totals(), [0, 1, 0], "{name}: {report}");
        report.to_string()
    };
    let mut other = post.clone();
    other.state_roots[2] = Root::from([1; 32]);
    let text = failures_after("post", &|set, case| set.write(case, "post.ssz_snappy", &other.encoded()));
    assert!(text.contains("state_roots"), "{text}");
    failures_after("slots", &|set, case| set.write(case, "slots.yaml", b"2\n"));
    failures_after("pre", &|set, case| set.write(case, "pre.ssz_snappy", &pre.encoded()[1..]));
    // A file that no runner reads is a part of the vector that nobody has looked at.
    let text = failures_after("unread", &|set, case| set.write(case, "more.ssz_snappy", &[1, 2, 3]));
    assert!(text.contains("did not read: more.ssz_snappy"), "{text}");
}

#[test]
fn a_case_of_one_preset_is_none_of_the_other() {
    let set = Set::new("presets");
    let (fork, before, after) = ROOTS[1];
    write_slots(&set, fork, before, after);
    let (from, to) = (slots_case(fork), slots_case(fork).replace("mainnet", "minimal"));
    for file in ["pre.ssz_snappy", "post.ssz_snappy", "slots.yaml"] {
        let bytes = fs::read(set.0.join("tests").join(&from).join(file)).unwrap();
        let folder = set.0.join("tests").join(&to);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), bytes).unwrap();
    }
    let report = set.report();
    assert_eq!(report.totals(), [1, 1, 0]);
    let text = report.to_string();
    assert!(text.contains("all of mainnet: 1 passed, 0 failed, 0 skipped"), "{text}");
    assert!(text.contains("all of minimal: 0 passed, 1 failed, 0 skipped"), "{text}");
    assert!(text.contains("FAILED minimal/altair/sanity/slots"), "{text}");
}

#[test]
fn a_set_that_is_not_there_is_an_error_and_no_empty_success() {
    assert!(run(Path::new("no/such/folder")).is_err());
}
