//! One case: its place in the layout, its files, and which of them were read.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use ssz::{Ssz, SszExt};
use types::{ForkName, Spec};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As the vector says.
    Passed,
    /// Not as the vector says.
    Failed(String),
    /// Not run, and why.
    Skipped(String),
}

/// The bytes of a file, or where they are.
#[derive(Debug)]
pub enum FileData {
    /// From a pack.
    Bytes(Vec<u8>),
    /// In a folder.
    Path(PathBuf),
}

/// One case of the official layout.
#[derive(Debug)]
pub struct Case {
    /// `mainnet`, `minimal`, `general`.
    pub preset: String,
    /// `phase0` …
    pub fork: String,
    /// `operations`, `ssz_static` …
    pub runner: String,
    /// `attestation`, `BeaconState` …
    pub handler: String,
    /// The suite within the handler.
    pub suite: String,
    /// The case within the suite.
    pub name: String,
    files: BTreeMap<String, FileData>,
    read: RefCell<BTreeSet<String>>,
    unneeded: RefCell<BTreeMap<String, &'static str>>,
    notes: RefCell<Vec<String>>,
}

thread_local! {
    static SPECS: RefCell<BTreeMap<String, &'static Spec>> = const { RefCell::new(BTreeMap::new()) };
}

impl Case {
    /// A case from its path below `tests/`, six names long.
    pub fn new(names: &[String], files: BTreeMap<String, FileData>) -> Self {
        let [preset, fork, runner, handler, suite, name] = names else {
            panic!("six names make a case: {names:?}")
        };
        Self {
            preset: preset.clone(),
            fork: fork.clone(),
            runner: runner.clone(),
            handler: handler.clone(),
            suite: suite.clone(),
            name: name.clone(),
            files,
            read: RefCell::default(),
            unneeded: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    /// The case's full name.
    pub fn id(&self) -> String {
        [&self.preset, &self.fork, &self.runner, &self.handler, &self.suite, &self.name]
            .map(String::as_str)
            .join("/")
    }

    /// The fork as a value.
    pub fn fork_name(&self) -> anyhow::Result<ForkName> {
        Ok(self.fork.parse()?)
    }

    /// The spec of the case: its own `config.yaml`, or the preset's configuration; the case's fork and all before
    /// it begin at genesis.
    pub fn spec(&self) -> anyhow::Result<&'static Spec> {
        self.spec_with(0)
    }

    /// As [`Case::spec`], but the case's fork begins at an epoch, where it has no `config.yaml`.
    pub fn spec_with(&self, fork_epoch: u64) -> anyhow::Result<&'static Spec> {
        let own = if self.has("config.yaml") { Some(self.text("config.yaml")?) } else { None };
        let own_text = own.as_deref().unwrap_or_default();
        let key = format!("{}\n{}\n{fork_epoch}\n{own_text}", self.preset, self.fork);
        if let Some(spec) = SPECS.with_borrow(|specs| specs.get(&key).copied()) {
            return Ok(spec);
        }
        let base = match self.preset.as_str() {
            "minimal" => types::Config::MINIMAL_YAML,
            "mainnet" => types::Config::MAINNET_YAML,
            other => bail!("no preset {other}"),
        };
        let mut settings = types::Settings::parse(own.as_deref().unwrap_or(base))?;
        if own.is_none() {
            let fork = self.fork_name()?;
            for other in ForkName::ALL.into_iter().skip(1) {
                let epoch = match other.cmp(&fork) {
                    Ordering::Less => 0,
                    Ordering::Equal => fork_epoch,
                    Ordering::Greater => u64::MAX,
                };
                settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
            }
        }
        if own.is_some() {
            schedule_earlier_forks(&mut settings);
        }
        let spec = Spec::from_settings(settings, None)?;
        SPECS.with_borrow_mut(|specs| specs.insert(key, spec));
        Ok(spec)
    }

