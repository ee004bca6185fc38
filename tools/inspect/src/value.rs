//! A value: bytes that were checked against a schema.

use ssz::{Bound, Schema};

use crate::check::{Malformed, check};
use crate::path::{Path, Step};

/// Bytes of an offset.
pub(crate) const OFFSET_LEN: usize = 4;

/// A part of an encoding, with its schema and its place in the whole.
///
/// Made by [`Value::read`], which checks every offset, limit and padding bit below it, by [`Value::trusted`] of what was
/// checked before, and from parts of such a value; so walking it cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
    offset: usize,
}

/// What a value without parts says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// A number up to 128 bits.
    Number(u128),
    /// A 256-bit number, little endian.
    Large(&'a [u8]),
    /// A boolean.
    Boolean(bool),
    /// Bytes of a fixed or a variable count.
    Bytes(&'a [u8]),
    /// Bits: their bytes with the delimiter where it is a list, and how many they are.
    Bits(&'a [u8], usize),
}

impl<'a> Value<'a> {
    /// Checks the bytes against the schema.
    pub fn read(schema: &'a Schema, bytes: &'a [u8]) -> Result<Self, Malformed> {
        check(schema, bytes, 0).map(|()| Self { schema, bytes, offset: 0 })
    }

    /// Bytes that were checked before against the same schema, or that an encoder just made of a value of its type. With
    /// others, walking the value panics.
    pub fn trusted(schema: &'a Schema, bytes: &'a [u8]) -> Self {
        Self { schema, bytes, offset: 0 }
    }

    /// The schema.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// The encoding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the encoding begins in the whole, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What it says, where it has no parts.
    pub fn leaf(&self) -> Option<Leaf<'a>> {
        Some(match self.schema {
            Schema::Uint(256) => Leaf::Large(self.bytes),
            Schema::Uint(_) => {
                let mut number = [0; 16];
                number[..self.bytes.len()].copy_from_slice(self.bytes);
                Leaf::Number(u128::from_le_bytes(number))
            }
            Schema::Boolean => Leaf::Boolean(self.bytes[0] == 1),
            Schema::ByteVector(_) | Schema::ByteList(_) => Leaf::Bytes(self.bytes),
            Schema::Bitvector(length) => Leaf::Bits(self.bytes, *length),
            Schema::Bitlist(_) => Leaf::Bits(self.bytes, bitlist_len(self.bytes)),
            Schema::Vector(..) | Schema::List(..) | Schema::Container { .. } | Schema::Union { .. } => {
                return None;
            }
        })
    }

    /// How many parts it has: fields, elements, one for a union, none for a leaf.
    pub fn count(&self) -> usize {
        match self.schema {
            Schema::Container { fields, .. } => fields.len(),
            Schema::Vector(_, length) => *length,
            Schema::List(element, _) => match fixed_len(element) {
                Some(len) => self.bytes.len() / len,
                None if self.bytes.is_empty() => 0,
                None => read_offset(self.bytes, 0) / OFFSET_LEN,
            },
            Schema::Union { .. } => 1,
            _ => 0,
        }
    }

    /// The part with a number below [`Value::count`].
    pub fn part(&self, index: usize) -> Self {
        match self.schema {
            Schema::Container { fields, .. } => self.field(fields, index),
            Schema::Vector(element, _) | Schema::List(element, _) => self.element(element, index),
            Schema::Union { options, .. } => {
                let option = options.iter().find(|(selector, _)| *selector == self.bytes[0]);
                let (_, schema) = option.expect("the selector was checked");
                Self { schema, bytes: &self.bytes[1..], offset: self.offset + 1 }
            }
            _ => panic!("a leaf has no parts"),
        }
    }

    /// All parts in order, with the step that leads to each.
    pub fn parts(self) -> impl Iterator<Item = (Step, Self)> {
        (0..self.count()).map(move |index| (self.step(index), self.part(index)))
    }

    /// The step to a part.
    pub fn step(&self, index: usize) -> Step {
        match self.schema {
            Schema::Container { fields, .. } => Step::Field(fields[index].0.to_owned()),
            _ => Step::Index(index as u64),
        }
    }

    /// The part that a path leads to; none where there is none, or the path ends at a length, a bit or a byte.
    pub fn at(self, path: &Path) -> Option<Self> {
        path.steps().iter().try_fold(self, |value, step| value.child(step))
    }

    /// The part that one step leads to.
    pub fn child(&self, step: &Step) -> Option<Self> {
        let index = match (self.schema, step) {
            (Schema::Container { fields, .. }, Step::Field(name)) => {
                fields.iter().position(|(field, _)| field == name)?
            }
            (Schema::Vector(..) | Schema::List(..) | Schema::Union { .. }, Step::Index(index)) => {
                usize::try_from(*index).ok()?
            }
            _ => return None,
        };
        (index < self.count()).then(|| self.part(index))
    }

    fn field(&self, fields: &'a [(&'static str, Schema)], index: usize) -> Self {
        let mut position = 0;
        for (_, schema) in &fields[..index] {
            position += fixed_len(schema).unwrap_or(OFFSET_LEN);
        }
        let schema = &fields[index].1;
        if let Some(len) = fixed_len(schema) {
            return self.cut(schema, position, position + len);
        }
        let mut behind = position + OFFSET_LEN;
        let mut end = self.bytes.len();
        for (_, later) in &fields[index + 1..] {
            match fixed_len(later) {
                Some(len) => behind += len,
                None => {
                    end = read_offset(self.bytes, behind);
                    break;
                }
            }
        }
        self.cut(schema, read_offset(self.bytes, position), end)
    }

    fn element(&self, element: &'a Schema, index: usize) -> Self {
        if let Some(len) = fixed_len(element) {
            return self.cut(element, index * len, (index + 1) * len);
        }
        let end = if index + 1 < self.count() {
            read_offset(self.bytes, (index + 1) * OFFSET_LEN)
        } else {
            self.bytes.len()
        };
        self.cut(element, read_offset(self.bytes, index * OFFSET_LEN), end)
    }

    fn cut(&self, schema: &'a Schema, start: usize, end: usize) -> Self {
        Self { schema, bytes: &self.bytes[start..end], offset: self.offset + start }
    }
}

