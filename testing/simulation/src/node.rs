//! A node: what survives a crash, and what does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain::{
    Chain, ChainConfig, CommandId, GossipId, Input, Job, JobId, Priority, SegmentId, SidecarsId, Start,
    StartError, StoredStart, View,
};
use crypto::hash;
use data_availability::ColumnIndex;
use deposits::Follower;
use sync::{ChainStatus, PeerId, Status, Sync, SyncState};
use types::{BeaconState, FixedBytes, Root, Time};
use validator::{Config, Duties, RequestId};

use crate::deposit_contract::follower;
use crate::disk::Disk;
use crate::engine::{Calls, EngineSeat};
use crate::packet::Packet;
use crate::scenario::Scenario;
use crate::signer::Signer;

/// Senders of decided gossip messages that are remembered, since the chain may still want what they named.
const SENDERS_MAX: usize = 4096;

/// Something for one of a node's machines.
#[derive(Debug)]
pub enum Todo {
    /// For the chain.
    Chain(Input),
    /// For sync.
    Sync(sync::Input),
    /// For the validators' duties.
    Duties(validator::Input),
    /// For who follows the deposit contract.
    Eth1(deposits::Input),
    /// A peer's Status, for sync and what looks at it before.
    Status(PeerId, Status),
}

/// A node.
#[derive(Debug)]
pub struct Node {
    /// What of its chain survives a crash.
    pub disk: Disk,
    /// Its validators' keys and what they signed, which survives too.
    pub signer: Signer,
    /// How many times it was started.
    pub generation: u64,
    /// How far its clock is ahead, in ms.
    pub skew_ms: i64,
    /// How long its jobs take, in percent of those of a quick machine.
    pub slowness_percent: u64,
    /// Outputs until a crash that is armed.
    pub crash_in: Option<u32>,
    /// When the disk has written all that it was given.
    pub disk_free: Time,
    /// What it lost in crashes so far: batches that were not durable.
    pub batches_lost: usize,
    /// Its execution engine, which goes on when the node crashes.
    pub engine: EngineSeat,
    /// The columns that it samples and keeps, since Fulu.
    pub custody: BTreeSet<ColumnIndex>,
    /// The deposits that are final, as it has stored them.
    pub deposit_snapshot: Option<Vec<u8>>,
    /// Since when it is up.
    pub up_since: Time,
    /// What a crash loses; none while the node is down.
    pub running: Option<Running>,
}

/// What a crash loses.
#[derive(Debug)]
pub struct Running {
    /// The chain.
    pub chain: Chain,
    /// Sync.
    pub sync: Sync,
    /// The validators' duties.
    pub duties: Duties,
    /// Who follows the deposit contract, where deposits are made.
    pub eth1: Option<Follower>,
    /// Gossip messages that were seen, by id.
    pub seen: BTreeSet<Root>,
    /// Gossip messages that have no verdict yet, with their senders and when they came.
    pub undecided: BTreeMap<GossipId, (Arc<Packet>, usize, Time)>,
    /// Who sent which message.
    pub senders: BTreeMap<GossipId, usize>,
    /// Commands under way, the questions of the duties that they answer, and when they were given.
    pub commands: BTreeMap<CommandId, (RequestId, Time)>,
    /// Segments under way, and since when.
    pub segments: BTreeMap<SegmentId, Time>,
    /// Sidecars that were looked up and are being judged, and since when.
    pub sidecars: BTreeMap<SidecarsId, Time>,
    /// Calls to the engine.
    pub calls: Calls,
    /// Jobs that wait for a worker.
    pub jobs: BTreeMap<(Priority, u64), (JobId, Job)>,
    /// Jobs that run.
    pub busy: usize,
    /// The next timer.
    pub timer: Option<Time>,
    /// Timers that rang at this moment.
    pub rings: (Time, u32),
    /// Looks of the checkers in a row at which the state of the head was being loaded.
    pub loading_checks: u32,
    /// What sync was told last.
    pub told: ChainStatus,
    /// What sync said last.
    pub sync_state: SyncState,
    next: u64,
}

impl Node {
    /// A node that never ran; its machine's clock and pace, its engine, and the columns that it keeps.
    pub fn new(
        signer: Signer,
        (skew_ms, slowness_percent): (i64, u64),
        engine: EngineSeat,
        custody: BTreeSet<ColumnIndex>,
    ) -> Self {
        Self {
            engine,
            custody,
            deposit_snapshot: None,
            up_since: Time(0),
            disk: Disk::default(),
            signer,
            generation: 0,
            skew_ms,
            slowness_percent,
            crash_in: None,
            disk_free: Time(0),
            batches_lost: 0,
            running: None,
        }
    }

