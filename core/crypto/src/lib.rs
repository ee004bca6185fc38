//! Hashing and BLS signatures, pure and deterministic: randomness for batch verification comes from the caller.
//!
//! ```text
//!   SignatureSet (message, signature, keys) ─┬─▶ verify: one
//!                                            └─▶ verify_signature_sets: many, same messages added up first
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod bls;
mod hash;
mod pubkeys;

pub use batch::{SignatureSet, find_invalid, verify_signature_sets};
pub use bls::{
    BlsError, PublicKey, SecretKey, Signature, aggregate, aggregate_verify, eth_aggregate_pubkeys,
    eth_fast_aggregate_verify, fast_aggregate_verify, verify,
};
pub use hash::{hash, hash_concat};
pub use pubkeys::PubkeyTable;
