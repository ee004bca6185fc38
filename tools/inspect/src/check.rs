//! That bytes are an encoding of a schema: every offset, limit, padding bit and boolean.

use std::fmt;

use ssz::{DecodeErrorKind, Schema};

use crate::path::{Path, Step};
use crate::value::{OFFSET_LEN, bitlist_len, fixed_len, limit_of, read_offset};

/// The rule that bytes break, the part that breaks it, and where that part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The part.
    pub path: Path,
    /// Its first byte, from the start of the value.
    pub offset: usize,
    /// The broken rule.
    pub kind: DecodeErrorKind,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.steps().is_empty() {
            write!(f, "{} ", self.path)?;
        }
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for Malformed {}

impl Malformed {
    fn within(mut self, step: Step) -> Self {
        self.path.prepend(step);
        self
    }
}

/// Checks the bytes, which begin at `offset` of the whole, and all their parts.
pub(crate) fn check(schema: &Schema, bytes: &[u8], offset: usize) -> Result<(), Malformed> {
    let fault = |kind| Malformed { path: Path::default(), offset, kind };
    if let Some(expected) = fixed_len(schema)
        && bytes.len() != expected
    {
        return Err(fault(DecodeErrorKind::Length { expected, found: bytes.len() }));
    }
    match schema {
        Schema::Uint(_) | Schema::ByteVector(_) => Ok(()),
        Schema::Boolean if bytes[0] > 1 => Err(fault(DecodeErrorKind::Boolean(bytes[0]))),
        Schema::Boolean => Ok(()),
        Schema::ByteList(bound) => check_limit(bytes.len(), limit_of(bound)).map_err(fault),
        Schema::Bitvector(length) => {
            let unused = length.div_ceil(8) * 8 - length;
            match bytes.last() {
                Some(last) if unused > 0 && last >> (8 - unused) != 0 => {
                    Err(fault(DecodeErrorKind::BitPadding))
                }
                _ => Ok(()),
            }
        }
        Schema::Bitlist(bound) => match bytes.last() {
            None | Some(0) => Err(fault(DecodeErrorKind::BitDelimiter)),
            Some(_) => check_limit(bitlist_len(bytes), limit_of(bound)).map_err(fault),
        },
        Schema::Vector(element, length) => check_elements(element, Some(*length), None, bytes, offset),
        Schema::List(element, bound) => check_elements(element, None, limit_of(bound), bytes, offset),
        Schema::Container { fields, .. } => check_fields(fields, bytes, offset),
        Schema::Union { options, .. } => {
            let selector = bytes.first().ok_or(fault(DecodeErrorKind::TooShort { expected: 1, found: 0 }))?;
            let option = options.iter().find(|(known, _)| known == selector);
            let (_, schema) = option.ok_or(fault(DecodeErrorKind::Selector(*selector)))?;
            check(schema, &bytes[1..], offset + 1)
        }
    }
}

fn check_limit(found: usize, limit: Option<u64>) -> Result<(), DecodeErrorKind> {
    match limit {
        Some(limit) if found as u64 > limit => Err(DecodeErrorKind::Limit { limit, found: found as u64 }),
        _ => Ok(()),
    }
}

