//! The official EIP-3076 test cases (the generated ones of `eth-clients/slashing-protection-interchange-tests`),
//! against the expectations for complete databases, with one exception that is stricter, see [`STRICTER`].
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use serde_json::Value;
use storage::{
    InterchangeRecord, NotSafe, Protection, ProtectionError, Pubkey, Root, Safe, SignedAttestation,
    SignedBlock,
};
use support::Scratch;

/// Where two files are imported for a key, the second may come from a client that dropped its older history. What was
/// signed between the first file's messages and the second file's oldest is then unknown, so it is refused, as the
/// expectations for minimal databases have it; those for complete ones take the files for all that there was.
const STRICTER: &str = "multiple_interchanges_single_validator_single_message_gap";
/// Verdicts of that case that differ.
const STRICTER_VERDICTS: usize = 5;

/// What came out, over all cases.
#[derive(Default)]
struct Tally {
    cases: usize,
    checks: usize,
    stricter: usize,
    mismatches: Vec<String>,
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn signing_root(message: &Value) -> Option<Root> {
    message.get("signing_root").map(bytes)
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn records(interchange: &Value) -> Vec<InterchangeRecord> {
    let block =
        |block: &Value| SignedBlock { slot: number(&block["slot"]), signing_root: signing_root(block) };
    let attestation = |signed: &Value| SignedAttestation {
        source_epoch: number(&signed["source_epoch"]),
        target_epoch: number(&signed["target_epoch"]),
        signing_root: signing_root(signed),
    };
    array(&interchange["data"])
        .iter()
        .map(|record| InterchangeRecord {
            pubkey: bytes(&record["pubkey"]),
            signed_blocks: array(&record["signed_blocks"]).iter().map(block).collect(),
            signed_attestations: array(&record["signed_attestations"]).iter().map(attestation).collect(),
        })
        .collect()
}

/// A validator client registers its keys whether or not a file mentions them.
fn register_all(protection: &Protection, step: &Value) {
    let messages = array(&step["blocks"]).iter().chain(array(&step["attestations"]));
    let pubkeys: Vec<Pubkey> = messages.map(|message| bytes(&message["pubkey"])).collect();
    protection.register(&pubkeys).unwrap();
}

fn expect(what: &str, message: &Value, outcome: Result<Safe, NotSafe>, tally: &mut Tally) {
    assert!(!matches!(outcome, Err(NotSafe::Fault(_) | NotSafe::Unregistered)), "{what}: {outcome:?}");
    tally.checks += 1;
    let [complete, minimal] =
        ["should_succeed_complete", "should_succeed"].map(|field| message[field].as_bool().unwrap());
    if what == STRICTER && complete != minimal && minimal == outcome.is_ok() {
        tally.stricter += 1;
    } else if complete != outcome.is_ok() {
        tally.mismatches.push(format!("{what}: {message} gave {outcome:?}"));
    }
}

fn run(path: &Path, tally: &mut Tally) {
    let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let name = case["name"].as_str().unwrap();
    let scratch = Scratch::new();
    let file = scratch.join("protection.sqlite");
    let ours = bytes(&case["genesis_validators_root"]);
    tally.cases += 1;
    for step in array(&case["steps"]) {
        // Opened anew for every step, so that what counts is what was stored.
        let protection = Protection::open(&file, &ours).unwrap();
        let interchange = &step["interchange"];
        let theirs = bytes(&interchange["metadata"]["genesis_validators_root"]);
        let imported = protection.import(&theirs, &records(interchange));
        match imported {
            Ok(_) => assert_eq!(step["should_succeed"], true, "{name}"),
            Err(ProtectionError::OtherNetwork { .. }) => {
                assert_eq!(step["should_succeed"], false, "{name}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
        register_all(&protection, step);
        for block in array(&step["blocks"]) {
            let (pubkey, root) = (bytes(&block["pubkey"]), signing_root(block).unwrap_or_default());
            let outcome = protection.check_and_insert_block(&pubkey, number(&block["slot"]), &root);
            expect(name, block, outcome, tally);
        }
        for attestation in array(&step["attestations"]) {
            let outcome = protection.check_and_insert_attestation(
                &bytes(&attestation["pubkey"]),
                number(&attestation["source_epoch"]),
                number(&attestation["target_epoch"]),
                &signing_root(attestation).unwrap_or_default(),
            );
            expect(name, attestation, outcome, tally);
        }
    }
}

#[test]
fn every_official_case_gives_the_result_for_complete_databases() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eip-3076");
    let mut tally = Tally::default();
    for entry in std::fs::read_dir(directory).unwrap() {
        run(&entry.unwrap().path(), &mut tally);
    }
    assert!(tally.mismatches.is_empty(), "{}", tally.mismatches.join("\n"));
    // A test over a directory must notice when the directory is not what it was.
    assert_eq!((tally.cases, tally.checks, tally.stricter), (38, 150, STRICTER_VERDICTS));
}
