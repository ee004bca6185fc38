//! Server and client over HTTP: bodies of every fork in JSON and SSZ, and what each version of an endpoint refuses.

#![allow(clippy::unwrap_used)]

mod support;

use api::{BlockId, BroadcastValidation, Client, ClientError};
use deposits::{DepositTree, DepositTreeSnapshot};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use support::{Fake, contents, slot_of};
use types::{
    Attestation, AttestationData, Bits, BlobSidecar, BlockContents, BlsSignature, CommitteeIndex,
    DataColumnSidecar, DepositData, Eth1Data, FixedBytes, ForkName, Root, SignedAggregateAndProof,
    SingleAttestation, SszExt,
};

const JSON: &str = "application/json";
const SSZ: &str = "application/octet-stream";
const FORKS: [ForkName; 4] = [ForkName::Phase0, ForkName::Capella, ForkName::Deneb, ForkName::Fulu];

/// A GET as any HTTP client would make it.
async fn get(client: &Client, path: &str, accept: &str) -> reqwest::Response {
    let url = format!("{}{path}", client.url());
    reqwest::Client::new().get(url).header(ACCEPT, accept).send().await.unwrap()
}

async fn get_json(client: &Client, path: &str) -> Value {
    let response = get(client, path, JSON).await;
    assert_eq!(response.status(), 200, "{path}");
    response_json(response).await
}

