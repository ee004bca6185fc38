//! Where blocks come from.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use debugger::Node;
use inspect::{Format, Store, Value};
use ssz::SszExt;
use types::{ForkName, SignedBeaconBlock, Slot, Spec};

/// Blocks, one after the other.
pub enum Feed {
    /// Files, each with one block or, as an era file, with many.
    Files(Vec<PathBuf>),
    /// A node's, by slots first and then by name.
    Node { node: Box<Node>, range: Range<u64>, ids: Vec<String> },
    /// Read already.
    Ready(Vec<SignedBeaconBlock>),
}

impl Feed {
    /// Hands each block on, reading one at a time.
    pub fn each(
        self,
        spec: &'static Spec,
        mut take: impl FnMut(SignedBeaconBlock) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Ready(blocks) => blocks.into_iter().try_for_each(take),
            Self::Files(files) => files.iter().try_for_each(|path| file(path, spec, &mut take)),
            Self::Node { node, range, ids } => {
                for slot in range {
                    if let Some(block) = node.block(&slot.to_string())? {
                        take(block)?;
                    }
                }
                for id in ids {
                    let block = node.block(&id)?;
                    take(block.ok_or_else(|| anyhow!("the node has no block {id}"))?)?;
                }
                Ok(())
            }
        }
    }
}

fn file(
    path: &Path,
    spec: &'static Spec,
    take: &mut impl FnMut(SignedBeaconBlock) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = path.display().to_string();
    if let Some(store) = Store::open(path).with_context(|| name.clone())? {
        for entry in store.entries().iter().filter(|entry| entry.type_name() == Some("SignedBeaconBlock")) {
            let place = format!("{name}, record at byte {}", entry.offset);
            let bytes = store.data(entry).with_context(|| place.clone())?;
            take(decode(&place, spec, &bytes)?)?;
        }
        return Ok(());
    }
    let opened = inspect::open(path, None).with_context(|| name.clone())?;
    let block = match opened.format {
        Format::Yaml => bail!("{name}: a block is read from SSZ or JSON"),
        Format::Json => {
            let json: serde_json::Value =
                serde_json::from_slice(&opened.bytes).with_context(|| name.clone())?;
            let data = if json["data"].is_object() { &json["data"] } else { &json };
            let slot = data["message"]["slot"].as_str().and_then(|slot| slot.parse().ok());
            let slot = slot.ok_or_else(|| anyhow!("{name}: no message.slot"))?;
            let fork = spec.fork_name_at_slot(Slot(slot));
            SignedBeaconBlock::from_json(data, spec.ctx(fork))
                .map_err(|error| anyhow!("{name}: no signed block of {fork}: {error}"))?
        }
        _ => decode(&name, spec, &opened.bytes)?,
    };
    take(block)
}

fn decode(name: &str, spec: &'static Spec, bytes: &[u8]) -> anyhow::Result<SignedBeaconBlock> {
    // The slot stands behind the offset (4 bytes) and the signature (96) in every fork.
    let slot = bytes.get(100..108).map(|slot| u64::from_le_bytes(slot.try_into().expect("8 bytes")));
    let fork: ForkName = slot.map_or(ForkName::Phase0, |slot| spec.fork_name_at_slot(Slot(slot)));
    let schema = SignedBeaconBlock::schema_of(spec.ctx(fork));
    Value::read(&schema, bytes).map_err(|error| anyhow!("{name}: no signed block of {fork}: {error}"))?;
    SignedBeaconBlock::from_ssz(bytes, spec.ctx(fork)).map_err(|error| anyhow!("{name}: {error}"))
}

/// `FROM..TO`.
pub fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let fault = || format!("{text:?} is no range such as 101..133");
    let (from, to) = text.split_once("..").ok_or_else(fault)?;
    let (from, to) = (from.parse().map_err(|_| fault())?, to.parse().map_err(|_| fault())?);
    if from < to { Ok(from..to) } else { Err(format!("{text} has no slots")) }
}
