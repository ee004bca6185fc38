//! Hashing and BLS signatures, pure and deterministic: randomness for batch verification comes from the caller.
//!
//! ```text
//!   SignatureSet (message, signature, sum of keys) ─┬─▶ verify: one
//!                                                   ├─▶ find_invalid: many, same messages added up first
//!                                                   └─▶ Batch: the same in pieces, for several threads
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod bls;
mod hash;
mod pubkeys;
mod search;
mod subgroup;

pub use batch::{Batch, Part, SignatureSet, find_invalid, verify_signature_sets};
pub use bls::{
    BlsError, KeySum, PublicKey, SecretKey, Signature, aggregate, aggregate_verify, eth_aggregate_pubkeys,
    eth_fast_aggregate_verify, fast_aggregate_verify, sum_of_keys, verify,
};
pub use hash::{hash, hash_concat};
pub use pubkeys::PubkeyTable;
