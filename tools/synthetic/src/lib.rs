//! Keys, states and blocks of any size, for measurements and for tests under load; the same at every call.
//!
//! ```text
//!   Keys ─▶ StatePlan::state: the middle of a long chain ─┬─▶ Chain::next_block: signed blocks on top of it
//!       └─▶ genesis_state: the first state of a network ──┘
//! ```
//!
//! Everything is valid: keys are points that sign, committees and proposers are those of the state, signatures verify,
//! and the payload's hash is that of the execution block it describes. What has no effect on any rule (roots of blocks
//! before the state, randomness, who exited long ago) is drawn from hashes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain;
mod genesis;
mod history;
mod keys;
mod noise;
mod payload;
mod plan;
mod registry;
mod rules;
mod scalar;
mod votes;

pub use chain::Chain;
pub use genesis::genesis_state;
pub use keys::Keys;
pub use plan::{Participation, StatePlan};
pub use rules::spec_at;
pub use votes::Votes;

#[cfg(test)]
mod tests;
