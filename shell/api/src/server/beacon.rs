//! `beacon/genesis`.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::Shared;
use crate::envelope::{Envelope, text};

pub async fn genesis(State(backend): State<Shared>) -> Response {
    let genesis = backend.genesis();
    Envelope::plain().json(json!({
        "genesis_time": text(&genesis.genesis_time),
        "genesis_validators_root": text(&genesis.genesis_validators_root),
        "genesis_fork_version": text(&genesis.genesis_fork_version),
    }))
}
