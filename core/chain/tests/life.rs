//! The chain's life with all its duties done: it finalizes, follows, restarts, reorganizes and refuses.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use chain::{
    Command, Event, GossipMessage, Input, ItemFailure, PublishOutcome, Reply, SegmentOutcome, Verdict,
};
use support::{Node, at, epoch, nowhere, signed, spec};
use types::{CommitteeIndex, SignedBeaconBlock, Slot, SszExt};

fn block_message(block: &Arc<SignedBeaconBlock>) -> GossipMessage {
    GossipMessage::Block(block.clone())
}

#[test]
fn a_network_of_one_node_finalizes() {
    let mut node = Node::new();
    for slot in 1..=40 {
        node.live(slot);
    }
    assert_eq!(node.faults, Vec::<String>::new());
    assert_eq!(node.chain.view().head.slot, Slot(40));
    assert_eq!(node.finalized().epoch, epoch(3));
    let finalized = |event: &&Event| matches!(event, Event::FinalizedCheckpoint { .. });
    assert_eq!(node.events.iter().filter(finalized).count(), 2);
    // The canonical index reaches from genesis to the finalized block, without holes.
    assert_eq!(node.disk.canonical.len(), 24 + 1);
    assert_eq!(node.disk.canonical[&Slot(24)], node.finalized().root);
    // States before the finalized one are gone.
    assert!(node.disk.states.values().all(|state| state.slot >= Slot(24)));
    assert!(node.chain.view().fork_choice.nodes.len() <= 17);
}

#[test]
fn a_follower_takes_the_same_messages_from_gossip() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    for slot in 1..=34 {
        node.live(slot);
        for message in std::mem::take(&mut node.published) {
            let ms = if matches!(message, GossipMessage::Block(_)) { 100 } else { 2100 };
            follower.gossip(at(slot, ms), message);
        }
        follower.handle(at(slot, 5000), Input::Tick);
        assert!(follower.verdicts.values().all(|verdict| *verdict == Verdict::Accept));
    }
    assert_eq!(follower.head(), node.head());
    assert_eq!(follower.finalized(), node.finalized());
    assert_eq!(follower.finalized().epoch, epoch(2));
    assert_eq!(follower.faults, Vec::<String>::new());
}

#[test]
fn a_segment_brings_a_newcomer_up_to_date() {
    let mut node = Node::new();
    let blocks: Vec<_> = (1..=36).map(|slot| node.live(slot)).collect();
    let mut newcomer = Node::new();
    assert_eq!(newcomer.segment(at(36, 0), blocks[5..].to_vec()), Some(SegmentOutcome::UnknownParent));
    let outcome = newcomer.segment(at(36, 0), blocks.clone());
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 36 }));
    assert_eq!(newcomer.segment(at(36, 0), blocks), Some(SegmentOutcome::Imported { count: 0 }));
    assert_eq!(newcomer.head(), node.head());
    assert_eq!(newcomer.finalized(), node.finalized());
}

#[test]
fn a_restart_goes_on_where_the_disk_stands() {
    let mut node = Node::new();
    for slot in 1..=21 {
        node.live(slot);
    }
    let mut restarted = Node::restarted(node.disk.clone(), at(21, 6000));
    assert_eq!(restarted.head(), node.head());
    assert_eq!(restarted.finalized(), node.finalized());
    for slot in 22..=40 {
        restarted.live(slot);
    }
    assert_eq!(restarted.finalized().epoch, epoch(3));
    assert_eq!(restarted.faults, Vec::<String>::new());
}

#[test]
fn large_states_are_written_every_fourth_epoch_and_a_restart_replays_the_blocks_since() {
    support::LARGE_REGISTRY.set(Some(1));
    let mut node = Node::new();
    let mut disks = Vec::new();
    for slot in 1..=68 {
        node.live(slot);
        let epochs: Vec<u64> = node.disk.states.values().map(|state| state.slot.epoch(spec()).0).collect();
        assert!(epochs.iter().all(|epoch| epoch.is_multiple_of(4)), "slot {slot}: {epochs:?}");
        disks.push((slot, node.disk.clone(), node.head()));
    }
    assert_eq!(node.disk.states.len(), 2, "the one that finality rests on, and one after it");
    for (slot, disk, head) in disks.into_iter().step_by(11) {
        let restarted = Node::restarted(disk, at(slot, 6000));
        assert_eq!(restarted.head(), head, "after slot {slot}");
        assert_eq!(restarted.faults, Vec::<String>::new());
    }
}

