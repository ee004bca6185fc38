//! The chain beside an execution engine: payloads, verdicts that come late, and blocks with payloads.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use chain::{Command, GossipMessage, Input, PublishOutcome, Reply, SegmentOutcome, Verdict};
use engine::PowBlock;
use fork_choice::ExecutionStatus;
use support::engine::{Mood, TestEngine};
use support::{ETH1_HASH, Node, at, spec_of_forks};
use types::{
    BlsSignature, ExecutionPayload, FixedBytes, Root, SignedBeaconBlock, Slot, Spec, SszExt, Uint256,
    ValidatorIndex,
};

const FORKS: [&str; 6] = ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"];

/// A network that begins with a fork.
fn spec_at(fork: &str) -> &'static Spec {
    let last = FORKS.iter().position(|name| *name == fork).unwrap();
    let forks: Vec<_> = FORKS[..=last].iter().map(|name| (*name, 0)).collect();
    spec_of_forks(&forks, &[])
}

/// Proposes and imports a block.
fn add(node: &mut Node, slot: u64) -> Arc<SignedBeaconBlock> {
    node.handle(at(slot, 0), Input::Tick);
    let block = node.propose(slot);
    let reply = node.command(at(slot, 20), Command::PublishBlock(block.clone().into()));
    assert_eq!(reply, Reply::Block(PublishOutcome::Imported), "slot {slot}");
    node.handle(at(slot, 5000), Input::Tick);
    block
}

fn hash_of(block: &SignedBeaconBlock) -> Root {
    block.message.body.execution_payload.block_hash
}

fn root_of(block: &SignedBeaconBlock) -> Root {
    block.message.hash_tree_root(support::spec().ctx_at_slot(block.message.slot))
}

fn status(node: &Node, block: &SignedBeaconBlock) -> ExecutionStatus {
    node.chain.fork_choice().block(&root_of(block)).unwrap().execution
}

#[test]
fn blocks_of_every_fork_since_bellatrix_have_payloads_of_the_engine() {
    for fork in &FORKS[1..] {
        let mut node = Node::of(spec_at(fork));
        let mut before = ETH1_HASH;
        for slot in 1..=9 {
            let block = add(&mut node, slot);
            let payload = &block.message.body.execution_payload;
            assert_eq!(payload.parent_hash, before, "{fork}");
            before = payload.block_hash;
            assert_eq!(status(&node, &block), ExecutionStatus::Valid { block_hash: before }, "{fork}");
            assert_eq!(node.engine.head, before, "{fork}");
        }
        assert_eq!(node.faults, Vec::<String>::new(), "{fork}");
    }
}

/// So many blocks of a chain whose engine works, and the node that made them.
fn chain_of(fork: &str, slots: u64) -> (Node, Vec<Arc<SignedBeaconBlock>>) {
    let mut node = Node::of(spec_at(fork));
    let blocks = (1..=slots).map(|slot| add(&mut node, slot)).collect();
    (node, blocks)
}

/// A node hears of a block in its slot.
fn hear(node: &mut Node, block: &Arc<SignedBeaconBlock>) -> Verdict {
    let slot = block.message.slot.0;
    node.handle(at(slot, 0), Input::Tick);
    let id = node.gossip(at(slot, 100), GossipMessage::Block(block.clone()));
    node.verdicts[&id]
}

fn hear_all(node: &mut Node, blocks: &[Arc<SignedBeaconBlock>]) {
    for block in blocks {
        hear(node, block);
    }
}

/// Lets the clock run to a slot, with all that the node wants to do on the way.
fn run_to(node: &mut Node, slot: u64) {
    loop {
        let deadline = node.chain.deadline();
        if deadline > at(slot, 0) {
            return node.handle(at(slot, 0), Input::Tick);
        }
        node.handle(deadline, Input::Tick);
    }
}

fn is_optimistic(node: &Node, block: &SignedBeaconBlock) -> bool {
    node.chain.view().is_optimistic(&root_of(block))
}

