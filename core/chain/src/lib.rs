//! The writer of the beacon chain, as a sans-I/O machine: what comes from the network, from the validators and from
//! the disk goes in, and verdicts, work, storage and answers come out.
//!
//! ```text
//!  Input::Gossip ──▶ gossip rules ──▶ Job: signature ──▶ Verdict (forwarded now)
//!                         │                                  │
//!                     pending ◀── parent unknown             ▼
//!  Input::Segment ────────┴──────────────────▶ Job: import ──▶ fork choice ──▶ Store, Event, View
//!  Input::Command ──▶ the same rules, or Job: build ─────────▶ Reply, Publish
//! ```
//!
//! [`Chain`] has four methods: [`Chain::handle`] takes one input, [`Chain::poll`] gives the outputs (to be drained
//! before the next input), [`Chain::deadline`] says when it wants [`Input::Tick`], and [`Chain::view`] is what
//! readers see. It owns no clock, thread or file; heavy work leaves it as [`Job`] values.
//!
//! Everything it keeps is bounded; the bounds stand in [`limits`] with what happens when they are reached.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accepting;
mod aside;
mod build;
mod building;
mod chain;
mod checking;
mod command;
mod data;
mod data_gate;
mod data_jobs;
mod duties;
mod engine_calls;
mod engine_head;
mod eth1;
mod event;
mod evidence;
mod execute;
pub mod gossip;
mod head;
mod import;
mod incoming;
mod input;
mod job;
mod late_verdicts;
mod ledger;
pub mod limits;
mod liveness;
mod making;
mod notes;
mod operations;
mod output;
mod payload;
mod production;
mod publishing;
mod replay;
mod sharing;
mod sidecars;
mod start;
mod states;
mod store;
mod terminal;
mod view;
mod work;

pub use chain::Chain;
pub use command::{Command, ItemFailure, Produced, PublishOutcome, PublishedBlock, Reply};
pub use data_availability::gossip::{Verdict, Why};
pub use duties::{AttesterDuty, Duties, ProposerDuty, ViewError};
pub use event::Event;
pub use evidence::{Evidence, EvidenceReason};
pub use execute::verdict_on;
pub use input::{CommandId, GossipId, GossipMessage, Input, JobId, LoadId, SegmentId, SidecarsId};
pub use job::{
    AdvanceState, AdvancedState, BuildBlock, ExecuteBlocks, Executed, Job, JobResult, MakeSidecars, Priority,
    ReplayStates, VerifiedGroup, VerifyEach, VerifySidecars, VerifySignatures, panic_text,
};
pub use liveness::Liveness;
pub use notes::{Note, Noted};
pub use output::{Output, SegmentOutcome, SidecarsOutcome, Want, WantReason};
pub use sharing::share_equal_parts;
pub use start::{ChainConfig, Start, StartError, StoredStart};
pub use store::{LoadKey, Loaded, LoadedState, StoreBatch, StoreOp};
pub use view::{Counters, ForkChoiceView, GenesisInfo, HeadView, NodeSummary, PoolsView, View};
