//! Interlock on a real execution client: two nodes, each with an `@ethereumjs/client` of its own, go from Capella through
//! Deneb to Electra with real transactions, while one client is killed, and later loses its database.

mod drill;
mod ethereumjs;
mod history;
mod network;
mod transfer;

pub use drill::{EngineOptions, run_engines};
