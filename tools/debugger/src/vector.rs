//! Cases in the official layout, written from what a walk met and read again.
//!
//! A case is a folder `tests/<preset>/<fork>/<runner>/<handler>/<suite>/<name>` with the state before, what happens to
//! it, and the state after; without the latter it must be refused. One whose network has another configuration than the
//! preset's has a `config.yaml`. [Formats](https://github.com/ethereum/consensus-specs/tree/master/tests/formats)

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use ssz::SszExt;
use transition::epoch::EpochStep;
use types::{BeaconState, ForkName, Settings, SignedBeaconBlock, Spec};

use crate::changes::Encoded;
use crate::config_of::{preset_name, usual_spec};
use crate::node::slot_of;

/// The suite of cases that are written here.
const SUITE: &str = "interlock";

/// What happens to a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Blocks are applied: `sanity/blocks`, or `transition/core` where they cross a fork.
    Blocks(Vec<SignedBeaconBlock>),
    /// Slots go by: `sanity/slots`.
    Slots(u64),
    /// One step of an epoch is taken: `epoch_processing`.
    Epoch(EpochStep),
    /// One operation is applied: `operations`.
    Operation {
        /// The handler's name.
        handler: &'static str,
        /// The file's name, without `.ssz_snappy`.
        file: &'static str,
        /// The operation's encoding.
        bytes: Vec<u8>,
    },
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The state before.
    pub pre: BeaconState,
    /// What happens.
    pub kind: Kind,
    /// The state after, where it is to be taken.
    pub post: Option<Encoded>,
    /// Whether signatures count.
    pub verify: bool,
}

/// Where a case was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written(pub PathBuf);

impl Case {
    /// Writes the case below a folder, at its place in the layout.
    pub fn write(&self, folder: &Path, name: &str) -> anyhow::Result<Written> {
        let spec = self.pre.spec();
        let preset = preset_name(spec)?;
        let (runner, handler, fork, usual) = self.place(preset)?;
        let folder = folder.join("tests").join(preset).join(fork.as_str());
        let folder = folder.join(runner).join(handler).join(SUITE).join(name);
        // A case that was there before may have had other files.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let put = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
            let path = folder.join(name);
            let packed = if name.ends_with("_snappy") {
                snap::raw::Encoder::new().compress_vec(bytes)?
            } else {
                bytes.into()
            };
            std::fs::write(&path, packed).with_context(|| path.display().to_string())
        };
        put("pre.ssz_snappy", &self.pre.encoded())?;
        if let Some(post) = &self.post {
            put("post.ssz_snappy", post.bytes())?;
        }
        if usual.config.to_yaml() != spec.config.to_yaml() {
            put("config.yaml", spec.config.to_yaml().as_bytes())?;
        }
        let bls = if self.verify { 1 } else { 2 };
        match &self.kind {
            Kind::Blocks(blocks) => {
                for (number, block) in blocks.iter().enumerate() {
                    let bytes = block.to_ssz(spec.ctx_at_slot(block.message.slot));
                    put(&format!("blocks_{number}.ssz_snappy"), &bytes)?;
                }
                put("meta.yaml", self.blocks_meta(blocks, runner, fork, bls).as_bytes())?;
            }
            Kind::Slots(count) => put("slots.yaml", format!("{count}\n...\n").as_bytes())?,
            Kind::Epoch(_) => {}
            Kind::Operation { file, bytes, .. } => {
                put(&format!("{file}.ssz_snappy"), bytes)?;
                put("meta.yaml", format!("{{bls_setting: {bls}}}\n").as_bytes())?;
                if *file == "body" {
                    put("execution.yaml", b"{execution_valid: true}\n")?;
                }
            }
        }
        Ok(Written(folder))
    }

    fn blocks_meta(&self, blocks: &[SignedBeaconBlock], runner: &str, fork: ForkName, bls: u8) -> String {
        let spec = self.pre.spec();
        let count = blocks.len();
        if runner == "sanity" {
            return format!("{{blocks_count: {count}, bls_setting: {bls}}}\n");
        }
        let epoch = spec.fork_epoch(fork);
        let before = |block: &&SignedBeaconBlock| spec.fork_name_at_slot(block.message.slot) < fork;
        let last = match blocks.iter().take_while(before).count() {
            0 => String::new(),
            count => format!(", fork_block: {}", count - 1),
        };
        format!(
            "{{post_fork: {fork}, fork_epoch: {epoch}{last}, blocks_count: {count}, bls_setting: {bls}}}\n"
        )
    }

    /// Runner, handler and fork of the case, and the rules that one without a `config.yaml` has there.
    fn place(&self, preset: &str) -> anyhow::Result<(&'static str, &'static str, ForkName, &'static Spec)> {
        let (spec, before) = (self.pre.spec(), self.pre.fork_name());
        let at = |runner, handler| Ok((runner, handler, before, usual_spec(preset, before, 0)?));
        match &self.kind {
            Kind::Blocks(blocks) => {
                let last = blocks.last().ok_or_else(|| anyhow!("a case needs a block"))?.message.slot;
                let after = spec.fork_name_at_slot(last);
                if after == before {
                    return at("sanity", "blocks");
                }
                let next = ForkName::ALL.into_iter().find(|fork| *fork > before);
                ensure!(
                    next == Some(after),
                    "the blocks go from {before} to {after}, and a vector crosses one fork only: begin closer to the last"
                );
                Ok(("transition", "core", after, usual_spec(preset, after, spec.fork_epoch(after).0)?))
            }
            Kind::Slots(count) => {
                let after = spec.fork_name_at_slot(self.pre.slot.saturating_add(*count));
                ensure!(after <= before, "the slots cross a fork, which no vector of slots does");
                at("sanity", "slots")
            }
            Kind::Epoch(step) => {
                at("epoch_processing", step.name().strip_prefix("process_").unwrap_or(step.name()))
            }
            Kind::Operation { handler, .. } => at("operations", handler),
        }
    }
}

