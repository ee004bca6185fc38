//! A client of the Beacon API, for validator clients and tools; it needs nothing of our own server that others lack.

mod data;
mod forms;
mod sync_committee;
mod trouble;
mod validator;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use types::{BeaconState, Checkpoint, ForkName, Root, SignedBeaconBlock, Slot, Spec, SszExt};

use crate::{BlockId, Failure, Genesis, PeerInfo, StateId, Syncing};
use forms::Legacy;
pub use trouble::{refusal, trouble};

/// Requests other than states and events are small; a node that takes longer has missed the slot anyway.
const TIMEOUT: Duration = Duration::from_secs(12);
/// A state may be hundreds of megabytes.
const STATE_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The node cannot be reached, or did not answer in time.
    #[error("{url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The node answered with an error.
    #[error("{url}: {code}: {message}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        code: u16,
        /// The node's words.
        message: String,
        /// The items of a list that it did not take, where it names them; it took the others.
        failures: Vec<Failure>,
    },
    /// The answer is not of the API's form.
    #[error("{url}: unexpected answer: {reason}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// The HTTP status, where the node gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The trouble alone, without the address: for a line that names the node anyway.
    pub fn reason(&self) -> String {
        match self {
            Self::Unreachable { reason, .. } => reason.clone(),
            Self::Refused { code, message, .. } => format!("{code}: {message}"),
            Self::Malformed { reason, .. } => format!("unexpected answer: {reason}"),
        }
    }
}

/// What is repeated of a node's words; some answer with whole pages.
const MESSAGE_CHARS_MAX: usize = 400;

/// The items that failed: `index` is a number, a text in old answers.
fn failures(body: &Value) -> Vec<Failure> {
    let read = |item: &Value| {
        let index = &item["index"];
        let index = index.as_u64().or_else(|| index.as_str()?.parse().ok())?;
        let message = item["message"].as_str().unwrap_or("no reason given").chars().take(MESSAGE_CHARS_MAX);
        Some(Failure { index: usize::try_from(index).ok()?, message: message.collect() })
    };
    body["failures"].as_array().into_iter().flatten().filter_map(read).collect()
}

type Result<T> = std::result::Result<T, ClientError>;

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    legacy: Arc<Legacy>,
}

/// Events of a node: topic and data.
pub type EventStream = futures::stream::BoxStream<'static, Result<(String, Value)>>;

