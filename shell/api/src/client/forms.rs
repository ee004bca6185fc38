//! One question in several forms: the newest version of an endpoint first, in SSZ where that is shorter, then what older
//! nodes understand.

use std::sync::atomic::{AtomicU8, Ordering};

use axum::body::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use types::{Ctx, ForkName, Ssz, SszExt};

use super::{Client, ClientError, Result, TIMEOUT};
use crate::envelope::{CONSENSUS_VERSION, OCTET_STREAM};

/// SSZ where the node can, else JSON.
const PREFER_SSZ: &str = "application/octet-stream;q=1.0,application/json;q=0.9";

/// An endpoint that exists in several versions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    Validators,
    ProduceBlock,
    PublishBlock,
    Attestations,
    SingleAttestations,
    Aggregate,
    Aggregates,
}

/// For each endpoint the place in its list of forms that answered last: where a node lacks the newest, it is not
/// asked for it every time.
#[derive(Debug, Default)]
pub(super) struct Legacy([AtomicU8; 7]);

impl Legacy {
    pub(super) fn first(&self, of: Endpoint) -> usize {
        usize::from(self.0[of as usize].load(Ordering::Relaxed))
    }

    pub(super) fn learn(&self, of: Endpoint, place: usize) {
        let place = u8::try_from(place).expect("an endpoint has few versions");
        self.0[of as usize].store(place, Ordering::Relaxed);
    }
}

/// A body is made only for the form that is sent.
enum Body<'a> {
    Json(&'a (dyn Fn() -> String + Sync)),
    Ssz(&'a (dyn Fn() -> Vec<u8> + Sync)),
}

/// A request of one version.
pub(super) struct Form<'a> {
    pub(super) path: String,
    body: Option<Body<'a>>,
    fork: Option<ForkName>,
    accept: Option<&'static str>,
}

impl<'a> Form<'a> {
    pub(super) fn get(path: String) -> Self {
        Self { path, body: None, fork: None, accept: None }
    }

    pub(super) fn post(path: &str, body: &'a (dyn Fn() -> String + Sync)) -> Self {
        Self { body: Some(Body::Json(body)), ..Self::get(path.to_owned()) }
    }

    pub(super) fn post_ssz(path: &str, body: &'a (dyn Fn() -> Vec<u8> + Sync)) -> Self {
        Self { body: Some(Body::Ssz(body)), ..Self::get(path.to_owned()) }
    }

    /// With the body's fork in the header that the newer endpoints want.
    pub(super) fn of(self, fork: ForkName) -> Self {
        Self { fork: Some(fork), ..self }
    }

    pub(super) fn preferring_ssz(self) -> Self {
        Self { accept: Some(PREFER_SSZ), ..self }
    }
}

/// An answer that may be JSON or SSZ.
pub(super) struct Answer {
    headers: HeaderMap,
    bytes: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn is_ssz(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).starts_with(OCTET_STREAM)
    }

    /// The whole JSON; null where there is no body.
    pub(super) fn json(&self) -> std::result::Result<Value, String> {
        if self.bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.bytes).map_err(|error| error.to_string())
    }

    /// The container that is the answer, or its `data`.
    pub(super) fn container<T: Ssz>(&self, ctx: Ctx) -> std::result::Result<T, String> {
        if self.is_ssz() {
            return T::from_ssz(&self.bytes, ctx).map_err(|error| error.to_string());
        }
        T::from_json(&self.json()?["data"], ctx).map_err(|error| error.to_string())
    }

    /// True where a block comes without its payload.
    pub(super) fn is_blinded(&self) -> bool {
        let said = self.header("eth-execution-payload-blinded").eq_ignore_ascii_case("true");
        said || !self.is_ssz()
            && self.json().is_ok_and(|json| json["execution_payload_blinded"].as_bool() == Some(true))
    }

    /// The fork that the header names.
    pub(super) fn fork(&self) -> Option<ForkName> {
        self.header(CONSENSUS_VERSION.as_str()).parse().ok()
    }

    /// The bytes of an answer in SSZ.
    pub(super) fn ssz(&self) -> Option<&[u8]> {
        self.is_ssz().then_some(&*self.bytes)
    }
}

/// A node without a route says 404, 405 or 501, and one that does not read SSZ 415; so it does for some things that it
/// cannot find, and then the older route says so too.
pub(super) fn may_lack_route(error: &ClientError) -> bool {
    matches!(error.code(), Some(404 | 405 | 415 | 501))
}

impl Client {
    pub(super) async fn send(&self, form: &Form<'_>) -> Result<Answer> {
        let url = format!("{}{}", self.base, form.path);
        let mut request = match &form.body {
            None => self.http.get(&url),
            Some(Body::Json(json)) => {
                self.http.post(&url).header(CONTENT_TYPE, "application/json").body(json())
            }
            Some(Body::Ssz(ssz)) => self.http.post(&url).header(CONTENT_TYPE, OCTET_STREAM).body(ssz()),
        };
        if let Some(fork) = form.fork {
            request = request.header(CONSENSUS_VERSION, fork.as_str());
        }
        if let Some(accept) = form.accept {
            request = request.header(ACCEPT, accept);
        }
        let response = Self::checked(&url, request.timeout(TIMEOUT).send().await).await?;
        let headers = response.headers().clone();
        let bytes = response.bytes().await.map_err(|error| Self::unreachable(&url, &error))?;
        Ok(Answer { headers, bytes })
    }

    /// Asks in the form that answered last, and in the older ones after it; the answer comes with its form's place.
    /// Where none answers, the first error counts, and the next question begins with the newest form again.
    pub(super) async fn newest(&self, of: Endpoint, forms: &[Form<'_>]) -> Result<(usize, Answer)> {
        let mut first_error = None;
        // A fork may have fewer forms than the one before it.
        let first = self.legacy.first(of).min(forms.len() - 1);
        for (place, form) in forms.iter().enumerate().skip(first) {
            match self.send(form).await {
                Ok(answer) => {
                    self.legacy.learn(of, place);
                    return Ok((place, answer));
                }
                Err(error) if may_lack_route(&error) => {
                    first_error.get_or_insert(error);
                }
                // A refusal with a reason comes from a node that has the route, so nothing older is tried.
                Err(error) => return Err(error),
            }
        }
        self.legacy.learn(of, 0);
        Err(first_error.expect("the loop runs once at least, and each turn returns or keeps an error"))
    }
}
