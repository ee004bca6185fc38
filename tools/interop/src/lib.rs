//! Interlock beside a client that this project did not write: Lodestar 1.5.1, on one local network, on loopback only.
//!
//! ```text
//!   Mix ──plan──▶ nodes, validators ──start──▶ Process… ──poll──▶ Watch ──▶ Outcome ──▶ a row of the table
//! ```
//!
//! A mix says which client runs which part. What is asked of every mix is the same: the chain finalizes at least
//! [`Options::epochs`] epochs after the foreign part joined, and all nodes tell the same history up to there. What the
//! harness knows of Lodestar stands in the README beside this crate.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agreement;
mod cluster;
mod engine;
mod engines;
mod install;
mod interlock;
mod lodestar;
mod mix;
mod network;
mod participation;
mod report;
mod run;
mod watch;

pub use engines::{EngineOptions, run_engines};
pub use install::Peer;
pub use lodestar::Lodestar;
pub use mix::Mix;
pub use report::{Outcome, table};
pub use run::{Options, Tell, run};
