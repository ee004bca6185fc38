//! JSON-RPC over HTTP to one engine: a token for each request, a deadline for the whole of it, and answers that are read
//! up to a bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{EngineError, JwtSecret, Method};

/// What is repeated of an engine's words.
const WORDS_MAX: usize = 300;

/// How an engine is reached.
#[derive(Clone, Debug)]
pub struct RpcConfig {
    /// The address of its authenticated port, such as `http://127.0.0.1:8551`.
    pub url: String,
    /// The secret; none for a port that asks for no token, such as a plain JSON-RPC node.
    pub secret: Option<JwtSecret>,
    /// Methods that may take longer get this long instead, in milliseconds; none leaves them theirs.
    pub timeout_ms_max: Option<u64>,
}

/// A connection to one engine.
#[derive(Debug)]
pub(crate) struct Rpc {
    config: RpcConfig,
    http: reqwest::Client,
    next_id: AtomicU64,
}

impl Rpc {
    pub(crate) fn new(config: RpcConfig) -> Self {
        // An engine is on this machine or near it; a proxy of the environment is not meant for it.
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build();
        Self { config, http: http.expect("no TLS is set up that could fail"), next_id: AtomicU64::new(1) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.config.url
    }

    /// The result of a method.
    pub(crate) async fn call(&self, method: &'static Method, params: Value) -> Result<Value, EngineError> {
        let cap = self.config.timeout_ms_max.unwrap_or(u64::MAX);
        let timeout_ms = method.timeout_ms.min(cap);
        let name = method.name;
        match timeout(Duration::from_millis(timeout_ms), self.exchange(method, params)).await {
            Ok(result) => result,
            Err(_) => Err(EngineError::Timeout { method: name, timeout_ms }),
        }
    }

    async fn exchange(&self, method: &'static Method, params: Value) -> Result<Value, EngineError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method.name, "params": params });
        let mut request = self.http.post(&self.config.url).json(&body);
        if let Some(secret) = &self.config.secret {
            request = request.bearer_auth(secret.token(seconds_now()));
        }
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status().as_u16();
        if matches!(status, 401 | 403) {
            return Err(EngineError::Unauthorized { status });
        }
        let body = read_bounded(&mut response, method).await?;
        let answer = serde_json::from_slice::<Value>(&body);
        // Some engines send a JSON-RPC error under another status than 200.
        if status != 200 && !matches!(&answer, Ok(answer) if answer["error"].is_object()) {
            return Err(EngineError::Http { status, body: shortened(&String::from_utf8_lossy(&body)) });
        }
        let answer =
            answer.map_err(|error| EngineError::NotRpc { method: method.name, why: error.to_string() })?;
        result_of(method, id, answer)
    }
}

/// The body, where it stays within the method's bound.
async fn read_bounded(
    response: &mut reqwest::Response,
    method: &'static Method,
) -> Result<Vec<u8>, EngineError> {
    let limit = method.answer_bytes_max;
    let too_large = EngineError::TooLarge { method: method.name, limit };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn result_of(method: &'static Method, id: u64, mut answer: Value) -> Result<Value, EngineError> {
    let not_rpc = |why: &str| EngineError::NotRpc { method: method.name, why: why.to_owned() };
    if !answer.is_object() {
        return Err(not_rpc("it is no object"));
    }
    // An error may come without an id, where the engine could not read our request; a result may not.
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        let code = error["code"].as_i64().ok_or_else(|| not_rpc("its error has no code"))?;
        let message = shortened(error["message"].as_str().unwrap_or("no message"));
        return Err(EngineError::Refused { method: method.name, code, message });
    }
    if answer["id"] != id {
        return Err(not_rpc("it answers another request"));
    }
    match answer.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(not_rpc("it has neither a result nor an error")),
    }
}

fn unreachable(error: &reqwest::Error) -> EngineError {
    // The innermost cause says most: "connection refused".
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    EngineError::Unreachable(shortened(&cause.to_string()))
}

/// An engine's words, cut, on one line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(WORDS_MAX).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::ETH_CHAIN_ID;

    fn result(answer: Value) -> Result<Value, String> {
        result_of(&ETH_CHAIN_ID, 7, answer).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_read_only_where_it_is_one_to_our_request() {
        assert_eq!(result(json!({ "jsonrpc": "2.0", "id": 7, "result": null })), Ok(Value::Null));
        assert_eq!(result(json!({ "id": 7, "result": "0x1", "error": null })), Ok(json!("0x1")));
        for (answer, why) in [
            (json!({ "id": 8, "result": "0x1" }), "another request"),
            (json!({ "id": "7", "result": "0x1" }), "another request"),
            (json!({ "id": 7 }), "neither a result nor an error"),
            (json!([1]), "no object"),
            (json!({ "id": 7, "error": { "message": "x" } }), "no code"),
            (json!({ "id": null, "error": { "code": -32700, "message": "bad\nJSON" } }), "bad JSON (-32700)"),
        ] {
            let error = result(answer).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
