//! The slashing-protection database of a validator client: everything its keys ever signed that could
//! contradict a later message, per [EIP-3076](https://eips.ethereum.org/EIPS/eip-3076).
//!
//! It is a *complete* database: it refuses exactly what is slashable against the recorded history,
//! plus, as the EIP demands, whatever lies at or below the oldest record, because what was signed
//! before that is unknown. History is bounded: of each key the newest [`KEPT`] blocks and
//! attestations stay, and what is dropped leaves a floor behind that forbids all it could
//! have forbidden.
//!
//! SQLite in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns, and a
//! signature may be made only after that. An operating-system lock keeps a second validator client out.

mod check;
mod interchange;
mod open;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Root;
use crate::lockfile::LockFile;

pub use interchange::{ImportSummary, InterchangeRecord, SignedAttestation, SignedBlock};

/// A BLS public key.
pub type Pubkey = [u8; 48];

/// Blocks, and attestations, kept per key at least; older ones are merged into the floors.
pub(crate) const KEPT: u32 = 512;

/// The message may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safe {
    /// It was recorded just now.
    New,
    /// Exactly this message was recorded before: signing it again gives the same signature.
    SameData,
}

/// An attestation a key wants to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who signs.
    pub pubkey: Pubkey,
    /// Source epoch.
    pub source: u64,
    /// Target epoch.
    pub target: u64,
    /// Signing root of the attestation data.
    pub signing_root: Root,
}

/// The message must not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSafe {
    /// The key was never registered, so its history is unknown.
    #[error("the key is not registered for slashing protection")]
    Unregistered,
    /// Another block was signed at this slot.
    #[error("another block was already signed at slot {slot}")]
    DoubleBlock {
        /// The slot.
        slot: u64,
    },
    /// The slot is at or below the oldest block the database knows of.
    #[error("block slot {slot} is not above the lowest permitted slot {floor}")]
    BlockTooOld {
        /// The slot wanted.
        slot: u64,
        /// Only slots above this may be signed.
        floor: u64,
    },
    /// Another attestation was signed for this target.
    #[error("another attestation was already signed for target epoch {target}")]
    DoubleVote {
        /// The target epoch.
        target: u64,
    },
    /// The attestation surrounds one that was signed.
    #[error("the attestation would surround the signed one from epoch {source_epoch} to {target}")]
    Surrounding {
        /// Source of the signed attestation.
        source_epoch: u64,
        /// Target of the signed attestation.
        target: u64,
    },
    /// The attestation is surrounded by one that was signed.
    #[error("the attestation would be surrounded by the signed one from epoch {source_epoch} to {target}")]
    Surrounded {
        /// Source of the signed attestation.
        source_epoch: u64,
        /// Target of the signed attestation.
        target: u64,
    },
    /// The source is below the oldest source the database knows of.
    #[error("source epoch {epoch} is below the lowest permitted one, {floor}")]
    SourceTooOld {
        /// The source wanted.
        epoch: u64,
        /// The lowest source that may be signed.
        floor: u64,
    },
    /// The target is at or below the oldest target the database knows of.
    #[error("target epoch {epoch} is not above the lowest permitted one, {floor}")]
    TargetTooOld {
        /// The target wanted.
        epoch: u64,
        /// Only targets above this may be signed.
        floor: u64,
    },
    /// The source is after the target.
    #[error("source epoch {source_epoch} is after target epoch {target}")]
    SourceAfterTarget {
        /// The source.
        source_epoch: u64,
        /// The target.
        target: u64,
    },
    /// A slot or epoch beyond 2^63 - 1, which no clock reaches.
    #[error("{0} is out of range")]
    OutOfRange(u64),
    /// The database failed, so nothing is known to be recorded.
    #[error("slashing protection failed: {0}")]
    Fault(String),
}

