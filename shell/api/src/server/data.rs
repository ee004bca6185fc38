//! Blobs and data columns of blocks.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use types::{BlobSidecar, DataColumnSidecar, Root};

use super::Shared;
use super::parse::{Query, parsed};
use crate::envelope::Envelope;
use crate::{ApiError, BlockId};

/// The values of a key that may be repeated or list several; none where it is not there.
fn listed<T: std::str::FromStr>(query: &Query, key: &str) -> Result<Option<Vec<T>>, ApiError> {
    let values: Vec<T> = query.all(key).map(|value| parsed(key, value)).collect::<Result<_, _>>()?;
    Ok((!values.is_empty()).then_some(values))
}

fn wanted<T: Clone>(items: Vec<Arc<T>>, index: fn(&T) -> u64, indices: Option<&[u64]>) -> Vec<T> {
    let is_wanted = |item: &Arc<T>| indices.is_none_or(|indices| indices.contains(&index(item)));
    items.into_iter().filter(is_wanted).map(Arc::unwrap_or_clone).collect()
}

pub async fn blob_sidecars(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let indices = listed(&Query::parse(query.as_deref()), "indices")?;
    let found = backend.blob_sidecars(id.parse::<BlockId>()?).await?;
    let envelope = Envelope::of(&found);
    let (fork, sidecars) = found.value;
    let sidecars = wanted(sidecars, |sidecar: &BlobSidecar| sidecar.index, indices.as_deref());
    Ok(envelope.version(fork).list(&headers, sidecars, backend.spec().ctx(fork)).await)
}

pub async fn data_column_sidecars(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let indices = listed(&Query::parse(query.as_deref()), "indices")?;
    let found = backend.data_column_sidecars(id.parse::<BlockId>()?).await?;
    let envelope = Envelope::of(&found);
    let (fork, sidecars) = found.value;
    let sidecars = wanted(sidecars, |sidecar: &DataColumnSidecar| sidecar.index, indices.as_deref());
    Ok(envelope.version(fork).list(&headers, sidecars, backend.spec().ctx(fork)).await)
}

pub async fn blobs(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let hashes = listed::<Root>(&Query::parse(query.as_deref()), "versioned_hashes")?;
    let found = backend.blobs(id.parse::<BlockId>()?, hashes).await?;
    let envelope = Envelope::of(&found);
    let blobs = Arc::new(found.value.1);
    let other = blobs.clone();
    // All blobs have the same length, so that their list is one after the other.
    let to_ssz = move || other.iter().flat_map(|blob| blob.0.iter().copied()).collect();
    let to_json = move || {
        let texts: Vec<String> = blobs.iter().map(|blob| format!("\"{blob:?}\"")).collect();
        format!("[{}]", texts.join(","))
    };
    Ok(envelope.encoded(&headers, to_ssz, to_json).await)
}
