//! `interlock ssz`: look into SSZ values, whatever their type, fork and packing.

mod compare;
mod proofs;
mod show;
mod subject;

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use ssz::SszExt;

use crate::output::write_file;
use subject::{Kind, Subject};

/// Commands on SSZ values.
#[derive(Subcommand)]
pub enum Ssz {
    /// Print a value for people: nested, long lists cut.
    Pretty(show::Pretty),
    /// Write a value in another form: SSZ, JSON, YAML, snappy.
    Convert(Convert),
    /// Print the hash tree root of a value.
    Root(One),
    /// Compare two values and print every difference with its path and generalized index; fails where there are any.
    Diff(compare::Diff),
    /// Make a Merkle proof of one part or of several.
    Proof(proofs::Prove),
    /// Check a Merkle proof that `proof` made.
    Verify(proofs::Verify),
    /// Print the parts that a path leads to, such as `validators[0..3].pubkey`.
    Query(show::Query),
    /// Print the parts of a value with generalized index, place in the file, type and root.
    Tree(show::Tree),
    /// Print the containers that a type is made of, with sizes and generalized indices.
    Schema {
        #[command(flatten)]
        kind: Kind,
    },
    /// List the records of an era or other e2store file, and hold its slot indices against them.
    Entries {
        /// The file.
        file: PathBuf,
    },
    /// Decode a value with the client's own types and write it again; fails where the bytes differ.
    Check(One),
}

/// A file and its type.
#[derive(Args)]
pub struct One {
    /// The file: SSZ, .ssz_snappy (block or framed), .era and other e2store, .json, .yaml; - is standard input.
    file: PathBuf,
    #[command(flatten)]
    kind: Kind,
}

impl One {
    fn open(&self) -> anyhow::Result<Subject> {
        self.kind.open(&self.file)
    }
}

/// A value in another form.
#[derive(Args)]
pub struct Convert {
    #[command(flatten)]
    one: One,
    /// The form.
    #[arg(long, value_enum)]
    to: Form,
    /// Where to write it; standard output by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Forms that a value is written in.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Plain SSZ.
    Ssz,
    /// SSZ in snappy's block format, as the official vectors.
    SszSnappy,
    /// SSZ in snappy's framed format, as on the network.
    Framed,
    /// JSON of the Beacon API.
    Json,
    /// YAML of the official vectors.
    Yaml,
}

impl Convert {
    fn run(&self) -> anyhow::Result<()> {
        let subject = self.one.open()?;
        let value = subject.value()?;
        let bytes = match self.to {
            Form::Ssz => subject.bytes.clone(),
            Form::SszSnappy => snap::raw::Encoder::new().compress_vec(&subject.bytes)?,
            Form::Framed => {
                let mut encoder = snap::write::FrameEncoder::new(Vec::new());
                encoder.write_all(&subject.bytes)?;
                encoder.into_inner().map_err(|error| anyhow!("snappy: {}", error.error()))?
            }
            Form::Json | Form::Yaml => {
                let write = |out: &mut dyn Write| match self.to {
                    Form::Json => inspect::write_json(&value, out).and_then(|()| out.write_all(b"\n")),
                    _ => inspect::write_yaml(&value, out),
                };
                return self.stream(&write);
            }
        };
        match &self.out {
            Some(path) => write_file(path, &bytes),
            None => to_stdout(|out| out.write_all(&bytes)),
        }
    }

    /// Texts are several times as large as their values: they are not held in memory.
    fn stream(&self, write: &dyn Fn(&mut dyn Write) -> std::io::Result<()>) -> anyhow::Result<()> {
        let Some(path) = &self.out else { return to_stdout(write) };
        let name = || path.display().to_string();
        let mut out = BufWriter::new(std::fs::File::create(path).with_context(name)?);
        write(&mut out).and_then(|()| out.flush()).with_context(name)
    }
}

/// Writes to standard output; a reader that has seen enough and closed the pipe is no error.
fn to_stdout(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

impl Ssz {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Pretty(command) => command.run(),
            Self::Convert(command) => command.run(),
            Self::Root(one) => root(one),
            Self::Diff(command) => command.run(),
            Self::Proof(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Query(command) => command.run(),
            Self::Tree(command) => command.run(),
            Self::Schema { kind } => {
                let known = kind.given()?;
                to_stdout(|out| inspect::write_schema(&known.schema, out))
            }
            Self::Entries { file } => entries(file),
            Self::Check(one) => check(one),
        }
    }
}

fn root(one: &One) -> anyhow::Result<()> {
    let subject = one.open()?;
    // What is malformed is told by path and byte.
    subject.value()?;
    let ctx = subject.known.ctx;
    let root = types::with_container!(subject.known.name.as_str(), T => {
        T::from_ssz(&subject.bytes, ctx).map(|value| value.hash_tree_root(ctx))
    }, else { bail!("no type {:?}", subject.known.name) });
    println!("{}", root?);
    Ok(())
}

fn entries(file: &std::path::Path) -> anyhow::Result<()> {
    let name = file.display().to_string();
    let store = inspect::Store::open(file).with_context(|| name.clone())?;
    let store =
        store.ok_or_else(|| anyhow!("{name}: no e2store file: it does not begin with a version record"))?;
    // What `--entry` counts.
    let mut values = 0..;
    to_stdout(|out| {
        writeln!(out, "{:>6}  {:>12}  {:>12}  {:>6}  name", "entry", "byte", "bytes", "type")?;
        for entry in store.entries() {
            let number = entry.type_name().and_then(|_| values.next());
            let number = number.map_or_else(String::new, |number: usize| number.to_string());
            let (offset, length, kind) = (entry.offset, entry.length, entry.kind);
            writeln!(out, "{number:>6}  {offset:>12}  {length:>12}  {kind:#06x}  {}", entry.name())?;
        }
        Ok(())
    })?;
    store.check_indices().with_context(|| name)
}

fn check(one: &One) -> anyhow::Result<()> {
    let subject = one.open()?;
    subject.value()?;
    let ctx = subject.known.ctx;
    let again = types::with_container!(subject.known.name.as_str(), T => {
        T::from_ssz(&subject.bytes, ctx).map(|value| value.to_ssz(ctx))
    }, else { bail!("no type {:?}", subject.known.name) })?;
    if again != subject.bytes {
        bail!(
            "{}: encodes to other bytes ({} instead of {})",
            one.file.display(),
            again.len(),
            subject.bytes.len()
        );
    }
    println!("{} bytes, encoded again byte for byte", subject.bytes.len());
    Ok(())
}
