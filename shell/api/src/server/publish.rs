//! What validators and operators send to be published. All of it passes the rules of gossip first.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use types::{
    Attestation, SignedAggregateAndProof, SignedBLSToExecutionChange, SignedBeaconBlock,
    SignedContributionAndProof, SszExt, SyncCommitteeMessage,
};

use super::Shared;
use super::parse::{container, is_ssz, json_body, json_list, slot_at};
use crate::{ApiError, Failure};

/// Where the slot stands in a signed block of any fork: behind an offset and a signature.
const BLOCK_SLOT: std::ops::Range<usize> = 100..108;

pub async fn block(
    State(backend): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let spec = backend.spec();
    let block: SignedBeaconBlock = if is_ssz(&headers)? {
        let slot =
            body.get(BLOCK_SLOT).ok_or_else(|| ApiError::bad_request("the body is no signed block"))?;
        let slot = u64::from_le_bytes(slot.try_into().expect("8 bytes")).into();
        SignedBeaconBlock::from_ssz(&body, spec.ctx_at_slot(slot))
            .map_err(|error| ApiError::bad_request(error.to_string()))?
    } else {
        let json = json_body(&body)?;
        // Later versions wrap the block with its blobs.
        let json = json.get("signed_block").unwrap_or(&json);
        container(json, spec.ctx_at_slot(slot_at(json, "/message/slot")?))?
    };
    backend.publish_block(Arc::new(block)).await?;
    Ok(StatusCode::OK)
}

/// What came of a list: the places of the items that parsed, these items, and the failures of the others.
type Items<T> = (Vec<usize>, Vec<T>, Vec<Failure>);

/// Parses each item; those that fail keep their places in the answer.
fn items<T>(body: &[u8], parse: impl Fn(&Value) -> Result<T, ApiError>) -> Result<Items<T>, ApiError> {
    let (mut places, mut parsed, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (index, value) in json_list(body)?.iter().enumerate() {
        match parse(value) {
            Ok(item) => {
                places.push(index);
                parsed.push(item);
            }
            Err(error) => failures.push(Failure { index, message: error.message }),
        }
    }
    Ok((places, parsed, failures))
}

fn outcome(
    places: &[usize],
    mut failures: Vec<Failure>,
    found: Vec<Failure>,
) -> Result<StatusCode, ApiError> {
    failures.extend(found.into_iter().map(|failure| Failure { index: places[failure.index], ..failure }));
    failures.sort_by_key(|failure| failure.index);
    if failures.is_empty() { Ok(StatusCode::OK) } else { Err(ApiError::failures(failures)) }
}

pub async fn attestations(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let spec = backend.spec();
    let (places, parsed, failures) = items(&body, |value| {
        container::<Attestation>(value, spec.ctx_at_slot(slot_at(value, "/data/slot")?))
    })?;
    outcome(&places, failures, backend.publish_attestations(parsed).await?)
}

pub async fn aggregates(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let spec = backend.spec();
    let (places, parsed, failures) = items(&body, |value| {
        let slot = slot_at(value, "/message/aggregate/data/slot")?;
        container::<SignedAggregateAndProof>(value, spec.ctx_at_slot(slot))
    })?;
    outcome(&places, failures, backend.publish_aggregates(parsed).await?)
}

pub async fn sync_messages(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let spec = backend.spec();
    let (places, parsed, failures) = items(&body, |value| {
        container::<SyncCommitteeMessage>(value, spec.ctx_at_slot(slot_at(value, "/slot")?))
    })?;
    outcome(&places, failures, backend.publish_sync_messages(parsed).await?)
}

pub async fn contributions(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let spec = backend.spec();
    let (places, parsed, failures) = items(&body, |value| {
        let slot = slot_at(value, "/message/contribution/slot")?;
        container::<SignedContributionAndProof>(value, spec.ctx_at_slot(slot))
    })?;
    outcome(&places, failures, backend.publish_contributions(parsed).await?)
}

pub async fn bls_changes(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let ctx = backend.spec().ctx_at_slot(backend.current_slot());
    let (places, parsed, failures) =
        items(&body, |value| container::<SignedBLSToExecutionChange>(value, ctx))?;
    outcome(&places, failures, backend.publish_bls_changes(parsed).await?)
}

pub async fn voluntary_exit(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let ctx = backend.spec().ctx_at_slot(backend.current_slot());
    backend.publish_voluntary_exit(container(&json_body(&body)?, ctx)?).await?;
    Ok(StatusCode::OK)
}

pub async fn proposer_slashing(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let ctx = backend.spec().ctx_at_slot(backend.current_slot());
    backend.publish_proposer_slashing(container(&json_body(&body)?, ctx)?).await?;
    Ok(StatusCode::OK)
}

pub async fn attester_slashing(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let json = json_body(&body)?;
    let ctx = backend.spec().ctx_at_slot(slot_at(&json, "/attestation_1/data/slot")?);
    backend.publish_attester_slashing(container(&json, ctx)?).await?;
    Ok(StatusCode::OK)
}
