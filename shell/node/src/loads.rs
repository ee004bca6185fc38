//! Reading blocks and states back from the database.

use std::sync::Arc;
use std::thread::JoinHandle;

use chain::{LoadId, LoadKey, Loaded, LoadedState};
use crossbeam_channel::{Receiver, Sender};
use data_availability::Sidecar;
use ssz::{DecodeError, SszExt};
use storage::Database;
use transition::genesis::genesis_block;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{
    BeaconState, BlobSidecar, DataColumnSidecar, ForkName, Root, SignedBeaconBlock, Slot, Spec, Time,
};

/// A walk longer than this means that the database lost its states.
const WALK_MAX: usize = 100_000;
/// Reads that may wait for the reader; the core has fewer under way.
pub const READS_MAX: usize = 64;

/// What can be read: the database, and the genesis that comes before all of it.
#[derive(Debug)]
pub struct Loads {
    /// The network.
    pub spec: &'static Spec,
    /// Where blocks and states are stored.
    pub database: Arc<Database>,
    /// The first state.
    pub genesis_state: Arc<BeaconState>,
    /// The block of the first state.
    pub genesis_block: Arc<SignedBeaconBlock>,
    /// Its root.
    pub genesis_root: Root,
}

impl Loads {
    /// Reads from a database of a network with this genesis.
    pub fn new(spec: &'static Spec, database: Arc<Database>, genesis_state: Arc<BeaconState>) -> Self {
        let block = genesis_block(&genesis_state);
        let genesis_root = block.message.hash_tree_root(genesis_state.ctx());
        Self { spec, database, genesis_state, genesis_block: Arc::new(block), genesis_root }
    }

    /// When the network begins.
    pub fn genesis_time(&self) -> Time {
        Time(self.genesis_state.genesis_time.saturating_mul(1000))
    }

    /// A block by its root.
    pub fn block(&self, root: &Root) -> Result<Option<Arc<SignedBeaconBlock>>, String> {
        if *root == self.genesis_root {
            return Ok(Some(self.genesis_block.clone()));
        }
        let stored = self.database.block(&root.0).map_err(|fault| fault.to_string())?;
        let decode = |stored: storage::StoredBlock| {
            let ctx = self.spec.ctx_at_slot(Slot(stored.slot));
            let block = SignedBeaconBlock::from_ssz(&stored.ssz, ctx);
            block.map(Arc::new).map_err(|error| format!("stored block {root}: {error}"))
        };
        stored.map(decode).transpose()
    }

    /// A blob or column of a stored block, SSZ as peers get it.
    pub fn sidecar(&self, root: &Root, index: u64) -> Result<Option<Vec<u8>>, String> {
        self.database.sidecar(&root.0, index).map_err(|fault| fault.to_string())
    }

    /// All blobs or columns of a stored block, in ascending order.
    pub fn sidecars(&self, root: &Root, slot: Slot) -> Result<Vec<Sidecar>, String> {
        let stored = self.database.sidecars(&root.0).map_err(|fault| fault.to_string())?;
        let decode = |(index, ssz): (u64, Vec<u8>)| {
            decode_sidecar(self.spec, slot, &ssz)
                .map_err(|error| format!("stored sidecar {index} of block {root}: {error}"))
        };
        stored.into_iter().map(decode).collect()
    }

    /// Reads what the core asks for.
    pub fn load(&self, key: LoadKey) -> Loaded {
        match key {
            LoadKey::State { block_root } => self.state(block_root),
            LoadKey::Blocks { last, count } => self.blocks(last, count),
        }
    }

    /// The chain that ends with a block, at most so many of its blocks, the oldest first.
    fn blocks(&self, last: Root, count: usize) -> Loaded {
        let (mut at, mut blocks) = (last, Vec::new());
        while blocks.len() < count {
            match self.block(&at) {
                Ok(Some(block)) => {
                    at = block.message.parent_root;
                    blocks.push(block);
                }
                Ok(None) => break,
                Err(error) => return Loaded::Failed(error),
            }
        }
        blocks.reverse();
        if blocks.is_empty() { Loaded::Missing } else { Loaded::Blocks(blocks) }
    }

    /// The newest stored state of the chain that ends with a block, and the blocks after it.
    pub fn state(&self, block_root: Root) -> Loaded {
        match self.find_state(block_root) {
            Ok(Some(found)) => Loaded::State(found),
            Ok(None) => Loaded::Missing,
            Err(error) => Loaded::Failed(error),
        }
    }

