//! Blocks by id.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use types::{ForkName, SszExt};

use super::Shared;
use crate::envelope::{Envelope, text};
use crate::{ApiError, BlockId};

pub async fn block(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    let envelope = Envelope::of(&found);
    let (place, block) = found.value;
    Ok(envelope.version(place.fork).container(&headers, block, backend.spec().ctx(place.fork)).await)
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
    Ok(Envelope::of(&found).json(json!({ "root": text(&found.value.0.root) })))
}

pub async fn attestations(
    State(backend): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    let (place, block) = &found.value;
    let ctx = backend.spec().ctx(place.fork);
    let list: Vec<Value> = block.message.body.attestations.iter().map(|item| item.to_json(ctx)).collect();
    Ok(Envelope::of(&found).version(place.fork).json(Value::Array(list)))
}

/// The first version knows attestations of one committee only.
pub async fn attestations_v1(
    State(backend): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let fork = backend.block(id.parse::<BlockId>()?).await?.value.0.fork;
    if fork >= ForkName::Electra {
        return Err(ApiError::bad_request(format!("attestations in blocks of {fork} are served by /eth/v2")));
    }
    attestations(State(backend), Path(id)).await
}
