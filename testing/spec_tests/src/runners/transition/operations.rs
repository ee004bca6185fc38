//! [`operations`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/operations): one operation of a
//! block on a state.

use anyhow::bail;
use serde::Deserialize;
use transition::block::{
    PayloadStatus, process_attestation, process_attester_slashing, process_block_header,
    process_bls_to_execution_change, process_consolidation_request, process_deposit, process_deposit_request,
    process_execution_payload, process_proposer_slashing, process_sync_aggregate, process_voluntary_exit,
    process_withdrawal_request, process_withdrawals,
};

use super::{signed, state_before};
use crate::case::Case;

/// What the execution engine says.
#[derive(Deserialize)]
struct Execution {
    execution_valid: bool,
}

pub fn run(case: &Case) -> super::super::Result {
    let state = state_before(case, "pre.ssz")?;
    macro_rules! process {
        ($file:literal, |$state:ident, $operation:ident, $signatures:ident| $call:expr) => {{
            let $operation = &case.ssz($file)?;
            signed::run(case, &state, |$state, $signatures| $call)
        }};
    }
    match case.handler.as_str() {
        "attestation" => process!("attestation.ssz", |state, attestation, signatures| {
            process_attestation(state, attestation, signatures)
        }),
        "attester_slashing" => process!("attester_slashing.ssz", |state, slashing, signatures| {
            process_attester_slashing(state, slashing, signatures)
        }),
        "proposer_slashing" => process!("proposer_slashing.ssz", |state, slashing, signatures| {
            process_proposer_slashing(state, slashing, signatures)
        }),
        "voluntary_exit" => process!("voluntary_exit.ssz", |state, exit, signatures| {
            process_voluntary_exit(state, exit, signatures)
        }),
        "execution_payload" => {
            let status = match case.yaml::<Execution>("execution.yaml")?.execution_valid {
                true => PayloadStatus::Valid,
                false => PayloadStatus::Invalidated,
            };
            process!("body.ssz", |state, body, _signatures| process_execution_payload(state, body, status))
        }
        "withdrawals" => process!("execution_payload.ssz", |state, payload, _signatures| {
            process_withdrawals(state, payload)
        }),
        "bls_to_execution_change" => process!("address_change.ssz", |state, change, signatures| {
            process_bls_to_execution_change(state, change, signatures)
        }),
        "deposit_request" => process!("deposit_request.ssz", |state, request, _signatures| {
            process_deposit_request(state, request)
        }),
        "withdrawal_request" => process!("withdrawal_request.ssz", |state, request, _signatures| {
            process_withdrawal_request(state, request)
        }),
        "consolidation_request" => process!("consolidation_request.ssz", |state, request, _signatures| {
            process_consolidation_request(state, request)
        }),
        "sync_aggregate" => process!("sync_aggregate.ssz", |state, aggregate, signatures| {
            process_sync_aggregate(state, aggregate, signatures)
        }),
        // A header's signature is no part of it, and a deposit's is verified in any case.
        "block_header" => {
            process!("block.ssz", |state, block, _signatures| process_block_header(state, block))
        }
        "deposit" => process!("deposit.ssz", |state, deposit, _signatures| process_deposit(state, deposit)),
        other => bail!("no operation {other}"),
    }
}
