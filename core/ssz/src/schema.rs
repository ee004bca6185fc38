//! Schemas: a type's structure as data, for pretty-printers, diffs, generalized indices and proofs.

use crate::Bound;

/// The structure of a type at one preset and fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// An unsigned number of so many bits.
    Uint(u16),
    /// A boolean.
    Boolean,
    /// A byte vector of fixed length.
    ByteVector(usize),
    /// A byte list.
    ByteList(Bound),
    /// A bit vector.
    Bitvector(usize),
    /// A bit list.
    Bitlist(Bound),
    /// A vector of so many elements.
    Vector(Box<Schema>, usize),
    /// A list.
    List(Box<Schema>, Bound),
    /// A container with the fields of this fork, in order.
    Container {
        /// The type's name.
        name: &'static str,
        /// Names and schemas of the fields.
        fields: Vec<(&'static str, Schema)>,
        /// For a progressive container, which places of the tree are taken.
        active_fields: Option<&'static [bool]>,
    },
    /// A compatible union: selectors and options.
    Union {
        /// The type's name.
        name: &'static str,
        /// Selectors and schemas.
        options: Vec<(u8, Schema)>,
    },
}
