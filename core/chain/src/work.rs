//! Jobs, loads and the batch of votes that waits for its job: what is under way outside of the writer's thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use types::{Checkpoint, Root, SignedBeaconBlock, Slot, Time};

use crate::building::Building;
use crate::chain::Chain;
use crate::data_gate::SegmentCheck;
use crate::engine_calls::EngineCalls;
use crate::engine_head::Told;
use crate::import::Import;
use crate::incoming::{Candidate, Incoming};
use crate::job::{AdvanceState, ReplayStates, VerifiedGroup, VerifySignatures};
use crate::late_verdicts::UncheckedMerges;
use crate::limits::{BATCH_MAX, BATCH_WAIT_MS, LOADS_MAX, PARKED_MAX, VERIFYING_MAX};
use crate::payload::Payloads;
use crate::production::Wish;
use crate::replay::Replay;
use crate::sidecars::Checking;
use crate::states::StateKey;
use crate::{
    AdvancedState, CommandId, Job, JobId, JobResult, LoadId, LoadKey, Loaded, Output, Priority, Verdict,
};

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Work {
    next_job: u64,
    next_load: u64,
    jobs: BTreeMap<JobId, Purpose>,
    loads: BTreeMap<LoadId, Load>,
    /// States that are being made or loaded.
    wanted: BTreeSet<StateKey>,
    /// What waits for them.
    parked: Vec<(StateKey, Parked)>,
    pub(crate) engine: EngineCalls,
    pub(crate) payloads: Payloads,
    pub(crate) told: Told,
    pub(crate) building: Building,
    pub(crate) replay: Replay,
    pub(crate) unchecked_merges: UncheckedMerges,
    batch: Vec<Candidate>,
    batch_since: Time,
    /// Messages whose signatures are being verified.
    verifying: usize,
}

/// What a job is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    Verify(Vec<Candidate>),
    Import(Import),
    /// A checkpoint's state.
    Checkpoint(Checkpoint),
    /// The post-state of a block, replayed.
    Replay(Root),
    /// The head's state, ahead of need.
    Advance {
        head: Root,
        slot: Slot,
    },
    Build(CommandId),
    /// Proofs of sidecars that came by gossip, or that peers were asked for.
    Sidecars(Vec<Checking>),
    /// Proofs of the data of a segment.
    SegmentSidecars(Box<SegmentCheck>),
    /// The columns that a block of a segment lacks, made of half of them.
    SegmentRecovery(Box<SegmentCheck>),
    /// The sidecars of a block of the API.
    OwnSidecars(CommandId, Arc<SignedBeaconBlock>),
    /// Sidecars of a block that waits for them.
    MadeSidecars(Root),
}

/// What is read from storage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// The state of a block; at most [`LOADS_MAX`] at a time.
    State(Root),
    /// Blocks that the engine lacks; one at a time.
    Replay,
}

/// What waits for a state.
#[derive(Debug)]
pub(crate) enum Parked {
    Message(Incoming),
    Production(CommandId, Box<Wish>),
}

impl Work {
    /// When the batch of votes is to be verified; none while it is empty.
    pub fn batch_due(&self) -> Option<Time> {
        (!self.batch.is_empty()).then(|| self.batch_since.after_ms(BATCH_WAIT_MS))
    }

    /// The number of a load that is about to begin.
    pub fn begin_load(&mut self, load: Load) -> LoadId {
        let id = LoadId(self.next_load);
        self.next_load += 1;
        self.loads.insert(id, load);
        id
    }

    pub fn jobs_running(&self) -> usize {
        self.jobs.len()
    }

    pub fn imports_running(&self) -> usize {
        self.jobs.values().filter(|purpose| matches!(purpose, Purpose::Import(_))).count()
    }

    pub fn is_segment_running(&self) -> bool {
        self.jobs.values().any(|purpose| match purpose {
            Purpose::Import(import) => import.is_segment(),
            Purpose::SegmentSidecars(_) | Purpose::SegmentRecovery(_) => true,
            _ => false,
        })
    }

    pub fn is_advancing(&self, head: Root, slot: Slot) -> bool {
        let same = |purpose: &Purpose| matches!(purpose, Purpose::Advance { head: h, slot: s } if *h == head && *s == slot);
        self.jobs.values().any(same)
    }
}

impl Chain {
    /// Gives a job away.
    pub(crate) fn start(&mut self, purpose: Purpose, priority: Priority, job: Job) {
        let id = JobId(self.work.next_job);
        self.work.next_job += 1;
        self.work.jobs.insert(id, purpose);
        self.outputs.push_back(Output::Job(id, priority, job));
    }

    /// Randomness for the next job, which nobody outside can foresee.
    pub(crate) fn job_seed(&self) -> [u8; 32] {
        let mut number = [0; 32];
        number[..8].copy_from_slice(&self.work.next_job.to_le_bytes());
        crypto::hash_concat(&self.config.seed, &number)
    }

