//! The kept corpus and the seeds, through every target: what was once found, or is worth beginning with, stays right.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use fuzz_targets::{TARGETS, seeds};

/// What the corpus in the repository may have in all, in bytes.
const CORPUS_BYTES_MAX: u64 = 2 << 20;

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

#[test]
fn every_input_of_the_kept_corpus_passes_its_target() {
    let mut total = 0;
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in std::fs::read_dir(corpus().join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            total += bytes.len() as u64;
            count += 1;
            let result = std::panic::catch_unwind(|| target(&bytes));
            assert!(result.is_ok(), "{} fails {name}", path.display());
        }
        assert!(count > 0, "{name} has no corpus");
    }
    assert!(total <= CORPUS_BYTES_MAX, "the corpus has {total} bytes");
}

#[test]
fn every_seed_passes_its_target() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for (seed, bytes) in seeds {
            assert!(std::panic::catch_unwind(|| target(&bytes)).is_ok(), "the seed {seed} fails {name}");
        }
    }
}
