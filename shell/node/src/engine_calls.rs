//! Carries what the chain asks of the execution engine, and its answers back.
//!
//! ```text
//!   core ──▶ payloads, fork choices ──▶ one queue, one after the other ──┐
//!        └─▶ all other questions ─────▶ a few at a time ────────────────┴──▶ Engines ──▶ answers of the mailbox
//! ```
//!
//! Every call gets exactly one answer, whatever happens to it. The order of payloads and fork choices is that in which
//! the chain asked: a fork choice that overtook another would turn the engine back.
//!
//! | What waits | Bound | Overflow |
//! |---|---|---|
//! | payloads, fork choices | [`ORDERED_MAX`] | a fork choice takes the place of the oldest one that asks for no payload, which fails as stale; anything else that comes fails |
//! | other questions | [`OTHERS_MAX`] | the new one fails |
//!
//! What fails here was never asked, so the chain knows as little as before, and may ask again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use engine::{EngineCallId, EngineFailure, EngineReply, EngineRequest};
use execution::Engines;
use tokio::sync::{Notify, Semaphore};

use crate::metrics::Counts;

/// Payloads and fork choices that may wait.
const ORDERED_MAX: usize = 64;
/// Other questions that may wait or be under way.
const OTHERS_MAX: usize = 64;
/// Other questions that are under way at the same time.
const OTHERS_WORKING_MAX: usize = 4;

/// Takes one answer.
type Done = Arc<dyn Fn(EngineCallId, EngineReply) + Send + Sync>;

/// The way to the execution engine. Clones share their queues.
#[derive(Clone)]
pub struct EngineCalls {
    shared: Arc<Shared>,
}

struct Shared {
    /// None where no engine is configured.
    engines: Option<Arc<Engines>>,
    runtime: tokio::runtime::Handle,
    /// Never held across a wait.
    ordered: Mutex<VecDeque<(EngineCallId, EngineRequest)>>,
    bell: Notify,
    room: Arc<Semaphore>,
    working: Semaphore,
    done: Done,
    counts: Arc<Counts>,
}

impl EngineCalls {
    /// A way to these engines, or to none; `done` takes the answers. Requests go out on the current runtime.
    pub fn new(
        engines: Option<Arc<Engines>>,
        counts: Arc<Counts>,
        done: impl Fn(EngineCallId, EngineReply) + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            engines,
            runtime: tokio::runtime::Handle::current(),
            ordered: Mutex::default(),
            bell: Notify::new(),
            room: Arc::new(Semaphore::new(OTHERS_MAX)),
            working: Semaphore::new(OTHERS_WORKING_MAX),
            done: Arc::new(done),
            counts,
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many payloads and fork choices wait, and as many may.
    pub fn ordered(&self) -> (usize, usize) {
        (self.shared.queue().len(), ORDERED_MAX)
    }

    /// How many other questions wait or are under way, and as many may.
    pub fn others(&self) -> (usize, usize) {
        (OTHERS_MAX - self.shared.room.available_permits(), OTHERS_MAX)
    }

    /// Takes a call, and never waits.
    pub fn ask(&self, id: EngineCallId, request: EngineRequest) {
        let shared = &self.shared;
        if shared.engines.is_none() {
            return shared.fail(id, "no execution engine is configured");
        }
        match request {
            EngineRequest::NewPayload(_) | EngineRequest::ForkchoiceUpdated { .. } => {
                shared.enqueue(id, request);
            }
            _ => self.ask_beside(id, request),
        }
    }

    fn ask_beside(&self, id: EngineCallId, request: EngineRequest) {
        let Ok(place) = self.shared.room.clone().try_acquire_owned() else {
            return self.shared.fail(id, "too many questions to the execution engine wait");
        };
        let shared = self.shared.clone();
        self.shared.runtime.spawn(async move {
            // The semaphore is never closed.
            let _turn = shared.working.acquire().await;
            shared.answer(id, request).await;
            drop(place);
        });
    }

    /// Carries payloads and fork choices, one after the other, until it is dropped.
    pub async fn run(self) {
        loop {
            let next = self.shared.queue().pop_front();
            match next {
                Some((id, request)) => self.shared.answer(id, request).await,
                // A bell that rang before is still heard.
                None => self.shared.bell.notified().await,
            }
        }
    }
}

impl Shared {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<(EngineCallId, EngineRequest)>> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, id: EngineCallId, request: EngineRequest) {
        let dropped = {
            let mut queue = self.queue();
            let is_full = queue.len() >= ORDERED_MAX;
            let stale = if is_full { make_room(&mut queue, &request) } else { None };
            if is_full && stale.is_none() {
                Some((id, "too many payloads wait for the execution engine"))
            } else {
                queue.push_back((id, request));
                stale.map(|stale| (stale, "a newer fork choice took its place"))
            }
        };
        self.bell.notify_one();
        if let Some((id, why)) = dropped {
            tracing::warn!("the execution engine is slower than the chain: {why}");
            self.fail(id, why);
        }
    }

    /// Asks, and hands over the answer: also where asking panics, since the chain waits for it.
    async fn answer(&self, id: EngineCallId, request: EngineRequest) {
        let Some(engines) = self.engines.clone() else {
            return self.fail(id, "no execution engine is configured");
        };
        let (call, begun) = (Counts::call_of(&request), Instant::now());
        let asked = self.runtime.spawn(async move { engines.answer(&request).await });
        match asked.await {
            Ok(reply) => {
                self.counts.called(call, begun.elapsed(), &reply);
                (self.done)(id, reply);
            }
            Err(error) => self.fail(id, &format!("asking the execution engine failed: {error}")),
        }
    }

    fn fail(&self, id: EngineCallId, why: &str) {
        (self.done)(id, EngineReply::Failed(EngineFailure::Unreachable(why.to_owned())));
    }
}

