//! What the debugger for SSZ sees: values walked by their schema, without the types of the client. Whatever the
//! vectors say of a value must come out of it too.

use anyhow::{Context, anyhow, bail, ensure};
use inspect::{Tree, Value};
use serde_json::Value as Json;
use ssz::{Root, Schema};

/// Checks the root and the texts of a valid value.
pub fn check(schema: &Schema, bytes: &[u8], root: &str, json: &Json) -> super::Result {
    let value = Value::read(schema, bytes).map_err(|error| anyhow!("valid bytes were refused: {error}"))?;
    let found = Tree::new(value).node(1).context("no root")?;
    ensure!(found.to_string() == root, "by its schema the root is {found}, expected {root}");
    let mut text = Vec::new();
    inspect::write_json(&value, &mut text)?;
    ensure!(serde_json::from_slice::<Json>(&text)? == *json, "another JSON by its schema");
    let mut text = Vec::new();
    inspect::write_yaml(&value, &mut text)?;
    let again =
        inspect::yaml_to_json(std::str::from_utf8(&text)?).map_err(|error| anyhow!("YAML: {error}"))?;
    ensure!(again == *json, "another value after YAML");
    Ok(())
}

/// Checks that invalid bytes are refused.
pub fn refuse(schema: &Schema, bytes: &[u8]) -> super::Result {
    match Value::read(schema, bytes) {
        Ok(_) => bail!("invalid bytes were taken by their schema"),
        Err(_) => Ok(()),
    }
}

/// Checks a proof of one node.
pub fn check_proof(schema: &Schema, bytes: &[u8], index: u64, leaf: Root, branch: &[Root]) -> super::Result {
    let value = Value::read(schema, bytes).map_err(|error| anyhow!("valid bytes were refused: {error}"))?;
    let proof = inspect::prove(&mut Tree::new(value), &[index.into()])?;
    ensure!(proof.leaves == [(index.into(), leaf)] && proof.proof == branch, "by its schema: {proof:?}");
    inspect::verify(&proof)?;
    Ok(())
}
