//! What the derive's code calls: the fixed and variable parts of a container, its root, its JSON.

use serde_json::{Map, Value};

use crate::basic::json_kind;
use crate::merkle::{depth_of, merkleize, merkleize_progressive};
use crate::sequence::{OFFSET_LEN, offset_bytes, part_between, read_offset};
use crate::{Ctx, DecodeError, DecodeErrorKind, Descent, JsonError, Reached, Root, Shape, Ssz, hash_concat};

/// Splits a container's bytes into the parts of its fields.
pub struct ContainerReader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Offsets of the variable parts, and the end of the bytes.
    offsets: Vec<usize>,
    next_variable: usize,
}

impl<'a> ContainerReader<'a> {
    /// Checks the sizes and offsets; `lens` has an entry for each field that the fork has, none where its size
    /// varies.
    pub fn new(bytes: &'a [u8], lens: &[Option<usize>]) -> Result<Self, DecodeError> {
        let fixed: usize = lens.iter().map(|len| len.unwrap_or(OFFSET_LEN)).sum();
        let variable = lens.iter().any(Option::is_none);
        if !variable && bytes.len() != fixed {
            return Err(DecodeErrorKind::Length { expected: fixed, found: bytes.len() }.into());
        }
        if bytes.len() < fixed {
            return Err(DecodeErrorKind::TooShort { expected: fixed, found: bytes.len() }.into());
        }
        let mut offsets = Vec::new();
        let mut position = 0;
        for len in lens {
            if len.is_none() {
                offsets.push(read_offset(&bytes[position..]));
            }
            position += len.unwrap_or(OFFSET_LEN);
        }
        if let Some(first) = offsets.first()
            && *first != fixed
        {
            return Err(DecodeErrorKind::FirstOffset { expected: fixed, found: *first }.into());
        }
        offsets.push(bytes.len());
        Ok(Self { bytes, position: 0, offsets, next_variable: 0 })
    }

    /// Reads the next field.
    pub fn field<T: Ssz>(&mut self, name: &'static str, shape: &Shape, ctx: &Ctx) -> Result<T, DecodeError> {
        let part = match T::fixed_len(shape, ctx) {
            Some(len) => {
                let part = &self.bytes[self.position..self.position + len];
                self.position += len;
                part
            }
            None => {
                let (start, end) = (self.offsets[self.next_variable], self.offsets[self.next_variable + 1]);
                self.position += OFFSET_LEN;
                self.next_variable += 1;
                part_between(self.bytes, start, end).map_err(|kind| DecodeError::from(kind).within(name))?
            }
        };
        T::decode(part, shape, ctx).map_err(|error| error.within(name))
    }
}

/// Writes a container's fixed part, then its variable parts.
pub struct ContainerWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    position: usize,
}

impl<'a> ContainerWriter<'a> {
    /// Makes room for the fixed part of fields with these sizes.
    pub fn new(out: &'a mut Vec<u8>, lens: &[Option<usize>]) -> Self {
        let start = out.len();
        let fixed: usize = lens.iter().map(|len| len.unwrap_or(OFFSET_LEN)).sum();
        // A container without variable parts is written straight behind what is there.
        if lens.iter().any(Option::is_none) {
            out.resize(start + fixed, 0);
        }
        Self { out, start, position: start }
    }

    /// Writes the next field.
    pub fn field<T: Ssz>(&mut self, value: &T, shape: &Shape, ctx: &Ctx) {
        match T::fixed_len(shape, ctx) {
            Some(_) if self.position == self.out.len() => {
                value.encode(self.out, shape, ctx);
                self.position = self.out.len();
            }
            Some(len) => {
                let end = self.out.len();
                value.encode(self.out, shape, ctx);
                self.out.copy_within(end.., self.position);
                self.out.truncate(end);
                self.position += len;
            }
            None => {
                let offset = offset_bytes(self.out.len() - self.start);
                self.out[self.position..self.position + OFFSET_LEN].copy_from_slice(&offset);
                self.position += OFFSET_LEN;
                value.encode(self.out, shape, ctx);
            }
        }
    }
}

/// The root of a container over the roots of its fields; `active` for a progressive container.
pub fn container_root(fields: Vec<Root>, active: Option<&[bool]>) -> Root {
    let Some(active) = active else {
        let count = fields.len() as u64;
        return merkleize(fields, count);
    };
    let mut roots = fields.into_iter();
    let mut bits = Root::ZERO;
    let leaves: Vec<Root> = active
        .iter()
        .enumerate()
        .map(|(place, taken)| {
            if !taken {
                return Root::ZERO;
            }
            bits.0[place / 8] |= 1 << (place % 8);
            roots.next().expect("as many fields as active places")
        })
        .collect();
    hash_concat(&merkleize_progressive(&leaves), &bits)
}

/// Goes down from a container's root through its tree; none for a progressive container, whose tree proofs do not know.
pub fn container_descent(fields: &[Root], active: Option<&[bool]>, descent: &mut Descent) -> Option<Reached> {
    if active.is_some() {
        return None;
    }
    match descent.through(fields, depth_of(fields.len() as u64)) {
        Reached::Leaf(place) if descent.is_over() => {
            Some(Reached::Node(fields.get(place).copied().unwrap_or(Root::ZERO)))
        }
        reached => Some(reached),
    }
}

/// A JSON object whose fields are read one by one.
pub struct JsonObject<'a>(&'a Map<String, Value>);

impl<'a> JsonObject<'a> {
    /// The object, or an error that says what was found.
    pub fn new(value: &'a Value) -> Result<Self, JsonError> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| JsonError::new(format!("expected an object, found {}", json_kind(value))))
    }

    /// Reads the field `name`.
    pub fn field<T: Ssz>(&self, name: &'static str, shape: &Shape, ctx: &Ctx) -> Result<T, JsonError> {
        let value = self.0.get(name).ok_or_else(|| JsonError::new("missing").within(name))?;
        T::read_json(value, shape, ctx).map_err(|error| error.within(name))
    }
}
