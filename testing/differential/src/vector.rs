//! Cases as vectors in the official layout: written for what was found, and read to be run again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use types::{BeaconState, Root, SignedBeaconBlock, SszExt};

use crate::case::{Action, Case, Outcome};
use crate::recipe::{Kitchen, sign};
use crate::schedule::spec_of;

/// The file that holds an operation, without its ending.
fn file_of(operation: &str) -> &str {
    match operation {
        "bls_to_execution_change" => "address_change",
        "execution_payload" => "body",
        "withdrawals" => "execution_payload",
        "block_header" => "block",
        other => other,
    }
}

/// Writes a case with what a reference says of it below `root`; the folder of the case.
///
/// The last block is given the state root that the reference found (or ours, where the reference refuses it) and signed
/// again, so that nothing is wrong with it but what the case is about.
pub fn write(
    root: &Path,
    name: &str,
    case: &Case,
    ours: &Outcome,
    reference: &Outcome,
    kitchen: &Kitchen,
) -> anyhow::Result<PathBuf> {
    let (runner, handler) = match &case.action {
        Action::Blocks => ("sanity", "blocks"),
        Action::Slots(_) => ("sanity", "slots"),
        Action::Operation(name) => ("operations", name.as_str()),
        Action::Epoch(name) => ("epoch_processing", name.as_str()),
    };
    let folder = ["tests", &case.preset, case.fork.as_str(), runner, handler, "differential", name];
    let folder = folder.iter().fold(root.to_owned(), |path, part| path.join(part));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let put = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let packed = snap::raw::Encoder::new().compress_vec(bytes)?;
        Ok(std::fs::write(folder.join(format!("{name}.ssz_snappy")), packed)?)
    };
    put("pre", &case.pre)?;
    if let Some(post) = reference.post() {
        put("post", post)?;
    }
    let mut meta = format!("bls_setting: {}\n", if case.signatures { 1 } else { 2 });
    match &case.action {
        Action::Slots(count) => std::fs::write(folder.join("slots.yaml"), format!("{count}\n...\n"))?,
        Action::Epoch(_) => {}
        Action::Operation(name) => {
            put(file_of(name), &case.inputs[0])?;
            if name == "execution_payload" {
                std::fs::write(folder.join("execution.yaml"), "{execution_valid: true}\n")?;
            }
        }
        Action::Blocks => {
            let (last, others) = case.inputs.split_last().context("no block")?;
            for (number, block) in others.iter().enumerate() {
                put(&format!("blocks_{number}"), block)?;
            }
            let last = with_root(case, last, ours, reference, kitchen).unwrap_or_else(|| last.clone());
            put(&format!("blocks_{}", others.len()), &last)?;
            meta = format!("blocks_count: {}\n{meta}", case.inputs.len());
        }
    }
    if !matches!(case.action, Action::Slots(_)) {
        std::fs::write(folder.join("meta.yaml"), meta)?;
    }
    Ok(folder)
}

/// The block with the right state root and a signature for it; none where it cannot be read.
fn with_root(
    case: &Case,
    block: &[u8],
    ours: &Outcome,
    reference: &Outcome,
    kitchen: &Kitchen,
) -> Option<Vec<u8>> {
    let root = |outcome: &Outcome| match outcome {
        Outcome::Accepted { root, .. } => Some(*root),
        _ => None,
    };
    let state = BeaconState::decode_at(spec_of(&case.preset, case.fork).ok()?, case.fork, &case.pre).ok()?;
    let mut block = SignedBeaconBlock::from_ssz(block, state.ctx()).ok()?;
    let is_signed = block.message.state_root;
    block.message.state_root = root(reference).or_else(|| root(ours))?;
    if block.message.state_root != is_signed {
        sign(&state, &mut block, kitchen.keys());
    }
    Some(block.to_ssz(state.ctx()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    blocks_count: usize,
    bls_setting: u8,
}

/// A case that was read, and the state after it; none where it has to be refused.
pub struct Vector {
    /// The case.
    pub case: Case,
    /// The encoding of the state after.
    pub post: Option<Vec<u8>>,
    /// The state root that the last block names, where there is one.
    pub named_root: Option<Root>,
}

/// Reads every vector below a folder, in the order of their paths.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vector)>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "pre.ssz_snappy") {
                found.insert(folder.clone(), read(&folder).with_context(|| folder.display().to_string())?);
            }
        }
    }
    ensure!(!found.is_empty(), "no vector below {}", folder.display());
    Ok(found.into_iter().collect())
}

fn read(folder: &Path) -> anyhow::Result<Vector> {
    let absolute = std::path::absolute(folder)?;
    let names: Vec<String> =
        absolute.iter().rev().take(6).map(|name| name.to_string_lossy().into_owned()).collect();
    let [_, _, handler, runner, fork, preset] = names.as_slice() else { bail!("no folder of a vector") };
    let bytes = |name: &str| -> anyhow::Result<Vec<u8>> {
        let path = folder.join(format!("{name}.ssz_snappy"));
        let packed = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(snap::raw::Decoder::new().decompress_vec(&packed)?)
    };
    let text = |name: &str| std::fs::read_to_string(folder.join(name));
    let meta: Meta = match text("meta.yaml") {
        Ok(text) => serde_saphyr::from_str(&text)?,
        Err(_) => Meta::default(),
    };
    let (action, inputs) = match (runner.as_str(), handler.as_str()) {
        ("sanity", "slots") => {
            let count = text("slots.yaml")?;
            (Action::Slots(count.trim_end_matches(['.', '\n']).trim().parse()?), Vec::new())
        }
        ("sanity", "blocks") => {
            let blocks = (0..meta.blocks_count).map(|number| bytes(&format!("blocks_{number}")));
            (Action::Blocks, blocks.collect::<anyhow::Result<_>>()?)
        }
        ("operations", name) => (Action::Operation(name.to_owned()), vec![bytes(file_of(name))?]),
        ("epoch_processing", name) => (Action::Epoch(name.to_owned()), Vec::new()),
        _ => bail!("vectors of {runner}/{handler} are not run here"),
    };
    let (fork, preset) = (fork.parse()?, preset.clone());
    let ctx = spec_of(&preset, fork)?.ctx(fork);
    let last = inputs.last().filter(|_| action == Action::Blocks);
    let last = last.and_then(|bytes| SignedBeaconBlock::from_ssz(bytes, ctx).ok());
    let case = Case { fork, preset, action, signatures: meta.bls_setting != 2, pre: bytes("pre")?, inputs };
    let post = if folder.join("post.ssz_snappy").exists() { Some(bytes("post")?) } else { None };
    Ok(Vector { case, post, named_root: last.map(|block| block.message.state_root) })
}
