//! [`ssz_static`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/ssz_static): every container
//! of every fork: decode, encode, root, and there and back through JSON.
//!
//! `value.yaml` shows the value as text, which must be what the JSON of the Beacon API says too.

use anyhow::{anyhow, ensure};
use serde::Deserialize;
use serde_json::Value;
use ssz::{Ctx, Ssz, SszExt};

use super::{inspected, written};
use crate::case::Case;

#[derive(Deserialize)]
struct Roots {
    root: String,
}

pub fn run(case: &Case) -> super::Result {
    let ctx = case.spec()?.ctx(case.fork_name()?);
    let bytes = case.bytes("serialized.ssz")?;
    let roots: Roots = case.yaml("roots.yaml")?;
    let json = types::with_container!(case.handler.as_str(), Container => {
        check::<Container>(&bytes, &roots.root, ctx)
    }, else {
        Err(anyhow!("no container {}", case.handler))
    })?;
    written::check(&json, &case.yaml("value.yaml")?)
}

/// Checks one value of type `T`, and returns its JSON.
fn check<T: Ssz>(bytes: &[u8], root: &str, ctx: Ctx) -> anyhow::Result<Value> {
    let value = T::from_ssz(bytes, ctx).map_err(|error| anyhow!("valid bytes were refused: {error}"))?;
    ensure!(value.to_ssz(ctx) == bytes, "encodes to other bytes");
    let found = value.hash_tree_root(ctx);
    ensure!(found.to_string() == root, "root is {found}, expected {root}");
    let json = value.to_json(ctx);
    let again = T::from_json(&json, ctx).map_err(|error| anyhow!("JSON: {error}"))?;
    ensure!(again == value, "another value after JSON");
    inspected::check(&T::schema_of(ctx), bytes, root, &json)?;
    Ok(json)
}
