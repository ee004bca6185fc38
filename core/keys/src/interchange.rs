//! What validators signed before, as one client hands it to another: the interchange format 5 of
//! [EIP-3076](https://eips.ethereum.org/EIPS/eip-3076).
//!
//! This is the file alone: it is read as a whole or refused as a whole. Whether its entries are slashable and how
//! they merge with a database is decided where the database is. Entries may therefore contradict each other, repeat
//! a key, or have a source after their target; all of that occurs in honest files of faulty validators.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{BlsPubkey, Epoch, Root, Slot};

/// The longest file that is read, in bytes; a longer one is refused. A complete history of a thousand validators
/// over a year has about as much, and the minified form of it a few hundred kilobytes.
pub const INTERCHANGE_BYTES_MAX: usize = 1 << 30;

/// The only version of the format that is supported, the only one in use.
const FORMAT_VERSION: &str = "5";

/// Letters of a bad value that an error repeats.
const EXCERPT_MAX: usize = 120;

/// Signing histories of validators on one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interchange {
    /// The chain.
    pub genesis_validators_root: Root,
    /// The histories; a key may come more than once.
    pub data: Vec<SigningHistory>,
}

/// What one validator signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigningHistory {
    /// The validator.
    pub pubkey: BlsPubkey,
    /// Its blocks, in any order.
    pub signed_blocks: Vec<SignedBlock>,
    /// Its attestations, in any order.
    pub signed_attestations: Vec<SignedAttestation>,
}

/// A block that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBlock {
    /// The block's slot.
    pub slot: Slot,
    /// What was signed, where it is known: with it the same block may be signed again.
    pub signing_root: Option<Root>,
}

/// An attestation that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedAttestation {
    /// The source's epoch.
    pub source_epoch: Epoch,
    /// The target's epoch.
    pub target_epoch: Epoch,
    /// What was signed, where it is known: with it the same attestation may be signed again.
    pub signing_root: Option<Root>,
}

/// Why a text is not an interchange file. Values are shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterchangeError {
    /// Longer than [`INTERCHANGE_BYTES_MAX`]; says how long.
    #[error("an interchange file of {0} bytes, more than {INTERCHANGE_BYTES_MAX}")]
    TooLong(usize),
    /// Not JSON, or a field is missing or of another kind; says what.
    #[error("not an interchange file: {0}")]
    Malformed(String),
    /// A version of the format that is not 5.
    #[error("interchange format version {0:?} is not supported, only 5")]
    Version(String),
    /// The genesis validators root is not 32 bytes.
    #[error("genesis_validators_root {0:?} is not 0x and 64 hexadecimal digits")]
    GenesisValidatorsRoot(String),
    /// An entry whose key is not 48 bytes, or no BLS public key.
    #[error("pubkey {text:?} of data[{index}] is not a public key")]
    Pubkey {
        /// The entry's place.
        index: usize,
        /// What it has for a key.
        text: String,
    },
    /// A bad value in a block or an attestation of a validator.
    #[error("{field} {text:?} in {list}[{index}] of validator {pubkey} is not valid")]
    Value {
        /// The validator.
        pubkey: BlsPubkey,
        /// `signed_blocks` or `signed_attestations`.
        list: &'static str,
        /// The place in that list.
        index: usize,
        /// The field's name.
        field: &'static str,
        /// What it holds.
        text: String,
    },
}

impl Interchange {
    /// Reads the JSON text. Unknown fields are ignored.
    pub fn from_json(text: &str) -> Result<Self, InterchangeError> {
        if text.len() > INTERCHANGE_BYTES_MAX {
            return Err(InterchangeError::TooLong(text.len()));
        }
        let document: Document =
            serde_json::from_str(text).map_err(|error| InterchangeError::Malformed(error.to_string()))?;
        let Metadata { interchange_format_version, genesis_validators_root } = document.metadata;
        if interchange_format_version != FORMAT_VERSION {
            return Err(InterchangeError::Version(excerpt(&interchange_format_version)));
        }
        let genesis_validators_root = genesis_validators_root
            .parse()
            .map_err(|_| InterchangeError::GenesisValidatorsRoot(excerpt(&genesis_validators_root)))?;
        let data = document.data.into_iter().enumerate().map(|(index, entry)| entry.read(index));
        Ok(Self { genesis_validators_root, data: data.collect::<Result<_, _>>()? })
    }

