//! The chain database: what is stored under which key, written once for both engines.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use crate::Root;
use crate::batch::{Batch, Op};
use crate::disk::Disk;
use crate::engine::{Engine, Reading, Table, Writing};
use crate::error::{Fault, OpenError};
use crate::identity::{self, Identity};
use crate::memory::Memory;
use crate::sidecars::SidecarRef;
use crate::{prune, sidecars, values};

const LAST_SEQ_KEY: &[u8] = b"_last_seq";
const FORK_CHOICE_BLOB: &[u8] = b"fork_choice";
const POOL_BLOB: &[u8] = b"pool";
/// Slot and parent root, kept uncompressed in front of every block.
const BLOCK_PREFIX: usize = 40;
/// Slot, in front of every state.
const STATE_PREFIX: usize = 8;

/// Names for [`Op::PutMeta`] and [`Database::meta`]; the values are the caller's.
pub mod meta_key {
    /// The head block when the batch was made.
    pub const HEAD: &str = "head";
    /// The finalized checkpoint.
    pub const FINALIZED: &str = "finalized";
    /// The block and state this database started from.
    pub const ANCHOR: &str = "anchor";
}

/// A block as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Slot of the block.
    pub slot: u64,
    /// Root of its parent.
    pub parent: Root,
    /// The signed block, SSZ.
    pub ssz: Vec<u8>,
}

/// A state as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// Slot of the state.
    pub slot: u64,
    /// The state, SSZ.
    pub ssz: Vec<u8>,
}

/// A stored block's place in the block tree, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Slot of the block.
    pub slot: u64,
    /// Root of the block.
    pub root: Root,
    /// Root of its parent.
    pub parent: Root,
}

/// The chain database. Shared by reference: reads run beside the one writer and see whole batches.
pub struct Database {
    engine: Box<dyn Engine>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database in a directory; creates both where absent. `on_repair` hears progress from
    /// 0.0 to 1.0 while a file that was not closed cleanly is walked, which takes seconds per gigabyte.
    ///
    /// # Errors
    /// See [`OpenError`]; a refused database is left as it was.
    pub fn open(
        directory: &Path,
        identity: &Identity,
        cache_bytes: usize,
        on_repair: impl Fn(f64) + 'static,
    ) -> Result<Database, OpenError> {
        let disk = Disk::open(directory, identity, cache_bytes, on_repair)?;
        Ok(Database { engine: Box::new(disk) })
    }

    /// A database over shared memory: new if the memory is empty, else what was stored there.
    ///
    /// # Errors
    /// As [`Database::open`], where the memory belongs to another network.
    pub fn in_memory(memory: &Memory, identity: &Identity) -> Result<Database, OpenError> {
        let path = Path::new("memory");
        let corrupt = |fault: Fault| OpenError::Corrupt { path: path.to_owned(), why: fault.to_string() };
        if memory.is_empty().map_err(corrupt)? {
            memory.write(&mut |tables| identity::record(tables, identity)).map_err(corrupt)?;
        }
        identity::check(&*memory.snapshot().map_err(corrupt)?, identity, path)?;
        Ok(Database { engine: Box::new(memory.clone()) })
    }

    /// Applies batches in one transaction: when this returns `Ok` all of them are durable.
    ///
    /// # Errors
    /// On any [`Fault`] none of the batches is applied.
    pub fn apply(&self, batches: &[Batch]) -> Result<(), Fault> {
        let Some(newest) = batches.last() else { return Ok(()) };
        self.engine.write(&mut |tables| {
            let mut last = read_last_seq(tables)?;
            for batch in batches {
                if batch.seq <= last {
                    return Err(Fault::Sequence { last, got: batch.seq });
                }
                last = batch.seq;
                for op in &batch.ops {
                    apply_op(tables, op)?;
                }
            }
            tables.put(Table::Meta, LAST_SEQ_KEY, &newest.seq.to_be_bytes())
        })
    }

    /// Applies operations that belong to no batch, in one transaction: what readers of the chain's history may find with
    /// or without them. They are durable when this returns `Ok`.
    ///
    /// # Errors
    /// On any [`Fault`] none of them is applied.
    pub fn apply_aside(&self, ops: &[Op]) -> Result<(), Fault> {
        self.engine.write(&mut |tables| ops.iter().try_for_each(|op| apply_op(tables, op)))
    }

