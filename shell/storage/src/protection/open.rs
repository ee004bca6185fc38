//! Opening and creating the slashing-protection database.
//!
//! SQLite takes an empty file for a fresh database. Here that would silently forget all that was
//! signed, so a new database is built under another name and renamed when complete, and any
//! existing file must carry our tables.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::{Protection, ProtectionError};
use crate::lockfile::{LockError, LockFile};
use crate::{Root, directory, hex, one_line};

const SCHEMA_VERSION: i64 = 1;
/// How long a transaction waits for another connection. The file lock keeps other validator clients
/// out, so this only concerns somebody reading the file with a tool.
const BUSY: Duration = Duration::from_secs(5);

/// An empty signing root means that it is not known. Floors hold what dropped history forbids: blocks
/// at or below `floor_slot`, sources below `floor_source`, targets at or below `floor_target`.
const SCHEMA: &str = "
CREATE TABLE metadata (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE validators (
    id INTEGER PRIMARY KEY,
    pubkey BLOB NOT NULL UNIQUE CHECK (length(pubkey) = 48),
    floor_slot INTEGER,
    floor_source INTEGER,
    floor_target INTEGER
);
CREATE TABLE blocks (
    validator INTEGER NOT NULL REFERENCES validators (id),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    signing_root BLOB NOT NULL CHECK (length(signing_root) IN (0, 32)),
    PRIMARY KEY (validator, slot, signing_root)
) WITHOUT ROWID;
CREATE TABLE attestations (
    validator INTEGER NOT NULL REFERENCES validators (id),
    target INTEGER NOT NULL CHECK (target >= 0),
    source INTEGER NOT NULL CHECK (source >= 0),
    signing_root BLOB NOT NULL CHECK (length(signing_root) IN (0, 32)),
    PRIMARY KEY (validator, target, source, signing_root)
) WITHOUT ROWID;
CREATE INDEX attestations_by_source ON attestations (validator, source, target);
";

impl Protection {
    /// Opens the database, or creates it and its directory where there is none, and locks it for this
    /// process (`<path>.lock`).
    ///
    /// # Errors
    /// [`ProtectionError`]; a file that is refused is left as it is.
    pub fn open(path: &Path, genesis_validators_root: &Root) -> Result<Protection, ProtectionError> {
        let io = |source| ProtectionError::Io { path: path.to_owned(), source };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        directory::create(directory).map_err(io)?;
        // Two paths to one file must come to one lock.
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let name = path.file_name().ok_or_else(|| io(std::io::ErrorKind::IsADirectory.into()))?;
                directory.canonicalize().map_err(io)?.join(name)
            }
            Err(error) => return Err(io(error)),
        };
        let lock = LockFile::acquire(&beside(&path, ".lock")).map_err(|error| match error {
            LockError::Held { pid, .. } => ProtectionError::InUse { path: path.clone(), pid },
            LockError::Io { source, .. } => ProtectionError::Io { path: path.clone(), source },
        })?;
        if !path.try_exists().map_err(io)? {
            create(&path, genesis_validators_root)?;
        }
        inspect(&path)?;
        let refused = |error| refused(&path, error);
        // Without a log the file can be judged without SQLite putting anything beside it.
        if !beside(&path, "-wal").try_exists().map_err(io)? {
            check(&connect_unchanging(&path).map_err(refused)?, &path, genesis_validators_root)?;
        }
        let connection = connect(&path).map_err(refused)?;
        // A file that is refused must keep its log: closing must not merge it.
        let no_merge_on_close = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(no_merge_on_close, true).map_err(refused)?;
        check(&connection, &path, genesis_validators_root)?;
        connection.set_db_config(no_merge_on_close, false).map_err(refused)?;
        make_durable(&connection).map_err(refused)?;
        Ok(Protection {
            connection: Mutex::new(connection),
            genesis_validators_root: *genesis_validators_root,
            _lock: Some(lock),
        })
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What can be told from the file itself, before SQLite might touch it.
fn inspect(path: &Path) -> Result<(), ProtectionError> {
    let io = |source| ProtectionError::Io { path: path.to_owned(), source };
    let corrupt = |why: &str| ProtectionError::Corrupt { path: path.to_owned(), why: why.to_owned() };
    let mut head = [0; 16];
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() == 0 {
        return Err(corrupt("the file is empty"));
    }
    match std::io::Read::read_exact(&mut file, &mut head) {
        Ok(()) if head == *b"SQLite format 3\0" => Ok(()),
        Ok(()) => Err(corrupt("it is no SQLite file")),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(corrupt("the file is too short"))
        }
        Err(error) => Err(io(error)),
    }
}

