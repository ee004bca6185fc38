//! A request to each route of the Beacon API.

use ssz::SszExt;
use types::{BeaconBlock, ForkName, with_container};

use crate::stub;

/// The requests of validator clients and users, with their bodies.
const REQUESTS: [(&str, &str); 25] = [
    (
        "GET /eth/v1/beacon/headers?slot=3&parent_root=0x0101010101010101010101010101010101010101010101010101010101010101",
        "",
    ),
    ("GET /eth/v1/beacon/headers/head", ""),
    ("GET /eth/v2/beacon/blocks/finalized\nAccept: application/octet-stream", ""),
    ("GET /eth/v1/beacon/states/head/validators?id=1,2&id=5&status=active_ongoing,exited", ""),
    ("GET /eth/v1/beacon/states/0/committees?epoch=1&index=0&slot=9", ""),
    ("GET /eth/v1/beacon/states/justified/validator_balances?id=5", ""),
    ("GET /eth/v1/beacon/states/genesis/sync_committees?epoch=4", ""),
    ("GET /eth/v1/beacon/states/head/randao?epoch=0", ""),
    (
        "GET /eth/v2/debug/beacon/states/head\nAccept: application/json;q=0.5, application/octet-stream;q=1",
        "",
    ),
    ("GET /eth/v1/beacon/blob_sidecars/head?indices=0,1&indices=5", ""),
    (
        "GET /eth/v1/beacon/blobs/head?versioned_hashes=0x0101010101010101010101010101010101010101010101010101010101010101",
        "",
    ),
    ("GET /eth/v1/node/peers?state=connected,disconnected&direction=inbound", ""),
    ("GET /eth/v1/node/health?syncing_status=206", ""),
    ("GET /eth/v1/events?topics=head,block&topics=finalized_checkpoint", ""),
    ("GET /eth/v1/validator/attestation_data?slot=43&committee_index=0", ""),
    (
        "GET /eth/v2/validator/aggregate_attestation?slot=43&committee_index=0&attestation_data_root=0x0101010101010101010101010101010101010101010101010101010101010101",
        "",
    ),
    (
        "GET /eth/v3/validator/blocks/43?randao_reveal=0xc00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000&graffiti=0x0101010101010101010101010101010101010101010101010101010101010101&skip_randao_verification",
        "",
    ),
    (
        "POST /eth/v1/beacon/states/head/validators\nContent-Type: application/json",
        r#"{"ids":["1","2"],"statuses":["active"]}"#,
    ),
    ("POST /eth/v1/validator/duties/attester/5\nContent-Type: application/json", r#"["1","2"]"#),
    ("POST /eth/v1/validator/duties/sync/5\nContent-Type: application/json", r#"["1","2"]"#),
    ("POST /eth/v1/validator/liveness/5\nContent-Type: application/json", r#"["7"]"#),
    (
        "POST /eth/v1/validator/prepare_beacon_proposer\nContent-Type: application/json",
        r#"[{"validator_index":"1","fee_recipient":"0x0101010101010101010101010101010101010101"}]"#,
    ),
    (
        "POST /eth/v1/validator/beacon_committee_subscriptions\nContent-Type: application/json",
        r#"[{"validator_index":"1","committee_index":"1","committees_at_slot":"2","slot":"43","is_aggregator":true}]"#,
    ),
    (
        "POST /eth/v1/validator/sync_committee_subscriptions\nContent-Type: application/json",
        r#"[{"validator_index":"1","sync_committee_indices":["1"],"until_epoch":"9"}]"#,
    ),
    ("GET /forkview/nodes.json", ""),
];

/// What else is there to be read.
const PATHS: [&str; 55] = [
    "/",
    "/dashboard",
    "/dashboard/",
    "/dashboard/nodes.json",
    "/eth/v1/beacon/blob_sidecars/head",
    "/eth/v1/beacon/blobs/head",
    "/eth/v1/beacon/blocks/head",
    "/eth/v1/beacon/blocks/head/attestations",
    "/eth/v1/beacon/blocks/head/root",
    "/eth/v1/beacon/deposit_snapshot",
    "/eth/v1/beacon/genesis",
    "/eth/v1/beacon/headers",
    "/eth/v1/beacon/headers/head",
    "/eth/v1/beacon/pool/attestations",
    "/eth/v1/beacon/pool/attester_slashings",
    "/eth/v1/beacon/pool/bls_to_execution_changes",
    "/eth/v1/beacon/pool/proposer_slashings",
    "/eth/v1/beacon/pool/voluntary_exits",
    "/eth/v1/beacon/states/head/committees",
    "/eth/v1/beacon/states/head/finality_checkpoints",
    "/eth/v1/beacon/states/head/fork",
    "/eth/v1/beacon/states/head/randao",
    "/eth/v1/beacon/states/head/root",
    "/eth/v1/beacon/states/head/sync_committees",
    "/eth/v1/beacon/states/head/validator_balances",
    "/eth/v1/beacon/states/head/validators",
    "/eth/v1/beacon/states/head/validators/3",
    "/eth/v1/config/deposit_contract",
    "/eth/v1/config/fork_schedule",
    "/eth/v1/config/spec",
    "/eth/v1/debug/beacon/data_column_sidecars/head",
    "/eth/v1/debug/beacon/heads",
    "/eth/v1/debug/beacon/states/head",
    "/eth/v1/debug/fork_choice",
    "/eth/v1/node/health",
    "/eth/v1/node/identity",
    "/eth/v1/node/peer_count",
    "/eth/v1/node/peers",
    "/eth/v1/node/peers/16Uiu2HAm",
    "/eth/v1/node/syncing",
    "/eth/v1/node/version",
    "/eth/v1/validator/aggregate_attestation?slot=43&attestation_data_root=0x0101010101010101010101010101010101010101010101010101010101010101",
    "/eth/v1/validator/blocks/43?randao_reveal=0xc00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "/eth/v1/validator/duties/proposer/5",
    "/eth/v1/validator/sync_committee_contribution?slot=43&subcommittee_index=1&beacon_block_root=0x0101010101010101010101010101010101010101010101010101010101010101",
    "/eth/v2/beacon/blocks/head",
    "/eth/v2/beacon/blocks/head/attestations",
    "/eth/v2/beacon/pool/attestations",
    "/eth/v2/beacon/pool/attester_slashings",
    "/eth/v2/debug/beacon/heads",
    "/eth/v2/debug/beacon/states/head",
    "/eth/v2/validator/blocks/43?randao_reveal=0xc00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "/forkview",
    "/forkview/",
    "/interlock/v1/status",
];

/// The requests, each with its name. See [`crate::api_request`] for the text.
pub fn api_seeds() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (place, (head, body)) in REQUESTS.iter().enumerate() {
        found.push((format!("{place}"), format!("{head}\n\n{body}").into_bytes()));
    }
    for (place, path) in PATHS.iter().enumerate() {
        found.push((format!("get-{place}"), format!("GET {path}\n\n").into_bytes()));
    }
    let spec = stub::spec();
    for fork in ForkName::ALL {
        let ctx = spec.ctx(fork);
        let mut contents = types::SignedBlockContents::new_default(ctx);
        let BeaconBlock { slot, .. } = &mut contents.signed_block.message;
        *slot = (fork as u64 * 8 + 1).into();
        let has_contents = types::BlockContents::are_used_in(fork);
        let (json, ssz) = match has_contents {
            true => (contents.to_json(ctx).to_string(), contents.to_ssz(ctx)),
            false => (contents.signed_block.to_json(ctx).to_string(), contents.signed_block.to_ssz(ctx)),
        };
        let head = format!(
            "POST /eth/v2/beacon/blocks?broadcast_validation=gossip\nEth-Consensus-Version: {fork}\n"
        );
        let json = format!("{head}Content-Type: application/json\n\n{json}").into_bytes();
        found.push((format!("block-json-{fork}"), json));
        let head = format!("{head}Content-Type: application/octet-stream\n\n");
        found.push((format!("block-ssz-{fork}"), [head.as_bytes(), &ssz].concat()));
    }
    found.extend(pools());
    found
}

/// What is published besides blocks, in JSON.
fn pools() -> Vec<(String, Vec<u8>)> {
    let ctx = stub::spec().ctx(ForkName::Electra);
    let lists = [
        ("/eth/v2/beacon/pool/attestations", "SingleAttestation"),
        ("/eth/v2/validator/aggregate_and_proofs", "SignedAggregateAndProof"),
        ("/eth/v1/beacon/pool/sync_committees", "SyncCommitteeMessage"),
        ("/eth/v1/validator/contribution_and_proofs", "SignedContributionAndProof"),
        ("/eth/v1/beacon/pool/bls_to_execution_changes", "SignedBLSToExecutionChange"),
        ("/eth/v1/beacon/pool/voluntary_exits", "SignedVoluntaryExit"),
        ("/eth/v1/beacon/pool/proposer_slashings", "ProposerSlashing"),
        ("/eth/v2/beacon/pool/attester_slashings", "AttesterSlashing"),
    ];
    let mut found = Vec::new();
    for (path, name) in lists {
        let json = with_container!(name, T => T::new_default(ctx).to_json(ctx), else { continue });
        // A slot of the fork.
        let json = json.to_string().replace(r#""slot":"0""#, r#""slot":"43""#);
        let is_list = !path.ends_with("slashings") && !path.ends_with("exits");
        let body = if is_list { format!("[{json}]") } else { json.to_string() };
        let text =
            format!("POST {path}\nEth-Consensus-Version: electra\nContent-Type: application/json\n\n{body}");
        found.push((name.to_owned(), text.into_bytes()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_request::status_of;

    #[test]
    fn every_seed_comes_to_a_route_and_most_are_answered_well() {
        let (mut good, mut all) = (0, 0);
        for (name, bytes) in api_seeds() {
            let (status, body) = status_of(&bytes).unwrap();
            let text = String::from_utf8_lossy(&body);
            assert!(status != 405 && !text.contains("no such endpoint"), "{name}: {status} {text}");
            all += 1;
            good += usize::from(status < 300);
        }
        assert!(good * 10 > all * 8, "{good} of {all} are answered well");
    }
}
