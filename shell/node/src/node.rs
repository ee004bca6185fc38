//! A beacon node from start to stop: opens what it needs in order, starts the threads, and ends them in reverse.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::{Server, ServerConfig};
use chain::limits::{EARLY_ATTESTATIONS_MAX, PENDING_BLOCKS_MAX, WAITING_ATTESTATIONS_MAX};
use chain::{Chain, ChainConfig, Counters, GenesisInfo, Start, StoredStart};
use data_availability::kzg::load_trusted_setup;
use execution::Engines;
use exporter::Exporter;
use network::{ForkSchedule, Network, NetworkEvent, NetworkHandle, load_or_create_key};
use prometheus_client::registry::Registry;
use storage::{Batch, Database, Identity, Op, Report};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Root, Spec};

use crate::backend::{NodeBackend, Reads};
use crate::backfill::{Backfill, Backfilled};
use crate::bridge::Bridge;
use crate::config::BeaconConfig;
use crate::core_thread::{Core, Exits};
use crate::custody::OwnCustody;
use crate::disk::{self, Disk};
use crate::engine_calls::EngineCalls;
use crate::eth1::Eth1Task;
use crate::evidence::EvidenceKeeper;
use crate::fingerprint::config_fingerprint;
use crate::key_warmth::KeyWarmth;
use crate::loads::{Loads, READS_MAX, Reader};
use crate::mailbox::{Answer, GOSSIP_MAX, Inbox, Mailbox, URGENT_MAX, Urgent, mailbox};
use crate::metrics::{Counts, NodeMetrics, Queues, Sources};
use crate::misbehaviour::Withholding;
use crate::network_config::network_config;
use crate::outbox::{self, Outbox};
use crate::peers::Peers;
use crate::ports::refuse_used_ports;
use crate::published::Published;
use crate::serve::Serve;
use crate::slot_log::EverySlot;
use crate::subnets::Subnets;
use crate::workers::Workers;
use crate::{NodeError, clock, execution_state};

/// Memory of the database's cache.
const CACHE_BYTES: usize = 128 << 20;
/// Events that a subscriber of the API may be behind by before it loses the oldest.
const EVENTS_MAX: usize = 1024;
/// Every how many epochs a finalized state is kept for good. A reader of old states replays half of that on average.
const ARCHIVE_EVERY_EPOCHS: u64 = 64;
/// How often a long check of the database is heard of.
const REPAIR_LOG_EVERY: Duration = Duration::from_secs(5);
/// The database's folder within the data folder.
const CHAIN_FOLDER: &str = "chain";
/// The meta entry that names the genesis block of a database.
const GENESIS_BLOCK: &str = "genesis_block";
/// How long an orderly stop may take before it is no longer waited for.
const STOP_TIME: Duration = Duration::from_secs(20);
/// How often a stop looks whether the database is free.
const RELEASE_EVERY: Duration = Duration::from_millis(5);

/// Starts beacon nodes.
pub struct BeaconNode;

/// A beacon node that runs until it is stopped, or breaks.
pub struct RunningNode {
    http: SocketAddr,
    metrics: Option<SocketAddr>,
    network: NetworkHandle,
    mailbox: Mailbox,
    core: Option<JoinHandle<()>>,
    ended: watch::Receiver<Option<Result<(), String>>>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    database: Arc<Database>,
}

/// What comes from the network, what goes to it, and what sync brings of old blocks.
type Streams = (mpsc::Receiver<NetworkEvent>, mpsc::Receiver<outbox::ToNetwork>, mpsc::Receiver<Backfilled>);

/// What stands before the core thread starts.
struct Parts {
    spec: &'static Spec,
    genesis: GenesisInfo,
    loads: Arc<Loads>,
    published: Arc<Published>,
    peers: Arc<Peers>,
    subnets: Arc<Subnets>,
    custody: Arc<OwnCustody>,
    withholding: Option<Arc<Withholding>>,
    outbox: Outbox,
    mailbox: Mailbox,
    events: broadcast::Sender<api::Event>,
    engines: Option<Arc<Engines>>,
    backfilled: mpsc::Sender<Backfilled>,
    registry: Registry,
    counts: Arc<Counts>,
}