#[test]
fn a_chain_that_the_engine_does_not_know_is_followed_and_told_to_it_later() {
    let (_, blocks) = chain_of("CAPELLA", 40);
    let mut node = Node::new();
    node.engine.mood = Mood::Syncing;
    for block in &blocks[..39] {
        assert_eq!(hear(&mut node, block), Verdict::Accept);
        assert!(is_optimistic(&node, block));
    }
    assert_eq!(node.head(), root_of(&blocks[38]));
    assert!(node.chain.view().head.is_optimistic());
    // It knows nothing but its first block now, and has no peers to learn more from.
    node.engine.mood = Mood::Working;
    hear(&mut node, &blocks[39]);
    run_to(&mut node, 110);
    assert!(!node.chain.view().head.is_optimistic());
    assert_eq!(node.engine.head, hash_of(&blocks[39]));
    assert_eq!(status(&node, &blocks[0]), ExecutionStatus::Valid { block_hash: hash_of(&blocks[0]) });
    assert_eq!(node.faults, Vec::<String>::new());
}

#[test]
fn no_block_is_produced_upon_what_no_engine_executed() {
    let (_, blocks) = chain_of("DENEB", 2);
    let mut node = Node::new();
    node.engine.mood = Mood::Syncing;
    hear_all(&mut node, &blocks);
    node.handle(at(3, 0), Input::Tick);
    let wish =
        Command::ProduceBlock { slot: Slot(3), randao_reveal: BlsSignature::default(), graffiti: Root::ZERO };
    let Reply::Produced(Err(why)) = node.command(at(3, 10), wish) else { panic!("a block was produced") };
    assert!(why.contains("optimistic"), "{why}");
}

#[test]
fn an_invalid_payload_takes_all_that_builds_on_it_along_and_nothing_before_it() {
    let (_, blocks) = chain_of("CAPELLA", 7);
    let mut node = Node::new();
    node.engine.mood = Mood::Syncing;
    hear_all(&mut node, &blocks[..5]);
    // The engine has caught up by itself, and found that the third payload breaks a rule.
    node.engine.mood = Mood::Working;
    let mut parent = ETH1_HASH;
    for (block, number) in blocks[..5].iter().zip(1..) {
        node.engine.blocks.insert(hash_of(block), (parent, number));
        parent = hash_of(block);
    }
    node.engine.invalid.insert(hash_of(&blocks[2]));
    hear(&mut node, &blocks[5]);
    assert_eq!(node.head(), root_of(&blocks[1]));
    for block in &blocks[2..5] {
        assert_eq!(status(&node, block), ExecutionStatus::Invalidated { block_hash: hash_of(block) });
    }
    assert!(!node.chain.fork_choice().contains(&root_of(&blocks[5])));
    assert_eq!(node.engine.head, hash_of(&blocks[1]));
    // Nobody is blamed for what only an engine can find.
    let verdict = hear(&mut node, &blocks[6]);
    assert!(matches!(verdict, Verdict::Ignore(_)), "{verdict:?}");
    let outcome = node.segment(at(7, 200), blocks[5..].to_vec());
    assert!(matches!(outcome, Some(SegmentOutcome::Failed(_))), "{outcome:?}");
    assert_eq!(node.faults, Vec::<String>::new());
}

#[test]
fn a_payload_that_is_told_again_and_found_invalid_is_left_by_the_head() {
    let (_, blocks) = chain_of("CAPELLA", 6);
    let mut node = Node::new();
    node.engine.mood = Mood::Syncing;
    hear_all(&mut node, &blocks[..5]);
    node.engine.mood = Mood::Working;
    node.engine.invalid.insert(hash_of(&blocks[3]));
    hear(&mut node, &blocks[5]);
    run_to(&mut node, 80);
    assert_eq!(node.head(), root_of(&blocks[2]));
    assert!(!node.chain.view().head.is_optimistic());
    assert_eq!(node.faults, Vec::<String>::new());
}

#[test]
fn a_block_waits_for_an_engine_that_is_away() {
    let (_, blocks) = chain_of("ELECTRA", 2);
    let mut node = Node::new();
    node.engine.mood = Mood::Down;
    hear_all(&mut node, &blocks);
    run_to(&mut node, 3);
    assert!(!node.chain.fork_choice().contains(&root_of(&blocks[0])));
    node.engine.mood = Mood::Working;
    run_to(&mut node, 5);
    assert_eq!(node.head(), root_of(&blocks[1]));
    assert!(!node.chain.view().head.is_optimistic());
}

