//! The validator client itself: opens what it needs, then runs the duties machine by the clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::Client;
use exporter::{Exporter, ExporterError, StatusPage};
use prometheus_client::registry::Registry;
use storage::Protection;
use tokio::sync::{mpsc, watch};
use types::{BlsPubkey, Slot, Time};
use validator::{Duties, Genesis, Input, Output};

use crate::agreement::{Agreement, compare};
use crate::journal::Journal;
use crate::metrics::ClientMetrics;
use crate::node_link::NodeLink;
use crate::signed_log::SignedLog;
use crate::signer::Signer;
use crate::{ClientFailure, Config, events, keystores};

/// The history of signatures, within the data folder.
pub(crate) const PROTECTION_FILE: &str = "slashing_protection.sqlite";
/// Answers that wait for the machine; a task with another one waits itself.
const INPUTS_MAX: usize = 256;
/// The longest sleep: a clock that was set is noticed after it.
const SLEEP_MAX_MS: u64 = 1000;
/// Pauses between attempts to reach the node at the start.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(8);

/// A validator client that has its keys and their history to itself.
#[derive(Debug)]
pub struct ValidatorClient {
    config: Config,
    signer: Arc<Signer>,
    metrics: Arc<ClientMetrics>,
    registry: Arc<Registry>,
}

impl ValidatorClient {
    /// Locks and opens the keys, then the history of their signatures, then the log. Slow with many keystores, and
    /// blocking.
    ///
    /// # Errors
    /// [`ClientFailure`]; where a key cannot be had, before anything was changed.
    pub fn open(config: Config) -> Result<Self, ClientFailure> {
        let loaded = keystores::load(&config.keys)?;
        let path = config.data_dir.join(PROTECTION_FILE);
        let protection = Protection::open(&path, &config.genesis_validators_root.0)?;
        let pubkeys: Vec<[u8; 48]> = loaded.keys.keys().map(|key| key.0).collect();
        protection.register(&pubkeys)?;
        let log = match &config.signed_log {
            Some(path) => Some(SignedLog::open(path).map_err(|error| ClientFailure::file(path, &error))?),
            None => None,
        };
        let signer = Arc::new(Signer { keys: loaded.keys, protection, log, _locks: loaded.locks });
        let mut registry = Registry::default();
        let genesis = genesis_of(&config);
        let about = (config.beacon_node.as_str(), signer.keys.len());
        let metrics = ClientMetrics::register(&mut registry, config.spec, genesis, about);
        Ok(Self { config, signer, metrics, registry: Arc::new(registry) })
    }

    /// The keys it works for.
    pub fn pubkeys(&self) -> impl Iterator<Item = &BlsPubkey> {
        self.signer.keys.keys()
    }

    /// Listens where metrics are to be read, where they are.
    async fn serve_metrics(&self, shutdown: watch::Receiver<bool>) -> Result<(), ClientFailure> {
        let Some(wanted) = &self.config.metrics else { return Ok(()) };
        let metrics = self.metrics.clone();
        let status: StatusPage = Arc::new(move || metrics.report());
        let exporter = Exporter::bind(wanted, self.registry.clone(), Some(status)).await?;
        let address = exporter.address().map_err(|error| {
            ClientFailure::Metrics(ExporterError::Listen { address: wanted.address, error })
        })?;
        tokio::spawn(async move {
            if let Err(error) = exporter.run(shutdown).await {
                tracing::error!(%error, "metrics are no longer served");
            }
        });
        tracing::info!("metrics at http://{address}/metrics");
        Ok(())
    }

