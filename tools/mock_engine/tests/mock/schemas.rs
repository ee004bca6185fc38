//! What goes over the wire, both ways, against the schemas of the Engine API.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use execution::{Engine, RpcConfig, method};
use mock_engine::{Conduct, MockConfig, MockServer, MockServerConfig};
use serde_json::{Value, json};
use types::{ExecutionRequests, FixedBytes, ForkName, Root, WithdrawalRequest};

use crate::schema::{check, engine_api};
use crate::walk::{attributes, head, new_payload};

type Exchanges = Arc<Mutex<Vec<(Value, Value)>>>;

/// Writes down what a client and the mock say to each other.
struct Tap {
    mock: MockServer,
    url: String,
    exchanges: Exchanges,
}

impl Tap {
    async fn start() -> Self {
        let engine = MockConfig { blobs_per_block: 1, ..MockConfig::default() };
        let listen = "127.0.0.1:0".parse().unwrap();
        let config =
            MockServerConfig { listen, secret: None, rpc_listen: None, engine, conduct: Conduct::default() };
        let mock = MockServer::start(config).await.unwrap();
        let exchanges: Exchanges = Arc::default();
        let state = (mock.url(), reqwest::Client::new(), exchanges.clone());
        let router = Router::new().route("/", post(forward)).with_state(state);
        let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { mock, url, exchanges }
    }
}

async fn forward(
    State((url, http, exchanges)): State<(String, reqwest::Client, Exchanges)>,
    body: Bytes,
) -> impl IntoResponse {
    let answer = http.post(&url).body(body.clone()).send().await.unwrap().bytes().await.unwrap();
    let exchange = (serde_json::from_slice(&body).unwrap(), serde_json::from_slice(&answer).unwrap());
    exchanges.lock().unwrap().push(exchange);
    answer
}

/// Asks everything that there is to ask, at every fork.
async fn ask_everything(tap: &Tap) {
    let engine = Engine::new(RpcConfig { url: tap.url.clone(), secret: None, timeout_ms_max: None });
    engine.exchange_capabilities().await.unwrap();
    let mut on = tap.mock.engine().genesis_hash();
    let forks = [ForkName::Bellatrix, ForkName::Capella, ForkName::Deneb, ForkName::Electra, ForkName::Fulu];
    let mut hashes = vec![Root::from([9; 32])];
    for (number, fork) in forks.into_iter().enumerate() {
        let withdrawals = vec![WithdrawalRequest::default()];
        tap.mock.engine().request(ExecutionRequests { withdrawals, ..ExecutionRequests::default() });
        let attributes = attributes(fork, 12 * (number as u64 + 1));
        let (_, id) = engine.forkchoice_updated(fork, &head(on), Some(&attributes)).await.unwrap();
        let built = engine.get_payload(fork, id.unwrap()).await.unwrap();
        let request = new_payload(&built, &attributes);
        assert!(!engine.new_payload(&request).await.unwrap().is_invalid());
        let mut wrong = request.clone();
        wrong.payload.gas_limit += 1;
        assert!(engine.new_payload(&wrong).await.unwrap().is_invalid());
        if fork >= ForkName::Deneb {
            let blobs = engine.get_blobs(fork, &request.versioned_hashes).await.unwrap();
            assert!(blobs.len() == 1 && blobs[0].is_some());
            engine.get_blobs(fork, &[Root::ZERO]).await.unwrap();
        }
        on = request.payload.block_hash;
        hashes.push(on);
    }
    engine.forkchoice_updated(ForkName::Fulu, &head(on), None).await.unwrap();
    engine.forkchoice_updated(ForkName::Fulu, &head(Root::from([9; 32])), None).await.unwrap();
    let bodies = engine.get_payload_bodies_by_hash(&hashes).await.unwrap();
    assert_eq!(bodies.iter().flatten().count(), 5);
    assert_eq!(engine.get_payload_bodies_by_range(2, 9).await.unwrap().len(), 4);
    assert!(engine.get_payload(ForkName::Fulu, FixedBytes([0; 8])).await.is_err());
}

#[tokio::test]
async fn requests_and_answers_of_every_version_have_the_form_that_the_schemas_ask_for() {
    let tap = Tap::start().await;
    tokio::time::timeout(std::time::Duration::from_secs(60), ask_everything(&tap)).await.expect("it hangs");
    let api = engine_api();
    let mut checked = BTreeSet::new();
    for (request, answer) in tap.exchanges.lock().unwrap().iter() {
        let name = request["method"].as_str().unwrap();
        let rules = &api["methods"][name];
        assert!(rules.is_object(), "{name} is not of the API");
        let params = request["params"].as_array().unwrap();
        let expected = rules["params"].as_array().unwrap();
        assert!(params.len() <= expected.len(), "{name} has {} parameters", params.len());
        for (at, rule) in expected.iter().enumerate() {
            match params.get(at).filter(|param| !param.is_null()) {
                Some(param) => check(&api, &rule["schema"], param, &format!("{name}({at})")).unwrap(),
                None => assert_eq!(rule["required"], json!(false), "{name}({at})"),
            }
        }
        if let Some(result) = answer.get("result").filter(|result| !result.is_null()) {
            check(&api, &rules["result"], result, name).unwrap();
            checked.insert(name.to_owned());
        }
    }
    // Who made it has no schema among these.
    let mut all: BTreeSet<String> = method::capabilities().into_iter().map(str::to_owned).collect();
    all.remove("engine_getClientVersionV1");
    all.insert("engine_exchangeCapabilities".to_owned());
    assert_eq!(checked, all, "every method was asked and answered");
}

#[test]
fn the_check_finds_what_is_wrong() {
    let api = engine_api();
    let status = json!({ "$ref": "PayloadStatusNoInvalidBlockHash" });
    let good = json!({ "status": "VALID", "latestValidHash": format!("0x{}", "a".repeat(64)), "validationError": null });
    assert_eq!(check(&api, &status, &good, "status"), Ok(()));
    for (key, value) in
        [("status", json!("INVALID_BLOCK_HASH")), ("status", Value::Null), ("latestValidHash", json!("0x0"))]
    {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(check(&api, &status, &bad, "status").is_err(), "{bad}");
    }
    let uint64 = json!({ "$ref": "uint64" });
    for bad in ["0x00", "0x", "1", "0xA", "0x10000000000000000"] {
        assert!(check(&api, &uint64, &json!(bad), "number").is_err(), "{bad}");
    }
}
