//! The validator client in later forks: attestations that name their attester, blocks with blobs, fee recipients, and a
//! node whose head is not verified.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use support::{MiniChain, Node, RunningClient, config, eventually, signed_lines};
use types::{ForkName, Slot, ValidatorIndex};

/// Lines of a configuration with all forks up to one at an epoch.
fn forks(last: ForkName, epoch: u64) -> String {
    let begun = ForkName::ALL.into_iter().skip(1).filter(|fork| *fork <= last);
    begun.map(|fork| format!("{}_FORK_EPOCH: {epoch}\n", fork.as_str().to_uppercase())).collect()
}

/// Committees and slots that have an aggregate.
fn aggregated(chain: &MiniChain) -> BTreeSet<(Slot, usize)> {
    let seen = chain.seen();
    let aggregates = seen.aggregates.iter().map(|signed| &signed.message.aggregate);
    aggregates.filter_map(|of| Some((of.data.slot, of.committee_bits.ones().next()?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn since_electra_votes_name_their_attester_and_each_committee_has_its_aggregate() {
    let folder = tempfile::tempdir().unwrap();
    // 64 validators of the minimal preset are two committees in each slot.
    let node = Node::start_with(2000, 64, &forks(ForkName::Electra, 0)).await;
    let chain = &node.chain;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("aggregates of both committees in two slots", || {
        let of = aggregated(chain);
        of.iter().filter(|(slot, index)| *index == 1 && of.contains(&(*slot, 0))).count() >= 2
    })
    .await;
    client.stop().await.unwrap();
    let seen = chain.seen();
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    assert_eq!(seen.single, seen.votes.len(), "all votes came in the form of the fork");
    assert!(seen.votes.iter().all(|(_, vote)| vote.data.index == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_published_with_the_blobs_that_they_came_with() {
    for (fork, proofs) in [(ForkName::Deneb, 1), (ForkName::Fulu, 128)] {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start_with(1500, 8, &forks(fork, 0)).await;
        let chain = &node.chain;
        let config = config(chain, node.url(), &folder.path().join("data"));
        let client = RunningClient::start(config.clone());
        eventually("blocks", || chain.seen().blocks.len() >= 2).await;
        client.stop().await.unwrap();
        let seen = chain.seen();
        assert!(seen.refused.is_empty(), "{:?}", seen.refused);
        for (block, (kzg_proofs, blobs)) in seen.blocks.iter().zip(&seen.blobs) {
            let byte = block.message.slot.0 as u8;
            assert_eq!(kzg_proofs, &vec![types::FixedBytes([byte; 48]); proofs]);
            assert_eq!(blobs, &vec![types::Bytes(vec![byte; 131_072])]);
        }
        let told = seen.fee_recipients.first().expect("the node is told before the first block");
        assert_eq!(told.len(), 8);
        assert!(told.iter().all(|(_, recipient)| recipient.0 == [0xfe; 20]));
        assert!(told.iter().any(|(index, _)| *index == ValidatorIndex(7)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_crosses_into_fulu_at_once_has_votes_and_blocks_of_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(1500, 8, &forks(ForkName::Fulu, 1)).await;
    let chain = &node.chain;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("votes, aggregates and blocks after the fork", || {
        let seen = chain.seen();
        let is_after = |slot: Slot| slot >= Slot(9);
        seen.single >= 2
            && seen.aggregates.iter().any(|signed| is_after(signed.message.aggregate.data.slot))
            && seen.blocks.iter().any(|block| is_after(block.message.slot))
    })
    .await;
    client.stop().await.unwrap();
    let seen = chain.seen();
    assert!(seen.refused.is_empty(), "{:?}", seen.refused);
    let before = seen.votes.iter().filter(|(_, vote)| vote.data.slot < 8).count();
    assert_eq!(seen.votes.len() - seen.single, before);
    for (block, (_, blobs)) in seen.blocks.iter().zip(&seen.blobs) {
        assert_eq!(blobs.len(), usize::from(block.message.slot >= 8), "slot {}", block.message.slot);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_for_a_head_that_no_engine_has_verified() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(1000, 8, &forks(ForkName::Capella, 0)).await;
    let chain = &node.chain;
    chain.seen().behaviour.optimistic = true;
    let config = config(chain, node.url(), &folder.path().join("data"));
    let client = RunningClient::start(config.clone());
    eventually("slot 3", || chain.ms_now() >= 3000).await;
    {
        let seen = chain.seen();
        assert!(seen.votes.is_empty() && seen.blocks.is_empty() && seen.sync.messages.is_empty());
        assert!(seen.subscriptions > 0, "the rest of the client works");
    }
    for kind in ["attestation", "block", "sync_committee_message", "aggregate_and_proof"] {
        assert!(signed_lines(&config, kind).is_empty(), "signed a {kind}");
    }
    chain.seen().behaviour.optimistic = false;
    eventually("votes", || !chain.seen().votes.is_empty() && !chain.seen().sync.messages.is_empty()).await;
    client.stop().await.unwrap();
    assert!(chain.seen().refused.is_empty(), "{:?}", chain.seen().refused);
}