impl BeaconNode {
    /// Starts a node on the current runtime, which must have several threads. Fails with nothing left running.
    pub async fn start(config: BeaconConfig) -> Result<RunningNode, NodeError> {
        let spec = config.network.spec;
        refuse_used_ports(&config)?;
        let database = open_database(&config)?;
        let loads = Arc::new(Loads::new(spec, database.clone(), config.network.genesis.clone()));
        check_genesis_block(&loads)?;
        // The first block with blobs should not wait for the trusted setup, which takes seconds on a busy machine; nor
        // should the start. Where it fails, the first job that needs it fails too, and says so.
        drop(tokio::task::spawn_blocking(move || {
            if spec.fork_epoch(ForkName::Deneb) != FAR_FUTURE_EPOCH {
                load_trusted_setup();
            }
        }));
        let key = load_or_create_key(&config.data_dir.join("node_key"))?;
        let now = clock::slot_at(spec, loads.genesis_time(), clock::now());
        let custody = OwnCustody::open(spec, key.node_id(), config.supernode, database, now)?;
        let wishes = ChainConfig {
            seed: rand::random(),
            archive_every_epochs: ARCHIVE_EVERY_EPOCHS,
            fee_recipient: config.fee_recipient,
            custody: custody.current().columns.clone(),
            ..ChainConfig::default()
        };
        let (chain, loads) = tokio::task::spawn_blocking(move || start_chain(loads, wishes))
            .await
            .map_err(|error| NodeError::Broken(format!("the start failed: {error}")))??;
        let view = chain.view().clone();

        let mut registry = Registry::default();
        let settings = network_config(&config, key, &view, &custody.current());
        let (network, network_events) = Network::start(settings, &mut registry).await?;
        let epoch = clock::slot_at(spec, view.genesis.time, clock::now()).epoch(spec);
        let node_id = network.initial_enr().node_id().raw();
        let subnets = Arc::new(Subnets::new(spec, node_id, config.subscribe_all_subnets, epoch));
        let (seq, attnets, syncnets) = subnets.metadata();
        network.set_metadata(seq, attnets, syncnets).await;

        let withholding = config.misbehaviour.as_ref().map(Withholding::new);
        let (mailbox, inbox) = mailbox(URGENT_MAX, GOSSIP_MAX);
        let (outbox, commands) = Outbox::new(withholding.clone());
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let (backfilled, to_store) = mpsc::channel(1);
        let parts = Parts {
            spec,
            genesis: view.genesis,
            loads,
            published: Arc::new(Published::new(view)),
            peers: Arc::default(),
            subnets,
            custody: Arc::new(custody),
            withholding,
            outbox,
            mailbox,
            events,
            engines: execution_state::engines(spec, &config.execution),
            backfilled,
            registry,
            counts: Arc::default(),
        };
        let started =
            parts.run(&config, (chain, inbox), network.clone(), (network_events, commands, to_store)).await;
        if started.is_err() {
            network.shutdown().await;
        }
        started
    }
}

