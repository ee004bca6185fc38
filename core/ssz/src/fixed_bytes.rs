//! Fixed-size byte strings: roots, keys, signatures, versions.

use std::fmt;

/// `N` bytes, written as lowercase `0x…` in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FixedBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> FixedBytes<N> {
    /// All bytes zero.
    pub const ZERO: Self = Self([0; N]);

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// True when every byte is zero.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|b| *b == 0)
    }
}

impl<const N: usize> Default for FixedBytes<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> From<[u8; N]> for FixedBytes<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> TryFrom<&[u8]> for FixedBytes<N> {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into()?))
    }
}

impl<const N: usize> AsRef<[u8]> for FixedBytes<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a [`FixedBytes`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParseHexError {
    /// The text does not begin with `0x`.
    #[error("hex text must begin with 0x")]
    Prefix,
    /// A character outside 0-9, a-f, A-F, or an odd count of them.
    #[error("not hexadecimal: {0}")]
    Digits(hex::FromHexError),
    /// The wrong number of bytes.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes that the type holds.
        expected: usize,
        /// Bytes in the text.
        found: usize,
    },
}

impl<const N: usize> std::str::FromStr for FixedBytes<N> {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        let bytes = parse_hex(text)?;
        let found = bytes.len();
        let bytes = bytes.try_into().map_err(|_| ParseHexError::Length { expected: N, found })?;
        Ok(Self(bytes))
    }
}

/// The bytes of a `0x…` text.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, ParseHexError> {
    let digits = text.strip_prefix("0x").ok_or(ParseHexError::Prefix)?;
    hex::decode(digits).map_err(ParseHexError::Digits)
}