#[test]
fn a_restart_from_any_moment_finds_a_consistent_disk() {
    let mut node = Node::new();
    let mut disks = Vec::new();
    for slot in 1..=36 {
        node.live(slot);
        disks.push((slot, node.disk.clone(), node.head()));
    }
    for (slot, disk, head) in disks.into_iter().step_by(5) {
        let restarted = Node::restarted(disk, at(slot, 6000));
        assert_eq!(restarted.head(), head, "after slot {slot}");
        assert_eq!(restarted.faults, Vec::<String>::new());
    }
}

#[test]
fn a_block_waits_for_its_parent() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let (first, second) = (node.live(1), node.live(2));
    let id = follower.gossip(at(2, 100), block_message(&second));
    assert_eq!(follower.verdicts[&id], Verdict::ignore("block's parent has not been seen"));
    assert_eq!(follower.wanted, [second.message.parent_root]);
    let outcome = follower.segment(at(2, 200), vec![first]);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 1 }));
    assert_eq!(follower.head(), node.head());
}

#[test]
fn votes_wait_for_their_block() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let block = node.live(1);
    let votes = std::mem::take(&mut node.published);
    let vote =
        votes.into_iter().find(|message| matches!(message, GossipMessage::Attestation { .. })).unwrap();
    let id = follower.gossip(at(1, 2100), vote);
    assert!(!follower.verdicts.contains_key(&id));
    follower.gossip(at(1, 2200), block_message(&block));
    follower.handle(at(1, 2300), Input::Tick);
    assert_eq!(follower.verdicts[&id], Verdict::Accept);
    assert_eq!(follower.chain.view().pools.attestations.len(), 1);
}

#[test]
fn votes_for_a_block_that_never_comes_are_ignored_in_the_end() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    node.live(1);
    let votes = std::mem::take(&mut node.published);
    let vote =
        votes.into_iter().find(|message| matches!(message, GossipMessage::Attestation { .. })).unwrap();
    let id = follower.gossip(at(1, 2100), vote);
    follower.handle(at(4, 0), Input::Tick);
    assert_eq!(follower.verdicts[&id], Verdict::ignore("block being voted for has not been seen"));
    assert_eq!(follower.chain.view().counters.attestations_pending, 0);
}

#[test]
fn an_invalid_block_is_remembered_with_its_descendants() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let good = node.live(1);
    let mut message = good.message.clone();
    message.state_root = nowhere();
    let bad = Arc::new(signed(message));
    let id = follower.gossip(at(1, 100), block_message(&bad));
    // Its signature is good, so that it was forwarded before it was executed.
    assert_eq!(follower.verdicts[&id], Verdict::Accept);
    assert_eq!(follower.chain.view().counters.blocks_invalid, 1);
    let mut child = node.live(2).message.clone();
    child.parent_root = bad.message.hash_tree_root(spec().ctx_at_slot(Slot(1)));
    let id = follower.gossip(at(2, 100), block_message(&Arc::new(signed(child))));
    assert_eq!(follower.verdicts[&id], Verdict::reject("block's parent is invalid"));
    assert_eq!(follower.chain.view().head.slot, Slot(0));
    let outcome = follower.segment(at(2, 200), vec![good]);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 1 }));
}

#[test]
fn a_wrong_signature_is_rejected_and_leaves_no_trace() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let good = node.live(1);
    let mut bad = (*good).clone();
    bad.signature.0[7] ^= 1;
    let id = follower.gossip(at(1, 100), block_message(&Arc::new(bad)));
    assert_eq!(follower.verdicts[&id], Verdict::reject("invalid proposer signature"));
    let id = follower.gossip(at(1, 200), block_message(&good));
    assert_eq!(follower.verdicts[&id], Verdict::Accept);
    assert_eq!(follower.head(), node.head());
}

