//! Why bytes or JSON are not a value of the wanted type.

use std::fmt;

/// Why bytes are not the encoding of a value, and where in it.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Located<DecodeErrorKind>>);

/// Why a JSON text is not a value, and where in it.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonError(Box<Located<String>>);

#[derive(Clone, PartialEq, Eq)]
struct Located<K> {
    path: Vec<String>,
    kind: K,
}

/// The rule of SSZ that the bytes break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// A fixed-size value of another size.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes that the type takes.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Fewer bytes than the fixed part of a container.
    #[error("expected at least {expected} bytes, found {found}")]
    TooShort {
        /// Bytes of the fixed part.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The first offset does not point right behind the fixed part.
    #[error("first offset is {found}, the fixed part ends at {expected}")]
    FirstOffset {
        /// Where the fixed part ends.
        expected: usize,
        /// The offset found.
        found: usize,
    },
    /// Offsets go backwards.
    #[error("offset {next} is below the one before it, {previous}")]
    OffsetOrder {
        /// The earlier offset.
        previous: usize,
        /// The later, smaller offset.
        next: usize,
    },
    /// An offset behind the last byte.
    #[error("offset {offset} is beyond the {length} bytes given")]
    OffsetRange {
        /// The offset.
        offset: usize,
        /// Bytes given.
        length: usize,
    },
    /// Bytes that are no whole number of elements.
    #[error("{found} bytes are no multiple of the element's {element}")]
    Remainder {
        /// Bytes found.
        found: usize,
        /// Bytes of one element.
        element: usize,
    },
    /// A list over its limit.
    #[error("{found} elements, the limit is {limit}")]
    Limit {
        /// The most that the list may hold.
        limit: u64,
        /// Elements found.
        found: u64,
    },
    /// A vector of another length.
    #[error("{found} elements, the vector has {expected}")]
    VectorLength {
        /// The vector's length.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("a boolean is 0 or 1, found {0}")]
    Boolean(u8),
    /// Bits set behind the end of a bit vector.
    #[error("bits are set beyond the last bit")]
    BitPadding,
    /// A bit list without the bit that marks its length.
    #[error("the bit list has no delimiting bit")]
    BitDelimiter,
    /// A union's selector that names none of its options.
    #[error("unknown union selector {0}")]
    Selector(u8),
}

impl DecodeError {
    /// The broken rule.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    /// The same error, inside the field or element `name`.
    pub fn within(mut self, name: impl ToString) -> Self {
        self.0.path.push(name.to_string());
        self
    }
}

impl From<DecodeErrorKind> for DecodeError {
    fn from(kind: DecodeErrorKind) -> Self {
        Self(Box::new(Located { path: Vec::new(), kind }))
    }
}

impl JsonError {
    /// An error with a plain reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Located { path: Vec::new(), kind: reason.into() }))
    }

    /// The same error, inside the field or element `name`.
    pub fn within(mut self, name: impl ToString) -> Self {
        self.0.path.push(name.to_string());
        self
    }
}

impl<K: fmt::Display> fmt::Display for Located<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, name) in self.path.iter().rev().enumerate() {
            if depth > 0 {
                write!(f, ".")?;
            }
            write!(f, "{name}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": ")?;
        }
        write!(f, "{}", self.kind)
    }
}

macro_rules! error_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::error::Error for $name {}
    };
}

error_text!(DecodeError);
error_text!(JsonError);
