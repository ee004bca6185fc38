//! The validator client as a whole, against a beacon node on loopback that verifies everything it is given.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use keys::{Interchange, SignedAttestation, SignedBlock, SigningHistory};
use support::{MiniChain, Node, OldNode, RunningClient, config, eventually, signed_lines};
use types::{BlsPubkey, Epoch, Root, Slot, ValidatorIndex};
use validator_client::History;

/// Runs a client until the node has seen an epoch of it.
async fn run_an_epoch(node: &Node, client: RunningClient) {
    let chain = &node.chain;
    eventually("votes of all validators for epoch 0", || {
        let seen = chain.seen();
        let of_epoch = seen.votes.iter().filter(|(_, vote)| vote.data.target.epoch == Epoch(0));
        of_epoch.map(|(who, _)| *who).collect::<BTreeSet<_>>().len() == chain.genesis.validators.len()
    })
    .await;
    eventually("blocks", || chain.seen().blocks.len() >= 4).await;
    eventually("aggregates", || chain.seen().aggregates.len() >= 4).await;
    client.stop().await.unwrap();
}

/// One message a validator for a target, one a validator for a slot.
fn assert_nothing_slashable(config: &validator_client::Config) {
    let mut votes: BTreeMap<(String, u64), Vec<(u64, String)>> = BTreeMap::new();
    for line in signed_lines(config, "attestation") {
        let key = (line["pubkey"].as_str().unwrap().to_owned(), line["target"].as_u64().unwrap());
        let vote = (line["source"].as_u64().unwrap(), line["signing_root"].as_str().unwrap().to_owned());
        votes.entry(key).or_default().push(vote);
    }
    for (key, roots) in &votes {
        assert_eq!(roots.len(), 1, "{key:?} was voted for with {roots:?}");
    }
    let mut blocks = BTreeSet::new();
    for line in signed_lines(config, "block") {
        assert!(blocks.insert((line["pubkey"].to_string(), line["slot"].as_u64())), "two blocks: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_duties_of_an_epoch_are_done_with_valid_signatures_that_are_recorded_before() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 16).await;
    let config = config(&node.chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    node.chain.seen().behaviour.witness = Some(config.data_dir.clone());
    run_an_epoch(&node, client).await;

    let seen = node.chain.seen();
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    assert!(seen.subscriptions >= 16);
    let graffiti = seen.blocks[0].message.body.graffiti;
    assert_eq!(graffiti, Root::from([0x67; 32]));
    assert_nothing_slashable(&config);

    let history = History::open(&config.data_dir).unwrap().export().unwrap();
    let recorded: usize = history.data.iter().map(|of| of.signed_attestations.len()).sum();
    assert!(recorded >= seen.votes.len(), "{recorded} records of {} votes", seen.votes.len());
    let logged = signed_lines(&config, "attestation").len();
    assert!(logged >= seen.votes.len(), "{logged} lines for {} votes", seen.votes.len());
    for kind in ["block", "randao", "selection_proof", "aggregate_and_proof"] {
        assert!(!signed_lines(&config, kind).is_empty(), "no line of a {kind}");
    }
}

/// Slots of which each validator voted once in the sync committee; panics where one voted twice.
fn synced_slots(chain: &MiniChain) -> Vec<Slot> {
    let seen = chain.seen();
    let mut voters: BTreeMap<Slot, BTreeSet<ValidatorIndex>> = BTreeMap::new();
    for message in &seen.sync.messages {
        let is_first = voters.entry(message.slot).or_default().insert(message.validator_index);
        assert!(is_first, "two votes: {message:?}");
    }
    let all = chain.genesis.validators.len();
    voters.into_iter().filter(|(_, voters)| voters.len() == all).map(|(slot, _)| slot).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_altair_is_at_genesis_members_of_the_sync_committee_vote_and_contribute_in_every_slot() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(2000, 8, "ALTAIR_FORK_EPOCH: 0\n").await;
    let chain = &node.chain;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("votes of all members in four slots", || synced_slots(chain).len() >= 4).await;
    eventually("contributions to all subcommittees in three slots", || {
        let seen = chain.seen();
        let of = |signed: &types::SignedContributionAndProof| {
            (signed.message.contribution.slot, signed.message.contribution.subcommittee_index)
        };
        seen.sync.contributions.iter().map(of).collect::<BTreeSet<_>>().len() >= 12
    })
    .await;
    let full = |block: &types::SignedBeaconBlock| {
        let bits = &block.message.body.sync_aggregate.sync_committee_bits;
        bits.count_ones() == bits.len()
    };
    eventually("blocks that count everyone", || {
        chain.seen().blocks.iter().filter(|of| full(of)).count() >= 3
    })
    .await;
    client.stop().await.unwrap();
    assert!(chain.seen().refused.is_empty(), "{:?}", chain.seen().refused);
    assert!(chain.seen().sync.subscriptions >= 8);
    assert_nothing_slashable(&config);
    for kind in ["sync_committee_message", "sync_committee_selection_proof", "contribution_and_proof"] {
        assert!(!signed_lines(&config, kind).is_empty(), "no line of a {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_crosses_into_altair_has_blocks_and_votes_with_the_domains_of_each_fork() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(1500, 8, "ALTAIR_FORK_EPOCH: 1\n").await;
    let chain = &node.chain;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("votes of the sync committee after the fork", || synced_slots(chain).len() >= 3).await;
    eventually("a vote for the fork's epoch", || {
        chain.seen().votes.iter().any(|(_, vote)| vote.data.target.epoch == Epoch(1))
    })
    .await;
    client.stop().await.unwrap();
    let seen = chain.seen();
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    assert!(seen.sync.messages.iter().all(|message| message.slot >= Slot(8)), "votes before the fork");
    let slots: Vec<Slot> = seen.blocks.iter().map(|block| block.message.slot).collect();
    assert!(slots.contains(&Slot(7)) && slots.iter().any(|slot| *slot > Slot(8)), "{slots:?}");
    drop(seen);
    assert_nothing_slashable(&config);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_only_older_endpoints_serves_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 16).await;
    let (address, old) = OldNode::start(node.url()).await;
    let config = config(&node.chain, format!("http://{address}"), &folder.path().join("data"));
    run_an_epoch(&node, RunningClient::start(config)).await;
    assert!(node.chain.seen().refused.is_empty(), "{:?}", node.chain.seen().refused);
    let forwarded = old.forwarded.lock().unwrap();
    for path in [
        "GET /eth/v1/beacon/states/head/validators",
        "POST /eth/v1/beacon/blocks",
        "POST /eth/v1/beacon/pool/attestations",
        "GET /eth/v1/validator/aggregate_attestation",
        "POST /eth/v1/validator/aggregate_and_proofs",
    ] {
        assert!(forwarded.iter().any(|line| line == path), "{path} is not among {forwarded:?}");
    }
    assert!(forwarded.iter().any(|line| line.starts_with("GET /eth/v2/validator/blocks/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_history_forbids_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 8).await;
    let config = config(&node.chain, node.url(), &folder.path().join("data"));
    // As if these keys had worked elsewhere, far ahead.
    let far = |index| SigningHistory {
        pubkey: BlsPubkey::from(keys::interop_secret_key(index).public_key().compress()),
        signed_blocks: vec![SignedBlock { slot: Slot(90_000), signing_root: None }],
        signed_attestations: vec![SignedAttestation {
            source_epoch: Epoch(0),
            target_epoch: Epoch(9000),
            signing_root: None,
        }],
    };
    let file = Interchange {
        genesis_validators_root: config.genesis_validators_root,
        data: (0..8).map(far).collect(),
    };
    History::open_or_create(&config.data_dir, config.genesis_validators_root).unwrap().import(&file).unwrap();

    let client = RunningClient::start(config.clone());
    let chain = &node.chain;
    eventually("questions of four slots", || {
        let seen = chain.seen();
        seen.data_asked.len() >= 4 && seen.blocks_asked.len() >= 3
    })
    .await;
    client.stop().await.unwrap();
    let seen = chain.seen();
    assert!(seen.votes.is_empty() && seen.blocks.is_empty() && seen.aggregates.is_empty());
    assert!(signed_lines(&config, "attestation").is_empty() && signed_lines(&config, "block").is_empty());
    assert!(!signed_lines(&config, "selection_proof").is_empty(), "the rest of the client did work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_restarted_signs_nothing_else_for_the_same_slot() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(4000, 8).await;
    let chain = &node.chain;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("a block and the vote of slot 1", || {
        let seen = chain.seen();
        seen.blocks.len() == 1 && seen.votes.iter().any(|(_, vote)| vote.data.slot == Slot(1))
    })
    .await;
    client.stop().await.unwrap();
    let signed = |kind| signed_lines(&config, kind);
    let before = (signed("attestation"), signed("block"));

    // The node now names another head and offers another block, in the same slot.
    chain.seen().behaviour.vote_for = Some(Root::from([0xee; 32]));
    chain.seen().behaviour.extra_graffiti = 1;
    let asked = chain.seen().data_asked.get(&Slot(1)).copied().unwrap_or_default();
    let client = RunningClient::start(config.clone());
    eventually("questions of the second run", || {
        let seen = chain.seen();
        seen.data_asked[&Slot(1)] > asked && seen.blocks_asked[&Slot(1)] > 1
    })
    .await;
    eventually("slot 2", || chain.ms_now() >= 8000).await;
    client.stop().await.unwrap();

    let of_slot =
        |lines: Vec<serde_json::Value>| lines.into_iter().filter(|line| line["slot"].as_u64() <= Some(1));
    assert_eq!(of_slot(signed("attestation")).collect::<Vec<_>>(), before.0);
    assert_eq!(of_slot(signed("block")).collect::<Vec<_>>(), before.1);
    assert_nothing_slashable(&config);
    let of_slot_1 = chain.seen().votes.iter().filter(|(_, vote)| vote.data.slot == Slot(1)).count();
    assert_eq!(of_slot_1, before.0.iter().filter(|line| line["slot"] == 1).count());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_logged_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 8).await;
    let mut config = config(&node.chain, node.url(), &folder.path().join("data"));
    // Every write to this device fails for want of space.
    config.signed_log = Some("/dev/full".into());
    let client = RunningClient::start(config);
    let chain = &node.chain;
    eventually("questions of three slots", || chain.seen().data_asked.len() >= 3).await;
    client.stop().await.unwrap();
    let seen = chain.seen();
    assert!(seen.votes.is_empty() && seen.blocks.is_empty(), "published without a line in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 8).await;
    let mut config = config(&node.chain, node.url(), &folder.path().join("data"));
    config.genesis_validators_root = Root::from([1; 32]);
    let error = RunningClient::start(config).end().await.unwrap_err().to_string();
    let theirs = node.chain.genesis.genesis_validators_root;
    let ours = Root::from([1; 32]);
    assert_eq!(
        error,
        format!(
            "the beacon node {} is of another network: its genesis_validators_root is {theirs}, the network \
             folder says {ours}",
            node.url()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_starts_before_its_node_waits_for_it_and_outlives_its_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(1000, 8).await;
    let (chain, address): (std::sync::Arc<MiniChain>, SocketAddr) = (node.chain.clone(), node.address);
    let config = config(&chain, node.url(), &folder.path().join("data"));
    drop(node);
    let client = RunningClient::start(config);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let node = reopen(&chain, address).await;
    eventually("a vote", || !chain.seen().votes.is_empty()).await;
    drop(node);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let last = chain.seen().votes.last().unwrap().1.data.slot;
    let _node = reopen(&chain, address).await;
    eventually("a vote after the restart", || chain.seen().votes.last().unwrap().1.data.slot > last + 1)
        .await;
    client.stop().await.unwrap();
    assert!(chain.seen().refused.is_empty(), "{:?}", chain.seen().refused);
}

async fn reopen(chain: &std::sync::Arc<MiniChain>, address: SocketAddr) -> Node {
    // The port may be held for a moment by the node that is shutting down.
    for _ in 0..100 {
        if std::net::TcpListener::bind(address).is_ok() {
            return Node::of(chain.clone(), address).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the port is still taken");
}
