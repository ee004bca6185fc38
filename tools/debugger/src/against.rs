//! Another client's states: from its API, from a file, or from a folder of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use inspect::Format;
use types::{BeaconState, ForkName, Root, Slot, Spec};

use crate::changes::Encoded;
use crate::fetch::{Answer, FetchError, Fetcher, Limits};
use crate::step::Step;

/// A state of another client.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Where it came from.
    pub name: String,
    /// The state.
    pub state: Encoded,
}

impl Foreign {
    /// True where the newest block that the state knows is of this slot: it is then no state after an empty slot.
    pub fn has_block_of(&self, slot: Slot, spec: &'static Spec) -> bool {
        BeaconState::decode_at(spec, self.state.fork, self.state.bytes())
            .is_ok_and(|state| state.latest_block_header.slot == slot)
    }
}

/// Where another client's states come from.
pub enum Against {
    /// Its API: states after blocks and after slots.
    Node(Fetcher),
    /// One state, which is compared with ours of its slot.
    File(Box<Foreign>),
    /// States by the names of their files: `12.ssz` after the block or the slot, `12-process_randao.ssz` after a step,
    /// `0x….ssz` by the state's root; also compressed, and as JSON.
    Folder(BTreeMap<String, PathBuf>),
}

impl Against {
    /// From a URL, or the path of a file or folder.
    pub fn open(text: &str, spec: &'static Spec, limits: Limits) -> anyhow::Result<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Node(Fetcher::new(text, limits)?));
        }
        let path = Path::new(text);
        if !path.is_dir() {
            return Ok(Self::File(Box::new(read_file(path, spec, None)?)));
        }
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(path).with_context(|| text.to_owned())? {
            let path = entry.with_context(|| text.to_owned())?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some((stem, "ssz" | "ssz_snappy" | "json")) = name.split_once('.') {
                files.insert(stem.to_owned(), path);
            }
        }
        ensure!(!files.is_empty(), "{text}: no states, such as 12.ssz or 12-process_randao.ssz_snappy");
        Ok(Self::Folder(files))
    }

    /// True where it may have states of single steps.
    pub fn has_steps(&self) -> bool {
        match self {
            Self::Folder(files) => files.keys().any(|name| name.contains("-process_")),
            _ => false,
        }
    }

    /// The state after a step, where there is one.
    pub fn after_step(
        &self,
        step: &Step,
        slot: Slot,
        spec: &'static Spec,
        fork: ForkName,
    ) -> anyhow::Result<Option<Foreign>> {
        let Self::Folder(files) = self else { return Ok(None) };
        let file = files.get(&format!("{slot}-{}", step.file_name()));
        file.map(|path| read_file(path, spec, Some(fork))).transpose()
    }

    /// The state after a block, or after a slot without one; none from files that have none of this slot. `root` is
    /// what the state's root should be.
    pub fn at(&self, slot: Slot, root: Root, spec: &'static Spec) -> anyhow::Result<Option<Foreign>> {
        let foreign = match self {
            Self::Node(node) => fetch_state(node, slot, root, spec)?,
            Self::File(foreign) if foreign.state.slot() == slot => return Ok(Some((**foreign).clone())),
            Self::File(_) => return Ok(None),
            Self::Folder(files) => {
                let by_root = files.get(&root.to_string());
                let Some(path) = by_root.or_else(|| files.get(&slot.to_string())) else { return Ok(None) };
                read_file(path, spec, None)?
            }
        };
        let found = foreign.state.slot();
        ensure!(found == slot, "{}: this is a state of slot {found}, not of {slot}", foreign.name);
        Ok(Some(foreign))
    }
}

/// By root first, since slots mean the node's own chain only; nodes that know no roots are asked by slot.
fn fetch_state(node: &Fetcher, slot: Slot, root: Root, spec: &'static Spec) -> anyhow::Result<Foreign> {
    let path = |id: String| format!("/eth/v2/debug/beacon/states/{id}");
    let answer = match node.get(&path(root.to_string())) {
        Err(FetchError::Refused { .. }) => node.get(&path(slot.to_string()))?,
        answer => answer?,
    };
    let (fork, state) = read_state(answer, spec)?;
    Ok(Foreign { name: format!("{} ({fork})", node.base()), state })
}

/// The state in an answer of the API, SSZ or JSON.
pub(crate) fn read_state(answer: Answer, spec: &'static Spec) -> Result<(ForkName, Encoded), FetchError> {
    let named = |version: &str| -> Result<ForkName, FetchError> {
        version.parse().map_err(|_| answer.fault(format!("the unknown fork {version:?}")))
    };
    if !answer.is_ssz {
        let json = answer.json()?;
        let fork = named(json["version"].as_str().unwrap_or("none"))?;
        let state = BeaconState::json_at(spec, fork, &json["data"])
            .map_err(|error| answer.fault(format!("no state of {fork}: data.{error}")))?;
        return Ok((fork, Encoded::of(&state)));
    }
    let slot = answer.bytes.get(40..48).map(|slot| u64::from_le_bytes(slot.try_into().expect("8 bytes")));
    let fork = match &answer.version {
        Some(version) => named(version)?,
        None => spec.fork_name_at_slot(Slot(slot.unwrap_or(0))),
    };
    let url = answer.url.clone();
    let size = answer.bytes.len();
    Encoded::read(spec, fork, answer.bytes).map(|state| (fork, state)).map_err(|error| {
        FetchError::Malformed { url, why: format!("{size} bytes that are no state of {fork}: {error}") }
    })
}

/// A state in a file; without a fork it is that of the state's slot.
pub(crate) fn read_file(path: &Path, spec: &'static Spec, fork: Option<ForkName>) -> anyhow::Result<Foreign> {
    let name = path.display().to_string();
    let opened = inspect::open_first(path, "BeaconState").with_context(|| name.clone())?;
    let state = match opened.format {
        Format::Yaml => bail!("{name}: a state is needed as SSZ or JSON"),
        Format::Json => {
            let json: serde_json::Value =
                serde_json::from_slice(&opened.bytes).with_context(|| name.clone())?;
            let version = json["version"].as_str().and_then(|version| version.parse().ok());
            let fork = version
                .or(fork)
                .ok_or_else(|| anyhow!("{name}: a JSON without the version that says its fork"))?;
            let state = BeaconState::json_at(spec, fork, &json["data"])
                .map_err(|error| anyhow!("{name}: no state of {fork}: data.{error}"))?;
            Encoded::of(&state)
        }
        _ => {
            let slot = opened
                .bytes
                .get(40..48)
                .map_or(0, |slot| u64::from_le_bytes(slot.try_into().expect("8 bytes")));
            let fork = fork.unwrap_or_else(|| spec.fork_name_at_slot(Slot(slot)));
            Encoded::read(spec, fork, opened.bytes)
                .map_err(|error| anyhow!("{name}: no state of {fork}: {error}"))?
        }
    };
    Ok(Foreign { name, state })
}
