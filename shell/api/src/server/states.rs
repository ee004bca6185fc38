//! States: root, fork, finality, committees, and the whole.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use types::constants::SYNC_COMMITTEE_SUBNET_COUNT;
use types::{Checkpoint, CommitteeIndex, Epoch, Slot};

use super::Shared;
use super::parse::Query;
use crate::envelope::{Envelope, text};
use crate::{ApiError, StateId};

pub async fn root(State(backend): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let state = found.value.clone();
    let root = tokio::task::spawn_blocking(move || state.state_root()).await;
    let root = root.map_err(|error| ApiError::internal(format!("hashing failed: {error}")))?;
    Ok(Envelope::of(&found).json(json!({ "root": text(&root) })))
}

pub async fn fork(State(backend): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let fork = &found.value.fork;
    Ok(Envelope::of(&found).json(json!({
        "previous_version": text(&fork.previous_version), "current_version": text(&fork.current_version),
        "epoch": text(&fork.epoch),
    })))
}

pub async fn finality_checkpoints(
    State(backend): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let json =
        |checkpoint: &Checkpoint| json!({ "epoch": text(&checkpoint.epoch), "root": text(&checkpoint.root) });
    Ok(Envelope::of(&found).json(json!({
        "previous_justified": json(&found.value.previous_justified_checkpoint),
        "current_justified": json(&found.value.current_justified_checkpoint),
        "finalized": json(&found.value.finalized_checkpoint),
    })))
}

pub async fn randao(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let state = &found.value;
    let current = state.slot.epoch(backend.spec());
    let epoch = Query::parse(query.as_deref()).optional::<Epoch>("epoch")?.unwrap_or(current);
    let ring = backend.spec().preset.epochs_per_historical_vector;
    if epoch > current || epoch + ring <= current {
        return Err(ApiError::bad_request(format!(
            "the state at epoch {current} has no randao mix of epoch {epoch}"
        )));
    }
    let mix = state.randao_mixes[(epoch % ring).as_usize()];
    Ok(Envelope::of(&found).json(json!({ "randao": text(&mix) })))
}

pub async fn committees(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let (slot, index) = (query.optional::<Slot>("slot")?, query.optional::<CommitteeIndex>("index")?);
    let found = backend.state(id.parse::<StateId>()?).await?;
    let current = found.value.slot.epoch(backend.spec());
    let epoch = query.optional::<Epoch>("epoch")?.unwrap_or(current);
    if slot.is_some_and(|slot| slot.epoch(backend.spec()) != epoch) {
        return Err(ApiError::bad_request(format!("the slot is not in epoch {epoch}")));
    }
    let committees = backend.committees(found.value.clone(), epoch).await?;
    let wanted = committees.iter().filter(|committee| {
        slot.is_none_or(|slot| slot == committee.slot) && index.is_none_or(|index| index == committee.index)
    });
    let list: Vec<Value> = wanted
        .map(|committee| {
            let members: Vec<Value> = committee.validators.iter().map(text).collect();
            json!({ "index": text(&committee.index), "slot": text(&committee.slot), "validators": members })
        })
        .collect();
    Ok(Envelope::of(&found).json(Value::Array(list)))
}

/// The members of the sync committee, and the same by subcommittee.
pub async fn sync_committees(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let current = found.value.slot.epoch(backend.spec());
    let epoch = Query::parse(query.as_deref()).optional::<Epoch>("epoch")?.unwrap_or(current);
    let members = backend.sync_committee(found.value.clone(), epoch).await?;
    let members: Vec<Value> = members.iter().map(text).collect();
    let size = (backend.spec().preset.sync_committee_size / SYNC_COMMITTEE_SUBNET_COUNT) as usize;
    let aggregates: Vec<&[Value]> = members.chunks(size.max(1)).collect();
    Ok(Envelope::of(&found).json(json!({
        "validators": members, "validator_aggregates": aggregates,
    })))
}

pub async fn full(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let fork = found.value.fork_name();
    let envelope = Envelope::of(&found).version(fork);
    Ok(envelope.container(&headers, found.value, backend.spec().ctx(fork)).await)
}
