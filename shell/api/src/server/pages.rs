//! The fork view, served beside the API.

use axum::Json;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

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
    let asset = forkview::asset(&name)
        .ok_or_else(|| ApiError::not_found(format!("the fork view has no file {name:?}")))?;
    // Not kept by browsers: the page belongs to the version that serves it.
    Ok(([(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "no-cache")], asset.text).into_response())
}

/// The nodes that the page shows where its address names none: this one, by addresses relative to the page's.
pub async fn nodes() -> Json<Value> {
    Json(json!({ "nodes": [{ "id": "this", "name": "this node", "url": "" }] }))
}
