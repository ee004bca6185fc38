//! What `engine_getPayload`, `engine_getBlobs` and `engine_getPayloadBodies` answer.

use engine::{BlobAndProofs, BlobsBundle, BuiltPayload, PayloadBody};
use serde_json::{Value, json};
use types::{Bytes, ExecutionRequests, ForkName, KzgProof, Uint256};

use super::payload::{
    bytes_to_json, payload_from_json, payload_to_json, requests_from_json, requests_to_json,
    withdrawals_from_json, withdrawals_to_json,
};
use super::value::{
    Malformed, Object, data, data_to_json, each, fixed, flag, quantity256, quantity256_to_json,
};

/// Field elements of a blob, times the bytes of each. It is the same in every preset that there is.
const BLOB_BYTES: usize = 4096 * 32;
/// Cells of an extended blob, each of which has a proof since Fulu.
const CELLS_PER_BLOB: usize = 128;

/// How many proofs a blob has at a fork.
fn proofs_per_blob(fork: ForkName) -> usize {
    if fork >= ForkName::Fulu { CELLS_PER_BLOB } else { 1 }
}

/// The answer to `engine_getPayload` in the version of the payload's fork.
pub fn built_payload_to_json(built: &BuiltPayload) -> Value {
    let fork = built.fork;
    let payload = payload_to_json(fork, &built.payload);
    if fork <= ForkName::Bellatrix {
        return payload;
    }
    let mut json =
        json!({ "executionPayload": payload, "blockValue": quantity256_to_json(&built.block_value) });
    if fork >= ForkName::Deneb {
        json["blobsBundle"] = json!({
            "commitments": fixed_to_json(&built.blobs_bundle.commitments),
            "proofs": fixed_to_json(&built.blobs_bundle.proofs),
            "blobs": bytes_to_json(&built.blobs_bundle.blobs),
        });
        json["shouldOverrideBuilder"] = built.should_override_builder.into();
    }
    if fork >= ForkName::Electra {
        json["executionRequests"] = requests_to_json(&built.execution_requests);
    }
    json
}

fn fixed_to_json(list: &[KzgProof]) -> Value {
    list.iter().map(|bytes| data_to_json(&bytes.0)).collect()
}

/// Reads the answer to `engine_getPayload` in the version of a fork.
pub fn built_payload_from_json(fork: ForkName, value: &Value) -> Result<BuiltPayload, Malformed> {
    let mut built = BuiltPayload {
        fork,
        payload: Default::default(),
        block_value: Uint256::default(),
        blobs_bundle: BlobsBundle::default(),
        should_override_builder: false,
        execution_requests: ExecutionRequests::default(),
    };
    if fork <= ForkName::Bellatrix {
        built.payload = payload_from_json(fork, value)?;
        return Ok(built);
    }
    let object = Object::of(value)?;
    built.payload = object.get("executionPayload", |value| payload_from_json(fork, value))?;
    built.block_value = object.get("blockValue", quantity256)?;
    if fork >= ForkName::Deneb {
        built.blobs_bundle = object.get("blobsBundle", |value| bundle_from_json(fork, value))?;
        built.should_override_builder = object.get("shouldOverrideBuilder", flag)?;
    }
    if fork >= ForkName::Electra {
        built.execution_requests = object.get("executionRequests", requests_from_json)?;
    }
    Ok(built)
}

fn bundle_from_json(fork: ForkName, value: &Value) -> Result<BlobsBundle, Malformed> {
    let object = Object::of(value)?;
    let bundle = BlobsBundle {
        commitments: object.get("commitments", |value| each(value, fixed))?,
        proofs: object.get("proofs", |value| each(value, fixed))?,
        blobs: object.get("blobs", |value| each(value, blob))?,
    };
    let blobs = bundle.blobs.len();
    let proofs = blobs * proofs_per_blob(fork);
    if bundle.commitments.len() != blobs || bundle.proofs.len() != proofs {
        return Err(Malformed::new(format!(
            "{blobs} blobs of {fork} have as many commitments and {proofs} proofs, found {} and {}",
            bundle.commitments.len(),
            bundle.proofs.len()
        )));
    }
    Ok(bundle)
}

