//! Parameters and bodies.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;
use types::{Ctx, ForkName, Slot, Ssz, SszExt};

use crate::ApiError;
use crate::envelope::{CONSENSUS_VERSION, OCTET_STREAM};

/// The pairs of a query string, percent-decoded; a key may stand several times, and a value may be a
/// comma-separated list.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (percent_decoded(key), percent_decoded(value))
                })
                .collect(),
        )
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(name, _)| name == key);
        values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty())
    }

    /// A key that may be missing.
    pub fn optional<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        self.get(key).map(|value| parsed(key, value)).transpose()
    }

    /// A key that must be there.
    pub fn required<T: std::str::FromStr>(&self, key: &str) -> Result<T, ApiError> {
        self.optional(key)?.ok_or_else(|| ApiError::bad_request(format!("{key} is missing")))
    }
}

/// A parameter's value.
pub fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::bad_request(format!("invalid {name}: {text:?}")))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|code| std::str::from_utf8(code).ok());
        match (bytes[at], code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (b'+', _) => {
                decoded.push(b' ');
                at += 1;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A JSON body.
pub fn json_body(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))
}

/// A JSON array as the body.
pub fn json_list(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    match json_body(body)? {
        Value::Array(items) => Ok(items),
        _ => Err(ApiError::bad_request("the body is not an array")),
    }
}

/// A container from JSON.
pub fn container<T: Ssz>(value: &Value, ctx: Ctx) -> Result<T, ApiError> {
    T::from_json(value, ctx).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// A member of a JSON object that holds a quoted number or root.
pub fn member<T: std::str::FromStr>(value: &Value, name: &str) -> Result<T, ApiError> {
    let text = value.get(name).and_then(Value::as_str);
    parsed(name, text.ok_or_else(|| ApiError::bad_request(format!("{name} is missing")))?)
}

/// The slot at a path in a JSON value, which tells the fork of all the rest.
pub fn slot_at(value: &Value, path: &str) -> Result<Slot, ApiError> {
    let text = value.pointer(path).and_then(Value::as_str);
    parsed(
        "slot",
        text.ok_or_else(|| ApiError::bad_request(format!("{} is missing", path.replace('/', "."))))?,
    )
}

/// The fork that the request says its body is of; none where it says nothing.
pub fn version(headers: &HeaderMap) -> Result<Option<ForkName>, ApiError> {
    let Some(value) = headers.get(CONSENSUS_VERSION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    parsed("Eth-Consensus-Version", &text.to_lowercase()).map(Some)
}

/// The fork that the request must say its body is of.
pub fn required_version(headers: &HeaderMap) -> Result<ForkName, ApiError> {
    version(headers)?.ok_or_else(|| ApiError::bad_request("the header Eth-Consensus-Version is missing"))
}

/// True where the body is SSZ.
pub fn is_ssz(headers: &HeaderMap) -> Result<bool, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/json" => Ok(false),
        OCTET_STREAM => Ok(true),
        other => Err(ApiError::unsupported_media_type(format!("no bodies of type {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_repeat_a_key_and_list_values() {
        let query = Query::parse(Some("id=1,2&id=0xab&topics=head%2Cblock&empty"));
        assert_eq!(query.all("id").collect::<Vec<_>>(), ["1", "2", "0xab"]);
        assert_eq!(query.all("topics").collect::<Vec<_>>(), ["head", "block"]);
        assert_eq!(query.get("empty"), Some(""));
        assert_eq!(query.optional::<u64>("slot").unwrap(), None);
        assert_eq!(query.required::<u64>("slot").unwrap_err().message, "slot is missing");
    }
}
