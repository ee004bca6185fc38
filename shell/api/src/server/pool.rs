//! `beacon/pool/*`: what waits to be included.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::Value;
use types::{Attestation, CommitteeIndex, Ctx, ForkName, Slot, Ssz, SszExt};

use super::Shared;
use super::parse::Query;
use crate::ApiError;
use crate::envelope::Envelope;

/// The first version knows attestations of one committee only.
pub async fn attestations_v1(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let fork = backend.spec().fork_name_at_slot(backend.current_slot());
    if fork >= ForkName::Electra {
        return Err(ApiError::bad_request(format!("attestations of {fork} are served by /eth/v2")));
    }
    attestations(State(backend), RawQuery(query)).await
}

/// Attestations in the form of the current fork; those of before an upgrade have another, and are not listed after it.
pub async fn attestations(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let is_electra = |slot| backend.spec().fork_name_at_slot(slot) >= ForkName::Electra;
    let is_now = is_electra(backend.current_slot());
    let query = Query::parse(query.as_deref());
    let (slot, index) =
        (query.optional::<Slot>("slot")?, query.optional::<CommitteeIndex>("committee_index")?);
    let wanted = |attestation: &&Attestation| {
        let is_of = |index: CommitteeIndex| match is_now {
            true => attestation.committee_bits.ones().any(|place| place == index.as_usize()),
            false => attestation.data.index == index,
        };
        is_electra(attestation.data.slot) == is_now
            && slot.is_none_or(|slot| slot == attestation.data.slot)
            && index.is_none_or(is_of)
    };
    let all = backend.pool_attestations();
    let list: Vec<Value> = all
        .iter()
        .filter(wanted)
        .map(|attestation| attestation.to_json(backend.spec().ctx_at_slot(attestation.data.slot)))
        .collect();
    Ok(envelope(&backend).json(Value::Array(list)))
}

fn envelope(backend: &Shared) -> Envelope {
    Envelope::plain().version(backend.spec().fork_name_at_slot(backend.current_slot()))
}

fn list<T: Ssz>(items: &[T], ctx: Ctx) -> Value {
    items.iter().map(|item| item.to_json(ctx)).collect()
}

fn ctx(backend: &Shared) -> Ctx {
    backend.spec().ctx_at_slot(backend.current_slot())
}

pub async fn voluntary_exits(State(backend): State<Shared>) -> Response {
    Envelope::plain().json(list(&backend.pool_voluntary_exits(), ctx(&backend)))
}

pub async fn proposer_slashings(State(backend): State<Shared>) -> Response {
    Envelope::plain().json(list(&backend.pool_proposer_slashings(), ctx(&backend)))
}

pub async fn bls_changes(State(backend): State<Shared>) -> Response {
    Envelope::plain().json(list(&backend.pool_bls_changes(), ctx(&backend)))
}

pub async fn attester_slashings(State(backend): State<Shared>) -> Response {
    envelope(&backend).json(list(&backend.pool_attester_slashings(), ctx(&backend)))
}