impl Client {
    /// A client of the node at a base URL such as `http://127.0.0.1:5052`.
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(3)).build();
        Self {
            base: url.trim_end_matches('/').to_owned(),
            http: http.expect("no TLS is set up that could fail"),
            legacy: Arc::default(),
        }
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.base
    }

    fn unreachable(url: &str, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: url.to_owned(), reason: trouble(error) }
    }

    async fn checked(url: &str, response: reqwest::Result<reqwest::Response>) -> Result<reqwest::Response> {
        let response = response.map_err(|error| Self::unreachable(url, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let (message, failures) = (refusal(&text), failures(&body));
        Err(ClientError::Refused { url: url.to_owned(), code, message, failures })
    }

    /// The whole JSON of a GET.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let response = Self::checked(&url, self.http.get(&url).timeout(TIMEOUT).send().await).await?;
        let text = response.text().await.map_err(|error| Self::unreachable(&url, &error))?;
        serde_json::from_str(&text).map_err(|error| ClientError::Malformed { url, reason: error.to_string() })
    }

    /// The JSON of a POST's answer; null where the answer has no body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(&url).timeout(TIMEOUT).json(body);
        let response = Self::checked(&url, request.send().await).await?;
        let text = response.text().await.map_err(|error| Self::unreachable(&url, &error))?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    fn read<T>(&self, path: &str, value: std::result::Result<T, impl ToString>) -> Result<T> {
        value.map_err(|error| ClientError::Malformed {
            url: format!("{}{path}", self.base),
            reason: error.to_string(),
        })
    }

    fn member<T: std::str::FromStr>(&self, path: &str, value: &Value, pointer: &str) -> Result<T> {
        let text = value.pointer(pointer).and_then(Value::as_str);
        self.read(path, text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("no valid {pointer}")))
    }

    fn list<'a>(&self, path: &str, value: &'a Value) -> Result<&'a Vec<Value>> {
        self.read(path, value["data"].as_array().ok_or("data is no array"))
    }

    /// `beacon/genesis`.
    pub async fn genesis(&self) -> Result<Genesis> {
        let path = "/eth/v1/beacon/genesis";
        let value = self.get(path).await?;
        Ok(Genesis {
            genesis_time: self.member(path, &value, "/data/genesis_time")?,
            genesis_validators_root: self.member(path, &value, "/data/genesis_validators_root")?,
            genesis_fork_version: self.member(path, &value, "/data/genesis_fork_version")?,
        })
    }

    /// `config/spec`: keys and values.
    pub async fn spec(&self) -> Result<Value> {
        Ok(self.get("/eth/v1/config/spec").await?["data"].take())
    }

    /// `node/version`.
    pub async fn version(&self) -> Result<String> {
        let path = "/eth/v1/node/version";
        self.member(path, &self.get(path).await?, "/data/version")
    }

    /// `node/syncing`.
    pub async fn syncing(&self) -> Result<Syncing> {
        let path = "/eth/v1/node/syncing";
        let value = self.get(path).await?;
        let flag = |name: &str| value["data"][name].as_bool().unwrap_or(false);
        Ok(Syncing {
            head_slot: self.member(path, &value, "/data/head_slot")?,
            sync_distance: self.member(path, &value, "/data/sync_distance")?,
            is_syncing: flag("is_syncing"),
            is_optimistic: flag("is_optimistic"),
            el_offline: flag("el_offline"),
        })
    }

    /// `node/identity`, as it comes.
    pub async fn identity(&self) -> Result<Value> {
        Ok(self.get("/eth/v1/node/identity").await?["data"].take())
    }

    /// `node/peers`, connected ones.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>> {
        let path = "/eth/v1/node/peers?state=connected";
        let mut value = self.get(path).await?;
        self.read(path, serde_json::from_value(value["data"].take()))
    }

    /// Root and slot of a block.
    pub async fn header(&self, id: &str) -> Result<(Root, Slot)> {
        let path = format!("/eth/v1/beacon/headers/{id}");
        let value = self.get(&path).await?;
        Ok((
            self.member(&path, &value, "/data/root")?,
            self.member(&path, &value, "/data/header/message/slot")?,
        ))
    }

    /// Justified and finalized checkpoints of a state.
    pub async fn finality_checkpoints(&self, id: &str) -> Result<(Checkpoint, Checkpoint)> {
        let path = format!("/eth/v1/beacon/states/{id}/finality_checkpoints");
        let value = self.get(&path).await?;
        let checkpoint = |name: &str| -> Result<Checkpoint> {
            Ok(Checkpoint {
                epoch: self.member(&path, &value, &format!("/data/{name}/epoch"))?,
                root: self.member(&path, &value, &format!("/data/{name}/root"))?,
            })
        };
        Ok((checkpoint("current_justified")?, checkpoint("finalized")?))
    }

    /// A block and its fork.
    pub async fn block(&self, spec: &'static Spec, id: BlockId) -> Result<(ForkName, SignedBeaconBlock)> {
        let path = format!("/eth/v2/beacon/blocks/{id}");
        let value = self.get(&path).await?;
        let fork: ForkName = self.member(&path, &value, "/version")?;
        let block = self.read(&path, SignedBeaconBlock::from_json(&value["data"], spec.ctx(fork)))?;
        Ok((fork, block))
    }

    /// A state, as SSZ.
    pub async fn state(&self, spec: &'static Spec, id: StateId) -> Result<BeaconState> {
        let path = format!("/eth/v2/debug/beacon/states/{id}");
        let url = format!("{}{path}", self.base);
        let request = self.http.get(&url).timeout(STATE_TIMEOUT).header("accept", "application/octet-stream");
        let response = Self::checked(&url, request.send().await).await?;
        let bytes = response.bytes().await.map_err(|error| Self::unreachable(&url, &error))?;
        self.read(&path, BeaconState::decode_any(spec, &bytes))
    }

    /// Events of these topics, until the connection ends.
    pub async fn events(&self, topics: &[&str]) -> Result<EventStream> {
        let url = format!("{}/eth/v1/events?topics={}", self.base, topics.join(","));
        let request = self.http.get(&url).header("accept", "text/event-stream");
        let response = Self::checked(&url, request.send().await).await?;
        let mut parser = SseParser::default();
        let stream = response.bytes_stream().flat_map(move |part| {
            let events = match part {
                Ok(bytes) => parser.feed(&bytes).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(Self::unreachable(&url, &error))],
            };
            futures::stream::iter(events)
        });
        Ok(stream.boxed())
    }
}

/// A line longer than this is no event of a beacon node.
const LINE_MAX: usize = 1 << 20;

/// Splits a byte stream into server-sent events.
#[derive(Default)]
struct SseParser {
    line: Vec<u8>,
    event: String,
    data: String,
}

impl SseParser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() < LINE_MAX {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
            if let Some(name) = line.strip_prefix("event:") {
                self.event = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.trim());
            } else if line.is_empty() {
                let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
                if let Ok(data) = serde_json::from_str(&data) {
                    events.push((event, data));
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_put_together_across_parts() {
        let mut parser = SseParser::default();
        assert!(parser.feed(b"event: head\ndata: {\"slot\"").is_empty());
        let events = parser.feed(b":\"5\"}\n\n: comment\n\nevent:block\ndata:{}\n\n");
        assert_eq!(events.len(), 2);
        assert_eq!(events[0], ("head".to_owned(), json!({ "slot": "5" })));
        assert_eq!(events[1].0, "block");
    }
}
