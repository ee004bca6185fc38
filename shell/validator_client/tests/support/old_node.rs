//! A node that lacks the endpoints which are younger than early 2023: a proxy that does not know them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// What such a node does not have: method and the beginning of the path.
const MISSING: [(Method, &str); 6] = [
    (Method::GET, "/eth/v3/validator/blocks"),
    (Method::POST, "/eth/v2/beacon/blocks"),
    (Method::POST, "/eth/v2/beacon/pool/attestations"),
    (Method::GET, "/eth/v2/validator/aggregate_attestation"),
    (Method::POST, "/eth/v2/validator/aggregate_and_proofs"),
    (Method::POST, "/eth/v1/beacon/states/head/validators"),
];

pub struct OldNode {
    upstream: String,
    http: reqwest::Client,
    /// Requests that were forwarded, as method and path.
    pub forwarded: Mutex<Vec<String>>,
}

impl OldNode {
    /// Starts it before a node; says where it listens.
    pub async fn start(upstream: String) -> (SocketAddr, Arc<Self>) {
        let node = Arc::new(Self { upstream, http: reqwest::Client::new(), forwarded: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(forward).with_state(Arc::clone(&node));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (address, node)
    }
}

async fn forward(State(node): State<Arc<OldNode>>, method: Method, uri: Uri, body: Bytes) -> Response {
    if MISSING.iter().any(|(of, path)| *of == method && uri.path().starts_with(path)) {
        let text = format!(
            "{{\"message\":\"Route {method}:{uri} not found\",\"error\":\"Not Found\",\"statusCode\":404}}"
        );
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    node.forwarded.lock().unwrap().push(format!("{method} {}", uri.path()));
    let request = node.http.request(method, format!("{}{uri}", node.upstream));
    let answer = request.header("content-type", "application/json").body(body).send().await;
    let Ok(answer) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
    (answer.status(), Body::from_stream(answer.bytes_stream())).into_response()
}
