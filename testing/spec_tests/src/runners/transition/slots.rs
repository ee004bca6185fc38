//! [`sanity/slots`](https://github.com/ethereum/consensus-specs/blob/master/tests/formats/sanity/slots.md): slots
//! without blocks.

use transition::process_slots;

use super::{check, state_before, stepped};
use crate::case::Case;

pub fn run(case: &Case) -> super::super::Result {
    let mut state = state_before(case, "pre.ssz")?;
    let count: u64 = case.yaml("slots.yaml")?;
    let slot = state.slot + count;
    let before = state.clone();
    let outcome = process_slots(&mut state, slot);
    check(case, "post.ssz", outcome.map(|()| state))?;
    stepped::slots(case, &before, slot)
}
