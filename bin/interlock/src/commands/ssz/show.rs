//! `interlock ssz pretty`, `query` and `tree`.

use std::io::Write;

use anyhow::{anyhow, bail};
use clap::Args;
use inspect::{Path, PrettyOptions, Selected, Value, select};

use super::{One, to_stdout};

/// A value for people.
#[derive(Args)]
pub struct Pretty {
    #[command(flatten)]
    one: One,
    /// Only this part, for example latest_block_header or validators[7].
    #[arg(long, value_name = "PATH", default_value = "")]
    at: Path,
    /// Elements of a list that are printed.
    #[arg(long, value_name = "N", default_value_t = 8)]
    elements: usize,
    /// Print all elements and bytes.
    #[arg(long)]
    all: bool,
    /// Print the root of every part that has parts.
    #[arg(long)]
    roots: bool,
}

impl Pretty {
    pub fn run(&self) -> anyhow::Result<()> {
        let subject = self.one.open()?;
        let value = part(subject.value()?, &self.at)?;
        let mut options =
            PrettyOptions { elements: Some(self.elements), roots: self.roots, ..PrettyOptions::default() };
        if self.all {
            (options.elements, options.bytes) = (None, None);
        }
        to_stdout(|out| inspect::write_pretty(&value, &options, out))
    }
}

/// Parts by path.
#[derive(Args)]
pub struct Query {
    #[command(flatten)]
    one: One,
    /// The path, for example slot, balances[0..4], validators[*].exit_epoch or validators.length.
    #[arg(long = "path", value_name = "PATH", required = true)]
    paths: Vec<Path>,
    /// Print values only, without their paths.
    #[arg(long)]
    bare: bool,
}

impl Query {
    pub fn run(&self) -> anyhow::Result<()> {
        let subject = self.one.open()?;
        let value = subject.value()?;
        for path in &self.paths {
            let mut fault = None;
            to_stdout(|out| {
                let mut written = Ok(());
                let found = select(value, path, |there, selected| {
                    if written.is_ok() {
                        written = self.line(&there, &selected, out);
                    }
                });
                fault = found.err();
                written
            })?;
            if let Some(fault) = fault {
                bail!(fault);
            }
        }
        Ok(())
    }

    fn line(&self, path: &Path, selected: &Selected<'_>, out: &mut dyn Write) -> std::io::Result<()> {
        if !self.bare {
            write!(out, "{path}: ")?;
        }
        match selected {
            Selected::Length(number) => writeln!(out, "{number}"),
            Selected::Bit(bit) => writeln!(out, "{}", u8::from(*bit)),
            Selected::Byte(byte) => writeln!(out, "{byte:#04x}"),
            Selected::Value(value) if value.leaf().is_some() => {
                inspect::write_pretty(value, &PrettyOptions { bytes: None, ..PrettyOptions::default() }, out)
            }
            Selected::Value(value) => {
                inspect::write_json(value, out)?;
                writeln!(out)
            }
        }
    }
}

/// Parts with their places.
#[derive(Args)]
pub struct Tree {
    #[command(flatten)]
    one: One,
    /// Only below this part.
    #[arg(long, value_name = "PATH", default_value = "")]
    at: Path,
    /// Levels of parts that are printed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    depth: usize,
    /// Elements of a list that are printed.
    #[arg(long, value_name = "N", default_value_t = 8)]
    elements: usize,
}

impl Tree {
    pub fn run(&self) -> anyhow::Result<()> {
        let subject = self.one.open()?;
        let whole = subject.value()?;
        let from = part(whole, &self.at)?;
        let mut rows = Rows { whole, tree: inspect::Tree::new(whole), elements: self.elements };
        to_stdout(|out| {
            writeln!(out, "{:>20}  {:>12}  {:>12}  {:66}  path: type", "gindex", "byte", "bytes", "root")?;
            rows.print(from, &self.at, self.depth, out)
        })
    }
}

/// What the rows of a tree are printed from.
struct Rows<'a> {
    whole: Value<'a>,
    tree: inspect::Tree<'a>,
    elements: usize,
}

impl Rows<'_> {
    fn print(
        &mut self,
        value: Value<'_>,
        path: &Path,
        depth: usize,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let index = inspect::generalized_index(self.whole.schema(), path);
        let root = index.and_then(|index| self.tree.node(index)).unwrap_or_default();
        let index = index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let (offset, length) = (value.offset(), value.bytes().len());
        let name = inspect::type_name(value.schema());
        writeln!(out, "{index:>20}  {offset:>12}  {length:>12}  {root}  {path}: {name}")?;
        if depth == 0 {
            return Ok(());
        }
        let cut = !matches!(value.schema(), ssz::Schema::Container { .. });
        let shown = if cut { self.elements.min(value.count()) } else { value.count() };
        for (step, part) in value.parts().take(shown) {
            self.print(part, &path.then(step), depth - 1, out)?;
        }
        if shown < value.count() {
            writeln!(out, "{:>20}  … {} more", "", value.count() - shown)?;
        }
        Ok(())
    }
}

/// The one part that a path leads to.
fn part<'a>(value: Value<'a>, path: &Path) -> anyhow::Result<Value<'a>> {
    if let Some(part) = value.at(path) {
        return Ok(part);
    }
    match select(value, path, |_, _| ()) {
        Err(fault) => Err(anyhow!(fault)),
        Ok(()) => Err(anyhow!(
            "{path}: a path without a range, to a part that is a value of its own, is needed here"
        )),
    }
}
