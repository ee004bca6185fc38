//! How a chain begins: from an anchor that is trusted, or from what an earlier run stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fork_choice::{AnchorBlock, ExecutionStatus, ForkChoice};
use transition::block::is_merge_transition_complete;
use transition::genesis::genesis_block;
use types::{BeaconState, ExecutionAddress, ForkName, Gwei, Root, SignedBeaconBlock, Spec, SszExt, Time};

use crate::aside::Aside;
use crate::chain::{Chain, Published, Recent};
use crate::data::Data;
use crate::gossip::Seen;
use crate::head::head_of;
use crate::import::Imports;
use crate::job::{justified_balances, replay};
use crate::ledger::{Ledger, read_snapshot};
use crate::states::{Rank, States};
use crate::work::Work;
use crate::{Counters, GenesisInfo, Input, LoadedState, PoolsView, StoreOp, View};

/// What an operator may choose, and what only the shell can draw.
#[derive(Clone, Debug, Default)]
pub struct ChainConfig {
    /// Secret randomness for the batch verification of signatures; every job's own seed follows from it.
    pub seed: [u8; 32],
    /// Every how many epochs a finalized state is kept in storage for good; zero keeps none but the newest.
    pub archive_every_epochs: u64,
    /// The size of a snapshot above which it is written once an epoch and not with every block, in bytes; none for
    /// [`crate::limits::SNAPSHOT_EVERY_BLOCK_BYTES`].
    pub snapshot_every_block_bytes: Option<usize>,
    /// The validators above which states are written every few epochs only; none for [`crate::limits::LARGE_REGISTRY`].
    pub large_registry: Option<usize>,
    /// The columns that this node samples and keeps, since Fulu.
    pub custody: BTreeSet<data_availability::ColumnIndex>,
    /// Who gets the fees of blocks whose proposer named nobody.
    pub fee_recipient: ExecutionAddress,
    /// The age from which a merge block may be followed before an engine has executed it, in slots; none for
    /// [`fork_choice::SAFE_SLOTS_TO_IMPORT_OPTIMISTICALLY`].
    pub safe_slots_to_import_optimistically: Option<u64>,
}

/// What a chain begins with.
#[derive(Clone, Debug)]
pub enum Start {
    /// A state that is trusted: genesis, or a checkpoint.
    Anchor {
        /// The post-state of the anchor block; at its slot, not advanced.
        state: Arc<BeaconState>,
        /// The anchor block; none at genesis, whose block follows from its state.
        block: Option<Arc<SignedBeaconBlock>>,
    },
    /// What an earlier run stored.
    Restored(StoredStart),
}

/// Exactly what a restart needs:
///
/// 1. the bytes of the newest [`crate::StoreOp::PutSnapshot`];
/// 2. for each root that [`StoredStart::needs`] names, the answer to [`crate::LoadKey::State`];
/// 3. the journal: the blocks of every [`crate::StoreOp::AppendJournal`] since that snapshot, in order. They are
///    imported again in the background.
#[derive(Clone, Debug)]
pub struct StoredStart {
    /// The newest snapshot.
    pub snapshot: Vec<u8>,
    /// What was loaded, by the roots of [`StoredStart::needs`].
    pub states: BTreeMap<Root, LoadedState>,
    /// Blocks that were imported after the snapshot, in order.
    pub journal: Vec<Arc<SignedBeaconBlock>>,
}

/// Why a chain cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The anchor block and the anchor state do not belong together.
    #[error("the anchor block has the state root {block}, the anchor state is {state}")]
    AnchorMismatch {
        /// What the block says.
        block: Root,
        /// What the state is.
        state: Root,
    },
    /// The anchor is of another preset or fork schedule.
    #[error("the anchor state is of fork {state}, at its slot the network is at {network}")]
    WrongFork {
        /// The state's fork.
        state: &'static str,
        /// The fork of its slot in the schedule.
        network: &'static str,
    },
    /// The state has no use: no active validators, or broken in itself.
    #[error("the anchor state is unusable: {0}")]
    UnusableState(String),
    /// The stored snapshot does not decode.
    #[error("the stored snapshot is unusable: {0}")]
    Snapshot(String),
    /// A state that the snapshot needs was not handed over.
    #[error("the stored state of block {0} is missing")]
    MissingState(Root),
    /// Stored blocks do not lead to the state that they should lead to.
    #[error("the stored blocks do not lead to block {root}: {why}")]
    Replay {
        /// The block whose state was wanted.
        root: Root,
        /// What went wrong.
        why: String,
    },
}

impl StoredStart {
    /// The blocks whose post-states a restart from this snapshot needs: the head's. Others are loaded as they are
    /// asked for.
    pub fn needs(snapshot: &[u8]) -> Result<Vec<Root>, StartError> {
        read_snapshot(snapshot).map(|(preface, _)| vec![preface.head])
    }
}

impl Chain {
    /// A chain that begins as `start` says. Its first outputs may be there at once; `now` is the shell's clock.
    pub fn new(
        spec: &'static Spec,
        config: ChainConfig,
        start: Start,
        now: Time,
    ) -> Result<Self, StartError> {
        match start {
            Start::Anchor { state, block } => Self::from_anchor(spec, config, state, block, now),
            Start::Restored(stored) => Self::from_storage(spec, config, stored, now),
        }
    }

