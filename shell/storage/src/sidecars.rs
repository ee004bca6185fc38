//! Blobs and columns, each a value of its own under slot, block root and index: whoever asks for one reads one, those of
//! a block lie side by side, and the oldest are dropped from the front of the table.

use std::ops::ControlFlow;

use crate::Root;
use crate::database::{to_root, to_slot};
use crate::engine::{Reading, Table, Writing, collect};
use crate::error::Fault;
use crate::values;

/// Parts that one operation drops.
const PARTS_MAX: usize = 65_536;
/// Slot, root and index.
const KEY: usize = 48;

/// The place of a stored sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidecarRef {
    /// Slot of its block.
    pub slot: u64,
    /// Root of its block.
    pub root: Root,
    /// Place of the blob or column.
    pub index: u64,
}

fn key((slot, root, index): (u64, &Root, u64)) -> [u8; KEY] {
    let mut key = [0; KEY];
    key[..8].copy_from_slice(&slot.to_be_bytes());
    key[8..40].copy_from_slice(root);
    key[40..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The keys of all sidecars of a block.
fn range(slot: u64, root: &Root) -> ([u8; KEY], Vec<u8>) {
    let last = [&key((slot, root, u64::MAX))[..], &[0xff; 5]].concat();
    (key((slot, root, 0)), last)
}

/// See [`crate::Op::PutSidecar`].
pub(crate) fn put(tables: &mut dyn Writing, at: (u64, &Root, u64), ssz: &[u8]) -> Result<(), Fault> {
    values::put(tables, Table::Sidecars, &key(at), &[], ssz)
}

/// A sidecar's SSZ.
pub(crate) fn get(tables: &dyn Reading, at: (u64, &Root, u64)) -> Result<Option<Vec<u8>>, Fault> {
    Ok(values::get(tables, Table::Sidecars, &key(at), 0)?.map(|(_, ssz)| ssz))
}

/// The places of a block's sidecars, ascending.
pub(crate) fn of_block(tables: &dyn Reading, slot: u64, root: &Root) -> Result<Vec<SidecarRef>, Fault> {
    let (from, to) = range(slot, root);
    refs(tables, &from, &to)
}

/// The places of the sidecars of these slots, ascending.
pub(crate) fn between(
    tables: &dyn Reading,
    start_slot: u64,
    end_slot: u64,
) -> Result<Vec<SidecarRef>, Fault> {
    refs(tables, &start_slot.to_be_bytes(), &end_slot.to_be_bytes())
}

fn refs(tables: &dyn Reading, from: &[u8], to: &[u8]) -> Result<Vec<SidecarRef>, Fault> {
    let (mut found, mut outcome) = (Vec::new(), Ok(()));
    tables.scan(Table::Sidecars, from, to, &mut |key, _| match read_key(key) {
        Ok((sidecar, 0)) => {
            found.push(sidecar);
            ControlFlow::Continue(())
        }
        Ok(_) => ControlFlow::Continue(()),
        Err(fault) => {
            outcome = Err(fault);
            ControlFlow::Break(())
        }
    })?;
    outcome.map(|()| found)
}

/// A sidecar's place, and the number of its part.
fn read_key(key: &[u8]) -> Result<(SidecarRef, u32), Fault> {
    let damaged = || Fault::Corrupt("a key of a sidecar has the wrong length".to_owned());
    let (place, part) = key.split_at_checked(KEY).ok_or_else(damaged)?;
    let part = u32::from_be_bytes(part.try_into().map_err(|_| damaged())?);
    let (slot, root, index) = (to_slot(&place[..8])?, to_root(&place[8..40])?, to_slot(&place[40..])?);
    Ok((SidecarRef { slot, root, index }, part))
}

/// Drops the sidecars of a block.
pub(crate) fn delete(tables: &mut dyn Writing, slot: u64, root: &Root) -> Result<(), Fault> {
    let (from, to) = range(slot, root);
    // By parts, so that a damaged sidecar can be dropped too.
    for (key, _) in collect(tables, Table::Sidecars, (&from, &to), usize::MAX)? {
        tables.delete(Table::Sidecars, &key)?;
    }
    Ok(())
}

/// See [`crate::Op::PruneSidecars`].
pub(crate) fn prune(tables: &mut dyn Writing, below_slot: u64) -> Result<(), Fault> {
    let mut keys = Vec::new();
    // Keys alone are collected: the values may be more than fits into memory.
    tables.scan(Table::Sidecars, &[], &below_slot.to_be_bytes(), &mut |key, _| {
        keys.push(key.to_vec());
        if keys.len() < PARTS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    // The last one may be cut. Without its first part nothing finds it, and the rest goes with the next run.
    for key in &keys {
        tables.delete(Table::Sidecars, key)?;
    }
    tracing::debug!(below_slot, parts = keys.len(), "pruned sidecars");
    Ok(())
}
