//! A value for people to read: nested as it is declared, long lists cut, numbers with what they mean.

use std::io::{self, Write};

use ssz::Schema;

use crate::path::Step;
use crate::text::LeafText;
use crate::tree::root_of;
use crate::value::{Leaf, Value};

/// What is printed of large values.
#[derive(Clone, Copy, Debug)]
pub struct PrettyOptions {
    /// Elements of a list that are printed; the rest is counted. None prints all.
    pub elements: Option<usize>,
    /// Bytes of a string that are printed.
    pub bytes: Option<usize>,
    /// Print the root of every part that has parts.
    pub roots: bool,
}

impl Default for PrettyOptions {
    fn default() -> Self {
        Self { elements: Some(8), bytes: Some(96), roots: false }
    }
}

/// Prints a value; parts are indented by two spaces a level.
pub fn write_pretty(value: &Value<'_>, options: &PrettyOptions, out: &mut dyn Write) -> io::Result<()> {
    match value.leaf() {
        Some(leaf) => writeln!(out, "{}", text(leaf, options)),
        None => parts(value, options, out, 0),
    }
}

fn parts(value: &Value<'_>, options: &PrettyOptions, out: &mut dyn Write, indent: usize) -> io::Result<()> {
    let shown = match value.schema() {
        Schema::Container { .. } | Schema::Union { .. } => value.count(),
        _ => options.elements.unwrap_or(usize::MAX).min(value.count()),
    };
    for (step, part) in value.parts().take(shown) {
        write!(out, "{:indent$}", "")?;
        match step {
            Step::Field(name) => write!(out, "{name}:")?,
            Step::Index(index) => write!(out, "[{index}]:")?,
            Step::Range(..) | Step::Length => {}
        }
        if let Some(leaf) = part.leaf() {
            writeln!(out, " {}", text(leaf, options))?;
            continue;
        }
        if let Schema::List(..) | Schema::Vector(..) = part.schema() {
            write!(out, " ({})", part.count())?;
        }
        if options.roots {
            write!(out, " root {}", root_of(&part))?;
        }
        writeln!(out)?;
        parts(&part, options, out, indent + 2)?;
    }
    if shown < value.count() {
        writeln!(out, "{:indent$}… {} more", "", value.count() - shown)?;
    }
    Ok(())
}

fn text(leaf: Leaf<'_>, options: &PrettyOptions) -> String {
    const FAR_FUTURE: u128 = u64::MAX as u128;
    match leaf {
        Leaf::Number(FAR_FUTURE) => format!("{FAR_FUTURE} (far future)"),
        Leaf::Bytes(bytes) => match options.bytes {
            Some(most) if bytes.len() > most => {
                format!("0x{}… ({} bytes)", hex::encode(&bytes[..most]), bytes.len())
            }
            _ => LeafText(leaf).to_string(),
        },
        Leaf::Bits(bytes, length) => {
            let set = (0..length).filter(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1).count();
            format!("{} ({set} of {length} bits)", LeafText(leaf))
        }
        leaf => LeafText(leaf).to_string(),
    }
}