    /// Sequence number of the last durable batch; 0 where there is none.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read; so with all reads below.
    pub fn last_seq(&self) -> Result<u64, Fault> {
        read_last_seq(&*self.engine.snapshot()?)
    }

    /// The block with this root.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the block's bytes are damaged.
    pub fn block(&self, root: &Root) -> Result<Option<StoredBlock>, Fault> {
        let found = values::get(&*self.engine.snapshot()?, Table::Blocks, root, BLOCK_PREFIX)?;
        found
            .map(|(prefix, ssz)| {
                let (slot, parent) = split_key(&prefix)?;
                Ok(StoredBlock { slot, parent, ssz })
            })
            .transpose()
    }

    /// Whether the block is stored.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn has_block(&self, root: &Root) -> Result<bool, Fault> {
        Ok(self.slot_of_block(root)?.is_some())
    }

    /// The slot of a stored block.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn slot_of_block(&self, root: &Root) -> Result<Option<u64>, Fault> {
        block_slot(&*self.engine.snapshot()?, root)
    }

    /// A sidecar of a stored block, SSZ.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the sidecar's bytes are damaged.
    pub fn sidecar(&self, root: &Root, index: u64) -> Result<Option<Vec<u8>>, Fault> {
        let snapshot = self.engine.snapshot()?;
        match block_slot(&*snapshot, root)? {
            Some(slot) => sidecars::get(&*snapshot, (slot, root, index)),
            None => Ok(None),
        }
    }

    /// The sidecars of a stored block: index and SSZ, ascending.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or a sidecar's bytes are damaged.
    pub fn sidecars(&self, root: &Root) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let snapshot = self.engine.snapshot()?;
        let Some(slot) = block_slot(&*snapshot, root)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for sidecar in sidecars::of_block(&*snapshot, slot, root)? {
            if let Some(ssz) = sidecars::get(&*snapshot, (slot, root, sidecar.index))? {
                found.push((sidecar.index, ssz));
            }
        }
        Ok(found)
    }

    /// The indices of a stored block's sidecars, ascending.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn sidecar_indices(&self, root: &Root) -> Result<Vec<u64>, Fault> {
        let snapshot = self.engine.snapshot()?;
        let Some(slot) = block_slot(&*snapshot, root)? else { return Ok(Vec::new()) };
        let found = sidecars::of_block(&*snapshot, slot, root)?;
        Ok(found.iter().map(|sidecar| sidecar.index).collect())
    }

    /// Every stored sidecar with `start_slot <= slot < end_slot`, of all forks, by slot, root and index.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn sidecars_between(&self, start_slot: u64, end_slot: u64) -> Result<Vec<SidecarRef>, Fault> {
        sidecars::between(&*self.engine.snapshot()?, start_slot, end_slot)
    }

    /// Every stored block with `start_slot <= slot < end_slot`, of all forks, by slot and then root.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn blocks_between(&self, start_slot: u64, end_slot: u64) -> Result<Vec<BlockRef>, Fault> {
        block_refs(&*self.engine.snapshot()?, start_slot, end_slot)
    }

    /// The stored blocks of one chain with `start_slot <= slot < start_slot + count`, ascending: from
    /// the canonical table as far as it reaches, above it by parent links from `head`. A gap in the
    /// links ends the walk, so the result is always one chain.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn blocks_in_range(&self, start_slot: u64, count: u64, head: &Root) -> Result<Vec<BlockRef>, Fault> {
        let snapshot = self.engine.snapshot()?;
        let end_slot = start_slot.saturating_add(count);
        let mut blocks = Vec::new();
        for (slot, root) in canonical_between(&*snapshot, start_slot, end_slot)? {
            let parent = snapshot.get(Table::BlockSlots, &slot_key(slot, &root))?;
            if let Some(parent) = parent {
                blocks.push(BlockRef { slot, root, parent: to_root(&parent)? });
            }
        }
        let finalized = snapshot.last(Table::Canonical)?;
        let unfinalized = match finalized {
            Some((key, _)) => to_slot(&key)?.saturating_add(1),
            None => 0,
        };
        if end_slot > unfinalized {
            let lowest = unfinalized.max(start_slot);
            blocks.extend(linked_blocks(&*snapshot, head, lowest, end_slot)?);
        }
        Ok(blocks)
    }

    /// The block of a slot of finalized history.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn canonical(&self, slot: u64) -> Result<Option<Root>, Fault> {
        let found = self.engine.snapshot()?.get(Table::Canonical, &slot.to_be_bytes())?;
        found.map(|root| to_root(&root)).transpose()
    }

    /// The newest entry of finalized history: slot and root.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn last_canonical(&self) -> Result<Option<(u64, Root)>, Fault> {
        let found = self.engine.snapshot()?.last(Table::Canonical)?;
        found.map(|(slot, root)| Ok((to_slot(&slot)?, to_root(&root)?))).transpose()
    }

    /// The state with this root.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the state's bytes are damaged.
    pub fn state(&self, root: &Root) -> Result<Option<StoredState>, Fault> {
        let found = values::get(&*self.engine.snapshot()?, Table::States, root, STATE_PREFIX)?;
        found.map(|(prefix, ssz)| Ok(StoredState { slot: to_slot(&prefix)?, ssz })).transpose()
    }

    /// Slot and root of every stored state, ascending.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn states(&self) -> Result<Vec<(u64, Root)>, Fault> {
        states_below(&*self.engine.snapshot()?, u64::MAX)
    }

    /// A small value, see [`meta_key`].
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.engine.snapshot()?.get(Table::Meta, key.as_bytes())
    }

    /// The fork-choice snapshot.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the snapshot is damaged.
    pub fn fork_choice(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.blob(FORK_CHOICE_BLOB)
    }

    /// The snapshot of the operation pool.
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the snapshot is damaged.
    pub fn pool(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.blob(POOL_BLOB)
    }

    /// A piece of the decompressed keys, see [`Op::PutKeys`].
    ///
    /// # Errors
    /// A [`Fault`] where the database cannot be read or the piece is damaged.
    pub fn keys(&self, piece: u32) -> Result<Option<Vec<u8>>, Fault> {
        self.blob(&keys_blob(piece))
    }

    fn blob(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let found = values::get(&*self.engine.snapshot()?, Table::Blobs, name, 0)?;
        Ok(found.map(|(_, bytes)| bytes))
    }
}

