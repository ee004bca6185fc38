//! One engine that does not do what it should.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use execution::{Engine, EngineError, JwtSecret, RpcConfig, SyncState};
use serde_json::{Value, json};
use types::{FixedBytes, ForkName, Root};

use crate::server::{Answer, Server, closed_port, in_time};

fn engine(url: String) -> Engine {
    Engine::new(RpcConfig { url, secret: Some(JwtSecret::from_bytes([7; 32])), timeout_ms_max: None })
}

async fn chain_id(answer: fn() -> Answer) -> Result<u64, EngineError> {
    let server = Server::start(move |_| answer()).await;
    in_time(engine(server.url()).chain_id()).await
}

#[tokio::test]
async fn every_request_has_a_fresh_token_of_the_secret() {
    let server = Server::start(|request| {
        let token = request.authorization.strip_prefix("Bearer ").unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        match JwtSecret::from_bytes([7; 32]).verify(token, now) {
            Ok(()) => Answer::Result(json!("0x539")),
            Err(_) => Answer::Raw(401, Vec::new()),
        }
    })
    .await;
    assert_eq!(in_time(engine(server.url()).chain_id()).await, Ok(1337));
    let other =
        RpcConfig { url: server.url(), secret: Some(JwtSecret::from_bytes([8; 32])), timeout_ms_max: None };
    let error = in_time(Engine::new(other).chain_id()).await.unwrap_err();
    assert_eq!(error, EngineError::Unauthorized { status: 401 });
    assert!(error.to_string().contains("another secret"), "{error}");
}

#[tokio::test]
async fn an_engine_that_says_nothing_costs_the_methods_time_and_no_more() {
    let server = Server::start(|_| Answer::Stall).await;
    let config = RpcConfig { url: server.url(), secret: None, timeout_ms_max: Some(40) };
    let begin = Instant::now();
    let result = in_time(Engine::new(config).chain_id()).await;
    assert_eq!(result, Err(EngineError::Timeout { method: "eth_chainId", timeout_ms: 40 }));
    assert!(begin.elapsed().as_millis() >= 40);
    // Nor does one that begins an answer and does not end it; the method's own time is a second.
    let result = chain_id(|| Answer::Announce(100)).await;
    assert_eq!(result, Err(EngineError::Timeout { method: "eth_chainId", timeout_ms: 1000 }));
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_refused_and_not_read() {
    let too_large = Err(EngineError::TooLarge { method: "eth_chainId", limit: 65_536 });
    assert_eq!(chain_id(|| Answer::Endless).await, too_large);
    assert_eq!(chain_id(|| Answer::Announce(65_537)).await, too_large);
    let padded = |length: usize| {
        let mut body = json!({ "id": 1, "result": "0x1" }).to_string().into_bytes();
        body.resize(length, b' ');
        Answer::Raw(200, body)
    };
    let server = Server::start(move |_| padded(65_536)).await;
    assert_eq!(in_time(engine(server.url()).chain_id()).await, Ok(1));
    let server = Server::start(move |_| padded(65_537)).await;
    assert_eq!(in_time(engine(server.url()).chain_id()).await, too_large);
}

#[tokio::test]
async fn errors_say_what_went_wrong() {
    let text = |result: Result<u64, EngineError>| result.unwrap_err().to_string();
    let unreachable = engine(format!("http://{}", closed_port().await)).chain_id().await;
    assert!(text(unreachable).contains("refused"));
    assert!(
        text(chain_id(|| Answer::Error(-32601, "no such method")).await).contains("no such method (-32601)")
    );
    assert!(text(chain_id(|| Answer::Raw(502, b"bad\ngateway".to_vec())).await).contains("502: bad gateway"));
    assert!(text(chain_id(|| Answer::Raw(200, b"<html>".to_vec())).await).contains("no JSON-RPC answer"));
    assert!(text(chain_id(|| Answer::Result(json!("0x01"))).await).contains("leading zeros"));
    let error = json!({ "id": 1, "error": { "code": -32600, "message": "x".repeat(1000) } }).to_string();
    let server = Server::start(move |_| Answer::Raw(400, error.clone().into_bytes())).await;
    let refused = in_time(engine(server.url()).chain_id()).await.unwrap_err();
    let EngineError::Refused { code: -32600, message, .. } = refused else { panic!("{refused}") };
    assert_eq!(message.len(), 300);
}

#[tokio::test]
async fn lists_of_another_length_than_asked_for_are_refused() {
    let server = Server::start(|request| {
        Answer::Result(match request.body["method"].as_str().unwrap() {
            "engine_getBlobsV1" | "engine_getPayloadBodiesByHashV1" => json!([null]),
            "engine_getBlobsV2" => Value::Null,
            "eth_syncing" => json!({ "currentBlock": "0x5", "highestBlock": "0x9" }),
            method => panic!("unexpected {method}"),
        })
    })
    .await;
    let engine = engine(server.url());
    let hashes = [Root::ZERO, Root::from([1; 32])];
    assert!(in_time(engine.get_blobs(ForkName::Deneb, &hashes)).await.is_err());
    assert_eq!(in_time(engine.get_blobs(ForkName::Deneb, &hashes[..1])).await, Ok(vec![None]));
    assert_eq!(in_time(engine.get_blobs(ForkName::Fulu, &hashes)).await, Ok(vec![None, None]));
    assert!(in_time(engine.get_payload_bodies_by_hash(&hashes)).await.is_err());
    assert_eq!(in_time(engine.syncing()).await, Ok(SyncState::Syncing { current: 5, highest: 9 }));
    // What no engine would serve is not sent.
    let sent = server.methods().len();
    assert!(in_time(engine.get_blobs(ForkName::Fulu, &[Root::ZERO; 129])).await.is_err());
    assert!(in_time(engine.get_payload_bodies_by_range(1, 33)).await.is_err());
    let before = in_time(engine.get_payload(ForkName::Altair, FixedBytes([0; 8]))).await.unwrap_err();
    assert_eq!(before, EngineError::NoSuchMethod { what: "engine_getPayload", fork: ForkName::Altair });
    assert_eq!(server.methods().len(), sent);
}
