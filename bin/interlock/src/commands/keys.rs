//! `interlock keys`: make and list validator keys, move their signing history.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use keys::{Interchange, KdfCost, Keystore, KeystoreEntropy, interop_secret_key};
use rand::RngCore;
use types::BlsPubkey;
use validator_client::{History, find_keystores};

use super::validator::parse_range;
use crate::output::write_file;

/// Commands on validator keys.
#[derive(Subcommand)]
pub enum Keys {
    /// Write keystores, and a password file for each, of a test network's keys.
    ///
    /// OUT/keystores/0x<pubkey>.json and OUT/secrets/0x<pubkey> are what `interlock validator --keystores-dir
    /// --secrets-dir` reads. Existing files are left alone, and then nothing is written.
    Generate(Generate),
    /// Move the history of signatures between clients (EIP-3076). Do it whenever keys move.
    #[command(subcommand)]
    Interchange(HistoryFile),
    /// List keys: those of a folder of keystores, and what a data folder knows that keys signed.
    List(List),
}

/// What `generate` makes.
#[derive(Args)]
pub struct Generate {
    /// Keys that everybody can compute: numbers A up to, and without, B. Worthless for real money.
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    interop_range: Range<u64>,
    /// Where to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which function makes guessing the password expensive.
    #[arg(long, value_enum, default_value_t = Kdf::Scrypt)]
    kdf: Kdf,
    /// What a guess costs: `standard` takes about half a second a key, `cheap` nothing; for test networks only.
    #[arg(long, value_enum, default_value_t = Cost::Standard)]
    cost: Cost,
    /// One password for all keystores, the first line of this file; by default each gets one of its own, at random.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A key derivation function.
#[derive(Clone, Copy, ValueEnum)]
enum Kdf {
    Scrypt,
    Pbkdf2,
}

/// How expensive it is.
#[derive(Clone, Copy, ValueEnum)]
enum Cost {
    Standard,
    Cheap,
}

/// Commands on the history of signatures.
#[derive(Subcommand)]
pub enum HistoryFile {
    /// Write the history of a data folder to a file.
    Export {
        /// The data folder of a validator client that does not run.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// The file to write; standard output where it is not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Only the last block and attestation of each key: smaller, and forbids more than a whole history.
        #[arg(long)]
        minify: bool,
    },
    /// Merge a file into the history of a data folder, all of it or nothing.
    Import {
        /// The data folder of a validator client that does not run; created where there is none.
        #[arg(long, value_name = "DIR")]
        data_dir: PathBuf,
        /// The file to read.
        #[arg(long = "in", value_name = "FILE")]
        file: PathBuf,
    },
}

/// What to list.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct List {
    /// A folder of keystores.
    #[arg(long, value_name = "DIR")]
    keystores_dir: Option<PathBuf>,
    /// The data folder of a validator client that does not run.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Keys {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Generate(generate) => generate.run(),
            Self::Interchange(HistoryFile::Export { data_dir, out, minify }) => {
                export(&data_dir, out, minify)
            }
            Self::Interchange(HistoryFile::Import { data_dir, file }) => import(&data_dir, &file),
            Self::List(list) => list.run(),
        }
    }
}

impl Generate {
    fn kdf(&self) -> KdfCost {
        match (self.kdf, self.cost) {
            (Kdf::Scrypt, Cost::Standard) => KdfCost::SCRYPT,
            (Kdf::Pbkdf2, Cost::Standard) => KdfCost::PBKDF2,
            (Kdf::Scrypt, Cost::Cheap) => KdfCost::Scrypt { n: 2, r: 8, p: 1 },
            (Kdf::Pbkdf2, Cost::Cheap) => KdfCost::Pbkdf2 { c: 1 },
        }
    }

    fn run(self) -> anyhow::Result<()> {
        let (keystores, secrets) = (self.out.join("keystores"), self.out.join("secrets"));
        let common = match &self.password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
            None => None,
        };
        let keys: Vec<_> = self.interop_range.clone().map(interop_secret_key).collect();
        let pubkeys = keys.iter().map(|key| BlsPubkey::from(key.public_key().compress()).to_string());
        let pubkeys: Vec<String> = pubkeys.collect();
        let files: Vec<(PathBuf, PathBuf)> =
            pubkeys.iter().map(|key| (keystores.join(format!("{key}.json")), secrets.join(key))).collect();
        if let Some(path) = files.iter().flat_map(|(a, b)| [a, b]).find(|path| path.exists()) {
            bail!("{} exists already; nothing was written", path.display());
        }
        for folder in [&keystores, &secrets] {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        for (key, (keystore_path, secret_path)) in keys.iter().zip(&files) {
            let password = common.clone().unwrap_or_else(random_password);
            let keystore = Keystore::encrypt(key, &password, self.kdf(), &entropy(), "")?;
            // The password first: a keystore without one could not be opened.
            write_secret(secret_path, password.as_bytes())?;
            write_file(keystore_path, keystore.to_json().as_bytes())?;
        }
        println!(
            "{} keystores in {}, their passwords in {}",
            keys.len(),
            keystores.display(),
            secrets.display()
        );
        Ok(())
    }
}

fn random_password() -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

fn entropy() -> KeystoreEntropy {
    let mut entropy = KeystoreEntropy { salt: [0; 32], iv: [0; 16], uuid: [0; 16] };
    let mut random = rand::rng();
    random.fill_bytes(&mut entropy.salt);
    random.fill_bytes(&mut entropy.iv);
    random.fill_bytes(&mut entropy.uuid);
    entropy
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let name = || path.display().to_string();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).with_context(name)?;
    file.write_all(bytes).with_context(name)?;
    file.sync_all().with_context(name)
}

fn export(data_dir: &Path, out: Option<PathBuf>, minify: bool) -> anyhow::Result<()> {
    let mut history = History::open(data_dir)?.export()?;
    if minify {
        history = history.minified();
    }
    match out {
        Some(path) => {
            write_file(&path, history.to_json().as_bytes())?;
            println!("{} keys in {}", history.data.len(), path.display());
        }
        None => println!("{}", history.to_json()),
    }
    Ok(())
}

fn import(data_dir: &Path, file: &Path) -> anyhow::Result<()> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(name)?;
    let interchange = Interchange::from_json(&text).with_context(name)?;
    let history = History::open_or_create(data_dir, interchange.genesis_validators_root)?;
    let summary = history.import(&interchange).with_context(name)?;
    println!(
        "{} records: {} blocks and {} attestations that were not known",
        summary.records, summary.new_blocks, summary.new_attestations
    );
    Ok(())
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        if let Some(folder) = &self.keystores_dir {
            for path in find_keystores(folder)? {
                let name = || path.display().to_string();
                let text = std::fs::read_to_string(&path).with_context(name)?;
                let keystore = Keystore::from_json(&text).with_context(name)?;
                let pubkey =
                    keystore.pubkey.map_or_else(|| "(no public key)".to_owned(), |key| key.to_string());
                println!("{pubkey}  {}", path.display());
            }
        }
        if let Some(folder) = &self.data_dir {
            let history = History::open(folder)?.export()?;
            println!("# network {}", history.genesis_validators_root);
            for of in &history.data {
                let last =
                    |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
                let slot = of.signed_blocks.iter().map(|block| block.slot.0).max();
                let target = of.signed_attestations.iter().map(|signed| signed.target_epoch.0).max();
                println!("{}  last block slot {}, last target epoch {}", of.pubkey, last(slot), last(target));
            }
        }
        Ok(())
    }
}
