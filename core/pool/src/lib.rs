//! What waits to be packed into blocks: attestations with their aggregates, exits and slashings.
//!
//! The pools take only what was verified before. They are persistent values: a clone shares what does not change, so
//! that readers and block-building jobs hold the pool of their moment without a lock.
//!
//! Signatures come as they were verified, decompressed, and are added up without being decompressed again. A point takes 192
//! bytes; those of votes are dropped once the slot after theirs is over ([`AttestationPool::forget_points`]), those of the
//! sync committee with their votes.
//!
//! Bounds: [`DATA_PER_SLOT_MAX`], [`AGGREGATES_MAX`], [`EXITS_MAX`], [`PROPOSER_SLASHINGS_MAX`] and
//! [`ATTESTER_SLASHINGS_MAX`], each with its overflow rule; slots end with the inclusion window, operations with
//! finality.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod attestations;
mod cover;
mod held;
mod on_chain;
mod operations;
mod packing;
mod sync_committee;

pub use attestations::{AGGREGATES_MAX, AttestationPool, DATA_PER_SLOT_MAX, Inserted};
pub use operations::{
    ATTESTER_SLASHINGS_MAX, BLS_CHANGES_MAX, EXITS_MAX, OperationPool, PROPOSER_SLASHINGS_MAX,
    PackedOperations,
};
pub use sync_committee::{CONTRIBUTIONS_MAX, SYNC_ROOTS_MAX, SyncPool};
