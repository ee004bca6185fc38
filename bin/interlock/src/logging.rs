//! Log lines of the processes that run for long.

use tracing_subscriber::EnvFilter;

/// Writes log lines to standard error from now on: information and worse, or what `RUST_LOG` says.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call, in a process that runs several nodes, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}
