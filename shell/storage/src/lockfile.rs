//! Files that say "in use": an advisory lock of the operating system, and the owner's process id
//! inside for the message. The lock counts, not the file: it vanishes with its process however
//! that ends, so a stale file never blocks a start.
//!
//! A lock file is emptied, never removed, on release: removing it would let one process lock
//! the removed file while another locks a new one of the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::hex;

/// A lock that is held until this value is dropped or the process ends.
#[derive(Debug)]
pub struct LockFile {
    file: File,
}

/// The lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{} is locked by {}", path.display(), owner(*pid))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder, where the file names one.
        pid: Option<u32>,
    },
    /// The lock file cannot be created or written.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A validator key cannot be taken into use.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreLockError {
    /// A running validator client has the key.
    #[error("validator key {pubkey} is already in use by {}", owner(*pid))]
    InUse {
        /// The public key, hex.
        pubkey: String,
        /// The process that uses it, where known.
        pid: Option<u32>,
    },
    /// The lock file beside the keystore cannot be created or written.
    #[error("cannot lock the keystore of validator key {pubkey}: {source}")]
    Io {
        /// The public key, hex.
        pubkey: String,
        /// What the operating system said.
        source: io::Error,
    },
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl LockFile {
    /// Creates the file if need be and locks it for this process.
    ///
    /// # Errors
    /// [`LockError::Held`] at once (never waits) where another open handle, in this process or
    /// another, holds the lock; [`LockError::Io`] where the file cannot be used.
    pub fn acquire(path: &Path) -> Result<LockFile, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { path: path.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // The id is only for the message of whoever is refused, so it need not be synced.
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(LockFile { file })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Failing here loses nothing: the lock itself goes with the handle.
        let _ = self.file.set_len(0);
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Locks `<keystore>.lock` beside a keystore, so that two validator clients on one machine cannot
/// both load the key. Clients that use the same convention see each other's locks.
///
/// # Errors
/// [`KeystoreLockError::InUse`] where a running process has the key.
pub fn lock_keystore(keystore: &Path, pubkey: &[u8; 48]) -> Result<LockFile, KeystoreLockError> {
    let mut name = keystore.as_os_str().to_owned();
    name.push(".lock");
    let pubkey = hex(pubkey);
    LockFile::acquire(Path::new(&name)).map_err(|error| match error {
        LockError::Held { pid, .. } => KeystoreLockError::InUse { pubkey, pid },
        LockError::Io { source, .. } => KeystoreLockError::Io { pubkey, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("interlock-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_locked_keystore_names_its_owner_and_is_free_again_after_release() {
        let directory = directory("lockfile");
        let keystore = directory.join("keystore.json");
        let held = lock_keystore(&keystore, &[0xab; 48]).unwrap();
        let refused = lock_keystore(&keystore, &[0xab; 48]).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!(
                "validator key 0x{} is already in use by process {}",
                "ab".repeat(48),
                std::process::id()
            )
        );
        drop(held);
        lock_keystore(&keystore, &[0xab; 48]).unwrap();
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_stale_lock_file_of_a_dead_process_does_not_block() {
        let directory = directory("stale-lock");
        let path = directory.join("a.lock");
        std::fs::write(&path, "999999\n").unwrap();
        let lock = LockFile::acquire(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap().trim(),
            std::process::id().to_string(),
            "the new owner's id replaces the stale one"
        );
        drop(lock);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_lock_that_cannot_be_created_is_an_io_error() {
        let missing = Path::new("/nonexistent-directory/a.lock");
        assert!(matches!(LockFile::acquire(missing), Err(LockError::Io { .. })));
    }
}
