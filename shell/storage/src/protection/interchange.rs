//! Moving signing history in and out, in the terms of the
//! [interchange format](https://eips.ethereum.org/EIPS/eip-3076#json-schema). Reading and writing its
//! JSON is the caller's.

use rusqlite::{OptionalExtension, Transaction, params};

use super::check::{number, trim_attestations, trim_blocks};
use super::{KEPT, Protection, ProtectionError, Pubkey, begin};
use crate::{Root, hex};

/// A block that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedBlock {
    /// Its slot.
    pub slot: u64,
    /// Its signing root, where known.
    pub signing_root: Option<Root>,
}

/// An attestation that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedAttestation {
    /// Its source epoch.
    pub source_epoch: u64,
    /// Its target epoch.
    pub target_epoch: u64,
    /// Its signing root, where known.
    pub signing_root: Option<Root>,
}

/// What one key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterchangeRecord {
    /// The key.
    pub pubkey: Pubkey,
    /// Its blocks, in any order.
    pub signed_blocks: Vec<SignedBlock>,
    /// Its attestations, in any order.
    pub signed_attestations: Vec<SignedAttestation>,
}

/// What an import brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Records read; a key may have several.
    pub records: usize,
    /// Blocks that were not known before.
    pub new_blocks: usize,
    /// Attestations that were not known before.
    pub new_attestations: usize,
}

impl Protection {
    /// Merges history of another client, all of it or nothing. Unknown keys are registered.
    ///
    /// Slashable history is taken as it is: refusing it would lose what it forbids. Each record
    /// also raises the key's floors to its own oldest entries: what a foreign client signed before
    /// those is unknown, whatever this database knows of the time before. Afterwards the history
    /// is trimmed as always, which the EIP allows.
    ///
    /// # Errors
    /// [`ProtectionError::OtherNetwork`] or [`ProtectionError::OutOfRange`] for a file that does
    /// not fit, [`ProtectionError::Database`] where SQLite fails.
    pub fn import(
        &self,
        genesis_validators_root: &Root,
        records: &[InterchangeRecord],
    ) -> Result<ImportSummary, ProtectionError> {
        if *genesis_validators_root != self.genesis_validators_root {
            return Err(ProtectionError::OtherNetwork {
                what: "the slashing-protection interchange".to_owned(),
                found: hex(genesis_validators_root),
                ours: hex(&self.genesis_validators_root),
            });
        }
        let mut connection = self.connection();
        let transaction = begin(&mut connection)?;
        let mut summary = ImportSummary { records: records.len(), ..Default::default() };
        for record in records {
            let validator = register(&transaction, &record.pubkey)?;
            summary.new_blocks += import_blocks(&transaction, validator, record)?;
            summary.new_attestations += import_attestations(&transaction, validator, record)?;
            trim_blocks(&transaction, validator, KEPT)?;
            trim_attestations(&transaction, validator, KEPT)?;
        }
        transaction.commit()?;
        Ok(summary)
    }

    /// The history of the given keys, or of all where `None`; keys that are not registered are left
    /// out. A floor is exported as a block or attestation without a signing root.
    ///
    /// # Errors
    /// [`ProtectionError::Database`].
    pub fn export(&self, pubkeys: Option<&[Pubkey]>) -> Result<Vec<InterchangeRecord>, ProtectionError> {
        let registered;
        let pubkeys = match pubkeys {
            Some(pubkeys) => pubkeys,
            None => {
                registered = self.registered()?;
                &registered
            }
        };
        let mut connection = self.connection();
        let transaction = begin(&mut connection)?;
        let mut records = Vec::with_capacity(pubkeys.len());
        for pubkey in pubkeys {
            records.extend(export_one(&transaction, pubkey)?);
        }
        Ok(records)
    }
}

/// Makes a key known and returns its number.
pub(super) fn register(transaction: &Transaction<'_>, pubkey: &Pubkey) -> Result<i64, rusqlite::Error> {
    transaction.prepare_cached("INSERT OR IGNORE INTO validators (pubkey) VALUES (?)")?.execute([pubkey])?;
    transaction
        .prepare_cached("SELECT id FROM validators WHERE pubkey = ?")?
        .query_row([pubkey], |row| row.get(0))
}

fn integer(record: &InterchangeRecord, value: u64) -> Result<i64, ProtectionError> {
    i64::try_from(value).map_err(|_| ProtectionError::OutOfRange { pubkey: hex(&record.pubkey), value })
}

