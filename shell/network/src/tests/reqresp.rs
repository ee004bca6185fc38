//! Requests and streamed responses between whole nodes.

use std::time::Instant;

use super::*;
use crate::config::Quota;
use crate::event::ResponseFailure;
use crate::reqresp::protocol::{Method, Protocol, code};
use crate::reqresp::replies::InboundId;

fn range(start: u64, count: u64) -> Vec<u8> {
    [start.to_le_bytes(), count.to_le_bytes(), 1u64.to_le_bytes()].concat()
}

pub(super) async fn expect_request(node: &mut Node) -> (InboundId, Protocol, Vec<u8>) {
    let pick = |event| match event {
        NetworkEvent::InboundRequest { inbound_id, protocol, ssz, .. } => Some((inbound_id, protocol, ssz)),
        _ => None,
    };
    node.expect("request", pick).await
}

pub(super) async fn expect_failure(node: &mut Node, id: u64) -> ResponseFailure {
    let pick = |event| match event {
        NetworkEvent::ResponseError { request_id, failure, .. } if request_id == id => Some(failure),
        NetworkEvent::ResponseEnd { request_id, .. } if request_id == id => panic!("it ended well"),
        _ => None,
    };
    node.expect("failure", pick).await
}

pub(super) async fn expect_end(node: &mut Node, id: u64) {
    let pick = |event| match event {
        NetworkEvent::ResponseEnd { request_id, .. } if request_id == id => Some(()),
        NetworkEvent::ResponseError { request_id, failure, .. } if request_id == id => panic!("{failure:?}"),
        _ => None,
    };
    node.expect("end", pick).await;
}

#[tokio::test]
async fn a_response_streams_chunk_by_chunk_under_the_newest_version() {
    let (mut a, mut b) = pair(|_| {}).await;
    b.handle.request(a.peer(), Method::BlocksByRange, range(5, 3), 77).await;
    let (inbound, protocol, ssz) = expect_request(&mut a).await;
    assert_eq!((protocol.version, ssz), (2, range(5, 3)));
    for (index, size) in [100usize, 5_000, 200_000].into_iter().enumerate() {
        let block = vec![index as u8; size];
        a.handle.respond_chunk(inbound, Some([1, 2, 3, index as u8]), &block).await.unwrap();
        // It is here before the next is made: nothing is held back until the end.
        let chunk = b.expect("chunk", |event| match event {
            NetworkEvent::ResponseChunk { request_id: 77, context, ssz, protocol, .. } => {
                assert_eq!(protocol.version, 2);
                Some((context, ssz))
            }
            _ => None,
        });
        assert_eq!(chunk.await, (Some([1, 2, 3, index as u8]), block));
    }
    a.handle.respond_end(inbound).await.unwrap();
    expect_end(&mut b, 77).await;
    assert!(a.handle.respond_chunk(inbound, None, &[0; 100]).await.is_err());
}

#[tokio::test]
async fn an_empty_list_is_an_answer_and_an_error_chunk_is_passed_on() {
    let (mut a, mut b) = pair(|_| {}).await;
    b.handle.request(a.peer(), Method::BlocksByRoot, vec![3; 64], 1).await;
    let (inbound, protocol, ssz) = expect_request(&mut a).await;
    assert_eq!((protocol.method, ssz), (Method::BlocksByRoot, vec![3; 64]));
    a.handle.respond_end(inbound).await.unwrap();
    expect_end(&mut b, 1).await;
    b.handle.request(a.peer(), Method::BlocksByRoot, vec![3; 64], 2).await;
    let (inbound, _, _) = expect_request(&mut a).await;
    a.handle.respond_error(inbound, code::RESOURCE_UNAVAILABLE, "pruned").await.unwrap();
    let expected = ResponseFailure::Refused { code: 3, message: "pruned".to_owned() };
    assert_eq!(expect_failure(&mut b, 2).await, expected);
}

#[tokio::test]
async fn an_oversized_chunk_is_refused() {
    let mut a = node(|_| {}).await;
    let address = a.address();
    let mut b = node(|config| {
        config.static_peers = vec![address];
        config.max_payload_size = 64 * 1024;
    })
    .await;
    b.expect_status(a.peer()).await;
    b.handle.request(a.peer(), Method::BlocksByRange, range(0, 2), 1).await;
    let (inbound, _, _) = expect_request(&mut a).await;
    a.handle.respond_chunk(inbound, Some([0; 4]), &[0; 64 * 1024 + 1]).await.unwrap();
    let failure = expect_failure(&mut b, 1).await;
    assert!(matches!(failure, ResponseFailure::InvalidData(_)), "{failure:?}");
}

#[tokio::test]
async fn a_malformed_request_is_answered_invalid_and_costs_score() {
    let (mut a, mut b) = pair(|_| {}).await;
    for id in 0..9 {
        b.handle.request(a.peer(), Method::BlocksByRange, vec![0; 23], id).await;
        let failure = expect_failure(&mut b, id).await;
        assert!(matches!(failure, ResponseFailure::Refused { code: 1, .. }), "{failure:?}");
    }
    b.handle.request(a.peer(), Method::BlocksByRange, vec![0; 23], 10).await;
    b.handle.request(a.peer(), Method::BlocksByRange, vec![0; 23], 11).await;
    a.expect_disconnected(b.peer()).await;
}

