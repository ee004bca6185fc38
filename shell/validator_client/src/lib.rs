//! The validator client: a process of its own that speaks only the Beacon API.
//!
//! ```text
//!                 ┌────────── head events ◀─┐
//!   clock ──tick──▶ validator::Duties       │ beacon node
//!                 └──Ask──▶ task ──HTTP────▶┘
//!                       └──▶ Signer, on a blocking thread:
//!                            check and record durably ─▶ sign ─▶ signed-message log ─▶ answer, then publication
//! ```
//!
//! Invariants, each with the test that guards it (`tests/client.rs`):
//! 1. Nothing slashable is signed that is not recorded durably before; a database that refuses or fails leads to a
//!    missed duty with its reason.
//! 2. What the signed-message log does not hold is not published.
//! 3. A start that cannot have its keys for itself, or cannot open them, ends with one line and has changed nothing.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agreement;
mod client;
mod config;
mod error;
mod events;
mod history;
mod journal;
mod keystores;
mod metrics;
mod node_link;
mod reason;
mod signed_log;
mod signer;

pub use client::ValidatorClient;
pub use config::{Config, KeySource};
pub use error::ClientFailure;
pub use history::History;
pub use keystores::find_keystores;
pub use storage::ImportSummary;
