//! Deposits of the contract on the execution chain, on their way into the registry before EIP-6110 took it over.
//!
//! ```text
//!   blocks, logs ──▶ Follower ──▶ Eth1Chain ──▶ get_eth1_vote, deposits_for      what a proposer needs
//!                       │             └─ blocks of the voting window, DepositTree
//!                       └──▶ DepositTreeSnapshot (EIP-4881)                      what a restart needs
//! ```
//!
//! [`Follower`] is a machine: it asks for blocks and logs, reads answers, and never trusts that they are complete.
//! [`Eth1Chain`] is the value that it publishes, and [`DepositTree`] the contract's tree, without what was finalized.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod eth1_chain;
mod follower;
mod range;
mod snapshot;
mod tree;
mod vote;

pub use eth1_chain::{
    DepositsError, Eth1Chain, FollowedBlock, eth1_data_after_vote, get_eth1_pending_deposit_count,
};
pub use follower::{
    Answer, BLOCKS_MAX, BLOCKS_PER_REQUEST_MAX, Consumed, Follower, Input, LOGS_RANGE_MAX, Origin, Output,
    Request, Trouble,
};
pub use range::{DepositLog, ExecutionBlock, RangeFault};
pub use snapshot::{DepositTreeSnapshot, SnapshotError};
pub use tree::{DepositTree, TreeError};
pub use vote::{is_candidate_block, voting_period_start_time};