/// `meta.yaml` of cases with blocks.
#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    blocks_count: usize,
    #[serde(default)]
    bls_setting: u8,
    post_fork: Option<String>,
    #[serde(default)]
    fork_epoch: u64,
}

impl Case {
    /// Reads a case of blocks, slots or a step of an epoch from its folder. Preset and fork are those of the layout that
    /// the folder lies in, else those given; a `config.yaml` in it decides the fork by the state's slot.
    pub fn read(folder: &Path, given: Option<(&str, ForkName)>) -> anyhow::Result<Self> {
        let absolute = std::path::absolute(folder)?;
        let names: Vec<String> = absolute.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let at = names.len().checked_sub(7).filter(|at| names[*at] == "tests");
        let layout = at.map(|at| &names[at + 1..]);
        let meta: Meta = match read_text(folder, "meta.yaml")? {
            Some(text) => yaml(&text).with_context(|| format!("{}/meta.yaml", folder.display()))?,
            None => Meta::default(),
        };
        let placed = match layout {
            Some(names) => Some((names[0].clone(), names[1].parse::<ForkName>()?)),
            None => given.map(|(preset, fork)| (preset.to_owned(), fork)),
        };
        let (spec, pre_fork) = spec_of(folder, placed, &meta)?;
        let pre = read_bytes(folder, "pre.ssz")?
            .ok_or_else(|| anyhow!("{}: no pre.ssz or pre.ssz_snappy", folder.display()))?;
        let pre = match pre_fork {
            Some(fork) => BeaconState::decode_at(spec, fork, &pre),
            None => BeaconState::decode_any(spec, &pre),
        };
        let pre = pre.map_err(|error| anyhow!("{}/pre.ssz: {error}", folder.display()))?;
        let kind = match layout {
            Some(names) if names[2] == "epoch_processing" => Kind::Epoch(step_by_name(&names[3])?),
            Some(names) if names[2] == "operations" => {
                bail!("{}: operations are run by the vectors' runner", folder.display())
            }
            _ => match read_text(folder, "slots.yaml")? {
                Some(text) => {
                    Kind::Slots(yaml(&text).with_context(|| format!("{}/slots.yaml", folder.display()))?)
                }
                None => Kind::Blocks(read_blocks(folder, spec, meta.blocks_count, pre.fork_name())?),
            },
        };
        let post_fork = match &kind {
            Kind::Blocks(blocks) => {
                let last = blocks.last().map_or(pre.slot, |block| block.message.slot);
                spec.fork_name_at_slot(last).max(pre.fork_name())
            }
            _ => pre.fork_name(),
        };
        let post = read_bytes(folder, "post.ssz")?
            .map(|bytes| Encoded::read(spec, post_fork, bytes))
            .transpose()
            .map_err(|error| anyhow!("{}/post.ssz: {error}", folder.display()))?;
        Ok(Self { pre, kind, post, verify: meta.bls_setting != 2 })
    }
}