#[test]
fn a_segment_with_a_bad_signature_names_the_block() {
    let mut node = Node::new();
    let mut blocks: Vec<_> = (1..=5).map(|slot| node.live(slot)).collect();
    let good = blocks.clone();
    let mut bad = (*blocks[3]).clone();
    bad.signature.0[7] ^= 1;
    let root = bad.message.hash_tree_root(spec().ctx_at_slot(Slot(4)));
    blocks[3] = Arc::new(bad);
    let mut newcomer = Node::new();
    let outcome = newcomer.segment(at(6, 0), blocks);
    let why = "the proposer's signature is invalid".to_owned();
    assert_eq!(outcome, Some(SegmentOutcome::Invalid { at: 3, root, why }));
    assert_eq!(newcomer.chain.view().head.slot, Slot(3));
    // A root says nothing of the signature: nobody can make us refuse a block by sending it with a wrong one.
    assert_eq!(newcomer.segment(at(6, 100), good[3..].to_vec()), Some(SegmentOutcome::Imported { count: 2 }));
    assert_eq!(newcomer.head(), node.head());
}

#[test]
fn the_chain_goes_on_without_some_blocks() {
    let mut node = Node::new();
    for slot in 1..=48 {
        match slot % 5 {
            // The proposer is away, the others vote for what is there.
            0 => {
                let votes = {
                    node.handle(at(slot, 0), Input::Tick);
                    node.attest(slot)
                };
                let reply = node.command(at(slot, 2000), Command::PublishAttestations(votes));
                assert_eq!(reply, Reply::Items(Vec::new()));
                node.handle(at(slot, 5000), Input::Tick);
            }
            _ => drop(node.live(slot)),
        }
    }
    assert_eq!(node.finalized().epoch, epoch(4));
    assert_eq!(node.faults, Vec::<String>::new());
}

#[test]
fn a_branch_with_more_votes_takes_the_head() {
    let (mut node, mut other) = (Node::new(), Node::new());
    for slot in 1..=3 {
        let block = node.live(slot);
        other.gossip(at(slot, 100), block_message(&block));
    }
    // The other node misses a block, and builds its own in the next slot; nobody votes for it.
    let lonely = {
        other.handle(at(5, 0), Input::Tick);
        let block = other.propose(5);
        other.command(at(5, 20), Command::PublishBlock(block.clone().into()));
        block
    };
    node.live(4);
    let messages = std::mem::take(&mut node.published);
    assert_eq!(other.chain.view().head.slot, lonely.message.slot);
    for message in messages {
        other.gossip(at(5, 3000), message);
    }
    other.handle(at(6, 0), Input::Tick);
    assert_eq!(other.head(), node.head());
    let reorg = other.events.iter().find(|event| matches!(event, Event::ChainReorg { .. }));
    assert!(matches!(reorg, Some(Event::ChainReorg { depth: 2, .. })), "{reorg:?}");
    assert_eq!(other.chain.view().counters.reorgs, 1);
}

#[test]
fn the_same_vote_twice_is_told_so() {
    let mut node = Node::new();
    node.live(1);
    let votes = node.attest(1);
    let count = votes.len();
    let reply = node.command(at(1, 3000), Command::PublishAttestations(votes));
    let Reply::Items(failures) = reply else { panic!("{reply:?}") };
    assert_eq!(failures.len(), count);
    let message = "already seen attestation for this epoch and validator".to_owned();
    assert_eq!(failures[0], ItemFailure { index: 0, message });
}

#[test]
fn all_aggregators_of_a_committee_may_publish_the_same_votes() {
    let mut node = Node::new();
    node.live(1);
    let data = node.attest(1)[0].data.clone();
    let aggregates = node.aggregates(1, data.index);
    assert!(aggregates.len() > 1, "the committee's members are all aggregators");
    assert!(aggregates.iter().all(|signed| signed.message.aggregate == aggregates[0].message.aggregate));
    let reply = node.command(at(1, 4500), Command::PublishAggregates(aggregates.clone()));
    assert_eq!(reply, Reply::Items(Vec::new()));
    let published = node.published.iter().filter(|message| matches!(message, GossipMessage::Aggregate(_)));
    assert_eq!(published.count(), 1, "what adds no votes is not forwarded");
    // Other votes of an aggregator that has spoken are still refused.
    let mut other = (*aggregates[0]).clone();
    other.message.aggregate.data.index = CommitteeIndex(9);
    let reply = node.command(at(1, 4600), Command::PublishAggregates(vec![Arc::new(other)]));
    assert!(matches!(&reply, Reply::Items(failures) if failures.len() == 1), "{reply:?}");
}

