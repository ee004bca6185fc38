//! Two nodes in one process, on loopback: they find each other, blocks pass between them and through the API, a node
//! that was away catches up, and a restart goes on from what was stored.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::Client;
use keys::interop_secret_key;
use node::{BeaconConfig, BeaconNode, NetworkFolder, NodeError, RunningNode};
use serde_json::{Value, json};
use ssz::SszExt;
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::{compute_domain, compute_signing_root};
use types::constants::{DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO};
use types::{
    BeaconBlock, BlsPubkey, BlsSignature, Domain, Gwei, Root, Settings, SignedBeaconBlock,
    SignedBlockContents, Slot, Spec,
};

const SLOT_MS: u64 = 2000;
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

fn network(seconds_ago: u64) -> NetworkFolder {
    let mut settings = Settings::parse(types::Config::MINIMAL_YAML).unwrap();
    settings.set("SLOT_DURATION_MS", SLOT_MS);
    let spec = Spec::from_settings(settings, None).unwrap();
    let validator = |index| GenesisValidator {
        pubkey: BlsPubkey::from(interop_secret_key(index).public_key().compress()),
        withdrawal_credentials: Root::ZERO,
        amount: Gwei(spec.preset.max_effective_balance),
    };
    let validators: Vec<_> = (0..16).map(validator).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let genesis = genesis_of_validators(spec, &validators, now - seconds_ago, Root::ZERO).unwrap();
    NetworkFolder { spec, genesis: Arc::new(genesis), bootnodes: Vec::new(), deposit_block: 0 }
}

