//! Queries: the parts of a value that a path with ranges leads to.

use ssz::Schema;

use crate::path::{Path, Step};
use crate::value::{Leaf, Value};

/// A part that a path led to.
#[derive(Clone, Copy, Debug)]
pub enum Selected<'a> {
    /// A value of its own.
    Value(Value<'a>),
    /// The length of a list.
    Length(u64),
    /// A bit of a bit list or vector.
    Bit(bool),
    /// A byte of a string of bytes.
    Byte(u8),
}

/// Hands every part that the path leads to to `found`, with its own path, in order. An error says which step leads
/// nowhere, and what there is instead.
pub fn select<'a>(
    value: Value<'a>,
    path: &Path,
    mut found: impl FnMut(Path, Selected<'a>),
) -> Result<(), String> {
    walk(value, Path::default(), path.steps(), &mut found)
}

fn walk<'a>(
    value: Value<'a>,
    here: Path,
    steps: &[Step],
    found: &mut dyn FnMut(Path, Selected<'a>),
) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        found(here, Selected::Value(value));
        return Ok(());
    };
    if let Step::Range(from, to) = step {
        let to = to.unwrap_or(element_count(&value)).min(element_count(&value));
        return (*from..to).try_for_each(|index| {
            let steps: Vec<Step> = [Step::Index(index)].into_iter().chain(rest.iter().cloned()).collect();
            walk(value, here.clone(), &steps, found)
        });
    }
    let there = here.then(step.clone());
    if let Some(part) = value.child(step) {
        return walk(part, there, rest, found);
    }
    let end = match (value.schema(), step, value.leaf()) {
        (Schema::List(..), Step::Length, _) => Some(Selected::Length(value.count() as u64)),
        (_, Step::Length, Some(Leaf::Bytes(bytes))) => Some(Selected::Length(bytes.len() as u64)),
        (_, Step::Length, Some(Leaf::Bits(_, length))) => Some(Selected::Length(length as u64)),
        (_, Step::Index(index), Some(Leaf::Bytes(bytes))) => {
            usize::try_from(*index).ok().and_then(|index| bytes.get(index)).map(|byte| Selected::Byte(*byte))
        }
        (_, Step::Index(index), Some(Leaf::Bits(bytes, length))) if *index < length as u64 => {
            Some(Selected::Bit(bytes[*index as usize / 8] >> (index % 8) & 1 == 1))
        }
        _ => None,
    };
    match end {
        Some(end) if rest.is_empty() => {
            found(there, end);
            Ok(())
        }
        Some(_) => Err(format!("{there} has no parts")),
        None => Err(format!("{there}: {}", what_there_is(&value))),
    }
}

fn element_count(value: &Value<'_>) -> u64 {
    match value.leaf() {
        Some(Leaf::Bytes(bytes)) => bytes.len() as u64,
        Some(Leaf::Bits(_, length)) => length as u64,
        _ => value.count() as u64,
    }
}

fn what_there_is(value: &Value<'_>) -> String {
    match value.schema() {
        Schema::Container { name, fields, .. } => {
            let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            format!("no such field; {name} has {}", names.join(", "))
        }
        Schema::Vector(..) | Schema::List(..) => format!("there are {} elements", value.count()),
        _ => match element_count(value) {
            0 => "there are no parts".to_owned(),
            count => format!("there are {count} bytes or bits"),
        },
    }
}
