//! What the finalized blocks of the drill hold.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use api::{BlockId, Client as Api};
use types::{ForkName, Slot, Spec};

/// What the canonical blocks of a fork hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfFork {
    /// Blocks by validators of the first and of the second node.
    pub blocks: [u64; 2],
    /// Transactions in them.
    pub transactions: u64,
}

/// Counts the blocks up to a slot. Every block must have a payload.
pub async fn read(
    api: &Api,
    spec: &'static Spec,
    until: Slot,
    first_half: u64,
) -> anyhow::Result<BTreeMap<ForkName, OfFork>> {
    let mut forks: BTreeMap<ForkName, OfFork> = BTreeMap::new();
    for slot in (1..=until.0).map(Slot) {
        let (fork, block) = match api.block(spec, BlockId::Slot(slot)).await {
            Ok(found) => found,
            Err(error) if error.code() == Some(404) => continue,
            Err(error) => return Err(error).with_context(|| format!("the block of slot {slot}")),
        };
        let payload = &block.message.body.execution_payload;
        ensure!(!payload.block_hash.is_zero(), "the block of slot {slot} has no payload");
        let of_fork = forks.entry(fork).or_default();
        of_fork.blocks[usize::from(block.message.proposer_index.0 >= first_half)] += 1;
        of_fork.transactions += payload.transactions.len() as u64;
    }
    Ok(forks)
}