#[test]
fn a_block_published_twice_is_imported_once() {
    let mut node = Node::new();
    let block = node.live(1);
    let reply = node.command(at(1, 3000), Command::PublishBlock(block.clone().into()));
    assert_eq!(reply, Reply::Block(PublishOutcome::Imported));
    let mut other = block.message.clone();
    other.body.graffiti = nowhere();
    let reply = node.command(at(1, 3000), Command::PublishBlock(Arc::new(signed(other)).into()));
    let why = "block is not the first valid block for this slot and proposer".to_owned();
    assert_eq!(reply, Reply::Block(PublishOutcome::Invalid(why)));
}

#[test]
fn a_block_that_is_held_back_is_published_once_it_was_executed_and_never_where_it_cannot_be() {
    let mut node = Node::new();
    node.live(1);
    node.handle(at(2, 0), Input::Tick);
    let published = |node: &Node| {
        node.published.iter().filter(|message| matches!(message, GossipMessage::Block(_))).count()
    };
    let before = published(&node);
    let good = node.propose(2);
    let mut bad = good.message.clone();
    bad.state_root = nowhere();
    let command = |block| Command::PublishBlockOnceExecuted(block);
    let reply = node.command(at(2, 20), command(Arc::new(signed(bad)).into()));
    assert!(matches!(&reply, Reply::Block(PublishOutcome::Invalid(_))), "{reply:?}");
    assert_eq!(published(&node), before, "a block with a wrong state root was broadcast");
    // The rules of gossip take one block of a slot, and that was it; the next slot has another.
    node.handle(at(3, 0), Input::Tick);
    let good = node.propose(3);
    let reply = node.command(at(3, 20), command(good.into()));
    assert_eq!(reply, Reply::Block(PublishOutcome::Imported));
    assert_eq!(published(&node), before + 1);
}

#[test]
fn a_block_of_the_next_slot_waits_for_it() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let block = node.live(1);
    let id = follower.gossip(at(0, 3000), block_message(&block));
    assert!(!follower.verdicts.contains_key(&id));
    follower.handle(at(1, 0), Input::Tick);
    assert_eq!(follower.verdicts[&id], Verdict::Accept);
    assert_eq!(follower.head(), node.head());
}

#[test]
fn a_truncated_snapshot_is_told_from_a_whole_one() {
    let mut node = Node::new();
    node.live(1);
    let whole = node.disk.stored_start();
    for length in [0, 3, 40, 100, whole.snapshot.len() - 1] {
        let mut stored = whole.clone();
        stored.snapshot.truncate(length);
        let config = chain::ChainConfig { seed: [5; 32], ..chain::ChainConfig::default() };
        let start = chain::Start::Restored(stored);
        let error = chain::Chain::new(spec(), config, start, at(2, 0)).map(drop).unwrap_err();
        assert!(matches!(error, chain::StartError::Snapshot(_)), "{length}: {error}");
    }
}

#[test]
fn messages_of_two_copies_under_verification_count_once() {
    let (mut node, mut follower) = (Node::new(), Node::new());
    let block = node.live(1);
    follower.gossip(at(1, 100), block_message(&block));
    let votes = std::mem::take(&mut node.published);
    let vote =
        votes.into_iter().find(|message| matches!(message, GossipMessage::Attestation { .. })).unwrap();
    // Both come before the batch is verified.
    let first = follower.gossip(at(1, 2100), vote.clone());
    let second = follower.gossip(at(1, 2101), vote);
    follower.handle(at(1, 2200), Input::Tick);
    assert_eq!(follower.verdicts[&first], Verdict::Accept);
    assert!(matches!(follower.verdicts[&second], Verdict::Ignore(_)));
    assert_eq!(follower.chain.view().counters.attestations_verified, 1);
}

#[test]
fn a_fork_begins_without_a_gap() {
    let mut node = Node::of(support::spec_with("ALTAIR_FORK_EPOCH", 2));
    for slot in 1..=34 {
        node.live(slot);
    }
    assert_eq!(node.faults, Vec::<String>::new());
    assert_eq!(node.chain.view().head.state.fork_name(), types::ForkName::Altair);
    assert_eq!(node.finalized().epoch, epoch(2));
}