/// The rules, and the fork of the state before where its slot does not say it.
fn spec_of(
    folder: &Path,
    placed: Option<(String, ForkName)>,
    meta: &Meta,
) -> anyhow::Result<(&'static Spec, Option<ForkName>)> {
    if let Some(config) = read_text(folder, "config.yaml")? {
        let preset = read_text(folder, "preset.yaml")?;
        let settings =
            Settings::parse(&config).with_context(|| format!("{}/config.yaml", folder.display()))?;
        let fork = match &meta.post_fork {
            Some(_) => None,
            None => placed.map(|(_, fork)| fork),
        };
        return Ok((Spec::from_settings(settings, preset.as_deref())?, fork));
    }
    let Some((preset, fork)) = placed else {
        bail!(
            "{}: neither a config.yaml in it nor tests/<preset>/<fork>/… above it says what it is of; give --preset and --fork",
            folder.display()
        );
    };
    match &meta.post_fork {
        Some(post) => {
            let post: ForkName = post.parse()?;
            let before = ForkName::ALL.into_iter().rfind(|other| *other < post);
            Ok((usual_spec(&preset, post, meta.fork_epoch)?, before))
        }
        None => Ok((usual_spec(&preset, fork, 0)?, Some(fork))),
    }
}

fn read_blocks(
    folder: &Path,
    spec: &'static Spec,
    count: usize,
    pre_fork: ForkName,
) -> anyhow::Result<Vec<SignedBeaconBlock>> {
    let read = |number: usize| {
        let name = format!("blocks_{number}.ssz");
        let bytes = read_bytes(folder, &name)?.ok_or_else(|| anyhow!("{}: no {name}", folder.display()))?;
        let fork = spec.fork_name_at_slot(slot_of(&bytes).unwrap_or_default()).max(pre_fork);
        SignedBeaconBlock::from_ssz(&bytes, spec.ctx(fork))
            .map_err(|error| anyhow!("{}/{name}: no signed block of {fork}: {error}", folder.display()))
    };
    ensure!(count > 0, "{}: its meta.yaml counts no blocks", folder.display());
    (0..count).map(read).collect()
}

/// A step of an epoch by the specification's name, with or without `process_`.
pub fn step_by_name(name: &str) -> anyhow::Result<EpochStep> {
    let wanted = name.strip_prefix("process_").unwrap_or(name);
    let found = EpochStep::ALL.iter().find(|step| step.name().strip_prefix("process_") == Some(wanted));
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = EpochStep::ALL.iter().map(|step| step.name()).collect();
        anyhow!("{name:?} is no step of an epoch; there are {}", names.join(", "))
    })
}

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    serde_saphyr::from_str(text)
        .map_err(|error| anyhow!("{}", error.to_string().lines().next().unwrap_or_default().to_owned()))
}

fn read_text(folder: &Path, name: &str) -> anyhow::Result<Option<String>> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The bytes of `name` or of its compressed form.
fn read_bytes(folder: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    for path in [folder.join(format!("{name}_snappy")), folder.join(name)] {
        if path.exists() {
            let opened = inspect::open(&path, None).with_context(|| path.display().to_string())?;
            return Ok(Some(opened.bytes));
        }
    }
    Ok(None)
}
