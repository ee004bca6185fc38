//! Log lines of the processes that run for long.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Discovery's library warns of every search while nobody is known yet, which is how each first node of a network begins;
/// the swarm's tells a key that the node tells itself.
const DEFAULT: &str = "info,discv5=error,libp2p_swarm=warn";

/// Writes log lines to standard error from now on: information and worse, or what `RUST_LOG` says.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    // A second call, in a process that runs several nodes, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A file is read with other tools than a terminal.
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
