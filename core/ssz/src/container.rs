//! What the derive's code calls: the fixed and variable parts of a container, its root, its JSON.

use serde_json::{Map, Value};

use crate::basic::json_kind;
use crate::hash::hash_layers;
use crate::merkle::{depth_of, merkleize, merkleize_progressive};
use crate::sequence::{OFFSET_LEN, offset_bytes, part_between, read_offset};
use crate::{
    Ctx, DecodeError, DecodeErrorKind, Descent, JsonError, Node, Reached, Root, Shape, Ssz, hash_concat,
};

/// The sum of the fields' sizes, where each has one whatever preset and fork.
pub const fn fixed_sum(lens: &[Option<usize>]) -> Option<usize> {
    let (mut sum, mut place) = (0, 0);
    while place < lens.len() {
        match lens[place] {
            Some(len) => sum += len,
            None => return None,
        }
        place += 1;
    }
    Some(sum)
}

/// Where each field of a container of fixed size ends; of no meaning for other containers.
pub const fn fixed_ends<const N: usize>(lens: &[Option<usize>; N]) -> [usize; N] {
    let (mut ends, mut end, mut place) = ([0; N], 0, 0);
    while place < N {
        if let Some(len) = lens[place] {
            end += len;
        }
        ends[place] = end;
        place += 1;
    }
    ends
}

/// Splits a container's bytes into the parts of its fields.
pub struct ContainerReader<'a> {
    bytes: &'a [u8],
    /// The sizes of the fields that are still to be read.
    lens: &'a [Option<usize>],
    position: usize,
}

impl<'a> ContainerReader<'a> {
    /// Checks the size and the first offset; `lens` has an entry for each field that the fork has, none where its
    /// size varies.
    pub fn new(bytes: &'a [u8], lens: &'a [Option<usize>]) -> Result<Self, DecodeError> {
        let fixed: usize = lens.iter().map(|len| len.unwrap_or(OFFSET_LEN)).sum();
        let variable = lens.iter().any(Option::is_none);
        if !variable && bytes.len() != fixed {
            return Err(DecodeErrorKind::Length { expected: fixed, found: bytes.len() }.into());
        }
        if bytes.len() < fixed {
            return Err(DecodeErrorKind::TooShort { expected: fixed, found: bytes.len() }.into());
        }
        let reader = Self { bytes, lens, position: 0 };
        match reader.offset_at_or_behind(lens, 0) {
            Some(found) if found != fixed => {
                Err(DecodeErrorKind::FirstOffset { expected: fixed, found }.into())
            }
            _ => Ok(reader),
        }
    }

    /// The first offset among fields with these sizes, which begin at `position`.
    fn offset_at_or_behind(&self, lens: &[Option<usize>], position: usize) -> Option<usize> {
        let fixed = lens.iter().position(Option::is_none)?;
        let ahead: usize = lens[..fixed].iter().flatten().sum();
        Some(read_offset(&self.bytes[position + ahead..]))
    }

    /// Reads the next field.
    pub fn field<T: Ssz>(&mut self, name: &'static str, shape: &Shape, ctx: &Ctx) -> Result<T, DecodeError> {
        let (len, behind) = self.lens.split_first().expect("as many reads as fields");
        self.lens = behind;
        let start = self.position;
        self.position += len.unwrap_or(OFFSET_LEN);
        let part = match len {
            Some(_) => &self.bytes[start..self.position],
            None => {
                let first = read_offset(&self.bytes[start..]);
                let end = self.offset_at_or_behind(behind, self.position).unwrap_or(self.bytes.len());
                part_between(self.bytes, first, end).map_err(|kind| DecodeError::from(kind).within(name))?
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

/// The root of a container over the roots of its fields, which are scratch space; `active` for a progressive container.
pub fn container_root(fields: &mut [Node], active: Option<&[bool]>) -> Root {
    let Some(active) = active else {
        let count = fields.len() as u64;
        return merkleize(fields, count);
    };
    let mut roots = fields.iter();
    let mut bits = Root::ZERO;
    let mut leaves: Vec<Node> = active
        .iter()
        .enumerate()
        .map(|(place, taken)| {
            if !taken {
                return [0; 32];
            }
            bits.0[place / 8] |= 1 << (place % 8);
            *roots.next().expect("as many fields as active places")
        })
        .collect();
    hash_concat(&merkleize_progressive(&mut leaves), &bits)
}

/// The roots of containers whose fields' roots lie in `leaves`, `width` to a container, of which the last may be
/// padding: that of container `i` goes to `out[i * stride]`. The layers of all are hashed together.
pub fn container_roots(leaves: &mut [Node], width: usize, out: &mut [Node], stride: usize) {
    let count = leaves.len() / width;
    hash_layers(leaves, depth_of(width as u64));
    out.iter_mut().step_by(stride).zip(&leaves[..count]).for_each(|(out, root)| *out = *root);
}

/// Goes down from a container's root through its tree; none for a progressive container, whose tree proofs do not know.
pub fn container_descent(fields: &[Node], active: Option<&[bool]>, descent: &mut Descent) -> Option<Reached> {
    if active.is_some() {
        return None;
    }
    match descent.through(fields, depth_of(fields.len() as u64)) {
        Reached::Leaf(place) if descent.is_over() => {
            Some(Reached::Node(fields.get(place).copied().unwrap_or_default().into()))
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
