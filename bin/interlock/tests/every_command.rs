//! Each `ssz` and each `transition` command on official vectors of every fork, and on the real genesis of mainnet, as a
//! table. The vectors are those in `testing/spec_tests/vectors`; the genesis is skipped where the folder `shared` does
//! not stand beside the clone.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ssz::SszExt;
use transition::{Signatures, ValidateResult, state_transition};
use types::{BeaconState, ForkName, SignedBeaconBlock, Spec};

/// What the commands work on: a folder with `state.ssz`, `block.ssz` and the like, and what is known of it.
struct Subject {
    folder: tempfile::TempDir,
    name: String,
    fork: ForkName,
    preset: &'static str,
    /// Roots that others computed.
    state_root: String,
    block_root: Option<String>,
    /// Cases, by the runner's name, and the one for `blocks`.
    cases: BTreeMap<&'static str, PathBuf>,
}

impl Subject {
    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a line of arguments, in which `@` stands for the preset and fork.
    fn output(&self, line: &str) -> Result<std::process::Output, String> {
        let form = format!("--preset {} --fork {}", self.preset, self.fork);
        let line = line.replace('@', &form);
        let output = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(line.split_whitespace())
            .current_dir(self.at())
            .output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.code() {
            Some(0 | 1) => Ok(output),
            code => Err(format!("{line}: {code:?}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn run(&self, line: &str) -> Result<String, String> {
        let output = self.output(line)?;
        if !output.status.success() {
            return Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The one line that the run must fail with.
    fn refused(&self, line: &str) -> Result<String, String> {
        let output = self.output(line)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = told.lines().last().unwrap_or_default();
        let is_one = !output.status.success() && last.starts_with("error: ");
        if is_one { Ok(last.to_owned()) } else { Err(format!("{line}: not refused: {told}")) }
    }

    fn same(&self, one: &str, other: &str) -> Result<(), String> {
        let read = |name: &str| fs::read(self.at().join(name)).map_err(|error| format!("{name}: {error}"));
        ensure(read(one)? == read(other)?, || format!("{one} and {other} differ"))
    }
}

fn ensure(holds: bool, why: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn contains(told: &str, expected: &str) -> Result<(), String> {
    ensure(told.contains(expected), || {
        format!("no {expected:?} in: {}", told.chars().take(400).collect::<String>())
    })
}

type Check = fn(&Subject) -> Result<(), String>;

/// The commands, as `interlock --help` lists them.
const COMMANDS: [(&str, Check); 15] = [
    ("ssz pretty", pretty),
    ("ssz convert", convert),
    ("ssz root", root),
    ("ssz diff", diff),
    ("ssz proof", prove),
    ("ssz verify", verify),
    ("ssz query", query),
    ("ssz tree", tree),
    ("ssz schema", schema),
    ("ssz entries", entries),
    ("ssz check", check),
    ("transition blocks", blocks),
    ("transition slots", slots),
    ("transition epoch", epoch),
    ("transition replay", replay),
];

fn pretty(subject: &Subject) -> Result<(), String> {
    contains(&subject.run("ssz pretty state.ssz @ --type BeaconState --roots")?, "latest_block_header")?;
    contains(
        &subject.run("ssz pretty block.ssz @ --type SignedBeaconBlock --at message.body --all")?,
        "graffiti",
    )
}

/// To each form and back; the YAML of the official value gives the official bytes.
fn convert(subject: &Subject) -> Result<(), String> {
    for (file, kind) in [("state.ssz", "BeaconState"), ("block.ssz", "SignedBeaconBlock")] {
        for (form, end) in
            [("json", "json"), ("yaml", "yaml"), ("ssz-snappy", "ssz_snappy"), ("framed", "framed")]
        {
            subject.run(&format!("ssz convert {file} @ --type {kind} --to {form} --out turned.{end}"))?;
            subject.run(&format!("ssz convert turned.{end} @ --type {kind} --to ssz --out again.ssz"))?;
            subject.same("again.ssz", file)?;
        }
    }
    if subject.block_root.is_some() {
        subject.run("ssz convert value.yaml @ --type BeaconState --to ssz --out again.ssz")?;
        subject.same("again.ssz", "state.ssz")?;
    }
    Ok(())
}

fn root(subject: &Subject) -> Result<(), String> {
    let told = subject.run("ssz root state.ssz @ --type BeaconState")?;
    ensure(told.trim() == subject.state_root, || format!("{told}, not {}", subject.state_root))?;
    if let Some(root) = &subject.block_root {
        let told = subject.run("ssz root block.ssz @ --type SignedBeaconBlock")?;
        ensure(told.trim() == root, || format!("{told}, not {root}"))?;
    }
    contains(&subject.refused("ssz root cut.ssz @ --type BeaconState")?, "cut.ssz: no BeaconState of ")
}

fn diff(subject: &Subject) -> Result<(), String> {
    contains(&subject.run("ssz diff state.ssz state.ssz @ --type BeaconState")?, "equal: ")?;
    let told = subject.output("ssz diff state.ssz other.ssz @ --type BeaconState")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    contains(&told, "\nfork.epoch (gindex ")?;
    ensure(told.lines().count() == 2, || told.clone())?;
    contains(
        &subject.refused("ssz diff state.ssz other.ssz @ --type BeaconState")?,
        "2 differences: fork 1, slot 1",
    )
}

fn prove(subject: &Subject) -> Result<(), String> {
    subject
        .run("ssz proof state.ssz @ --type BeaconState --path finalized_checkpoint.root --out one.json")?;
    let line = "ssz proof state.ssz @ --type BeaconState --path slot --path block_roots[3] --path fork --out many.json";
    subject.run(line)?;
    contains(&subject.refused("ssz proof state.ssz @ --type BeaconState --path nothing")?, "nothing")
}

fn verify(subject: &Subject) -> Result<(), String> {
    prove(subject)?;
    for file in ["one.json", "many.json"] {
        contains(
            &subject.run(&format!("ssz verify {file} --root {}", subject.state_root))?,
            &subject.state_root,
        )?;
    }
    let other = format!("0x{}", "ab".repeat(32));
    contains(&subject.refused(&format!("ssz verify many.json --root {other}"))?, "many.json")
}

fn query(subject: &Subject) -> Result<(), String> {
    let told =
        subject.run("ssz query state.ssz @ --type BeaconState --path slot --path block_roots[0..3]")?;
    ensure(told.lines().count() == 4, || told.clone())?;
    contains(
        &subject.refused("ssz query state.ssz @ --type BeaconState --path block_roots[99999]")?,
        "block_roots[99999]",
    )
}

fn tree(subject: &Subject) -> Result<(), String> {
    contains(&subject.run("ssz tree state.ssz @ --type BeaconState")?, "finalized_checkpoint")?;
    contains(&subject.run("ssz tree block.ssz @ --type SignedBeaconBlock")?, "message: BeaconBlock")
}

fn schema(subject: &Subject) -> Result<(), String> {
    let told = subject.run("ssz schema @ --type BeaconState")?;
    contains(&told, "latest_block_header")?;
    // Each fork has its own.
    let has = |field: &str| told.contains(field);
    let forks = [
        (ForkName::Altair, "inactivity_scores"),
        (ForkName::Bellatrix, "latest_execution_payload_header"),
        (ForkName::Capella, "next_withdrawal_index"),
        (ForkName::Electra, "pending_deposits"),
        (ForkName::Fulu, "proposer_lookahead"),
    ];
    for (fork, field) in forks {
        ensure(has(field) == (subject.fork >= fork), || format!("{field} in {}", subject.fork))?;
    }
    Ok(())
}

/// A small e2store file with the block and the state.
fn entries(subject: &Subject) -> Result<(), String> {
    let read = |name: &str| fs::read(subject.at().join(name)).unwrap();
    let mut bytes = Vec::new();
    for (kind, data) in [(*b"e2", None), ([1, 0], Some(read("block.ssz"))), ([2, 0], Some(read("state.ssz")))]
    {
        let mut packed = Vec::new();
        if let Some(data) = data {
            snap::read::FrameEncoder::new(data.as_slice()).read_to_end(&mut packed).unwrap();
        }
        bytes.extend(kind);
        bytes.extend((packed.len() as u32).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(packed);
    }
    fs::write(subject.at().join("both.era"), bytes).unwrap();
    let told = subject.run("ssz entries both.era")?;
    contains(&told, "CompressedSignedBeaconBlock")?;
    contains(&told, "CompressedBeaconState")?;
    let told = subject.run("ssz root both.era --entry 1 @")?;
    ensure(told.trim() == subject.state_root, || format!("{told}, not {}", subject.state_root))?;
    contains(&subject.refused("ssz entries state.ssz")?, "no e2store file")
}

fn check(subject: &Subject) -> Result<(), String> {
    contains(&subject.run("ssz check state.ssz @ --type BeaconState")?, "byte for byte")?;
    contains(&subject.run("ssz check block.ssz @ --type SignedBeaconBlock")?, "byte for byte")
}

fn blocks(subject: &Subject) -> Result<(), String> {
    let Some(case) = subject.cases.get("blocks") else {
        let told = subject.run(
            "transition blocks @ --pre state.ssz block.ssz --skip-signatures --steps --post after.ssz",
        )?;
        contains(&told, "process_randao: ")?;
        return contains(&subject.refused("transition blocks @ --pre state.ssz block.ssz")?, "signature");
    };
    let case = case.display();
    let told = subject
        .run(&format!("transition blocks --vector {case} --steps --post after.ssz --write-states states"))?;
    contains(&told, " process_attestation[0]: ")?;
    let told = subject.run(&format!("transition blocks --vector {case} --against {case}/post.ssz"))?;
    contains(&told, "1 states compared, all equal")?;
    subject.run(&format!("ssz diff after.ssz {case}/post.ssz @ --type BeaconState"))?;
    // The same from files; an altered block is refused by name.
    let told = subject.run(&format!("transition blocks @ --pre {case}/pre.ssz {case}/blocks_0.ssz"))?;
    contains(&told, "0x")?;
    let altered =
        subject.refused(&format!("transition blocks @ --pre {case}/pre.ssz {case}/blocks_1.ssz"))?;
    contains(&altered, "block 0 of slot ")
}

fn slots(subject: &Subject) -> Result<(), String> {
    if let Some(case) = subject.cases.get("slots") {
        let case = case.display();
        let told =
            subject.run(&format!("transition slots --vector {case} --steps --against {case}/post.ssz"))?;
        contains(&told, "1 states compared, all equal")?;
        return contains(&told, " process_slot: ");
    }
    contains(&subject.run("transition slots @ --pre state.ssz --slots 33 --steps")?, " process_slot: ")
}

fn epoch(subject: &Subject) -> Result<(), String> {
    match subject.cases.get("epoch") {
        Some(case) => {
            let case = case.display();
            let told = subject.run(&format!("transition epoch --vector {case} --against {case}/post.ssz"))?;
            contains(&told, "1 states compared, all equal")?;
            let told = subject.run(&format!("transition epoch @ --pre {case}/pre.ssz --steps"))?;
            contains(&told, " process_slashings: ")
        }
        None => contains(&subject.run("transition epoch @ --pre state.ssz --steps")?, " process_slashings: "),
    }
}

fn replay(subject: &Subject) -> Result<(), String> {
    for case in subject.cases.values() {
        contains(&subject.run(&format!("transition replay {}", case.display()))?, "the same")?;
    }
    if subject.cases.is_empty() {
        let line = "transition epoch @ --pre state.ssz --only process_eth1_data_reset --write-vector vectors";
        let told = subject.run(line)?;
        let vector = told.lines().find_map(|line| line.strip_prefix("vector: ")).unwrap_or("none").to_owned();
        contains(&subject.run(&format!("transition replay {vector}"))?, "the same")?;
    }
    Ok(())
}

/// Cases that are taken of a fork's pack, by what they are called here: the first below each.
const CASES: [(&str, &str); 3] = [
    ("blocks", "sanity/blocks/pyspec_tests/attestation"),
    ("slots", "sanity/slots/pyspec_tests/"),
    ("epoch", "epoch_processing/justification_and_finalization/pyspec_tests/"),
];

fn of_vectors(fork: ForkName) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/spec_tests/vectors");
    let pack = packs.join(format!("minimal-{fork}.tar.zst"));
    let mut decoder = zstd::Decoder::new(fs::File::open(&pack).unwrap()).unwrap();
    decoder.window_log_max(31).unwrap();
    let mut statics: BTreeMap<(&str, String), BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    let mut cases = BTreeMap::new();
    for entry in tar::Archive::new(decoder).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let Some((_, place)) = path.to_str().unwrap().split_once(&format!("tests/minimal/{fork}/")) else {
            continue;
        };
        let (case, file) = place.rsplit_once('/').unwrap();
        let kind = ["BeaconState", "SignedBeaconBlock"]
            .into_iter()
            .find(|kind| case.starts_with(&format!("ssz_static/{kind}/ssz_random/")));
        let name = CASES.iter().find(|(_, wanted)| case.starts_with(wanted)).map(|(name, _)| *name);
        let mut bytes = Vec::new();
        if kind.is_some() || name.is_some() {
            entry.read_to_end(&mut bytes).unwrap();
        }
        if let Some(kind) = kind {
            statics.entry((kind, case.to_owned())).or_default().insert(file.to_owned(), bytes);
        } else if let Some(name) = name {
            let at = folder.path().join(format!("tests/minimal/{fork}")).join(case);
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join(file), bytes).unwrap();
            let first = cases.entry(name).or_insert_with(|| at.clone());
            *first = at.min(first.clone());
        }
    }
    let of = |wanted: &str| statics.iter().find(|((kind, _), _)| *kind == wanted).unwrap().1.clone();
    let (state, block) = (of("BeaconState"), of("SignedBeaconBlock"));
    let root = |files: &BTreeMap<String, Vec<u8>>| {
        let text = String::from_utf8(files["roots.yaml"].clone()).unwrap();
        text.split(['\'', '"', ' ', '}', '\n']).find(|word| word.starts_with("0x")).unwrap().to_owned()
    };
    fs::write(folder.path().join("state.ssz"), &state["serialized.ssz"]).unwrap();
    fs::write(folder.path().join("value.yaml"), &state["value.yaml"]).unwrap();
    fs::write(folder.path().join("block.ssz"), &block["serialized.ssz"]).unwrap();
    let (state_root, block_root) = (root(&state), Some(root(&block)));
    assert_eq!(cases.len(), CASES.len(), "{fork}: {cases:?}");
    Subject { folder, name: fork.to_string(), fork, preset: "minimal", state_root, block_root, cases }
}

/// The genesis of mainnet, with a block of slot 1 upon it that nobody signed.
fn of_genesis() -> Option<Subject> {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/inputs/networks/mainnet");
    let Ok(packed) = fs::read(inputs.join("genesis.ssz.zst")) else {
        eprintln!("skipped: no genesis of mainnet in {}", inputs.display());
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes = zstd::decode_all(packed.as_slice()).unwrap();
    let state = BeaconState::decode_at(Spec::mainnet(), ForkName::Phase0, &bytes).unwrap();
    let ctx = state.ctx();
    let mut next = state.clone();
    transition::process_slots(&mut next, types::Slot(1)).unwrap();
    let mut block = SignedBeaconBlock::new_default(ctx);
    block.message.slot = next.slot;
    block.message.proposer_index = transition::accessors::get_beacon_proposer_index(&next).unwrap();
    block.message.parent_root = next.latest_block_header.hash_tree_root(ctx);
    block.message.body.eth1_data = next.eth1_data.clone();
    let mut after = state.clone();
    state_transition(&mut after, &block, &mut Signatures::Skip, ValidateResult::No).unwrap();
    block.message.state_root = after.state_root();
    fs::write(folder.path().join("state.ssz"), bytes).unwrap();
    fs::write(folder.path().join("block.ssz"), block.to_ssz(ctx)).unwrap();
    // As every client has it.
    let state_root = "0x7e76880eb67bbdc86250aa578958e9d0675e64e714337855204fb5abaaf82c2b".to_owned();
    let (name, fork, preset) = ("mainnet's genesis".to_owned(), ForkName::Phase0, "mainnet");
    Some(Subject { folder, name, fork, preset, state_root, block_root: None, cases: BTreeMap::new() })
}

/// `other.ssz`, which differs in two places, and `cut.ssz`, which ends too early.
fn spoil(subject: &Subject) {
    let mut bytes = fs::read(subject.at().join("state.ssz")).unwrap();
    fs::write(subject.at().join("cut.ssz"), &bytes[..100]).unwrap();
    // The slot stands behind the genesis time and root; the fork's epoch behind its two versions.
    bytes[40] ^= 1;
    bytes[56] ^= 1;
    fs::write(subject.at().join("other.ssz"), bytes).unwrap();
}

#[test]
fn each_command_works_on_vectors_of_every_fork_and_on_the_genesis_of_mainnet() {
    let subjects: Vec<Subject> = ForkName::ALL.into_iter().map(of_vectors).chain(of_genesis()).collect();
    subjects.iter().for_each(spoil);
    let width = subjects.iter().map(|subject| subject.name.len()).max().unwrap_or(0);
    let names: Vec<String> = subjects.iter().map(|subject| format!("{:>width$}", subject.name)).collect();
    println!("{:<18} {}  (milliseconds)", "command", names.join(" "));
    let mut faults = Vec::new();
    for (command, check) in COMMANDS {
        let cells = subjects.iter().map(|subject| {
            let begun = Instant::now();
            let outcome = check(subject);
            let cell = match &outcome {
                Ok(()) => begun.elapsed().as_millis().to_string(),
                Err(_) => "FAILS".to_owned(),
            };
            faults.extend(outcome.err().map(|why| format!("{command} on {}: {why}", subject.name)));
            format!("{cell:>width$}")
        });
        let cells: Vec<String> = cells.collect();
        println!("{command:<18} {}", cells.join(" "));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_command_is_left_out() {
    for group in ["ssz", "transition"] {
        let output = Command::new(env!("CARGO_BIN_EXE_interlock")).args([group, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let (_, listed) = help.split_once("Commands:\n").unwrap();
        for line in listed.lines().take_while(|line| !line.is_empty()) {
            let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
            let name = name.split_whitespace().next().unwrap();
            let command = format!("{group} {name}");
            assert!(name == "help" || COMMANDS.iter().any(|(known, _)| *known == command), "{command}");
        }
    }
}
