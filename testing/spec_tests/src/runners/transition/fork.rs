//! [`fork`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/forks): the upgrade of a state by
//! itself; and [`transition`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/transition): blocks
//! before and after it.

use anyhow::{anyhow, ensure};
use serde::Deserialize;
use ssz::SszExt;
use transition::upgrade::upgrade_to;
use transition::{ValidateResult, state_transition};
use types::{BeaconState, ForkName, SignedBeaconBlock, Spec};

use super::{check, signed, stepped};
use crate::case::Case;

#[derive(Deserialize)]
struct Upgrade {
    fork: String,
}

#[derive(Deserialize)]
struct Transition {
    post_fork: String,
    fork_epoch: u64,
    blocks_count: usize,
    /// The last block before the fork, if there is one.
    fork_block: Option<usize>,
}

pub fn upgrade(case: &Case) -> super::super::Result {
    let fork: ForkName = case.yaml::<Upgrade>("meta.yaml")?.fork.parse()?;
    ensure!(fork == case.fork_name()?, "a case of {} with the fork {fork}", case.fork);
    let mut state = state_before(case, case.spec()?, fork)?;
    let outcome = upgrade_to(&mut state, fork);
    check(case, "post.ssz", outcome.map(|()| state))
}

pub fn transition(case: &Case) -> super::super::Result {
    let Transition { post_fork, fork_epoch, blocks_count, fork_block } = case.yaml("meta.yaml")?;
    let fork: ForkName = post_fork.parse()?;
    ensure!(fork == case.fork_name()?, "a case of {} with the fork {fork}", case.fork);
    let spec = case.spec_with(fork_epoch)?;
    let state = state_before(case, spec, fork)?;
    let block = |number: usize| {
        let is_before = fork_block.is_some_and(|last| number <= last);
        let ctx = spec.ctx(if is_before { fork_before(fork)? } else { fork });
        let name = format!("blocks_{number}.ssz");
        SignedBeaconBlock::from_ssz(&case.bytes(&name)?, ctx).map_err(|error| anyhow!("{name}: {error}"))
    };
    let blocks: Vec<SignedBeaconBlock> = (0..blocks_count).map(block).collect::<Result<_, _>>()?;
    signed::run(case, &state, |state, signatures| {
        blocks.iter().try_for_each(|block| state_transition(state, block, signatures, ValidateResult::Yes))
    })?;
    stepped::blocks(case, &state, &blocks)
}

/// The state of the fork before, hashed once.
fn state_before(case: &Case, spec: &'static Spec, fork: ForkName) -> anyhow::Result<BeaconState> {
    let state = BeaconState::decode_at(spec, fork_before(fork)?, &case.bytes("pre.ssz")?)
        .map_err(|error| anyhow!("pre.ssz: {error}"))?;
    state.state_root();
    Ok(state)
}

fn fork_before(fork: ForkName) -> anyhow::Result<ForkName> {
    let before = ForkName::ALL.into_iter().rfind(|other| *other < fork);
    before.ok_or_else(|| anyhow!("no fork is before {fork}"))
}
