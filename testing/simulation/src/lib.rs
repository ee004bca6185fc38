//! Whole networks in one thread: nodes with the production machines over a virtual clock and a seeded network.
//!
//! ```text
//!   Scenario + seed ─▶ World: queue of events ─▶ Node { Chain, Sync, Duties, Disk, Signer, MockEngine } × n
//!                        │                          │ gossip, requests (links.rs), jobs, disk, engines, crashes
//!                        ├─▶ Trace: one hash of all that happened
//!                        ├─▶ Film: what the fork view plays, where it is wanted
//!                        └─▶ checkers: finality, slashing, fork choice, liveness, participation, answers, bounds
//! ```
//!
//! Invariant: the same scenario and seed give the same trace, on any machine. So a failure is a number.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod checkers;
mod client;
mod deposit_contract;
mod disk;
mod engine;
mod film;
#[cfg(test)]
mod fork_tests;
mod genesis;
mod gossip;
mod judging;
mod links;
mod node;
mod packet;
mod queue;
mod report;
mod requests;
mod scenario;
mod serve;
mod signer;
mod sync_duties;
#[cfg(test)]
mod tests;
mod trace;
mod verdicts;
mod wiring;
mod world;

pub use checkers::Violation;
pub use film::Film;
pub use report::{Recording, Report, run_seed, run_seed_twice, run_seeds, trace_seed};
pub use scenario::{
    Data, Demands, Deposits, Engines, Faults, Lenience, Links, Moments, Scenario, SignatureMode, Work,
    spec_with_forks,
};
pub use world::{Counts, World};
