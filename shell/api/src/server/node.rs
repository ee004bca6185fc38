//! `node/*`: the node itself and its peers.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Shared;
use super::parse::Query;
use crate::envelope::{Envelope, text};
use crate::{ApiError, PeerInfo, Syncing};

pub async fn identity(State(backend): State<Shared>) -> Result<Response, ApiError> {
    let identity = backend.identity().await?;
    Ok(Envelope::plain().json(json!({
        "peer_id": identity.peer_id,
        "enr": identity.enr,
        "p2p_addresses": identity.p2p_addresses,
        "discovery_addresses": identity.discovery_addresses,
        "metadata": {
            "seq_number": text(&identity.seq_number),
            "attnets": identity.attnets,
            "syncnets": identity.syncnets,
        },
    })))
}

fn peer_json(peer: &PeerInfo) -> Value {
    json!({
        "peer_id": peer.peer_id, "enr": peer.enr, "last_seen_p2p_address": peer.last_seen_p2p_address,
        "state": peer.state, "direction": peer.direction, "agent": peer.agent,
    })
}

pub async fn peers(State(backend): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let (states, directions): (Vec<&str>, Vec<&str>) =
        (query.all("state").collect(), query.all("direction").collect());
    let wanted = |peer: &&PeerInfo| {
        (states.is_empty() || states.contains(&peer.state.as_str()))
            && (directions.is_empty() || directions.contains(&peer.direction.as_str()))
    };
    let peers = backend.peers().await?;
    let found: Vec<Value> = peers.iter().filter(wanted).map(peer_json).collect();
    let count = json!({ "count": found.len() });
    Ok(Envelope::plain().with("meta", count).json(Value::Array(found)))
}

pub async fn peer(State(backend): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let peers = backend.peers().await?;
    let found = peers.iter().find(|peer| peer.peer_id == id);
    let peer = found.ok_or_else(|| ApiError::not_found(format!("no peer {id}")))?;
    Ok(Envelope::plain().json(peer_json(peer)))
}

pub async fn peer_count(State(backend): State<Shared>) -> Result<Response, ApiError> {
    let peers = backend.peers().await?;
    let count = |state: &str| text(&peers.iter().filter(|peer| peer.state == state).count());
    Ok(Envelope::plain().json(json!({
        "disconnected": count("disconnected"), "connecting": count("connecting"),
        "connected": count("connected"), "disconnecting": count("disconnecting"),
    })))
}

pub async fn version(State(backend): State<Shared>) -> Response {
    Envelope::plain().json(json!({ "version": backend.version() }))
}

pub async fn syncing(State(backend): State<Shared>) -> Response {
    let syncing = backend.syncing();
    Envelope::plain().json(json!({
        "head_slot": text(&syncing.head_slot), "sync_distance": text(&syncing.sync_distance),
        "is_syncing": syncing.is_syncing, "is_optimistic": syncing.is_optimistic, "el_offline": syncing.el_offline,
    }))
}

pub async fn health(State(backend): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref());
    let while_syncing = query.optional::<u16>("syncing_status")?.unwrap_or(206);
    let Syncing { is_syncing, is_optimistic, el_offline, .. } = backend.syncing();
    let status = if is_syncing || is_optimistic || el_offline { while_syncing } else { 200 };
    let status = StatusCode::from_u16(status).map_err(|_| ApiError::bad_request("invalid syncing_status"))?;
    Ok(status.into_response())
}
