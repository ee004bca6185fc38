//! The state transition, step by step and beside another client's.
//!
//! ```text
//!   state + blocks ──▶ Walk ──┬─▶ what each step changed
//!                             ├─▶ Against: another client's state, by URL, file or folder ──▶ Finding
//!                             └─▶ Vector: the case in the official layout
//!   a vector ──▶ replay: the same verdict, or another one
//! ```
//!
//! A walk takes the steps that production takes, through the same functions, and where it has ended the production
//! function is run over the same state: a sum of steps that differs from it is an error.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod against;
mod changes;
mod config_of;
mod fetch;
mod node;
mod replay;
mod run;
mod step;
mod vector;
mod walk;
mod watching;

#[cfg(test)]
mod tests;

pub use against::{Against, Foreign};
pub use changes::{Change, Changes, Encoded, changes};
pub use fetch::{Answer, FetchError, Fetcher, Limits};
pub use node::Node;
pub use replay::{Evidence, Replayed, replay};
pub use run::{Finding, Options, Run};
pub use step::Step;
pub use vector::{Case, Kind, Written, step_by_name};
pub use walk::{Refused, Stop, Walk, Watch};
