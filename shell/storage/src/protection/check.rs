//! The decision: may this be signed? The conditions are those of
//! [EIP-3076](https://eips.ethereum.org/EIPS/eip-3076#conditions), in its order.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Attempt, KEPT, NotSafe, Pubkey, Safe};
use crate::Root;

/// Every this many epochs a key's attestations are trimmed; spread over the keys by their number so that
/// not all are trimmed in the same epoch.
const TRIM_EVERY: i64 = 64;

struct Validator {
    id: i64,
    floor_slot: Option<i64>,
    floor_source: Option<i64>,
    floor_target: Option<i64>,
}

fn validator(transaction: &Transaction<'_>, pubkey: &Pubkey) -> Result<Validator, NotSafe> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, floor_slot, floor_source, floor_target FROM validators WHERE pubkey = ?",
    )?;
    let found = statement
        .query_row([pubkey], |row| {
            Ok(Validator {
                id: row.get(0)?,
                floor_slot: row.get(1)?,
                floor_source: row.get(2)?,
                floor_target: row.get(3)?,
            })
        })
        .optional()?;
    found.ok_or(NotSafe::Unregistered)
}

/// SQLite has signed integers only.
fn integer(value: u64) -> Result<i64, NotSafe> {
    i64::try_from(value).map_err(|_| NotSafe::OutOfRange(value))
}

/// A slot or epoch as stored.
pub(super) fn number(value: i64) -> u64 {
    u64::try_from(value).expect("the schema admits no negative slot or epoch")
}