    /// The JSON text, indented, with everything that is known.
    pub fn to_json(&self) -> String {
        let document = Document {
            metadata: Metadata {
                interchange_format_version: FORMAT_VERSION.to_owned(),
                genesis_validators_root: self.genesis_validators_root.to_string(),
            },
            data: self.data.iter().map(Entry::write).collect(),
        };
        serde_json::to_string_pretty(&document).expect("texts are always JSON")
    }

    /// The least that protects as well: for each key, in ascending order, one block with the highest slot and one
    /// attestation with the highest source and the highest target of all, both without a signing root.
    ///
    /// Nothing at or below these may then be signed, so that it also forbids what a complete history would allow.
    pub fn minified(&self) -> Self {
        /// The highest slot of a block, and the highest source and target.
        type Highest = (Option<Slot>, Option<(Epoch, Epoch)>);
        let mut by_key: BTreeMap<[u8; 48], Highest> = BTreeMap::new();
        for history in &self.data {
            let (block, attestation) = by_key.entry(history.pubkey.0).or_default();
            *block = history.signed_blocks.iter().map(|block| block.slot).chain(*block).max();
            for signed in &history.signed_attestations {
                let (source, target) = attestation.unwrap_or((signed.source_epoch, signed.target_epoch));
                *attestation = Some((source.max(signed.source_epoch), target.max(signed.target_epoch)));
            }
        }
        let data = by_key.into_iter().map(|(pubkey, (block, attestation))| SigningHistory {
            pubkey: BlsPubkey::from(pubkey),
            signed_blocks: block.map(|slot| SignedBlock { slot, signing_root: None }).into_iter().collect(),
            signed_attestations: attestation
                .map(|(source_epoch, target_epoch)| SignedAttestation {
                    source_epoch,
                    target_epoch,
                    signing_root: None,
                })
                .into_iter()
                .collect(),
        });
        Self { genesis_validators_root: self.genesis_validators_root, data: data.collect() }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    metadata: Metadata,
    data: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    interchange_format_version: String,
    genesis_validators_root: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    pubkey: String,
    signed_blocks: Vec<BlockText>,
    signed_attestations: Vec<AttestationText>,
}

#[derive(Serialize, Deserialize)]
struct BlockText {
    slot: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing_root: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AttestationText {
    source_epoch: String,
    target_epoch: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing_root: Option<String>,
}

/// Where a value stands, for the error that names it.
#[derive(Clone, Copy)]
struct Place {
    pubkey: BlsPubkey,
    list: &'static str,
    index: usize,
}

impl Place {
    fn error(self, field: &'static str, text: &str) -> InterchangeError {
        let Self { pubkey, list, index } = self;
        InterchangeError::Value { pubkey, list, index, field, text: excerpt(text) }
    }

    /// A plain decimal number.
    fn number(self, field: &'static str, text: &str) -> Result<u64, InterchangeError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| plain).ok_or_else(|| self.error(field, text))
    }

