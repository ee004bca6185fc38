//! `interlock beacon`: run a beacon node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use node::{BeaconConfig, BeaconNode, Misbehaviour, NetworkFolder};

use crate::execution_choice::{ExecutionChoice, ExecutionEngines};
use crate::metrics_choice::MetricsChoice;
use crate::{logging, shutdown};

/// Follow a network, serve the Beacon API, and let validators take part.
///
/// The network folder holds config.yaml and genesis.ssz, and where there is need preset.yaml and
/// bootstrap_nodes.yaml. The node stops in order at SIGINT and SIGTERM; killed at any moment, it goes on from what it
/// had stored.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Beacon {
    /// The folder that describes the network.
    #[arg(long, value_name = "DIR")]
    network_dir: PathBuf,
    /// Where database and node key are kept; made where it is not there.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Where the Beacon API listens.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    http_address: IpAddr,
    /// Port of the Beacon API; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 5052)]
    http_port: u16,
    /// Let web pages of any origin call the Beacon API.
    #[arg(long)]
    http_allow_any_origin: bool,
    /// The address that libp2p and discovery listen on.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    listen_address: IpAddr,
    /// TCP port of libp2p; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    tcp_port: u16,
    /// UDP port of discovery; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    udp_port: u16,
    /// The address that the node record names; by default what peers see.
    #[arg(long, value_name = "IP")]
    enr_address: Option<IpAddr>,
    /// A record to start discovery from, besides those of the network folder. May be given several times.
    #[arg(long, value_name = "ENR")]
    bootnode: Vec<String>,
    /// A peer to stay connected to. May be given several times.
    #[arg(long, value_name = "MULTIADDR")]
    static_peer: Vec<String>,
    /// How many peers to look for.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    target_peers: usize,
    /// Listen to the attestations of all subnets.
    #[arg(long)]
    subscribe_all_subnets: bool,
    /// Keep and serve all data columns, not only those that the node's identity gives it.
    #[arg(long)]
    supernode: bool,
    #[command(flatten)]
    execution: ExecutionChoice,
    #[command(flatten)]
    metrics: MetricsChoice<5054>,
    /// How much disk space evidence may take, in MiB; 0 keeps none. Evidence is a folder below DATA_DIR/evidence with
    /// state, block, verdict and what came before, written where a block is refused after gossip accepted it, where a state
    /// root is another than ours, and where the head leaves finality. The oldest make room for newer; `interlock transition
    /// replay` runs one again.
    #[arg(long, value_name = "MIB", default_value_t = node::EVIDENCE_BUDGET_MIB)]
    evidence_budget_mib: u64,
    /// Break the rules on purpose, on test networks only: withhold-columns=FROM_SLOT..TO_SLOT publishes own blocks of
    /// these slots without most of their data columns, and keeps them from peers that ask.
    #[arg(long, value_name = "DEED", help_heading = "For drills")]
    misbehave: Option<Misbehaviour>,
}

const EXAMPLES: &str = "\
Examples:
  With an execution client on the same machine, which was started with the same secret (for Geth: --authrpc.jwtsecret):
    interlock beacon --network-dir network --data-dir node --execution http://127.0.0.1:8551 --execution-jwt jwt.hex

  With a second engine that answers when the first one does not:
    interlock beacon --network-dir network --data-dir node --execution http://127.0.0.1:8551 \\
        --execution http://192.168.1.7:8551 --execution-jwt jwt.hex

  In a devnet without any execution client, with three blobs a block since Deneb:
    interlock beacon --network-dir network --data-dir node --execution mock --mock-blobs 3";

impl Beacon {
    /// Runs until a signal, or until the node breaks.
    pub fn run(self) -> anyhow::Result<()> {
        logging::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(self.run_node());
        // Requests that are still being answered do not keep the process.
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        outcome
    }

    async fn run_node(self) -> anyhow::Result<()> {
        let mut stop = shutdown::on_signal().context("cannot listen for signals")?;
        let network = NetworkFolder::read(&self.network_dir)?;
        // Mock engines live as long as the node.
        let engines = self.execution.start(&network, &self.data_dir).await?;
        let mut node = BeaconNode::start(self.config(network, &engines)).await?;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            broken = node.broken() => {
                // What can still be done in order is; the reason is what counts.
                let _ = node.stop().await;
                return Err(broken.into());
            }
        }
        tracing::info!("stopping");
        node.stop().await?;
        tracing::info!("stopped");
        Ok(())
    }

    fn config(self, network: NetworkFolder, engines: &ExecutionEngines) -> BeaconConfig {
        BeaconConfig {
            network,
            data_dir: self.data_dir,
            http: SocketAddr::new(self.http_address, self.http_port),
            allow_any_origin: self.http_allow_any_origin,
            listen_address: self.listen_address,
            tcp_port: self.tcp_port,
            udp_port: self.udp_port,
            enr_address: self.enr_address,
            bootnodes: self.bootnode,
            static_peers: self.static_peer,
            target_peers: self.target_peers,
            subscribe_all_subnets: self.subscribe_all_subnets,
            execution: engines.endpoints.clone(),
            fee_recipient: self.execution.suggested_fee_recipient,
            supernode: self.supernode,
            metrics: self.metrics.config(),
            evidence_budget: self.evidence_budget_mib.saturating_mul(1 << 20),
            misbehaviour: self.misbehave,
        }
    }
}
