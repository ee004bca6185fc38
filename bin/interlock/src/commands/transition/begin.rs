//! Where the state before comes from.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use debugger::{Case, Limits, Node};
use inspect::{Format, Value};
use ssz::SszExt;
use types::{BeaconState, ForkName, Slot};

use crate::network_choice::NetworkChoice;

/// The state before.
#[derive(Args)]
pub struct Begin {
    /// The state before: SSZ, snappy, JSON of the Beacon API, or an era file with a state.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["node", "vector"], conflicts_with_all = ["node", "vector"])]
    pre: Option<PathBuf>,
    /// A node whose API gives the state, the blocks and the network's configuration.
    #[arg(long, value_name = "URL", conflicts_with_all = ["vector", "preset", "config", "fork"])]
    node: Option<String>,
    /// Which state of the node: head, finalized, justified, genesis, a slot or a root.
    #[arg(long, value_name = "STATE_ID", requires = "node", default_value = "head")]
    state: String,
    /// A case of the official vectors: a folder with pre.ssz_snappy and what happens to it.
    #[arg(long, value_name = "DIR")]
    vector: Option<PathBuf>,
    /// The fork of the state: phase0, altair, bellatrix, capella, deneb, electra, fulu; guessed where it is not given.
    #[arg(long)]
    fork: Option<ForkName>,
    /// Preset: mainnet, minimal, or the path of a preset file (YAML); guessed where it is not given.
    #[arg(long)]
    preset: Option<String>,
    /// The network's config.yaml. Without one the state's fork and all before it begin at genesis, and no fork follows.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The state before, and what it came with.
pub struct Begun {
    pub state: BeaconState,
    pub node: Option<Node>,
    pub case: Option<Case>,
}

impl Begin {
    pub fn open(&self) -> anyhow::Result<Begun> {
        if let Some(url) = &self.node {
            let node = Node::open(url, Limits::default())?;
            let state = node.state(&self.state)?;
            return Ok(Begun { state, node: Some(node), case: None });
        }
        if let Some(folder) = &self.vector {
            let given = self.preset.as_deref().zip(self.fork);
            let case = Case::read(folder, given)?;
            return Ok(Begun { state: case.pre.clone(), node: None, case: Some(case) });
        }
        let path = self.pre.as_ref().ok_or_else(|| anyhow!("--pre, --node or --vector is needed"))?;
        Ok(Begun { state: self.read(path)?, node: None, case: None })
    }

    fn read(&self, path: &Path) -> anyhow::Result<BeaconState> {
        let name = path.display().to_string();
        let opened = inspect::open_first(path, "BeaconState").with_context(|| name.clone())?;
        match opened.format {
            Format::Json => self.read_json(&name, &opened.bytes),
            Format::Yaml => bail!("{name}: a state is read from SSZ or JSON"),
            _ => self.read_ssz(&name, &opened.bytes),
        }
    }

    fn read_json(&self, name: &str, bytes: &[u8]) -> anyhow::Result<BeaconState> {
        let json: serde_json::Value = serde_json::from_slice(bytes).with_context(|| name.to_owned())?;
        let version: Option<ForkName> = json["version"].as_str().and_then(|version| version.parse().ok());
        let fork = self.fork.or(version);
        let fork = fork.ok_or_else(|| anyhow!("{name}: a JSON without a version: say --fork"))?;
        let data = if json["data"].is_object() { &json["data"] } else { &json };
        let preset = self.preset.clone().unwrap_or_else(|| "mainnet".to_owned());
        let spec = NetworkChoice { preset, config: self.config.clone() }.spec_at(fork)?;
        BeaconState::json_at(spec, fork, data).map_err(|error| anyhow!("{name}: no state of {fork}: {error}"))
    }

    fn read_ssz(&self, name: &str, bytes: &[u8]) -> anyhow::Result<BeaconState> {
        let (preset, fork) = match (&self.preset, self.fork, &self.config) {
            (Some(preset), Some(fork), _) => (preset.clone(), fork),
            (None, Some(fork), _) => ("mainnet".to_owned(), fork),
            (preset, None, Some(_)) => {
                let preset = preset.clone().unwrap_or_else(|| "mainnet".to_owned());
                let choice = NetworkChoice { preset: preset.clone(), config: self.config.clone() };
                let slot = bytes
                    .get(40..48)
                    .map_or(0, |slot| u64::from_le_bytes(slot.try_into().expect("eight bytes were cut out")));
                (preset, choice.spec_at(ForkName::Phase0)?.fork_name_at_slot(Slot(slot)))
            }
            (preset, None, None) => {
                let guesses = inspect::guess(bytes, Some("BeaconState"));
                let fits =
                    |guess: &&inspect::Guess| preset.as_ref().is_none_or(|preset| preset == guess.preset);
                let guess = guesses.iter().find(fits);
                let found = guess.and_then(|guess| Some((guess.preset.to_owned(), *guess.forks.last()?)));
                match found {
                    Some((preset, fork)) => {
                        eprintln!("{name}: taken as a state of {fork} (preset {preset})");
                        (preset, fork)
                    }
                    None => (preset.clone().unwrap_or_else(|| "mainnet".to_owned()), ForkName::Fulu),
                }
            }
        };
        let spec = NetworkChoice { preset, config: self.config.clone() }.spec_at(fork)?;
        // The walk by schema says path and byte of a fault.
        let schema = BeaconState::schema_of(spec.ctx(fork));
        Value::read(&schema, bytes).map_err(|error| anyhow!("{name}: no state of {fork}: {error}"))?;
        BeaconState::decode_at(spec, fork, bytes)
            .map_err(|error| anyhow!("{name}: no state of {fork}: {error}"))
    }
}
