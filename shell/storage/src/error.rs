//! Why a database could not be opened ([`OpenError`], for the operator) and why it stopped working
//! ([`Fault`], which is always our side's trouble and never a peer's). Every message is one line.

use std::io;
use std::path::PathBuf;

use crate::lockfile::LockError;

/// The database cannot be used. Nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be created, read or written.
    #[error("cannot use the database at {}: {source}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the database open.
    #[error("the database at {} is in use by another process{}", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, where known.
        pid: Option<u32>,
    },
    /// Written by a version of this program with another file layout.
    #[error("the database at {} has schema version {found}, this program reads version {ours}: use the matching program or another directory", path.display())]
    SchemaVersion {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The version this program writes.
        ours: u64,
    },
    /// The database belongs to another chain.
    #[error("the database at {} belongs to another network: its genesis validators root is {found}, the configured network has {ours}", path.display())]
    OtherNetwork {
        /// The database file.
        path: PathBuf,
        /// `genesis_validators_root` in the file, hex.
        found: String,
        /// `genesis_validators_root` configured, hex.
        ours: String,
    },
    /// The same genesis, but other preset or configuration values.
    #[error("the database at {} was written under another configuration: its fingerprint is {found}, the configured network has {ours}", path.display())]
    OtherConfig {
        /// The database file.
        path: PathBuf,
        /// Fingerprint in the file, hex.
        found: String,
        /// Fingerprint configured, hex.
        ours: String,
    },
    /// The file is truncated, damaged or no database of ours.
    #[error("the database at {} is damaged or not a database: {why}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl OpenError {
    pub(crate) fn from_lock(path: PathBuf, error: LockError) -> Self {
        match error {
            LockError::Held { pid, .. } => OpenError::InUse { path, pid },
            LockError::Io { source, .. } => OpenError::Io { path, source },
        }
    }
}

/// The database failed in use. The transaction in progress is rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The engine or the operating system below it failed, for example because the disk is full.
    #[error("database failure: {0}")]
    Engine(String),
    /// Stored bytes are not what was written.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// A batch came out of order.
    #[error("batch {got} does not come after batch {last}")]
    Sequence {
        /// Sequence number of the last batch stored.
        last: u64,
        /// Sequence number of the batch refused.
        got: u64,
    },
    /// A value is larger than the format allows (1 GiB).
    #[error("a value of {0} bytes is too large to be stored")]
    TooLarge(usize),
    /// A `PutMeta` named a key that belongs to the database.
    #[error("the key {0:?} is reserved")]
    ReservedKey(String),
    /// Pruning was asked for, but the canonical table does not describe one chain up to the slot.
    #[error("the canonical history is incomplete at slot {0}: nothing was pruned")]
    BrokenHistory(u64),
    /// The code below panicked; the panic was contained.
    #[error("the database engine panicked: {0}")]
    Panic(String),
}
