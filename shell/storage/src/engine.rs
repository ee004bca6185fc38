//! The small surface both engines offer: ordered tables of bytes, consistent snapshots, atomic writes.
//! All logic above it is written once, so what the simulator runs in memory is what runs on disk.

use std::ops::ControlFlow;

use crate::error::Fault;

/// The tables. Numbers in keys are big-endian so that byte order is numeric order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// block root ‖ chunk → part of a signed block, see `values`.
    Blocks,
    /// slot ‖ block root → parent root.
    BlockSlots,
    /// state root ‖ chunk → part of a state.
    States,
    /// slot ‖ state root → nothing.
    StateSlots,
    /// slot → block root, finalized history only.
    Canonical,
    /// name → small value.
    Meta,
    /// name ‖ chunk → part of a snapshot blob.
    Blobs,
    /// slot ‖ block root ‖ index ‖ chunk → part of a sidecar.
    Sidecars,
}

impl Table {
    pub(crate) const ALL: [Table; 8] = [
        Table::Blocks,
        Table::BlockSlots,
        Table::States,
        Table::StateSlots,
        Table::Canonical,
        Table::Meta,
        Table::Blobs,
        Table::Sidecars,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Blocks => "blocks",
            Table::BlockSlots => "block_slots",
            Table::States => "states",
            Table::StateSlots => "state_slots",
            Table::Canonical => "canonical",
            Table::Meta => "meta",
            Table::Blobs => "blobs",
            Table::Sidecars => "sidecars",
        }
    }
}

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Called with key and value; breaks to end the scan.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A consistent view of all tables.
pub(crate) trait Reading {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// Visits the keys in `from..to`, ascending.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault>;
    /// The entry with the greatest key.
    fn last(&self, table: Table) -> Result<Option<Entry>, Fault>;
}

/// A transaction in progress; it reads its own writes.
pub(crate) trait Writing: Reading {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault>;
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fault>;
}

/// The body of a write transaction.
pub(crate) type Body<'a> = dyn FnMut(&mut dyn Writing) -> Result<(), Fault> + 'a;

/// Where the tables live.
pub(crate) trait Engine: Send + Sync {
    fn snapshot(&self) -> Result<Box<dyn Reading + '_>, Fault>;
    /// Runs the body in one transaction. `Ok` means durable; on `Err`, nothing changed.
    fn write(&self, body: &mut Body<'_>) -> Result<(), Fault>;
}

/// Collects the entries in `from..to`, at most `limit` of them.
pub(crate) fn collect(
    tables: &dyn Reading,
    table: Table,
    (from, to): (&[u8], &[u8]),
    limit: usize,
) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    if limit == 0 {
        return Ok(entries);
    }
    tables.scan(table, from, to, &mut |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        if entries.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(entries)
}
