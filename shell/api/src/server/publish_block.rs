//! Signed blocks that validators send to be published, since Deneb with their blobs.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use types::{BlockContents, ForkName, SignedBeaconBlock, SignedBlockContents, Slot, Spec, SszExt};

use super::Shared;
use super::parse::{Query, container, is_ssz, json_body, required_version, slot_at, version};
use crate::{ApiError, BroadcastValidation};

/// Where the slot stands in a signed block of any fork: behind an offset and a signature.
const BLOCK_SLOT: std::ops::Range<usize> = 100..108;
/// The size of a signed block's fixed part: what its first offset says.
const BLOCK_FIXED: u32 = 100;
/// The size of the contents' fixed part, three offsets; the signed block stands behind it.
const CONTENTS_FIXED: u32 = 12;

pub async fn block_v1(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let said = version(&headers)?;
    publish_block(&backend, query.as_deref(), said, (&headers, body)).await
}

pub async fn block(
    State(backend): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let said = Some(required_version(&headers)?);
    publish_block(&backend, query.as_deref(), said, (&headers, body)).await
}

async fn publish_block(
    backend: &Shared,
    query: Option<&str>,
    said: Option<ForkName>,
    (headers, body): (&HeaderMap, Bytes),
) -> Result<StatusCode, ApiError> {
    let validation = Query::parse(query).optional::<BroadcastValidation>("broadcast_validation")?;
    let read = if is_ssz(headers)? { block_of_ssz } else { block_of_json };
    let spec = backend.spec();
    // Megabytes of blobs are read where nobody else waits.
    let contents = tokio::task::spawn_blocking(move || read(spec, said, &body)).await;
    let contents = contents.map_err(|error| ApiError::internal(format!("reading failed: {error}")))??;
    backend.publish_block(contents, validation.unwrap_or_default()).await?;
    Ok(StatusCode::OK)
}

/// The fork of a block, which must be the one that the request names, and the form of blocks of that fork.
fn block_fork(
    spec: &'static Spec,
    said: Option<ForkName>,
    slot: Slot,
    has_contents: bool,
) -> Result<ForkName, ApiError> {
    let fork = spec.fork_name_at_slot(slot);
    if said.is_some_and(|said| said != fork) {
        let said = said.unwrap_or(fork);
        return Err(ApiError::bad_request(format!("a block of {fork}; the header says {said}")));
    }
    match (BlockContents::are_used_in(fork), has_contents) {
        (true, false) => Err(ApiError::bad_request(format!(
            "a block of {fork} is published with its blobs, as signed_block, kzg_proofs and blobs"
        ))),
        (false, true) => Err(ApiError::bad_request(format!("a block of {fork} has no blobs"))),
        _ => Ok(fork),
    }
}

fn block_of_json(
    spec: &'static Spec,
    said: Option<ForkName>,
    body: &[u8],
) -> Result<SignedBlockContents, ApiError> {
    let json = json_body(body)?;
    match json.get("signed_block") {
        Some(block) => {
            let fork = block_fork(spec, said, slot_at(block, "/message/slot")?, true)?;
            container(&json, spec.ctx(fork))
        }
        None => {
            let fork = block_fork(spec, said, slot_at(&json, "/message/slot")?, false)?;
            Ok(container::<SignedBeaconBlock>(&json, spec.ctx(fork))?.into())
        }
    }
}

/// The first offset tells a block from a block with blobs.
fn block_of_ssz(
    spec: &'static Spec,
    said: Option<ForkName>,
    body: &[u8],
) -> Result<SignedBlockContents, ApiError> {
    let wrong = |error: ssz::DecodeError| ApiError::bad_request(error.to_string());
    let no_block = || ApiError::bad_request("the body is no signed block");
    let offset = body.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (start, has_contents) = match offset {
        Some(BLOCK_FIXED) => (0, false),
        Some(CONTENTS_FIXED) => (CONTENTS_FIXED as usize, true),
        _ => return Err(no_block()),
    };
    let slot = body.get(start + BLOCK_SLOT.start..start + BLOCK_SLOT.end).ok_or_else(no_block)?;
    let slot = Slot(u64::from_le_bytes(slot.try_into().expect("8 bytes")));
    let ctx = spec.ctx(block_fork(spec, said, slot, has_contents)?);
    match has_contents {
        true => SignedBlockContents::from_ssz(body, ctx).map_err(wrong),
        false => Ok(SignedBeaconBlock::from_ssz(body, ctx).map_err(wrong)?.into()),
    }
}
