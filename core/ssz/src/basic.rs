//! Numbers, booleans and fixed bytes.

use std::fmt::Write;

use serde_json::Value;

use crate::hash::hash_layers;
use crate::merkle::{chunks_of_bytes, depth_of, merkleize};
use crate::{Ctx, DecodeError, DecodeErrorKind, FixedBytes, JsonError, Node, Root, Schema, Shape, Ssz};

/// The bytes as an array, or the length error.
#[inline]
pub(crate) fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeErrorKind::Length { expected: N, found: bytes.len() }.into())
}

/// The text of a JSON string, or an error that says what was found.
pub(crate) fn json_text(value: &Value) -> Result<&str, JsonError> {
    value.as_str().ok_or_else(|| JsonError::new(format!("expected a string, found {}", json_kind(value))))
}

/// What sort of JSON value this is, for error texts.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

macro_rules! unsigned {
    ($type:ty) => {
        impl Ssz for $type {
            const BASIC: bool = true;
            const FIXED_LEN: Option<usize> = Some(size_of::<Self>());

            fn fixed_len(_: &Shape, _: &Ctx) -> Option<usize> {
                Some(size_of::<Self>())
            }

            #[inline]
            fn write_fixed(&self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn read_fixed(bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(exactly(bytes)?))
            }

            // Both loops compile to copies of memory.
            fn write_slice(items: &[Self], out: &mut [u8]) {
                let parts = out.as_chunks_mut::<{ size_of::<Self>() }>().0;
                parts.iter_mut().zip(items).for_each(|(part, item)| *part = item.to_le_bytes());
            }

            fn read_slice(bytes: &[u8], out: &mut Vec<Self>) -> Result<(), DecodeError> {
                let parts = bytes.as_chunks::<{ size_of::<Self>() }>().0;
                out.extend(parts.iter().map(|part| Self::from_le_bytes(*part)));
                Ok(())
            }

            fn encoded_len(&self, _: &Shape, _: &Ctx) -> usize {
                size_of::<Self>()
            }

            fn encode(&self, out: &mut Vec<u8>, _: &Shape, _: &Ctx) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn decode(bytes: &[u8], _: &Shape, _: &Ctx) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(exactly(bytes)?))
            }

            fn root(&self, _: &Shape, _: &Ctx) -> Root {
                let mut root = Root::ZERO;
                root.0[..size_of::<Self>()].copy_from_slice(&self.to_le_bytes());
                root
            }

            fn default_in(_: &Shape, _: &Ctx) -> Self {
                0
            }

            fn write_json(&self, out: &mut String, _: &Shape, _: &Ctx) {
                write!(out, "\"{self}\"").expect("a String takes all text");
            }

            fn read_json(value: &Value, _: &Shape, _: &Ctx) -> Result<Self, JsonError> {
                let text = json_text(value)?;
                // `parse` takes a leading plus sign, which is no JSON form of a number here.
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let number = digits.then(|| text.parse().ok()).flatten();
                number.ok_or_else(|| {
                    JsonError::new(format!("expected a quoted {}-bit number, found {text:?}", Self::BITS))
                })
            }

            fn schema(_: &Shape, _: &Ctx) -> Schema {
                Schema::Uint(Self::BITS as u16)
            }
        }
    };
}

unsigned!(u8);
unsigned!(u16);
unsigned!(u32);
unsigned!(u64);
unsigned!(u128);

/// Implements [`Ssz`] for a tuple struct around a `u64`.
#[macro_export]
macro_rules! number_ssz {
    ($name:ident) => {
        impl $crate::Ssz for $name {
            const BASIC: bool = true;
            const FIXED_LEN: Option<usize> = Some(8);

            fn fixed_len(_: &$crate::Shape, _: &$crate::Ctx) -> Option<usize> {
                Some(8)
            }

            #[inline]
            fn write_fixed(&self, out: &mut [u8]) {
                self.0.write_fixed(out);
            }

            #[inline]
            fn read_fixed(bytes: &[u8]) -> Result<Self, $crate::DecodeError> {
                u64::read_fixed(bytes).map(Self)
            }

            fn write_slice(items: &[Self], out: &mut [u8]) {
                let parts = out.as_chunks_mut::<8>().0;
                parts.iter_mut().zip(items).for_each(|(part, item)| *part = item.0.to_le_bytes());
            }

            fn read_slice(bytes: &[u8], out: &mut Vec<Self>) -> Result<(), $crate::DecodeError> {
                let parts = bytes.as_chunks::<8>().0;
                out.extend(parts.iter().map(|part| Self(u64::from_le_bytes(*part))));
                Ok(())
            }

            fn encoded_len(&self, _: &$crate::Shape, _: &$crate::Ctx) -> usize {
                8
            }

            fn encode(&self, out: &mut Vec<u8>, shape: &$crate::Shape, ctx: &$crate::Ctx) {
                self.0.encode(out, shape, ctx);
            }

            fn decode(
                bytes: &[u8],
                shape: &$crate::Shape,
                ctx: &$crate::Ctx,
            ) -> Result<Self, $crate::DecodeError> {
                u64::decode(bytes, shape, ctx).map(Self)
            }

            fn root(&self, shape: &$crate::Shape, ctx: &$crate::Ctx) -> $crate::Root {
                self.0.root(shape, ctx)
            }

            fn default_in(_: &$crate::Shape, _: &$crate::Ctx) -> Self {
                Self(0)
            }

            fn write_json(&self, out: &mut String, shape: &$crate::Shape, ctx: &$crate::Ctx) {
                self.0.write_json(out, shape, ctx);
            }

            fn read_json(
                value: &$crate::JsonValue,
                shape: &$crate::Shape,
                ctx: &$crate::Ctx,
            ) -> Result<Self, $crate::JsonError> {
                u64::read_json(value, shape, ctx).map(Self)
            }

            fn schema(_: &$crate::Shape, _: &$crate::Ctx) -> $crate::Schema {
                $crate::Schema::Uint(64)
            }
        }
    };
}