/// Opens a connection; writes nothing to the file.
pub(super) fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Opens a file that nobody writes to for reading; creates neither a log nor shared memory.
fn connect_unchanging(path: &Path) -> Result<Connection, rusqlite::Error> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte))
            }
            // Whatever else could mean something in a URI.
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags)
}

/// Sets the durability that signing relies on.
pub(super) fn make_durable(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // Without WAL (some network file systems) the rollback journal needs the next level up to be
    // durable through a power cut.
    if mode != "wal" {
        connection.pragma_update(None, "synchronous", "EXTRA")?;
    }
    Ok(())
}

fn check(connection: &Connection, path: &Path, ours: &Root) -> Result<(), ProtectionError> {
    let refused = |error| refused(path, error);
    let corrupt = |why: String| ProtectionError::Corrupt { path: path.to_owned(), why };
    // The whole file is read: bounded history keeps it small, and a damaged record is a slashing risk.
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(refused)?;
    if verdict != "ok" {
        return Err(corrupt(one_line(&verdict)));
    }
    let found: Option<i64> = connection
        .query_row("SELECT value FROM metadata WHERE key = 'schema_version'", [], |row| row.get(0))
        .optional()
        .map_err(refused)?;
    let found = found.ok_or_else(|| corrupt("it has no schema version".to_owned()))?;
    if found != SCHEMA_VERSION {
        return Err(ProtectionError::SchemaVersion { path: path.to_owned(), found, ours: SCHEMA_VERSION });
    }
    let found: Vec<u8> = connection
        .query_row("SELECT value FROM metadata WHERE key = 'genesis_validators_root'", [], |row| row.get(0))
        .map_err(refused)?;
    if found != ours {
        return Err(ProtectionError::OtherNetwork {
            what: format!("the slashing-protection database {}", path.display()),
            found: hex(&found),
            ours: hex(ours),
        });
    }
    Ok(())
}

fn refused(path: &Path, error: rusqlite::Error) -> ProtectionError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ProtectionError::InUse { path, pid: None }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DiskFull) => {
            ProtectionError::Io { path, source: std::io::Error::other(one_line(&error)) }
        }
        _ => ProtectionError::Corrupt { path, why: one_line(&error) },
    }
}

fn create(path: &Path, genesis_validators_root: &Root) -> Result<(), ProtectionError> {
    let io = |source| ProtectionError::Io { path: path.to_owned(), source };
    // A log without its database holds the only record of what was signed last; a new database must
    // neither replay it nor replace it.
    let log = beside(path, "-wal");
    if log.try_exists().map_err(io)? {
        return Err(ProtectionError::Corrupt {
            path: path.to_owned(),
            why: format!("its write-ahead log {} exists without it", log.display()),
        });
    }
    let unfinished = beside(path, ".new");
    // The lock is held, so files under these names are what a killed creation left.
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(&unfinished, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    File::create_new(&unfinished).map_err(io)?;
    let connection = connect(&unfinished)?;
    make_durable(&connection)?;
    connection.execute_batch(SCHEMA)?;
    let mut insert = connection.prepare("INSERT INTO metadata VALUES (?, ?)")?;
    insert.execute(("schema_version", SCHEMA_VERSION))?;
    insert.execute(("genesis_validators_root", genesis_validators_root))?;
    drop(insert);
    // Closing the last connection moves the log into the file and removes it, so that the file
    // is complete by itself when it is renamed.
    connection.close().map_err(|(_, error)| ProtectionError::from(error))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, path).map_err(io)?;
    directory::sync(path.parent().unwrap_or(Path::new("."))).map_err(io)
}
