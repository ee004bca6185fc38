//! [`ssz_static`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/ssz_static): every container
//! of every fork: decode, encode, root, and there and back through JSON.
//!
//! `value.yaml` holds the same value as `serialized.ssz` for clients without a decoder; it is not needed.

use anyhow::{anyhow, ensure};
use serde::Deserialize;
use ssz::{Ctx, Ssz, SszExt};

use crate::case::Case;

#[derive(Deserialize)]
struct Roots {
    root: String,
}

pub fn run(case: &Case) -> super::Result {
    case.declare_unneeded("value.yaml", "holds the value of the SSZ file");
    let ctx = case.spec()?.ctx(case.fork_name()?);
    let bytes = case.bytes("serialized.ssz")?;
    let roots: Roots = case.yaml("roots.yaml")?;
    types::with_container!(case.handler.as_str(), Container => check::<Container>(&bytes, &roots.root, ctx), else {
        Err(anyhow!("no container {}", case.handler))
    })
}

/// Checks one value of type `T`.
pub fn check<T: Ssz>(bytes: &[u8], root: &str, ctx: Ctx) -> super::Result {
    let value = T::from_ssz(bytes, ctx).map_err(|error| anyhow!("valid bytes were refused: {error}"))?;
    ensure!(value.to_ssz(ctx) == bytes, "encodes to other bytes");
    let found = value.hash_tree_root(ctx);
    ensure!(found.to_string() == root, "root is {found}, expected {root}");
    let again = T::from_json(&value.to_json(ctx), ctx).map_err(|error| anyhow!("JSON: {error}"))?;
    ensure!(again == value, "another value after JSON");
    Ok(())
}