fn known_root(root: &Option<Root>) -> &[u8] {
    root.as_ref().map_or(&[], |root| root.as_slice())
}

fn import_blocks(
    transaction: &Transaction<'_>,
    validator: i64,
    record: &InterchangeRecord,
) -> Result<usize, ProtectionError> {
    let mut insert = transaction
        .prepare_cached("INSERT OR IGNORE INTO blocks (validator, slot, signing_root) VALUES (?, ?, ?)")?;
    let mut new = 0;
    for block in &record.signed_blocks {
        let slot = integer(record, block.slot)?;
        new += insert.execute(params![validator, slot, known_root(&block.signing_root)])?;
    }
    if let Some(oldest) = record.signed_blocks.iter().map(|block| block.slot).min() {
        transaction.execute(
            "UPDATE validators SET floor_slot = MAX(IFNULL(floor_slot, 0), ?) WHERE id = ?",
            (integer(record, oldest)?, validator),
        )?;
    }
    Ok(new)
}

fn import_attestations(
    transaction: &Transaction<'_>,
    validator: i64,
    record: &InterchangeRecord,
) -> Result<usize, ProtectionError> {
    let signed = &record.signed_attestations;
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO attestations (validator, source, target, signing_root) \
         VALUES (?, ?, ?, ?)",
    )?;
    let mut new = 0;
    for attestation in signed {
        let source = integer(record, attestation.source_epoch)?;
        let target = integer(record, attestation.target_epoch)?;
        let root = known_root(&attestation.signing_root);
        new += insert.execute(params![validator, source, target, root])?;
    }
    let oldest_source = signed.iter().map(|attestation| attestation.source_epoch).min();
    let oldest_target = signed.iter().map(|attestation| attestation.target_epoch).min();
    if let (Some(source), Some(target)) = (oldest_source, oldest_target) {
        transaction.execute(
            "UPDATE validators SET floor_source = MAX(IFNULL(floor_source, 0), ?), \
             floor_target = MAX(IFNULL(floor_target, 0), ?) WHERE id = ?",
            (integer(record, source)?, integer(record, target)?, validator),
        )?;
    }
    Ok(new)
}

type Floors = (Option<u64>, Option<u64>, Option<u64>);

fn export_one(
    transaction: &Transaction<'_>,
    pubkey: &Pubkey,
) -> Result<Option<InterchangeRecord>, rusqlite::Error> {
    let floor = |value: Option<i64>| value.map(number);
    let found: Option<(i64, Floors)> = transaction
        .prepare_cached("SELECT id, floor_slot, floor_source, floor_target FROM validators WHERE pubkey = ?")?
        .query_row([pubkey], |row| {
            Ok((row.get(0)?, (floor(row.get(1)?), floor(row.get(2)?), floor(row.get(3)?))))
        })
        .optional()?;
    let Some((validator, (floor_slot, floor_source, floor_target))) = found else {
        return Ok(None);
    };
    let root = |bytes: Vec<u8>| Root::try_from(bytes).ok();
    let mut signed_blocks: Vec<SignedBlock> = transaction
        .prepare_cached("SELECT slot, signing_root FROM blocks WHERE validator = ? ORDER BY slot")?
        .query_map([validator], |row| {
            Ok(SignedBlock { slot: number(row.get(0)?), signing_root: root(row.get(1)?) })
        })?
        .collect::<Result<_, _>>()?;
    let mut signed_attestations: Vec<SignedAttestation> = transaction
        .prepare_cached(
            "SELECT source, target, signing_root FROM attestations WHERE validator = ? \
             ORDER BY target, source",
        )?
        .query_map([validator], |row| {
            Ok(SignedAttestation {
                source_epoch: number(row.get(0)?),
                target_epoch: number(row.get(1)?),
                signing_root: root(row.get(2)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    // A floor that an existing record states already would only be noise.
    if let Some(slot) = floor_slot
        && signed_blocks.iter().all(|block| block.slot != slot)
    {
        signed_blocks.insert(0, SignedBlock { slot, signing_root: None });
    }
    if let (Some(source_epoch), Some(target_epoch)) = (floor_source, floor_target)
        && signed_attestations
            .iter()
            .all(|signed| (signed.source_epoch, signed.target_epoch) != (source_epoch, target_epoch))
    {
        let floor = SignedAttestation { source_epoch, target_epoch, signing_root: None };
        signed_attestations.insert(0, floor);
    }
    Ok(Some(InterchangeRecord { pubkey: *pubkey, signed_blocks, signed_attestations }))
}