    fn from_anchor(
        spec: &'static Spec,
        config: ChainConfig,
        state: Arc<BeaconState>,
        block: Option<Arc<SignedBeaconBlock>>,
        now: Time,
    ) -> Result<Self, StartError> {
        let (fork, expected) = (state.fork_name(), spec.fork_name_at_slot(state.slot));
        if fork != expected {
            return Err(StartError::WrongFork { state: fork.as_str(), network: expected.as_str() });
        }
        let block = block.unwrap_or_else(|| Arc::new(genesis_block(&state)));
        let message = &block.message;
        let state_root = state.state_root();
        if message.state_root != state_root {
            return Err(StartError::AnchorMismatch { block: message.state_root, state: state_root });
        }
        let balances = justified_balances(&state).map_err(StartError::UnusableState)?;
        if balances.total_active() == Gwei(0) {
            return Err(StartError::UnusableState("it has no active validators".to_owned()));
        }
        let root = message.hash_tree_root(state.ctx());
        let anchor = AnchorBlock {
            slot: message.slot,
            root,
            parent_root: message.parent_root,
            proposer_index: message.proposer_index,
            state_root,
            justified: state.current_justified_checkpoint.clone(),
            finalized: state.finalized_checkpoint.clone(),
            execution: execution_of_anchor(&state),
        };
        let genesis_time = Time(state.genesis_time.saturating_mul(1000));
        let mut fork_choice = ForkChoice::new(spec, anchor, genesis_time);
        let checkpoint = fork_choice.justified_checkpoint().clone();
        fork_choice
            .set_justified_balances(&checkpoint, balances)
            .map_err(|error| StartError::UnusableState(error.to_string()))?;
        let mut chain = Self::assemble(spec, config, fork_choice, (root, state.clone()), Ledger::default());
        chain.keep_block(root, block.clone());
        chain.ledger.finalized = checkpoint.clone();
        chain.ledger.push(StoreOp::PutBlock { root, block: block.clone() });
        chain.record_state(root, &state);
        chain.ledger.push(StoreOp::Finalize { checkpoint, canonical: vec![(block.message.slot, root)] });
        chain.flush();
        chain.handle(now, Input::Tick);
        Ok(chain)
    }

    fn from_storage(
        spec: &'static Spec,
        config: ChainConfig,
        stored: StoredStart,
        now: Time,
    ) -> Result<Self, StartError> {
        let StoredStart { snapshot, mut states, journal } = stored;
        let (preface, bytes) = read_snapshot(&snapshot)?;
        let fork_choice =
            ForkChoice::restore(spec, bytes).map_err(|error| StartError::Snapshot(error.to_string()))?;
        let root = preface.head;
        if !fork_choice.contains(&root) || !fork_choice.contains(&preface.finalized.root) {
            return Err(StartError::Snapshot("a block that it names is not in it".to_owned()));
        }
        let loaded = states.remove(&root).ok_or(StartError::MissingState(root))?;
        let blocks = loaded.blocks;
        let state = replay(loaded.state, &blocks).map_err(|why| StartError::Replay { root, why })?;
        let expected = fork_choice.block(&root).map(|node| node.state_root).unwrap_or_default();
        if state.state_root() != expected {
            return Err(StartError::Replay { root, why: "the post-state has another root".to_owned() });
        }
        let epoch = fork_choice.get_current_store_epoch();
        let ledger = Ledger::resumed(preface, snapshot.len(), epoch);
        let mut chain = Self::assemble(spec, config, fork_choice, (root, state), ledger);
        for block in blocks {
            let root = block.message.hash_tree_root(spec.ctx_at_slot(block.message.slot));
            chain.keep_block(root, block);
        }
        chain.import_journal(journal);
        chain.handle(now, Input::Tick);
        Ok(chain)
    }

    fn assemble(
        spec: &'static Spec,
        config: ChainConfig,
        fork_choice: ForkChoice,
        (root, state): (Root, Arc<BeaconState>),
        ledger: Ledger,
    ) -> Self {
        let genesis = GenesisInfo {
            time: fork_choice.genesis_time(),
            validators_root: state.genesis_validators_root,
            fork_version: spec.fork_version(ForkName::Phase0),
        };
        let head = head_of(&fork_choice, root, state.clone());
        let view = View {
            spec,
            genesis,
            time: fork_choice.time(),
            current_slot: fork_choice.get_current_slot(),
            head: head.clone(),
            justified: fork_choice.justified_checkpoint().clone(),
            finalized: fork_choice.finalized_checkpoint().clone(),
            finalized_state: None,
            fork_choice: Arc::default(),
            blocks: Arc::default(),
            sidecars: Arc::default(),
            states: Arc::default(),
            pools: PoolsView::default(),
            liveness: Arc::default(),
            counters: Counters::default(),
        };
        let mut states = States::default();
        states.insert(root, (state, 0), |_| Rank::Pinned);
        let data = Data::new(spec, config.custody.clone());
        Self {
            spec,
            config,
            genesis,
            now: fork_choice.time(),
            slot: fork_choice.get_current_slot(),
            fork_choice,
            head,
            seen: Seen::default(),
            pools: PoolsView::default(),
            states,
            recent: Recent::default(),
            data,
            imports: Imports::default(),
            aside: Aside::default(),
            work: Work::default(),
            commands: BTreeMap::new(),
            ledger,
            counters: Counters::default(),
            outputs: VecDeque::new(),
            published: Published { view: Arc::new(view), is_stale: true, is_fork_choice_stale: true },
        }
    }
}

/// A checkpoint's payload is trusted with it. A first state since Bellatrix may begin after the merge: then what it says of
/// the payload before the first is all that there is of one.
fn execution_of_anchor(state: &BeaconState) -> ExecutionStatus {
    match state.fork_name() >= ForkName::Capella || is_merge_transition_complete(state) {
        true => ExecutionStatus::Valid { block_hash: state.latest_execution_payload_header.block_hash },
        false => ExecutionStatus::Irrelevant,
    }
}
