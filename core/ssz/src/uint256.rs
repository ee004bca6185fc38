//! 256-bit unsigned numbers: encoding and decimal text; no arithmetic is needed of them.

use std::fmt;

use serde_json::Value;

use crate::basic::{exactly, json_text};
use crate::{Ctx, DecodeError, JsonError, Root, Schema, Shape, Ssz};

/// A 256-bit unsigned number, little endian.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Uint256(pub [u8; 32]);

impl Uint256 {
    /// The number of a decimal text; none for other characters or a value that does not fit.
    pub fn from_decimal(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut bytes = [0u8; 32];
        for digit in text.bytes() {
            let mut carry = u32::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
            for byte in &mut bytes {
                carry += u32::from(*byte) * 10;
                *byte = (carry & 0xff) as u8;
                carry >>= 8;
            }
            if carry != 0 {
                return None;
            }
        }
        Some(Self(bytes))
    }
}

impl From<u64> for Uint256 {
    fn from(value: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&value.to_le_bytes());
        Self(bytes)
    }
}

impl PartialOrd for Uint256 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uint256 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl fmt::Display for Uint256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut digits = Vec::new();
        while digits.is_empty() || rest != [0; 32] {
            let mut remainder = 0u32;
            for byte in rest.iter_mut().rev() {
                remainder = remainder << 8 | u32::from(*byte);
                *byte = (remainder / 10) as u8;
                remainder %= 10;
            }
            digits.push(char::from(b'0' + remainder as u8));
        }
        f.write_str(&digits.into_iter().rev().collect::<String>())
    }
}

impl fmt::Debug for Uint256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ssz for Uint256 {
    const BASIC: bool = true;
    const FIXED_LEN: Option<usize> = Some(32);

    fn fixed_len(_: &Shape, _: &Ctx) -> Option<usize> {
        Some(32)
    }

    fn encoded_len(&self, _: &Shape, _: &Ctx) -> usize {
        32
    }

    fn encode(&self, out: &mut Vec<u8>, _: &Shape, _: &Ctx) {
        out.extend_from_slice(&self.0);
    }

    fn decode(bytes: &[u8], _: &Shape, _: &Ctx) -> Result<Self, DecodeError> {
        exactly(bytes).map(Self)
    }

    fn root(&self, _: &Shape, _: &Ctx) -> Root {
        Root::from(self.0)
    }

    fn default_in(_: &Shape, _: &Ctx) -> Self {
        Self::default()
    }

    fn write_json(&self, out: &mut String, _: &Shape, _: &Ctx) {
        out.push_str(&format!("\"{self}\""));
    }

    fn read_json(value: &Value, _: &Shape, _: &Ctx) -> Result<Self, JsonError> {
        let text = json_text(value)?;
        Self::from_decimal(text)
            .ok_or_else(|| JsonError::new(format!("expected a quoted 256-bit number, found {text:?}")))
    }

    fn schema(_: &Shape, _: &Ctx) -> Schema {
        Schema::Uint(256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_round_trips_to_the_largest_value() {
        for text in [
            "0",
            "7",
            "18446744073709551616",
            "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        ] {
            assert_eq!(Uint256::from_decimal(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn decimal_text_that_does_not_fit_is_refused() {
        let over = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        assert_eq!(Uint256::from_decimal(over), None);
        assert_eq!(Uint256::from_decimal("12a"), None);
        assert_eq!(Uint256::from_decimal(""), None);
    }
}
