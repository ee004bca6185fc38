//! The engine on disk: one redb file, opened by one process.
//!
//! redb commits by copy-on-write and fsync, reuses freed pages (the file stays flat while
//! pruning) and lets readers run beside the writer.
//!
//! A new file is built under another name, completed, synced and only then renamed, so a file
//! under the final name is always complete: an empty or short one is damage, not a fresh start.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use redb::{
    Builder, DatabaseError, Durability, ReadTransaction, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, WriteTransaction,
};

use crate::directory;
use crate::engine::{Body, Engine, Entry, Reading, Table, Visit, Writing};
use crate::error::{Fault, OpenError};
use crate::identity::{self, Identity};
use crate::lockfile::LockFile;
use crate::one_line;
use crate::rehearsal::Rehearsal;

const FILE: &str = "chain.redb";
const UNFINISHED_FILE: &str = "chain.redb.new";
const LOCK: &str = "chain.lock";

type Bytes = &'static [u8];

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// An open database file. The lock outlives the file's handle.
pub(crate) struct Disk {
    database: redb::Database,
    _lock: LockFile,
}

fn fault(error: impl Into<redb::Error>) -> Fault {
    match error.into() {
        redb::Error::Corrupted(why) => Fault::Corrupt(one_line(&why)),
        other => Fault::Engine(one_line(&other)),
    }
}

/// Runs engine code and turns a panic into an error. redb checks what it reads, but some of its
/// inner assertions still fire on damaged files; a damaged file must be a message, not a crash.
fn contained<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        one_line(&text.unwrap_or("no message"))
    })
}

impl Disk {
    /// Opens the database in a directory, or creates both.
    pub(crate) fn open(
        directory: &Path,
        identity: &Identity,
        cache_bytes: usize,
        on_repair: impl Fn(f64) + 'static,
    ) -> Result<Disk, OpenError> {
        let io = |source| OpenError::Io { path: directory.to_owned(), source };
        directory::create(directory).map_err(io)?;
        let lock = LockFile::acquire(&directory.join(LOCK))
            .map_err(|error| OpenError::from_lock(directory.to_owned(), error))?;
        let path = directory.join(FILE);
        if !path.try_exists().map_err(io)? {
            create(directory, &path, identity)?;
        }
        let on_repair: Rc<dyn Fn(f64)> = Rc::new(on_repair);
        inspect(&path, identity, &on_repair)?;
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.set_repair_callback(move |session| on_repair(0.5 + session.progress() / 2.0));
        let database = contained(|| builder.open(&path))
            .map_err(|panic| OpenError::Corrupt { path: path.clone(), why: panic })?
            .map_err(|error| open_error(&path, error))?;
        Ok(Disk { database, _lock: lock })
    }
}

/// Opens without writing, so that a wrong or damaged file is refused unchanged. A file that was not closed cleanly
/// cannot be read before it is repaired, and is repaired in memory.
fn inspect(path: &Path, identity: &Identity, on_repair: &Rc<dyn Fn(f64)>) -> Result<(), OpenError> {
    let corrupt = |why: String| OpenError::Corrupt { path: path.to_owned(), why };
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() == 0 {
        return Err(corrupt("the file is empty".to_owned()));
    }
    match contained(|| Builder::new().open_read_only(path)).map_err(corrupt)? {
        Ok(database) => return check_identity(&database, identity, path),
        Err(DatabaseError::RepairAborted) => {}
        Err(error) => return Err(open_error(path, error)),
    }
    tracing::info!(path = %path.display(), "the database was not closed and is repaired");
    let rehearsal = Rehearsal::new(path).map_err(io)?;
    let on_repair = on_repair.clone();
    let mut builder = Builder::new();
    builder.set_repair_callback(move |session| on_repair(session.progress() / 2.0));
    let repaired = contained(|| {
        let database = builder.create_with_backend(rehearsal).map_err(|error| open_error(path, error))?;
        check_identity(&database, identity, path)
    });
    repaired.map_err(corrupt)?
}

