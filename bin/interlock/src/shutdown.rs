//! When a process is asked to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Turns true at the first interrupt (Ctrl-C) or SIGTERM. Call it within a runtime.
pub fn on_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}
