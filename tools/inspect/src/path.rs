//! Paths to parts of a value: `validators[3].pubkey`, `body.attestations[0..4]`, `balances.length`.

use std::fmt;
use std::str::FromStr;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// To a field of a container.
    Field(String),
    /// To an element of a list or vector, a bit, a byte, or the value of a union.
    Index(u64),
    /// To elements of a range, the end not included; the end may be left out.
    Range(u64, Option<u64>),
    /// To the length of a list.
    Length,
}

/// Steps from a value to a part of it. The empty path is the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no path at character {at}: expected {expected}, as in validators[3].pubkey or balances[0..4]"
)]
pub struct PathError {
    text: String,
    at: usize,
    expected: &'static str,
}

impl Path {
    /// A path of these steps.
    pub fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// The steps, first the one from the whole.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// This path and one step more.
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(crate) fn prepend(&mut self, step: Step) {
        self.0.insert(0, step);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if number == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Range(from, Some(to)) => write!(f, "[{from}..{to}]")?,
                Step::Range(from, None) => write!(f, "[{from}..]")?,
                Step::Length => write!(f, "{}length", if number == 0 { "" } else { "." })?,
            }
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let fault = |expected| PathError { text: text.to_owned(), at, expected };
            if let Some(inner) = rest.strip_prefix('[') {
                let end = inner.find(']').ok_or_else(|| fault("a closing ]"))?;
                steps.push(
                    index_or_range(&inner[..end]).ok_or_else(|| fault("a number or a range such as 2..5"))?,
                );
                rest = &inner[end + 1..];
                continue;
            }
            let name = if steps.is_empty() {
                rest
            } else {
                rest.strip_prefix('.').ok_or_else(|| fault("a . or a ["))?
            };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            match &name[..end] {
                "" => return Err(fault("the name of a field")),
                "length" => steps.push(Step::Length),
                field => steps.push(Step::Field(field.to_owned())),
            }
            rest = &name[end..];
        }
        Ok(Self(steps))
    }
}

fn index_or_range(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::Range(0, None));
    }
    match text.split_once("..") {
        None => text.parse().ok().map(Step::Index),
        Some((from, to)) => {
            let from = if from.is_empty() { 0 } else { from.parse().ok()? };
            let to = if to.is_empty() { None } else { Some(to.parse().ok()?) };
            Some(Step::Range(from, to))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_it_is_read() {
        for text in [
            "",
            "slot",
            "validators[3].pubkey",
            "body.attestations[0..4].data",
            "balances.length",
            "[7]",
            "a[2..]",
        ] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
        assert_eq!("a[*]".parse::<Path>().unwrap().to_string(), "a[0..]");
    }

    #[test]
    fn what_is_no_path_is_told_with_its_place() {
        for (text, at) in [("a..b", 1), ("a[", 1), ("a[x]", 1), ("a]b[", 3), ("a[1]b", 4), ("a.", 1)] {
            let error = text.parse::<Path>().unwrap_err();
            assert_eq!(error.at, at, "{error}");
        }
    }
}