fn folder(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("interlock-node-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// Shows what the nodes say where `RUST_LOG` asks for it.
fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

async fn start(
    network: &NetworkFolder,
    data_dir: &Path,
    peer: Option<&RunningNode>,
) -> (RunningNode, Client) {
    let mut config = BeaconConfig::loopback(network.clone(), data_dir.to_owned());
    let address =
        |peer: &RunningNode| format!("{}/p2p/{}", peer.network().listen_address(), peer.network().peer_id());
    config.static_peers = peer.map(address).into_iter().collect();
    config.subscribe_all_subnets = true;
    let node = BeaconNode::start(config).await.unwrap();
    let client = Client::new(&format!("http://{}", node.http_address()));
    (node, client)
}

/// Asks again until the answer is there.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} took too long");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn domain(network: &NetworkFolder, kind: types::DomainType) -> Domain {
    compute_domain(kind, network.spec.config.genesis_fork_version, network.genesis.genesis_validators_root)
}

fn sign(validator: u64, root: Root) -> BlsSignature {
    BlsSignature::from(interop_secret_key(validator).sign(&root.0).compress())
}

/// Produces, signs and publishes a block of the present slot through the API; gives its slot and root.
async fn propose(network: &NetworkFolder, client: &Client) -> (Slot, Root) {
    let spec = network.spec;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let slot = Slot((now - network.genesis.genesis_time * 1000) / SLOT_MS);
    let (epoch, ctx) = (slot.epoch(spec), spec.ctx_at_slot(slot));
    let duties = client.get(&format!("/eth/v1/validator/duties/proposer/{epoch}")).await.unwrap();
    let is_due = |duty: &&Value| duty["slot"] == slot.to_string();
    let duty = duties["data"].as_array().unwrap().iter().find(is_due).unwrap();
    let proposer: u64 = duty["validator_index"].as_str().unwrap().parse().unwrap();

    let reveal = sign(proposer, compute_signing_root(&epoch, ctx, domain(network, DOMAIN_RANDAO)));
    let path = format!("/eth/v3/validator/blocks/{slot}?randao_reveal={reveal}");
    let produced = client.get(&path).await.unwrap();
    let message = BeaconBlock::from_json(&produced["data"], ctx).unwrap();
    let root = message.hash_tree_root(ctx);
    let signing_root = compute_signing_root(&message, ctx, domain(network, DOMAIN_BEACON_PROPOSER));
    let signed_block = SignedBeaconBlock { message, signature: sign(proposer, signing_root) };
    let contents = SignedBlockContents { signed_block, ..SignedBlockContents::default() };
    client.publish_block(network.spec, &contents).await.unwrap();
    (slot, root)
}

async fn wait_for_head(client: &Client, wanted: Root) {
    until("the head", || async { (client.header("head").await.ok()?.0 == wanted).then_some(()) }).await;
}

async fn wait_for_next_slot(network: &NetworkFolder) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let into = (now - network.genesis.genesis_time * 1000) % SLOT_MS;
    tokio::time::sleep(Duration::from_millis(SLOT_MS - into + 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_pass_between_nodes_and_survive_a_restart() {
    log();
    let network = network(60);
    let (first_dir, second_dir) = (folder("first"), folder("second"));
    let (first, first_client) = start(&network, &first_dir, None).await;
    let (second, second_client) = start(&network, &second_dir, Some(&first)).await;
    for client in [&first_client, &second_client] {
        until("peering", || async { (client.peers().await.ok()?.len() == 1).then_some(()) }).await;
    }
    check_fixed_answers(&network, &first_client).await;

    // Gossip meshes need a heartbeat or two; what comes earlier is found by its root or by sync.
    wait_for_next_slot(&network).await;
    let (slot, root) = propose(&network, &first_client).await;
    wait_for_head(&first_client, root).await;
    wait_for_head(&second_client, root).await;
    check_head(&network, &second_client, slot, root).await;

    // A node that is away misses a block, restarts where it was, and catches up.
    second.stop().await.unwrap();
    wait_for_next_slot(&network).await;
    let (_, missed) = propose(&network, &first_client).await;
    let (second, second_client) = start(&network, &second_dir, None).await;
    assert_eq!(second_client.header("head").await.unwrap().0, root);
    second.stop().await.unwrap();
    let (second, second_client) = start(&network, &second_dir, Some(&first)).await;
    wait_for_head(&second_client, missed).await;

    first.stop().await.unwrap();
    second.stop().await.unwrap();
    let _ = (std::fs::remove_dir_all(first_dir), std::fs::remove_dir_all(second_dir));
}

async fn check_fixed_answers(network: &NetworkFolder, client: &Client) {
    let genesis = client.genesis().await.unwrap();
    assert_eq!(genesis.genesis_time, network.genesis.genesis_time);
    assert_eq!(genesis.genesis_validators_root, network.genesis.genesis_validators_root);
    let spec = client.spec().await.unwrap();
    assert_eq!(spec["SLOT_DURATION_MS"], SLOT_MS.to_string());
    assert_eq!(spec["SLOTS_PER_EPOCH"], "8");
    let identity = client.identity().await.unwrap();
    assert!(identity["enr"].as_str().unwrap().starts_with("enr:"));
    assert!(identity["p2p_addresses"][0].as_str().unwrap().starts_with("/ip4/127.0.0.1/tcp/"));
    assert_eq!(identity["metadata"]["attnets"], "0xffffffffffffffff");
    let state = client.state(network.spec, "genesis".parse().unwrap()).await.unwrap();
    assert_eq!(state.state_root(), network.genesis.state_root());
    assert!(!client.syncing().await.unwrap().is_syncing);
    for missing in ["/eth/v1/beacon/headers/999999", "/eth/v1/beacon/states/999999/root"] {
        assert_eq!(client.get(missing).await.unwrap_err().code(), Some(404), "{missing}");
    }
    assert_eq!(client.get("/eth/v1/beacon/states/nothing/root").await.unwrap_err().code(), Some(400));
}

async fn check_head(network: &NetworkFolder, client: &Client, slot: Slot, root: Root) {
    assert_eq!(client.header(&slot.to_string()).await.unwrap(), (root, slot));
    assert_eq!(client.header(&root.to_string()).await.unwrap(), (root, slot));
    let (_, block) = client.block(network.spec, root.to_string().parse().unwrap()).await.unwrap();
    assert_eq!(block.message.slot, slot);
    let answer = client.get("/eth/v1/beacon/states/head/root").await.unwrap();
    assert_eq!(answer["data"]["root"], block.message.state_root.to_string());
    assert_eq!(answer["finalized"], json!(false));
    let by_root = format!("/eth/v1/beacon/states/{}/finality_checkpoints", block.message.state_root);
    assert_eq!(client.get(&by_root).await.unwrap()["data"]["finalized"]["epoch"], "0");
    let by_parent = format!("/eth/v1/beacon/headers?parent_root={}", block.message.parent_root);
    assert_eq!(client.get(&by_parent).await.unwrap()["data"][0]["root"], root.to_string());
    let validators = client.get("/eth/v1/beacon/states/head/validators?status=active_ongoing").await.unwrap();
    assert_eq!(validators["data"].as_array().unwrap().len(), 16);
    let committees = client.get("/eth/v1/beacon/states/head/committees").await.unwrap();
    let members: usize = committees["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["validators"].as_array().unwrap().len())
        .sum();
    assert_eq!(members, 16);
    let dump = client.get("/eth/v1/debug/fork_choice").await.unwrap();
    assert_eq!(dump["fork_choice_nodes"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_the_way_of_a_start_is_said_in_one_line() {
    let first_network = network(10);
    let data_dir = folder("errors");
    let (node, _) = start(&first_network, &data_dir, None).await;
    let start_with = |network: &NetworkFolder, change: &dyn Fn(&mut BeaconConfig)| {
        let mut config = BeaconConfig::loopback(network.clone(), data_dir.clone());
        change(&mut config);
        BeaconNode::start(config)
    };
    let refused = |error: NodeError, words: &str| {
        let text = error.to_string();
        assert!(text.contains(words) && !text.contains('\n'), "{text:?} does not say {words:?}");
    };
    let locked = start_with(&first_network, &|_| {}).await.err().unwrap();
    refused(locked, "in use by another process");
    let other_dir = folder("errors-other");
    let port = node.http_address();
    let taken = start_with(&first_network, &|config| {
        config.http = port;
        config.data_dir.clone_from(&other_dir);
    });
    refused(taken.await.err().unwrap(), &format!("the Beacon API on TCP port {} of", port.port()));
    let tcp_port = node.network().listen_address().to_string().rsplit('/').next().unwrap().parse().unwrap();
    let taken = start_with(&first_network, &|config| {
        config.tcp_port = tcp_port;
        config.data_dir.clone_from(&other_dir);
    });
    refused(taken.await.err().unwrap(), &format!("TCP port {tcp_port}"));
    assert!(!other_dir.exists(), "a refused start left something");
    node.stop().await.unwrap();

    // The same validators, another moment.
    let other = start_with(&network(20), &|_| {}).await.err().unwrap();
    refused(other, "belongs to another network: its genesis block is");
    let again = start_with(&first_network, &|_| {}).await.unwrap();
    again.stop().await.unwrap();

    let file = std::fs::read_dir(data_dir.join("chain")).unwrap().map(|entry| entry.unwrap().path());
    let largest = file.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let length = largest.metadata().unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&largest).unwrap().set_len(length / 3).unwrap();
    let truncated = start_with(&first_network, &|_| {}).await.err().unwrap();
    refused(truncated, "is damaged or not a database");
    let _ = (std::fs::remove_dir_all(data_dir), std::fs::remove_dir_all(other_dir));
}
