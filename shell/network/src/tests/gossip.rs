//! Gossip between whole nodes.

use super::*;
use crate::event::Verdict;
use crate::gossip::message_id::{MessageId, message_id};

const TOPIC: &str = "/eth2/b5303f2a/beacon_block/ssz_snappy";

async fn expect_gossip(node: &mut Node) -> (MessageId, PeerId, Vec<u8>) {
    let pick = |event| match event {
        NetworkEvent::Gossip { topic, message_id, source, data } => {
            assert_eq!(topic, TOPIC);
            Some((message_id, source, data))
        }
        _ => None,
    };
    node.expect("gossip", pick).await
}

/// Publishes until the other end has it: how long subscriptions take to travel is not under test.
async fn publish_until_seen(from: &Node, to: &mut Node, tag: u8) -> (MessageId, PeerId, Vec<u8>) {
    for round in 0..40 {
        let data = vec![tag, round];
        from.handle.publish(TOPIC.to_owned(), data).await;
        let seen = tokio::time::timeout(Duration::from_millis(500), expect_gossip(to)).await;
        if let Ok(seen) = seen {
            return seen;
        }
    }
    panic!("no gossip in time");
}

#[tokio::test]
async fn gossip_is_forwarded_only_after_it_was_accepted() {
    // a - b - c: what c hears of a has passed b's validation.
    let a = node(|_| {}).await;
    let to_a = a.address();
    let mut b = node(|config| config.static_peers = vec![to_a]).await;
    let to_b = b.address();
    let mut c = node(|config| config.static_peers = vec![to_b]).await;
    for node in [&a, &b, &c] {
        node.handle.subscribe(TOPIC.to_owned()).await;
    }
    b.expect_connected(a.peer()).await;
    c.expect_status(b.peer()).await;
    let (id, source, data) = publish_until_seen(&a, &mut b, 1).await;
    assert_eq!(source, a.peer());
    assert_eq!(id, message_id([1, 0, 0, 0], None, TOPIC, &data));
    // The second hop must be in b's mesh before silence there means anything.
    let (reference, _, _) = publish_until_seen(&b, &mut c, 9).await;
    c.handle.report_validation(reference, b.peer(), Verdict::Accept).await;

    let gossip = |event: &NetworkEvent| matches!(event, NetworkEvent::Gossip { .. });
    c.never(Duration::from_millis(1000), gossip).await;
    let (fresh, _, data) = publish_until_seen(&a, &mut b, 2).await;
    c.never(Duration::from_millis(700), gossip).await;
    b.handle.report_validation(fresh, a.peer(), Verdict::Accept).await;
    let (forwarded, source, forwarded_data) = expect_gossip(&mut c).await;
    assert_eq!((forwarded, source, forwarded_data), (fresh, b.peer(), data));

    let (refused, _, _) = publish_until_seen(&a, &mut b, 3).await;
    b.handle.report_validation(refused, a.peer(), Verdict::Reject).await;
    c.never(Duration::from_millis(1000), gossip).await;
    assert!(b.metrics().contains("network_gossip_messages_total{kind=\"rejected\"} 1"), "{}", b.metrics());
}

#[tokio::test]
async fn large_messages_arrive_whole_and_publishing_alone_is_no_error() {
    let lonely = node(|_| {}).await;
    lonely.handle.subscribe(TOPIC.to_owned()).await;
    lonely.handle.publish(TOPIC.to_owned(), vec![1; 100]).await;
    assert!(!lonely.handle.local_enr().await.to_base64().is_empty(), "it still answers");

    let (a, mut b) = pair(|_| {}).await;
    a.handle.subscribe(TOPIC.to_owned()).await;
    b.handle.subscribe(TOPIC.to_owned()).await;
    publish_until_seen(&a, &mut b, 4).await;
    let mut state = 1u32;
    let large: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3 << 20)
    .collect();
    a.handle.publish(TOPIC.to_owned(), large.clone()).await;
    let (_, _, data) = expect_gossip(&mut b).await;
    assert!(data == large);
}

#[tokio::test]
async fn a_full_event_channel_drops_gossip_but_no_peer_event() {
    let (a, mut b) = pair(|config| config.event_queue = 4).await;
    a.handle.subscribe(TOPIC.to_owned()).await;
    b.handle.subscribe(TOPIC.to_owned()).await;
    publish_until_seen(&a, &mut b, 5).await;
    for round in 0..50 {
        a.handle.publish(TOPIC.to_owned(), vec![6, round]).await;
    }
    let dropped = async {
        while !b.metrics().contains("kind=\"dropped\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, dropped).await.unwrap();
    a.handle.shutdown().await;
    b.expect_disconnected(a.peer()).await;
}