#[tokio::test]
async fn a_silent_node_makes_the_request_time_out() {
    let mut a = node(|config| config.requests.timeout_ms = 60_000).await;
    let address = a.address();
    let mut b = node(|config| {
        config.static_peers = vec![address];
        config.requests.timeout_ms = 600;
    })
    .await;
    b.expect_status(a.peer()).await;
    b.handle.request(a.peer(), Method::BlocksByRange, range(0, 2), 1).await;
    let (inbound, _, _) = expect_request(&mut a).await;
    a.handle.respond_chunk(inbound, Some([0; 4]), &[1; 100]).await.unwrap();
    // One chunk came, the next does not.
    assert_eq!(expect_failure(&mut b, 1).await, ResponseFailure::Timeout);
}

#[tokio::test]
async fn a_node_that_forgets_a_request_answers_with_a_server_error() {
    let mut a = node(|config| config.requests.timeout_ms = 500).await;
    let address = a.address();
    let mut b = node(|config| config.static_peers = vec![address]).await;
    b.expect_status(a.peer()).await;
    b.handle.request(a.peer(), Method::BlocksByRange, range(0, 2), 1).await;
    let (inbound, _, _) = expect_request(&mut a).await;
    let failure = expect_failure(&mut b, 1).await;
    assert!(matches!(failure, ResponseFailure::Refused { code: 2, .. }), "{failure:?}");
    assert!(a.handle.respond_end(inbound).await.is_err());
}

#[tokio::test]
async fn a_peer_over_its_quota_is_served_late_and_not_refused() {
    let (mut a, mut b) = pair(|config| config.requests.blocks = Quota { tokens: 10, per_ms: 1500 }).await;
    let started = Instant::now();
    for id in 0..2 {
        b.handle.request(a.peer(), Method::BlocksByRange, range(0, 10), id).await;
        let (inbound, _, _) = expect_request(&mut a).await;
        a.handle.respond_end(inbound).await.unwrap();
        expect_end(&mut b, id).await;
        assert_eq!(id == 1, started.elapsed() >= Duration::from_millis(1400), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn too_many_concurrent_requests_are_refused_and_ours_wait_their_turn() {
    let mut a = node(|_| {}).await;
    let address = a.address();
    let mut greedy = node(|config| {
        config.static_peers = vec![address.clone()];
        config.requests.outbound_concurrent_max = 9;
    })
    .await;
    greedy.expect_status(a.peer()).await;
    for id in 0..4 {
        greedy.handle.request(a.peer(), Method::BlocksByRange, range(0, 1), id).await;
    }
    let refused = greedy.expect("refusal", |event| match event {
        NetworkEvent::ResponseError { failure, .. } => Some(failure),
        _ => None,
    });
    let refused = refused.await;
    assert!(matches!(refused, ResponseFailure::Refused { code: 3, .. }), "{refused:?}");

    let mut polite = node(|config| config.static_peers = vec![address]).await;
    polite.expect_status(a.peer()).await;
    for id in 0..6 {
        polite.handle.request(a.peer(), Method::BlocksByRange, range(id, 1), id).await;
    }
    let polite_id = polite.peer();
    let mut answered = 0;
    while answered < 6 {
        let (inbound, peer) = a
            .expect("request", |event| match event {
                NetworkEvent::InboundRequest { inbound_id, peer, .. } => Some((inbound_id, peer)),
                _ => None,
            })
            .await;
        a.handle.respond_end(inbound).await.unwrap();
        answered += u32::from(peer == polite_id);
    }
    for _ in 0..6 {
        let end = polite.expect("end", |event| match event {
            NetworkEvent::ResponseEnd { request_id, .. } => Some(Ok(request_id)),
            NetworkEvent::ResponseError { failure, .. } => Some(Err(failure)),
            _ => None,
        });
        end.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_to_nobody_fails_at_once_and_a_lost_peer_fails_the_open_ones() {
    let (mut a, mut b) = pair(|_| {}).await;
    b.handle.request(PeerId::random(), Method::BlocksByRange, range(0, 1), 1).await;
    assert_eq!(expect_failure(&mut b, 1).await, ResponseFailure::Disconnected);
    b.handle.request(a.peer(), Method::BlocksByRange, range(0, 1), 2).await;
    expect_request(&mut a).await;
    a.handle.disconnect(b.peer(), crate::goodbye::FAULT).await;
    assert_eq!(expect_failure(&mut b, 2).await, ResponseFailure::Disconnected);
}

#[tokio::test]
async fn status_is_answered_in_the_shell_with_the_latest_one() {
    let (mut a, mut b) = pair(|_| {}).await;
    a.handle.set_status(status(99)).await;
    a.handle.local_enr().await;
    b.handle.refresh_status(a.peer()).await;
    assert_eq!(b.expect_status(a.peer()).await, status(99));
    a.expect_status(b.peer()).await;
    // A status of the wrong length is not taken over.
    a.handle.set_status(vec![0; 83]).await;
    a.handle.local_enr().await;
    b.handle.refresh_status(a.peer()).await;
    assert_eq!(b.expect_status(a.peer()).await, status(99));
}