async fn response_json(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// A POST; gives the status and the error's message.
async fn post(
    client: &Client,
    path: &str,
    (kind, version): (&str, Option<&str>),
    body: impl Into<reqwest::Body>,
) -> (u16, String) {
    let url = format!("{}{path}", client.url());
    let mut request = reqwest::Client::new().post(url).header(CONTENT_TYPE, kind).body(body);
    if let Some(version) = version {
        request = request.header("Eth-Consensus-Version", version);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, body["message"].as_str().unwrap_or_default().to_owned())
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn blocks_and_their_blobs_are_produced_and_published_in_every_fork() {
    let (fake, client, _stop) = Fake::start().await;
    for fork in FORKS {
        let offered = contents(fake.spec, fork);
        fake.memory().contents = offered.clone();
        let slot = slot_of(fork);
        let made = client.produce_block(fake.spec, slot, &BlsSignature::ZERO, &Root::ZERO).await.unwrap();
        assert_eq!(made, offered, "{fork}");
        let signed = made.signed(FixedBytes([9; 96]));
        client.publish_block(fake.spec, &signed).await.unwrap();
        let (taken, validation) = fake.memory().published.pop().unwrap();
        assert_eq!((taken, validation), (signed, BroadcastValidation::Gossip), "{fork}");
    }
}

#[tokio::test]
async fn a_produced_block_says_its_fork_and_its_value_in_json_and_in_ssz() {
    let (fake, client, _stop) = Fake::start().await;
    for fork in FORKS {
        let offered = contents(fake.spec, fork);
        fake.memory().contents = offered.clone();
        let (slot, ctx) = (slot_of(fork), fake.spec.ctx(fork));
        let path = format!("/eth/v3/validator/blocks/{slot}?randao_reveal={}", BlsSignature::ZERO);
        let (ssz, json) = (get(&client, &path, SSZ).await, get(&client, &path, JSON).await);
        for response in [&ssz, &json] {
            assert_eq!(header(response, "Eth-Consensus-Version"), fork.as_str());
            assert_eq!(header(response, "Eth-Execution-Payload-Blinded"), "false");
            assert_eq!(header(response, "Eth-Execution-Payload-Value"), "123456789012345678901");
            assert_eq!(header(response, "Eth-Consensus-Block-Value"), "77");
        }
        assert_eq!((header(&ssz, "content-type"), header(&json, "content-type")), (SSZ, JSON));
        let json = response_json(json).await;
        assert_eq!(json["version"], fork.as_str());
        assert_eq!(json["execution_payload_value"], "123456789012345678901");
        assert_eq!(
            (&json["execution_payload_blinded"], &json["consensus_block_value"]),
            (&json!(false), &json!("77"))
        );
        let bytes = ssz.bytes().await.unwrap();
        if BlockContents::are_used_in(fork) {
            assert_eq!(BlockContents::from_ssz(&bytes, ctx).unwrap(), offered);
            assert_eq!(BlockContents::from_json(&json["data"], ctx).unwrap(), offered);
        } else {
            assert_eq!(types::BeaconBlock::from_ssz(&bytes, ctx).unwrap(), offered.block);
            assert_eq!(types::BeaconBlock::from_json(&json["data"], ctx).unwrap(), offered.block);
        }
        let first = get(&client, &path.replace("v3", "v1"), JSON).await;
        assert_eq!(first.status().as_u16(), if fork == ForkName::Phase0 { 200 } else { 400 });
    }
}

#[tokio::test]
async fn a_block_is_taken_in_the_form_of_its_fork_only() {
    let (fake, client, _stop) = Fake::start().await;
    let path = "/eth/v2/beacon/blocks";
    for fork in FORKS {
        let (ctx, name) = (fake.spec.ctx(fork), fork.as_str());
        let signed = contents(fake.spec, fork).signed(BlsSignature::ZERO);
        let block = &signed.signed_block;
        let has_data = BlockContents::are_used_in(fork);
        let (ssz, json) = match has_data {
            true => (signed.to_ssz(ctx), signed.to_json_string(ctx)),
            false => (block.to_ssz(ctx), block.to_json_string(ctx)),
        };
        assert_eq!(post(&client, path, (SSZ, Some(name)), ssz.clone()).await.0, 200, "{fork}");
        assert_eq!(post(&client, path, (JSON, Some(name)), json.clone()).await.0, 200, "{fork}");
        // The first version is told no fork.
        assert_eq!(post(&client, "/eth/v1/beacon/blocks", (SSZ, None), ssz.clone()).await.0, 200, "{fork}");
        assert_eq!(post(&client, "/eth/v1/beacon/blocks", (JSON, None), json.clone()).await.0, 200, "{fork}");
        assert!(fake.memory().published.drain(..).all(|(taken, _)| taken == signed), "{fork}");

        let (status, why) = post(&client, path, (JSON, None), json.clone()).await;
        assert_eq!((status, why.as_str()), (400, "the header Eth-Consensus-Version is missing"));
        let (status, why) = post(&client, path, (JSON, Some("electra")), json).await;
        assert_eq!((status, why), (400, format!("a block of {fork}; the header says electra")));
        let other = match has_data {
            true => block.to_ssz(ctx),
            false => [12u32, 12 + block.to_ssz(ctx).len() as u32, 12 + block.to_ssz(ctx).len() as u32]
                .iter()
                .flat_map(|offset| offset.to_le_bytes())
                .chain(block.to_ssz(ctx))
                .collect(),
        };
        let (status, why) = post(&client, path, (SSZ, Some(name)), other).await;
        assert_eq!(status, 400);
        let expected = if has_data { "is published with its blobs" } else { "has no blobs" };
        assert!(why.contains(expected), "{why}");
        assert_eq!(post(&client, path, (SSZ, Some(name)), ssz[..ssz.len() - 1].to_vec()).await.0, 400);
        assert_eq!(post(&client, path, (SSZ, Some(name)), ssz[..80].to_vec()).await.0, 400);
        assert_eq!(post(&client, path, ("text/plain", Some(name)), ssz).await.0, 415);
        assert!(fake.memory().published.is_empty());
    }
}

#[tokio::test]
async fn how_much_is_validated_before_a_block_is_broadcast_is_passed_on() {
    let (fake, client, _stop) = Fake::start().await;
    let block = contents(fake.spec, ForkName::Phase0).signed(BlsSignature::ZERO).signed_block;
    let ssz = block.to_ssz(fake.spec.ctx(ForkName::Phase0));
    let publish = async |level: &str| {
        let path = format!("/eth/v2/beacon/blocks?broadcast_validation={level}");
        post(&client, &path, (SSZ, Some("phase0")), ssz.clone()).await.0
    };
    assert_eq!(publish("consensus").await, 200);
    assert_eq!(publish("consensus_and_equivocation").await, 200);
    assert_eq!(publish("none").await, 400);
    let levels: Vec<_> = fake.memory().published.iter().map(|(_, level)| *level).collect();
    assert_eq!(levels, [BroadcastValidation::Consensus, BroadcastValidation::ConsensusAndEquivocation]);
}

fn attestation(fork: ForkName, committee: usize) -> Attestation {
    let is_electra = fork >= ForkName::Electra;
    let index = CommitteeIndex(if is_electra { 0 } else { committee as u64 });
    Attestation {
        aggregation_bits: [true, false, true].into_iter().collect(),
        data: AttestationData { slot: slot_of(fork), index, ..AttestationData::default() },
        signature: FixedBytes([4; 96]),
        committee_bits: match is_electra {
            true => (0..4).map(|place| place == committee).collect(),
            false => Bits::default(),
        },
    }
}

fn single(fork: ForkName, attester: u64) -> SingleAttestation {
    SingleAttestation {
        committee_index: CommitteeIndex(1),
        attester_index: attester.into(),
        data: AttestationData { slot: slot_of(fork), ..AttestationData::default() },
        signature: FixedBytes([5; 96]),
    }
}

/// A list of a fixed-size container in SSZ.
fn joined(items: &[SingleAttestation], ctx: types::Ctx) -> Vec<u8> {
    items.iter().flat_map(|item| item.to_ssz(ctx)).collect()
}

#[tokio::test]
async fn attestations_are_published_in_the_form_of_their_fork() {
    let (fake, client, _stop) = Fake::start().await;
    let spec = fake.spec;
    let before = vec![attestation(ForkName::Deneb, 0), attestation(ForkName::Deneb, 1)];
    let since = vec![single(ForkName::Electra, 3), single(ForkName::Electra, 4)];
    client.submit_attestations(spec, &before).await.unwrap();
    client.submit_single_attestations(spec, &since).await.unwrap();
    assert_eq!(std::mem::take(&mut fake.memory().attestations), before);
    assert_eq!(std::mem::take(&mut fake.memory().single), since);

    let path = "/eth/v2/beacon/pool/attestations";
    let ssz = joined(&since, spec.ctx(ForkName::Electra));
    assert_eq!(post(&client, path, (SSZ, Some("electra")), ssz.clone()).await.0, 200);
    assert_eq!(fake.memory().single, since);
    assert_eq!(post(&client, path, (SSZ, Some("electra")), ssz[1..].to_vec()).await.0, 400);
    let (status, why) = post(&client, path, (SSZ, None), ssz).await;
    assert_eq!((status, why.as_str()), (400, "the header Eth-Consensus-Version is missing"));
}

#[tokio::test]
async fn attestations_in_the_form_of_another_fork_are_refused_by_name() {
    let (fake, client, _stop) = Fake::start().await;
    let (electra, deneb) = (fake.spec.ctx(ForkName::Electra), fake.spec.ctx(ForkName::Deneb));
    let with_bits = json!([attestation(ForkName::Electra, 1).to_json(electra)]).to_string();
    let (status, why) =
        post(&client, "/eth/v1/beacon/pool/attestations", (JSON, None), with_bits.clone()).await;
    assert_eq!(status, 400);
    assert!(why.contains("attestations of electra are published as SingleAttestation by /eth/v2"), "{why}");
    let path = "/eth/v2/beacon/pool/attestations";
    assert_eq!(post(&client, path, (JSON, Some("electra")), with_bits).await.0, 400);
    let old = json!([attestation(ForkName::Deneb, 1).to_json(deneb)]).to_string();
    let (status, why) = post(&client, path, (JSON, Some("electra")), old).await;
    assert_eq!(status, 400);
    assert!(why.contains("attestations of deneb have no attester_index"), "{why}");
    assert!(fake.memory().attestations.is_empty() && fake.memory().single.is_empty());
}

#[tokio::test]
async fn items_that_fail_keep_their_places_among_those_that_are_taken() {
    let (fake, client, _stop) = Fake::start().await;
    let ctx = fake.spec.ctx(ForkName::Electra);
    // Of four items the second cannot be read; of the other three the node refuses the last.
    let good = single(ForkName::Electra, 1).to_json(ctx);
    let body = json!([good, { "data": { "slot": "1" } }, good, good]).to_string();
    fake.memory().refuse = vec![2];
    let url = format!("{}/eth/v2/beacon/pool/attestations", client.url());
    let request = reqwest::Client::new().post(url).header("Eth-Consensus-Version", "electra");
    let response = request.header(CONTENT_TYPE, JSON).body(body).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let failures = response_json(response).await["failures"].take();
    let places: Vec<u64> =
        failures.as_array().unwrap().iter().map(|of| of["index"].as_u64().unwrap()).collect();
    assert_eq!(places, [1, 3]);
    assert_eq!(fake.memory().single.len(), 3);

    fake.memory().refuse = vec![0];
    let refused = client.submit_single_attestations(fake.spec, &[single(ForkName::Electra, 1)]).await;
    assert!(matches!(refused, Err(ClientError::Refused { failures, .. }) if failures[0].index == 0));
}

#[tokio::test]
async fn aggregates_are_asked_for_by_committee_since_electra() {
    let (fake, client, _stop) = Fake::start().await;
    let (spec, root) = (fake.spec, Root::from([6; 32]));
    for fork in [ForkName::Deneb, ForkName::Electra] {
        let aggregate = attestation(fork, 2);
        fake.memory().aggregate = aggregate.clone();
        let slot = slot_of(fork);
        let found = client.aggregate_attestation(spec, slot, CommitteeIndex(2), root).await.unwrap();
        assert_eq!(found, aggregate);
        assert_eq!(fake.memory().asked.pop(), Some((slot, root, Some(CommitteeIndex(2)))));
        let query = format!("?attestation_data_root={root}&slot={slot}");
        let path = format!("/eth/v2/validator/aggregate_attestation{query}&committee_index=2");
        let response = get(&client, &path, SSZ).await;
        assert_eq!(header(&response, "Eth-Consensus-Version"), fork.as_str());
        let bytes = response.bytes().await.unwrap();
        assert_eq!(Attestation::from_ssz(&bytes, spec.ctx(fork)).unwrap(), aggregate);
        let without = get(&client, &format!("/eth/v2/validator/aggregate_attestation{query}"), JSON).await;
        assert_eq!(without.status(), 400);

        let first = get(&client, &format!("/eth/v1/validator/aggregate_attestation{query}"), JSON).await;
        let status = first.status().as_u16();
        let json = response_json(first).await;
        if fork < ForkName::Electra {
            assert_eq!(Attestation::from_json(&json["data"], spec.ctx(fork)).unwrap(), aggregate);
        } else {
            assert_eq!(status, 400);
            assert!(json["message"].as_str().unwrap().contains("names no committee"), "{json}");
        }
    }
}

#[tokio::test]
async fn aggregates_are_published_in_the_form_of_their_fork() {
    let (fake, client, _stop) = Fake::start().await;
    for fork in [ForkName::Deneb, ForkName::Fulu] {
        let mut signed = SignedAggregateAndProof::default();
        signed.message.aggregate = attestation(fork, 2);
        client.submit_aggregates(fake.spec, std::slice::from_ref(&signed)).await.unwrap();
        assert_eq!(fake.memory().aggregates.pop().as_ref(), Some(&signed));

        let ctx = fake.spec.ctx(fork);
        // A list of one item of variable size: its offset, and the item.
        let ssz: Vec<u8> = 4u32.to_le_bytes().into_iter().chain(signed.to_ssz(ctx)).collect();
        let path = "/eth/v2/validator/aggregate_and_proofs";
        assert_eq!(post(&client, path, (SSZ, Some(fork.as_str())), ssz).await.0, 200);
        assert_eq!(fake.memory().aggregates.pop(), Some(signed.clone()));

        let json = json!([signed.to_json(ctx)]).to_string();
        let (status, why) =
            post(&client, "/eth/v1/validator/aggregate_and_proofs", (JSON, None), json.clone()).await;
        assert_eq!(status, if fork < ForkName::Electra { 200 } else { 400 }, "{why}");
        let wrong = if fork < ForkName::Electra { "electra" } else { "deneb" };
        assert_eq!(post(&client, path, (JSON, Some(wrong)), json).await.0, 400);
    }
}

#[tokio::test]
async fn attestation_data_names_the_committee_until_electra() {
    let (fake, client, _stop) = Fake::start().await;
    for (fork, index) in [(ForkName::Deneb, 3), (ForkName::Electra, 0)] {
        let slot = slot_of(fork);
        let data = client.attestation_data(fake.spec, slot, 3).await.unwrap();
        assert_eq!(data.index, CommitteeIndex(index));
        let path = format!("/eth/v1/validator/attestation_data?slot={slot}&committee_index=3");
        let bytes = get(&client, &path, SSZ).await.bytes().await.unwrap();
        assert_eq!(AttestationData::from_ssz(&bytes, fake.spec.ctx(fork)).unwrap(), data);
    }
}

#[tokio::test]
async fn the_pool_lists_attestations_in_the_form_of_the_current_fork() {
    let (fake, client, _stop) = Fake::start().await;
    fake.memory().pool = vec![
        attestation(ForkName::Deneb, 1),
        attestation(ForkName::Electra, 1),
        attestation(ForkName::Electra, 2),
    ];
    let listed = async |fork: ForkName, path: &str| {
        fake.memory().now = slot_of(fork);
        let response = get(&client, path, JSON).await;
        let (status, version) =
            (response.status().as_u16(), header(&response, "Eth-Consensus-Version").to_owned());
        (status, version, response_json(response).await["data"].as_array().map_or(0, Vec::len))
    };
    let (v1, v2) = ("/eth/v1/beacon/pool/attestations", "/eth/v2/beacon/pool/attestations");
    assert_eq!(listed(ForkName::Deneb, v2).await, (200, "deneb".into(), 1));
    assert_eq!(listed(ForkName::Deneb, v1).await.0, 200);
    assert_eq!(listed(ForkName::Electra, v2).await, (200, "electra".into(), 2));
    assert_eq!(listed(ForkName::Electra, &format!("{v2}?committee_index=2")).await.2, 1);
    assert_eq!(listed(ForkName::Electra, v1).await.0, 400);
}

#[tokio::test]
async fn blobs_and_columns_are_served_in_json_and_ssz_all_or_some() {
    let (fake, client, _stop) = Fake::start().await;
    let spec = fake.spec;
    let (electra, fulu) = (spec.ctx(ForkName::Electra), spec.ctx(ForkName::Fulu));
    let blob = |index| BlobSidecar { index, ..BlobSidecar::new_default(electra) };
    let column = |index| DataColumnSidecar { index, ..DataColumnSidecar::new_default(fulu) };
    {
        let mut memory = fake.memory();
        memory.blob_sidecars = vec![blob(0), blob(1), blob(2)];
        memory.columns = vec![column(4), column(90)];
        memory.contents = contents(spec, ForkName::Fulu);
    }
    let (blobs, sidecars, columns) = {
        let memory = fake.memory();
        (memory.contents.blobs.clone(), memory.blob_sidecars.clone(), memory.columns.clone())
    };
    assert_eq!(client.blob_sidecars(spec, BlockId::Head).await.unwrap(), sidecars);
    assert_eq!(client.data_column_sidecars(spec, BlockId::Head).await.unwrap(), columns);
    assert_eq!(client.blobs(spec, BlockId::Head).await.unwrap(), blobs);

    let json = get_json(&client, "/eth/v1/beacon/blob_sidecars/head?indices=2,0").await;
    assert_eq!((&json["version"], &json["finalized"]), (&json!("electra"), &json!(false)));
    let indices: Vec<_> = json["data"].as_array().unwrap().iter().map(|of| of["index"].clone()).collect();
    assert_eq!(indices, ["0", "2"]);
    assert_eq!(BlobSidecar::from_json(&json["data"][1], electra).unwrap(), sidecars[2]);
    let json = get_json(&client, "/eth/v1/debug/beacon/data_column_sidecars/head?indices=90").await;
    assert_eq!(DataColumnSidecar::from_json(&json["data"][0], fulu).unwrap(), columns[1]);
    assert_eq!((json["data"].as_array().unwrap().len(), &json["version"]), (1, &json!("fulu")));
    let json = get_json(&client, &format!("/eth/v1/beacon/blobs/head?versioned_hashes={}", Root::ZERO)).await;
    assert_eq!(json["data"], json!([format!("{:?}", blobs[0])]));
    let wrong = get(&client, "/eth/v1/beacon/blobs/head?versioned_hashes=0x12", JSON).await;
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn fee_recipients_are_taken_or_named_as_wrong() {
    let (fake, client, _stop) = Fake::start().await;
    let recipients = [(3.into(), FixedBytes([1; 20])), (4.into(), FixedBytes([2; 20]))];
    client.prepare_beacon_proposer(&recipients).await.unwrap();
    assert_eq!(fake.memory().recipients, recipients);
    let wrong = json!([{ "validator_index": "1", "fee_recipient": "0x12" }]).to_string();
    let path = "/eth/v1/validator/prepare_beacon_proposer";
    let (status, why) = post(&client, path, (JSON, None), wrong).await;
    assert_eq!((status, why.as_str()), (400, "invalid fee_recipient: \"0x12\""));
}

#[tokio::test]
async fn what_is_optimistic_is_said_so_everywhere() {
    let (fake, client, _stop) = Fake::start().await;
    for optimistic in [false, true] {
        {
            let mut memory = fake.memory();
            memory.optimistic = optimistic;
            memory.head = contents(fake.spec, ForkName::Capella).signed(BlsSignature::ZERO).signed_block;
        }
        for path in [
            "/eth/v2/beacon/blocks/head",
            "/eth/v1/beacon/blocks/head/root",
            "/eth/v2/beacon/blocks/head/attestations",
            "/eth/v1/beacon/headers",
            "/eth/v1/beacon/headers/head",
            "/eth/v1/beacon/states/head/fork",
            "/eth/v1/beacon/states/head/finality_checkpoints",
            "/eth/v1/beacon/states/head/validators",
            "/eth/v2/debug/beacon/states/head",
            "/eth/v1/validator/duties/proposer/1",
            "/eth/v1/beacon/blob_sidecars/head",
            "/eth/v1/beacon/blobs/head",
        ] {
            assert_eq!(get_json(&client, path).await["execution_optimistic"], json!(optimistic), "{path}");
        }
        let heads = get_json(&client, "/eth/v2/debug/beacon/heads").await;
        assert_eq!(heads["data"][0]["execution_optimistic"], json!(optimistic));
        let syncing = client.syncing().await.unwrap();
        assert_eq!((syncing.is_optimistic, syncing.el_offline), (optimistic, optimistic));
        let health = get(&client, "/eth/v1/node/health", JSON).await.status().as_u16();
        assert_eq!(health, if optimistic { 206 } else { 200 });
        assert_eq!(client.head_root().await.is_err(), optimistic, "nobody votes for such a head");
    }
    let node = get_json(&client, "/eth/v1/debug/fork_choice").await["fork_choice_nodes"][0].take();
    assert_eq!(node["validity"], "optimistic");
    assert_eq!(node["execution_block_hash"], Root::from([7; 32]).to_string());
}

#[tokio::test]
async fn the_deposit_snapshot_is_served_in_json_and_ssz_where_there_is_one() {
    let (fake, client, _stop) = Fake::start().await;
    let path = "/eth/v1/beacon/deposit_snapshot";
    assert_eq!(get(&client, path, JSON).await.status(), 404);
    let mut tree = DepositTree::default();
    tree.append(&[DepositData::default(), DepositData::default(), DepositData::default()]).unwrap();
    let eth1_data = Eth1Data { deposit_root: tree.root(), deposit_count: 3, block_hash: Root::from([7; 32]) };
    tree.finalize(&eth1_data, 900).unwrap();
    let snapshot = tree.get_snapshot().unwrap();
    fake.memory().deposits = Some(snapshot.clone());
    let expected = json!({
        "finalized": [snapshot.finalized[0].to_string(), snapshot.finalized[1].to_string()],
        "deposit_root": tree.root().to_string(),
        "deposit_count": "3",
        "execution_block_hash": Root::from([7; 32]).to_string(),
        "execution_block_height": "900",
    });
    assert_eq!(get_json(&client, path).await, json!({ "data": expected }));
    let response = get(&client, path, SSZ).await;
    assert_eq!(header(&response, "content-type"), SSZ);
    let bytes = response.bytes().await.unwrap();
    assert_eq!(DepositTreeSnapshot::from_bytes(&bytes), Ok(snapshot));
}