fn apply_op(tables: &mut dyn Writing, op: &Op) -> Result<(), Fault> {
    match op {
        Op::PutBlock { root, slot, parent, ssz } => {
            values::put(tables, Table::Blocks, root, &slot_key(*slot, parent), ssz)?;
            tables.put(Table::BlockSlots, &slot_key(*slot, root), parent)
        }
        Op::DeleteBlock { root } => delete_block(tables, root),
        Op::PutState { root, slot, ssz } => {
            values::put(tables, Table::States, root, &slot.to_be_bytes(), &ssz.bytes())?;
            tables.put(Table::StateSlots, &slot_key(*slot, root), &[])
        }
        Op::DeleteState { root } => delete_state(tables, root),
        Op::PutSidecar { root, slot, index, ssz } => sidecars::put(tables, (*slot, root, *index), ssz),
        Op::PruneSidecars { below_slot } => sidecars::prune(tables, *below_slot),
        Op::PutCanonical { slot, root } => tables.put(Table::Canonical, &slot.to_be_bytes(), root),
        Op::PutForkChoice(bytes) => values::put(tables, Table::Blobs, FORK_CHOICE_BLOB, &[], bytes),
        Op::PutPool(bytes) => values::put(tables, Table::Blobs, POOL_BLOB, &[], bytes),
        Op::PutKeys { piece, bytes } => values::put(tables, Table::Blobs, &keys_blob(*piece), &[], bytes),
        Op::PutMeta(key, _) if key.starts_with('_') => Err(Fault::ReservedKey(key.clone())),
        Op::PutMeta(key, value) => tables.put(Table::Meta, key.as_bytes(), value),
        Op::Prune { finalized_slot, keep_states } => prune::prune(tables, *finalized_slot, keep_states),
        Op::DropHistory { below_slot } => prune::drop_history(tables, *below_slot),
    }
}

fn keys_blob(piece: u32) -> Vec<u8> {
    [b"keys/".as_slice(), &piece.to_be_bytes()].concat()
}

/// The slot of a stored block.
fn block_slot(tables: &dyn Reading, root: &Root) -> Result<Option<u64>, Fault> {
    let prefix = values::prefix(tables, Table::Blocks, root, BLOCK_PREFIX)?;
    prefix.map(|prefix| Ok(split_key(&prefix)?.0)).transpose()
}

