//! The history of signatures outside of a run: as a file that goes to, or comes from, another client.

use std::path::Path;

use keys::{Interchange, SignedAttestation, SignedBlock, SigningHistory};
use storage::{ImportSummary, InterchangeRecord, Protection, ProtectionError};
use types::{BlsPubkey, Epoch, Root, Slot};

use crate::ClientFailure;
use crate::client::PROTECTION_FILE;

/// The history in a data folder, locked while this value lives.
#[derive(Debug)]
pub struct History {
    protection: Protection,
    genesis_validators_root: Root,
}

impl History {
    /// Opens the history of a data folder, whichever network it is of.
    ///
    /// # Errors
    /// [`ClientFailure::InUse`] while a client runs on it; [`ClientFailure::File`] where there is none.
    pub fn open(data_dir: &Path) -> Result<Self, ClientFailure> {
        let path = data_dir.join(PROTECTION_FILE);
        if !path.is_file() {
            let reason = "there is no history of signatures here".to_owned();
            return Err(ClientFailure::File { path, reason });
        }
        // The file names its network when it is opened for another one, and refuses that without any change.
        match Protection::open(&path, &Root::ZERO.0) {
            Ok(protection) => Ok(Self { protection, genesis_validators_root: Root::ZERO }),
            Err(ProtectionError::OtherNetwork { found, .. }) => {
                let damaged = || ClientFailure::File { path, reason: format!("its network is {found:?}") };
                Self::open_or_create(data_dir, found.parse().map_err(|_| damaged())?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the history of a data folder for a network, or creates both.
    ///
    /// # Errors
    /// [`ClientFailure::InUse`] while a client runs on it; [`ClientFailure::Protection`] where it is of another
    /// network or damaged.
    pub fn open_or_create(data_dir: &Path, genesis_validators_root: Root) -> Result<Self, ClientFailure> {
        let protection = Protection::open(&data_dir.join(PROTECTION_FILE), &genesis_validators_root.0)?;
        Ok(Self { protection, genesis_validators_root })
    }

    /// Everything that is known, of all keys.
    ///
    /// # Errors
    /// [`ClientFailure::Protection`] where the database fails.
    pub fn export(&self) -> Result<Interchange, ClientFailure> {
        let data = self.protection.export(None)?.into_iter().map(history).collect();
        Ok(Interchange { genesis_validators_root: self.genesis_validators_root, data })
    }

    /// Merges a file into the history, all of it or nothing.
    ///
    /// # Errors
    /// [`ClientFailure::Protection`] where it is of another network, or the database fails.
    pub fn import(&self, file: &Interchange) -> Result<ImportSummary, ClientFailure> {
        let records: Vec<InterchangeRecord> = file.data.iter().map(record).collect();
        Ok(self.protection.import(&file.genesis_validators_root.0, &records)?)
    }
}

fn history(record: InterchangeRecord) -> SigningHistory {
    let block = |block: storage::SignedBlock| SignedBlock {
        slot: Slot(block.slot),
        signing_root: block.signing_root.map(Root::from),
    };
    let attestation = |signed: storage::SignedAttestation| SignedAttestation {
        source_epoch: Epoch(signed.source_epoch),
        target_epoch: Epoch(signed.target_epoch),
        signing_root: signed.signing_root.map(Root::from),
    };
    SigningHistory {
        pubkey: BlsPubkey::from(record.pubkey),
        signed_blocks: record.signed_blocks.into_iter().map(block).collect(),
        signed_attestations: record.signed_attestations.into_iter().map(attestation).collect(),
    }
}

fn record(history: &SigningHistory) -> InterchangeRecord {
    let block = |block: &SignedBlock| storage::SignedBlock {
        slot: block.slot.0,
        signing_root: block.signing_root.map(|root| root.0),
    };
    let attestation = |signed: &SignedAttestation| storage::SignedAttestation {
        source_epoch: signed.source_epoch.0,
        target_epoch: signed.target_epoch.0,
        signing_root: signed.signing_root.map(|root| root.0),
    };
    InterchangeRecord {
        pubkey: history.pubkey.0,
        signed_blocks: history.signed_blocks.iter().map(block).collect(),
        signed_attestations: history.signed_attestations.iter().map(attestation).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(root: Root) -> Interchange {
        let signing_root = Some(Root::from([3; 32]));
        let data = vec![SigningHistory {
            pubkey: BlsPubkey::from([7; 48]),
            signed_blocks: vec![SignedBlock { slot: Slot(81), signing_root }],
            signed_attestations: vec![SignedAttestation {
                source_epoch: Epoch(9),
                target_epoch: Epoch(10),
                signing_root: None,
            }],
        }];
        Interchange { genesis_validators_root: root, data }
    }

    #[test]
    fn a_history_survives_the_way_through_a_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::from([1; 32]);
        let missing = History::open(folder.path()).unwrap_err().to_string();
        assert!(missing.ends_with("there is no history of signatures here"), "{missing}");

        let history = History::open_or_create(folder.path(), root).unwrap();
        let summary = history.import(&sample(root)).unwrap();
        assert_eq!((summary.new_blocks, summary.new_attestations), (1, 1));
        let busy = History::open(folder.path()).unwrap_err().to_string();
        assert!(busy.starts_with("validator key already in use by a running client: "), "{busy}");
        drop(history);

        let again = History::open(folder.path()).unwrap().export().unwrap();
        assert_eq!(again.genesis_validators_root, root);
        assert_eq!(again.data[0].signed_attestations, sample(root).data[0].signed_attestations);
        assert!(again.data[0].signed_blocks.contains(&sample(root).data[0].signed_blocks[0]));
    }

    #[test]
    fn a_file_of_another_network_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open_or_create(folder.path(), Root::from([1; 32])).unwrap();
        let refused = history.import(&sample(Root::from([2; 32]))).unwrap_err().to_string();
        assert!(refused.contains("is of another network"), "{refused}");
        assert!(history.export().unwrap().data.is_empty());
    }
}
