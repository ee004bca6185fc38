//! States and blocks from a running node.

use anyhow::{Context, anyhow};
use ssz::SszExt;
use types::{BeaconState, ForkName, Settings, SignedBeaconBlock, Slot, Spec};

use crate::against::read_state;
use crate::fetch::{Answer, FetchError, Fetcher, Limits};

/// A node and its network's rules.
pub struct Node {
    fetcher: Fetcher,
    spec: &'static Spec,
}

impl Node {
    /// Asks the node at a URL for its configuration.
    pub fn open(url: &str, limits: Limits) -> anyhow::Result<Self> {
        let fetcher = Fetcher::new(url, limits)?;
        let path = "/eth/v1/config/spec";
        let json = fetcher.get_json(path)?;
        let spec = spec_of(&json["data"]).with_context(|| format!("{}{path}", fetcher.base()))?;
        Ok(Self { fetcher, spec })
    }

    /// The network's rules.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// A state by its identifier: head, finalized, justified, genesis, a slot or a root.
    pub fn state(&self, id: &str) -> anyhow::Result<BeaconState> {
        let path = format!("/eth/v2/debug/beacon/states/{id}");
        let (fork, state) = read_state(self.fetcher.get(&path)?, self.spec)?;
        Ok(BeaconState::decode_at(self.spec, fork, state.bytes())?)
    }

    /// A block by its identifier; none where the node has none, which for a slot means that it is empty.
    pub fn block(&self, id: &str) -> anyhow::Result<Option<SignedBeaconBlock>> {
        let answer = match self.fetcher.get(&format!("/eth/v2/beacon/blocks/{id}")) {
            Err(FetchError::Refused { code: 404, .. }) => return Ok(None),
            answer => answer?,
        };
        Ok(Some(read_block(&answer, self.spec)?))
    }
}

fn read_block(answer: &Answer, spec: &'static Spec) -> Result<SignedBeaconBlock, FetchError> {
    let named = |version: &str| -> Result<ForkName, FetchError> {
        version.parse().map_err(|_| answer.fault(format!("the unknown fork {version:?}")))
    };
    if !answer.is_ssz {
        let json = answer.json()?;
        let fork = named(json["version"].as_str().unwrap_or("none"))?;
        return SignedBeaconBlock::from_json(&json["data"], spec.ctx(fork))
            .map_err(|error| answer.fault(format!("no block of {fork}: data.{error}")));
    }
    let fork = match &answer.version {
        Some(version) => named(version)?,
        None => spec.fork_name_at_slot(slot_of(&answer.bytes).unwrap_or_default()),
    };
    let ctx = spec.ctx(fork);
    let schema = SignedBeaconBlock::schema_of(ctx);
    // The schema's walk says path and byte of a fault.
    inspect::Value::read(&schema, &answer.bytes)
        .map_err(|error| answer.fault(format!("no signed block of {fork}: {error}")))?;
    SignedBeaconBlock::from_ssz(&answer.bytes, ctx).map_err(|error| answer.fault(error))
}

/// The slot of an encoded signed block: it stands behind the offset (4 bytes) and the signature (96) in every fork.
pub(crate) fn slot_of(bytes: &[u8]) -> Option<Slot> {
    Some(Slot(u64::from_le_bytes(bytes.get(100..108)?.try_into().ok()?)))
}

/// The rules that a node's `config/spec` tells.
fn spec_of(data: &serde_json::Value) -> anyhow::Result<&'static Spec> {
    let entries = data.as_object().ok_or_else(|| anyhow!("data is no object"))?;
    let mut yaml = String::new();
    for (key, value) in entries {
        match value {
            serde_json::Value::String(text) => {
                yaml.push_str(&format!("{key}: '{}'\n", text.replace('\'', "''")))
            }
            // The list of blob limits: YAML reads JSON.
            value => yaml.push_str(&format!("{key}: {value}\n")),
        }
    }
    Ok(Spec::from_settings(Settings::parse(&yaml)?, None)?)
}
