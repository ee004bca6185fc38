//! A discv5-only node that others start their discovery from.

use std::net::{IpAddr, SocketAddr};

use discv5::Enr;

use crate::custody::ColumnCustody;
use crate::discovery::{Discovery, Settings};
use crate::enr::{Address, Fields};
use crate::key::SecretKey;
use crate::start::{NetworkError, parse_enrs};

/// What a bootnode needs.
#[derive(Debug, Clone)]
pub struct BootnodeConfig {
    /// Address to bind.
    pub listen_address: IpAddr,
    /// UDP port; 0 lets the system choose.
    pub udp_port: u16,
    /// IP address for the ENR; by default the bound one unless that is unspecified.
    pub advertised_ip: Option<IpAddr>,
    /// UDP port for the ENR if it differs from the bound one.
    pub advertised_udp_port: Option<u16>,
    /// The node key.
    pub secret_key: SecretKey,
    /// Other bootnodes (`enr:…`).
    pub bootnodes: Vec<String>,
    /// SSZ `ENRForkID`, if the network's genesis is known.
    pub eth2: Option<[u8; 16]>,
}

/// A running bootnode.
pub struct Bootnode {
    enr: Enr,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Bootnode {
    /// Binds and starts; must be called inside a tokio runtime.
    pub async fn start(config: BootnodeConfig) -> Result<Self, NetworkError> {
        let bound = Some(config.listen_address).filter(|ip| !ip.is_unspecified());
        let address =
            Address { ip: config.advertised_ip.or(bound), tcp: None, udp: config.advertised_udp_port };
        let fields = config.eth2.map(|eth2| Fields { eth2: Some(eth2), ..Fields::default() });
        let bootnodes = parse_enrs(&config.bootnodes)?;
        let mut discovery = Discovery::start(Settings {
            key: &config.secret_key,
            listen: SocketAddr::new(config.listen_address, config.udp_port),
            address,
            fields,
            bootnodes: &bootnodes,
            enabled: true,
            custody: ColumnCustody::of(types::Spec::mainnet()),
        })
        .await?;
        let enr = discovery.local_enr();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            // Queries keep the routing table fresh; whom they find does not matter here.
            loop {
                tokio::select! {
                    _ = &mut stopped => return,
                    _ = discovery.next() => {}
                }
            }
        });
        tracing::info!(%enr, "bootnode started");
        Ok(Self { enr, stop, task })
    }

    /// Its record, to give to others.
    pub fn enr(&self) -> &Enr {
        &self.enr
    }

    /// Stops it; its port is free soon after.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
