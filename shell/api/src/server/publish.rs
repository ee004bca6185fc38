//! What validators and operators send to be published. All of it passes the rules of gossip first.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use types::constants::TARGET_AGGREGATORS_PER_COMMITTEE;
use types::{
    Attestation, ForkName, SignedAggregateAndProof, SignedBLSToExecutionChange, SignedContributionAndProof,
    SingleAttestation, Ssz, SyncCommitteeMessage,
};

use super::Shared;
use super::parse::{container, is_ssz, json_body, json_list, required_version, slot_at};
use crate::lists::decode_list;
use crate::{ApiError, Failure};

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

/// Before Electra attestations have a bit for their attester, since then they name it.
pub async fn attestations_v1(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let (places, parsed, failures) = attestations_with_bits(&backend, &body)?;
    outcome(&places, failures, backend.publish_attestations(parsed).await?)
}

pub async fn attestations(
    State(backend): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let fork = required_version(&headers)?;
    let preset = &backend.spec().preset;
    let max = (preset.max_validators_per_committee * preset.max_committees_per_slot) as usize;
    match (fork >= ForkName::Electra, is_ssz(&headers)?) {
        (true, ssz) => {
            let (places, parsed, failures) = if ssz {
                whole_list(&backend, fork, &body, max)?
            } else {
                single_attestations(&backend, &body)?
            };
            outcome(&places, failures, backend.publish_single_attestations(parsed).await?)
        }
        (false, ssz) => {
            let (places, parsed, failures) = if ssz {
                whole_list(&backend, fork, &body, max)?
            } else {
                attestations_with_bits(&backend, &body)?
            };
            outcome(&places, failures, backend.publish_attestations(parsed).await?)
        }
    }
}

/// A list in SSZ is read as a whole or not at all.
fn whole_list<T: Ssz>(
    backend: &Shared,
    fork: ForkName,
    body: &[u8],
    max: usize,
) -> Result<Items<T>, ApiError> {
    let list = decode_list(body, max, backend.spec().ctx(fork)).map_err(ApiError::bad_request)?;
    Ok(((0..list.len()).collect(), list, Vec::new()))
}

fn attestations_with_bits(backend: &Shared, body: &[u8]) -> Result<Items<Attestation>, ApiError> {
    items(body, |value| {
        let slot = slot_at(value, "/data/slot")?;
        let fork = backend.spec().fork_name_at_slot(slot);
        if fork >= ForkName::Electra {
            let why = format!("attestations of {fork} are published as SingleAttestation by /eth/v2");
            return Err(ApiError::bad_request(why));
        }
        container::<Attestation>(value, backend.spec().ctx(fork))
    })
}

fn single_attestations(backend: &Shared, body: &[u8]) -> Result<Items<SingleAttestation>, ApiError> {
    items(body, |value| {
        let fork = backend.spec().fork_name_at_slot(slot_at(value, "/data/slot")?);
        if fork < ForkName::Electra {
            let why = format!("attestations of {fork} have no attester_index; the header must say {fork}");
            return Err(ApiError::bad_request(why));
        }
        container::<SingleAttestation>(value, backend.spec().ctx(fork))
    })
}

/// The first version knows aggregates whose data names the committee.
pub async fn aggregates_v1(State(backend): State<Shared>, body: Bytes) -> Result<StatusCode, ApiError> {
    let (places, parsed, failures) = aggregates_of(&backend, &body, |fork| {
        let why = || ApiError::bad_request(format!("aggregates of {fork} are published by /eth/v2"));
        if fork >= ForkName::Electra { Err(why()) } else { Ok(()) }
    })?;
    outcome(&places, failures, backend.publish_aggregates(parsed).await?)
}

pub async fn aggregates(
    State(backend): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let said = required_version(&headers)?;
    let (places, parsed, failures) = if is_ssz(&headers)? {
        let max = backend.spec().preset.max_committees_per_slot * TARGET_AGGREGATORS_PER_COMMITTEE;
        whole_list(&backend, said, &body, max as usize)?
    } else {
        aggregates_of(&backend, &body, |fork| {
            let is_electra = |fork| fork >= ForkName::Electra;
            let why = || ApiError::bad_request(format!("an aggregate of {fork}; the header says {said}"));
            if is_electra(fork) == is_electra(said) { Ok(()) } else { Err(why()) }
        })?
    };
    outcome(&places, failures, backend.publish_aggregates(parsed).await?)
}

fn aggregates_of(
    backend: &Shared,
    body: &[u8],
    check: impl Fn(ForkName) -> Result<(), ApiError>,
) -> Result<Items<SignedAggregateAndProof>, ApiError> {
    items(body, |value| {
        let fork = backend.spec().fork_name_at_slot(slot_at(value, "/message/aggregate/data/slot")?);
        check(fork)?;
        container::<SignedAggregateAndProof>(value, backend.spec().ctx(fork))
    })
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
