//! The fork choice: `ForkchoiceStateV1`, `PayloadAttributesV1` to `V3`, `PayloadStatusV1`.

use engine::{ForkchoiceState, PayloadAttributes, PayloadId, PayloadStatus, PayloadVerdict};
use serde_json::{Value, json};
use types::ForkName;

use super::payload::{withdrawals_from_json, withdrawals_to_json};
use super::value::{Malformed, Object, data_to_json, fixed, quantity, quantity_to_json, text};
use crate::rpc::shortened;

/// `ForkchoiceStateV1`.
pub fn forkchoice_state_to_json(state: &ForkchoiceState) -> Value {
    json!({
        "headBlockHash": data_to_json(&state.head_block_hash.0),
        "safeBlockHash": data_to_json(&state.safe_block_hash.0),
        "finalizedBlockHash": data_to_json(&state.finalized_block_hash.0),
    })
}

/// Reads `ForkchoiceStateV1`.
pub fn forkchoice_state_from_json(value: &Value) -> Result<ForkchoiceState, Malformed> {
    let object = Object::of(value)?;
    Ok(ForkchoiceState {
        head_block_hash: object.get("headBlockHash", fixed)?,
        safe_block_hash: object.get("safeBlockHash", fixed)?,
        finalized_block_hash: object.get("finalizedBlockHash", fixed)?,
    })
}

/// `PayloadAttributes` in the version of a fork.
pub fn attributes_to_json(fork: ForkName, attributes: &PayloadAttributes) -> Value {
    let mut json = json!({
        "timestamp": quantity_to_json(attributes.timestamp),
        "prevRandao": data_to_json(&attributes.prev_randao.0),
        "suggestedFeeRecipient": data_to_json(&attributes.suggested_fee_recipient.0),
    });
    if fork >= ForkName::Capella {
        json["withdrawals"] = withdrawals_to_json(&attributes.withdrawals);
    }
    if fork >= ForkName::Deneb {
        json["parentBeaconBlockRoot"] = data_to_json(&attributes.parent_beacon_block_root.0);
    }
    json
}

/// Reads `PayloadAttributes` in the version of a fork.
pub fn attributes_from_json(fork: ForkName, value: &Value) -> Result<PayloadAttributes, Malformed> {
    let object = Object::of(value)?;
    let mut attributes = PayloadAttributes {
        timestamp: object.get("timestamp", quantity)?,
        prev_randao: object.get("prevRandao", fixed)?,
        suggested_fee_recipient: object.get("suggestedFeeRecipient", fixed)?,
        ..PayloadAttributes::default()
    };
    if fork >= ForkName::Capella {
        attributes.withdrawals = object.get("withdrawals", withdrawals_from_json)?;
    }
    if fork >= ForkName::Deneb {
        attributes.parent_beacon_block_root = object.get("parentBeaconBlockRoot", fixed)?;
    }
    Ok(attributes)
}

const VERDICTS: [(&str, PayloadVerdict); 5] = [
    ("VALID", PayloadVerdict::Valid),
    ("INVALID", PayloadVerdict::Invalid),
    ("SYNCING", PayloadVerdict::Syncing),
    ("ACCEPTED", PayloadVerdict::Accepted),
    ("INVALID_BLOCK_HASH", PayloadVerdict::InvalidBlockHash),
];

/// `PayloadStatusV1`.
pub fn status_to_json(status: &PayloadStatus) -> Value {
    let name =
        VERDICTS.iter().find(|(_, verdict)| *verdict == status.verdict).expect("every verdict has a name").0;
    json!({
        "status": name,
        "latestValidHash": status.latest_valid_hash.map(|hash| data_to_json(&hash.0)),
        "validationError": status.validation_error,
    })
}

/// Reads `PayloadStatusV1`. The engine's words are shortened.
pub fn status_from_json(value: &Value) -> Result<PayloadStatus, Malformed> {
    let object = Object::of(value)?;
    Ok(PayloadStatus {
        verdict: object.get("status", verdict)?,
        latest_valid_hash: object.optional("latestValidHash", fixed)?,
        validation_error: object.optional("validationError", text)?.map(shortened),
    })
}

fn verdict(value: &Value) -> Result<PayloadVerdict, Malformed> {
    let name = text(value)?;
    let known = VERDICTS.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, verdict)| *verdict)
        .ok_or_else(|| Malformed::new(format!("unknown status {:?}", shortened(name))))
}

/// The answer to `engine_forkchoiceUpdated`.
pub fn forkchoice_reply_to_json(status: &PayloadStatus, payload_id: Option<PayloadId>) -> Value {
    json!({
        "payloadStatus": status_to_json(status),
        "payloadId": payload_id.map(|id| data_to_json(&id.0)),
    })
}

/// Reads the answer to `engine_forkchoiceUpdated`. It has fewer verdicts than `engine_newPayload`.
pub fn forkchoice_reply_from_json(value: &Value) -> Result<(PayloadStatus, Option<PayloadId>), Malformed> {
    let object = Object::of(value)?;
    let status = object.get("payloadStatus", status_from_json)?;
    if matches!(status.verdict, PayloadVerdict::Accepted | PayloadVerdict::InvalidBlockHash) {
        return Err(Malformed::new("a head is VALID, INVALID or SYNCING")
            .under("status")
            .under("payloadStatus"));
    }
    Ok((status, object.optional("payloadId", fixed)?))
}
