//! Answers of nodes that nobody vouches for: bounded in size and time, and every fault told with the address.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::runtime::Runtime;

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of a body.
    pub body_max: u64,
    /// How long the node may stay silent.
    pub idle: Duration,
    /// How long an answer may take in all.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // A state of mainnet has 300 MB as SSZ, and less than 1.5 GB as JSON.
        Self { body_max: 2 << 30, idle: Duration::from_secs(60), total: Duration::from_secs(600) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It cannot be reached, or is silent.
    #[error("{url}: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// It says no.
    #[error("{url}: {code}: {message}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        code: u16,
        /// The node's words.
        message: String,
    },
    /// The answer ends before its end.
    #[error("{url}: the answer stops at byte {offset}{}: {reason}", expected.map(|all| format!(" of {all}")).unwrap_or_default())]
    Cut {
        /// What was asked.
        url: String,
        /// Bytes that came.
        offset: u64,
        /// Bytes that were announced.
        expected: Option<u64>,
        /// What went wrong.
        reason: String,
    },
    /// More than fits.
    #[error("{url}: the answer has more than {max} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The bound.
        max: u64,
    },
    /// Not what was asked for.
    #[error("{url}: {why}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What was asked.
    pub url: String,
    /// The fork in `Eth-Consensus-Version`, as it stands there.
    pub version: Option<String>,
    /// True where it says that it is SSZ, false where JSON.
    pub is_ssz: bool,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// An error about this answer.
    pub fn fault(&self, why: impl ToString) -> FetchError {
        FetchError::Malformed { url: self.url.clone(), why: why.to_string() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value, FetchError> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let begin: String = String::from_utf8_lossy(&self.bytes).chars().take(60).collect();
            self.fault(format!("no JSON: {error}; it begins with {begin:?}"))
        })
    }
}

/// Asks one node, one question after the other.
pub struct Fetcher {
    base: String,
    http: reqwest::Client,
    runtime: Runtime,
    limits: Limits,
}

/// SSZ where the node can, else JSON.
const PREFER_SSZ: &str = "application/octet-stream;q=1.0,application/json;q=0.9";

impl Fetcher {
    /// For the node at a base URL, within limits.
    pub fn new(base: &str, limits: Limits) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(limits.idle)
            .timeout(limits.total)
            .build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http, runtime, limits })
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The answer to a GET, SSZ if the node can.
    pub fn get(&self, path: &str) -> Result<Answer, FetchError> {
        self.runtime.block_on(self.ask(path, PREFER_SSZ))
    }

    /// The JSON of a GET.
    pub fn get_json(&self, path: &str) -> Result<serde_json::Value, FetchError> {
        self.runtime.block_on(self.ask(path, "application/json"))?.json()
    }

    async fn ask(&self, path: &str, accept: &str) -> Result<Answer, FetchError> {
        let url = format!("{}{path}", self.base);
        let unreachable = |error: reqwest::Error| FetchError::Unreachable {
            url: url.clone(),
            reason: api::trouble(&error),
        };
        let request = self.http.get(&url).header(ACCEPT, accept);
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let header = |name: &str| -> Option<String> {
            Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned())
        };
        let version = header("eth-consensus-version");
        let is_ssz =
            header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let bytes = self.body(&url, response).await;
        if status.is_success() {
            return Ok(Answer { version, is_ssz, bytes: bytes?, url });
        }
        // A refusal is told by its status even where its words do not come through.
        let message = api::refusal(&String::from_utf8_lossy(&bytes.unwrap_or_default()));
        Err(FetchError::Refused { url, code: status.as_u16(), message })
    }

    async fn body(&self, url: &str, mut response: reqwest::Response) -> Result<Vec<u8>, FetchError> {
        let expected = response.content_length();
        let too_large = || FetchError::TooLarge { url: url.to_owned(), max: self.limits.body_max };
        if expected.is_some_and(|expected| expected > self.limits.body_max) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            let part = response.chunk().await.map_err(|error| FetchError::Cut {
                url: url.to_owned(),
                offset: bytes.len() as u64,
                expected,
                reason: if error.is_timeout() { "nothing more in time".into() } else { api::trouble(&error) },
            })?;
            let Some(part) = part else { return Ok(bytes) };
            if (bytes.len() + part.len()) as u64 > self.limits.body_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&part);
        }
    }
}
