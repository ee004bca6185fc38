//! What an operator chooses.

use std::ops::Range;
use std::path::PathBuf;

use exporter::ExporterConfig;
use types::{ExecutionAddress, Root, Spec};

/// Where the keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The keys of these numbers that every client of a test network can compute; worthless for real money.
    Interop(Range<u64>),
    /// Keystores of EIP-2335, and the passwords that open them.
    Keystores {
        /// A keystore a key: `*.json` files, here or in folders of one level.
        keystores_dir: PathBuf,
        /// A file a key that holds the password, named `0x<pubkey>`.
        secrets_dir: PathBuf,
    },
}

/// What a validator client needs to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network's rules.
    pub spec: &'static Spec,
    /// The start of slot 0, in Unix seconds.
    pub genesis_time: u64,
    /// The root of the genesis registry: what the history of signatures belongs to.
    pub genesis_validators_root: Root,
    /// The base URL of the beacon node.
    pub beacon_node: String,
    /// Where the history of signatures lies.
    pub data_dir: PathBuf,
    /// The keys to work for.
    pub keys: KeySource,
    /// A file that gets a line for every message signed, before it is published.
    pub signed_log: Option<PathBuf>,
    /// Where metrics are read, and by which pages; none where they are not.
    pub metrics: Option<ExporterConfig>,
    /// 32 bytes for every block.
    pub graffiti: Root,
    /// Who gets the fees of the blocks that are proposed; without it the beacon node decides.
    pub suggested_fee_recipient: Option<ExecutionAddress>,
}