impl Ssz for bool {
    const BASIC: bool = true;
    const FIXED_LEN: Option<usize> = Some(1);

    #[inline]
    fn write_fixed(&self, out: &mut [u8]) {
        out.copy_from_slice(&[u8::from(*self)]);
    }

    #[inline]
    fn read_fixed(bytes: &[u8]) -> Result<Self, DecodeError> {
        match exactly(bytes)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(DecodeErrorKind::Boolean(other).into()),
        }
    }

    fn fixed_len(_: &Shape, _: &Ctx) -> Option<usize> {
        Some(1)
    }

    fn encoded_len(&self, _: &Shape, _: &Ctx) -> usize {
        1
    }

    fn encode(&self, out: &mut Vec<u8>, _: &Shape, _: &Ctx) {
        out.push(u8::from(*self));
    }

    fn decode(bytes: &[u8], _: &Shape, _: &Ctx) -> Result<Self, DecodeError> {
        Self::read_fixed(bytes)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        u8::from(*self).root(shape, ctx)
    }

    fn default_in(_: &Shape, _: &Ctx) -> Self {
        false
    }

    fn write_json(&self, out: &mut String, _: &Shape, _: &Ctx) {
        out.push_str(if *self { "true" } else { "false" });
    }

    fn read_json(value: &Value, _: &Shape, _: &Ctx) -> Result<Self, JsonError> {
        value
            .as_bool()
            .ok_or_else(|| JsonError::new(format!("expected true or false, found {}", json_kind(value))))
    }

    fn schema(_: &Shape, _: &Ctx) -> Schema {
        Schema::Boolean
    }
}

impl<const N: usize> Ssz for FixedBytes<N> {
    const FIXED_LEN: Option<usize> = Some(N);

    #[inline]
    fn write_fixed(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }

    #[inline]
    fn read_fixed(bytes: &[u8]) -> Result<Self, DecodeError> {
        exactly(bytes).map(Self)
    }

    fn write_slice(items: &[Self], out: &mut [u8]) {
        out.as_chunks_mut::<N>().0.iter_mut().zip(items).for_each(|(part, item)| *part = item.0);
    }

    fn read_slice(bytes: &[u8], out: &mut Vec<Self>) -> Result<(), DecodeError> {
        out.extend(bytes.as_chunks::<N>().0.iter().map(|part| Self(*part)));
        Ok(())
    }

    fn write_roots(items: &[&Self], out: &mut [Node], stride: usize, _: &Shape, _: &Ctx) {
        let depth = depth_of(N.div_ceil(32) as u64);
        let mut chunks = vec![[0; 32]; items.len() << depth];
        for (item, chunks) in items.iter().zip(chunks.chunks_exact_mut(1 << depth)) {
            chunks.as_flattened_mut()[..N].copy_from_slice(&item.0);
        }
        hash_layers(&mut chunks, depth);
        out.iter_mut().step_by(stride).zip(&chunks[..items.len()]).for_each(|(out, root)| *out = *root);
    }

    fn fixed_len(_: &Shape, _: &Ctx) -> Option<usize> {
        Some(N)
    }

    fn encoded_len(&self, _: &Shape, _: &Ctx) -> usize {
        N
    }

    fn encode(&self, out: &mut Vec<u8>, _: &Shape, _: &Ctx) {
        out.extend_from_slice(&self.0);
    }

    fn decode(bytes: &[u8], _: &Shape, _: &Ctx) -> Result<Self, DecodeError> {
        exactly(bytes).map(Self)
    }

    fn root(&self, _: &Shape, _: &Ctx) -> Root {
        if let Ok(root) = Root::try_from(self.as_slice()) {
            return root;
        }
        merkleize(&mut chunks_of_bytes(&self.0), N.div_ceil(32) as u64)
    }

    fn default_in(_: &Shape, _: &Ctx) -> Self {
        Self::ZERO
    }

    fn write_json(&self, out: &mut String, _: &Shape, _: &Ctx) {
        write!(out, "\"{self}\"").expect("a String takes all text");
    }

    fn read_json(value: &Value, _: &Shape, _: &Ctx) -> Result<Self, JsonError> {
        json_text(value)?.parse().map_err(|error: crate::ParseHexError| JsonError::new(error.to_string()))
    }

    fn schema(_: &Shape, _: &Ctx) -> Schema {
        Schema::ByteVector(N)
    }
}
