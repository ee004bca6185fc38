//! The debugger's walks: whatever production makes of a case, step by step the same must come of it.

use anyhow::{Context, anyhow};
use debugger::{Step, Walk, Watch};
use types::{BeaconState, SignedBeaconBlock, Slot};

use super::{Meta, check};
use crate::case::Case;

/// Watches without a word, which makes a walk take its steps one by one.
struct Silent;

impl Watch for Silent {
    fn after(&mut self, _: &Step, _: &BeaconState, _: &BeaconState) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Blocks step by step.
pub fn blocks(case: &Case, state: &BeaconState, blocks: &[SignedBeaconBlock]) -> super::super::Result {
    let verifies = Meta::of(case)?.verifies_signatures()?;
    run(case, state, verifies, |walk| {
        blocks.iter().try_for_each(|block| {
            let root = walk.block(block).map_err(|stop| anyhow!("{stop}"))?;
            anyhow::ensure!(root == block.message.state_root, "the block has another state root");
            Ok(())
        })
    })
}

/// Slots step by step.
pub fn slots(case: &Case, state: &BeaconState, to: Slot) -> super::super::Result {
    run(case, state, true, |walk| walk.advance(to).map_err(|stop| anyhow!("{stop}")))
}

fn run(
    case: &Case,
    state: &BeaconState,
    verifies: bool,
    go: impl FnOnce(&mut Walk<'_>) -> anyhow::Result<()>,
) -> super::super::Result {
    let mut silent = Silent;
    let walk = Walk::new(state.clone());
    let walk = if verifies { walk } else { walk.skipping_signatures() };
    let mut walk = walk.watched(&mut silent);
    let outcome = go(&mut walk);
    let outcome = outcome.map(|()| walk.state).map_err(|error| error.to_string());
    check(case, "post.ssz", outcome).context("step by step")
}
