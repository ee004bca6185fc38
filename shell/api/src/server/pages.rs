//! The fork view and the dashboard, served beside the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use forkview::Asset;
use serde_json::{Value, json};

use super::Shared;
use crate::ApiError;

/// Leads to the page; with its slash, for its files are named relative to it.
pub async fn to_page() -> Redirect {
    Redirect::temporary("/forkview/")
}

/// The page.
pub async fn page() -> Result<Response, ApiError> {
    file(Path(String::new())).await
}

/// A file of the page.
pub async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    embedded(forkview::asset(&name), || format!("the fork view has no file {name:?}"))
}

/// Leads to the dashboard.
pub async fn to_dashboard() -> Redirect {
    Redirect::temporary("/dashboard/")
}

/// The dashboard.
pub async fn dashboard() -> Result<Response, ApiError> {
    dashboard_file(Path(String::new())).await
}

/// A file of the dashboard.
pub async fn dashboard_file(Path(name): Path<String>) -> Result<Response, ApiError> {
    embedded(dashboard::asset(&name), || format!("the dashboard has no file {name:?}"))
}

fn embedded(asset: Option<&Asset>, lacking: impl Fn() -> String) -> Result<Response, ApiError> {
    let asset = asset.ok_or_else(|| ApiError::not_found(lacking()))?;
    // Not kept by browsers: the page belongs to the version that serves it.
    Ok(([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "no-cache")], asset.text).into_response())
}

/// The figures that the dashboard shows.
pub async fn status(State(backend): State<Shared>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(backend.status())).into_response()
}

/// The nodes that the pages show where their address names none: this one, by addresses relative to the page's.
pub async fn nodes() -> Json<Value> {
    Json(json!({ "nodes": [{ "id": "this", "name": "this node", "url": "" }] }))
}
