//! The execution engine beside each node of a network that merges: our mock engine, which both clients can use.
//!
//! Engines know nothing of each other. Each learns of blocks from its own node alone, as an execution client without
//! peers does.

use std::path::{Path, PathBuf};

use devnet::{NodePorts, ProcessPlan};

/// Where a node finds its engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The Engine API.
    pub url: String,
    /// The `eth_` methods, which ask for no token: Lodestar looks for the terminal block there.
    pub rpc_url: String,
    /// The file with the secret of both.
    pub secret: PathBuf,
}

/// The engine of a node with its data in `dir`, and how it is started. It takes two of the ports.
pub fn mock(
    program: &Path,
    network: &Path,
    (name, dir): (&str, &Path),
    ports: NodePorts,
) -> (Engine, ProcessPlan) {
    let secret = dir.join("engine-jwt.hex");
    let process = ProcessPlan::new(name, program, dir.join("engine-log.txt"))
        .arg("mock-engine")
        .path("--network-dir", network)
        .path("--jwt-secret", &secret)
        .option("--http-port", ports.http)
        .option("--rpc-port", ports.tcp);
    let url = |port| format!("http://127.0.0.1:{port}");
    (Engine { url: url(ports.http), rpc_url: url(ports.tcp), secret }, process)
}
