//! The files of a bundle: a case in the official layout's format (`sanity/blocks`), which other clients read too, and
//! beside it what the node knew.
//!
//! ```text
//!   config.yaml            the network's configuration
//!   pre.ssz_snappy         the state before
//!   blocks_0.ssz_snappy …  the blocks; the last one is what it is about
//!   meta.yaml              how many
//!   evidence.yaml          why it was kept, and what was said of the blocks
//!   before/                blocks before those, oldest first
//!   notes.txt              what came in before, and what came of it
//!   fork_choice.json       the block tree with its weights
//! ```

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use chain::{Evidence, NodeSummary};
use serde_json::{Value, json};
use ssz::SszExt;
use types::{SignedBeaconBlock, Spec};

/// What is compressed at a time: the unit that snappy looks back in.
const CHUNK_BYTES: usize = 1 << 16;

/// Writes a bundle into a new folder; durable when it returns.
pub fn write_bundle(folder: &Path, evidence: &Evidence) -> io::Result<()> {
    let spec = evidence.pre_state.spec();
    std::fs::create_dir_all(folder.join("before"))?;
    let put = |name: &str, bytes: &[u8]| {
        let mut file = File::create(folder.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let mut file = File::create(folder.join("pre.ssz_snappy"))?;
    compress(&evidence.pre_state.encoded(), &mut file)?;
    file.sync_all()?;
    for (number, block) in evidence.blocks.iter().enumerate() {
        put(&format!("blocks_{number}.ssz_snappy"), &packed(spec, block)?)?;
    }
    for (number, block) in evidence.before.iter().enumerate() {
        let name = format!("before/{number:02}_slot{}.ssz_snappy", block.message.slot);
        put(&name, &packed(spec, block)?)?;
    }
    let meta = format!("{{blocks_count: {}, bls_setting: 1}}\n", evidence.blocks.len());
    put("meta.yaml", meta.as_bytes())?;
    put("config.yaml", spec.config.to_yaml().as_bytes())?;
    put("notes.txt", notes(evidence).as_bytes())?;
    let tree: Vec<Value> = evidence.fork_choice.nodes.iter().map(node).collect();
    put("fork_choice.json", &serde_json::to_vec_pretty(&tree)?)?;
    put("evidence.yaml", about(evidence).as_bytes())?;
    File::open(folder.join("before"))?.sync_all()?;
    File::open(folder)?.sync_all()
}

fn packed(spec: &'static Spec, block: &SignedBeaconBlock) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    compress(&block.to_ssz(spec.ctx_at_slot(block.message.slot)), &mut out)?;
    Ok(out)
}

/// Snappy's block format, which the official vectors have, without a second copy in memory: a state may have 150 MB. A
/// block is its length and then elements that never look back beyond their 64 KiB, so that those of the parts can follow
/// one another.
fn compress(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut encoder = snap::raw::Encoder::new();
    out.write_all(&length(bytes.len()))?;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        let packed = encoder.compress_vec(chunk)?;
        out.write_all(&packed[length(chunk.len()).len()..])?;
    }
    Ok(())
}

/// The length that a snappy block begins with, seven bits a byte, the lowest first.
fn length(mut bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while bytes >= 0x80 {
        out.push(bytes as u8 | 0x80);
        bytes >>= 7;
    }
    out.push(bytes as u8);
    out
}

fn notes(evidence: &Evidence) -> String {
    let mut text = String::new();
    for note in &evidence.notes {
        let (seconds, ms) = (note.time.0 / 1000, note.time.0 % 1000);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{seconds}.{ms:03} {}", note.what);
    }
    text
}

fn node(summary: &NodeSummary) -> Value {
    let node = &summary.node;
    json!({
        "slot": node.slot.0.to_string(),
        "block_root": node.root.to_string(),
        "parent_root": node.parent_root.to_string(),
        "justified_epoch": node.justified.epoch.0.to_string(),
        "finalized_epoch": node.finalized.epoch.0.to_string(),
        "weight": summary.weight.to_string(),
        "is_viable": summary.viable,
        "execution": format!("{:?}", node.execution),
    })
}

/// A line a fact. JSON's strings are YAML's too.
fn about(evidence: &Evidence) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let last = evidence.blocks.last().map(|block| &block.message);
    let checkpoint = |checkpoint: &types::Checkpoint| {
        format!("{{epoch: {}, root: {}}}", checkpoint.epoch, text(&checkpoint.root.to_string()))
    };
    let (head_slot, head_root) = (evidence.head.0, evidence.head.1.to_string());
    let mut lines = vec![("reason", text(evidence.reason.as_str())), ("verdict", text(&evidence.verdict))];
    lines.extend(evidence.beyond.as_deref().map(|beyond| ("beyond", text(beyond))));
    lines.extend([
        ("version", text(concat!("Interlock/v", env!("CARGO_PKG_VERSION")))),
        ("slot", last.map_or(0, |block| block.slot.0).to_string()),
        ("root", text(&evidence.root.to_string())),
        ("proposer_index", last.map_or(0, |block| block.proposer_index.0).to_string()),
        ("source", text(evidence.source)),
        ("time_ms", evidence.time.0.to_string()),
        ("head", format!("{{slot: {head_slot}, root: {}}}", text(&head_root))),
        ("justified", checkpoint(&evidence.justified)),
        ("finalized", checkpoint(&evidence.finalized)),
    ]);
    lines.into_iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_in_parts_is_one_block_of_snappy() {
        for len in [0, 1, 127, 128, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 17] {
            let bytes: Vec<u8> = (0..len).map(|at| (at * at / 7) as u8).collect();
            let mut packed = Vec::new();
            compress(&bytes, &mut packed).unwrap();
            assert_eq!(snap::raw::Decoder::new().decompress_vec(&packed).unwrap(), bytes, "{len}");
        }
    }
}
