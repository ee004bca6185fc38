//! Data availability, from Deneb's blob sidecars to Fulu's sampled columns: commitments, sidecars, custody, the rules
//! of their gossip, and the store that knows when a block has all of its data.
//!
//! ```text
//!   gossip, by root, execution layer ──▶ gossip/   may it be forwarded? (signature and proofs are left to a job)
//!                                          │
//!                                          ▼
//!                                        Availability   waiting ─▶ verified ─▶ all there: the block may be imported
//!                                          │
//!                                          └──▶ Recovery   half of the columns make all of them
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod blobs;
pub mod columns;
pub mod custody;
pub mod gossip;
mod inclusion;
pub mod kzg;
mod limits;
pub mod matrix;
mod progress;
mod recovery;
mod sidecar;
mod store;
mod verification;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod sidecar_tests;

pub use inclusion::compute_signed_block_header;
pub use kzg::KzgError;
pub use limits::Limits;
pub use progress::{Held, Needed, Progress, Refused, needed};
pub use recovery::{Recovery, RecoveryError};
pub use sidecar::{Sidecar, SidecarError};
pub use store::{Availability, Ticket};
pub use verification::{Verification, Verified, find_invalid_sidecars};

/// The place of a blob in its block.
pub type BlobIndex = u64;
/// The place of a column in the extended matrix.
pub type ColumnIndex = u64;
/// A group of columns that a node takes into custody.
pub type CustodyIndex = u64;
/// A node's identity, big endian as its record has it.
pub type NodeId = [u8; 32];