fn check_fields(fields: &[(&'static str, Schema)], bytes: &[u8], offset: usize) -> Result<(), Malformed> {
    let here = |kind| Malformed { path: Path::default(), offset, kind };
    let lens: Vec<Option<usize>> = fields.iter().map(|(_, schema)| fixed_len(schema)).collect();
    let fixed: usize = lens.iter().map(|len| len.unwrap_or(OFFSET_LEN)).sum();
    if bytes.len() < fixed {
        return Err(here(DecodeErrorKind::TooShort { expected: fixed, found: bytes.len() }));
    }
    let mut position = 0;
    let mut variable: Vec<(usize, usize)> = Vec::new();
    for (index, ((name, schema), len)) in fields.iter().zip(&lens).enumerate() {
        match len {
            Some(len) => {
                check(schema, &bytes[position..position + len], offset + position)
                    .map_err(|fault| fault.within(Step::Field((*name).to_owned())))?;
                position += len;
            }
            None => {
                variable.push((index, read_offset(bytes, position)));
                position += OFFSET_LEN;
            }
        }
    }
    match variable.first() {
        Some((_, first)) if *first != fixed => {
            return Err(here(DecodeErrorKind::FirstOffset { expected: fixed, found: *first }));
        }
        _ => {}
    }
    for (number, (index, start)) in variable.iter().enumerate() {
        let (name, schema) = &fields[*index];
        let end = variable.get(number + 1).map_or(bytes.len(), |(_, start)| *start);
        part(bytes, *start, end)
            .map_err(here)
            .and_then(|part| check(schema, part, offset + start))
            .map_err(|fault| fault.within(Step::Field((*name).to_owned())))?;
    }
    Ok(())
}

fn check_elements(
    element: &Schema,
    length: Option<usize>,
    limit: Option<u64>,
    bytes: &[u8],
    offset: usize,
) -> Result<(), Malformed> {
    let here = |kind| Malformed { path: Path::default(), offset, kind };
    let right_count = |found: usize| match length {
        Some(expected) if expected != found => Err(DecodeErrorKind::VectorLength { expected, found }),
        _ => check_limit(found, limit),
    };
    if let Some(len) = fixed_len(element) {
        if len == 0 || !bytes.len().is_multiple_of(len) {
            return Err(here(DecodeErrorKind::Remainder { found: bytes.len(), element: len }));
        }
        right_count(bytes.len() / len).map_err(here)?;
        if accepts_everything(element) {
            return Ok(());
        }
        return bytes.chunks_exact(len).enumerate().try_for_each(|(index, part)| {
            check(element, part, offset + index * len)
                .map_err(|fault| fault.within(Step::Index(index as u64)))
        });
    }
    let count = variable_count(bytes).map_err(here)?;
    right_count(count).map_err(here)?;
    for index in 0..count {
        let start = read_offset(bytes, index * OFFSET_LEN);
        let end = if index + 1 < count { read_offset(bytes, (index + 1) * OFFSET_LEN) } else { bytes.len() };
        part(bytes, start, end)
            .map_err(here)
            .and_then(|part| check(element, part, offset + start))
            .map_err(|fault| fault.within(Step::Index(index as u64)))?;
    }
    Ok(())
}

/// True where any bytes of the right size are a value.
fn accepts_everything(schema: &Schema) -> bool {
    match schema {
        Schema::Uint(_) | Schema::ByteVector(_) => true,
        Schema::Bitvector(length) => length.is_multiple_of(8),
        Schema::Vector(element, _) => accepts_everything(element),
        Schema::Container { fields, .. } => fields.iter().all(|(_, schema)| accepts_everything(schema)),
        _ => false,
    }
}

fn variable_count(bytes: &[u8]) -> Result<usize, DecodeErrorKind> {
    if bytes.is_empty() {
        return Ok(0);
    }
    if bytes.len() < OFFSET_LEN {
        return Err(DecodeErrorKind::TooShort { expected: OFFSET_LEN, found: bytes.len() });
    }
    let first = read_offset(bytes, 0);
    if first == 0 || !first.is_multiple_of(OFFSET_LEN) {
        return Err(DecodeErrorKind::FirstOffset { expected: OFFSET_LEN, found: first });
    }
    if first > bytes.len() {
        return Err(DecodeErrorKind::OffsetRange { offset: first, length: bytes.len() });
    }
    Ok(first / OFFSET_LEN)
}

fn part(bytes: &[u8], start: usize, end: usize) -> Result<&[u8], DecodeErrorKind> {
    if start > bytes.len() {
        return Err(DecodeErrorKind::OffsetRange { offset: start, length: bytes.len() });
    }
    if end < start {
        return Err(DecodeErrorKind::OffsetOrder { previous: start, next: end });
    }
    bytes.get(start..end).ok_or(DecodeErrorKind::OffsetRange { offset: end, length: bytes.len() })
}
