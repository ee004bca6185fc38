//! Blocks: by id, and production.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use serde_json::{Value, json};
use types::{BeaconBlock, ForkName, Root, SszExt};

use super::Shared;
use super::parse::{Query, parsed};
use crate::envelope::{Envelope, text};
use crate::{ApiError, BlockId, BlockRequest};

pub async fn block(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    let (place, block) = found.value;
    let envelope = Envelope::chain(found.finalized).version(place.fork);
    Ok(envelope.container(&headers, block, backend.spec().ctx(place.fork)).await)
}

/// The first version knows no forks: it serves phase 0 blocks only.
pub async fn block_v1(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    let (place, block) = found.value;
    if place.fork != ForkName::Phase0 {
        return Err(ApiError::bad_request(format!("a block of {} is served by /eth/v2", place.fork)));
    }
    Ok(Envelope::plain().container(&headers, block, backend.spec().ctx(place.fork)).await)
}

pub async fn root(State(backend): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    Ok(Envelope::chain(found.finalized).json(json!({ "root": text(&found.value.0.root) })))
}

pub async fn attestations(
    State(backend): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    let (place, block) = found.value;
    let ctx = backend.spec().ctx(place.fork);
    let list: Vec<Value> = block.message.body.attestations.iter().map(|item| item.to_json(ctx)).collect();
    Ok(Envelope::chain(found.finalized).version(place.fork).json(Value::Array(list)))
}

/// The API's form is 0x and 64 digits; older validator clients send the words themselves, at most 32 bytes of them.
fn graffiti(text: &str) -> Result<Root, ApiError> {
    if let Ok(root) = text.parse() {
        return Ok(root);
    }
    let mut bytes = [0; 32];
    match bytes.get_mut(..text.len()) {
        Some(start) if !text.starts_with("0x") => start.copy_from_slice(text.as_bytes()),
        _ => return Err(ApiError::bad_request(format!("invalid graffiti: {text:?}"))),
    }
    Ok(Root::from(bytes))
}

async fn produced(backend: &Shared, slot: &str, query: Option<&str>) -> Result<BeaconBlock, ApiError> {
    let query = Query::parse(query);
    let request = BlockRequest {
        slot: parsed("slot", slot)?,
        randao_reveal: query.required("randao_reveal")?,
        graffiti: query.get("graffiti").map_or(Ok(Root::ZERO), graffiti)?,
    };
    backend.produce_block(request).await
}

/// What the first versions put beside a block. It is no part of the API, but validator clients of their time (such as
/// Lodestar 1.5.1) fail without it.
const BLOCK_VALUE: (&str, &str) = ("block_value", "\"0\"");

pub async fn produce_v1(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let block = produced(&backend, &slot, query.as_deref()).await?;
    let fork = backend.spec().fork_name_at_slot(block.slot);
    if fork != ForkName::Phase0 {
        return Err(ApiError::bad_request(format!("a block of {fork} is produced by /eth/v2 or /eth/v3")));
    }
    let envelope = Envelope::plain().with(BLOCK_VALUE.0, BLOCK_VALUE.1);
    Ok(envelope.container(&headers, block.into(), backend.spec().ctx(fork)).await)
}

pub async fn produce_v2(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let block = produced(&backend, &slot, query.as_deref()).await?;
    let fork = backend.spec().fork_name_at_slot(block.slot);
    let envelope = Envelope::plain().version(fork).with(BLOCK_VALUE.0, BLOCK_VALUE.1);
    Ok(envelope.container(&headers, block.into(), backend.spec().ctx(fork)).await)
}

pub async fn produce_v3(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let block = produced(&backend, &slot, query.as_deref()).await?;
    let fork = backend.spec().fork_name_at_slot(block.slot);
    let envelope = Envelope::plain()
        .version(fork)
        .with("execution_payload_blinded", "false")
        .with("execution_payload_value", "\"0\"")
        .with("consensus_block_value", "\"0\"");
    let mut response = envelope.container(&headers, block.into(), backend.spec().ctx(fork)).await;
    let facts = [
        ("execution-payload-blinded", "false"),
        ("execution-payload-value", "0"),
        ("consensus-block-value", "0"),
    ];
    for (name, value) in facts {
        let name = HeaderName::try_from(format!("eth-{name}")).expect("a valid header name");
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graffiti_may_be_32_bytes_in_hex_or_words() {
        let digits = format!("0x{}", "ab".repeat(32));
        assert_eq!(graffiti(&digits).unwrap(), Root::from([0xab; 32]));
        let mut words = [0; 32];
        words[..9].copy_from_slice(b"Interlock");
        assert_eq!(graffiti("Interlock").unwrap(), Root::from(words));
        assert_eq!(graffiti("").unwrap(), Root::ZERO);
        assert_eq!(graffiti(&"x".repeat(32)).unwrap(), Root::from([b'x'; 32]));
        for wrong in ["0x12", &"x".repeat(33)] {
            assert_eq!(graffiti(wrong).unwrap_err().code, 400, "{wrong}");
        }
    }
}
