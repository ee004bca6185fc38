//! Several engines as one: who is asked, who is not, and what is kept of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use engine::{
    EngineFailure, EngineReply, EngineRequest, ForkchoiceState, NewPayload, PayloadAttributes, PayloadVerdict,
};
use execution::{Backoff, Engine, EngineState, Engines, EnginesConfig, RpcConfig};
use serde_json::json;
use types::{ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Root};

use crate::server::{Answer, Request, Server, closed_port, healthy, in_time};

/// Engines that are due for a look again as soon as they had one.
fn engines(urls: &[String]) -> Engines {
    let engine =
        |url: &String| Engine::new(RpcConfig { url: url.clone(), secret: None, timeout_ms_max: Some(2000) });
    let backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO, healthy: Duration::ZERO };
    let config = EnginesConfig { chain_id: 1, latest_fork: ForkName::Bellatrix, backoff };
    Engines::new(urls.iter().map(engine).collect(), config)
}

fn states(engines: &Engines) -> Vec<EngineState> {
    engines.states().into_iter().map(|(_, state)| state).collect()
}

fn new_payload() -> EngineRequest {
    EngineRequest::NewPayload(Arc::new(NewPayload {
        fork: ForkName::Bellatrix,
        payload: ExecutionPayload::default(),
        versioned_hashes: Vec::new(),
        parent_beacon_block_root: Root::ZERO,
        execution_requests: ExecutionRequests::default(),
    }))
}

fn forkchoice(head: u8, attributes: Option<PayloadAttributes>) -> EngineRequest {
    let state = ForkchoiceState { head_block_hash: Root::from([head; 32]), ..ForkchoiceState::default() };
    EngineRequest::ForkchoiceUpdated { fork: ForkName::Bellatrix, state, attributes }
}

fn is_valid(reply: &EngineReply) -> bool {
    matches!(reply, EngineReply::NewPayload(status) if status.verdict == PayloadVerdict::Valid)
}

fn count(server: &Server, method: &str) -> usize {
    server.methods().iter().filter(|name| *name == method).count()
}

fn method(request: &Request) -> &str {
    request.body["method"].as_str().unwrap()
}

#[tokio::test]
async fn the_first_engine_answers_and_the_second_only_where_it_cannot() {
    let down = Arc::new(AtomicU8::new(0));
    let is_down = down.clone();
    let stalls =
        move |_: &Request| (is_down.load(Ordering::Relaxed) == 1).then(|| Answer::Raw(500, Vec::new()));
    let (first, second) = (Server::start(healthy(stalls)).await, Server::start(healthy(|_| None)).await);
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    assert_eq!(states(&engines), [EngineState::Online, EngineState::Online]);

    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
    assert_eq!((count(&first, "engine_newPayloadV1"), count(&second, "engine_newPayloadV1")), (1, 0));

    down.store(1, Ordering::Relaxed);
    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
    assert_eq!(states(&engines), [EngineState::Offline, EngineState::Online]);
    // The engine that failed is not asked again before a look has found it well.
    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
    assert_eq!((count(&first, "engine_newPayloadV1"), count(&second, "engine_newPayloadV1")), (2, 2));

    down.store(0, Ordering::Relaxed);
    in_time(engines.check_due()).await;
    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
    assert_eq!((count(&first, "engine_newPayloadV1"), count(&second, "engine_newPayloadV1")), (3, 2));
}

#[tokio::test]
async fn an_engine_that_syncs_is_asked_only_where_none_is_at_the_head() {
    let syncs = |request: &Request| {
        (method(request) == "eth_syncing")
            .then(|| Answer::Result(json!({ "currentBlock": "0x1", "highestBlock": "0x2" })))
    };
    let (first, second) = (Server::start(healthy(syncs)).await, Server::start(healthy(|_| None)).await);
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    assert_eq!(states(&engines), [EngineState::Syncing, EngineState::Online]);
    in_time(engines.answer(&new_payload())).await;
    assert_eq!((count(&first, "engine_newPayloadV1"), count(&second, "engine_newPayloadV1")), (0, 1));
    drop(second);
    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
    assert_eq!(count(&first, "engine_newPayloadV1"), 1);
}

