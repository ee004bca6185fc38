//! Several engines as one: the first that can be used answers, the others are kept warm.
//!
//! An engine can be used while it is online; one that syncs only where none is online; one that was not asked yet only
//! where there is neither. Where none can be used the request is tried on those that are offline, since an engine that
//! came back a moment ago should not cost a slot. An engine that refuses our token, or is of another chain, is asked by
//! [`Engines::check_due`] alone.
//!
//! An engine that did not hear the last fork choice, because another one answered or because it was away, is told by
//! the next check; it follows the chain by itself then, and does not begin at nothing when it is needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{EngineFailure, EngineReply, EngineRequest, ForkchoiceState, PayloadId};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use types::ForkName;

use crate::health::{Health, state_after};
use crate::method::lacking;
use crate::{Backoff, Engine, EngineError, EngineState, SyncState};

/// The payloads that are remembered with the engine that builds them; the oldest is forgotten for one more.
const PAYLOADS_MAX: usize = 16;

/// What all engines must be.
#[derive(Clone, Debug)]
pub struct EnginesConfig {
    /// The chain id of our network: `DEPOSIT_CHAIN_ID`.
    pub chain_id: u64,
    /// The last fork that is scheduled: an engine that lacks a method up to it is warned about.
    pub latest_fork: ForkName,
    /// When engines are looked at.
    pub backoff: Backoff,
}

/// Several engines, the preferred first.
#[derive(Debug)]
pub struct Engines {
    config: EnginesConfig,
    engines: Vec<Engine>,
    shared: Mutex<Shared>,
    /// Fork choices and payloads go out one after the other, in the order in which they came.
    turn: Semaphore,
    /// An engine that was offline has answered.
    is_back: Notify,
}

/// Never held across a wait.
#[derive(Debug)]
struct Shared {
    health: Vec<Health>,
    /// The last fork choice, and which engines heard it.
    forkchoice: Option<(ForkName, ForkchoiceState)>,
    heard: Vec<Option<ForkchoiceState>>,
    /// Which engine builds which payload, the oldest first.
    payloads: Vec<(PayloadId, usize)>,
}

