//! What an SSZ command works on: a file, and what type its value has.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use inspect::{Format, Guess, Opened, Value};
use ssz::{Ctx, Schema, SszExt};
use types::ForkName;

use crate::network_choice::NetworkChoice;

/// A type at a preset and fork. What is not given is guessed from the bytes, and said.
#[derive(Args, Clone, Debug)]
pub struct Kind {
    /// The container's name, for example BeaconState or SignedBeaconBlock.
    #[arg(long = "type", value_name = "TYPE")]
    name: Option<String>,
    /// The fork whose form the value has: phase0, altair, bellatrix, capella, deneb, electra, fulu.
    #[arg(long)]
    fork: Option<ForkName>,
    /// Preset: mainnet, minimal, or the path of a preset file (YAML).
    #[arg(long)]
    preset: Option<String>,
    /// The network's config.yaml; by default the built-in configuration of the preset.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Of an era or other e2store file: which of its blocks and states, counted from 0.
    #[arg(long, value_name = "N")]
    entry: Option<usize>,
}

/// A type that is known.
pub struct Known {
    /// The container's name.
    pub name: String,
    /// The fork.
    pub fork: ForkName,
    /// Its bounds.
    pub ctx: Ctx,
    /// Its structure.
    pub schema: Schema,
}

/// A file's value and its type.
pub struct Subject {
    /// The type.
    pub known: Known,
    /// The encoding.
    pub bytes: Vec<u8>,
    name: String,
}

impl Subject {
    /// The value; an error names the file, the part and the byte.
    pub fn value(&self) -> anyhow::Result<Value<'_>> {
        let Known { name, fork, .. } = &self.known;
        Value::read(&self.known.schema, &self.bytes)
            .map_err(|error| anyhow!("{}: no {name} of {fork}: {error}", self.name))
    }
}

impl Kind {
    /// The same type at the forks and presets that are given; what the first of two files was guessed to be does not
    /// bind the second.
    pub fn open(&self, file: &Path) -> anyhow::Result<Subject> {
        let name = file.display().to_string();
        let opened = inspect::open(file, self.entry).with_context(|| name.clone())?;
        if matches!(opened.format, Format::Json | Format::Yaml) {
            return self.open_text(opened, name);
        }
        if !opened.entries.is_empty() {
            let values = opened.entries.iter().filter(|entry| entry.type_name().is_some()).count();
            let kind = opened.entry.map_or("value", |entry| entry.name());
            eprintln!("{name}: e2store with {values} blocks and states; taken is a {kind}");
        }
        let stored = opened.entry.and_then(|entry| entry.type_name());
        let wanted = self.name.as_deref().or(stored);
        let known = match (wanted, self.fork) {
            (Some(wanted), Some(fork)) => self.known(wanted, fork)?,
            _ => self.guess(&opened.bytes, wanted, &name)?,
        };
        Ok(Subject { known, bytes: opened.bytes, name })
    }

    /// The type as given.
    pub fn given(&self) -> anyhow::Result<Known> {
        match (&self.name, self.fork) {
            (Some(name), Some(fork)) => self.known(name, fork),
            _ => bail!("--type and --fork are needed here"),
        }
    }

    fn known(&self, name: &str, fork: ForkName) -> anyhow::Result<Known> {
        let preset = self.preset.clone().unwrap_or_else(|| "mainnet".to_owned());
        let ctx = NetworkChoice { preset, config: self.config.clone() }.spec_at(fork)?.ctx(fork);
        let schema = inspect::schema_by_name(name, ctx).ok_or_else(|| {
            anyhow!("no type {name:?}; names are those of the specification, such as BeaconState")
        })?;
        Ok(Known { name: name.to_owned(), fork, ctx, schema })
    }

    fn guess(&self, bytes: &[u8], wanted: Option<&str>, file: &str) -> anyhow::Result<Known> {
        if let Some(wanted) = wanted {
            // A name that is none is told as such and not as one that fits nothing.
            self.known(wanted, ForkName::Phase0)?;
        }
        let fits = |guess: &Guess| {
            self.preset.as_deref().is_none_or(|preset| preset == guess.preset)
                && self.fork.is_none_or(|fork| guess.forks.contains(&fork))
        };
        let guesses: Vec<Guess> = inspect::guess(bytes, wanted).into_iter().filter(fits).collect();
        let Some(best) = guesses.first() else {
            // The newest fork's fault is the one most worth telling.
            let tried = wanted.map(|wanted| self.known(wanted, self.fork.unwrap_or(ForkName::Fulu)));
            let fault = match tried {
                Some(Ok(known)) => match Value::read(&known.schema, bytes) {
                    Err(error) => format!("; as {} of {}: {error}", known.name, known.fork),
                    Ok(_) => String::new(),
                },
                _ => String::new(),
            };
            bail!(
                "{file}: its {} bytes fit {}{fault}; say what it is with --type, --fork and --preset",
                bytes.len(),
                wanted
                    .map_or("no type that is looked for".to_owned(), |wanted| format!("no form of {wanted}"))
            );
        };
        let fork = self.fork.or(best.forks.last().copied()).unwrap_or(ForkName::Fulu);
        let others: Vec<String> = guesses[1..].iter().map(text).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!("; it would fit {} too", others.join(", ")),
        };
        eprintln!("{file}: taken as {}{others}", text(best));
        let preset = Some(best.preset.to_owned());
        Self { preset: self.preset.clone().or(preset), ..self.clone() }.known(&best.name, fork)
    }

    /// JSON or YAML: the value itself, or an answer of the Beacon API around it.
    fn open_text(&self, opened: Opened, file: String) -> anyhow::Result<Subject> {
        let text = std::str::from_utf8(&opened.bytes).with_context(|| file.clone())?;
        let json: serde_json::Value = match opened.format {
            Format::Yaml => inspect::yaml_to_json(text).map_err(|error| anyhow!("{file}: {error}"))?,
            _ => serde_json::from_str(text).with_context(|| file.clone())?,
        };
        let version = json.get("version").and_then(|version| version.as_str()?.parse().ok());
        let json = if version.is_some() { json.get("data").cloned().unwrap_or(json) } else { json };
        let (Some(name), Some(fork)) = (&self.name, self.fork.or(version)) else {
            bail!(
                "{file}: of JSON and YAML the type must be given: --type, and --fork where no version stands in it"
            );
        };
        let known = self.known(name, fork)?;
        let bytes = types::with_container!(name.as_str(), T => encode::<T>(&json, known.ctx), else {
            bail!("no type {name:?}")
        });
        Ok(Subject { known, bytes: bytes.with_context(|| file.clone())?, name: file })
    }
}

fn encode<T: ssz::Ssz>(json: &serde_json::Value, ctx: Ctx) -> anyhow::Result<Vec<u8>> {
    Ok(T::from_json(json, ctx)?.to_ssz(ctx))
}

fn text(guess: &Guess) -> String {
    let forks: Vec<&str> = guess.forks.iter().map(|fork| fork.as_str()).collect();
    format!("{} of {} (preset {})", guess.name, forks.join(" or "), guess.preset)
}
