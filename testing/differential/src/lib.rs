//! Differential testing: one case after the other is asked of our transition and of foreign ones, and the first
//! difference is made as small as it can be and written as a vector.
//!
//! ```text
//!   seed, fork ─▶ Recipe ─▶ Case ─┬─▶ ours      ─┐
//!     drawing      recipe         ├─▶ spec       ├─▶ judge ─▶ shrinking ─▶ report, vector
//!                                 └─▶ lodestar  ─┘     └─▶ known
//! ```
//!
//! A case is valid or nearly so: chains, blocks and operations are made with keys that sign, then single parts are
//! changed through their schema, and blocks are signed again. A recipe is the list of these changes; what is left of it
//! after shrinking is what the difference needs.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod campaign;
mod case;
mod drawing;
mod judge;
mod known;
mod mutation;
mod numbers;
mod operations;
mod ours;
mod peer;
#[cfg(feature = "planted_fault")]
mod planted;
mod recipe;
mod replay;
mod report;
mod schedule;
mod shrinking;
mod tree;
mod vector;
mod wire;

pub use campaign::{Campaign, Tally};
pub use peer::{Peer, PeerName, Start};
pub use replay::replay;

/// The variable that names the folder in which `peers/setup.sh` installed the foreign implementations.
pub const PEERS_VARIABLE: &str = "INTERLOCK_DIFFERENTIAL_PEERS";

/// Leaves panics of cases to be told as outcomes: they would fill the screen otherwise.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