impl Engines {
    /// The engines in the order in which they are preferred; nothing is sent yet.
    pub fn new(engines: Vec<Engine>, config: EnginesConfig) -> Self {
        let health = vec![Health::new(config.backoff, Instant::now()); engines.len()];
        let shared =
            Shared { health, forkchoice: None, heard: vec![None; engines.len()], payloads: Vec::new() };
        Self { config, engines, shared: Mutex::new(shared), turn: Semaphore::new(1), is_back: Notify::new() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engines' addresses with what is known of each.
    pub fn states(&self) -> Vec<(String, EngineState)> {
        let shared = self.shared();
        let states = shared.health.iter().map(Health::state);
        self.engines.iter().map(|engine| engine.url().to_owned()).zip(states).collect()
    }

    /// Looks at engines when they are due, until `stop` is true or nobody can say so any more.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        loop {
            self.check_due().await;
            let next = self.shared().health.iter().map(Health::next_check).min();
            let Some(next) = next else { return };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep_until(next) => {}
                () = self.is_back.notified() => {}
            }
        }
    }

    /// Looks at every engine that is due: whether it is there, of our chain, at the head, and up to date.
    pub async fn check_due(&self) {
        let now = Instant::now();
        for (index, engine) in self.engines.iter().enumerate() {
            if self.shared().health[index].next_check() > now {
                continue;
            }
            match self.look_at(engine, index).await {
                Ok(state) => {
                    self.note(index, state, None);
                    self.catch_up(engine, index).await;
                }
                Err(error) => {
                    // A look that ends in a refusal found an engine that cannot even say its chain id.
                    let state = state_after(&error).unwrap_or(EngineState::Offline);
                    self.note(index, state, Some(&error));
                }
            }
        }
    }

    async fn look_at(&self, engine: &Engine, index: usize) -> Result<EngineState, EngineError> {
        let (found, expected) = (engine.chain_id().await?, self.config.chain_id);
        if found != expected {
            return Err(EngineError::WrongChain { found, expected });
        }
        // Only an engine that was away may have become another one.
        let is_new =
            !matches!(self.shared().health[index].state(), EngineState::Online | EngineState::Syncing);
        if is_new {
            self.exchange_capabilities(engine).await?;
        }
        match engine.syncing().await? {
            SyncState::Synced => Ok(EngineState::Online),
            SyncState::Syncing { .. } => Ok(EngineState::Syncing),
        }
    }

    async fn exchange_capabilities(&self, engine: &Engine) -> Result<(), EngineError> {
        let offered = match engine.exchange_capabilities().await {
            Ok(offered) => offered,
            Err(EngineError::Refused { message, code, .. }) => {
                tracing::warn!(
                    engine = engine.url(),
                    code,
                    "the execution engine does not tell what it can do: {message}"
                );
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let lacking = lacking(&offered, self.config.latest_fork);
        if !lacking.is_empty() {
            tracing::warn!(
                engine = engine.url(),
                "the execution engine lacks {}, which the network needs up to {}: it must be updated",
                lacking.join(", "),
                self.config.latest_fork
            );
        }
        Ok(())
    }

    /// Tells an engine the last fork choice, where it did not hear it. Its answer changes nothing: the chain has one.
    async fn catch_up(&self, engine: &Engine, index: usize) {
        let missed = {
            let shared = self.shared();
            shared.forkchoice.filter(|(_, state)| shared.heard[index] != Some(*state))
        };
        let Some((fork, state)) = missed else { return };
        let Ok(_turn) = self.turn.acquire().await else { return };
        // Another fork choice may have come while we waited; telling the old one would turn the engine back.
        if self.shared().forkchoice != Some((fork, state)) {
            return;
        }
        if engine.forkchoice_updated(fork, &state, None).await.is_ok() {
            self.shared().heard[index] = Some(state);
        }
    }

    /// Takes in what is known of an engine, and says so once where it changed.
    fn note(&self, index: usize, state: EngineState, error: Option<&EngineError>) {
        let Some(before) = self.shared().health[index].note(Instant::now(), state) else { return };
        let engine = self.engines[index].url();
        match (state, error) {
            (EngineState::Online, _) => tracing::info!(engine, "the execution engine is online"),
            (EngineState::Syncing, _) => tracing::info!(engine, "the execution engine is syncing"),
            (_, Some(error)) if before.is_usable() || state > EngineState::Offline => {
                tracing::error!(engine, "the execution engine {error}");
            }
            (_, Some(error)) => tracing::warn!(engine, "the execution engine {error}"),
            (_, None) => {}
        }
    }

    /// The one reply to a request: of the first engine that has one.
    pub async fn answer(&self, request: &EngineRequest) -> EngineReply {
        let is_in_order =
            matches!(request, EngineRequest::NewPayload(_) | EngineRequest::ForkchoiceUpdated { .. });
        let _turn = if is_in_order { self.turn.acquire().await.ok() } else { None };
        if let EngineRequest::ForkchoiceUpdated { fork, state, .. } = request {
            self.shared().forkchoice = Some((*fork, *state));
        }
        let mut last = None;
        for index in self.order(request) {
            match self.ask(index, request).await {
                Ok(reply) => {
                    if self.shared().health[index].answered(Instant::now()) {
                        self.is_back.notify_one();
                    }
                    return reply;
                }
                Err(error) => {
                    if let Some(state) = state_after(&error) {
                        self.note(index, state, Some(&error));
                    }
                    let is_the_engines = error.is_the_engines();
                    last = Some(error);
                    if !is_the_engines {
                        break;
                    }
                }
            }
        }
        EngineReply::Failed(match last {
            Some(error) => error.into(),
            None => EngineFailure::Unreachable(self.why_none()),
        })
    }

    /// The engines to ask, in their order: see the module's beginning.
    fn order(&self, request: &EngineRequest) -> Vec<usize> {
        let shared = self.shared();
        if let EngineRequest::GetPayload { id, .. } = request
            && let Some((_, index)) = shared.payloads.iter().rev().find(|(known, _)| known == id)
        {
            return vec![*index];
        }
        Self::by_state(&shared)
    }

    /// The engine that is best to be asked about the execution chain itself, none where there is none to ask.
    pub(crate) fn best(&self) -> Option<&Engine> {
        let best = Self::by_state(&self.shared()).first().copied();
        best.map(|index| &self.engines[index])
    }

    fn by_state(shared: &Shared) -> Vec<usize> {
        let mut order: Vec<usize> = (0..shared.health.len())
            .filter(|index| shared.health[*index].state() <= EngineState::Offline)
            .collect();
        order.sort_by_key(|index| shared.health[*index].state());
        // Those that are offline are a last resort: where another can be used they only cost time.
        let usable = order.iter().filter(|index| shared.health[**index].state().is_usable()).count();
        if usable > 0 {
            order.truncate(usable);
        }
        order
    }

    pub(crate) fn why_none(&self) -> String {
        let states = self.states();
        let one = |(url, state): &(String, EngineState)| match state {
            EngineState::Unauthorized => format!("{url} does not accept our JWT"),
            EngineState::WrongChain => format!("{url} is of another chain"),
            _ => format!("{url} is {state:?}"),
        };
        if states.is_empty() {
            return "no execution engine is configured".to_owned();
        }
        states.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    async fn ask(&self, index: usize, request: &EngineRequest) -> Result<EngineReply, EngineError> {
        let engine = &self.engines[index];
        match request {
            EngineRequest::NewPayload(request) => {
                engine.new_payload(request).await.map(EngineReply::NewPayload)
            }
            EngineRequest::ForkchoiceUpdated { fork, state, attributes } => {
                let (status, payload_id) =
                    engine.forkchoice_updated(*fork, state, attributes.as_ref()).await?;
                let mut shared = self.shared();
                shared.heard[index] = Some(*state);
                if let Some(id) = payload_id {
                    if shared.payloads.len() == PAYLOADS_MAX {
                        shared.payloads.remove(0);
                    }
                    shared.payloads.push((id, index));
                }
                Ok(EngineReply::ForkchoiceUpdated { status, payload_id })
            }
            EngineRequest::GetPayload { fork, id } => {
                engine.get_payload(*fork, *id).await.map(|built| EngineReply::Payload(Box::new(built)))
            }
            EngineRequest::GetBlobs { fork, versioned_hashes } => {
                engine.get_blobs(*fork, versioned_hashes).await.map(EngineReply::Blobs)
            }
            EngineRequest::GetPowBlock { hash } => {
                let block = match hash {
                    Some(hash) => engine.block_by_hash(*hash).await?,
                    None => engine.latest_block().await?,
                };
                Ok(EngineReply::PowBlock(block.map(|block| block.pow_block())))
            }
            EngineRequest::GetPayloadBodies { hashes } => {
                engine.get_payload_bodies_by_hash(hashes).await.map(EngineReply::Bodies)
            }
        }
    }
}
