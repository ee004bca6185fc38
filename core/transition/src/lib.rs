//! The state transition: beacon-chain.md, function by function, under the specification's names.
//!
//! One body per function serves all forks. A transition that fails leaves its state partly changed: work on a clone, which is cheap.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accessors;
mod attesters;
pub mod block;
pub mod churn;
pub mod epoch;
mod error;
pub mod genesis;
pub mod math;
pub mod misc;
pub mod mutators;
pub mod predicates;
pub mod shuffle;
pub mod signatures;
mod slots;
pub mod upgrade;
pub mod weak_subjectivity;

pub use attesters::remember_key_sums;
pub use error::TransitionError;
pub use signatures::Signatures;
pub use slots::{ValidateResult, process_slot, process_slots, state_transition, verify_block_signature};