impl Parts {
    /// Starts threads and tasks around the core.
    async fn run(
        mut self,
        config: &BeaconConfig,
        (chain, inbox): (Chain, Inbox),
        network: NetworkHandle,
        (network_events, commands, to_store): Streams,
    ) -> Result<RunningNode, NodeError> {
        let mailbox = self.mailbox.clone();
        let calls = EngineCalls::new(self.engines.clone(), self.counts.clone(), move |id, reply| {
            mailbox.answer(Answer::Engine(id, reply));
        });
        let (exits, reads) = (self.exits(config, calls.clone())?, Reads::default());
        let metrics = self.metrics(config, self.queues(&exits, &calls, &reads));
        let backend = Arc::new(self.backend(network.clone(), metrics.clone(), reads));
        let server_config = ServerConfig { address: config.http, allow_any_origin: config.allow_any_origin };
        let server = Server::bind(&server_config, backend).await?;
        let http = server.address()?;
        metrics.count_requests(server.requests());
        let exporter = self.exporter(config).await?;
        let metrics_address = exporter.as_ref().map(Exporter::address).transpose()?;

        let (end, ended) = watch::channel(None);
        let columns = self.custody.current().columns.clone();
        let core = std::thread::Builder::new()
            .name("core".to_owned())
            .spawn(move || run_core(Core::new(chain, columns, inbox, exits), &end))?;
        self.start_bridge(network.clone(), network_events)?;

        let (stop, stopped) = watch::channel(false);
        let watched = stopped.clone();
        self.warm_keys(stopped.clone())?;
        let serve = async move {
            if let Err(error) = server.run(stopped).await {
                tracing::error!(%error, "the Beacon API has ended");
            }
        };
        let mut tasks = vec![
            tokio::spawn(outbox::run(self.spec, self.genesis, network.clone(), commands)),
            tokio::spawn(serve),
            tokio::spawn(self.every_slot(metrics).run()),
            tokio::spawn(self.backfill(to_store).run()),
            tokio::spawn(calls.run()),
        ];
        tasks.extend(exporter.map(|exporter| tokio::spawn(export(exporter, watched.clone()))));
        tasks.extend(self.execution_tasks(config, watched));
        tracing::info!(
            head_slot = self.published.view().head.slot.0,
            finalized = self.published.view().finalized.epoch.0,
            http = %http,
            metrics = metrics_address.map(tracing::field::display),
            tcp = %network.listen_address(),
            peer_id = %network.peer_id(),
            enr = network.initial_enr().to_base64(),
            "beacon node started"
        );
        let database = self.loads.database.clone();
        Ok(RunningNode {
            http,
            metrics: metrics_address,
            network,
            mailbox: self.mailbox,
            core: Some(core),
            ended,
            stop,
            tasks,
            database,
        })
    }

    /// What answers for metrics, where they are asked for.
    async fn exporter(&mut self, config: &BeaconConfig) -> Result<Option<Exporter>, NodeError> {
        let Some(wanted) = &config.metrics else { return Ok(None) };
        let registry = Arc::new(std::mem::take(&mut self.registry));
        Ok(Some(Exporter::bind(wanted, registry, None).await?))
    }

    fn warm_keys(&self, stop: watch::Receiver<bool>) -> std::io::Result<()> {
        let (state, database) = (self.published.view().head.state.clone(), self.loads.database.clone());
        KeyWarmth { state, database, genesis: self.genesis.time, stop }.start()
    }

    /// What looks after the engines, and reads deposits from them. Both end by themselves.
    fn execution_tasks(
        &self,
        config: &BeaconConfig,
        stop: watch::Receiver<bool>,
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let Some(engines) = self.engines.clone() else { return Vec::new() };
        let eth1 = Eth1Task {
            spec: self.spec,
            genesis: self.loads.genesis_state.clone(),
            deposit_block: config.network.deposit_block,
            engines: engines.clone(),
            published: self.published.clone(),
            mailbox: self.mailbox.clone(),
            data_dir: config.data_dir.clone(),
            stop: stop.clone(),
        };
        vec![tokio::spawn(async move { engines.watch(stop).await }), tokio::spawn(eth1.run())]
    }

    fn metrics(&mut self, config: &BeaconConfig, queues: Queues) -> Arc<NodeMetrics> {
        let sources = Sources {
            spec: self.spec,
            published: self.published.clone(),
            peers: self.peers.clone(),
            custody: self.custody.clone(),
            engines: self.engines.clone(),
            queues,
            database: config.data_dir.join(CHAIN_FOLDER),
        };
        NodeMetrics::register(&mut self.registry, sources, self.counts.clone())
    }

