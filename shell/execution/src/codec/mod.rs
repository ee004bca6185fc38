//! The JSON of the [Engine API](https://github.com/ethereum/execution-apis/tree/main/src/engine), both ways: the client
//! writes what a mock engine reads, and the other way round.
//!
//! Reading is strict: a number (QUANTITY) has `0x` and no leading zeros, bytes (DATA) have `0x` and an even number of
//! digits, nothing that a version must have may be missing. Fields that are not known are not looked at, as engines may
//! say more than they must. An error says where. Lists are bounded by the size of the answer that they came in.

mod blobs;
mod forkchoice;
mod payload;
mod value;

pub use blobs::{
    blobs_from_json, blobs_to_json, bodies_from_json, bodies_to_json, built_payload_from_json,
    built_payload_to_json,
};
pub use forkchoice::{
    attributes_from_json, attributes_to_json, forkchoice_reply_from_json, forkchoice_reply_to_json,
    forkchoice_state_from_json, forkchoice_state_to_json, status_from_json, status_to_json,
};
pub use payload::{
    new_payload_from_params, new_payload_to_params, payload_from_json, payload_to_json,
    withdrawals_from_json, withdrawals_to_json,
};
pub use value::{
    Malformed, Object, data, data_to_json, each, fixed, flag, quantity, quantity_to_json, quantity256,
    quantity256_to_json, text,
};