/// Checks and records a block.
pub(super) fn block(
    transaction: &Transaction<'_>,
    pubkey: &Pubkey,
    slot: u64,
    signing_root: &Root,
) -> Result<Safe, NotSafe> {
    let at = integer(slot)?;
    let validator = validator(transaction, pubkey)?;
    let roots: Vec<Vec<u8>> = transaction
        .prepare_cached("SELECT signing_root FROM blocks WHERE validator = ? AND slot = ?")?
        .query_map((validator.id, at), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if roots.iter().any(|root| root != signing_root) {
        return Err(NotSafe::DoubleBlock { slot });
    }
    if !roots.is_empty() {
        return Ok(Safe::SameData);
    }
    let oldest: Option<i64> = transaction
        .prepare_cached("SELECT MIN(slot) FROM blocks WHERE validator = ?")?
        .query_row([validator.id], |row| row.get(0))?;
    if let Some(floor) = oldest.max(validator.floor_slot)
        && at <= floor
    {
        return Err(NotSafe::BlockTooOld { slot, floor: number(floor) });
    }
    transaction
        .prepare_cached("INSERT INTO blocks (validator, slot, signing_root) VALUES (?, ?, ?)")?
        .execute(params![validator.id, at, signing_root])?;
    trim_blocks(transaction, validator.id, KEPT)?;
    Ok(Safe::New)
}

/// Checks and records an attestation.
pub(super) fn attestation(transaction: &Transaction<'_>, attempt: &Attempt) -> Result<Safe, NotSafe> {
    let (source, target) = (integer(attempt.source)?, integer(attempt.target)?);
    let validator = validator(transaction, &attempt.pubkey)?;
    if source > target {
        return Err(NotSafe::SourceAfterTarget { source_epoch: attempt.source, target: attempt.target });
    }
    let same_target: Vec<(i64, Vec<u8>)> = transaction
        .prepare_cached("SELECT source, signing_root FROM attestations WHERE validator = ? AND target = ?")?
        .query_map((validator.id, target), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if same_target.iter().any(|(at, root)| *at != source || *root != attempt.signing_root) {
        return Err(NotSafe::DoubleVote { target: attempt.target });
    }
    if !same_target.is_empty() {
        return Ok(Safe::SameData);
    }
    check_surround(transaction, validator.id, source, target)?;
    check_floors(transaction, &validator, source, target)?;
    transaction
        .prepare_cached(
            "INSERT INTO attestations (validator, source, target, signing_root) VALUES (?, ?, ?, ?)",
        )?
        .execute(params![validator.id, source, target, attempt.signing_root])?;
    if target % TRIM_EVERY == validator.id % TRIM_EVERY {
        trim_attestations(transaction, validator.id, KEPT)?;
    }
    Ok(Safe::New)
}

/// In honest history both epochs grow together, so each of these looks at few rows: the first goes by
/// the source index, the second by the primary key. The unary plus keeps SQLite from choosing the other.
const SURROUNDED_BY_NEW: &str = "SELECT source, target FROM attestations \
     WHERE validator = ? AND source > ? AND +target < ? LIMIT 1";
const SURROUNDING_NEW: &str = "SELECT source, target FROM attestations \
     WHERE validator = ? AND target > ? AND +source < ? LIMIT 1";

fn check_surround(
    transaction: &Transaction<'_>,
    validator: i64,
    source: i64,
    target: i64,
) -> Result<(), NotSafe> {
    let find = |query: &str, first: i64, second: i64| {
        transaction
            .prepare_cached(query)?
            .query_row((validator, first, second), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    };
    if let Some((source, target)) = find(SURROUNDED_BY_NEW, source, target)? {
        return Err(NotSafe::Surrounding { source_epoch: number(source), target: number(target) });
    }
    if let Some((source, target)) = find(SURROUNDING_NEW, target, source)? {
        return Err(NotSafe::Surrounded { source_epoch: number(source), target: number(target) });
    }
    Ok(())
}

fn check_floors(
    transaction: &Transaction<'_>,
    validator: &Validator,
    source: i64,
    target: i64,
) -> Result<(), NotSafe> {
    // Two statements, because SQLite answers a lone MIN from an index at once but two by a full scan.
    let oldest = |query: &str| -> Result<Option<i64>, rusqlite::Error> {
        transaction.prepare_cached(query)?.query_row([validator.id], |row| row.get(0))
    };
    let oldest_source = oldest("SELECT MIN(source) FROM attestations WHERE validator = ?")?;
    if let Some(floor) = oldest_source.max(validator.floor_source)
        && source < floor
    {
        return Err(NotSafe::SourceTooOld { epoch: number(source), floor: number(floor) });
    }
    let oldest_target = oldest("SELECT MIN(target) FROM attestations WHERE validator = ?")?;
    if let Some(floor) = oldest_target.max(validator.floor_target)
        && target <= floor
    {
        return Err(NotSafe::TargetTooOld { epoch: number(target), floor: number(floor) });
    }
    Ok(())
}

/// Keeps the newest blocks of a key. All dropped slots are at or below the new floor, so whatever they
/// forbade stays forbidden.
pub(super) fn trim_blocks(
    transaction: &Transaction<'_>,
    validator: i64,
    kept: u32,
) -> Result<(), rusqlite::Error> {
    let newest_dropped: Option<i64> = transaction
        .prepare_cached("SELECT slot FROM blocks WHERE validator = ? ORDER BY slot DESC LIMIT 1 OFFSET ?")?
        .query_row((validator, kept), |row| row.get(0))
        .optional()?;
    let Some(floor) = newest_dropped else { return Ok(()) };
    transaction
        .prepare_cached("UPDATE validators SET floor_slot = MAX(IFNULL(floor_slot, 0), ?) WHERE id = ?")?
        .execute((floor, validator))?;
    transaction
        .prepare_cached("DELETE FROM blocks WHERE validator = ? AND slot <= ?")?
        .execute((validator, floor))?;
    Ok(())
}

/// Keeps the newest attestations of a key. A double vote with a dropped one, or being surrounded by
/// it, needs a target at or below a dropped target; surrounding it needs a source below a dropped
/// source. The floors are the greatest dropped target and source, so all three stay forbidden.
pub(super) fn trim_attestations(
    transaction: &Transaction<'_>,
    validator: i64,
    kept: u32,
) -> Result<(), rusqlite::Error> {
    let newest_dropped: Option<i64> = transaction
        .prepare_cached(
            "SELECT target FROM attestations WHERE validator = ? \
             ORDER BY target DESC LIMIT 1 OFFSET ?",
        )?
        .query_row((validator, kept), |row| row.get(0))
        .optional()?;
    let Some(target) = newest_dropped else { return Ok(()) };
    let source: i64 = transaction
        .prepare_cached("SELECT MAX(source) FROM attestations WHERE validator = ? AND target <= ?")?
        .query_row((validator, target), |row| row.get(0))?;
    transaction
        .prepare_cached(
            "UPDATE validators SET floor_source = MAX(IFNULL(floor_source, 0), ?), \
             floor_target = MAX(IFNULL(floor_target, 0), ?) WHERE id = ?",
        )?
        .execute((source, target, validator))?;
    transaction
        .prepare_cached("DELETE FROM attestations WHERE validator = ? AND target <= ?")?
        .execute((validator, target))?;
    Ok(())
}
