//! `config/*`: the network's rules.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use types::constants::{self, FAR_FUTURE_EPOCH};
use types::{ForkName, Version};

use super::Shared;
use crate::envelope::{Envelope, text};

pub async fn spec(State(backend): State<Shared>) -> Response {
    let spec = backend.spec();
    let mut values: Map<String, Value> = spec
        .preset
        .entries()
        .into_iter()
        .chain(spec.config.entries())
        .map(|(key, value)| (key, value.into()))
        .collect();
    // Older clients know the slot in whole seconds only.
    let seconds = spec.config.slot_duration_ms.div_ceil(1000);
    values.entry("SECONDS_PER_SLOT").or_insert_with(|| seconds.to_string().into());
    values.insert("BLOB_SCHEDULE".into(), blob_schedule(&spec.config.blob_schedule));
    for (key, value) in constant_entries() {
        values.entry(key).or_insert_with(|| value.into());
    }
    Envelope::plain().json(Value::Object(values))
}

fn blob_schedule(schedule: &[types::BlobParameters]) -> Value {
    let entry = |entry: &types::BlobParameters| json!({ "EPOCH": text(&entry.epoch), "MAX_BLOBS_PER_BLOCK": text(&entry.max_blobs_per_block) });
    schedule.iter().map(entry).collect()
}

fn constant_entries() -> Vec<(&'static str, String)> {
    vec![
        ("GENESIS_SLOT", constants::GENESIS_SLOT.to_string()),
        ("GENESIS_EPOCH", constants::GENESIS_EPOCH.to_string()),
        ("FAR_FUTURE_EPOCH", FAR_FUTURE_EPOCH.to_string()),
        ("BASE_REWARDS_PER_EPOCH", constants::BASE_REWARDS_PER_EPOCH.to_string()),
        ("DEPOSIT_CONTRACT_TREE_DEPTH", constants::DEPOSIT_CONTRACT_TREE_DEPTH.to_string()),
        ("JUSTIFICATION_BITS_LENGTH", constants::JUSTIFICATION_BITS_LENGTH.to_string()),
        ("TARGET_AGGREGATORS_PER_COMMITTEE", constants::TARGET_AGGREGATORS_PER_COMMITTEE.to_string()),
        ("DOMAIN_BEACON_PROPOSER", constants::DOMAIN_BEACON_PROPOSER.to_string()),
        ("DOMAIN_BEACON_ATTESTER", constants::DOMAIN_BEACON_ATTESTER.to_string()),
        ("DOMAIN_RANDAO", constants::DOMAIN_RANDAO.to_string()),
        ("DOMAIN_DEPOSIT", constants::DOMAIN_DEPOSIT.to_string()),
        ("DOMAIN_VOLUNTARY_EXIT", constants::DOMAIN_VOLUNTARY_EXIT.to_string()),
        ("DOMAIN_SELECTION_PROOF", constants::DOMAIN_SELECTION_PROOF.to_string()),
        ("DOMAIN_AGGREGATE_AND_PROOF", constants::DOMAIN_AGGREGATE_AND_PROOF.to_string()),
        ("BLS_WITHDRAWAL_PREFIX", "0x00".into()),
        ("ETH1_ADDRESS_WITHDRAWAL_PREFIX", "0x01".into()),
    ]
}

pub async fn fork_schedule(State(backend): State<Shared>) -> Response {
    let spec = backend.spec();
    let mut previous = spec.fork_version(ForkName::Phase0);
    let mut schedule = Vec::new();
    for fork in ForkName::ALL {
        let (epoch, current) = (spec.fork_epoch(fork), spec.fork_version(fork));
        if epoch != FAR_FUTURE_EPOCH {
            schedule.push(entry(previous, current, &epoch));
            previous = current;
        }
    }
    Envelope::plain().json(Value::Array(schedule))
}

fn entry(previous: Version, current: Version, epoch: &types::Epoch) -> Value {
    json!({ "previous_version": text(&previous), "current_version": text(&current), "epoch": text(epoch) })
}

pub async fn deposit_contract(State(backend): State<Shared>) -> Response {
    let config = &backend.spec().config;
    Envelope::plain().json(json!({
        "chain_id": text(&config.deposit_chain_id),
        "address": text(&config.deposit_contract_address),
    }))
}
