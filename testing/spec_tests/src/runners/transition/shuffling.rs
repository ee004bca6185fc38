//! [`shuffling`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/shuffling): the shuffle of a whole
//! list, and of each place by itself.

use anyhow::ensure;
use serde::Deserialize;
use transition::shuffle::{compute_shuffled_index, compute_shuffled_permutation};
use types::Root;

use crate::case::Case;

#[derive(Deserialize)]
struct Mapping {
    seed: String,
    count: u64,
    mapping: Vec<u64>,
}

pub fn run(case: &Case) -> super::super::Result {
    let Mapping { seed, count, mapping } = case.yaml("mapping.yaml")?;
    let seed = seed.parse::<Root>()?.0;
    let rounds = case.spec()?.preset.shuffle_round_count;
    for (place, expected) in (0..count).zip(&mapping) {
        let found = compute_shuffled_index(place, count, &seed, rounds);
        ensure!(found == *expected, "index {place} goes to {found}, expected {expected}");
    }
    ensure!(compute_shuffled_permutation(count, &seed, rounds) == mapping, "the whole list differs");
    Ok(())
}
