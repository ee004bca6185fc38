//! What a database file says about itself: schema version and network. A node must never extend one
//! network's history with another's, so a mismatch is refused before anything is written.

use std::path::Path;

use crate::engine::{Reading, Table, Writing};
use crate::error::{Fault, OpenError};
use crate::{Root, hex};

/// Version of the layout of keys and values. Any change of it is a new number. 2: the table of sidecars.
pub const SCHEMA_VERSION: u64 = 2;

const SCHEMA_KEY: &[u8] = b"_schema_version";
const GENESIS_KEY: &[u8] = b"_genesis_validators_root";
const CONFIG_KEY: &[u8] = b"_config_fingerprint";

/// The network a database belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Identifies the chain.
    pub genesis_validators_root: Root,
    /// Digest over the preset and those configuration values that must never change for stored data.
    /// Values that may change later, such as the epochs of future forks, do not belong in it.
    pub config_fingerprint: Root,
}

/// Writes the identity into a new, empty database.
pub(crate) fn record(tables: &mut dyn Writing, identity: &Identity) -> Result<(), Fault> {
    tables.put(Table::Meta, SCHEMA_KEY, &SCHEMA_VERSION.to_be_bytes())?;
    tables.put(Table::Meta, GENESIS_KEY, &identity.genesis_validators_root)?;
    tables.put(Table::Meta, CONFIG_KEY, &identity.config_fingerprint)
}

/// Compares the identity in a database with the one wanted.
pub(crate) fn check(tables: &dyn Reading, identity: &Identity, path: &Path) -> Result<(), OpenError> {
    let corrupt = |why: String| OpenError::Corrupt { path: path.to_owned(), why };
    let read = |key: &[u8]| -> Result<Vec<u8>, OpenError> {
        let value = tables.get(Table::Meta, key).map_err(|fault| corrupt(fault.to_string()))?;
        value.ok_or_else(|| corrupt(format!("it has no {}", String::from_utf8_lossy(&key[1..]))))
    };
    let found = u64::from_be_bytes(
        read(SCHEMA_KEY)?.try_into().map_err(|_| corrupt("its schema version is unreadable".to_owned()))?,
    );
    if found != SCHEMA_VERSION {
        return Err(OpenError::SchemaVersion { path: path.to_owned(), found, ours: SCHEMA_VERSION });
    }
    let found = read(GENESIS_KEY)?;
    if found != identity.genesis_validators_root {
        return Err(OpenError::OtherNetwork {
            path: path.to_owned(),
            found: hex(&found),
            ours: hex(&identity.genesis_validators_root),
        });
    }
    let found = read(CONFIG_KEY)?;
    if found != identity.config_fingerprint {
        return Err(OpenError::OtherConfig {
            path: path.to_owned(),
            found: hex(&found),
            ours: hex(&identity.config_fingerprint),
        });
    }
    Ok(())
}
