//! Metrics of the network. Counters that end in `_total` are exported with that suffix.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The one label of a labelled counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Label {
    kind: &'static str,
}

/// What becomes of gossip messages.
const GOSSIP: [&str; 8] =
    ["received", "accepted", "ignored", "rejected", "late", "dropped", "published", "unsent"];

type Counters = Family<Label, Counter>;

/// Handles to the registered metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) peers: Gauge,
    pub(crate) bans: Gauge,
    gossip: Counters,
    topics: Counters,
    requests_sent: Counters,
    requests_received: Counters,
    responses: Counters,
    pub(crate) dials: Counter,
    pub(crate) discovered: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.begin();
        // The name is one of the interop metrics that every client exports.
        registry.register("libp2p_peers", "Connected libp2p peers", metrics.peers.clone());
        registry.register("network_banned_peers", "Peers banned now", metrics.bans.clone());
        let help = "Gossip messages: received, accepted, ignored, rejected, late, dropped, published, unsent";
        registry.register("network_gossip_messages", help, metrics.gossip.clone());
        let help = "Topics that peers joined and left";
        registry.register("network_peer_topics", help, metrics.topics.clone());
        let help = "Requests sent, by method";
        registry.register("network_requests_sent", help, metrics.requests_sent.clone());
        let help = "Requests received, by method";
        registry.register("network_requests_received", help, metrics.requests_received.clone());
        let help = "Chunks, ends and failures of responses to our requests";
        registry.register("network_responses", help, metrics.responses.clone());
        registry.register("network_dials", "Dials started", metrics.dials.clone());
        registry.register(
            "network_discovered",
            "Usable records found by discovery",
            metrics.discovered.clone(),
        );
        metrics
    }

    /// All series are there from the start, so that a rate has a beginning.
    fn begin(&self) {
        let begin = |family: &Counters, kind| drop(family.get_or_create(&Label { kind }));
        GOSSIP.iter().for_each(|kind| begin(&self.gossip, *kind));
        ["joined", "left"].into_iter().for_each(|kind| begin(&self.topics, kind));
        ["chunk", "end", "failure"].into_iter().for_each(|kind| begin(&self.responses, kind));
        for method in crate::Method::ALL {
            begin(&self.requests_sent, method.name());
            begin(&self.requests_received, method.name());
        }
    }

    pub(crate) fn gossip(&self, kind: &'static str) {
        self.gossip.get_or_create(&Label { kind }).inc();
    }

    pub(crate) fn topics(&self, kind: &'static str) {
        self.topics.get_or_create(&Label { kind }).inc();
    }

    pub(crate) fn request_sent(&self, method: crate::Method) {
        self.requests_sent.get_or_create(&Label { kind: method.name() }).inc();
    }

    pub(crate) fn request_received(&self, method: crate::Method) {
        self.requests_received.get_or_create(&Label { kind: method.name() }).inc();
    }

    pub(crate) fn response(&self, kind: &'static str) {
        self.responses.get_or_create(&Label { kind }).inc();
    }
}
