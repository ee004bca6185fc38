//! `validator/*`: duties, what to sign, and subscriptions.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use types::constants::SYNC_COMMITTEE_SUBNET_COUNT;
use types::{CommitteeIndex, Epoch, ForkName, Slot, SszExt, ValidatorIndex};

use super::Shared;
use super::parse::{Query, json_list, member, parsed};
use crate::envelope::{Envelope, text};
use crate::{ApiError, CommitteeSubscription, SyncSubscription};

/// Duties follow from the head's chain; `finalized` does not stand beside them.
fn envelope(backend: &Shared) -> Envelope {
    Envelope::plain().with("execution_optimistic", backend.syncing().is_optimistic)
}

pub async fn proposer(
    State(backend): State<Shared>,
    Path(epoch): Path<String>,
) -> Result<Response, ApiError> {
    let duties = backend.proposer_duties(parsed("epoch", &epoch)?).await?;
    let list = duties.duties.iter().map(|duty| {
        json!({
            "pubkey": text(&duty.pubkey), "validator_index": text(&duty.validator_index), "slot": text(&duty.slot),
        })
    });
    Ok(envelope(&backend)
        .with("dependent_root", text(&duties.dependent_root))
        .json(Value::Array(list.collect())))
}

fn indices(body: &[u8]) -> Result<Vec<ValidatorIndex>, ApiError> {
    let index = |item: &Value| {
        let text = item.as_str().ok_or_else(|| ApiError::bad_request("validator indices are strings"))?;
        parsed("validator index", text)
    };
    json_list(body)?.iter().map(index).collect()
}

pub async fn attester(
    State(backend): State<Shared>,
    Path(epoch): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let duties = backend.attester_duties(parsed("epoch", &epoch)?, indices(&body)?).await?;
    let list = duties.duties.iter().map(|duty| {
        json!({
            "pubkey": text(&duty.pubkey), "validator_index": text(&duty.validator_index),
            "committee_index": text(&duty.committee_index), "committee_length": text(&duty.committee_length),
            "committees_at_slot": text(&duty.committees_at_slot),
            "validator_committee_index": text(&duty.validator_committee_index), "slot": text(&duty.slot),
        })
    });
    Ok(envelope(&backend)
        .with("dependent_root", text(&duties.dependent_root))
        .json(Value::Array(list.collect())))
}

pub async fn sync(
    State(backend): State<Shared>,
    Path(epoch): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let epoch: Epoch = parsed("epoch", &epoch)?;
    let duties = backend.sync_duties(epoch, indices(&body)?).await?;
    let list = duties.iter().map(|duty| {
        let places: Vec<Value> = duty.places.iter().map(text).collect();
        json!({
            "pubkey": text(&duty.pubkey), "validator_index": text(&duty.validator_index),
            "validator_sync_committee_indices": places,
        })
    });
    Ok(envelope(&backend).json(Value::Array(list.collect())))
}

pub async fn attestation_data(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let slot: Slot = query.required("slot")?;
    let index = query.optional::<CommitteeIndex>("committee_index")?.unwrap_or_default();
    let mut data = backend.attestation_data(slot).await?;
    // Since Electra data names no committee, whichever is asked for.
    if backend.spec().fork_name_at_slot(slot) < ForkName::Electra {
        data.index = index;
    }
    Ok(Envelope::plain().container(&headers, data.into(), backend.spec().ctx_at_slot(slot)).await)
}

/// The first version is asked for data only, which names the committee until Electra.
pub async fn aggregate_attestation_v1(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let slot: Slot = query.required("slot")?;
    let fork = backend.spec().fork_name_at_slot(slot);
    if fork >= ForkName::Electra {
        let why =
            format!("attestation data of {fork} names no committee: ask /eth/v2 with a committee_index");
        return Err(ApiError::bad_request(why));
    }
    let root = query.required("attestation_data_root")?;
    let aggregate = backend.aggregate_attestation(slot, root, None).await?;
    Ok(Envelope::plain().container(&headers, aggregate.into(), backend.spec().ctx(fork)).await)
}

pub async fn aggregate_attestation(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let (slot, index) = (query.required("slot")?, query.required("committee_index")?);
    let root = query.required("attestation_data_root")?;
    let aggregate = backend.aggregate_attestation(slot, root, Some(index)).await?;
    let fork = backend.spec().fork_name_at_slot(slot);
    let envelope = Envelope::plain().version(fork);
    Ok(envelope.container(&headers, aggregate.into(), backend.spec().ctx(fork)).await)
}

pub async fn committee_subscriptions(
    State(backend): State<Shared>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let subscription = |item: &Value| {
        Ok(CommitteeSubscription {
            validator_index: member(item, "validator_index")?,
            committee_index: member(item, "committee_index")?,
            committees_at_slot: member(item, "committees_at_slot")?,
            slot: member(item, "slot")?,
            is_aggregator: item.get("is_aggregator").and_then(Value::as_bool).unwrap_or(false),
        })
    };
    let list = json_list(&body)?.iter().map(subscription).collect::<Result<Vec<_>, ApiError>>()?;
    backend.subscribe_committees(list).await?;
    Ok(StatusCode::OK)
}

pub async fn sync_contribution(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let (slot, subcommittee): (Slot, u64) = (query.required("slot")?, query.required("subcommittee_index")?);
    if subcommittee >= SYNC_COMMITTEE_SUBNET_COUNT {
        return Err(ApiError::bad_request(format!("there is no subcommittee {subcommittee}")));
    }
    let root = query.required("beacon_block_root")?;
    let contribution = backend.sync_contribution(slot, subcommittee, root).await?;
    Ok(Envelope::plain().json(contribution.to_json_string(backend.spec().ctx_at_slot(slot))))
}

pub async fn sync_subscriptions(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let size = backend.spec().preset.sync_committee_size;
    let place = |item: &Value| {
        let text = item.as_str().ok_or_else(|| ApiError::bad_request("places are strings"))?;
        let place: u64 = parsed("sync_committee_indices", text)?;
        if place < size {
            Ok(place)
        } else {
            Err(ApiError::bad_request(format!("there is no place {place}")))
        }
    };
    let subscription = |item: &Value| {
        let places = item.get("sync_committee_indices").and_then(Value::as_array);
        let places = places.ok_or_else(|| ApiError::bad_request("sync_committee_indices is missing"))?;
        Ok(SyncSubscription {
            validator_index: member(item, "validator_index")?,
            places: places.iter().map(place).collect::<Result<_, _>>()?,
            until_epoch: member(item, "until_epoch")?,
        })
    };
    let list = json_list(&body)?.iter().map(subscription).collect::<Result<Vec<_>, ApiError>>()?;
    backend.subscribe_sync_committees(list).await?;
    Ok(StatusCode::OK)
}

pub async fn prepare_proposer(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let recipient = |item: &Value| Ok((member(item, "validator_index")?, member(item, "fee_recipient")?));
    let list = json_list(&body)?.iter().map(recipient).collect::<Result<Vec<_>, ApiError>>()?;
    backend.prepare_beacon_proposer(list).await?;
    Ok(StatusCode::OK)
}

pub async fn liveness(
    State(backend): State<Shared>,
    Path(epoch): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let live = backend.liveness(parsed("epoch", &epoch)?, indices(&body)?).await?;
    let list = live.iter().map(|(index, live)| json!({ "index": text(index), "is_live": live }));
    Ok(Envelope::plain().json(Value::Array(list.collect())))
}
