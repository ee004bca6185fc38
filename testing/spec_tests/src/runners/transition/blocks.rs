//! [`sanity/blocks`](https://github.com/ethereum/consensus-specs/blob/master/tests/formats/sanity/blocks.md), and
//! [`finality`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/finality) and
//! [`random`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/random), which have the same format:
//! whole blocks one after the other.

use serde::Deserialize;
use transition::{ValidateResult, state_transition};
use types::SignedBeaconBlock;

use super::{signed, state_before, stepped};
use crate::case::Case;

#[derive(Deserialize)]
struct Blocks {
    blocks_count: usize,
}

pub fn run(case: &Case) -> super::super::Result {
    let state = state_before(case, "pre.ssz")?;
    let count = case.yaml::<Blocks>("meta.yaml")?.blocks_count;
    let blocks: Vec<SignedBeaconBlock> =
        (0..count).map(|number| case.ssz(&format!("blocks_{number}.ssz"))).collect::<Result<_, _>>()?;
    signed::run(case, &state, |state, signatures| {
        blocks.iter().try_for_each(|block| state_transition(state, block, signatures, ValidateResult::Yes))
    })?;
    stepped::blocks(case, &state, &blocks)
}