#[test]
fn an_engine_that_stays_away_is_asked_a_bounded_number_of_times() {
    let (_, blocks) = chain_of("CAPELLA", 1);
    let mut node = Node::new();
    node.engine.mood = Mood::Down;
    hear(&mut node, &blocks[0]);
    run_to(&mut node, 60);
    assert_eq!(node.engine.asked["new_payload"], 20);
    assert_eq!(node.faults, Vec::<String>::new());
    // Blocks of sync fail sooner, since sync tries again by itself.
    assert_eq!(node.segment(at(60, 0), blocks.clone()), None);
    let mut outcome = None;
    for _ in 0..5 {
        let deadline = node.chain.deadline();
        node.handle(deadline, Input::Tick);
        outcome = outcome.or_else(|| node.segments.pop_first().map(|(_, outcome)| outcome));
    }
    assert!(matches!(outcome, Some(SegmentOutcome::Failed(_))), "{outcome:?}");
    node.engine.mood = Mood::Working;
    assert_eq!(node.segment(at(61, 0), blocks), Some(SegmentOutcome::Imported { count: 1 }));
}

#[test]
fn what_was_optimistic_before_a_restart_becomes_valid_after_it() {
    let (_, blocks) = chain_of("CAPELLA", 12);
    let mut node = Node::new();
    node.engine.mood = Mood::Syncing;
    hear_all(&mut node, &blocks);
    let mut engine = node.engine.clone();
    let mut restarted = Node::restarted_with(node.disk.clone(), at(13, 0), engine.clone());
    assert!(restarted.chain.view().head.is_optimistic());
    assert_eq!(restarted.head(), root_of(&blocks[11]));
    // The engine catches up by itself; it is told of the head once a slot.
    restarted.engine.mood = Mood::Working;
    let mut parent = ETH1_HASH;
    for (block, number) in blocks.iter().zip(1..) {
        restarted.engine.blocks.insert(hash_of(block), (parent, number));
        parent = hash_of(block);
    }
    run_to(&mut restarted, 14);
    assert!(blocks.iter().all(|block| !is_optimistic(&restarted, block)));
    // Beside one that has lost all, the blocks come from storage.
    engine.mood = Mood::Working;
    let restarted = Node::restarted_with(node.disk, at(13, 0), engine);
    assert!(blocks.iter().all(|block| !is_optimistic(&restarted, block)));
    assert_eq!(restarted.engine.head, parent);
}

#[test]
fn an_engine_that_lost_its_blocks_is_brought_back() {
    let (mut node, blocks) = chain_of("DENEB", 100);
    node.engine = TestEngine::new(ETH1_HASH);
    let block = {
        // The block of the next slot comes from a node whose engine is well.
        let (mut other, _) = chain_of("DENEB", 100);
        add(&mut other, 101)
    };
    hear(&mut node, &block);
    run_to(&mut node, 103);
    assert_eq!(node.engine.head, hash_of(&block));
    assert_eq!(node.engine.blocks.len(), 102);
    assert!(!node.chain.view().head.is_optimistic());
    // After a restart no block is in memory.
    let restarted = Node::restarted_with(node.disk, at(104, 0), TestEngine::new(ETH1_HASH));
    assert_eq!(restarted.engine.blocks.len(), 102);
    assert_eq!(restarted.engine.head, hash_of(&block));
    assert_eq!(hash_of(&blocks[99]), block.message.body.execution_payload.parent_hash);
    assert_eq!(restarted.faults, Vec::<String>::new());
}

#[test]
fn a_payload_is_begun_before_its_slot_for_whoever_wants_the_fees() {
    let mut node = Node::of(spec_at("DENEB"));
    add(&mut node, 1);
    let fees = FixedBytes([0xfe; 20]);
    let all = (0..support::VALIDATORS).map(|index| (ValidatorIndex(index), fees)).collect();
    let reply = node.command(at(1, 3000), Command::PrepareBeaconProposer(all));
    assert_eq!(reply, Reply::Items(Vec::new()));
    // The last quarter of slot 1.
    run_to(&mut node, 2);
    let asked = node.engine.asked.clone();
    let block = node.propose(2);
    assert_eq!(node.engine.asked["build"], asked["build"]);
    assert_eq!(node.engine.asked["get_payload"], asked["get_payload"] + 1);
    assert_eq!(block.message.body.execution_payload.fee_recipient, fees);
    // An engine that forgot what it had begun begins anew.
    add(&mut node, 3);
    run_to(&mut node, 4);
    node.engine.forget_payloads();
    assert_eq!(node.propose(4).message.body.execution_payload.fee_recipient, fees);
}

