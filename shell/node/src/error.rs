//! Why a node does not start, or stops. Every text is one line for an operator.

use std::path::PathBuf;

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file of the network folder cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The genesis state and the configuration contradict each other.
    #[error("the genesis state does not fit the configuration: {0}")]
    GenesisMismatch(String),
    /// The database began from another genesis state.
    #[error(
        "the data directory belongs to another network: its genesis block is {found}, that of the network folder is {ours}"
    )]
    OtherGenesis {
        /// The genesis block that was stored.
        found: types::Root,
        /// The genesis block of the network folder.
        ours: types::Root,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] storage::OpenError),
    /// The database failed while it was read.
    #[error("{0}")]
    Storage(#[from] storage::Fault),
    /// The chain cannot begin from what was stored or given.
    #[error("{0}")]
    Start(#[from] chain::StartError),
    /// A port cannot be listened on.
    #[error("cannot listen for {purpose} {} of {}: {reason}", address.port(), address.ip())]
    Port {
        /// What the port is for, with its protocol.
        purpose: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        reason: String,
    },
    /// The network cannot start.
    #[error(transparent)]
    Network(#[from] network::NetworkError),
    /// The node key cannot be used.
    #[error(transparent)]
    Key(#[from] network::KeyError),
    /// The Beacon API cannot listen.
    #[error(transparent)]
    Api(#[from] api::ServerError),
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] exporter::ExporterError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// Storing failed in use; the node must not run ahead of its disk.
    #[error("the node stops: {0}")]
    Broken(String),
}
