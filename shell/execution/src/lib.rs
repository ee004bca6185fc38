//! Execution engines: clients of the [Engine API](https://github.com/ethereum/execution-apis/tree/main/src/engine) over
//! HTTP.
//!
//! ```text
//!   EngineRequest ──▶ Engines ──▶ the first usable Engine ──▶ rpc (JWT, deadline, bounded answer) ──▶ HTTP
//!                       │ health: online, syncing, offline, unauthorized, wrong chain; backoff
//!   EngineReply   ◀─────┴────────◀ codec (JSON of the Engine API ⇄ types)
//! ```
//!
//! [`Engines`] answers every request with exactly one reply and never waits longer than the Engine API allows, times the
//! number of engines. What an engine says is read strictly: an answer of another form is no answer, and no failure of an
//! engine is ever a verdict on a payload.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod codec;
mod engine_client;
mod engines;
mod error;
mod eth1;
mod eth1_follower;
mod health;
mod jwt;
pub mod method;
mod rpc;

pub use deposits::DepositLog;
pub use engine_client::{ClientVersion, Engine, SyncState};
pub use engines::{Engines, EnginesConfig};
pub use error::EngineError;
pub use eth1::{DEPOSIT_EVENT_TOPIC, Eth1Block, deposit_event_data, event_topic};
pub use eth1_follower::{FollowLinks, follow};
pub use health::{Backoff, EngineState};
pub use jwt::{InvalidToken, JwtSecret, SecretError};
pub use method::Method;
pub use rpc::RpcConfig;