    /// True where the case has the file (`.ssz` stands for `.ssz_snappy` too).
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.files.contains_key(&format!("{name}_snappy"))
    }

    /// The names of all files.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The files that were neither read nor declared unneeded.
    pub fn unread(&self) -> Vec<&str> {
        let (read, unneeded) = (self.read.borrow(), self.unneeded.borrow());
        self.file_names().filter(|name| !read.contains(*name) && !unneeded.contains_key(*name)).collect()
    }

    /// Declares that a file, where the case has it, is not needed, and why.
    pub fn declare_unneeded(&self, name: &str, why: &'static str) {
        if self.files.contains_key(name) {
            self.unneeded.borrow_mut().insert(name.to_owned(), why);
        }
    }

    /// The files that were declared unneeded, and why.
    pub fn unneeded(&self) -> BTreeMap<String, &'static str> {
        self.unneeded.borrow().clone()
    }

    /// Notes what is worth knowing, though it decides nothing.
    pub fn note(&self, text: String) {
        self.notes.borrow_mut().push(text);
    }

    /// What was noted.
    pub fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }

    /// The bytes of a file, snappy already undone.
    pub fn bytes(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let packed = format!("{name}_snappy");
        let (name, data) = match (self.files.get_key_value(name), self.files.get_key_value(&packed)) {
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => bail!("the case has no {name}"),
        };
        self.read.borrow_mut().insert(name.clone());
        let bytes = match data {
            FileData::Bytes(bytes) => bytes.clone(),
            FileData::Path(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        };
        if name.ends_with("_snappy") {
            return Ok(snap::raw::Decoder::new().decompress_vec(&bytes)?);
        }
        Ok(bytes)
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> anyhow::Result<String> {
        Ok(String::from_utf8(self.bytes(name)?)?)
    }

    /// A YAML file as data of any type; take numbers as `String` where YAML might misread them.
    pub fn yaml<T: serde::de::DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        serde_saphyr::from_str(&self.text(name)?).map_err(|error| anyhow!("{name}: {error}"))
    }

    /// An SSZ file of the case's preset and fork.
    pub fn ssz<T: Ssz>(&self, name: &str) -> anyhow::Result<T> {
        let ctx = self.spec()?.ctx(self.fork_name()?);
        T::from_ssz(&self.bytes(name)?, ctx).map_err(|error| anyhow!("{name}: {error}"))
    }

    /// A state of the case's preset and fork.
    pub fn state(&self, name: &str) -> anyhow::Result<types::BeaconState> {
        types::BeaconState::decode_at(self.spec()?, self.fork_name()?, &self.bytes(name)?)
            .map_err(|error| anyhow!("{name}: {error}"))
    }
}

/// Some cases move one fork and leave those before it unscheduled, which no network could do: these then begin together
/// with it.
fn schedule_earlier_forks(settings: &mut types::Settings) {
    let mut latest = u64::MAX;
    for fork in ForkName::ALL.into_iter().skip(1).rev() {
        let key = format!("{}_FORK_EPOCH", fork.as_str().to_uppercase());
        let epoch: u64 = settings.peek(&key).unwrap_or_default().parse().unwrap_or(u64::MAX);
        if epoch > latest {
            settings.set(&key, latest);
        }
        latest = latest.min(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(preset: &str, fork: &str, files: &[(&str, &[u8])]) -> Case {
        let names = [preset, fork, "runner", "handler", "suite", "name"].map(str::to_owned);
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), FileData::Bytes(bytes.to_vec())));
        Case::new(&names, files.collect())
    }

    #[test]
    fn a_file_counts_as_read_only_once_it_is_read_or_declared() {
        let case = case("minimal", "phase0", &[("a.yaml", b"3"), ("b.yaml", b"x"), ("c.yaml", b"")]);
        assert_eq!(case.unread(), ["a.yaml", "b.yaml", "c.yaml"]);
        assert_eq!(case.yaml::<u64>("a.yaml").unwrap(), 3);
        case.declare_unneeded("c.yaml", "is empty");
        case.declare_unneeded("d.yaml", "is not there");
        assert_eq!(case.unread(), ["b.yaml"]);
        assert_eq!(case.unneeded().into_iter().collect::<Vec<_>>(), [("c.yaml".to_owned(), "is empty")]);
        assert!(case.yaml::<u64>("b.yaml").is_err());
        assert!(case.text("d.yaml").is_err());
    }

    #[test]
    fn a_compressed_file_is_read_under_its_plain_name() {
        let packed = snap::raw::Encoder::new().compress_vec(&[1, 2, 3]).unwrap();
        let case = case("minimal", "phase0", &[("state.ssz_snappy", &packed)]);
        assert!(case.has("state.ssz"));
        assert_eq!(case.bytes("state.ssz").unwrap(), [1, 2, 3]);
        assert!(case.unread().is_empty());
    }

    #[test]
    fn the_forks_up_to_that_of_the_case_begin_at_genesis() {
        let spec = case("minimal", "bellatrix", &[]).spec().unwrap();
        assert_eq!(spec.fork_name_at_slot(types::Slot(0)), ForkName::Bellatrix);
        assert_eq!(spec.preset.slots_per_epoch, 8);
        assert!(case("large", "phase0", &[]).spec().is_err());
        assert!(case("minimal", "future", &[]).spec().is_err());
    }

    #[test]
    fn the_config_of_the_case_itself_takes_the_place_of_the_preset_s() {
        let text = types::Config::MINIMAL_YAML.replace("MIN_GENESIS_TIME: ", "MIN_GENESIS_TIME: 1");
        let own = case("minimal", "phase0", &[("config.yaml", text.as_bytes())]);
        let spec = own.spec().unwrap();
        assert_ne!(spec.config.min_genesis_time, Spec::minimal().config.min_genesis_time);
        assert!(own.unread().is_empty());
    }
}
