//! The [`fork_choice`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/fork_choice) vectors: what a
//! client receives, step by step, and what it must then believe.
//!
//! The store is fed as production feeds it: with what follows from verified blocks and messages, see [`client`]. Beside
//! it goes the specification written down directly, and after every step both must agree on the head.
//!
//! Steps and checks that are not known fail the case: nothing that a vector asks is passed over.

mod client;
mod data;
mod steps;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::case::Case;
use client::Client;
use steps::Step;

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    bls_setting: u8,
}

/// The handlers whose steps are those of this format.
pub fn has_handler(handler: &str) -> bool {
    matches!(
        handler,
        "deposit_with_reorg"
            | "ex_ante"
            | "get_head"
            | "get_proposer_head"
            | "on_block"
            | "reorg"
            | "withholding"
    )
}

pub fn run(case: &Case) -> super::Result {
    let meta: Meta = if case.has("meta.yaml") { case.yaml("meta.yaml")? } else { Meta::default() };
    ensure!(meta.bls_setting != 2, "signatures are always verified here");
    let steps: Vec<Step> = case.yaml("steps.yaml")?;
    let mut client = Client::new(case)?;
    for (place, step) in steps.iter().enumerate() {
        step.take(case, &mut client).with_context(|| format!("step {place}"))?;
        client.compare_heads().with_context(|| format!("after step {place}"))?;
    }
    Ok(())
}