    fn find_state(&self, wanted: Root) -> Result<Option<LoadedState>, String> {
        let mut blocks = Vec::new();
        let mut root = wanted;
        // States are stored under the roots of the blocks whose post-states they are.
        loop {
            if let Some(state) = self.stored_state(root)? {
                blocks.reverse();
                return Ok(Some(LoadedState { state, block_root: root, blocks }));
            }
            let Some(found) = self.block(&root)? else { return Ok(None) };
            root = found.message.parent_root;
            blocks.push(found);
            if blocks.len() > WALK_MAX {
                return Err(format!("no state within {WALK_MAX} blocks before {wanted}"));
            }
        }
    }

    fn stored_state(&self, root: Root) -> Result<Option<Arc<BeaconState>>, String> {
        if root == self.genesis_root {
            return Ok(Some(self.genesis_state.clone()));
        }
        let stored = self.database.state(&root.0).map_err(|fault| fault.to_string())?;
        let decode = |stored: storage::StoredState| {
            let fork = self.spec.fork_name_at_slot(Slot(stored.slot));
            let mut state = BeaconState::decode_at(self.spec, fork, &stored.ssz)
                .map_err(|error| format!("stored state of block {root}: {error}"))?;
            // Decompressing the keys again would take longer than everything else here.
            state.context.caches.pubkeys = self.genesis_state.context.caches.pubkeys.clone();
            chain::share_equal_parts(&mut state, &self.genesis_state);
            Ok(Arc::new(state))
        };
        stored.map(decode).transpose()
    }

    /// The post-state of a stored block, replayed where it must be.
    pub fn replayed_state(&self, block_root: Root) -> Result<Option<Arc<BeaconState>>, String> {
        let Some(found) = self.find_state(block_root)? else { return Ok(None) };
        if found.blocks.is_empty() {
            return Ok(Some(found.state));
        }
        let mut state = (*found.state).clone();
        for block in &found.blocks {
            state_transition(&mut state, block, &mut Signatures::Skip, ValidateResult::No)
                .map_err(|error| format!("replay of slot {}: {error}", block.message.slot))?;
        }
        Ok(Some(Arc::new(state)))
    }
}

/// A sidecar of a block of this slot, from its SSZ: a blob until Electra, a column since Fulu.
pub fn decode_sidecar(spec: &'static Spec, slot: Slot, ssz: &[u8]) -> Result<Sidecar, DecodeError> {
    let ctx = spec.ctx_at_slot(slot);
    if spec.fork_name_at_slot(slot) >= ForkName::Fulu {
        return DataColumnSidecar::from_ssz(ssz, ctx).map(|sidecar| Sidecar::Column(Arc::new(sidecar)));
    }
    BlobSidecar::from_ssz(ssz, ctx).map(|sidecar| Sidecar::Blob(Arc::new(sidecar)))
}

/// The state advanced through empty slots to `slot`.
pub fn advanced(state: Arc<BeaconState>, slot: Slot) -> Result<Arc<BeaconState>, String> {
    if state.slot >= slot {
        return Ok(state);
    }
    let mut state = (*state).clone();
    process_slots(&mut state, slot).map_err(|error| error.to_string())?;
    Ok(Arc::new(state))
}

/// The thread that reads for the core. Dropping it ends the thread after the reads that wait.
#[derive(Debug)]
pub struct Reader {
    queue: Option<Sender<(LoadId, LoadKey)>>,
    waiting: Receiver<(LoadId, LoadKey)>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread; it hands what it read to `done`.
    pub fn start(loads: Arc<Loads>, done: impl Fn(LoadId, Loaded) + Send + 'static) -> std::io::Result<Self> {
        let (queue, reads) = crossbeam_channel::bounded(READS_MAX);
        let waiting = reads.clone();
        let run = move || {
            while let Ok((id, key)) = reads.recv() {
                let read = std::panic::AssertUnwindSafe(|| loads.load(key));
                let panicked = |_| Loaded::Failed(format!("reading {key:?} panicked"));
                done(id, std::panic::catch_unwind(read).unwrap_or_else(panicked));
            }
        };
        let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(run)?;
        Ok(Self { queue: Some(queue), waiting, thread: Some(thread) })
    }

    /// Tells how many reads wait.
    pub fn depth(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let waiting = self.waiting.clone();
        move || waiting.len()
    }

    /// Queues a read; false where too many wait.
    pub fn read(&self, id: LoadId, key: LoadKey) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.try_send((id, key)).is_ok())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the reader's thread panicked");
        }
    }
}
