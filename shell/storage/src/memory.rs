//! The engine without a disk, for tests and the simulator: the same tables in ordered maps.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use crate::engine::{Body, Engine, Entry, Reading, Table, Visit, Writing};
use crate::error::Fault;

type Tables = [BTreeMap<Vec<u8>, Vec<u8>>; Table::ALL.len()];

/// Tables in memory. Clones share their content, so a simulated node that crashed opens the
/// same `Memory` again and finds what was stored.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tables: Arc<RwLock<Tables>>,
}

struct Snapshot<'a>(RwLockReadGuard<'a, Tables>);

/// Changes in place, with the replaced values remembered for a rollback.
struct Transaction<'a> {
    tables: &'a mut Tables,
    undo: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

fn poisoned<T>(_: T) -> Fault {
    Fault::Panic("an earlier transaction did not end".to_owned())
}

impl Memory {
    /// True where nothing has been stored yet.
    pub(crate) fn is_empty(&self) -> Result<bool, Fault> {
        Ok(self.tables.read().map_err(poisoned)?.iter().all(BTreeMap::is_empty))
    }
}

impl Engine for Memory {
    fn snapshot(&self) -> Result<Box<dyn Reading + '_>, Fault> {
        Ok(Box::new(Snapshot(self.tables.read().map_err(poisoned)?)))
    }

    fn write(&self, body: &mut Body<'_>) -> Result<(), Fault> {
        let mut tables = self.tables.write().map_err(poisoned)?;
        let mut transaction = Transaction { tables: &mut tables, undo: Vec::new() };
        let outcome = body(&mut transaction);
        if outcome.is_err() {
            transaction.roll_back();
        }
        outcome
    }
}

impl Transaction<'_> {
    fn roll_back(&mut self) {
        while let Some((table, key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.tables[table as usize].insert(key, value),
                None => self.tables[table as usize].remove(&key),
            };
        }
    }
}

fn scan(tables: &Tables, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) {
    // An empty range is legal here, but BTreeMap panics on a reversed one.
    if from >= to {
        return;
    }
    for (key, value) in tables[table as usize].range(from.to_vec()..to.to_vec()) {
        if visit(key, value).is_break() {
            return;
        }
    }
}

fn last(tables: &Tables, table: Table) -> Option<Entry> {
    tables[table as usize].last_key_value().map(|(key, value)| (key.clone(), value.clone()))
}

impl Reading for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.0[table as usize].get(key).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        scan(&self.0, table, from, to, visit);
        Ok(())
    }

    fn last(&self, table: Table) -> Result<Option<Entry>, Fault> {
        Ok(last(&self.0, table))
    }
}

impl Reading for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.tables[table as usize].get(key).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        scan(self.tables, table, from, to, visit);
        Ok(())
    }

    fn last(&self, table: Table) -> Result<Option<Entry>, Fault> {
        Ok(last(self.tables, table))
    }
}

impl Writing for Transaction<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let old = self.tables[table as usize].insert(key.to_vec(), value.to_vec());
        self.undo.push((table, key.to_vec(), old));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fault> {
        if let Some(old) = self.tables[table as usize].remove(key) {
            self.undo.push((table, key.to_vec(), Some(old)));
        }
        Ok(())
    }
}