    fn signing_root(self, text: Option<&str>) -> Result<Option<Root>, InterchangeError> {
        text.map(|text| text.parse().map_err(|_| self.error("signing_root", text))).transpose()
    }
}

impl Entry {
    fn read(self, index: usize) -> Result<SigningHistory, InterchangeError> {
        let pubkey = self
            .pubkey
            .parse()
            .ok()
            .filter(|key: &BlsPubkey| crypto::PublicKey::from_compressed(&key.0).is_ok())
            .ok_or_else(|| InterchangeError::Pubkey { index, text: excerpt(&self.pubkey) })?;
        let blocks = self.signed_blocks.iter().enumerate().map(|(index, block)| {
            let place = Place { pubkey, list: "signed_blocks", index };
            Ok(SignedBlock {
                slot: Slot(place.number("slot", &block.slot)?),
                signing_root: place.signing_root(block.signing_root.as_deref())?,
            })
        });
        let attestations = self.signed_attestations.iter().enumerate().map(|(index, attestation)| {
            let place = Place { pubkey, list: "signed_attestations", index };
            Ok(SignedAttestation {
                source_epoch: Epoch(place.number("source_epoch", &attestation.source_epoch)?),
                target_epoch: Epoch(place.number("target_epoch", &attestation.target_epoch)?),
                signing_root: place.signing_root(attestation.signing_root.as_deref())?,
            })
        });
        Ok(SigningHistory {
            pubkey,
            signed_blocks: blocks.collect::<Result<_, _>>()?,
            signed_attestations: attestations.collect::<Result<_, _>>()?,
        })
    }