/// The size of every value of the schema, where all have the same.
pub(crate) fn fixed_len(schema: &Schema) -> Option<usize> {
    match schema {
        Schema::Uint(bits) => Some(usize::from(*bits) / 8),
        Schema::Boolean => Some(1),
        Schema::ByteVector(length) => Some(*length),
        Schema::Bitvector(length) => Some(length.div_ceil(8)),
        Schema::Vector(element, length) => Some(fixed_len(element)? * length),
        Schema::Container { fields, .. } => {
            fields.iter().map(|(_, schema)| fixed_len(schema)).try_fold(0, |sum, len| Some(sum + len?))
        }
        Schema::ByteList(_) | Schema::Bitlist(_) | Schema::List(..) | Schema::Union { .. } => None,
    }
}

/// The offset at a position. The position must lie inside.
pub(crate) fn read_offset(bytes: &[u8], position: usize) -> usize {
    let bytes: [u8; OFFSET_LEN] = bytes[position..position + OFFSET_LEN].try_into().expect("four bytes");
    u32::from_le_bytes(bytes) as usize
}

/// Bits before the delimiter of a bit list that was checked.
pub(crate) fn bitlist_len(bytes: &[u8]) -> usize {
    let last = *bytes.last().expect("a bit list has a delimiter");
    (bytes.len() - 1) * 8 + last.ilog2() as usize
}

/// The most elements that a bound allows, if it does not allow all.
pub(crate) fn limit_of(bound: &Bound) -> Option<u64> {
    match bound {
        Bound::Limit(limit) => Some(*limit),
        Bound::Progressive => None,
    }
}
