//! [`ssz_generic`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/ssz_generic): the rules of SSZ
//! on types of their own, valid and invalid.
//!
//! `value.yaml` shows the value as text, which must be what the value's JSON says too.

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use ssz::{Bits, BoundRef, Ctx, Shape, Ssz, Uint256};

use super::ssz_generic_types::*;
use super::{inspected, written};
use crate::case::Case;

#[derive(Deserialize)]
struct Meta {
    root: String,
}

/// What a case expects: a value, or refusal.
struct Expected<'a> {
    bytes: &'a [u8],
    valid: Option<Valid>,
}

/// What valid bytes mean.
struct Valid {
    root: String,
    /// The value as text.
    written: Value,
}

pub fn run(case: &Case) -> super::Result {
    let bytes = case.bytes("serialized.ssz")?;
    let valid = match case.suite.as_str() {
        "valid" => {
            Some(Valid { root: case.yaml::<Meta>("meta.yaml")?.root, written: case.yaml("value.yaml")? })
        }
        "invalid" => None,
        other => bail!("no suite {other}"),
    };
    let expected = Expected { bytes: &bytes, valid };
    let parts: Vec<&str> = case.name.split('_').collect();
    match case.handler.as_str() {
        "boolean" => expected.check::<bool>(&Shape::Plain),
        "uints" => expected.number(parts[1], &Shape::Plain, Wrap::None),
        "basic_vector" => {
            let length = parts[2].parse()?;
            expected.element(parts[1], &Shape::Vector(BoundRef::Const(length), &Shape::Plain))
        }
        "basic_progressive_list" => {
            expected.element(parts[1], &Shape::List(BoundRef::Progressive, &Shape::Plain))
        }
        "bitvector" => {
            expected.check::<Bits>(&Shape::Vector(BoundRef::Const(parts[1].parse()?), &Shape::Plain))
        }
        "bitlist" => {
            // `bitlist_no_delimiter_…` has no limit in its name; any one refuses it.
            let limit = if parts[1] == "no" { 256 } else { parts[1].parse()? };
            expected.check::<Bits>(&Shape::List(BoundRef::Const(limit), &Shape::Plain))
        }
        "progressive_bitlist" => expected.check::<Bits>(&Shape::List(BoundRef::Progressive, &Shape::Plain)),
        "containers" | "progressive_containers" | "compatible_unions" => expected.container(parts[0]),
        other => bail!("no handler {other}"),
    }
}

/// What holds the numbers of a case.
#[derive(Clone, Copy)]
enum Wrap {
    None,
    /// A plain vector; the persistent list must agree with it.
    Sequence,
}

impl Expected<'_> {
    fn check<T: Ssz>(&self, shape: &Shape) -> super::Result {
        let ctx = &Ctx::PLAIN;
        // A vector of no elements is no type, so that whatever bytes are given are invalid.
        if shape.is_vector() && shape.vector_length(ctx) == Some(0) {
            ensure!(self.valid.is_none(), "a vector without elements is not a type");
            return Ok(());
        }
        let decoded = T::decode(self.bytes, shape, ctx);
        let schema = T::schema(shape, ctx);
        let Some(Valid { root, written }) = &self.valid else {
            inspected::refuse(&schema, self.bytes)?;
            return decoded.map_or(Ok(()), |value| Err(anyhow!("invalid bytes were taken as {value:?}")));
        };
        let value = decoded.context("valid bytes were refused")?;
        let mut bytes = Vec::new();
        value.encode(&mut bytes, shape, ctx);
        ensure!(bytes == self.bytes, "encodes to other bytes");
        ensure!(value.encoded_len(shape, ctx) == bytes.len(), "encoded_len differs from the encoding");
        let found = value.root(shape, ctx);
        ensure!(found.to_string() == *root, "root is {found}, expected {root}");
        let mut json = String::new();
        value.write_json(&mut json, shape, ctx);
        let json: Value = serde_json::from_str(&json)?;
        let again = T::read_json(&json, shape, ctx).context("JSON")?;
        ensure!(again == value, "another value after JSON");
        inspected::check(&schema, self.bytes, root, &json)?;
        written::check(&json, written)
    }

    fn element(&self, name: &str, shape: &Shape) -> super::Result {
        match name {
            "bool" => self.check::<Vec<bool>>(shape).and_then(|()| self.check::<ssz::List<bool>>(shape)),
            _ => self.number(name.trim_start_matches("uint"), shape, Wrap::Sequence),
        }
    }

    fn number(&self, bits: &str, shape: &Shape, wrap: Wrap) -> super::Result {
        macro_rules! of {
            ($type:ty) => {
                match wrap {
                    Wrap::None => self.check::<$type>(shape),
                    Wrap::Sequence => {
                        self.check::<Vec<$type>>(shape)?;
                        self.check::<ssz::List<$type>>(shape)
                    }
                }
            };
        }
        match bits {
            "8" => of!(u8),
            "16" => of!(u16),
            "32" => of!(u32),
            "64" => of!(u64),
            "128" => of!(u128),
            "256" => of!(Uint256),
            other => bail!("no number of {other} bits"),
        }
    }

    fn container(&self, name: &str) -> super::Result {
        macro_rules! of {
            ($($type:ident),*) => {
                match name {
                    $(stringify!($type) => self.check::<$type>(&Shape::Plain),)*
                    other => bail!("no container {other}"),
                }
            };
        }
        of!(
            SingleFieldTestStruct,
            SmallTestStruct,
            FixedTestStruct,
            VarTestStruct,
            ComplexTestStruct,
            ProgressiveTestStruct,
            BitsStruct,
            ProgressiveBitsStruct,
            ProgressiveSingleFieldContainerTestStruct,
            ProgressiveSingleListContainerTestStruct,
            ProgressiveVarTestStruct,
            ProgressiveComplexTestStruct,
            CompatibleUnionA,
            CompatibleUnionBC,
            CompatibleUnionABCA
        )
    }
}
