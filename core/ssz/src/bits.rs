//! Bit lists and bit vectors.

use std::fmt;

use serde_json::Value;

use crate::basic::json_text;
use crate::merkle::{chunks_of_bytes, merkleize, merkleize_progressive, mix_in_length};
use crate::{Bound, Ctx, DecodeError, DecodeErrorKind, JsonError, Root, Schema, Shape, Ssz, parse_hex};

/// A sequence of bits. The declaration says whether it is a bit list or a bit vector.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Eight bits a byte, lowest first; bits behind the end are zero.
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    /// `len` zero bits.
    pub fn zero(len: usize) -> Self {
        Self { bytes: vec![0; len.div_ceil(8)], len }
    }

    /// The count of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where there are no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `index`; false behind the end.
    pub fn get(&self, index: usize) -> bool {
        index < self.len && self.bytes[index / 8] >> (index % 8) & 1 == 1
    }

    /// Sets bit `index`, which must be below [`Bits::len`].
    pub fn set(&mut self, index: usize, value: bool) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        let mask = 1 << (index % 8);
        if value {
            self.bytes[index / 8] |= mask;
        } else {
            self.bytes[index / 8] &= !mask;
        }
    }

    /// The bits in order.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.len).map(|index| self.get(index))
    }

    /// The places of the bits that are set, in order.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.bytes.iter().enumerate().flat_map(|(place, byte)| {
            let mut left = *byte;
            std::iter::from_fn(move || {
                let lowest = (left != 0).then(|| 8 * place + left.trailing_zeros() as usize);
                left &= left.wrapping_sub(1);
                lowest
            })
        })
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// True where every bit of `other` is set here too. Lengths that differ are never supersets.
    pub fn is_superset(&self, other: &Self) -> bool {
        self.len == other.len && self.bytes.iter().zip(&other.bytes).all(|(a, b)| a & b == *b)
    }

    /// True where some bit is set in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.bytes.iter().zip(&other.bytes).any(|(a, b)| a & b != 0)
    }

    /// Sets every bit that is set in `other`, which must have the same length.
    pub fn union_with(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "bits of different lengths");
        for (mine, theirs) in self.bytes.iter_mut().zip(&other.bytes) {
            *mine |= theirs;
        }
    }

    /// Eight bits a byte, lowest first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn from_list_bytes(bytes: &[u8], bound: Bound) -> Result<Self, DecodeErrorKind> {
        let last = bytes.last().filter(|byte| **byte != 0).ok_or(DecodeErrorKind::BitDelimiter)?;
        let top = 7 - last.leading_zeros() as usize;
        let len = (bytes.len() - 1) * 8 + top;
        if let Bound::Limit(limit) = bound
            && len as u64 > limit
        {
            return Err(DecodeErrorKind::Limit { limit, found: len as u64 });
        }
        let mut bytes = bytes.to_vec();
        let end = bytes.len() - 1;
        bytes[end] &= !(1 << top);
        bytes.truncate(len.div_ceil(8));
        Ok(Self { bytes, len })
    }

    fn from_vector_bytes(bytes: &[u8], len: usize) -> Result<Self, DecodeErrorKind> {
        let expected = len.div_ceil(8);
        if bytes.len() != expected {
            return Err(DecodeErrorKind::Length { expected, found: bytes.len() });
        }
        if !len.is_multiple_of(8) && bytes[expected - 1] >> (len % 8) != 0 {
            return Err(DecodeErrorKind::BitPadding);
        }
        Ok(Self { bytes: bytes.to_vec(), len })
    }

    fn from_bytes(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeErrorKind> {
        match shape.vector_length(ctx) {
            Some(len) => Self::from_vector_bytes(bytes, len),
            None => Self::from_list_bytes(bytes, shape.bound(ctx)),
        }
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut result = Self::default();
        for bit in bits {
            if result.len % 8 == 0 {
                result.bytes.push(0);
            }
            result.len += 1;
            result.set(result.len - 1, bit);
        }
        result
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|bit| f.write_str(if bit { "1" } else { "0" }))
    }
}

impl Ssz for Bits {
    fn fixed_len(shape: &Shape, ctx: &Ctx) -> Option<usize> {
        shape.vector_length(ctx).map(|len| len.div_ceil(8))
    }

    fn encoded_len(&self, shape: &Shape, _: &Ctx) -> usize {
        if shape.is_vector() { self.bytes.len() } else { self.len / 8 + 1 }
    }

    fn encode(&self, out: &mut Vec<u8>, shape: &Shape, _: &Ctx) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        if !shape.is_vector() {
            if self.len.is_multiple_of(8) {
                out.push(0);
            }
            out[start + self.len / 8] |= 1 << (self.len % 8);
        }
    }

    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(bytes, shape, ctx)?)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        let mut chunks = chunks_of_bytes(&self.bytes);
        let root = match shape.bound(ctx) {
            Bound::Limit(limit) => merkleize(&mut chunks, limit.div_ceil(256)),
            Bound::Progressive => merkleize_progressive(&mut chunks),
        };
        if shape.is_vector() { root } else { mix_in_length(&root, self.len) }
    }

    fn default_in(shape: &Shape, ctx: &Ctx) -> Self {
        Self::zero(shape.vector_length(ctx).unwrap_or(0))
    }

    fn write_json(&self, out: &mut String, shape: &Shape, ctx: &Ctx) {
        let mut bytes = Vec::with_capacity(self.encoded_len(shape, ctx));
        self.encode(&mut bytes, shape, ctx);
        out.push_str("\"0x");
        out.push_str(&hex::encode(bytes));
        out.push('"');
    }

    fn read_json(value: &Value, shape: &Shape, ctx: &Ctx) -> Result<Self, JsonError> {
        let bytes = parse_hex(json_text(value)?).map_err(|error| JsonError::new(error.to_string()))?;
        Self::from_bytes(&bytes, shape, ctx).map_err(|error| JsonError::new(error.to_string()))
    }

    fn schema(shape: &Shape, ctx: &Ctx) -> Schema {
        match shape.vector_length(ctx) {
            Some(len) => Schema::Bitvector(len),
            None => Schema::Bitlist(shape.bound(ctx)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ones_are_the_places_of_set_bits() {
        for len in [0, 1, 7, 8, 9, 64, 200] {
            let bits: Bits = (0..len).map(|index| index % 3 == 0 || index % 7 == 2).collect();
            let naive: Vec<usize> = (0..len).filter(|index| bits.get(*index)).collect();
            assert_eq!(bits.ones().collect::<Vec<_>>(), naive);
            assert_eq!(bits.count_ones(), naive.len());
        }
    }
}
