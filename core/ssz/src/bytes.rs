//! Byte lists, and byte vectors whose length is a preset's.

use std::fmt;

use serde_json::Value;

use crate::basic::json_text;
use crate::merkle::{chunks_of_bytes, merkleize, merkleize_progressive, mix_in_length};
use crate::{Bound, Ctx, DecodeError, DecodeErrorKind, JsonError, Root, Schema, Shape, Ssz, parse_hex};

/// Bytes, written as `0x…` in text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(&self.0))
    }
}

impl Bytes {
    fn checked(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeErrorKind> {
        let found = bytes.len();
        match (shape.vector_length(ctx), shape.bound(ctx)) {
            (Some(expected), _) if expected != found => {
                Err(DecodeErrorKind::VectorLength { expected, found })
            }
            (None, Bound::Limit(limit)) if found as u64 > limit => {
                Err(DecodeErrorKind::Limit { limit, found: found as u64 })
            }
            _ => Ok(Self(bytes.to_vec())),
        }
    }
}

impl Ssz for Bytes {
    fn fixed_len(shape: &Shape, ctx: &Ctx) -> Option<usize> {
        shape.vector_length(ctx)
    }

    fn encoded_len(&self, _: &Shape, _: &Ctx) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut Vec<u8>, _: &Shape, _: &Ctx) {
        out.extend_from_slice(&self.0);
    }

    fn decode(bytes: &[u8], shape: &Shape, ctx: &Ctx) -> Result<Self, DecodeError> {
        Ok(Self::checked(bytes, shape, ctx)?)
    }

    fn root(&self, shape: &Shape, ctx: &Ctx) -> Root {
        let mut chunks = chunks_of_bytes(&self.0);
        let root = match shape.bound(ctx) {
            Bound::Limit(limit) => merkleize(&mut chunks, limit.div_ceil(32)),
            Bound::Progressive => merkleize_progressive(&mut chunks),
        };
        if shape.is_vector() { root } else { mix_in_length(&root, self.0.len()) }
    }

    fn default_in(shape: &Shape, ctx: &Ctx) -> Self {
        Self(vec![0; shape.vector_length(ctx).unwrap_or(0)])
    }

    fn write_json(&self, out: &mut String, _: &Shape, _: &Ctx) {
        out.push_str("\"0x");
        out.push_str(&hex::encode(&self.0));
        out.push('"');
    }

    fn read_json(value: &Value, shape: &Shape, ctx: &Ctx) -> Result<Self, JsonError> {
        let bytes = parse_hex(json_text(value)?).map_err(|error| JsonError::new(error.to_string()))?;
        Self::checked(&bytes, shape, ctx).map_err(|error| JsonError::new(error.to_string()))
    }

    fn schema(shape: &Shape, ctx: &Ctx) -> Schema {
        match shape.vector_length(ctx) {
            Some(length) => Schema::ByteVector(length),
            None => Schema::ByteList(shape.bound(ctx)),
        }
    }
}
