//! `interlock ssz` and `interlock transition` as a person runs them: on the real genesis of mainnet, where the folder
//! `shared` stands beside the clone, and on states and blocks of every fork.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ssz::SszExt;
use synthetic::{Chain, Keys, StatePlan, spec_at};
use types::ForkName;

/// Runs the program in a folder; gives whether it succeeded, and what it wrote to standard output and error.
fn interlock(folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_interlock")).args(arguments).current_dir(folder).output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_ne!(output.status.code(), Some(101), "a panic: {}", text(&output.stderr));
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let (is_success, out, error) = interlock(folder, arguments);
    assert!(is_success, "{arguments:?}: {error}");
    out
}

/// The one line that a failure ends with.
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let (is_success, _, error) = interlock(folder, arguments);
    assert!(!is_success, "{arguments:?} succeeded");
    let line = error.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("error: "), "{error}");
    line
}

fn genesis(folder: &Path) -> Option<PathBuf> {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/inputs/networks/mainnet");
    let Ok(packed) = std::fs::read(inputs.join("genesis.ssz.zst")) else {
        eprintln!("skipped: no genesis of mainnet in {}", inputs.display());
        return None;
    };
    let path = folder.join("genesis.ssz");
    std::fs::write(&path, zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    Some(path)
}

#[test]
fn every_command_works_on_the_genesis_of_mainnet() {
    const ROOT: &str = "0x7e76880eb67bbdc86250aa578958e9d0675e64e714337855204fb5abaaf82c2b";
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    if genesis(at).is_none() {
        return;
    }
    let run = |line: &str| succeeds(at, &line.split(' ').collect::<Vec<_>>());
    let fault = |line: &str| fails(at, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(run("ssz root genesis.ssz").trim(), ROOT);
    assert!(run("ssz pretty genesis.ssz").contains("validators: (21063)"));
    assert_eq!(run("ssz query genesis.ssz --bare --path validators.length").trim(), "21063");
    assert!(run("ssz tree genesis.ssz").contains("validators"));
    assert!(run("ssz schema --type BeaconState --fork phase0").contains("validators"));
    assert!(run("ssz check genesis.ssz").contains("byte for byte"));
    run("ssz proof genesis.ssz --path validators[7].pubkey --path slot --out proof.json");
    assert!(run("ssz verify proof.json").contains(ROOT));
    run("ssz convert genesis.ssz --to json --out genesis.json");
    run("ssz convert genesis.json --type BeaconState --fork phase0 --to framed --out again.ssz_snappy");
    assert!(run("ssz diff genesis.ssz again.ssz_snappy").contains("equal"));
    let told =
        run("transition slots --pre genesis.ssz --slots 33 --steps --post after.ssz --write-states states");
    assert!(told.contains("slot 31 process_justification_and_finalization: "), "{told}");
    assert!(fault("ssz diff genesis.ssz after.ssz").contains("differences"));
    let told = run("transition slots --pre genesis.ssz --slots 33 --against states");
    assert!(told.contains("states compared, all equal"), "{told}");
    assert!(run("transition epoch --pre genesis.ssz --steps").contains("process_slashings: "));
    let told =
        run("transition epoch --pre genesis.ssz --only process_eth1_data_reset --write-vector vectors");
    let vector = told.lines().find_map(|line| line.strip_prefix("vector: ")).unwrap();
    assert!(run(&format!("transition replay {vector}")).contains("the same"));

    // What is bad is told in one line: by path, by byte, by name.
    let line = fault("ssz query genesis.ssz --path validators[99999].slashed");
    assert_eq!(line, "error: validators[99999]: there are 21063 elements");
    std::fs::write(at.join("cut.ssz"), &std::fs::read(at.join("genesis.ssz")).unwrap()[..3_000_001]).unwrap();
    let line = fault("ssz root cut.ssz --type BeaconState --fork phase0");
    assert!(line.contains("cut.ssz") && line.contains("at byte "), "{line}");
    assert!(fault("transition slots --pre cut.ssz --fork phase0 --slots 1").contains("at byte "));
    assert!(fault("transition slots --pre genesis.ssz --fork fulu --slots 1").contains("no state of fulu"));
    assert!(
        fault("transition epoch --pre genesis.ssz --only process_pending_deposits").contains("phase0 has no")
    );
    assert!(fault("ssz entries genesis.ssz").contains("no e2store file"));
    assert!(
        fault("transition slots --pre genesis.ssz --slots 1 --against states/33.ssz_snappy")
            .contains("nothing")
    );
}

#[test]
fn blocks_of_every_fork_are_applied_compared_and_kept() {
    for fork in ForkName::ALL {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let keys = Arc::new(Keys::new(5, 64));
        let pre = StatePlan::new(spec_at("minimal", fork).unwrap(), fork, 64).state(&keys).unwrap();
        let mut chain = Chain::new(pre.clone(), keys);
        let block = chain.next_block().unwrap();
        std::fs::write(at.join("pre.ssz"), pre.encoded()).unwrap();
        std::fs::write(at.join("block.ssz"), block.to_ssz(pre.ctx())).unwrap();
        std::fs::write(at.join("post.ssz"), chain.state().encoded()).unwrap();
        let name = fork.to_string();
        let run = |more: &[&str]| {
            let mut line =
                vec!["transition", "blocks", "--pre", "pre.ssz", "--preset", "minimal", "--fork", &name];
            line.extend(more);
            interlock(at, &line)
        };
        let (is_success, out, error) =
            run(&["block.ssz", "--steps", "--against", "post.ssz", "--write-vector", "vectors"]);
        assert!(is_success, "{fork}: {error}");
        assert!(out.contains("process_attestation[0]: "), "{out}");
        assert_eq!(out.lines().last(), Some(chain.state().state_root().to_string().as_str()));
        let vector = out.lines().find_map(|line| line.strip_prefix("vector: ")).unwrap();
        assert!(succeeds(at, &["transition", "replay", vector]).contains("the same"));
        assert!(succeeds(at, &["transition", "blocks", "--vector", vector]).contains("0x"));

        // A proposer who names another root is refused, and so is a signature that is none.
        let mut wrong = block.clone();
        wrong.message.state_root = types::Root::from([9; 32]);
        std::fs::write(at.join("wrong.ssz"), wrong.to_ssz(pre.ctx())).unwrap();
        let (is_success, _, error) = run(&["wrong.ssz"]);
        assert!(!is_success && error.contains("signature"), "{fork}: {error}");
        let (is_success, _, error) = run(&["wrong.ssz", "--skip-signatures"]);
        assert!(!is_success && error.contains("its state root is 0x0909"), "{fork}: {error}");
        let (is_success, _, error) = run(&["pre.ssz"]);
        assert!(!is_success && error.contains("pre.ssz: no signed block"), "{fork}: {error}");
    }
}
