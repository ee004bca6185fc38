//! A node that refuses a block keeps what it takes to look into it, and `interlock transition replay` comes to the same
//! verdict from that alone.

#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::Client;
use keys::interop_secret_key;
use node::{BeaconConfig, BeaconNode, EVIDENCE_FOLDER, NetworkFolder};
use serde_json::Value;
use ssz::SszExt;
use transition::genesis::{GenesisValidator, genesis_of_validators};
use transition::misc::{compute_domain, compute_signing_root};
use types::constants::{DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO};
use types::{
    BeaconBlock, BlsPubkey, BlsSignature, DomainType, Gwei, Root, SignedBeaconBlock, SignedBlockContents,
    Slot, Spec,
};

const PATIENCE: Duration = Duration::from_secs(30);
const SECONDS_SINCE_GENESIS: u64 = 60;

fn network() -> NetworkFolder {
    let spec = Spec::minimal();
    let validator = |index| GenesisValidator {
        pubkey: BlsPubkey::from(interop_secret_key(index).public_key().compress()),
        withdrawal_credentials: Root::ZERO,
        amount: Gwei(spec.preset.max_effective_balance),
    };
    let validators: Vec<_> = (0..16).map(validator).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let genesis = genesis_of_validators(spec, &validators, now - SECONDS_SINCE_GENESIS, Root::ZERO).unwrap();
    NetworkFolder { spec, genesis: Arc::new(genesis), bootnodes: Vec::new(), deposit_block: 0 }
}

fn sign(
    network: &NetworkFolder,
    validator: u64,
    kind: DomainType,
    message: &impl SszExt,
    slot: Slot,
) -> BlsSignature {
    let version = network.spec.config.genesis_fork_version;
    let domain = compute_domain(kind, version, network.genesis.genesis_validators_root);
    let root = compute_signing_root(message, network.spec.ctx_at_slot(slot), domain);
    BlsSignature::from(interop_secret_key(validator).sign(&root.0).compress())
}

/// Asks the node for a block of the present slot, changes its state root, signs it as its proposer would, and publishes it.
async fn publish_with_state_root(network: &NetworkFolder, client: &Client, state_root: Root) -> Slot {
    let spec = network.spec;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let slot = Slot((now - network.genesis.genesis_time * 1000) / spec.config.slot_duration_ms);
    let epoch = slot.epoch(spec);
    let duties = client.get(&format!("/eth/v1/validator/duties/proposer/{epoch}")).await.unwrap();
    let is_due = |duty: &&Value| duty["slot"] == slot.to_string();
    let duty = duties["data"].as_array().unwrap().iter().find(is_due).unwrap();
    let proposer: u64 = duty["validator_index"].as_str().unwrap().parse().unwrap();
    let reveal = sign(network, proposer, DOMAIN_RANDAO, &epoch, slot);
    let produced =
        client.get(&format!("/eth/v3/validator/blocks/{slot}?randao_reveal={reveal}")).await.unwrap();
    let mut message = BeaconBlock::from_json(&produced["data"], spec.ctx_at_slot(slot)).unwrap();
    message.state_root = state_root;
    let signature = sign(network, proposer, DOMAIN_BEACON_PROPOSER, &message, slot);
    let contents = SignedBlockContents {
        signed_block: SignedBeaconBlock { message, signature },
        ..SignedBlockContents::default()
    };
    // Gossip accepts it, so that the API says it was broadcast and not imported; that is not what is looked at here.
    let _ = client.publish_block(spec, &contents).await;
    slot
}

async fn bundle_below(data_dir: &Path) -> PathBuf {
    let begun = Instant::now();
    loop {
        let entries = std::fs::read_dir(data_dir.join(EVIDENCE_FOLDER)).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        let is_whole = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
        if let Some(bundle) = paths.find(is_whole) {
            return bundle;
        }
        assert!(begun.elapsed() < PATIENCE, "no evidence was kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn replay(bundle: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["transition", "replay"])
        .arg(bundle)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_ne!(output.status.code(), Some(101), "a panic: {}", text(&output.stderr));
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_block_is_kept_and_replayed_to_the_same_verdict() {
    let (network, data_dir) = (network(), tempfile::tempdir().unwrap());
    let node =
        BeaconNode::start(BeaconConfig::loopback(network.clone(), data_dir.path().to_owned())).await.unwrap();
    let client = Client::new(&format!("http://{}", node.http_address()));
    let wrong = Root::from([7; 32]);
    let slot = publish_with_state_root(&network, &client, wrong).await;
    let bundle = bundle_below(data_dir.path()).await;
    node.stop().await.unwrap();

    let name = bundle.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.contains(&format!("-slot{slot}-state_root-0x")), "{name}");
    let (is_same, out) = replay(&bundle);
    assert!(is_same && out.ends_with("the same\n"), "{out}");
    assert!(
        out.contains("kept because: state_root") && out.contains(&format!("state root is {wrong}")),
        "{out}"
    );

    // A verdict that is not that of this program is told: a fault that was mended meanwhile, or one of another version.
    let about = std::fs::read_to_string(bundle.join("evidence.yaml")).unwrap();
    std::fs::write(bundle.join("evidence.yaml"), about.replace("verdict: \"the", "verdict: \"once the"))
        .unwrap();
    let (is_same, out) = replay(&bundle);
    assert!(!is_same && out.contains("another outcome than expected"), "{out}");
    // So is a file that was cut short.
    let pre = std::fs::read(bundle.join("pre.ssz_snappy")).unwrap();
    std::fs::write(bundle.join("pre.ssz_snappy"), &pre[..pre.len() / 2]).unwrap();
    let (is_same, out) = replay(&bundle);
    assert!(!is_same && out.contains("pre.ssz_snappy"), "{out}");
}
