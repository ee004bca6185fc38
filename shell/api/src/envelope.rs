//! The objects around the data of answers.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use types::{Ctx, ForkName, Ssz, SszExt};

use crate::lists::{encode_list, json_list};
use crate::{ApiError, Found};

/// The header that names a body's fork.
pub const CONSENSUS_VERSION: HeaderName = HeaderName::from_static("eth-consensus-version");
/// The content type of SSZ bodies.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// An answer's data with what stands beside it.
#[derive(Default)]
pub struct Envelope {
    version: Option<ForkName>,
    /// `execution_optimistic` and `finalized`.
    chain: Option<(bool, bool)>,
    extra: Vec<(&'static str, String)>,
}

impl Envelope {
    /// Data alone.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Data of a chain: `execution_optimistic` and `finalized` stand beside it.
    pub fn of<T>(found: &Found<T>) -> Self {
        Self { chain: Some((found.execution_optimistic, found.finalized)), ..Self::default() }
    }

    /// With the fork's name.
    pub fn version(self, fork: ForkName) -> Self {
        Self { version: Some(fork), ..self }
    }

    /// With another member, given as JSON.
    pub fn with(mut self, name: &'static str, json: impl ToString) -> Self {
        self.extra.push((name, json.to_string()));
        self
    }

    /// Around data that is JSON already.
    pub fn json(self, data: impl std::fmt::Display) -> Response {
        let mut body = String::from("{");
        if let Some(version) = self.version {
            body.push_str(&format!("\"version\":\"{version}\","));
        }
        if let Some((optimistic, finalized)) = self.chain {
            body.push_str(&format!("\"execution_optimistic\":{optimistic},\"finalized\":{finalized},"));
        }
        for (name, json) in &self.extra {
            body.push_str(&format!("\"{name}\":{json},"));
        }
        body.push_str(&format!("\"data\":{data}}}"));
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.add_version(&mut response);
        response
    }

    /// A container, as SSZ where the request prefers it and else as JSON; encoded on a blocking thread.
    pub async fn container<T: Ssz>(
        self,
        headers: &HeaderMap,
        value: std::sync::Arc<T>,
        ctx: Ctx,
    ) -> Response {
        let other = value.clone();
        self.encoded(headers, move || other.to_ssz(ctx), move || value.to_json_string(ctx)).await
    }

    /// A list of containers, as [`Envelope::container`].
    pub async fn list<T: Ssz>(self, headers: &HeaderMap, values: Vec<T>, ctx: Ctx) -> Response {
        let values = std::sync::Arc::new(values);
        let other = values.clone();
        self.encoded(headers, move || encode_list(&other, ctx), move || json_list(&values, ctx)).await
    }

    /// Bytes where the request prefers SSZ, else JSON; encoded on a blocking thread.
    pub async fn encoded(
        self,
        headers: &HeaderMap,
        to_ssz: impl FnOnce() -> Vec<u8> + Send + 'static,
        to_json: impl FnOnce() -> String + Send + 'static,
    ) -> Response {
        let ssz = prefers_ssz(headers);
        let encoded =
            tokio::task::spawn_blocking(
                move || {
                    if ssz { Encoded::Ssz(to_ssz()) } else { Encoded::Json(to_json()) }
                },
            );
        match encoded.await {
            Ok(Encoded::Json(json)) => self.json(json),
            Ok(Encoded::Ssz(bytes)) => {
                let mut response = Response::new(Body::from(bytes));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));
                self.add_version(&mut response);
                response
            }
            Err(error) => ApiError::internal(format!("encoding failed: {error}")).into_response(),
        }
    }

    fn add_version(&self, response: &mut Response) {
        if let Some(version) = self.version {
            response.headers_mut().insert(CONSENSUS_VERSION, HeaderValue::from_static(version.as_str()));
        }
    }
}

enum Encoded {
    Json(String),
    Ssz(Vec<u8>),
}

/// True where the request's `Accept` puts SSZ before JSON.
fn prefers_ssz(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let quality = |kind: &str| {
        accept.split(',').find(|part| part.trim().starts_with(kind)).map(|part| {
            let quality = part.split(";q=").nth(1).and_then(|text| text.trim().parse::<f32>().ok());
            quality.unwrap_or(1.0)
        })
    };
    match (quality(OCTET_STREAM), quality("application/json")) {
        (Some(ssz), Some(json)) => ssz >= json,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Texts of numbers and roots, as the API writes them.
pub fn text(value: &impl ToString) -> Value {
    Value::String(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssz_is_sent_only_where_it_is_preferred() {
        let accept = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(text));
            prefers_ssz(&headers)
        };
        assert!(accept("application/octet-stream"));
        assert!(accept("application/octet-stream;q=1,application/json;q=0.9"));
        assert!(!accept("application/octet-stream;q=0.5,application/json;q=0.9"));
        assert!(!accept("*/*"));
        assert!(!prefers_ssz(&HeaderMap::new()));
    }
}