    pub(crate) fn job_done(&mut self, id: JobId, result: JobResult) {
        let Some(purpose) = self.work.jobs.remove(&id) else {
            return self.fault(format!("a result came for job {}, which is not under way", id.0));
        };
        if let JobResult::Panicked(text) = &result {
            self.fault(format!("a job panicked: {text}"));
        }
        match (purpose, result) {
            (Purpose::Verify(candidates), JobResult::Signatures(groups)) => {
                self.verified(candidates, groups);
            }
            (Purpose::Verify(candidates), _) => self.verification_failed(candidates),
            (Purpose::Import(import), JobResult::Executed(executed)) => self.executed(import, executed),
            (Purpose::Import(import), JobResult::Panicked(text)) => {
                self.keep_panic(&import, &text);
                self.import_failed(import, "the import job panicked".to_owned());
            }
            (Purpose::Import(import), _) => self.import_failed(import, "the import job failed".to_owned()),
            (Purpose::Checkpoint(checkpoint), JobResult::State(result)) => {
                self.checkpoint_made(checkpoint, result);
            }
            (Purpose::Checkpoint(Checkpoint { epoch, root }), _) => {
                self.state_failed(StateKey::Checkpoint(epoch, root))
            }
            (Purpose::Replay(root), JobResult::State(Ok(made))) => self.state_came(root, made),
            (Purpose::Replay(root), result) => {
                if let JobResult::State(Err(why)) = result {
                    self.fault(format!("stored blocks do not lead to the state of block {root}: {why}"));
                }
                self.state_failed(StateKey::Post(root));
            }
            (Purpose::Advance { head, .. }, JobResult::State(Ok(made))) => self.head_advanced(head, made),
            (Purpose::Advance { head, slot }, JobResult::State(Err(why))) => {
                self.fault(format!("the state of block {head} cannot be advanced to slot {slot}: {why}"));
            }
            (Purpose::Advance { .. }, _) => {}
            (Purpose::Build(command), JobResult::Built(result)) => self.built(command, result),
            (Purpose::Build(command), _) => self.built(command, Err("building the block failed".to_owned())),
            (purpose, result) => self.data_job_done(purpose, result),
        }
    }

    /// Has the signatures of a message verified: those of votes together with others', those of blocks at once.
    pub(crate) fn verify(&mut self, candidate: Candidate, priority: Priority) {
        if priority == Priority::Attestation && self.work.verifying >= VERIFYING_MAX {
            self.counters.overflows += 1;
            return self
                .judge(&candidate.incoming, Verdict::ignore("too many messages wait for verification"));
        }
        self.work.verifying += 1;
        if priority != Priority::Attestation {
            return self.start_verification(vec![candidate], priority);
        }
        if self.work.batch.is_empty() {
            self.work.batch_since = self.now;
        }
        self.work.batch.push(candidate);
        if self.work.batch.len() >= BATCH_MAX {
            self.flush_batch();
        }
    }

    pub(crate) fn flush_due_batch(&mut self) {
        if self.work.batch_due().is_some_and(|due| due <= self.now) {
            self.flush_batch();
        }
    }

    fn flush_batch(&mut self) {
        let batch = std::mem::take(&mut self.work.batch);
        self.start_verification(batch, Priority::Attestation);
    }

    fn start_verification(&mut self, mut candidates: Vec<Candidate>, priority: Priority) {
        let groups =
            candidates.iter_mut().map(|candidate| std::mem::take(&mut candidate.signatures)).collect();
        let job = VerifySignatures { groups, seed: self.job_seed() };
        self.start(Purpose::Verify(candidates), priority, Job::VerifySignatures(job));
    }

    fn verified(&mut self, candidates: Vec<Candidate>, groups: Vec<VerifiedGroup>) {
        self.work.verifying -= candidates.len();
        for (candidate, group) in candidates.into_iter().zip(groups) {
            match group {
                Ok(signature) => self.accept(candidate, signature),
                Err(at) => {
                    self.forget_flight(&candidate);
                    self.judge(&candidate.incoming, Verdict::Reject(candidate.reasons[at]));
                }
            }
        }
        self.settle();
    }

    fn verification_failed(&mut self, candidates: Vec<Candidate>) {
        self.work.verifying -= candidates.len();
        for candidate in candidates {
            self.forget_flight(&candidate);
            self.judge(&candidate.incoming, Verdict::ignore("the verification failed"));
        }
    }

    /// Keeps something until a state is there. Gives it back where the state cannot be had.
    pub(crate) fn park(&mut self, key: StateKey, parked: Parked) -> Result<(), Parked> {
        if self.work.parked.len() >= PARKED_MAX || !self.want_state(key) {
            self.counters.overflows += 1;
            return Err(parked);
        }
        self.work.parked.push((key, parked));
        Ok(())
    }

