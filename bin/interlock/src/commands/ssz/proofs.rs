//! `interlock ssz proof` and `verify`.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use inspect::{Path, Proof, Tree};

use super::One;
use crate::output::write_file;

/// Parts to prove.
#[derive(Args)]
pub struct Prove {
    #[command(flatten)]
    one: One,
    /// A part, for example finalized_checkpoint.root; may be given several times.
    #[arg(long = "path", value_name = "PATH", required_unless_present = "indices")]
    paths: Vec<Path>,
    /// A generalized index; may be given several times.
    #[arg(long = "gindex", value_name = "N")]
    indices: Vec<u128>,
    /// Where to write the proof; standard output by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Prove {
    pub fn run(&self) -> anyhow::Result<()> {
        let subject = self.one.open()?;
        let value = subject.value()?;
        let mut indices = self.indices.clone();
        for path in &self.paths {
            let index = inspect::generalized_index(value.schema(), path);
            indices.push(index.ok_or_else(|| anyhow!("{path}: {} has no such part", subject.known.name))?);
        }
        let proof = inspect::prove(&mut Tree::new(value), &indices)?;
        inspect::verify(&proof).context("the proof that was made does not hold")?;
        let mut json = proof.to_json();
        json["type"] = subject.known.name.as_str().into();
        json["fork"] = subject.known.fork.as_str().into();
        let text = format!("{}\n", serde_json::to_string_pretty(&json)?);
        match &self.out {
            Some(path) => write_file(path, text.as_bytes()),
            None => super::to_stdout(|out| out.write_all(text.as_bytes())),
        }
    }
}

/// A proof to check.
#[derive(Args)]
pub struct Verify {
    /// The proof: JSON as `interlock ssz proof` writes it.
    file: PathBuf,
    /// The root that it must lead to; by default the one that stands in it.
    #[arg(long, value_name = "ROOT")]
    root: Option<ssz::Root>,
}

impl Verify {
    pub fn run(&self) -> anyhow::Result<()> {
        let name = || self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(name)?;
        let mut proof =
            Proof::from_json(&serde_json::from_str(&text).with_context(name)?).with_context(name)?;
        proof.root = self.root.unwrap_or(proof.root);
        inspect::verify(&proof).with_context(name)?;
        println!("valid: {} nodes below root {}", proof.leaves.len(), proof.root);
        Ok(())
    }
}
