//! Builds a network from its configuration and starts its task.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use discv5::Enr;
use futures::StreamExt;
use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::{self, Swarm, SwarmEvent};
use libp2p::{Multiaddr, TransportError};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::behaviour::{self, Behaviour};
use crate::command::Handle;
use crate::config::Config;
use crate::dials::Dials;
use crate::discovery::{self, Discovery, Settings};
use crate::enr::{Address, Fields};
use crate::event::NetworkEvent;
use crate::gossip::unjudged::Unjudged;
use crate::metrics::Metrics;
use crate::peers::PeerBook;
use crate::reqresp::replies::OpenRequests;
use crate::wire::Wire;

/// Why the network did not start.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// Someone else listens there.
    #[error("{protocol} port {port} on {ip} is in use")]
    PortInUse {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {protocol} {address}: {reason}")]
    Listen {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// A bootnode is not an ENR.
    #[error("bootnode {0:?} is not an ENR: {1}")]
    Bootnode(String, String),
    /// A static peer is not a multiaddr.
    #[error("static peer {0:?} is not a multiaddr: {1}")]
    StaticPeer(String, String),
    /// A parameter is out of its range.
    #[error("network configuration: {0}")]
    Config(String),
    /// Discovery did not start.
    #[error("discovery: {0}")]
    Discovery(String),
}

pub(crate) fn bind_error(protocol: &'static str, address: SocketAddr, error: io::Error) -> NetworkError {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            NetworkError::PortInUse { protocol, ip: address.ip(), port: address.port() }
        }
        _ => NetworkError::Listen { protocol, address, reason: error.to_string() },
    }
}

pub(crate) fn discovery_error(error: impl Display) -> NetworkError {
    NetworkError::Discovery(error.to_string())
}

pub(crate) fn parse_enrs(texts: &[String]) -> Result<Vec<Enr>, NetworkError> {
    let parse = |text: &String| {
        text.trim().parse::<Enr>().map_err(|error| NetworkError::Bootnode(text.clone(), error))
    };
    texts.iter().map(parse).collect()
}

fn parse_static_peers(texts: &[String]) -> Result<Vec<Multiaddr>, NetworkError> {
    let parse = |text: &String| {
        let parsed = text.trim().parse::<Multiaddr>();
        parsed.map_err(|error| NetworkError::StaticPeer(text.clone(), error.to_string()))
    };
    texts.iter().map(parse).collect()
}

/// The network: started here, then driven through its [`Handle`] and its events.
#[derive(Debug)]
pub struct Network;

impl Network {
    /// Binds both ports, starts discovery and the network's task on the current tokio runtime, and
    /// registers the metrics. Fails, with nothing left running, if a port is in use or a setting is wrong.
    pub async fn start(
        config: Config,
        registry: &mut Registry,
    ) -> Result<(Handle, mpsc::Receiver<NetworkEvent>), NetworkError> {
        config.check().map_err(NetworkError::Config)?;
        let bootnodes = parse_enrs(&config.bootnodes)?;
        let statics = parse_static_peers(&config.static_peers)?;
        let keypair = config.secret_key.keypair();
        let local = keypair.public().to_peer_id();
        let transport =
            behaviour::transport(&keypair).map_err(|error| NetworkError::Config(error.to_string()))?;
        let behaviour = Behaviour::new(&config, &keypair).map_err(NetworkError::Config)?;
        let swarm_config = swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(60))
            .with_max_negotiating_inbound_streams(128);
        let mut swarm = Swarm::new(transport, behaviour, local, swarm_config);
        let listen_address = listen(&mut swarm, &config).await?;
        let discovery = start_discovery(&config, &listen_address, &bootnodes).await?;
        let enr = discovery.local_enr();

        let now = Instant::now();
        let mut dials = Dials::new(statics, now);
        for record in &bootnodes {
            if discovery.suits(record)
                && let Some(candidate) = discovery::candidate(record, true)
            {
                dials.offer(candidate, now);
            }
        }
        let (event_sender, events) = mpsc::channel(config.event_queue);
        let (command_sender, commands) = mpsc::channel(config.command_queue);
        let requests = OpenRequests::default();
        let handle =
            Handle::new(command_sender, requests.clone(), (local, listen_address), (enr, discovery.udp_port));
        let wire = Wire {
            swarm,
            discovery,
            peers: PeerBook::new(local),
            dials,
            local: config.local.clone(),
            metrics: Metrics::register(registry),
            requests,
            asks: Default::default(),
            unjudged: Unjudged::new(&config.gossip),
            commands,
            events: event_sender,
            pending: Default::default(),
            stopping: None,
            config,
        };
        tokio::spawn(wire.run());
        Ok((handle, events))
    }
}

async fn listen(swarm: &mut Swarm<Behaviour>, config: &Config) -> Result<Multiaddr, NetworkError> {
    let socket = SocketAddr::new(config.listen_address, config.tcp_port);
    if socket.port() != 0 {
        // libp2p listens with SO_REUSEPORT, which lets two nodes share a port unknowingly; so it is
        // tried without first.
        drop(TcpListener::bind(socket).map_err(|error| bind_error("TCP", socket, error))?);
    }
    let address = Multiaddr::from(socket.ip()).with(Part::Tcp(socket.port()));
    swarm.listen_on(address).map_err(|error| match error {
        TransportError::Other(error) => bind_error("TCP", socket, error),
        other => NetworkError::Listen { protocol: "TCP", address: socket, reason: other.to_string() },
    })?;
    let failed = |reason: String| NetworkError::Listen { protocol: "TCP", address: socket, reason };
    let listening = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => return Ok(address),
                SwarmEvent::ListenerClosed { reason, .. } => return Err(failed(format!("{reason:?}"))),
                _ => {}
            }
        }
    };
    let timeout = tokio::time::timeout(Duration::from_secs(5), listening).await;
    timeout.map_err(|_| failed("no address within 5 seconds".to_owned()))?
}

fn tcp_port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| if let Part::Tcp(port) = part { Some(port) } else { None })
}

async fn start_discovery(
    config: &Config,
    listen_address: &Multiaddr,
    bootnodes: &[Enr],
) -> Result<Discovery, NetworkError> {
    let bound = Some(config.listen_address).filter(|ip| !ip.is_unspecified());
    let address = Address {
        ip: config.advertised.ip.or(bound),
        tcp: config.advertised.tcp_port.or_else(|| tcp_port(listen_address)),
        udp: config.advertised.udp_port,
    };
    let local = &config.local;
    let fields = Fields {
        eth2: Some(local.eth2),
        attnets: local.attnets,
        syncnets: local.syncnets,
        custody_group_count: local.custody_group_count,
        next_fork_digest: local.next_fork_digest,
    };
    Discovery::start(Settings {
        key: &config.secret_key,
        listen: SocketAddr::new(config.listen_address, config.udp_port),
        address,
        fields: Some(fields),
        bootnodes,
        enabled: config.discovery,
        custody: config.custody,
    })
    .await
}