#[tokio::test]
async fn engines_of_another_chain_or_secret_are_never_asked_and_the_reply_says_why() {
    let other_chain =
        |request: &Request| (method(request) == "eth_chainId").then(|| Answer::Result(json!("0x5")));
    let first = Server::start(healthy(other_chain)).await;
    let second = Server::start(|_| Answer::Raw(401, Vec::new())).await;
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    assert_eq!(states(&engines), [EngineState::WrongChain, EngineState::Unauthorized]);
    let reply = in_time(engines.answer(&new_payload())).await;
    let EngineReply::Failed(EngineFailure::Unreachable(why)) = reply else { panic!("{reply:?}") };
    assert!(why.contains("is of another chain") && why.contains("does not accept our JWT"), "{why}");
    assert_eq!((count(&first, "engine_newPayloadV1"), count(&second, "engine_newPayloadV1")), (0, 0));
}

#[tokio::test]
async fn an_engine_that_came_back_is_tried_even_before_the_next_look() {
    let address = closed_port().await;
    let engines = engines(&[format!("http://{address}")]);
    in_time(engines.check_due()).await;
    assert_eq!(states(&engines), [EngineState::Offline]);
    let reply = in_time(engines.answer(&new_payload())).await;
    assert!(matches!(reply, EngineReply::Failed(EngineFailure::Unreachable(_))), "{reply:?}");
    let _server = Server::start_at(address, healthy(|_| None)).await;
    assert!(is_valid(&in_time(engines.answer(&new_payload())).await));
}

#[tokio::test]
async fn a_refusal_is_the_answer_and_does_not_take_the_engine_away() {
    let refuses = |request: &Request| {
        (method(request) == "engine_newPayloadV1").then_some(Answer::Error(-32602, "Invalid params"))
    };
    let (first, second) = (Server::start(healthy(refuses)).await, Server::start(healthy(|_| None)).await);
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    let reply = in_time(engines.answer(&new_payload())).await;
    let refused = EngineFailure::Refused { code: -32602, message: "Invalid params".to_owned() };
    assert_eq!(reply, EngineReply::Failed(refused));
    assert_eq!(count(&second, "engine_newPayloadV1"), 0);
    assert_eq!(states(&engines), [EngineState::Online, EngineState::Online]);
}

#[tokio::test]
async fn a_payload_is_fetched_from_the_engine_that_builds_it() {
    let down = Arc::new(AtomicU8::new(1));
    let is_down = down.clone();
    let first =
        move |_: &Request| (is_down.load(Ordering::Relaxed) == 1).then(|| Answer::Raw(500, Vec::new()));
    let builds = |request: &Request| match method(request) {
        "engine_forkchoiceUpdatedV1" => Some(Answer::Result(
            json!({ "payloadStatus": { "status": "VALID" }, "payloadId": "0x0000000000000009" }),
        )),
        "engine_getPayloadV1" => {
            let payload =
                execution::codec::payload_to_json(ForkName::Bellatrix, &ExecutionPayload::default());
            Some(Answer::Result(payload))
        }
        _ => None,
    };
    let (first, second) = (Server::start(healthy(first)).await, Server::start(healthy(builds)).await);
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    let reply = in_time(engines.answer(&forkchoice(1, Some(PayloadAttributes::default())))).await;
    let id = FixedBytes([0, 0, 0, 0, 0, 0, 0, 9]);
    assert!(
        matches!(reply, EngineReply::ForkchoiceUpdated { payload_id: Some(known), .. } if known == id),
        "{reply:?}"
    );
    // The first is back and preferred, but does not know the payload.
    down.store(0, Ordering::Relaxed);
    in_time(engines.check_due()).await;
    let reply = in_time(engines.answer(&EngineRequest::GetPayload { fork: ForkName::Bellatrix, id })).await;
    assert!(matches!(reply, EngineReply::Payload(_)), "{reply:?}");
    assert_eq!(count(&first, "engine_getPayloadV1"), 0);
}

#[tokio::test]
async fn engines_that_did_not_hear_the_fork_choice_are_told_it_once() {
    let (first, second) = (Server::start(healthy(|_| None)).await, Server::start(healthy(|_| None)).await);
    let engines = engines(&[first.url(), second.url()]);
    in_time(engines.check_due()).await;
    in_time(engines.answer(&forkchoice(1, None))).await;
    let heard =
        || (count(&first, "engine_forkchoiceUpdatedV1"), count(&second, "engine_forkchoiceUpdatedV1"));
    assert_eq!(heard(), (1, 0));
    in_time(engines.check_due()).await;
    in_time(engines.check_due()).await;
    assert_eq!(heard(), (1, 1));
    in_time(engines.answer(&forkchoice(2, None))).await;
    in_time(engines.check_due()).await;
    assert_eq!(heard(), (2, 2));
}
