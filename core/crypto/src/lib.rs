//! Hashing and BLS signatures, pure and deterministic: randomness for batch verification comes from the caller.
//!
//! ```text
//!   SignatureSet (message, compressed signature, sum of keys)
//!     │ decompress, 30 µs
//!     ▼
//!   PointSet ─┬─▶ verify: one                                        ─┐
//!             ├─▶ verify_points: many, same messages added up first   ├─▶ Signature: the same point, checked
//!             └─▶ Batch: the same in pieces, for several threads     ─┘
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod affine;
mod batch;
mod bls;
mod factor;
mod hash;
mod pubkeys;
mod search;
mod set;
mod subgroup;

pub use batch::{Batch, Part, find_invalid, verify_each, verify_points, verify_signature_sets};
pub use bls::{
    BlsError, KeySum, PublicKey, SecretKey, Signature, aggregate, aggregate_verify, eth_aggregate_pubkeys,
    eth_fast_aggregate_verify, fast_aggregate_verify, sum_of_keys, verify,
};
pub use hash::{hash, hash_concat};
pub use pubkeys::PubkeyTable;
pub use set::{PointSet, SignaturePoint, SignatureSet};
