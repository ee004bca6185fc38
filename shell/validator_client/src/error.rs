//! Why a validator client ends. Every message is one line for the operator.

use std::path::PathBuf;

use storage::{KeystoreLockError, ProtectionError};

/// Why a validator client does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum ClientFailure {
    /// Another process has the key, or the data folder with the key's history.
    #[error("validator key already in use by a running client: {0}")]
    InUse(String),
    /// The folder holds no keystore.
    #[error("no keystores (*.json) in {}", .0.display())]
    NoKeystores(PathBuf),
    /// No key at all was asked for.
    #[error("no validator keys: the range of interop keys is empty")]
    NoKeys,
    /// A folder or file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A keystore cannot be read or opened; a wrong password is among the reasons.
    #[error("keystore {}: {reason}", path.display())]
    Keystore {
        /// The keystore.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two keystores hold one key.
    #[error("keystore {}: holds the same key {pubkey} as {}", path.display(), other.display())]
    DuplicateKey {
        /// The second keystore.
        path: PathBuf,
        /// The first keystore.
        other: PathBuf,
        /// The key.
        pubkey: String,
    },
    /// The history of signatures cannot be used.
    #[error(transparent)]
    Protection(ProtectionError),
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] exporter::ExporterError),
    /// The beacon node is of another network.
    #[error("the beacon node {url} is of another network: {reason}")]
    OtherNetwork {
        /// The node.
        url: String,
        /// What differs.
        reason: String,
    },
}

impl From<ProtectionError> for ClientFailure {
    fn from(error: ProtectionError) -> Self {
        match error {
            ProtectionError::InUse { .. } => Self::InUse(error.to_string()),
            other => Self::Protection(other),
        }
    }
}

impl ClientFailure {
    pub(crate) fn of_lock(path: PathBuf, error: KeystoreLockError) -> Self {
        match error {
            KeystoreLockError::InUse { pubkey, pid } => {
                let by = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
                Self::InUse(format!("{pubkey}{by}"))
            }
            KeystoreLockError::Io { .. } => Self::Keystore { path, reason: error.to_string() },
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::File { path: path.into(), reason: error.to_string() }
    }
}
