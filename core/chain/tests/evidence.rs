//! What the chain keeps of what should not happen.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use chain::limits::EVIDENCE_AN_EPOCH_MAX;
use chain::{
    Command, EvidenceReason, GossipMessage, Input, PublishOutcome, Reply, SegmentOutcome, Verdict, verdict_on,
};
use support::{Node, at, epoch, signed, spec, spec_of_forks};
use transition::{Signatures, ValidateResult, state_transition};
use types::{FixedBytes, Root, SignedBeaconBlock, Slot, SszExt};

/// The block, changed and signed again.
fn changed(block: &SignedBeaconBlock, change: impl FnOnce(&mut SignedBeaconBlock)) -> Arc<SignedBeaconBlock> {
    let mut block = block.clone();
    change(&mut block);
    Arc::new(signed(block.message))
}

fn with_state_root(block: &SignedBeaconBlock, byte: u8) -> Arc<SignedBeaconBlock> {
    changed(block, |block| block.message.state_root = FixedBytes([byte; 32]))
}

fn root_of(block: &SignedBeaconBlock) -> Root {
    block.message.hash_tree_root(spec().ctx_at_slot(block.message.slot))
}

/// A node of some slots, and the block of the next.
fn node_and_next() -> (Node, Arc<SignedBeaconBlock>) {
    let mut node = Node::new();
    for slot in 1..=10 {
        node.live(slot);
    }
    node.handle(at(11, 0), Input::Tick);
    let next = node.propose(11);
    (node, next)
}

#[test]
fn a_block_that_gossip_accepted_and_the_transition_refuses_is_kept_with_what_it_takes_to_run_it_again() {
    let (mut node, next) = node_and_next();
    let block = with_state_root(&next, 7);
    let parent = node.chain.view().head.clone();
    let id = node.gossip(at(11, 100), GossipMessage::Block(block.clone()));
    assert_eq!(node.verdicts[&id], Verdict::Accept);
    let [evidence] = &node.evidence[..] else { panic!("{:?}", node.evidence.len()) };
    assert_eq!((evidence.reason, evidence.source), (EvidenceReason::StateRoot, "gossip"));
    assert_eq!((evidence.root, evidence.blocks.len()), (root_of(&block), 1));
    // The parent's own post-state, though the node had advanced it to the block's slot.
    assert_eq!((evidence.pre_state.slot, evidence.pre_state.state_root()), (Slot(10), parent.state_root));
    assert!(evidence.verdict.starts_with("the block's state root is 0x0707"), "{}", evidence.verdict);
    assert_eq!(verdict_on(&evidence.pre_state, &evidence.blocks), evidence.verdict);
    assert_eq!(verdict_on(&evidence.pre_state, &[next]), "valid");
    let before: Vec<Slot> = evidence.before.iter().map(|block| block.message.slot).collect();
    assert_eq!(before, (0..=10).map(Slot).collect::<Vec<_>>());
    let notes: Vec<String> = evidence.notes.iter().map(|note| note.what.to_string()).collect();
    assert_eq!(notes.last().unwrap().split(": ").last(), Some("accepted"), "{notes:?}");
    assert!(
        notes.iter().any(|note| note.starts_with("imported 0x") && note.contains("of slot 10")),
        "{notes:?}"
    );
    assert_eq!(evidence.head, (Slot(10), parent.root));
    assert_eq!(evidence.fork_choice.nodes.len(), 11);

    // The same block again is no news.
    node.segment(at(11, 200), vec![block]);
    assert_eq!(node.evidence.len(), 1);
    assert_eq!(node.chain.view().counters.evidence_kept, 1);
}

#[test]
fn the_verdict_names_the_signature_that_is_wrong() {
    let (mut node, next) = node_and_next();
    let mut post = (*node.chain.view().head.state).clone();
    let mut block = (*next).clone();
    block.message.body.randao_reveal = next.signature;
    state_transition(&mut post, &block, &mut Signatures::Skip, ValidateResult::No).unwrap();
    let block = changed(&block, |block| block.message.state_root = post.state_root());
    node.gossip(at(11, 100), GossipMessage::Block(block));
    let evidence = &node.evidence[0];
    assert_eq!(evidence.reason, EvidenceReason::InvalidBlock);
    assert!(evidence.verdict.contains("randao"), "{}", evidence.verdict);
    assert_eq!(verdict_on(&evidence.pre_state, &evidence.blocks), evidence.verdict);
}

#[test]
fn blocks_that_anybody_can_make_are_not_kept() {
    let (mut node, next) = node_and_next();
    let forged = Arc::new(SignedBeaconBlock {
        signature: next.message.body.randao_reveal,
        ..(*with_state_root(&next, 7)).clone()
    });
    let by_another = changed(&next, |block| {
        block.message.proposer_index = node.chain.view().head.state.latest_block_header.proposer_index
    });
    assert_ne!(by_another.message.proposer_index, next.message.proposer_index);
    for block in [forged, by_another] {
        let outcome = node.segment(at(11, 100), vec![block]);
        assert!(matches!(outcome, Some(SegmentOutcome::Invalid { .. })), "{outcome:?}");
    }
    assert_eq!(node.evidence.len(), 0);
    // One of sync that its proposer signed is, though it has the same root as a forged one.
    node.segment(at(11, 200), vec![with_state_root(&next, 7)]);
    assert_eq!(node.evidence.len(), 1);
    assert_eq!((node.evidence[0].reason, node.evidence[0].source), (EvidenceReason::StateRoot, "sync"));
}