/// Takes a stale fork choice out of a full queue, where a newer one comes: the oldest that asks for no payload.
fn make_room(
    queue: &mut VecDeque<(EngineCallId, EngineRequest)>,
    newer: &EngineRequest,
) -> Option<EngineCallId> {
    if !matches!(newer, EngineRequest::ForkchoiceUpdated { .. }) {
        return None;
    }
    let is_stale = |(_, waiting): &(EngineCallId, EngineRequest)| {
        matches!(waiting, EngineRequest::ForkchoiceUpdated { attributes: None, .. })
    };
    let place = queue.iter().position(is_stale)?;
    queue.remove(place).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{ForkchoiceState, NewPayload, PayloadAttributes};
    use std::time::Duration;
    use tokio::sync::mpsc;
    use types::{FixedBytes, ForkName};

    fn forkchoice(attributes: Option<PayloadAttributes>) -> EngineRequest {
        let state = ForkchoiceState::default();
        EngineRequest::ForkchoiceUpdated { fork: ForkName::Capella, state, attributes }
    }

    fn payload() -> EngineRequest {
        EngineRequest::NewPayload(Arc::new(NewPayload {
            fork: ForkName::Capella,
            payload: types::ExecutionPayload::default(),
            versioned_hashes: Vec::new(),
            parent_beacon_block_root: types::Root::ZERO,
            execution_requests: types::ExecutionRequests::default(),
        }))
    }

    /// Calls to an engine at a port that nobody listens on, and the answers.
    fn calls(engines: usize) -> (EngineCalls, mpsc::Receiver<(EngineCallId, EngineReply)>) {
        let (done, answers) = mpsc::channel(4 * ORDERED_MAX);
        let rpc = execution::RpcConfig {
            url: "http://127.0.0.1:1".to_owned(),
            secret: None,
            timeout_ms_max: Some(1000),
        };
        let config = execution::EnginesConfig {
            chain_id: 1,
            latest_fork: ForkName::Capella,
            backoff: execution::Backoff::default(),
        };
        let engines = (engines > 0).then(|| {
            let engines = (0..engines).map(|_| execution::Engine::new(rpc.clone())).collect();
            Arc::new(Engines::new(engines, config))
        });
        (
            EngineCalls::new(engines, Arc::default(), move |id, reply| {
                done.try_send((id, reply)).expect("more answers than calls")
            }),
            answers,
        )
    }

    async fn next(answers: &mut mpsc::Receiver<(EngineCallId, EngineReply)>) -> (u64, String) {
        let answer = tokio::time::timeout(Duration::from_secs(20), answers.recv()).await.unwrap();
        match answer.unwrap() {
            (EngineCallId(id), EngineReply::Failed(failure)) => (id, failure.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn without_an_engine_every_call_fails_at_once() {
        let (calls, mut answers) = calls(0);
        calls.ask(EngineCallId(1), payload());
        calls.ask(EngineCallId(2), forkchoice(None));
        calls.ask(
            EngineCallId(3),
            EngineRequest::GetPayload { fork: ForkName::Capella, id: FixedBytes::ZERO },
        );
        for expected in 1..4 {
            let (id, why) = next(&mut answers).await;
            assert_eq!(id, expected);
            assert!(why.contains("no execution engine is configured"), "{why}");
        }
    }

    #[tokio::test]
    async fn payloads_and_fork_choices_are_answered_in_their_order_and_the_rest_beside_them() {
        let (calls, mut answers) = calls(1);
        for id in 0..6 {
            calls.ask(EngineCallId(id), if id % 2 == 0 { payload() } else { forkchoice(None) });
        }
        let bodies = EngineRequest::GetPayloadBodies { hashes: Vec::new() };
        calls.ask(EngineCallId(100), bodies);
        // Nobody carries the others yet.
        assert_eq!(next(&mut answers).await.0, 100);
        let carrying = tokio::spawn(calls.run());
        for expected in 0..6 {
            assert_eq!(next(&mut answers).await.0, expected);
        }
        carrying.abort();
    }

    #[tokio::test]
    async fn a_full_queue_gives_up_stale_fork_choices_and_then_refuses() {
        let (calls, mut answers) = calls(1);
        let building = || forkchoice(Some(PayloadAttributes::default()));
        calls.ask(EngineCallId(0), building());
        calls.ask(EngineCallId(1), forkchoice(None));
        for id in 2..ORDERED_MAX as u64 {
            calls.ask(EngineCallId(id), payload());
        }
        assert!(answers.try_recv().is_err(), "there is room for as many");
        calls.ask(EngineCallId(200), building());
        let (stale, why) = next(&mut answers).await;
        assert!(stale == 1 && why.contains("a newer fork choice"), "{stale}: {why}");
        calls.ask(EngineCallId(201), payload());
        calls.ask(EngineCallId(202), building());
        for refused in [201, 202] {
            let (id, why) = next(&mut answers).await;
            assert!(id == refused && why.contains("too many payloads"), "{id}: {why}");
        }
    }

    #[tokio::test]
    async fn more_questions_than_there_is_room_for_are_refused() {
        let (calls, mut answers) = calls(1);
        let bodies = || EngineRequest::GetPayloadBodies { hashes: Vec::new() };
        // The tasks of this thread do not run before it waits.
        for id in 0..=OTHERS_MAX as u64 {
            calls.ask(EngineCallId(id), bodies());
        }
        let (id, why) = next(&mut answers).await;
        assert!(id == OTHERS_MAX as u64 && why.contains("too many questions"), "{id}: {why}");
        for _ in 0..OTHERS_MAX {
            assert!(next(&mut answers).await.0 < OTHERS_MAX as u64);
        }
    }
}
