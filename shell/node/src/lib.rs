//! The beacon node: clock, threads and wiring around the machines of `core`.
//!
//! ```text
//!             ┌──────────── core thread: Chain + Sync, the only writer ────────────┐
//!   network ──▶ bridge (decode) ──▶ one bounded queue ──▶ handle/poll ──▶ wiring ──┼──▶ network commands
//!   API ──────▶ commands ──────────▶                                              ├──▶ workers (jobs by priority)
//!   workers, disk, engine ─────────▶                                              ├──▶ disk (ordered batches)
//!             │                                                                    ├──▶ execution engine (in order)
//!             └─── publishes Arc<View> ──▶ API and req/resp read it, never the queue ┘
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod asked;
mod backend;
mod backfill;
mod block_data;
mod bridge;
mod canonical;
mod clock;
mod column_peers;
mod config;
mod core_thread;
mod custody;
mod disk;
mod engine_calls;
mod error;
mod eth1;
mod events;
mod evidence;
mod execution_state;
mod fingerprint;
#[cfg(test)]
mod fixture;
pub mod fuzzing;
mod gossip_ids;
mod identity;
mod import_times;
mod key_warmth;
mod loads;
mod lookup;
mod mailbox;
mod metrics;
mod misbehaviour;
mod network_config;
mod node;
mod outbox;
mod peers;
mod ports;
mod published;
mod relevance;
mod requests;
mod serve;
mod serve_data;
mod slot_log;
mod status;
mod subnets;
mod sync_duties;
mod wire_message;
mod workers;

pub use config::{BeaconConfig, NetworkFolder};
pub use error::NodeError;
pub use evidence::{EVIDENCE_BUDGET_MIB, EVIDENCE_FOLDER};
pub use misbehaviour::Misbehaviour;
pub use node::{BeaconNode, RunningNode};