#[test]
fn a_proposer_cannot_fill_the_disk() {
    let (mut node, next) = node_and_next();
    let more = EVIDENCE_AN_EPOCH_MAX as u8 + 3;
    for byte in 0..more {
        node.segment(at(11, 100), vec![with_state_root(&next, byte)]);
    }
    assert_eq!(node.evidence.len(), EVIDENCE_AN_EPOCH_MAX);
    assert_eq!(node.chain.view().counters.overflows, 3);
    // In the next epoch there is room again.
    node.handle(at(16, 0), Input::Tick);
    node.segment(at(16, 100), vec![with_state_root(&next, 99)]);
    assert_eq!(node.evidence.len(), EVIDENCE_AN_EPOCH_MAX + 1);
}

#[test]
fn a_block_whose_execution_panics_is_kept() {
    let (mut node, next) = node_and_next();
    node.panics = true;
    let reply = node.command(at(11, 100), Command::PublishBlock(next.clone().into()));
    assert!(
        matches!(reply, Reply::Block(PublishOutcome::BroadcastOnly(_) | PublishOutcome::Invalid(_))),
        "{reply:?}"
    );
    let evidence = &node.evidence[0];
    assert_eq!((evidence.reason, evidence.source), (EvidenceReason::Panic, "api"));
    assert_eq!(evidence.verdict, "panicked: index out of bounds");
    assert_eq!(evidence.blocks, [next]);
}

#[test]
fn a_block_whose_payload_the_engine_refuses_is_kept_as_valid_but_for_that() {
    let forks = ["ALTAIR", "BELLATRIX", "CAPELLA"].map(|fork| (fork, 0));
    let mut node = Node::of(spec_of_forks(&forks, &[]));
    for slot in 1..=3 {
        node.live(slot);
    }
    node.handle(at(4, 0), Input::Tick);
    let next = node.propose(4);
    node.engine.invalid.insert(next.message.body.execution_payload.block_hash);
    node.gossip(at(4, 100), GossipMessage::Block(next.clone()));
    let [evidence] = &node.evidence[..] else { panic!("{:?}", node.evidence.len()) };
    assert_eq!((evidence.reason, evidence.verdict.as_str()), (EvidenceReason::Payload, "valid"));
    assert!(evidence.beyond.as_ref().unwrap().contains("as it was told"), "{:?}", evidence.beyond);
    assert_eq!(verdict_on(&evidence.pre_state, &evidence.blocks), "valid");
}

/// The blocks of a node whose validators vote in some epochs only, and which has no block in a slot.
fn branch(without: u64, voting: std::ops::RangeInclusive<u64>) -> Vec<Arc<SignedBeaconBlock>> {
    let mut node = Node::new();
    let mut blocks = Vec::new();
    for slot in (1..=33).filter(|slot| *slot != without) {
        node.handle(at(slot, 0), Input::Tick);
        let block = node.propose(slot);
        assert_eq!(node.publish(at(slot, 20), &block), Reply::Block(PublishOutcome::Imported));
        blocks.push(block);
        if voting.contains(&Slot(slot).epoch(spec()).0) {
            let votes = node.attest(slot);
            assert_eq!(
                node.command(at(slot, 2000), Command::PublishAttestations(votes)),
                Reply::Items(Vec::new())
            );
        }
        node.handle(at(slot, 5000), Input::Tick);
    }
    blocks
}

#[test]
fn a_head_beside_finality_is_kept_and_told_once() {
    // All validators vote on both branches: one justifies epoch 3, the other finalizes epoch 2.
    let justifying = branch(1, 3..=3);
    let finalizing = branch(2, 2..=3);
    let mut node = Node::new();
    node.handle(at(34, 0), Input::Tick);
    let count = justifying.len();
    assert_eq!(node.segment(at(34, 0), justifying.clone()), Some(SegmentOutcome::Imported { count }));
    assert_eq!((node.chain.view().justified.epoch, node.finalized().epoch), (epoch(3), epoch(0)));
    assert_eq!(node.evidence.len(), 0);
    node.segment(at(34, 100), finalizing);
    assert_eq!(node.finalized().epoch, epoch(2));
    let head = node.head();
    let on_other: Vec<Root> = justifying.iter().map(|block| root_of(block)).collect();
    assert!(on_other.contains(&head), "the head stays with the justified checkpoint");
    let [evidence] = &node.evidence[..] else { panic!("{:?}", node.evidence.len()) };
    assert_eq!((evidence.reason, evidence.root), (EvidenceReason::Finality, head));
    assert_eq!(verdict_on(&evidence.pre_state, &evidence.blocks), "valid");
    assert_eq!(evidence.finalized.epoch, epoch(2));
    let beside = |fault: &&String| fault.contains("does not descend from the finalized checkpoint");
    assert_eq!(node.faults.iter().filter(beside).count(), 1, "{:?}", node.faults);
    for slot in 35..60 {
        node.handle(at(slot, 0), Input::Tick);
    }
    assert_eq!(node.evidence.len(), 1);
    assert_eq!(node.faults.iter().filter(beside).count(), 1, "{:?}", node.faults);
}