    /// Everywhere where things wait, with the bounds.
    fn queues(&self, exits: &Exits, calls: &EngineCalls, reads: &Reads) -> Queues {
        let mut queues = Queues::default();
        let mailbox = || self.mailbox.clone();
        let (answers, urgent, gossip) = (mailbox(), mailbox(), mailbox());
        queues.add("core_answers", None, move || answers.answers());
        queues.add("core_urgent", Some(URGENT_MAX), move || urgent.waiting().0);
        queues.add("core_gossip", Some(GOSSIP_MAX), move || gossip.waiting().1);
        queues.add("workers", None, exits.workers.depth());
        queues.add("disk", Some(disk::QUEUE_BATCHES), exits.disk.depth());
        queues.add("reader", Some(READS_MAX), exits.reader.depth());
        let (ordered, others) = (calls.clone(), calls.clone());
        queues.add("engine_ordered", Some(calls.ordered().1), move || ordered.ordered().0);
        queues.add("engine_others", Some(calls.others().1), move || others.others().0);
        let (outbox, reads) = (self.outbox.clone(), reads.clone());
        queues.add("to_network", Some(outbox.waiting().1), move || outbox.waiting().0);
        queues.add("api_reads", Some(reads.waiting().1), move || reads.waiting().0);
        let of_view = |count: fn(&Counters) -> u64| {
            let published = self.published.clone();
            move || usize::try_from(count(&published.view().counters)).unwrap_or(usize::MAX)
        };
        queues.add("pending_blocks", Some(PENDING_BLOCKS_MAX), of_view(|now| now.blocks_pending));
        let waiting_max = WAITING_ATTESTATIONS_MAX + EARLY_ATTESTATIONS_MAX;
        queues.add("pending_attestations", Some(waiting_max), of_view(|now| now.attestations_pending));
        queues.add("blocks_without_data", None, of_view(|now| now.blocks_without_data));
        queues.add("jobs_running", None, of_view(|now| now.jobs_running));
        queues
    }

    fn every_slot(&self, metrics: Arc<NodeMetrics>) -> EverySlot {
        EverySlot {
            spec: self.spec,
            schedule: self.schedule(),
            genesis: self.genesis,
            published: self.published.clone(),
            peers: self.peers.clone(),
            outbox: self.outbox.clone(),
            subnets: self.subnets.clone(),
            custody: self.custody.clone(),
            mailbox: self.mailbox.clone(),
            engines: self.engines.clone(),
            metrics,
        }
    }

    fn backfill(&self, came: mpsc::Receiver<Backfilled>) -> Backfill {
        let (spec, published, loads) = (self.spec, self.published.clone(), self.loads.clone());
        Backfill::new(spec, (published, loads), self.custody.clone(), self.mailbox.clone(), came)
    }

    fn schedule(&self) -> Arc<ForkSchedule> {
        Arc::new(ForkSchedule::new(self.spec, self.genesis.validators_root))
    }

    fn backend(&self, network: NetworkHandle, metrics: Arc<NodeMetrics>, reads: Reads) -> NodeBackend {
        NodeBackend {
            spec: self.spec,
            published: self.published.clone(),
            loads: self.loads.clone(),
            mailbox: self.mailbox.clone(),
            outbox: self.outbox.clone(),
            network,
            peers: self.peers.clone(),
            subnets: self.subnets.clone(),
            custody: self.custody.clone(),
            engines: self.engines.clone(),
            events: self.events.clone(),
            metrics,
            reads,
        }
    }

    fn exits(&self, config: &BeaconConfig, engine: EngineCalls) -> Result<Exits, NodeError> {
        let mailbox = self.mailbox.clone();
        let count = std::thread::available_parallelism().map_or(2, usize::from);
        let workers = Workers::start(count, move |id, result, time| {
            mailbox.answer(Answer::Job(id, result, time));
        })?;
        let mailbox = self.mailbox.clone();
        let counts = self.counts.clone();
        let disk = Disk::start(self.spec, self.loads.database.clone(), counts, move |report| {
            mailbox.answer(match report {
                Report::Stored(seq) => Answer::Stored(seq),
                Report::Fault(fault) => Answer::Broken(fault.to_string()),
            });
        })?;
        let mailbox = self.mailbox.clone();
        let reader =
            Reader::start(self.loads.clone(), move |id, loaded| mailbox.answer(Answer::Loaded(id, loaded)))?;
        Ok(Exits {
            workers,
            disk,
            reader,
            evidence: EvidenceKeeper::start(&config.data_dir, config.evidence_budget)?,
            engine,
            outbox: self.outbox.clone(),
            peers: self.peers.clone(),
            published: self.published.clone(),
            backfill: self.backfilled.clone(),
            events: self.events.clone(),
            counts: self.counts.clone(),
        })
    }

