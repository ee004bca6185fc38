//! Req/resp over all connections: routes requests to one of them and fails those of a lost one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::limits::PeerLimits;
use super::peer_streams::{Ask, FromStreams, OutboundId, PeerStreams};
use super::protocol::Method;
use super::streams::Rules;
use crate::event::ResponseFailure;

/// Limits of peers that are gone are kept this long, and of so many at most (the oldest go first).
const KEEP_LIMITS: Duration = Duration::from_secs(60);
const KEEP_LIMITS_MAX: usize = 1024;

/// An event of a peer's streams.
#[derive(Debug)]
pub(crate) struct ReqRespEvent {
    pub(crate) peer: PeerId,
    pub(crate) event: FromStreams,
}

#[derive(Debug, Default)]
struct PeerState {
    connections: Vec<ConnectionId>,
    limits: PeerLimits,
    gone_since: Option<Instant>,
}

/// The behaviour.
pub(crate) struct ReqResp {
    rules: Arc<Rules>,
    peers: HashMap<PeerId, PeerState>,
    /// Requests without an end yet.
    open: HashMap<OutboundId, (PeerId, ConnectionId)>,
    next_id: u64,
    actions: VecDeque<ToSwarm<ReqRespEvent, Ask>>,
    waker: Option<Waker>,
}

impl ReqResp {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
            peers: HashMap::new(),
            open: HashMap::new(),
            next_id: 0,
            actions: VecDeque::new(),
            waker: None,
        }
    }

    /// Asks a peer; its chunks and its end come as events under the id.
    pub(crate) fn ask(&mut self, peer: PeerId, method: Method, ssz: Vec<u8>) -> OutboundId {
        let id = OutboundId(self.next_id);
        self.next_id += 1;
        // The oldest connection is used: of two, the younger may be about to be closed as a duplicate.
        match self.peers.get(&peer).and_then(|state| state.connections.first()).copied() {
            Some(connection) => {
                self.open.insert(id, (peer, connection));
                let event = Ask { id, method, ssz };
                let handler = NotifyHandler::One(connection);
                self.act(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
            }
            None => self.report(peer, FromStreams::Failed { id, failure: ResponseFailure::Disconnected }),
        }
        id
    }

    fn report(&mut self, peer: PeerId, event: FromStreams) {
        self.act(ToSwarm::GenerateEvent(ReqRespEvent { peer, event }));
    }

    fn act(&mut self, action: ToSwarm<ReqRespEvent, Ask>) {
        self.actions.push_back(action);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn connected(&mut self, peer: PeerId) -> PeerStreams {
        let state = self.peers.entry(peer).or_default();
        if state.connections.is_empty() {
            // Another behaviour may still deny the connection; then this peer was never here.
            state.gone_since = Some(Instant::now());
        }
        PeerStreams::new(self.rules.clone(), state.limits.clone())
    }

    fn closed(&mut self, closed: &ConnectionClosed<'_>) {
        let peer = closed.peer_id;
        if let Some(state) = self.peers.get_mut(&peer) {
            state.connections.retain(|id| *id != closed.connection_id);
            if state.connections.is_empty() {
                state.gone_since = Some(Instant::now());
            }
        }
        let lost = self.open.iter().filter(|(_, (_, connection))| *connection == closed.connection_id);
        let mut lost: Vec<OutboundId> = lost.map(|(id, _)| *id).collect();
        lost.sort();
        for id in lost {
            self.open.remove(&id);
            self.report(peer, FromStreams::Failed { id, failure: ResponseFailure::Disconnected });
        }
        self.forget_the_gone();
    }

    fn forget_the_gone(&mut self) {
        let expired = |state: &PeerState| state.gone_since.is_some_and(|at| at.elapsed() > KEEP_LIMITS);
        self.peers.retain(|_, state| !expired(state));
        let gone = self.peers.iter().filter_map(|(peer, state)| Some((state.gone_since?, *peer)));
        let mut gone: Vec<_> = gone.collect();
        gone.sort();
        let excess = gone.len().saturating_sub(KEEP_LIMITS_MAX);
        for (_, peer) in gone.into_iter().take(excess) {
            self.peers.remove(&peer);
        }
    }
}

impl NetworkBehaviour for ReqResp {
    type ConnectionHandler = PeerStreams;
    type ToSwarm = ReqRespEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.connected(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.connected(peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let state = self.peers.entry(established.peer_id).or_default();
                state.connections.push(established.connection_id);
                state.gone_since = None;
            }
            FromSwarm::ConnectionClosed(closed) => self.closed(&closed),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match &event {
            FromStreams::End { id } | FromStreams::Failed { id, .. } => {
                self.open.remove(id);
            }
            _ => {}
        }
        self.report(peer, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<ReqRespEvent, THandlerInEvent<Self>>> {
        match self.actions.pop_front() {
            Some(action) => Poll::Ready(action),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
