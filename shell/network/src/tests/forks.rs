//! Whole nodes across forks: digests that change, versions that differ, objects of later forks.

use std::collections::{BTreeMap, BTreeSet};

use types::{Epoch, Slot};

use super::reqresp::{expect_end, expect_failure, expect_request};
use super::*;
use crate::event::{Metadata, ResponseFailure};
use crate::forks::tests::schedule;
use crate::reqresp::protocol::{Method, Protocol};
use crate::{Announcement, EnrSummary, Subscriptions, Topic, topic_at_slot, topics_at};

/// A node that hears the topics of an epoch.
struct Hearer {
    node: Node,
    joined: BTreeSet<String>,
    joins: usize,
    /// What it heard: the slot that a message names, and the topic.
    heard: BTreeMap<u64, String>,
}

impl Hearer {
    fn new(node: Node) -> Self {
        Self { node, joined: BTreeSet::new(), joins: 0, heard: BTreeMap::new() }
    }

    async fn turn(&mut self, epoch: Epoch) {
        let wanted = Subscriptions {
            attestation: [3].into(),
            sync: [1].into(),
            columns: [7].into(),
            light_clients: false,
        };
        let topics = topics_at(&schedule(), epoch, &wanted);
        for topic in topics.difference(&self.joined) {
            self.node.handle.subscribe(topic.clone()).await;
            self.joins += 1;
        }
        for topic in self.joined.difference(&topics) {
            self.node.handle.unsubscribe(topic.clone()).await;
        }
        self.joined = topics;
    }

