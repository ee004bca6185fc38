//! `beacon/headers`.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};
use types::{Spec, SszExt};

use super::Shared;
use super::parse::Query;
use crate::envelope::{Envelope, text};
use crate::{ApiError, BlockId, Found, FoundBlock};

fn header_json(spec: &'static Spec, found: &FoundBlock) -> Value {
    let (place, block) = &found.value;
    let message = &block.message;
    let body_root = message.body.hash_tree_root(spec.ctx(place.fork));
    json!({
        "root": text(&place.root),
        "canonical": place.canonical,
        "header": {
            "message": {
                "slot": text(&message.slot), "proposer_index": text(&message.proposer_index),
                "parent_root": text(&message.parent_root), "state_root": text(&message.state_root),
                "body_root": text(&body_root),
            },
            "signature": text(&block.signature),
        },
    })
}

pub async fn list(State(backend): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let found = backend.headers(query.optional("slot")?, query.optional("parent_root")?).await?;
    let headers: Vec<Value> = found.iter().map(|found| header_json(backend.spec(), found)).collect();
    let all = Found {
        value: (),
        finalized: !found.is_empty() && found.iter().all(|found| found.finalized),
        execution_optimistic: found.iter().any(|found| found.execution_optimistic),
    };
    Ok(Envelope::of(&all).json(Value::Array(headers)))
}

pub async fn one(State(backend): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let found = backend.block(id.parse::<BlockId>()?).await?;
    Ok(Envelope::of(&found).json(header_json(backend.spec(), &found)))
}
