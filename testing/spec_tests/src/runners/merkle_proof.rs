//! [`merkle_proof`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/light_client/single_merkle_proof.md)
//! and `light_client/single_merkle_proof`: a node of an object, its generalized index and its branch.
//!
//! The proof is made and compared, and it is verified, as is one that is spoilt.

use anyhow::{Context, anyhow, ensure};
use serde::Deserialize;
use ssz::{Ctx, MerkleProof, Root, Ssz, SszExt, is_valid_merkle_proof};

use crate::case::Case;

#[derive(Deserialize)]
struct Proof {
    leaf: String,
    leaf_index: u64,
    branch: Vec<String>,
}

pub fn run(case: &Case) -> super::Result {
    let ctx = case.spec()?.ctx(case.fork_name()?);
    let proof: Proof = case.yaml("proof.yaml")?;
    if case.suite == "BeaconState" {
        // A state carries its spec, which only this way of decoding gives it.
        return check(&case.state("object.ssz")?, &proof, ctx);
    }
    types::with_container!(case.suite.as_str(), Container => {
        check::<Container>(&case.ssz("object.ssz")?, &proof, ctx)
    }, else {
        Err(anyhow!("no container {}", case.suite))
    })
}

fn check<T: Ssz>(object: &T, expected: &Proof, ctx: Ctx) -> super::Result {
    let (leaf, index) = (expected.leaf.parse::<Root>()?, expected.leaf_index);
    let branch: Vec<Root> = expected.branch.iter().map(|node| node.parse()).collect::<Result<_, _>>()?;
    let found = object.compute_merkle_proof(index, ctx).context("no node there")?;
    ensure!(found == MerkleProof { leaf, branch: branch.clone() }, "found {found:?}");
    super::inspected::check_proof(&T::schema_of(ctx), &object.to_ssz(ctx), index, leaf, &branch)?;
    let root = object.hash_tree_root(ctx);
    ensure!(is_valid_merkle_proof(&leaf, &branch, index, &root), "the proof is not accepted");
    ensure!(!is_valid_merkle_proof(&leaf, &branch, 2 * index, &root), "accepted at a lower place");
    ensure!(!is_valid_merkle_proof(&leaf, &branch, index, &leaf), "accepted below another root");
    ensure!(!is_valid_merkle_proof(&leaf, &branch[1..], index / 2, &root), "accepted at a higher place");
    Ok(())
}
