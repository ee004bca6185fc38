//! What the derive's code calls for compatible unions (EIP-8016).

use serde_json::Value;

use crate::{Ctx, DecodeError, DecodeErrorKind, JsonError, JsonObject, Shape};

/// The selector and the encoding behind it.
pub fn union_selector(bytes: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let (selector, rest) = bytes.split_first().ok_or(DecodeErrorKind::TooShort { expected: 1, found: 0 })?;
    Ok((*selector, rest))
}

/// The selector and the value of a union's JSON.
pub fn union_json(value: &Value) -> Result<(u8, &Value), JsonError> {
    let selector = JsonObject::new(value)?.field::<u8>("selector", &Shape::Plain, &Ctx::PLAIN)?;
    let data = value.get("data").ok_or_else(|| JsonError::new("missing").within("data"))?;
    Ok((selector, data))
}

#[cfg(test)]
mod tests {
    use crate::{Ctx, SszExt};

    #[derive(Clone, Debug, Default, PartialEq, crate::Ssz)]
    #[ssz(progressive(1, 0, 1))]
    struct Pair {
        left: u8,
        right: u64,
    }

    #[derive(Clone, Debug, PartialEq, crate::Ssz)]
    enum Either {
        #[ssz(selector = 3)]
        One(Pair),
        #[ssz(selector = 9)]
        Other(Pair),
    }

    #[test]
    fn a_union_keeps_its_selector_in_bytes_and_json() {
        let value = Either::Other(Pair { left: 1, right: 2 });
        let bytes = value.to_ssz(Ctx::PLAIN);
        assert_eq!(bytes[0], 9);
        assert_eq!(Either::from_ssz(&bytes, Ctx::PLAIN).unwrap(), value);
        assert_eq!(Either::from_json(&value.to_json(Ctx::PLAIN), Ctx::PLAIN).unwrap(), value);
        assert!(Either::from_ssz(&[4, 0], Ctx::PLAIN).is_err());
    }
}
