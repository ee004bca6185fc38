//! SSZ: encoding, decoding, hash tree roots, the Beacon API's JSON, and schemas, all from one declaration.
//!
//! ```
//! use ssz::{Ctx, Ssz, SszExt};
//!
//! #[derive(Clone, Debug, Default, PartialEq, Ssz)]
//! struct Votes {
//!     epoch: u64,
//!     #[ssz(list(1024))]
//!     voters: Vec<u64>,
//! }
//!
//! let votes = Votes { epoch: 7, voters: vec![1, 2] };
//! let bytes = votes.to_ssz(Ctx::PLAIN);
//! assert_eq!(bytes.len(), 8 + 4 + 16);
//! assert_eq!(Votes::from_ssz(&bytes, Ctx::PLAIN), Ok(votes));
//! ```
//!
//! Decoding is strict: every offset, limit, padding bit and trailing byte is checked, no byte sequence panics,
//! and memory grows only with bytes that were really there.

#![cfg_attr(test, allow(clippy::unwrap_used))]

// The derive names this crate as `::ssz`, also in this crate's own tests and docs.
extern crate self as ssz;

mod basic;
mod bits;
mod bytes;
mod container;
mod error;
mod fixed_bytes;
mod hash;
mod list;
mod merkle;
mod proof;
mod schema;
mod sequence;
mod shape;
mod traits;
mod uint256;
mod union;

pub use bits::Bits;
pub use bytes::Bytes;
pub use container::{
    ContainerReader, ContainerWriter, JsonObject, container_descent, container_root, container_roots,
    fixed_ends, fixed_sum,
};
pub use error::{DecodeError, DecodeErrorKind, JsonError};
pub use fixed_bytes::{FixedBytes, ParseHexError, parse_hex};
pub use hash::{Node, hash_concat, hash_pairs};
pub use list::{Iter, List, PageMut, Pages};
pub use merkle::{merkleize, merkleize_progressive, mix_in_length, zero_hash};
pub use proof::{Descent, MerkleProof, PathStep, Reached, get_generalized_index, is_valid_merkle_proof};
pub use schema::Schema;
pub use serde_json::Value as JsonValue;
pub use shape::{Bound, BoundRef, Ctx, Shape};
pub use ssz_derive::Ssz;
pub use traits::{Ssz, SszExt};
pub use uint256::Uint256;
pub use union::{union_json, union_selector};

/// A 32-byte node of a Merkle tree.
pub type Root = FixedBytes<32>;
