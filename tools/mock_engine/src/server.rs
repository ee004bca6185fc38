//! A mock engine on a port: JSON-RPC over HTTP with tokens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use execution::JwtSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::{Conduct, MockConfig, MockEngine};

/// A payload of 10 MiB is twice as long in hexadecimal.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A server and its engine.
#[derive(Clone, Debug)]
pub struct MockServerConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The secret of the tokens; none asks for no token.
    pub secret: Option<JwtSecret>,
    /// Where to serve the methods of the `eth_` family alone, to whoever asks: clients look up blocks there that have
    /// no token, as for the merge. None does not listen.
    pub rpc_listen: Option<SocketAddr>,
    /// The engine.
    pub engine: MockConfig,
    /// How it behaves. Its times are milliseconds since the server's start.
    pub conduct: Conduct,
}

/// A mock engine on a port. It ends when it is dropped.
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    rpc_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    secret: Option<JwtSecret>,
    /// Never held across a wait.
    engine: Mutex<MockEngine>,
    start: Instant,
}

impl MockServer {
    /// Listens; an error where the address cannot be had.
    pub async fn start(config: MockServerConfig) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            secret: config.secret,
            engine: Mutex::new(MockEngine::new(config.engine, config.conduct)),
            start: Instant::now(),
        });
        let mut tasks = vec![serve(listener, post(answer), &shared)];
        let mut rpc_address = None;
        if let Some(listen) = config.rpc_listen {
            let listener = TcpListener::bind(listen).await?;
            rpc_address = Some(listener.local_addr()?);
            tasks.push(serve(listener, post(answer_anyone), &shared));
        }
        Ok(Self { address, rpc_address, shared, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves the `eth_` family to whoever asks, if anywhere.
    pub fn rpc_address(&self) -> Option<SocketAddr> {
        self.rpc_address
    }

    /// The address with the Engine API as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The engine, to be looked at or changed; not to be held across a wait.
    pub fn engine(&self) -> MutexGuard<'_, MockEngine> {
        self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn serve(
    listener: TcpListener,
    method: MethodRouter<Arc<Shared>>,
    shared: &Arc<Shared>,
) -> JoinHandle<std::io::Result<()>> {
    let router = Router::new().route("/", method).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let router = router.with_state(shared.clone());
    tokio::spawn(async move { axum::serve(listener, router).await })
}

async fn answer_anyone(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    respond_to(&shared, &body, |name| name.starts_with("eth_")).await
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(secret) = &shared.secret
        && let Err(why) = authorize(secret, &headers)
    {
        tracing::debug!("refused: {why}");
        return (StatusCode::UNAUTHORIZED, why).into_response();
    }
    respond_to(&shared, &body, |_| true).await
}

async fn respond_to(shared: &Shared, body: &[u8], is_served: fn(&str) -> bool) -> Response {
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return respond(Value::Null, Err((-32700, format!("Parse error: {error}")))),
    };
    let (Some(name), Some(params)) = (request["method"].as_str(), params(&request)) else {
        return respond(request["id"].clone(), Err((-32600, "Invalid Request".to_owned())));
    };
    if !is_served(name) {
        return respond(
            request["id"].clone(),
            Err((-32601, format!("the method {name} is not served here"))),
        );
    }
    let (result, delay_ms) = {
        let mut engine = shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = shared.start.elapsed().as_millis() as u64;
        (engine.call(now_ms, name, params), engine.conduct_mut().delay_ms)
    };
    match &result {
        Ok(_) => tracing::debug!(method = name, "answered"),
        Err((code, message)) => tracing::info!(method = name, code, "refused: {message}"),
    }
    sleep(Duration::from_millis(delay_ms)).await;
    respond(request["id"].clone(), result)
}

fn params(request: &Value) -> Option<&[Value]> {
    match &request["params"] {
        Value::Null => Some(&[]),
        params => params.as_array().map(Vec::as_slice),
    }
}

fn authorize(secret: &JwtSecret, headers: &HeaderMap) -> Result<(), String> {
    let token =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let token = token.ok_or("there is no token")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    secret.verify(token, now).map_err(|error| error.to_string())
}

fn respond(id: Value, result: Result<Value, (i64, String)>) -> Response {
    let body = match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    };
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
