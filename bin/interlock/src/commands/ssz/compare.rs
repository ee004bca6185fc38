//! `interlock ssz diff`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use inspect::{Change, Difference, Step, Value, diff};

use super::Kind;
use super::to_stdout;

/// Two values.
#[derive(Args)]
pub struct Diff {
    /// The first value's file.
    a: PathBuf,
    /// The second value's file.
    b: PathBuf,
    #[command(flatten)]
    kind: Kind,
    /// Differences that are printed; the others are counted.
    #[arg(long, value_name = "N", default_value_t = 100)]
    most: usize,
}

impl Diff {
    pub fn run(&self) -> anyhow::Result<()> {
        let (a, b) = (self.kind.open(&self.a)?, self.kind.open(&self.b)?);
        if a.known.name != b.known.name {
            bail!(
                "the first is a {}, the second a {}; say what both are with --type",
                a.known.name,
                b.known.name
            );
        }
        let (mut count, mut by_field) = (0usize, BTreeMap::<String, usize>::new());
        let (first, second) = (a.value()?, b.value()?);
        to_stdout(|out| {
            let mut written = Ok(());
            diff(first, second, |difference| {
                count += 1;
                *by_field.entry(field(&difference)).or_default() += 1;
                if count <= self.most {
                    written = line(&difference, first, second, out);
                }
                written.is_ok()
            });
            written
        })?;
        if count == 0 {
            println!("equal: {} bytes of {}", a.bytes.len(), a.known.name);
            return Ok(());
        }
        let fields: Vec<String> = by_field.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let hidden = if count > self.most { format!(", {} of them shown", self.most) } else { String::new() };
        bail!("{count} differences{hidden}: {}", fields.join(", "))
    }
}

/// The outermost field that a difference is in.
fn field(difference: &Difference<'_>) -> String {
    match difference.path.steps().first() {
        Some(Step::Field(name)) => name.clone(),
        Some(_) => "elements".to_owned(),
        None => "the value".to_owned(),
    }
}

fn line(difference: &Difference<'_>, a: Value<'_>, b: Value<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let whole = if let Change::Removed(_) = difference.change { a } else { b };
    let place = inspect::generalized_index(whole.schema(), &difference.path);
    let place = place.map_or_else(|| "-".to_owned(), |place| place.to_string());
    write!(out, "{} (gindex {place}): ", difference.path)?;
    match &difference.change {
        Change::Changed(a, b) => {
            short(a, out)?;
            out.write_all(" → ".as_bytes())?;
            short(b, out)?;
        }
        Change::Added(value) => {
            out.write_all(b"only in the second: ")?;
            short(value, out)?;
        }
        Change::Removed(value) => {
            out.write_all(b"only in the first: ")?;
            short(value, out)?;
        }
    }
    out.write_all(b"\n")
}

/// The value's JSON, cut where it is long.
fn short(value: &Value<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    const MOST: usize = 400;
    if value.bytes().len() > MOST {
        return write!(out, "{} of {} bytes", inspect::type_name(value.schema()), value.bytes().len());
    }
    inspect::write_json(value, out)
}