/// The database cannot be opened, imported into or exported from. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// A running validator client has it open.
    #[error("the slashing-protection database {} is in use by another process{}", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// Who holds it, where known.
        pid: Option<u32>,
    },
    /// The database, or the file to import, is of another chain.
    #[error(
        "{what} is of another network: its genesis validators root is {found}, the configured network has {ours}"
    )]
    OtherNetwork {
        /// What was compared.
        what: String,
        /// `genesis_validators_root` there, hex.
        found: String,
        /// `genesis_validators_root` configured, hex.
        ours: String,
    },
    /// Written by a version of this program with other tables.
    #[error("the slashing-protection database {} has schema version {found}, this program reads version {ours}", path.display())]
    SchemaVersion {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version this program writes.
        ours: i64,
    },
    /// The file is truncated, damaged or no database of ours. It must not be replaced by an empty one
    /// unless the keys are known not to have signed anything.
    #[error("the slashing-protection database {} is damaged: {why}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file or its directory cannot be used.
    #[error("cannot use the slashing-protection database {}: {source}", path.display())]
    Io {
        /// The database file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A record to import holds a slot or epoch beyond 2^63 - 1.
    #[error("the record of validator {pubkey} holds {value}, which is out of range")]
    OutOfRange {
        /// The public key, hex.
        pubkey: String,
        /// The slot or epoch.
        value: u64,
    },
    /// SQLite failed.
    #[error("slashing-protection database: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for ProtectionError {
    fn from(error: rusqlite::Error) -> Self {
        ProtectionError::Database(crate::one_line(&error))
    }
}

impl From<rusqlite::Error> for NotSafe {
    fn from(error: rusqlite::Error) -> Self {
        NotSafe::Fault(crate::one_line(&error))
    }
}

/// The open database. Shared by reference; calls are serialized, one transaction each.
#[derive(Debug)]
pub struct Protection {
    connection: Mutex<Connection>,
    genesis_validators_root: Root,
    _lock: Option<LockFile>,
}

impl Protection {
    /// Makes keys known. A key not registered is never safe to sign with; registering twice is harmless.
    ///
    /// # Errors
    /// [`ProtectionError::Database`], and then none is registered.
    pub fn register(&self, pubkeys: &[Pubkey]) -> Result<(), ProtectionError> {
        let mut connection = self.connection();
        let transaction = begin(&mut connection)?;
        for pubkey in pubkeys {
            interchange::register(&transaction, pubkey)?;
        }
        Ok(transaction.commit()?)
    }

    /// The registered keys.
    ///
    /// # Errors
    /// [`ProtectionError::Database`].
    pub fn registered(&self) -> Result<Vec<Pubkey>, ProtectionError> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT pubkey FROM validators ORDER BY id")?;
        let keys = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// Records a block if signing it is safe. `Ok` means recorded durably.
    ///
    /// # Errors
    /// [`NotSafe`]: do not sign; nothing is recorded.
    pub fn check_and_insert_block(
        &self,
        pubkey: &Pubkey,
        slot: u64,
        signing_root: &Root,
    ) -> Result<Safe, NotSafe> {
        let mut connection = self.connection();
        let transaction = begin(&mut connection)?;
        let safe = check::block(&transaction, pubkey, slot, signing_root)?;
        transaction.commit()?;
        Ok(safe)
    }

    /// Records an attestation if signing it is safe. `Ok` means recorded durably.
    ///
    /// # Errors
    /// [`NotSafe`]: do not sign; nothing is recorded.
    pub fn check_and_insert_attestation(
        &self,
        pubkey: &Pubkey,
        source: u64,
        target: u64,
        signing_root: &Root,
    ) -> Result<Safe, NotSafe> {
        let attempt = Attempt { pubkey: *pubkey, source, target, signing_root: *signing_root };
        let mut connection = self.connection();
        let transaction = begin(&mut connection)?;
        let safe = check::attestation(&transaction, &attempt)?;
        transaction.commit()?;
        Ok(safe)
    }

    /// Many attestations, usually of one slot and as many keys, for the price of one fsync. One
    /// refusal does not hinder the others; later ones are checked against earlier ones of
    /// the same call. The results are in order.
    pub fn check_and_insert_attestations(&self, attempts: &[Attempt]) -> Vec<Result<Safe, NotSafe>> {
        let all_failed = |fault: NotSafe| attempts.iter().map(|_| Err(fault.clone())).collect();
        let mut connection = self.connection();
        let transaction = match begin(&mut connection) {
            Ok(transaction) => transaction,
            Err(error) => return all_failed(error.into()),
        };
        let mut results = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let result = check::attestation(&transaction, attempt);
            // SQLite may have rolled the transaction back, so nothing in it counts any more.
            if let Err(fault @ NotSafe::Fault(_)) = result {
                return all_failed(fault);
            }
            results.push(result);
        }
        match transaction.commit() {
            Ok(()) => results,
            Err(error) => all_failed(error.into()),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere rolled its transaction back when it was dropped, so the
        // connection is as good as before.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the write lock at once, so that no other connection can write between check and insert.
fn begin(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}