fn check_identity(
    database: &impl ReadableDatabase,
    identity: &Identity,
    path: &Path,
) -> Result<(), OpenError> {
    let corrupt = |why: String| OpenError::Corrupt { path: path.to_owned(), why };
    contained(|| {
        let transaction = database.begin_read().map_err(|error| corrupt(one_line(&error)))?;
        identity::check(&Snapshot(transaction), identity, path)
    })
    .map_err(corrupt)?
}

fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path, pid: None },
        DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => {
                OpenError::Corrupt { path, why: one_line(&source) }
            }
            _ => OpenError::Io { path, source },
        },
        other => OpenError::Corrupt { path, why: one_line(&other) },
    }
}

fn create(directory: &Path, path: &Path, identity: &Identity) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let unfinished: PathBuf = directory.join(UNFINISHED_FILE);
    // The directory is locked, so a file under this name is what a killed creation left.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let database = Builder::new().create(&unfinished).map_err(|error| open_error(path, error))?;
    let transaction = database.begin_write().map_err(|e| io(std::io::Error::other(e)))?;
    write(transaction, &mut |tables| identity::record(tables, identity))
        .map_err(|fault| io(std::io::Error::other(fault)))?;
    drop(database);
    // What redb writes as it closes must not come to the disk after the name does.
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, path).map_err(io)?;
    directory::sync(directory).map_err(io)
}

fn write(mut transaction: WriteTransaction, body: &mut Body<'_>) -> Result<(), Fault> {
    transaction.set_durability(Durability::Immediate).map_err(fault)?;
    {
        let mut tables = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            tables.push(transaction.open_table(definition(table)).map_err(fault)?);
        }
        body(&mut Transaction(tables))?;
    }
    transaction.commit().map_err(fault)
}

impl Engine for Disk {
    fn snapshot(&self) -> Result<Box<dyn Reading + '_>, Fault> {
        Ok(Box::new(Snapshot(self.database.begin_read().map_err(fault)?)))
    }

    fn write(&self, body: &mut Body<'_>) -> Result<(), Fault> {
        let attempt = contained(|| write(self.database.begin_write().map_err(fault)?, body));
        attempt.map_err(Fault::Panic)?
    }
}

struct Snapshot(ReadTransaction);

impl Snapshot {
    /// `None` where the table does not exist, which only a foreign file shows.
    fn open(&self, table: Table) -> Result<Option<redb::ReadOnlyTable<Bytes, Bytes>>, Fault> {
        match self.0.open_table(definition(table)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }
}

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    Ok(table.get(key).map_err(fault)?.map(|value| value.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), Fault> {
    for entry in table.range(from..to).map_err(fault)? {
        let (key, value) = entry.map_err(fault)?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}

fn last(table: &impl ReadableTable<Bytes, Bytes>) -> Result<Option<Entry>, Fault> {
    let entry = table.last().map_err(fault)?;
    Ok(entry.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
}

impl Reading for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        contained(|| match self.open(table)? {
            Some(table) => get(&table, key),
            None => Ok(None),
        })
        .map_err(Fault::Panic)?
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        contained(|| match self.open(table)? {
            Some(table) if from < to => scan(&table, from, to, visit),
            _ => Ok(()),
        })
        .map_err(Fault::Panic)?
    }

    fn last(&self, table: Table) -> Result<Option<Entry>, Fault> {
        contained(|| match self.open(table)? {
            Some(table) => last(&table),
            None => Ok(None),
        })
        .map_err(Fault::Panic)?
    }
}

/// All tables of a write transaction, held open: opening one costs a look-up per operation.
struct Transaction<'t>(Vec<redb::Table<'t, Bytes, Bytes>>);

impl Reading for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        get(&self.0[table as usize], key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        if from < to { scan(&self.0[table as usize], from, to, visit) } else { Ok(()) }
    }

    fn last(&self, table: Table) -> Result<Option<Entry>, Fault> {
        last(&self.0[table as usize])
    }
}

impl Writing for Transaction<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.0[table as usize].insert(key, value).map_err(fault)?;
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        self.0[table as usize].remove(key).map_err(fault)?;
        Ok(())
    }
}
