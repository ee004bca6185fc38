//! Drives [`Follower`]: puts its questions to an engine, and hands out what it makes of the answers.
//!
//! All that is difficult is in the machine. Here are the clock, the requests and the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deposits::{Answer, Consumed, Eth1Chain, Follower, Input, Output, Request, Trouble};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use types::{ExecutionAddress, Time};

use crate::{Engine, EngineError, Engines, Eth1Block};

/// Blocks that are asked for at the same time.
const PARALLEL_REQUESTS: usize = 8;
/// How often long reading is reported.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// Different troubles that are reported as such; more of them are taken for repetitions.
const TROUBLES_MAX: usize = 64;

/// What the follower of the deposit contract is connected with.
#[derive(Debug)]
pub struct FollowLinks {
    /// `DEPOSIT_CONTRACT_ADDRESS`.
    pub contract: ExecutionAddress,
    /// What the finalized state says, whenever another one is finalized.
    pub consumed: watch::Receiver<Option<Consumed>>,
    /// Takes what was followed. Its tree's snapshot is what a restart can begin with.
    pub on_change: watch::Sender<Option<Arc<Eth1Chain>>>,
    /// True where it is to end.
    pub stop: watch::Receiver<bool>,
}

/// Follows the deposit contract until `stop`, or until deposits come through the execution layer (EIP-6110). It never
/// fails: what does not go well is tried again, with growing pauses, and said in the log.
pub async fn follow(engines: &Engines, follower: Follower, links: FollowLinks) {
    let FollowLinks { contract, consumed, on_change, mut stop } = links;
    let mut driver = Driver {
        engines,
        contract,
        follower,
        consumed,
        on_change,
        reported: BTreeSet::new(),
        busy_since: Instant::now(),
    };
    tokio::select! {
        // An error says that nobody is left who could say so: then it is time to end too.
        _ = stop.wait_for(|stop| *stop) => {}
        () = driver.run() => {}
    }
}

struct Driver<'a> {
    engines: &'a Engines,
    contract: ExecutionAddress,
    follower: Follower,
    consumed: watch::Receiver<Option<Consumed>>,
    on_change: watch::Sender<Option<Arc<Eth1Chain>>>,
    /// Troubles that were reported since it went well; each is reported once.
    reported: BTreeSet<String>,
    /// Since when it asks without a pause, or when that was reported last.
    busy_since: Instant,
}

impl Driver<'_> {
    async fn run(&mut self) {
        self.consumed.mark_changed();
        loop {
            self.hear();
            while let Some(output) = self.follower.poll() {
                match output {
                    Output::Ask(request) => {
                        let answer = self.ask(request).await;
                        self.follower.handle(now(), Input::Answer(answer));
                        self.report_progress();
                    }
                    Output::Changed(chain) => self.publish(chain),
                    Output::Trouble(trouble) => self.report(&trouble),
                    Output::Finished => {
                        tracing::info!(
                            "deposits come through the execution layer: their logs are followed no more"
                        );
                        return;
                    }
                }
                self.hear();
            }
            self.wait().await;
        }
    }

    /// Takes in what was finalized meanwhile.
    fn hear(&mut self) {
        if self.consumed.has_changed().unwrap_or(false)
            && let Some(consumed) = self.consumed.borrow_and_update().clone()
        {
            self.follower.handle(now(), Input::Consumed(consumed));
        }
    }

    async fn wait(&mut self) {
        let due = self.follower.deadline().unwrap_or(now().after_ms(1000));
        let pause = sleep(Duration::from_millis(due.since(now())));
        // Where nobody can say what is finalized any more, only time is waited for.
        let has_news = self.consumed.has_changed().is_ok();
        tokio::select! {
            // It is read in the next round, as what comes between two questions is.
            Ok(()) = self.consumed.changed(), if has_news => self.consumed.mark_changed(),
            () = pause => {}
        }
        self.follower.handle(now(), Input::Tick);
        self.busy_since = Instant::now();
    }

    fn publish(&mut self, chain: Arc<Eth1Chain>) {
        let deposits = chain.tree().count();
        match chain.blocks().last() {
            Some(block) if self.on_change.borrow().is_none() || !self.reported.is_empty() => {
                tracing::info!(block = block.number, deposits, "the deposit contract is followed");
            }
            Some(block) => {
                tracing::debug!(block = block.number, deposits, "the deposit contract is followed")
            }
            None => tracing::debug!(deposits, "the execution chain has no block yet that is deep enough"),
        }
        self.reported.clear();
        self.on_change.send_replace(Some(chain));
    }

    fn report(&mut self, trouble: &Trouble) {
        let text = trouble.to_string();
        if self.reported.len() >= TROUBLES_MAX || !self.reported.insert(text.clone()) {
            return tracing::debug!("following the deposit contract: {text}");
        }
        match trouble {
            Trouble::LogsRefused { .. } => tracing::info!("following the deposit contract: {text}"),
            _ => tracing::warn!("following the deposit contract: {text}"),
        }
    }

    fn report_progress(&mut self) {
        if self.busy_since.elapsed() >= REPORT_EVERY {
            self.busy_since = Instant::now();
            tracing::info!(block = self.follower.next_block(), "reading the logs of the deposit contract");
        }
    }

    async fn ask(&self, request: Request) -> Answer {
        let Some(engine) = self.engines.best() else {
            return Answer::Failed(self.engines.why_none());
        };
        let block = |block: Option<Eth1Block>| block.map(|block| block.execution_block());
        let answer = match request {
            Request::LatestBlock => engine.latest_block().await.map(block).map(Answer::Block),
            Request::BlockByHash(hash) => engine.block_by_hash(hash).await.map(block).map(Answer::Block),
            Request::Blocks { first, last } => blocks(engine, first, last).await.map(Answer::Blocks),
            Request::DepositLogs { first, last } => {
                engine.deposit_logs(self.contract, first, last).await.map(Answer::Logs)
            }
        };
        answer.unwrap_or_else(|error| failure(&error))
    }
}

async fn blocks(
    engine: &Engine,
    first: u64,
    last: u64,
) -> Result<Vec<Option<deposits::ExecutionBlock>>, EngineError> {
    let one = |number| async move {
        let block = engine.block_by_number(number).await?;
        Ok(block.map(|block| block.execution_block()))
    };
    stream::iter((first..=last).map(one)).buffered(PARALLEL_REQUESTS).try_collect().await
}

/// An engine that is there may do better with a smaller question; one that is not may come back.
fn failure(error: &EngineError) -> Answer {
    match error {
        EngineError::Unreachable(_) | EngineError::Unauthorized { .. } | EngineError::WrongChain { .. } => {
            Answer::Failed(error.to_string())
        }
        _ => Answer::Refused(error.to_string()),
    }
}

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}
