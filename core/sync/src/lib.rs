//! Catching up with the network, as a sans-I/O machine: range sync in batches from several peers, and lookup of
//! single blocks and of their data by root.
//!
//! ```text
//!   statuses ─▶ peers ─▶ range: who is ahead? plan batches ─▶ Request ─▶ chunks ─▶ linkage checks
//!                                                                                    │
//!   custody ──▶ peers ─▶ gathering: what these blocks need, from whoever has it ◀────┴──────────────▶ Import
//!   Want(root) ─▶ lookup: ask by root, climb to a known parent ─▶ gathering, where data is missing ─▶ Import
//!   Backfill ─▶ columns of old blocks, when nothing else is to do ───────────────────────────▶ Backfilled
//!   WantSidecars ─▶ sidecar lookup: ask custodians by root ─────────────────────────────────▶ ImportSidecars
//!                       outcome: advance, or retry with another peer and charge the one that lied
//! ```
//!
//! Invariant: every block and every sidecar is attributed to the peer that sent it until its import is decided, so that
//! one bad peer costs a retry and is charged, and never stalls the others.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backfill;
mod batch;
mod data;
mod gathering;
#[cfg(test)]
mod gathering_tests;
mod lookup;
mod machine;
mod peers;
mod plan;
mod range;
mod requests;
mod sidecar_lookup;
#[cfg(test)]
mod tests;
mod traffic;

pub use machine::Sync;
pub use traffic::{
    ChainStatus, ImportId, ImportOutcome, Input, Offence, Output, PeerId, Request, RequestError, RequestId,
    SidecarsOutcome, Status, SyncState,
};
