//! Messages that wait to be included in blocks: attestations, exits and slashings.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attestations;
mod operations;
mod packing;

pub use attestations::AttestationPool;
pub use operations::OperationPool;
