//! A node that listens, a client that runs, and deadlines.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::{Server, ServerConfig};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::{Root, Spec};
use validator_client::{ClientFailure, Config, KeySource, ValidatorClient};

use super::MiniChain;
use super::backend::MiniBackend;

/// A beacon node on loopback; it ends with this value.
pub struct Node {
    pub chain: Arc<MiniChain>,
    pub address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Node {
    /// A node of a chain that begins within the next two seconds.
    pub async fn start(slot_ms: u64, validators: u64) -> Self {
        Self::start_with(slot_ms, validators, "").await
    }

    /// The same with further lines of the configuration.
    pub async fn start_with(slot_ms: u64, validators: u64, more: &str) -> Self {
        let yaml = format!(
            "PRESET_BASE: 'minimal'\nCONFIG_NAME: 'test'\nSLOT_DURATION_MS: {slot_ms}\n\
             GENESIS_FORK_VERSION: 0x00000001\n{more}"
        );
        let spec = Spec::from_yaml(&yaml, None).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let chain = MiniChain::new(spec, validators, now.as_secs() + 2);
        Self::of(chain, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A node of this chain at this address.
    pub async fn of(chain: Arc<MiniChain>, address: SocketAddr) -> Self {
        let (stop, stopped) = watch::channel(false);
        let backend = Arc::new(MiniBackend(Arc::clone(&chain)));
        let server = Server::bind(&ServerConfig { address, allow_any_origin: false }, backend).await.unwrap();
        let address = server.address().unwrap();
        tokio::spawn(server.run(stopped));
        Self { chain, address, _stop: stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A client for all validators of a chain, with its data in a folder.
pub fn config(chain: &MiniChain, url: String, data_dir: &Path) -> Config {
    Config {
        spec: chain.spec,
        genesis_time: chain.genesis.genesis_time,
        genesis_validators_root: chain.genesis.genesis_validators_root,
        beacon_node: url,
        data_dir: data_dir.to_owned(),
        keys: KeySource::Interop(0..chain.genesis.validators.len() as u64),
        signed_log: Some(data_dir.with_extension("signed.jsonl")),
        metrics: None,
        graffiti: Root::from([0x67; 32]),
        suggested_fee_recipient: Some(types::FixedBytes([0xfe; 20])),
    }
}

/// A client at work.
pub struct RunningClient {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), ClientFailure>>,
}

impl RunningClient {
    pub fn start(config: Config) -> Self {
        let client = ValidatorClient::open(config).unwrap();
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(client.run(stopped)) }
    }

    /// Ends it, and waits until its locks are free.
    pub async fn stop(self) -> Result<(), ClientFailure> {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }

    /// Waits until it ends by itself.
    pub async fn end(self) -> Result<(), ClientFailure> {
        tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("it ends by itself").unwrap()
    }
}

/// Waits for a condition, at most half a minute of a busy machine.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(40), "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The lines of the log of signed messages, of one kind.
pub fn signed_lines(config: &Config, kind: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(config.signed_log.as_ref().unwrap()).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}
