//! A beacon node and its validator client in one process, whose metrics are read over HTTP, as Prometheus reads them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod exposed;
mod query;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exporter::ExporterConfig;
use node::{BeaconConfig, BeaconNode, NetworkFolder, RunningNode};
use tokio::sync::watch;
use types::{Root, Settings, Spec};
use validator_client::{Config, KeySource, ValidatorClient};

pub use exposed::{Exposed, Series};
pub use query::{Query, Selector};

/// Keys of the network, all of which the validator client has.
pub const VALIDATORS: u64 = 16;
/// Short slots, so that a few of them do not take long; long enough for a machine that does other things too.
const SLOT_MS: u64 = 2000;
/// Until genesis.
const GENESIS_DELAY: Duration = Duration::from_secs(3);

/// A node and its validator client, alone on a network of their own.
pub struct Pair {
    /// The node.
    pub node: RunningNode,
    /// Asks the node's Beacon API.
    pub client: api::Client,
    /// Where the node's metrics are.
    pub node_metrics: SocketAddr,
    /// Where the validator client's metrics are.
    pub validator_metrics: SocketAddr,
    stop: watch::Sender<bool>,
    validator: tokio::task::JoinHandle<()>,
}

/// A port that nobody listens on at this moment.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A network of the minimal preset that begins with Altair, a moment from now.
fn network() -> Result<NetworkFolder, String> {
    let mut settings = Settings::parse(types::Config::MINIMAL_YAML).map_err(|error| error.to_string())?;
    settings.set("SLOT_DURATION_MS", SLOT_MS);
    settings.set("ALTAIR_FORK_EPOCH", 0);
    settings.set("MIN_GENESIS_ACTIVE_VALIDATOR_COUNT", VALIDATORS);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + GENESIS_DELAY;
    settings.set("MIN_GENESIS_TIME", since.as_secs());
    let spec = Spec::from_settings(settings, None).map_err(|error| error.to_string())?;
    let genesis =
        devnet::interop_genesis(spec, VALIDATORS, since.as_secs()).map_err(|error| error.to_string())?;
    Ok(NetworkFolder { spec, genesis: Arc::new(genesis), bootnodes: Vec::new(), deposit_block: 0 })
}

impl Pair {
    /// Starts both in a folder, with metrics on free ports.
    ///
    /// # Errors
    /// What keeps either from starting, in words.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let network = network()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = BeaconConfig::loopback(network.clone(), folder.join("beacon"));
        config.metrics = Some(ExporterConfig { address, allow_any_origin: false });
        config.subscribe_all_subnets = true;
        let node = BeaconNode::start(config).await.map_err(|error| error.to_string())?;
        let node_metrics = node.metrics_address().ok_or("the node serves no metrics")?;
        let url = format!("http://{}", node.http_address());
        let validator_metrics = free_address().map_err(|error| error.to_string())?;
        let client = ValidatorClient::open(Config {
            spec: network.spec,
            genesis_time: network.genesis.genesis_time,
            genesis_validators_root: network.genesis.genesis_validators_root,
            beacon_node: url.clone(),
            data_dir: folder.join("validator"),
            keys: KeySource::Interop(0..VALIDATORS),
            signed_log: None,
            metrics: Some(ExporterConfig { address: validator_metrics, allow_any_origin: true }),
            graffiti: Root::ZERO,
            suggested_fee_recipient: None,
        })
        .map_err(|error| error.to_string())?;
        let (stop, stopped) = watch::channel(false);
        let validator = tokio::spawn(async move {
            if let Err(error) = client.run(stopped).await {
                panic!("the validator client ended: {error}");
            }
        });
        let client = api::Client::new(&url);
        Ok(Self { node, client, node_metrics, validator_metrics, stop, validator })
    }

    /// Stops both in order.
    ///
    /// # Errors
    /// What went wrong in either.
    pub async fn stop(self) -> Result<(), String> {
        // An error means that the client has ended, which is told below.
        let _ = self.stop.send(true);
        self.validator.await.map_err(|error| error.to_string())?;
        self.node.stop().await.map_err(|error| error.to_string())
    }
}