#[test]
fn the_first_payload_builds_on_the_last_block_of_proof_of_work() {
    let spec = spec_of_forks(&[("ALTAIR", 0), ("BELLATRIX", 1)], &[("TERMINAL_TOTAL_DIFFICULTY", 100)]);
    let mut node = Node::of(spec);
    let pow = |hash: u8, parent: u8, difficulty: u64| PowBlock {
        block_hash: FixedBytes([hash; 32]),
        parent_hash: FixedBytes([parent; 32]),
        total_difficulty: Some(Uint256::from(difficulty)),
    };
    let mine = |engine: &mut TestEngine, block: PowBlock| {
        engine.pow_blocks.insert(block.block_hash, block);
        engine.blocks.insert(block.block_hash, (block.parent_hash, 0));
        engine.head = block.block_hash;
    };
    mine(&mut node.engine, pow(1, 0, 90));
    let blocks: Vec<_> = (1..=9).map(|slot| add(&mut node, slot)).collect();
    let empty = ExecutionPayload::default();
    assert!(blocks.iter().all(|block| block.message.body.execution_payload == empty));
    assert!(!node.engine.asked.contains_key("forkchoice"));
    // Two blocks beyond the terminal one do not confuse it.
    for block in [pow(2, 1, 100), pow(3, 2, 110), pow(4, 3, 120)] {
        mine(&mut node.engine, block);
    }
    let first = add(&mut node, 10);
    assert_eq!(first.message.body.execution_payload.parent_hash, FixedBytes([2; 32]));
    assert_eq!(status(&node, &first), ExecutionStatus::Valid { block_hash: hash_of(&first) });
    assert_eq!(status(&node, &blocks[8]), ExecutionStatus::Irrelevant);
    assert_eq!((node.engine.head, node.engine.finalized), (hash_of(&first), Root::ZERO));
    let second = add(&mut node, 11);
    assert_eq!(second.message.body.execution_payload.parent_hash, hash_of(&first));

    // Others take the first payload only where it builds on a terminal block.
    for (parent_difficulty, is_taken) in [(99, true), (100, false)] {
        let mut other = Node::new();
        mine(&mut other.engine, pow(1, 0, parent_difficulty));
        mine(&mut other.engine, pow(2, 1, 100));
        hear_all(&mut other, &blocks);
        hear(&mut other, &first);
        assert_eq!(other.chain.fork_choice().contains(&root_of(&first)), is_taken);
        assert_eq!(other.faults, Vec::<String>::new());
    }

    // Nor do they follow it while the engine knows nothing of it, unless it is old.
    let mut other = Node::new();
    other.engine.mood = Mood::Syncing;
    hear_all(&mut other, &blocks);
    hear(&mut other, &first);
    run_to(&mut other, 12);
    assert!(!other.chain.fork_choice().contains(&root_of(&first)));
    run_to(&mut other, 10 + 128);
    assert!(!other.chain.fork_choice().contains(&root_of(&first)));
    let outcome = other.segment(at(10 + 128, 100), vec![first.clone(), second.clone()]);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 2 }));
    assert!(other.chain.view().head.is_optimistic());
    // When the engine has executed it, what it builds on is looked at after all.
    other.engine.mood = Mood::Working;
    mine(&mut other.engine, pow(1, 0, 100));
    mine(&mut other.engine, pow(2, 1, 100));
    other.engine.blocks.insert(hash_of(&first), (FixedBytes([2; 32]), 1));
    other.engine.blocks.insert(hash_of(&second), (hash_of(&first), 2));
    run_to(&mut other, 10 + 130);
    assert_eq!(other.head(), root_of(&blocks[8]));
    assert!(status(&other, &second).is_invalid());
}

#[test]
fn votes_count_for_no_head_whose_payload_is_invalid() {
    let (_, blocks) = chain_of("BELLATRIX", 3);
    let mut node = Node::new();
    node.engine.invalid.insert(hash_of(&blocks[2]));
    hear_all(&mut node, &blocks);
    assert_eq!(node.head(), root_of(&blocks[1]));
    assert_eq!(node.chain.view().counters.blocks_invalid, 1);
}
