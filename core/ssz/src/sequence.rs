//! What `Vec<T>` and [`List<T>`](crate::List) share: encoding, strict decoding and JSON of a run of elements.

use serde_json::Value;

use crate::basic::json_kind;
use crate::merkle::{merkleize, merkleize_progressive, mix_in_length};
use crate::proof::descend_sequence;
use crate::{Bound, Ctx, DecodeError, DecodeErrorKind, Descent, JsonError, Node, Root, Schema, Shape, Ssz};

/// Bytes of an offset.
pub(crate) const OFFSET_LEN: usize = 4;

/// Containers whose leaves are hashed together.
const ROOTS_AT_ONCE: usize = 32;

/// The offset at the start of `bytes`.
pub(crate) fn read_offset(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

/// An encoded position as an offset; encodings of 4 GiB and more do not exist.
pub(crate) fn offset_bytes(position: usize) -> [u8; OFFSET_LEN] {
    u32::try_from(position).expect("an SSZ encoding is smaller than 4 GiB").to_le_bytes()
}

fn check_length(found: usize, shape: &Shape, ctx: &Ctx) -> Result<(), DecodeErrorKind> {
    match (shape.vector_length(ctx), shape.bound(ctx)) {
        (Some(expected), _) if expected != found => Err(DecodeErrorKind::VectorLength { expected, found }),
        (None, Bound::Limit(limit)) if found as u64 > limit => {
            Err(DecodeErrorKind::Limit { limit, found: found as u64 })
        }
        _ => Ok(()),
    }
}

/// The size of the sequence where all values have the same.
pub(crate) fn fixed_len<T: Ssz>(shape: &Shape, ctx: &Ctx) -> Option<usize> {
    Some(shape.vector_length(ctx)? * T::fixed_len(shape.element(), ctx)?)
}

/// The size of the elements' encoding.
pub(crate) fn encoded_len<'a, T: Ssz>(
    items: impl ExactSizeIterator<Item = &'a T>,
    shape: &Shape,
    ctx: &Ctx,
) -> usize {
    match T::fixed_len(shape.element(), ctx) {
        Some(len) => len * items.len(),
        None => items.map(|item| OFFSET_LEN + item.encoded_len(shape.element(), ctx)).sum(),
    }
}

/// Appends the encoding of elements of one size.
pub(crate) fn encode_slice<T: Ssz>(items: &[T], out: &mut Vec<u8>, len: usize) {
    let start = out.len();
    out.resize(start + len * items.len(), 0);
    T::write_slice(items, &mut out[start..]);
}

/// Appends the elements' encoding.
pub(crate) fn encode<'a, T: Ssz>(
    items: impl ExactSizeIterator<Item = &'a T>,
    out: &mut Vec<u8>,
    shape: &Shape,
    ctx: &Ctx,
) {
    let element = shape.element();
    if T::fixed_len(element, ctx).is_some() {
        items.for_each(|item| item.encode(out, element, ctx));
        return;
    }
    let start = out.len();
    out.resize(start + items.len() * OFFSET_LEN, 0);
    for (index, item) in items.enumerate() {
        let slot = start + index * OFFSET_LEN;
        let offset = offset_bytes(out.len() - start);
        out[slot..slot + OFFSET_LEN].copy_from_slice(&offset);
        item.encode(out, element, ctx);
    }
}

/// Checks that the bytes hold as many elements of this size as the shape allows.
pub(crate) fn check_fixed(bytes: &[u8], len: usize, shape: &Shape, ctx: &Ctx) -> Result<(), DecodeErrorKind> {
    if !bytes.len().is_multiple_of(len) {
        return Err(DecodeErrorKind::Remainder { found: bytes.len(), element: len });
    }
    check_length(bytes.len() / len, shape, ctx)
}

/// Reads the elements that fill `bytes`, whose size is not the same in all presets and forks, and hands each to `push`.
pub(crate) fn decode<T: Ssz>(
    bytes: &[u8],
    shape: &Shape,
    ctx: &Ctx,
    mut push: impl FnMut(T),
) -> Result<(), DecodeError> {
    let element = shape.element();
    let mut read = |index: usize, part: &[u8]| -> Result<(), DecodeError> {
        push(T::decode(part, element, ctx).map_err(|error| error.within(format!("[{index}]")))?);
        Ok(())
    };
    if let Some(len) = T::fixed_len(element, ctx) {
        check_fixed(bytes, len, shape, ctx)?;
        return bytes.chunks_exact(len).enumerate().try_for_each(|(index, part)| read(index, part));
    }
    let count = variable_count(bytes)?;
    check_length(count, shape, ctx)?;
    for index in 0..count {
        let start = read_offset(&bytes[index * OFFSET_LEN..]);
        let end =
            if index + 1 < count { read_offset(&bytes[(index + 1) * OFFSET_LEN..]) } else { bytes.len() };
        read(index, part_between(bytes, start, end)?)?;
    }
    Ok(())
}

/// How many elements of variable size the bytes hold: the first offset tells.
fn variable_count(bytes: &[u8]) -> Result<usize, DecodeErrorKind> {
    if bytes.is_empty() {
        return Ok(0);
    }
    if bytes.len() < OFFSET_LEN {
        return Err(DecodeErrorKind::TooShort { expected: OFFSET_LEN, found: bytes.len() });
    }
    let first = read_offset(bytes);
    if first == 0 || !first.is_multiple_of(OFFSET_LEN) {
        return Err(DecodeErrorKind::FirstOffset { expected: OFFSET_LEN, found: first });
    }
    if first > bytes.len() {
        return Err(DecodeErrorKind::OffsetRange { offset: first, length: bytes.len() });
    }
    Ok(first / OFFSET_LEN)
}

