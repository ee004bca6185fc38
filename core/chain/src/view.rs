//! What readers see: a value that the writer publishes after every input that changed something.
//!
//! Readers never wait and never disturb the writer. Everything in a view is shared by reference count, so that
//! publishing one costs a few pointers; the parts that did not change are those of the view before.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Liveness;
use data_availability::Sidecar;
use deposits::Eth1Chain;
use fork_choice::{ExecutionStatus, Node};
use pool::{AttestationPool, OperationPool, SyncPool};
use types::{BeaconState, Checkpoint, Gwei, Root, SignedBeaconBlock, Slot, Spec, Time, Version};

/// What readers see.
#[derive(Clone, Debug)]
pub struct View {
    /// The network.
    pub spec: &'static Spec,
    /// Facts of genesis.
    pub genesis: GenesisInfo,
    /// When the view was published.
    pub time: Time,
    /// The slot of that moment; the genesis slot before genesis.
    pub current_slot: Slot,
    /// The head of the chain.
    pub head: HeadView,
    /// Fork choice's justified checkpoint.
    pub justified: Checkpoint,
    /// Fork choice's finalized checkpoint.
    pub finalized: Checkpoint,
    /// The post-state of the finalized checkpoint's block, where it is in memory.
    pub finalized_state: Option<Arc<BeaconState>>,
    /// All blocks of fork choice.
    pub fork_choice: Arc<ForkChoiceView>,
    /// Blocks in memory by root; at most [`crate::limits::RECENT_BLOCKS_MAX`], of the highest slots.
    pub blocks: Arc<BTreeMap<Root, Arc<SignedBeaconBlock>>>,
    /// Verified blobs and columns in memory, of recent blocks, by the roots of their blocks, in ascending order; at most
    /// [`crate::limits::RECENT_SIDECARS_BLOCKS_MAX`] blocks, of the highest slots.
    pub sidecars: Arc<BTreeMap<Root, Vec<Sidecar>>>,
    /// Post-states in memory by the roots of their blocks.
    pub states: Arc<BTreeMap<Root, Arc<BeaconState>>>,
    /// What waits to be packed into blocks.
    pub pools: PoolsView,
    /// Who was seen attesting lately.
    pub liveness: Arc<Liveness>,
    /// What happened so far.
    pub counters: Counters,
}

/// Facts of genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenesisInfo {
    /// When it was, or will be.
    pub time: Time,
    /// The root of the genesis registry.
    pub validators_root: Root,
    /// The first fork's version.
    pub fork_version: Version,
}

/// The head of the chain.
#[derive(Clone, Debug)]
pub struct HeadView {
    /// The head block's root.
    pub root: Root,
    /// Its slot.
    pub slot: Slot,
    /// Its post-state.
    pub state: Arc<BeaconState>,
    /// The root of that state.
    pub state_root: Root,
    /// The post-state advanced through empty slots to a later slot, where that was done ahead of need.
    pub advanced: Option<Arc<BeaconState>>,
    /// What the execution layer says of its payload.
    pub execution: ExecutionStatus,
}

impl HeadView {
    /// True where no engine has executed the head's payload yet: no duty may be done upon it.
    pub fn is_optimistic(&self) -> bool {
        self.execution.is_optimistic()
    }
}

impl View {
    /// True where the block is followed though no engine has executed its payload yet; false for one that is not in fork
    /// choice.
    pub fn is_optimistic(&self, root: &Root) -> bool {
        let mut youngest_first = self.fork_choice.nodes.iter().rev();
        let summary = youngest_first.find(|summary| summary.node.root == *root);
        summary.is_some_and(|summary| summary.node.execution.is_optimistic())
    }
}

/// Fork choice for display.
#[derive(Clone, Debug, Default)]
pub struct ForkChoiceView {
    /// The block whose chain has the proposer boost; zero where there is none.
    pub proposer_boost_root: Root,
    /// All blocks, parents before their children.
    pub nodes: Vec<NodeSummary>,
}

/// A block of fork choice.
#[derive(Clone, Debug)]
pub struct NodeSummary {
    /// The block.
    pub node: Node,
    /// Its parent's root; none at the oldest block.
    pub parent: Option<Root>,
    /// Votes for it and its descendants, with the proposer boost.
    pub weight: Gwei,
    /// True where it may lead to a head.
    pub viable: bool,
    /// True where no block builds on it.
    pub is_leaf: bool,
}

/// What waits to be packed into blocks.
#[derive(Clone, Debug, Default)]
pub struct PoolsView {
    /// Attestations and their aggregates.
    pub attestations: Arc<AttestationPool>,
    /// Votes of the sync committee and their contributions.
    pub sync_votes: Arc<SyncPool>,
    /// Exits, slashings and changes of credentials.
    pub operations: Arc<OperationPool>,
    /// Deposits of the execution chain, where it is followed.
    pub eth1: Option<Arc<Eth1Chain>>,
}

/// What happened since the start, each a count that only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks imported.
    pub blocks_imported: u64,
    /// Blocks imported without a verdict of an engine.
    pub blocks_optimistic: u64,
    /// Blocks found invalid, by the state transition or by an engine.
    pub blocks_invalid: u64,
    /// Times that the engine had no answer.
    pub engine_failures: u64,
    /// Rounds in which an engine was told what it lacked.
    pub replays: u64,
    /// Imported blocks that an engine found invalid afterwards.
    pub payloads_invalid: u64,
    /// Gossip messages accepted.
    pub gossip_accepted: u64,
    /// Gossip messages ignored.
    pub gossip_ignored: u64,
    /// Gossip messages rejected.
    pub gossip_rejected: u64,
    /// Attestations whose signatures were verified, alone or in aggregates.
    pub attestations_verified: u64,
    /// Times the head left its chain.
    pub reorgs: u64,
    /// Things dropped because a bound was reached.
    pub overflows: u64,
    /// Faults of our own.
    pub faults: u64,
    /// Pieces of evidence given out.
    pub evidence_kept: u64,
    /// Blocks that wait for their parent or slot, now.
    pub blocks_pending: u64,
    /// Blocks that wait for their blobs or columns, now.
    pub blocks_without_data: u64,
    /// Bytes of blobs and columns of blocks that are not imported, now.
    pub data_bytes_pending: u64,
    /// Attestations that wait for their block or slot, now.
    pub attestations_pending: u64,
    /// States in memory, now.
    pub states_held: u64,
    /// Jobs under way, now.
    pub jobs_running: u64,
}
