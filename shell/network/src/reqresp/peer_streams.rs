//! The req/resp part of one connection: negotiates streams and runs them.
//!
//! libp2p's `request_response` behaviour delivers a response whole; a range of blocks may be a thousand
//! chunks of megabytes, so streams are driven here and each chunk is passed on as it arrives.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::Stream;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound};
use libp2p::swarm::handler::{FullyNegotiatedOutbound, StreamUpgradeError};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};

use super::limits::PeerLimits;
use super::protocol::{Method, Protocol, code};
use super::replies::ReplySender;
use super::streams::{self, Events, Rules};
use crate::event::ResponseFailure;

/// Events a connection may hold before its streams wait.
const EVENT_QUEUE: usize = 8;
/// Inbound streams beyond this are reset unheard, even to be refused.
const INBOUND_STREAMS_MAX: usize = 64;

/// Names one request of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OutboundId(pub(crate) u64);

/// A request to make on this connection.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) id: OutboundId,
    pub(crate) method: Method,
    pub(crate) ssz: Vec<u8>,
}

/// What streams report.
#[derive(Debug)]
pub(crate) enum FromStreams {
    Request {
        protocol: Protocol,
        ssz: Vec<u8>,
        replies: ReplySender,
    },
    Chunk {
        id: OutboundId,
        protocol: Protocol,
        context: Option<[u8; 4]>,
        ssz: Vec<u8>,
    },
    End {
        id: OutboundId,
    },
    Failed {
        id: OutboundId,
        failure: ResponseFailure,
    },
    /// The peer broke a rule of the protocol.
    Fault(String),
}

/// Negotiates one of several protocols and yields the bare stream.
#[derive(Debug, Clone)]
pub(crate) struct Offer(Vec<Protocol>);

impl UpgradeInfo for Offer {
    type Info = Protocol;
    type InfoIter = std::vec::IntoIter<Protocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Protocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: Protocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Protocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: Protocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

/// All req/resp streams of one connection.
pub(crate) struct PeerStreams {
    rules: Arc<Rules>,
    limits: PeerLimits,
    waiting: VecDeque<Ask>,
    /// Outbound requests in progress, by method.
    asking: [u32; Method::COUNT],
    inbound: usize,
    /// Running streams; one of ours yields its method when it is done.
    running: FuturesUnordered<BoxFuture<'static, Option<Method>>>,
    events: Events,
    reports: mpsc::Receiver<FromStreams>,
    /// Failures found here, bounded by the queue of waiting requests and those in progress.
    failed: VecDeque<FromStreams>,
}

impl PeerStreams {
    pub(crate) fn new(rules: Arc<Rules>, limits: PeerLimits) -> Self {
        let (events, reports) = mpsc::channel(EVENT_QUEUE);
        Self {
            rules,
            limits,
            waiting: VecDeque::new(),
            asking: [0; Method::COUNT],
            inbound: 0,
            running: FuturesUnordered::new(),
            events,
            reports,
            failed: VecDeque::new(),
        }
    }

    fn accept(&mut self, protocol: Protocol, stream: Stream) {
        if self.inbound >= INBOUND_STREAMS_MAX {
            return;
        }
        self.inbound += 1;
        let deadline = self.rules.deadline();
        let future = match self.limits.open(protocol.method, &self.rules.limits) {
            Some(slot) => {
                let peer = (self.limits.clone(), slot);
                streams::serve(stream, protocol, peer, self.rules.clone(), self.events.clone()).boxed()
            }
            None => {
                let mut events = self.events.clone();
                async move {
                    let why = "too many concurrent requests";
                    streams::refuse(stream, code::RESOURCE_UNAVAILABLE, why, deadline).await;
                    let fault = FromStreams::Fault(format!("{protocol}: {why}"));
                    let _ = futures::SinkExt::send(&mut events, fault).await;
                }
                .boxed()
            }
        };
        self.running.push(future.map(|()| None).boxed());
    }

    fn fail(&mut self, ask: &Ask, failure: ResponseFailure) {
        self.failed.push_back(FromStreams::Failed { id: ask.id, failure });
    }

    /// The versions of a method that we speak, newest first.
    fn offer(&self, method: Method) -> Vec<Protocol> {
        let spoken = &self.rules.limits.protocols;
        method.versions().iter().copied().filter(|protocol| spoken.contains(protocol)).collect()
    }

    fn next_ask(&mut self) -> Option<Ask> {
        let max = self.rules.limits.outbound_concurrent_max;
        let index = self.waiting.iter().position(|ask| self.asking[ask.method as usize] < max)?;
        self.waiting.remove(index)
    }
}

impl ConnectionHandler for PeerStreams {
    type FromBehaviour = Ask;
    type ToBehaviour = FromStreams;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Ask;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer, ()> {
        let spoken = self.rules.limits.protocols.iter().copied().collect();
        SubstreamProtocol::new(Offer(spoken), ()).with_timeout(self.rules.deadline())
    }

    fn connection_keep_alive(&self) -> bool {
        // Whether a peer is worth its connection is decided by the peer book, not by idleness.
        true
    }

    fn on_behaviour_event(&mut self, ask: Ask) {
        if self.waiting.len() >= self.rules.limits.outbound_queue_max {
            self.fail(&ask, ResponseFailure::Overloaded);
        } else if self.offer(ask.method).is_empty() {
            self.fail(&ask, ResponseFailure::Unsupported);
        } else {
            self.waiting.push_back(ask);
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer, (), Ask>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                let (protocol, stream) = protocol;
                self.accept(protocol, stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info: ask }) => {
                let (protocol, stream) = protocol;
                let request = (ask.id, ask.ssz);
                let method = ask.method;
                let future = streams::ask(stream, protocol, request, self.rules.clone(), self.events.clone());
                self.running.push(future.map(move |()| Some(method)).boxed());
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: ask, error }) => {
                self.asking[ask.method as usize] -= 1;
                let failure = match error {
                    StreamUpgradeError::Timeout => ResponseFailure::Timeout,
                    StreamUpgradeError::NegotiationFailed => ResponseFailure::Unsupported,
                    StreamUpgradeError::Io(_) => ResponseFailure::Disconnected,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.fail(&ask, failure);
            }
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Offer, Ask, FromStreams>> {
        loop {
            if let Some(event) = self.failed.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            if let Poll::Ready(Some(event)) = self.reports.poll_next_unpin(cx) {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            if let Some(ask) = self.next_ask() {
                self.asking[ask.method as usize] += 1;
                let offer = Offer(self.offer(ask.method));
                let protocol = SubstreamProtocol::new(offer, ask).with_timeout(self.rules.deadline());
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some(Some(method))) => self.asking[method as usize] -= 1,
                Poll::Ready(Some(None)) => self.inbound -= 1,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        // A stream that ran above may have reported; its report was queued after we looked.
        match self.reports.poll_next_unpin(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event)),
            _ => Poll::Pending,
        }
    }
}