    /// The bridge's thread ends by itself when the network's events end.
    fn start_bridge(
        &self,
        network: NetworkHandle,
        events: mpsc::Receiver<NetworkEvent>,
    ) -> Result<(), NodeError> {
        let bridge = Bridge {
            spec: self.spec,
            mailbox: self.mailbox.clone(),
            outbox: self.outbox.clone(),
            peers: self.peers.clone(),
            published: self.published.clone(),
            loads: self.loads.clone(),
            serve: Serve::new(
                self.loads.clone(),
                self.published.clone(),
                network,
                self.custody.clone(),
                self.withholding.clone(),
            ),
            schedule: self.schedule(),
            counts: self.counts.clone(),
        };
        let runtime = tokio::runtime::Handle::current();
        let mailbox = self.mailbox.clone();
        let run = std::panic::AssertUnwindSafe(move || bridge.run(&runtime, events));
        std::thread::Builder::new().name("bridge".to_owned()).spawn(move || {
            // Without the bridge the node would be deaf, and not know it.
            if std::panic::catch_unwind(run).is_err() {
                mailbox.answer(Answer::Broken("the thread that decodes messages panicked".to_owned()));
            }
        })?;
        Ok(())
    }
}

fn run_core(core: Core, end: &watch::Sender<Option<Result<(), String>>>) {
    // A panic here must end the process in order, not leave a node that answers from an old view for ever.
    let run = std::panic::AssertUnwindSafe(move || core.run());
    let outcome = std::panic::catch_unwind(run)
        .unwrap_or_else(|_| Err("the core thread panicked; the log has the place".to_owned()));
    // Nobody waits for a node that was dropped.
    let _ = end.send(Some(outcome));
}

impl RunningNode {
    /// Where the Beacon API listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Where metrics are read, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The network, for questions.
    pub fn network(&self) -> &NetworkHandle {
        &self.network
    }

    /// Waits until the node ends by itself; always an error.
    pub async fn broken(&mut self) -> NodeError {
        let ended = self.ended.wait_for(Option::is_some).await;
        match ended.map(|outcome| outcome.clone()) {
            Ok(Some(Err(why))) => NodeError::Broken(why),
            _ => NodeError::Broken("the core thread has ended".to_owned()),
        }
    }

    /// Stops in order: no more requests, goodbye to peers, everything stored. Takes at most about 20 seconds; what
    /// was not stored by then is as after a crash.
    pub async fn stop(mut self) -> Result<(), NodeError> {
        let stop = async {
            // An error means that the server has ended already.
            let _ = self.stop.send(true);
            self.network.shutdown().await;
            let (done, stopped) = oneshot::channel();
            let mailbox = self.mailbox.clone();
            let asked = tokio::task::spawn_blocking(move || mailbox.urgent_waiting(Urgent::Stop(done)));
            if matches!(asked.await, Ok(Ok(()))) {
                // The core drops the sender where it breaks first; `ended` tells.
                let _ = stopped.await;
            }
            let ended = self.ended.wait_for(Option::is_some).await;
            ended.ok().and_then(|outcome| outcome.clone()).unwrap_or(Ok(()))
        };
        let outcome = tokio::time::timeout(STOP_TIME, stop).await;
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        match outcome {
            Ok(outcome) => {
                if let Some(core) = self.core.take() {
                    // It has said its last word, so this does not wait.
                    let _ = tokio::task::spawn_blocking(move || core.join()).await;
                }
                release(self.database).await;
                outcome.map_err(NodeError::Broken)
            }
            Err(_) => Err(NodeError::Broken(format!("the stop took longer than {} s", STOP_TIME.as_secs()))),
        }
    }
}

