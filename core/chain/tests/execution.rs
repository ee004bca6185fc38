//! The chain beside an execution engine: payloads, verdicts that come late, and blocks with payloads.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use chain::{Command, GossipMessage, Input, PublishOutcome, Reply, SegmentOutcome};
use fork_choice::ExecutionStatus;
use support::engine::{Mood, TestEngine};
use support::{ETH1_HASH, Node, at, signed, spec_of_forks};
use types::{Root, SignedBeaconBlock, Spec, SszExt};

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
