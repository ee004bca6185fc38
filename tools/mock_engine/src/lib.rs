//! An execution engine for tests and devnets: it executes nothing, but keeps a tree of blocks, checks their hashes,
//! builds payloads with withdrawals and blobs, and does badly on request.
//!
//! ```text
//!   EngineRequest ──▶ MockEngine ──▶ EngineReply           a function of requests and time: for simulations
//!   HTTP ──▶ MockServer ──▶ calls (JSON) ──▶ MockEngine    the Engine API on a port: for nodes
//! ```
//!
//! [`MockEngine`] reads no clock and draws nothing that is not seeded, so that a simulation of many nodes can have one
//! for each and stay reproducible. What it answers over HTTP has the form that the Engine API's schemas ask for; a test
//! holds it to them. What it cannot show is execution: state roots are made up, transactions are not looked into but
//! for the hashes of their blobs, and any payload whose hash, number, time and blobs are right is valid.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blobs;
mod build;
mod calls;
mod conduct;
mod deposits;
mod eth1;
mod mock_engine;
mod server;
mod tree;

pub use blobs::{MockBlob, random_blob};
pub use conduct::{Conduct, Lie, Schedule};
pub use deposits::{DepositSchedule, read_deposit_data};
pub use mock_engine::{MockConfig, MockEngine};
pub use server::{MockServer, MockServerConfig};
pub use tree::MockBlock;