    /// Works until `shutdown` turns true or its sender is gone. While the node cannot be reached, it tries again.
    ///
    /// # Errors
    /// [`ClientFailure::OtherNetwork`], before anything was signed; [`ClientFailure::Metrics`].
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) -> Result<(), ClientFailure> {
        self.serve_metrics(shutdown.clone()).await?;
        let link = Arc::new(NodeLink::new(
            self.config.spec,
            Client::new(&self.config.beacon_node),
            Arc::clone(&self.signer),
            Arc::clone(&self.metrics),
        ));
        let mut tasks = Tasks::new();
        let result = tokio::select! {
            result = self.work(link, &mut tasks) => result,
            // An error means that the sender is gone, which is a shutdown too.
            _ = shutdown.wait_for(|stop| *stop) => Ok(()),
        };
        tasks.shutdown().await;
        // A batch that is being signed cannot be interrupted. The locks must be free when the caller hears of the end.
        while Arc::strong_count(&self.signer) > 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        result
    }

    async fn work(&self, link: Arc<NodeLink>, tasks: &mut Tasks) -> Result<(), ClientFailure> {
        self.agree(&link).await?;
        let genesis =
            Genesis { time: genesis_of(&self.config), validators_root: self.config.genesis_validators_root };
        let config = validator::Config {
            keys: self.signer.keys.keys().copied().collect(),
            graffiti: self.config.graffiti,
            fee_recipient: self.config.suggested_fee_recipient,
        };
        let duties = Duties::new(self.config.spec, genesis, config);
        run_machine(duties, link, tasks).await;
        Ok(())
    }

    /// Waits for the node, and makes sure that it is of our network.
    async fn agree(&self, link: &NodeLink) -> Result<(), ClientFailure> {
        let url = link.client.url();
        let mut pause = WAIT_MIN;
        let mut said = None;
        loop {
            match compare(&link.client, &self.config).await {
                Ok(Agreement::Same) => {
                    let version = link.client.version().await.unwrap_or_else(|_| "of unknown version".into());
                    tracing::info!(
                        "{} keys work with the beacon node {url}, {version}",
                        self.signer.keys.len()
                    );
                    return Ok(());
                }
                Ok(Agreement::Other(reason)) => {
                    return Err(ClientFailure::OtherNetwork { url: url.to_owned(), reason });
                }
                Err(error) => {
                    let reason = error.reason();
                    if said.as_ref() != Some(&reason) {
                        tracing::warn!("waiting for the beacon node {url}: {reason}");
                        said = Some(reason);
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(WAIT_MAX);
        }
    }
}

fn genesis_of(config: &Config) -> Time {
    Time(config.genesis_time.saturating_mul(1000))
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).expect("the clock is within 500 million years"))
}

/// Tasks of this run: the event stream, and one for each open question.
type Tasks = tokio::task::JoinSet<()>;

async fn run_machine(mut duties: Duties, link: Arc<NodeLink>, tasks: &mut Tasks) {
    let (sender, mut inputs) = mpsc::channel(INPUTS_MAX);
    tasks.spawn(events::follow(Arc::clone(&link), sender.clone()));
    let mut journal: Option<Journal> = None;
    let mut input = Input::Tick;
    loop {
        duties.handle(now(), input);
        while let Some(output) = duties.poll() {
            match output {
                Output::Ask(id, ask) => {
                    let (link, sender) = (Arc::clone(&link), sender.clone());
                    tasks.spawn(async move {
                        let input = match link.answer(ask).await {
                            Ok(answer) => Input::Answer(id, answer),
                            Err(why) => Input::Failed(id, why),
                        };
                        // The receiver is gone only when the client stops.
                        let _ = sender.send(input).await;
                    });
                }
                Output::Done(done) => {
                    link.metrics.done(&done, now());
                    journal_of(&mut journal, &duties, &link).done(&done);
                }
                Output::Missed(missed) => journal_of(&mut journal, &duties, &link).missed(&missed),
            }
        }
        while tasks.try_join_next().is_some() {}
        if let Some(slot) = duties.current_slot() {
            journal_of(&mut journal, &duties, &link).close_before(slot, |slot| duties.due_in(slot));
        }
        input = next_input(&duties, &mut inputs).await;
    }
}

/// The journal begins with the slot that the client begins in.
fn journal_of<'a>(journal: &'a mut Option<Journal>, duties: &Duties, link: &NodeLink) -> &'a mut Journal {
    let first = duties.current_slot().unwrap_or(Slot(0));
    journal.get_or_insert_with(|| Journal::new(link.spec, first, link.metrics.clone()))
}

/// The next thing that happens: an answer, an event, or the machine's next deadline.
async fn next_input(duties: &Duties, inputs: &mut mpsc::Receiver<Input>) -> Input {
    let now = now();
    let sleep_ms = duties.deadline().map_or(SLEEP_MAX_MS, |at| at.since(now)).min(SLEEP_MAX_MS);
    tokio::select! {
        Some(input) = inputs.recv() => input,
        () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => Input::Tick,
    }
}