pub(crate) fn delete_block(tables: &mut dyn Writing, root: &Root) -> Result<(), Fault> {
    let prefix = values::prefix(tables, Table::Blocks, root, BLOCK_PREFIX)?;
    let Some(prefix) = prefix else { return Ok(()) };
    let (slot, _parent) = split_key(&prefix)?;
    sidecars::delete(tables, slot, root)?;
    values::delete(tables, Table::Blocks, root)?;
    tables.delete(Table::BlockSlots, &slot_key(slot, root))
}

pub(crate) fn delete_state(tables: &mut dyn Writing, root: &Root) -> Result<(), Fault> {
    let prefix = values::prefix(tables, Table::States, root, STATE_PREFIX)?;
    let Some(prefix) = prefix else { return Ok(()) };
    values::delete(tables, Table::States, root)?;
    tables.delete(Table::StateSlots, &slot_key(to_slot(&prefix)?, root))
}

fn read_last_seq<R: Reading + ?Sized>(tables: &R) -> Result<u64, Fault> {
    tables.get(Table::Meta, LAST_SEQ_KEY)?.map_or(Ok(0), |bytes| to_slot(&bytes))
}

/// Walks parent links from `head` down to `lowest`, and returns those below `end_slot`, ascending.
/// Memory is bounded by the number of unfinalized blocks.
fn linked_blocks(
    tables: &dyn Reading,
    head: &Root,
    lowest: u64,
    end_slot: u64,
) -> Result<Vec<BlockRef>, Fault> {
    let known: HashMap<Root, BlockRef> =
        block_refs(tables, lowest, u64::MAX)?.into_iter().map(|block| (block.root, block)).collect();
    let mut blocks = Vec::new();
    let mut next = known.get(head);
    while let Some(&block) = next {
        if block.slot < end_slot {
            blocks.push(block);
        }
        // A parent is always at a lower slot; anything else would be damage, and must not loop.
        next = known.get(&block.parent).filter(|parent| parent.slot < block.slot);
    }
    blocks.reverse();
    Ok(blocks)
}

pub(crate) fn block_refs(
    tables: &dyn Reading,
    start_slot: u64,
    end_slot: u64,
) -> Result<Vec<BlockRef>, Fault> {
    let mut blocks = Vec::new();
    scan_slots(tables, Table::BlockSlots, (start_slot, end_slot), &mut |key, value| {
        let (slot, root) = split_key(key)?;
        blocks.push(BlockRef { slot, root, parent: to_root(value)? });
        Ok(())
    })?;
    Ok(blocks)
}

pub(crate) fn canonical_between(
    tables: &dyn Reading,
    start_slot: u64,
    end_slot: u64,
) -> Result<Vec<(u64, Root)>, Fault> {
    let mut entries = Vec::new();
    scan_slots(tables, Table::Canonical, (start_slot, end_slot), &mut |key, value| {
        entries.push((to_slot(key)?, to_root(value)?));
        Ok(())
    })?;
    Ok(entries)
}

pub(crate) fn states_below(tables: &dyn Reading, end_slot: u64) -> Result<Vec<(u64, Root)>, Fault> {
    let mut states = Vec::new();
    scan_slots(tables, Table::StateSlots, (0, end_slot), &mut |key, _| {
        states.push(split_key(key)?);
        Ok(())
    })?;
    Ok(states)
}

type Entry<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Fault> + 'a;

fn scan_slots(
    tables: &dyn Reading,
    table: Table,
    (start_slot, end_slot): (u64, u64),
    entry: &mut Entry<'_>,
) -> Result<(), Fault> {
    let mut outcome = Ok(());
    let (from, to) = (start_slot.to_be_bytes(), end_slot.to_be_bytes());
    tables.scan(table, &from, &to, &mut |key, value| {
        outcome = entry(key, value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

pub(crate) fn slot_key(slot: u64, root: &Root) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&slot.to_be_bytes());
    key[8..].copy_from_slice(root);
    key
}

fn split_key(key: &[u8]) -> Result<(u64, Root), Fault> {
    let (slot, root) = key.split_at_checked(8).ok_or_else(wrong_length)?;
    Ok((to_slot(slot)?, to_root(root)?))
}

pub(crate) fn to_slot(bytes: &[u8]) -> Result<u64, Fault> {
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| wrong_length())?))
}

pub(crate) fn to_root(bytes: &[u8]) -> Result<Root, Fault> {
    bytes.try_into().map_err(|_| wrong_length())
}

fn wrong_length() -> Fault {
    Fault::Corrupt("a key or index entry has the wrong length".to_owned())
}