    /// Waits until its peer's joins are known here.
    async fn knows(&self, joins: usize) {
        let known = format!("network_peer_topics_total{{kind=\"joined\"}} {joins}\n");
        let search = async {
            while !self.node.metrics().contains(&known) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.unwrap_or_else(|_| panic!("{joins} joins are not known: {}", self.node.metrics()));
    }

    async fn publish(&self, slot: Slot) {
        let topic = topic_at_slot(&schedule(), Topic::BeaconBlock, slot).unwrap();
        self.node.handle.publish(topic, slot.0.to_le_bytes().to_vec()).await;
    }

    async fn hear(&mut self, slot: u64) {
        let heard = &mut self.heard;
        let all = self.node.expect("every message", |event| {
            if let NetworkEvent::Gossip { topic, data, .. } = event {
                heard.insert(u64::from_le_bytes(data.try_into().unwrap()), topic);
            }
            heard.contains_key(&slot).then_some(())
        });
        all.await;
    }
}

#[tokio::test]
async fn digests_change_and_no_message_is_lost_though_one_clock_is_an_epoch_late() {
    let schedule = schedule();
    let (a, b) = pair(|config| {
        config.follow(&schedule);
        // Slots go by as fast as the messages of this test do.
        config.gossip.slot_ms = 1000;
    })
    .await;
    let (mut a, mut b) = (Hearer::new(a), Hearer::new(b));
    b.turn(Epoch(2)).await;
    // Phase 0, Altair at 4, Deneb at 6, Electra at 8, Fulu at 10, more blobs at 12.
    for epoch in 3..=14 {
        a.turn(Epoch(epoch)).await;
        a.knows(b.joins).await;
        b.knows(a.joins).await;
        // A slot of the epoch that both know, and one of the epoch that only a is in.
        for slot in [(epoch - 1) * 8 + 7, epoch * 8] {
            a.publish(Slot(slot)).await;
            b.hear(slot).await;
        }
        b.publish(Slot((epoch - 1) * 8 + 3)).await;
        a.hear((epoch - 1) * 8 + 3).await;
        b.turn(Epoch(epoch)).await;
    }
    for (slot, topic) in a.heard.iter().chain(&b.heard) {
        assert_eq!(Some(topic), topic_at_slot(&schedule, Topic::BeaconBlock, Slot(*slot)).as_ref());
    }
    let digests: BTreeSet<_> = b.heard.values().map(|topic| Topic::parse(topic).unwrap().0).collect();
    assert_eq!((b.heard.len(), digests.len()), (24, 6));
    assert!(!b.joined.iter().any(|topic| topic.contains(&hex::encode(schedule.at(Epoch(11)).digest.0))));
}

async fn metadata_of(node: &mut Node, other: PeerId) -> Metadata {
    let pick = |event| match event {
        NetworkEvent::PeerMetadata { peer, metadata } if peer == other => Some(metadata),
        _ => None,
    };
    node.expect("metadata", pick).await
}

async fn earliest_of(node: &mut Node, other: PeerId) -> Option<u64> {
    let pick = |event| match event {
        NetworkEvent::PeerStatus { peer, status, earliest_available_slot } if peer == other => {
            assert_eq!(status.len(), 84);
            Some(earliest_available_slot)
        }
        _ => None,
    };
    node.expect("status", pick).await
}

/// Two nodes after their connection, the first with everything up to Fulu.
async fn modern_and(change: impl FnOnce(&mut Config)) -> (Node, Node) {
    let modern = node(|config| {
        config.follow(&schedule());
        config.local.syncnets = 5;
        config.local.earliest_available_slot = 320;
    })
    .await;
    let address = modern.address();
    let other = node(|config| {
        config.static_peers = vec![address];
        config.local.syncnets = 2;
        change(config);
    })
    .await;
    (modern, other)
}

#[tokio::test]
async fn two_nodes_of_fulu_exchange_custody_and_their_earliest_slots() {
    let (mut a, mut b) = modern_and(|config| {
        config.follow(&schedule());
        config.local.custody_group_count = Some(128);
    })
    .await;
    let (id_a, id_b) = (a.peer(), b.peer());
    assert_eq!(earliest_of(&mut a, id_b).await, Some(0));
    assert_eq!(earliest_of(&mut b, id_a).await, Some(320));
    let theirs = metadata_of(&mut a, id_b).await;
    assert_eq!((theirs.syncnets, theirs.custody_group_count), (Some(2), Some(128)));
    let ours = metadata_of(&mut b, id_a).await;
    assert_eq!((ours.syncnets, ours.custody_group_count), (Some(5), Some(4)));
    a.handle.set_earliest_available_slot(640).await;
    a.handle.local_enr().await;
    b.handle.refresh_status(id_a).await;
    assert_eq!(earliest_of(&mut b, id_a).await, Some(640));
}

#[tokio::test]
async fn with_a_peer_of_older_versions_both_sides_fall_back_to_them() {
    let (mut a, mut b) = modern_and(|_| {}).await;
    let (id_a, id_b) = (a.peer(), b.peer());
    assert_eq!((earliest_of(&mut a, id_b).await, earliest_of(&mut b, id_a).await), (None, None));
    let theirs = metadata_of(&mut a, id_b).await;
    assert_eq!((theirs.syncnets, theirs.custody_group_count), (Some(2), None));
    let ours = metadata_of(&mut b, id_a).await;
    assert_eq!((ours.syncnets, ours.custody_group_count), (Some(5), None));
    // What one side does not speak is unsupported, whoever asks.
    a.handle.request(id_b, Method::ColumnsByRoot, Vec::new(), 1).await;
    assert_eq!(expect_failure(&mut a, 1).await, ResponseFailure::Unsupported);
    b.handle.request(id_a, Method::ColumnsByRoot, Vec::new(), 2).await;
    assert_eq!(expect_failure(&mut b, 2).await, ResponseFailure::Unsupported);
    // Blocks go on as ever.
    b.handle.request(id_a, Method::BlocksByRoot, vec![1; 32], 3).await;
    let (inbound, protocol, _) = expect_request(&mut a).await;
    assert_eq!(protocol.version, 2);
    a.handle.respond_end(inbound).await.unwrap();
    expect_end(&mut b, 3).await;
}

/// The next chunk of a request: its context and its length.
async fn expect_chunk(node: &mut Node, id: u64) -> (Option<[u8; 4]>, usize) {
    let pick = |event| match event {
        NetworkEvent::ResponseChunk { request_id, context, ssz, .. } if request_id == id => {
            Some((context, ssz.len()))
        }
        NetworkEvent::ResponseError { failure, .. } => panic!("{failure:?}"),
        _ => None,
    };
    node.expect("chunk", pick).await
}

#[tokio::test]
async fn sidecars_of_two_forks_stream_and_one_of_another_length_is_refused() {
    let schedule = schedule();
    let (mut a, mut b) = modern_and(|config| config.follow(&schedule)).await;
    b.expect_status(a.peer()).await;
    let length = crate::RequestSizes::of(schedule.spec()).blob_sidecar_len;
    let request = [48u64.to_le_bytes(), 20u64.to_le_bytes()].concat();
    b.handle.request(a.peer(), Method::BlobsByRange, request.clone(), 1).await;
    let (inbound, protocol, ssz) = expect_request(&mut a).await;
    assert_eq!((protocol, ssz), (Protocol { method: Method::BlobsByRange, version: 1 }, request.clone()));
    for epoch in [6, 8] {
        let period = schedule.at(Epoch(epoch));
        a.handle.respond_chunk(inbound, Some(period.digest.0), &vec![1; length]).await.unwrap();
        let (context, len) = expect_chunk(&mut b, 1).await;
        assert_eq!((schedule.fork_of_chunk(protocol, context), len), (Some(period.fork), length));
    }
    a.handle.respond_end(inbound).await.unwrap();
    expect_end(&mut b, 1).await;

    b.handle.request(a.peer(), Method::BlobsByRange, request, 2).await;
    let (inbound, _, _) = expect_request(&mut a).await;
    a.handle.respond_chunk(inbound, Some([0; 4]), &vec![1; length - 1]).await.unwrap();
    let failure = expect_failure(&mut b, 2).await;
    assert!(matches!(failure, ResponseFailure::InvalidData(_)), "{failure:?}");
}

#[tokio::test]
async fn light_clients_are_served_by_a_node_that_says_so() {
    let serve = |config: &mut Config| {
        config.follow(&schedule());
        config.requests.protocols.extend(Protocol::all().filter(|p| p.method.is_for_light_clients()));
    };
    let (mut a, mut b) = pair(serve).await;
    b.handle.request(a.peer(), Method::LightClientFinality, Vec::new(), 1).await;
    let (inbound, protocol, ssz) = expect_request(&mut a).await;
    assert_eq!((protocol.method, ssz.len()), (Method::LightClientFinality, 0));
    a.handle.respond_chunk(inbound, Some([9; 4]), &[3; 1000]).await.unwrap();
    assert_eq!(expect_chunk(&mut b, 1).await, (Some([9; 4]), 1000));
    // One answer is all there is: the end follows from the chunk.
    expect_end(&mut b, 1).await;
    b.handle.request(a.peer(), Method::LightClientBootstrap, vec![4; 32], 2).await;
    let (inbound, _, ssz) = expect_request(&mut a).await;
    assert_eq!(ssz, vec![4; 32]);
    a.handle.respond_end(inbound).await.unwrap();
    let failure = expect_failure(&mut b, 2).await;
    assert!(matches!(failure, ResponseFailure::InvalidData(_)), "an answer must not be empty: {failure:?}");
}

#[tokio::test]
async fn an_announcement_brings_record_and_metadata_up_to_date_at_once() {
    let schedule = schedule();
    let mut a = node(|config| config.follow(&schedule)).await;
    let announcement = Announcement {
        metadata_seq: 5,
        attnets: [3; 8],
        syncnets: 9,
        custody_group_count: Some(8),
        eth2: schedule.enr_fork_id(Epoch(11)),
        next_fork_digest: schedule.next_fork_digest(Epoch(11)),
    };
    a.handle.announce(announcement).await;
    let changed = |event| match event {
        NetworkEvent::LocalEnr { enr } => Some(*enr),
        _ => None,
    };
    let enr = a.expect("new ENR", changed).await;
    let summary = EnrSummary::of(&enr);
    assert_eq!(summary.fork_digest, Some(schedule.at(Epoch(11)).digest.0));
    assert_eq!(summary.next_fork_digest, Some(schedule.at(Epoch(12)).digest.0));
    assert_eq!(summary.custody_group_count, Some(8));
    // The same again changes nothing, and a partial update keeps the rest.
    a.handle.announce(announcement).await;
    assert_eq!(a.handle.local_enr().await.seq(), enr.seq());
    a.handle.update_enr(schedule.enr_fork_id(Epoch(12)), [3; 8], None).await;
    let summary = EnrSummary::of(&a.handle.local_enr().await);
    assert_eq!(summary.custody_group_count, Some(8));

    let address = a.address();
    let mut b = node(|config| {
        config.follow(&schedule);
        config.static_peers = vec![address];
    })
    .await;
    let expected = Metadata { seq: 5, attnets: [3; 8], syncnets: Some(9), custody_group_count: Some(8) };
    assert_eq!(metadata_of(&mut b, a.peer()).await, expected);
}
