//! Whole networks on one machine: genesis, processes, progress, finality, and nodes that are killed on purpose.
//!
//! ```text
//!   DevnetPlan ──check──▶ Spec ──▶ genesis ──▶ NetworkFolder (any client can read it)
//!        │
//!        └──▶ Devnet: bootnode, beacon nodes, validator clients, foreign clients, each a process with a log
//!                │ every quarter of a slot
//!                ├── NodeProbe asks each node's Beacon API ──▶ NodeStatus ──▶ Progress (terminal or lines)
//!                ├── Finality compares the roots of equal epochs, Participation is read from states
//!                ├── KillDrill kills a node with its validator client and judges how it comes back
//!                ├── Partition cuts the connections between two sides for some epochs, and judges how they come together
//!                ├── LoadWatch judges every vote by the blocks of the chain, and samples what processes take
//!                └── DataDrill lets a node withhold columns, and judges what the others have of blocks and data
//!        at the end: stop everything, judge all signed logs by the slashing conditions, Summary
//! ```
//!
//! Nothing here looks into a process: a network is judged by what its nodes answer, log and sign.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod data_checks;
mod data_drill;
mod drill;
mod finality;
mod folder;
mod foreign;
mod genesis;
mod launch;
mod load;
mod missed;
mod participation;
mod partition;
mod plan;
mod ports;
mod probe;
mod processes;
mod progress;
mod relay;
mod run;
mod signed_log;
mod slashable;
mod summary;
mod wiring;

pub use data_drill::{DataDrill, DataDrillPlan, DataReport};
pub use drill::{Drill, DrillPlan, KillDrill};
pub use finality::{Conflict, Finality};
pub use folder::NetworkFolder;
pub use foreign::{Foreign, ForeignRole, ForeignSeat};
pub use genesis::{interop_genesis, interop_pubkey};
pub use launch::{Devnet, Member, MemberKind};
pub use load::{EpochVotes, LoadPlan, LoadReport, Machine, ProcessUsage, Requirement, VoteCount};
pub use missed::Missed;
pub use participation::{Participation, participation_of_previous_epoch};
pub use partition::{Branch, Partition, PartitionPlan, PartitionReport};
pub use plan::{DevnetPlan, PresetName, SLOT_MS_MIN};
pub use ports::{NodePorts, Ports};
pub use probe::{EpochReport, NodeProbe, NodeStatus};
pub use processes::{Death, ProcessPlan, Processes, log_tail};
pub use progress::Progress;
pub use run::run;
pub use signed_log::{Signed, SignedLog, SignedWhat};
pub use slashable::{Signatures, Slashable, find_slashable};
pub use summary::Summary;
