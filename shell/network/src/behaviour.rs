//! The composite libp2p behaviour, and the transport under it.

use std::io;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::{SelectUpgrade, Version};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, Transport, dns, identify, noise, tcp, yamux};
use libp2p_mplex::{Config as Mplex, MaxBufferBehaviour};

use crate::config::Config;
use crate::gossip;
use crate::reqresp::behaviour::ReqResp;
use crate::reqresp::streams::Rules;

/// Dial and handshake deadline of the transport.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that runs over a connection.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(crate) gossip: gossip::config::Gossip,
    pub(crate) reqresp: ReqResp,
    identify: identify::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(config: &Config, keypair: &Keypair) -> Result<Self, String> {
        let identify = identify::Config::new("eth2/1.0.0".to_owned(), keypair.public())
            .with_agent_version(config.agent.clone())
            .with_cache_size(0);
        let rules = Rules { limits: config.requests.clone(), max_payload_size: config.max_payload_size };
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits(config.max_peers)),
            gossip: gossip::config::behaviour(config)?,
            reqresp: ReqResp::new(rules),
            identify: identify::Behaviour::new(identify),
        })
    }
}

/// Some room above `max_peers` lets a newcomer be told that there are too many, and two connections a peer
/// let both survive a simultaneous dial until one side's choice is made.
fn limits(max_peers: usize) -> ConnectionLimits {
    let max = u32::try_from(max_peers).unwrap_or(u32::MAX);
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(64))
        .with_max_pending_outgoing(Some(64))
        .with_max_established(Some(max.saturating_add(max / 10).saturating_add(8)))
        .with_max_established_per_peer(Some(2))
}

/// mplex with back-pressure. Lodestar up to 1.5 offers no other multiplexer.
pub(crate) fn mplex() -> Mplex {
    let mut mplex = Mplex::new();
    mplex.set_max_buffer_behaviour(MaxBufferBehaviour::Block);
    mplex.set_max_num_streams(256);
    mplex
}

/// TCP with DNS, noise, and yamux before mplex.
pub(crate) fn transport(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let noise = noise::Config::new(keypair)?;
    // A machine without a resolver configuration still reaches IP addresses.
    let dialer = match dns::tokio::Transport::system(tcp()) {
        Ok(transport) => transport,
        Err(error) => {
            tracing::warn!(%error, "no DNS configuration; peers given by name are looked up with defaults");
            dns::tokio::Transport::custom(tcp(), dns::ResolverConfig::default(), dns::ResolverOpts::default())
        }
    };
    Ok(dialer
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(SelectUpgrade::new(yamux::Config::default(), mplex()))
        .timeout(CONNECT_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(io::Error::other)
        .boxed())
}