fn blob(value: &Value) -> Result<Bytes, Malformed> {
    let bytes = data(value)?;
    match bytes.0.len() {
        BLOB_BYTES => Ok(bytes),
        found => Err(Malformed::new(format!("a blob has {BLOB_BYTES} bytes, found {found}"))),
    }
}

/// The answer to `engine_getBlobs` in the version of a fork: nulls for single blobs before Fulu, all or null since.
pub fn blobs_to_json(fork: ForkName, blobs: &[Option<BlobAndProofs>]) -> Value {
    let is_all_or_none = fork >= ForkName::Fulu;
    if is_all_or_none && blobs.iter().any(Option::is_none) {
        return Value::Null;
    }
    let one = |blob: &BlobAndProofs| {
        let mut json = json!({ "blob": data_to_json(&blob.blob.0) });
        if is_all_or_none {
            json["proofs"] = fixed_to_json(&blob.proofs);
        } else {
            json["proof"] = blob.proofs.first().map_or(Value::Null, |proof| data_to_json(&proof.0));
        }
        json
    };
    blobs.iter().map(|blob| blob.as_ref().map(one)).collect()
}

/// Reads the answer to `engine_getBlobs` in the version of a fork, for a number of hashes.
pub fn blobs_from_json(
    fork: ForkName,
    asked: usize,
    value: &Value,
) -> Result<Vec<Option<BlobAndProofs>>, Malformed> {
    if fork >= ForkName::Fulu && value.is_null() {
        return Ok(vec![None; asked]);
    }
    let read = |value: &Value| {
        let object = Object::of(value)?;
        let blob = object.get("blob", blob)?;
        let proofs: Vec<KzgProof> = if fork >= ForkName::Fulu {
            object.get("proofs", |value| each(value, fixed))?
        } else {
            vec![object.get("proof", fixed)?]
        };
        if proofs.len() != proofs_per_blob(fork) {
            return Err(Malformed::new(format!("a blob of {fork} does not have {} proofs", proofs.len())));
        }
        Ok(BlobAndProofs { blob, proofs })
    };
    let nullable = |value: &Value| if value.is_null() { Ok(None) } else { read(value).map(Some) };
    let blobs = each(value, nullable)?;
    as_many(blobs, asked)
}

/// The answer to `engine_getPayloadBodiesBy…V1`.
pub fn bodies_to_json(bodies: &[Option<PayloadBody>]) -> Value {
    let one = |body: &PayloadBody| {
        json!({
            "transactions": bytes_to_json(&body.transactions),
            "withdrawals": body.withdrawals.as_deref().map(withdrawals_to_json),
        })
    };
    bodies.iter().map(|body| body.as_ref().map(one)).collect()
}

/// Reads the answer to `engine_getPayloadBodiesBy…V1`. By hash there is one element for each hash; a range may be cut at
/// the engine's newest block, so that `asked` is none.
pub fn bodies_from_json(asked: Option<usize>, value: &Value) -> Result<Vec<Option<PayloadBody>>, Malformed> {
    let bodies = each(value, |value| {
        if value.is_null() {
            return Ok(None);
        }
        let object = Object::of(value)?;
        Ok(Some(PayloadBody {
            transactions: object.get("transactions", |value| each(value, data))?,
            withdrawals: object.optional("withdrawals", withdrawals_from_json)?,
        }))
    })?;
    match asked {
        Some(asked) => as_many(bodies, asked),
        None => Ok(bodies),
    }
}

fn as_many<T>(list: Vec<T>, asked: usize) -> Result<Vec<T>, Malformed> {
    match list.len() {
        found if found == asked => Ok(list),
        found => Err(Malformed::new(format!("{asked} were asked for, {found} came"))),
    }
}
