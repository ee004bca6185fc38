//! [`genesis`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/genesis): the first state from
//! deposits, and whether a state may be the first.

use anyhow::ensure;
use serde::Deserialize;
use transition::genesis::{initialize_beacon_state_from_eth1, is_valid_genesis_state};
use types::{Deposit, Root};

use super::check;
use crate::case::Case;

#[derive(Deserialize)]
struct Eth1 {
    eth1_block_hash: String,
    eth1_timestamp: u64,
}

#[derive(Deserialize)]
struct Deposits {
    deposits_count: usize,
}

pub fn initialization(case: &Case) -> super::super::Result {
    let eth1: Eth1 = case.yaml("eth1.yaml")?;
    let block_hash: Root = eth1.eth1_block_hash.parse()?;
    let count = case.yaml::<Deposits>("meta.yaml")?.deposits_count;
    let deposits: Vec<Deposit> =
        (0..count).map(|number| case.ssz(&format!("deposits_{number}.ssz"))).collect::<Result<_, _>>()?;
    let found = initialize_beacon_state_from_eth1(case.spec()?, block_hash, eth1.eth1_timestamp, &deposits);
    check(case, "state.ssz", found)
}

pub fn validity(case: &Case) -> super::super::Result {
    let expected: bool = case.yaml("is_valid.yaml")?;
    let found = is_valid_genesis_state(&case.state("genesis.ssz")?);
    ensure!(found == expected, "is_valid_genesis_state is {found}, expected {expected}");
    Ok(())
}