    /// What its clock says.
    pub fn clock(&self, now: Time) -> Time {
        Time(now.0.saturating_add_signed(self.skew_ms))
    }

    /// When its clock says that.
    pub fn world_time(&self, clock: Time) -> Time {
        Time(clock.0.saturating_add_signed(-self.skew_ms))
    }

    /// Loses what is in memory and what the disk had not written.
    pub fn crash(&mut self) {
        self.running = None;
        self.crash_in = None;
        self.batches_lost += self.disk.crash();
        self.signer.crash();
    }

    /// Starts from what the disk has, or from genesis where it has nothing.
    pub fn start(
        &mut self,
        now: Time,
        (scenario, genesis): (&Scenario, &Arc<BeaconState>),
        seed: u64,
    ) -> Result<(), StartError> {
        self.generation += 1;
        let start = match &self.disk.snapshot {
            None => Start::Anchor { state: genesis.clone(), block: None },
            Some(snapshot) => Start::Restored(self.stored_start(snapshot)?),
        };
        let spec = genesis.spec();
        let seed = hash(&[seed.to_le_bytes(), self.generation.to_le_bytes()].concat());
        let fee_recipient = FixedBytes(seed[..20].try_into().expect("32 bytes begin with 20"));
        let custody = self.custody.clone();
        let config = ChainConfig {
            seed,
            custody: custody.clone(),
            fee_recipient,
            snapshot_every_block_bytes: scenario.work.snapshot_bytes,
            ..ChainConfig::default()
        };
        let chain = Chain::new(spec, config, start, self.clock(now))?;
        let told = chain_status(chain.view());
        let facts = validator::Genesis {
            time: Time(genesis.genesis_time * 1000),
            validators_root: genesis.genesis_validators_root,
        };
        // Every second node lets its validators name who gets the fees.
        let fee_recipient = seed[0].is_multiple_of(2).then_some(FixedBytes([0xfe; 20]));
        let config = Config { keys: self.signer.pubkeys(), graffiti: Root::ZERO, fee_recipient };
        self.disk_free = now;
        self.up_since = now;
        self.running = Some(Running {
            sync: Sync::new(spec, told, custody),
            chain,
            duties: Duties::new(spec, facts, config),
            eth1: follower(scenario, genesis, self.deposit_snapshot.as_deref()),
            seen: BTreeSet::new(),
            undecided: BTreeMap::new(),
            senders: BTreeMap::new(),
            commands: BTreeMap::new(),
            segments: BTreeMap::new(),
            sidecars: BTreeMap::new(),
            calls: Calls::default(),
            jobs: BTreeMap::new(),
            busy: 0,
            timer: None,
            rings: (now, 0),
            loading_checks: 0,
            told,
            sync_state: SyncState::Synced,
            next: 0,
        });
        Ok(())
    }

    fn stored_start(&self, snapshot: &[u8]) -> Result<StoredStart, StartError> {
        let mut states = BTreeMap::new();
        for root in StoredStart::needs(snapshot)? {
            // What is missing is for the chain to complain about.
            states.extend(self.disk.state_of(root).map(|state| (root, state)));
        }
        let why = |root| StartError::Replay { root, why: "it is in the journal and not in the store".into() };
        Ok(StoredStart { snapshot: snapshot.to_vec(), states, journal: self.disk.journal().map_err(why)? })
    }
}

impl Running {
    /// When the follower of the deposit contract wants a tick.
    pub fn eth1_deadline(&self) -> Option<Time> {
        self.eth1.as_ref().and_then(Follower::deadline)
    }

    /// A number that was not used since the start.
    pub fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Remembers who sent a message. The oldest are forgotten.
    pub fn remember_sender(&mut self, id: GossipId, from: usize) {
        self.senders.insert(id, from);
        while self.senders.len() > SENDERS_MAX {
            self.senders.pop_first();
        }
    }
}

/// What sync has to know of the chain.
pub fn chain_status(view: &View) -> ChainStatus {
    ChainStatus {
        head_slot: view.head.slot,
        head_root: view.head.root,
        finalized_epoch: view.finalized.epoch,
        current_slot: view.current_slot,
    }
}
