//! `beacon/deposit_snapshot`: the finalized part of the deposit contract's tree, EIP-4881. Nodes that start from a
//! checkpoint before EIP-6110's transition has ended go on from it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use types::Ctx;

use super::Shared;
use crate::ApiError;
use crate::envelope::Envelope;

/// As SSZ where the request prefers it, else as JSON.
pub async fn deposit_snapshot(
    State(backend): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let none = || ApiError::not_found("no deposits are finalized here, or their contract is not followed");
    let snapshot = backend.deposit_snapshot().ok_or_else(none)?;
    Ok(Envelope::plain().container(&headers, Arc::new(snapshot), Ctx::PLAIN).await)
}
