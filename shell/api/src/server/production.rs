//! Blocks to be signed.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use types::{BlockContents, ForkName, Root};

use super::Shared;
use super::parse::{Query, parsed};
use crate::envelope::Envelope;
use crate::{ApiError, BlockRequest, ProducedBlock};

/// The API's form is 0x and 64 digits; older validator clients send the words themselves, at most 32 bytes of them.
fn graffiti(text: &str) -> Result<Root, ApiError> {
    if let Ok(root) = text.parse() {
        return Ok(root);
    }
    let mut bytes = [0; 32];
    match bytes.get_mut(..text.len()) {
        Some(start) if !text.starts_with("0x") => start.copy_from_slice(text.as_bytes()),
        _ => return Err(ApiError::bad_request(format!("invalid graffiti: {text:?}"))),
    }
    Ok(Root::from(bytes))
}

async fn produced(backend: &Shared, slot: &str, query: Option<&str>) -> Result<ProducedBlock, ApiError> {
    let query = Query::parse(query);
    let request = BlockRequest {
        slot: parsed("slot", slot)?,
        randao_reveal: query.required("randao_reveal")?,
        graffiti: query.get("graffiti").map_or(Ok(Root::ZERO), graffiti)?,
    };
    // No builder is asked, whatever a validator thinks of them, but a wrong number is one.
    query.optional::<u64>("builder_boost_factor")?;
    backend.produce_block(request).await
}

/// The block, since Deneb with its blobs.
async fn answer(
    backend: &Shared,
    headers: &HeaderMap,
    envelope: Envelope,
    contents: BlockContents,
) -> Response {
    let fork = backend.spec().fork_name_at_slot(contents.block.slot);
    let ctx = backend.spec().ctx(fork);
    match BlockContents::are_used_in(fork) {
        true => envelope.container(headers, Arc::new(contents), ctx).await,
        false => envelope.container(headers, Arc::new(contents.block), ctx).await,
    }
}

/// What the first versions put beside a block. It is no part of the API, but validator clients of their time (such as
/// Lodestar 1.5.1) fail without it.
const BLOCK_VALUE: &str = "block_value";

pub async fn produce_v1(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let fork = backend.spec().fork_name_at_slot(parsed("slot", &slot)?);
    if fork != ForkName::Phase0 {
        return Err(ApiError::bad_request(format!("a block of {fork} is produced by /eth/v2 or /eth/v3")));
    }
    let produced = produced(&backend, &slot, query.as_deref()).await?;
    let envelope = Envelope::plain().with(BLOCK_VALUE, "\"0\"");
    Ok(answer(&backend, &headers, envelope, produced.contents).await)
}

pub async fn produce_v2(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let produced = produced(&backend, &slot, query.as_deref()).await?;
    let fork = backend.spec().fork_name_at_slot(produced.contents.block.slot);
    let value = format!("\"{}\"", produced.execution_payload_value);
    let envelope = Envelope::plain().version(fork).with(BLOCK_VALUE, value);
    Ok(answer(&backend, &headers, envelope, produced.contents).await)
}

pub async fn produce_v3(
    State(backend): State<Shared>,
    Path(slot): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let produced = produced(&backend, &slot, query.as_deref()).await?;
    let fork = backend.spec().fork_name_at_slot(produced.contents.block.slot);
    let payload_value = produced.execution_payload_value.to_string();
    let block_value = produced.consensus_block_value.to_string();
    let envelope = Envelope::plain()
        .version(fork)
        .with("execution_payload_blinded", "false")
        .with("execution_payload_value", format!("\"{payload_value}\""))
        .with("consensus_block_value", format!("\"{block_value}\""));
    let mut response = answer(&backend, &headers, envelope, produced.contents).await;
    let facts = [
        ("eth-execution-payload-blinded", "false"),
        ("eth-execution-payload-value", &payload_value),
        ("eth-consensus-block-value", &block_value),
    ];
    for (name, value) in facts {
        let value = HeaderValue::from_str(value).expect("digits and letters");
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graffiti_may_be_32_bytes_in_hex_or_words() {
        let digits = format!("0x{}", "ab".repeat(32));
        assert_eq!(graffiti(&digits).unwrap(), Root::from([0xab; 32]));
        let mut words = [0; 32];
        words[..9].copy_from_slice(b"Interlock");
        assert_eq!(graffiti("Interlock").unwrap(), Root::from(words));
        assert_eq!(graffiti("").unwrap(), Root::ZERO);
        assert_eq!(graffiti(&"x".repeat(32)).unwrap(), Root::from([b'x'; 32]));
        for wrong in ["0x12", &"x".repeat(33)] {
            assert_eq!(graffiti(wrong).unwrap_err().code, 400, "{wrong}");
        }
    }
}
