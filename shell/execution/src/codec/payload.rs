//! Payloads: `ExecutionPayloadV1` (Bellatrix), `V2` (Capella) and `V3` (Deneb, Electra, Fulu).

use engine::{NewPayload, get_execution_requests, get_execution_requests_list};
use serde_json::{Value, json};
use types::{Bytes, ExecutionPayload, ExecutionRequests, ForkName, Gwei, Root, ValidatorIndex, Withdrawal};

use super::value::{
    Malformed, Object, data, data_to_json, each, fixed, quantity, quantity_to_json, quantity256,
    quantity256_to_json,
};

/// The bytes of a header's extra data.
const EXTRA_DATA_BYTES_MAX: usize = 32;

/// The form of a payload at its fork.
pub fn payload_to_json(fork: ForkName, payload: &ExecutionPayload) -> Value {
    let mut json = json!({
        "parentHash": data_to_json(&payload.parent_hash.0),
        "feeRecipient": data_to_json(&payload.fee_recipient.0),
        "stateRoot": data_to_json(&payload.state_root.0),
        "receiptsRoot": data_to_json(&payload.receipts_root.0),
        "logsBloom": data_to_json(&payload.logs_bloom.0),
        "prevRandao": data_to_json(&payload.prev_randao.0),
        "blockNumber": quantity_to_json(payload.block_number),
        "gasLimit": quantity_to_json(payload.gas_limit),
        "gasUsed": quantity_to_json(payload.gas_used),
        "timestamp": quantity_to_json(payload.timestamp),
        "extraData": data_to_json(&payload.extra_data.0),
        "baseFeePerGas": quantity256_to_json(&payload.base_fee_per_gas),
        "blockHash": data_to_json(&payload.block_hash.0),
        "transactions": bytes_to_json(&payload.transactions),
    });
    if fork >= ForkName::Capella {
        json["withdrawals"] = withdrawals_to_json(&payload.withdrawals);
    }
    if fork >= ForkName::Deneb {
        json["blobGasUsed"] = quantity_to_json(payload.blob_gas_used);
        json["excessBlobGas"] = quantity_to_json(payload.excess_blob_gas);
    }
    json
}

/// A payload in the form of a fork. A field of a later fork is refused: the payload is of another fork then.
pub fn payload_from_json(fork: ForkName, value: &Value) -> Result<ExecutionPayload, Malformed> {
    let object = Object::of(value)?;
    let mut payload = ExecutionPayload {
        parent_hash: object.get("parentHash", fixed)?,
        fee_recipient: object.get("feeRecipient", fixed)?,
        state_root: object.get("stateRoot", fixed)?,
        receipts_root: object.get("receiptsRoot", fixed)?,
        logs_bloom: object.get("logsBloom", fixed)?,
        prev_randao: object.get("prevRandao", fixed)?,
        block_number: object.get("blockNumber", quantity)?,
        gas_limit: object.get("gasLimit", quantity)?,
        gas_used: object.get("gasUsed", quantity)?,
        timestamp: object.get("timestamp", quantity)?,
        extra_data: object.get("extraData", extra_data)?,
        base_fee_per_gas: object.get("baseFeePerGas", quantity256)?,
        block_hash: object.get("blockHash", fixed)?,
        transactions: object.get("transactions", |value| each(value, data))?,
        ..ExecutionPayload::default()
    };
    let of_later = |key: &str| match object.optional(key, Ok)? {
        Some(_) => Err(Malformed::new(format!("a payload of {fork} has no such field")).under(key)),
        None => Ok(()),
    };
    if fork >= ForkName::Capella {
        payload.withdrawals = object.get("withdrawals", withdrawals_from_json)?;
    } else {
        of_later("withdrawals")?;
    }
    if fork >= ForkName::Deneb {
        payload.blob_gas_used = object.get("blobGasUsed", quantity)?;
        payload.excess_blob_gas = object.get("excessBlobGas", quantity)?;
    } else {
        of_later("blobGasUsed")?;
        of_later("excessBlobGas")?;
    }
    Ok(payload)
}

fn extra_data(value: &Value) -> Result<Bytes, Malformed> {
    let bytes = data(value)?;
    match bytes.0.len() {
        0..=EXTRA_DATA_BYTES_MAX => Ok(bytes),
        found => Err(Malformed::new(format!("at most {EXTRA_DATA_BYTES_MAX} bytes, found {found}"))),
    }
}

/// `WithdrawalV1`, a list of it.
pub fn withdrawals_to_json(withdrawals: &[Withdrawal]) -> Value {
    let one = |withdrawal: &Withdrawal| {
        json!({
            "index": quantity_to_json(withdrawal.index),
            "validatorIndex": quantity_to_json(withdrawal.validator_index.0),
            "address": data_to_json(&withdrawal.address.0),
            "amount": quantity_to_json(withdrawal.amount.0),
        })
    };
    withdrawals.iter().map(one).collect()
}

/// Reads a list of `WithdrawalV1`.
pub fn withdrawals_from_json(value: &Value) -> Result<Vec<Withdrawal>, Malformed> {
    each(value, |value| {
        let object = Object::of(value)?;
        Ok(Withdrawal {
            index: object.get("index", quantity)?,
            validator_index: ValidatorIndex(object.get("validatorIndex", quantity)?),
            address: object.get("address", fixed)?,
            amount: Gwei(object.get("amount", quantity)?),
        })
    })
}

pub(super) fn bytes_to_json(list: &[Bytes]) -> Value {
    list.iter().map(|bytes| data_to_json(&bytes.0)).collect()
}

pub(super) fn requests_from_json(value: &Value) -> Result<ExecutionRequests, Malformed> {
    get_execution_requests(&each(value, data)?).map_err(|error| Malformed::new(error.to_string()))
}

pub(super) fn requests_to_json(requests: &ExecutionRequests) -> Value {
    bytes_to_json(&get_execution_requests_list(requests))
}

/// The parameters of `engine_newPayload` at the payload's fork.
pub fn new_payload_to_params(request: &NewPayload) -> Value {
    let mut params = vec![payload_to_json(request.fork, &request.payload)];
    if request.fork >= ForkName::Deneb {
        params.push(request.versioned_hashes.iter().map(|hash| data_to_json(&hash.0)).collect());
        params.push(data_to_json(&request.parent_beacon_block_root.0));
    }
    if request.fork >= ForkName::Electra {
        params.push(requests_to_json(&request.execution_requests));
    }
    Value::Array(params)
}

/// Reads the parameters of `engine_newPayload` at a fork.
pub fn new_payload_from_params(fork: ForkName, params: &[Value]) -> Result<NewPayload, Malformed> {
    let param = |at: usize| params.get(at).ok_or_else(|| Malformed::new("too few parameters"));
    let mut request = NewPayload {
        fork,
        payload: payload_from_json(fork, param(0)?).map_err(|error| error.under("0"))?,
        versioned_hashes: Vec::new(),
        parent_beacon_block_root: Root::ZERO,
        execution_requests: ExecutionRequests::default(),
    };
    if fork >= ForkName::Deneb {
        request.versioned_hashes = each(param(1)?, fixed).map_err(|error| error.under("1"))?;
        request.parent_beacon_block_root = fixed(param(2)?).map_err(|error| error.under("2"))?;
    }
    if fork >= ForkName::Electra {
        request.execution_requests = requests_from_json(param(3)?).map_err(|error| error.under("3"))?;
    }
    Ok(request)
}