    /// Has a state made or loaded. False where it cannot be had, or too many are under way.
    pub(crate) fn want_state(&mut self, key: StateKey) -> bool {
        if self.work.wanted.contains(&key) {
            return true;
        }
        let (StateKey::Post(root) | StateKey::Checkpoint(_, root)) = key;
        if self.work.wanted.len() >= LOADS_MAX || !self.fork_choice.contains(&root) {
            return false;
        }
        match (key, self.states.get(&root).is_some()) {
            (StateKey::Checkpoint(epoch, root), true) => self.make_checkpoint(Checkpoint { epoch, root }),
            (StateKey::Checkpoint(..), false) if !self.want_state(StateKey::Post(root)) => return false,
            (StateKey::Checkpoint(..), false) => {}
            (StateKey::Post(root), _) => {
                let id = self.work.begin_load(Load::State(root));
                self.outputs.push_back(Output::Load(id, LoadKey::State { block_root: root }));
            }
        }
        self.work.wanted.insert(key);
        true
    }

    /// Starts the job that advances a post-state in memory to a checkpoint's epoch, and reads its balances where fork
    /// choice wants them.
    fn make_checkpoint(&mut self, checkpoint: Checkpoint) {
        let ready = self.states.checkpoint(checkpoint.epoch, &checkpoint.root);
        let Some(state) = ready.or_else(|| self.states.get(&checkpoint.root)).cloned() else { return };
        let slot = checkpoint.epoch.start_slot(self.spec);
        let balances_of = self.fork_choice.wants_balances().filter(|wanted| *wanted == checkpoint);
        let job = AdvanceState { state, slot, balances_of };
        self.start(Purpose::Checkpoint(checkpoint), Priority::State, Job::AdvanceState(job));
    }

    fn checkpoint_made(&mut self, checkpoint: Checkpoint, result: Result<AdvancedState, String>) {
        let key = StateKey::Checkpoint(checkpoint.epoch, checkpoint.root);
        let made = match result {
            Ok(made) => made,
            Err(why) => {
                self.fault(format!(
                    "the state of checkpoint {} {} cannot be made: {why}",
                    checkpoint.epoch, checkpoint.root
                ));
                return self.state_failed(key);
            }
        };
        if let Some(balances) = made.balances {
            // The justified checkpoint may have moved on meanwhile; then its balances are asked for next.
            let _ = self.fork_choice.set_justified_balances(&checkpoint, balances);
        }
        self.states.insert_checkpoint(checkpoint, made.state);
        self.unpark(key);
        self.settle();
    }

    pub(crate) fn loaded(&mut self, id: LoadId, loaded: Loaded) {
        let root = match self.work.loads.remove(&id) {
            Some(Load::State(root)) => root,
            Some(Load::Replay) => return self.replay_loaded(loaded),
            None => {
                return self.fault(format!("an answer came for load {}, which is not under way", id.0));
            }
        };
        match loaded {
            Loaded::State(mut found) => {
                Arc::make_mut(&mut found.state).context.caches.share_keys_of(&self.head.state.context.caches);
                let like = self.head.state.clone();
                let job = ReplayStates { state: found.state, like, blocks: found.blocks };
                self.start(Purpose::Replay(root), Priority::State, Job::ReplayStates(job));
            }
            Loaded::Missing | Loaded::Blocks(_) => {
                self.fault(format!("the state of block {root} is not stored"));
                self.state_failed(StateKey::Post(root));
            }
            Loaded::Failed(why) => {
                self.fault(format!("the state of block {root} cannot be read: {why}"));
                self.state_failed(StateKey::Post(root));
            }
        }
    }

    fn state_came(&mut self, root: Root, made: AdvancedState) {
        self.keep_state(root, made.state);
        self.unpark(StateKey::Post(root));
        let is_next = |key: &&StateKey| matches!(key, StateKey::Checkpoint(_, of) if *of == root);
        let next: Vec<StateKey> = self.work.wanted.iter().filter(is_next).copied().collect();
        for key in next {
            if let StateKey::Checkpoint(epoch, root) = key {
                self.make_checkpoint(Checkpoint { epoch, root });
            }
        }
        self.settle();
    }

    fn take_parked(&mut self, key: StateKey) -> Vec<Parked> {
        self.work.wanted.remove(&key);
        let (now, later) = std::mem::take(&mut self.work.parked).into_iter().partition(|(of, _)| *of == key);
        self.work.parked = later;
        Vec::into_iter(now).map(|(_, parked)| parked).collect()
    }

    fn unpark(&mut self, key: StateKey) {
        for parked in self.take_parked(key) {
            match parked {
                Parked::Message(incoming) => self.take(incoming),
                Parked::Production(command, wish) => self.produce(command, *wish),
            }
        }
    }

    fn state_failed(&mut self, key: StateKey) {
        for parked in self.take_parked(key) {
            self.unavailable(parked);
        }
        if let StateKey::Post(root) = key {
            self.imports_without_state(&root);
            let upon: Vec<StateKey> = self.work.wanted.iter().copied().collect();
            for key in
                upon.into_iter().filter(|key| matches!(key, StateKey::Checkpoint(_, of) if *of == root))
            {
                self.state_failed(key);
            }
        }
    }

    /// Ends what cannot get its state.
    pub(crate) fn unavailable(&mut self, parked: Parked) {
        match parked {
            Parked::Message(incoming) => {
                self.judge(&incoming, Verdict::ignore("the state that the message needs is not available"));
            }
            Parked::Production(command, _) => {
                self.built(command, Err("the state of the parent block is not available".to_owned()));
            }
        }
    }
}