    fn write(history: &SigningHistory) -> Self {
        let root = |root: Option<Root>| root.map(|root| root.to_string());
        let block = |block: &SignedBlock| BlockText {
            slot: block.slot.to_string(),
            signing_root: root(block.signing_root),
        };
        let attestation = |attestation: &SignedAttestation| AttestationText {
            source_epoch: attestation.source_epoch.to_string(),
            target_epoch: attestation.target_epoch.to_string(),
            signing_root: root(attestation.signing_root),
        };
        Self {
            pubkey: history.pubkey.to_string(),
            signed_blocks: history.signed_blocks.iter().map(block).collect(),
            signed_attestations: history.signed_attestations.iter().map(attestation).collect(),
        }
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop_secret_key;

    fn pubkey(index: u64) -> BlsPubkey {
        BlsPubkey::from(interop_secret_key(index).public_key().compress())
    }

    fn block(slot: u64, root: Option<u8>) -> SignedBlock {
        SignedBlock { slot: Slot(slot), signing_root: root.map(|byte| Root::from([byte; 32])) }
    }

    fn attestation(source: u64, target: u64, root: Option<u8>) -> SignedAttestation {
        let signing_root = root.map(|byte| Root::from([byte; 32]));
        SignedAttestation { source_epoch: Epoch(source), target_epoch: Epoch(target), signing_root }
    }

    fn example() -> Interchange {
        let history = |index, signed_blocks, signed_attestations| SigningHistory {
            pubkey: pubkey(index),
            signed_blocks,
            signed_attestations,
        };
        Interchange {
            genesis_validators_root: Root::from([9; 32]),
            data: vec![
                history(1, vec![block(81952, Some(1)), block(u64::MAX, None)], vec![attestation(5, 2, None)]),
                history(0, vec![], vec![attestation(2290, 3007, Some(2)), attestation(2291, 3006, None)]),
                history(1, vec![block(3, None)], vec![attestation(1, 9, Some(3))]),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Interchange::from_json(&example().to_json()), Ok(example()));
        let empty = Interchange::default();
        assert_eq!(Interchange::from_json(&empty.to_json()), Ok(empty));
    }

    #[test]
    fn the_example_of_the_proposal_is_read() {
        let text = r#"{
            "metadata": {
                "interchange_format_version": "5",
                "genesis_validators_root": "0x04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673"
            },
            "data": [{
                "pubkey": "0xb845089a1457f811bfc000588fbb4e713669be8ce060ea6be3c6ece09afc3794106c91ca73acda5e5457122d58723bed",
                "signed_blocks": [
                    { "slot": "81952",
                      "signing_root": "0x4ff6f743a43f3b4f95350831aeaf0a122a1a392922c45d804280284a69eb850b" },
                    { "slot": "81951" }
                ],
                "signed_attestations": [
                    { "source_epoch": "2290", "target_epoch": "3007",
                      "signing_root": "0x587d6a4f59a58fe24f406e0502413e77fe1babddee641fda30034ed37ecc884d" },
                    { "source_epoch": "2290", "target_epoch": "3008" }
                ]
            }]
        }"#;
        let read = Interchange::from_json(text).unwrap();
        let history = &read.data[0];
        assert_eq!(history.signed_blocks[0].slot, Slot(81952));
        assert!(history.signed_blocks[0].signing_root.is_some());
        assert_eq!(history.signed_blocks[1], block(81951, None));
        assert_eq!(history.signed_attestations[1], attestation(2290, 3008, None));
    }

    #[test]
    fn minifying_keeps_the_highest_of_each_key() {
        let minified = example().minified();
        let summary = |index: usize| {
            let history = &minified.data[index];
            (history.pubkey, history.signed_blocks.clone(), history.signed_attestations.clone())
        };
        assert_eq!(minified.data.len(), 2);
        assert_eq!(summary(0), (pubkey(0), vec![], vec![attestation(2291, 3007, None)]));
        assert_eq!(summary(1), (pubkey(1), vec![block(u64::MAX, None)], vec![attestation(5, 9, None)]));
        assert_eq!(minified.genesis_validators_root, example().genesis_validators_root);
        assert_eq!(minified.minified(), minified);
    }

    #[test]
    fn a_bad_value_is_named_with_its_place() {
        let text = example().to_json();
        let changed = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Interchange::from_json(&text.replacen(from, to, 1)).unwrap_err()
        };
        assert_eq!(changed("\"5\"", "\"4\""), InterchangeError::Version("4".into()));
        assert_eq!(changed("\"0x0909", "\"0x09"), {
            InterchangeError::GenesisValidatorsRoot(format!("0x{}", "09".repeat(31)))
        });
        let value = |pubkey, list, index, field, text: &str| InterchangeError::Value {
            pubkey,
            list,
            index,
            field,
            text: text.to_owned(),
        };
        let (first, second) = (pubkey(1), pubkey(0));
        let largest = u64::MAX.to_string();
        for bad in ["18446744073709551616", "-1", "+1", "", "1.0", "0x10"] {
            assert_eq!(changed(&largest, bad), value(first, "signed_blocks", 1, "slot", bad));
        }
        assert_eq!(changed("2291", "x"), value(second, "signed_attestations", 1, "source_epoch", "x"));
        assert_eq!(changed("3006", "x"), value(second, "signed_attestations", 1, "target_epoch", "x"));
        let root = "01".repeat(32);
        assert_eq!(
            changed(&format!("0x{root}"), &root),
            value(first, "signed_blocks", 0, "signing_root", &root)
        );
    }

    #[test]
    fn a_bad_key_is_named_with_its_place() {
        let text = example().to_json();
        let key = pubkey(0).to_string();
        // Too short, and 48 bytes that are no point of the curve.
        for bad in [key[..96].to_owned(), format!("0x{}", "11".repeat(48)), "x".to_owned()] {
            let error = Interchange::from_json(&text.replace(&key, &bad)).unwrap_err();
            assert_eq!(error, InterchangeError::Pubkey { index: 1, text: bad });
        }
        let long = "y".repeat(5000);
        let error = Interchange::from_json(&text.replace(&key, &long)).unwrap_err();
        assert!(error.to_string().len() < 300, "a bad value is not repeated at full length");
    }

    #[test]
    fn missing_fields_are_named() {
        let text = example().to_json();
        for field in
            ["metadata", "data", "interchange_format_version", "pubkey", "signed_blocks", "target_epoch"]
        {
            let error =
                Interchange::from_json(&text.replace(&format!("\"{field}\""), "\"other\"")).unwrap_err();
            assert!(matches!(&error, InterchangeError::Malformed(text) if text.contains(field)), "{error}");
        }
    }
}