/// Waits until nobody else holds the database, and closes it, so that whoever starts a node on it next finds it free:
/// tasks that were aborted, the bridge's thread and connections of the API end on their own time.
async fn release(database: Arc<Database>) {
    let deadline = Instant::now() + STOP_TIME;
    while Arc::strong_count(&database) > 1 {
        if Instant::now() > deadline {
            tracing::warn!("the database is still being read after the stop");
            return;
        }
        tokio::time::sleep(RELEASE_EVERY).await;
    }
    let _ = tokio::task::spawn_blocking(move || drop(database)).await;
}

/// Opens the database of the network, which the process then holds alone.
fn open_database(config: &BeaconConfig) -> Result<Arc<Database>, NodeError> {
    let identity = Identity {
        genesis_validators_root: config.network.genesis.genesis_validators_root.0,
        config_fingerprint: config_fingerprint(config.network.spec),
    };
    make_folder(&config.data_dir)?;
    let last = std::cell::Cell::new(Instant::now());
    let on_repair = move |part: f64| {
        if last.get().elapsed() >= REPAIR_LOG_EVERY {
            last.set(Instant::now());
            tracing::info!(percent = (part * 100.0) as u64, "the database is being checked");
        }
    };
    let folder = config.data_dir.join(CHAIN_FOLDER);
    let database = Database::open(&folder, &identity, CACHE_BYTES, on_repair)?;
    Ok(Arc::new(database))
}

fn make_folder(path: &Path) -> Result<(), NodeError> {
    std::fs::create_dir_all(path)
        .map_err(|error| NodeError::File { path: path.to_owned(), reason: error.to_string() })
}

/// Refuses a database that began from another genesis state. Validators alone do not tell: local networks are often
/// made again with the same ones.
fn check_genesis_block(loads: &Loads) -> Result<(), NodeError> {
    let ours = loads.genesis_root;
    let (stored, seq) = (loads.database.meta(GENESIS_BLOCK)?, loads.database.last_seq()?);
    match stored.as_deref().map(Root::try_from) {
        Some(Ok(found)) if found == ours => Ok(()),
        Some(Ok(found)) => Err(NodeError::OtherGenesis { found, ours }),
        Some(Err(_)) => Err(NodeError::Broken("the database's genesis block is unreadable".to_owned())),
        None => {
            let op = Op::PutMeta(GENESIS_BLOCK.to_owned(), ours.0.to_vec());
            Ok(loads.database.apply(&[Batch { seq: seq + 1, ops: vec![op] }])?)
        }
    }
}

/// The chain where an earlier run left it, or at genesis.
fn start_chain(loads: Arc<Loads>, config: ChainConfig) -> Result<(Chain, Arc<Loads>), NodeError> {
    let start = match loads.database.fork_choice()? {
        Some(snapshot) => Start::Restored(restored(&loads, snapshot)?),
        None => Start::Anchor { state: loads.genesis_state.clone(), block: None },
    };
    let chain = Chain::new(loads.spec, config, start, clock::now())?;
    Ok((chain, loads))
}

/// What a restart from a snapshot needs.
pub(crate) fn restored(loads: &Loads, snapshot: Vec<u8>) -> Result<StoredStart, NodeError> {
    let mut states = std::collections::BTreeMap::new();
    for root in StoredStart::needs(&snapshot)? {
        if let chain::Loaded::State(state) = loads.state(root) {
            states.insert(root, state);
        }
    }
    let broken = NodeError::Broken;
    let mut journal = Vec::new();
    for root in disk::journal(&loads.database)? {
        let block = loads.block(&root).map_err(broken)?;
        journal.push(block.ok_or_else(|| broken(format!("the stored block {root} is missing")))?);
    }
    Ok(StoredStart { snapshot, states, journal })
}

async fn export(exporter: Exporter, stop: watch::Receiver<bool>) {
    if let Err(error) = exporter.run(stop).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}
