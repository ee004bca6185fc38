//! Everything the node keeps on disk: the chain database and the slashing-protection database.
//!
//! The chain database deals in keys and bytes only, so that this crate needs none of the
//! consensus types and a change of a container can never change the file format by accident.
//!
//! ```text
//!  core --Batch(seq, ops)--> [Writer: one thread] --one transaction--> Database --> redb | memory
//!                                   |
//!                                   +--> Report::Stored(seq), in order, only after the fsync
//! ```
//!
//! Invariants, each with the test that guards it:
//! 1. What was acknowledged survives `kill -9`, and the file is always at a batch boundary
//!    (`tests/killed_writer.rs`).
//! 2. A file that is damaged, of another network or in use is refused and left unchanged
//!    (`tests/opening.rs`).
//! 3. No slashable pair of messages is ever admitted (`tests/protection_random.rs`), and an admitted
//!    one is durable before the caller may sign (`tests/killed_writer.rs`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod database;
mod directory;
mod disk;
mod engine;
mod error;
mod identity;
mod lockfile;
mod memory;
mod protection;
mod prune;
mod rehearsal;
mod sidecars;
mod values;
mod writer;

pub use batch::{Batch, Encoding, Op, Value};
pub use database::{BlockRef, Database, StoredBlock, StoredState, meta_key};
pub use error::{Fault, OpenError};
pub use identity::{Identity, SCHEMA_VERSION};
pub use lockfile::{KeystoreLockError, LockError, LockFile, lock_keystore};
pub use memory::Memory;
pub use protection::{
    Attempt, ImportSummary, InterchangeRecord, NotSafe, Protection, ProtectionError, Pubkey, Safe,
    SignedAttestation, SignedBlock,
};
pub use sidecars::SidecarRef;
pub use writer::{Refused, Report, Writer};

/// A 32-byte root: of a block, a state or a signing object.
pub type Root = [u8; 32];

/// `0x` and lower-case hex, for messages.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

/// An error text on one line: some libraries break theirs over several, and a log line or a start-up
/// refusal must not.
pub(crate) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
