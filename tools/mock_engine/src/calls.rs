//! The methods of the Engine API by name: JSON in, JSON out.

use engine::{EngineFailure, EngineReply, EngineRequest};
use execution::codec::{self, Malformed, data_to_json, quantity_to_json};
use execution::method;
use serde_json::{Value, json};
use types::ForkName;

use crate::mock_engine::MockEngine;

/// A JSON-RPC error: its code and message.
pub(crate) type RpcError = (i64, String);

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const TOO_LARGE: i64 = -38004;

fn invalid(error: impl std::fmt::Display) -> RpcError {
    (INVALID_PARAMS, format!("Invalid params: {error}"))
}

impl MockEngine {
    /// The answer to a method, at a time in milliseconds.
    pub(crate) fn call(&mut self, now_ms: u64, name: &str, params: &[Value]) -> Result<Value, RpcError> {
        if name.starts_with("eth_") {
            return self.call_eth(now_ms, name, params);
        }
        match name {
            "engine_exchangeCapabilities" => return Ok(json!(method::capabilities())),
            "engine_getClientVersionV1" => return Ok(client_version()),
            // It is deprecated, and what older clients want is that both say the same.
            "engine_exchangeTransitionConfigurationV1" => return param(params, 0).cloned().map_err(invalid),
            "engine_getPayloadBodiesByRangeV1" => return self.bodies_by_range(params),
            _ => {}
        }
        let Some((name, version)) = name.split_at_checked(name.len().saturating_sub(2)) else {
            return Err(unknown(name));
        };
        let Some(request) = read_request(name, version, params).map_err(invalid)? else {
            return Err(unknown(&format!("{name}{version}")));
        };
        let reply = self.handle(now_ms, &request);
        reply_to_json(&request, reply)
    }

    fn bodies_by_range(&self, params: &[Value]) -> Result<Value, RpcError> {
        let first = param(params, 0).and_then(codec::quantity).map_err(invalid)?;
        let count = param(params, 1).and_then(codec::quantity).map_err(invalid)?;
        if first == 0 || count == 0 {
            return Err(invalid("numbers begin at 1"));
        }
        if count > 32 {
            return Err((TOO_LARGE, "Too large request".to_owned()));
        }
        let head = self.forkchoice().head_block_hash;
        let newest = self.block(head).map_or(0, |block| block.number);
        let last = first.saturating_add(count - 1).min(newest);
        let body = |number| self.tree.ancestor_at(head, number).and_then(|block| self.body(block.hash));
        Ok(codec::bodies_to_json(&(first..=last).map(body).collect::<Vec<_>>()))
    }
}

fn unknown(name: &str) -> RpcError {
    (METHOD_NOT_FOUND, format!("the method {name} does not exist"))
}

pub(crate) fn param(params: &[Value], at: usize) -> Result<&Value, Malformed> {
    params.get(at).ok_or_else(|| Malformed::new(format!("parameter {at} is missing")))
}

/// The request of a method with its version; none where there is no such method.
fn read_request(name: &str, version: &str, params: &[Value]) -> Result<Option<EngineRequest>, Malformed> {
    use ForkName::{Bellatrix, Capella, Deneb, Electra, Fulu};
    let first = || param(params, 0);
    Ok(Some(match (name, version) {
        ("engine_newPayload", _) => {
            let fork = match version {
                "V1" => Bellatrix,
                // The second version takes payloads of the first as well.
                "V2" if first()?["withdrawals"].is_null() => Bellatrix,
                "V2" => Capella,
                "V3" => Deneb,
                "V4" => Electra,
                _ => return Ok(None),
            };
            EngineRequest::NewPayload(codec::new_payload_from_params(fork, params)?.into())
        }
        ("engine_forkchoiceUpdated", _) => {
            let attributes = params.get(1).filter(|value| !value.is_null());
            let fork = match version {
                "V1" => Bellatrix,
                "V2" if attributes.is_some_and(|attributes| attributes["withdrawals"].is_null()) => Bellatrix,
                "V2" => Capella,
                "V3" => Deneb,
                _ => return Ok(None),
            };
            EngineRequest::ForkchoiceUpdated {
                fork,
                state: codec::forkchoice_state_from_json(first()?)?,
                attributes: attributes.map(|value| codec::attributes_from_json(fork, value)).transpose()?,
            }
        }
        ("engine_getPayload", _) => {
            let fork = match version {
                "V1" => Bellatrix,
                "V2" => Capella,
                "V3" => Deneb,
                "V4" => Electra,
                "V5" => Fulu,
                _ => return Ok(None),
            };
            EngineRequest::GetPayload { fork, id: codec::fixed(first()?)? }
        }
        ("engine_getBlobs", "V1" | "V2") => EngineRequest::GetBlobs {
            fork: if version == "V1" { Deneb } else { Fulu },
            versioned_hashes: codec::each(first()?, codec::fixed)?,
        },
        ("engine_getPayloadBodiesByHash", "V1") => {
            EngineRequest::GetPayloadBodies { hashes: codec::each(first()?, codec::fixed)? }
        }
        _ => return Ok(None),
    }))
}

fn reply_to_json(request: &EngineRequest, reply: EngineReply) -> Result<Value, RpcError> {
    Ok(match reply {
        EngineReply::NewPayload(status) => codec::status_to_json(&status),
        EngineReply::ForkchoiceUpdated { status, payload_id } => {
            codec::forkchoice_reply_to_json(&status, payload_id)
        }
        EngineReply::Payload(built) => codec::built_payload_to_json(&built),
        EngineReply::Blobs(blobs) => match request {
            EngineRequest::GetBlobs { fork, .. } => codec::blobs_to_json(*fork, &blobs),
            _ => unreachable!("blobs are an answer to a request for blobs"),
        },
        EngineReply::Bodies(bodies) => codec::bodies_to_json(&bodies),
        EngineReply::PowBlock(_) => unreachable!("blocks are asked for in the eth_ family"),
        EngineReply::Failed(EngineFailure::Refused { code, message }) => return Err((code, message)),
        EngineReply::Failed(failure) => return Err((-32603, failure.to_string())),
    })
}

fn client_version() -> Value {
    json!([{
        "code": "IL",
        "name": "Interlock mock engine",
        "version": env!("CARGO_PKG_VERSION"),
        "commit": data_to_json(&[0; 4]),
    }])
}

/// A block as `eth_getBlockBy…` tells it, as far as a consensus client reads it.
pub(crate) fn block_to_json(block: &crate::MockBlock) -> Value {
    json!({
        "hash": data_to_json(&block.hash.0),
        "parentHash": data_to_json(&block.parent_hash.0),
        "number": quantity_to_json(block.number),
        "timestamp": quantity_to_json(block.timestamp),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
    })
}