/// The bytes between two offsets.
pub(crate) fn part_between(bytes: &[u8], start: usize, end: usize) -> Result<&[u8], DecodeErrorKind> {
    if start > bytes.len() {
        return Err(DecodeErrorKind::OffsetRange { offset: start, length: bytes.len() });
    }
    if end < start {
        return Err(DecodeErrorKind::OffsetOrder { previous: start, next: end });
    }
    bytes.get(start..end).ok_or(DecodeErrorKind::OffsetRange { offset: end, length: bytes.len() })
}

/// Writes the leaves of the tree over `items` to `out`: packed chunks of basic elements, roots of all others.
pub(crate) fn write_leaves<T: Ssz>(items: &[T], out: &mut [Node], shape: &Shape, ctx: &Ctx) {
    if T::BASIC {
        T::write_slice(items, &mut out.as_flattened_mut()[..size_of_val(items)]);
    } else {
        // As many at once as keep what is hashed for them in the processor's first cache.
        for (items, out) in items.chunks(ROOTS_AT_ONCE).zip(out.chunks_mut(ROOTS_AT_ONCE)) {
            T::write_roots(&items.iter().collect::<Vec<_>>(), out, 1, shape.element(), ctx);
        }
    }
}

/// The leaves of the tree over `items`.
pub(crate) fn leaves<T: Ssz>(items: &[T], shape: &Shape, ctx: &Ctx) -> Vec<Node> {
    let count = if T::BASIC { size_of_val(items).div_ceil(32) } else { items.len() };
    let mut leaves = vec![[0; 32]; count];
    write_leaves(items, &mut leaves, shape, ctx);
    leaves
}

/// How many leaves a tree for `limit` elements has.
pub(crate) fn leaf_limit<T: Ssz>(limit: u64, shape: &Shape, ctx: &Ctx) -> u64 {
    match T::fixed_len(shape.element(), ctx) {
        Some(len) if T::BASIC => limit.div_ceil(32 / len as u64),
        _ => limit,
    }
}

/// The root of a sequence whose leaves are given as scratch space.
pub(crate) fn root_of_leaves<T: Ssz>(leaves: &mut [Node], len: usize, shape: &Shape, ctx: &Ctx) -> Root {
    let root = match shape.bound(ctx) {
        Bound::Limit(limit) => merkleize(leaves, leaf_limit::<T>(limit, shape, ctx)),
        Bound::Progressive => merkleize_progressive(leaves),
    };
    if shape.is_vector() { root } else { mix_in_length(&root, len) }
}

/// Appends a JSON array.
pub(crate) fn write_json<'a, T: Ssz>(
    items: impl Iterator<Item = &'a T>,
    out: &mut String,
    shape: &Shape,
    ctx: &Ctx,
) {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        item.write_json(out, shape.element(), ctx);
    }
    out.push(']');
}

/// Reads a JSON array.
pub(crate) fn read_json<T: Ssz>(value: &Value, shape: &Shape, ctx: &Ctx) -> Result<Vec<T>, JsonError> {
    let items = value
        .as_array()
        .ok_or_else(|| JsonError::new(format!("expected an array, found {}", json_kind(value))))?;
    check_length(items.len(), shape, ctx).map_err(|error| JsonError::new(error.to_string()))?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            T::read_json(item, shape.element(), ctx).map_err(|error| error.within(format!("[{index}]")))
        })
        .collect()
}

/// The schema of a sequence.
pub(crate) fn schema<T: Ssz>(shape: &Shape, ctx: &Ctx) -> Schema {
    let element = Box::new(T::schema(shape.element(), ctx));
    match shape.vector_length(ctx) {
        Some(length) => Schema::Vector(element, length),
        None => Schema::List(element, shape.bound(ctx)),
    }
}

impl<T: Ssz> Ssz for Vec<T> {
    fn fixed_len(shape: &Shape, ctx: &Ctx) -> Option<usize> {
        fixed_len::<T>(shape, ctx)
    }

    fn encoded_len(&self, shape: &Shape, ctx: &Ctx) -> usize {
        encoded_len(self.iter(), shape, ctx)
    }

    fn encode(&self, out: &mut Vec<u8>, shape: &Shape, ctx: &Ctx) {
        match T::FIXED_LEN {
            Some(len) => encode_slice(self, out, len),
            None => encode(self.iter(), out, shape, ctx),
        }
    }

    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError> {
        let mut items = Self::new();
        if let Some(len) = T::FIXED_LEN {
            check_fixed(bytes, len, shape, ctx)?;
            return match T::read_slice(bytes, &mut items) {
                Ok(()) => Ok(items),
                Err(error) => Err(error.within(format!("[{}]", items.len()))),
            };
        }
        // Grown by pushing: a count that the bytes only claim reserves nothing.
        decode(bytes, shape, ctx, |item| items.push(item))?;
        Ok(items)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        root_of_leaves::<T>(&mut leaves(self, shape, ctx), self.len(), shape, ctx)
    }

    fn descend(&self, descent: &mut Descent, shape: &Shape, ctx: &Ctx) -> Option<Root> {
        descend_sequence(leaves(self, shape, ctx), self, self.len(), descent, (shape, ctx))
    }

    fn default_in(shape: &Shape, ctx: &Ctx) -> Self {
        vec![T::default_in(shape.element(), ctx); shape.vector_length(ctx).unwrap_or(0)]
    }

    fn write_json(&self, out: &mut String, shape: &Shape, ctx: &Ctx) {
        write_json(self.iter(), out, shape, ctx);
    }

    fn read_json(value: &Value, shape: &Shape, ctx: &Ctx) -> Result<Self, JsonError> {
        read_json(value, shape, ctx)
    }

    fn schema(shape: &Shape, ctx: &Ctx) -> Schema {
        schema::<T>(shape, ctx)
    }
}
