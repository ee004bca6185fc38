//! Blobs and columns: no block is imported without them, however they come.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, OnceLock};

use chain::{Command, GossipMessage, Input, PublishOutcome, Reply, SegmentOutcome, SidecarsOutcome, Verdict};
use data_availability::Sidecar;
use data_availability::kzg::{
    BYTES_PER_BLOB, blob_to_kzg_commitment, compute_blob_kzg_proof, compute_cells_and_kzg_proofs,
};
use engine::{BlobAndProofs, BlobsBundle};
use support::{Node, at, spec_of_forks};
use transition::block::kzg_commitment_to_versioned_hash;
use types::{Bytes, ForkName, KzgProof, Root, SignedBeaconBlock, Spec, SszExt};

const COLUMNS: u64 = 128;

/// The minimal preset with all forks up to this one at genesis.
fn spec_at(fork: ForkName) -> &'static Spec {
    let forks: Vec<String> = ForkName::ALL.into_iter().map(|fork| fork.as_str().to_uppercase()).collect();
    let until = ForkName::ALL.into_iter().position(|other| other == fork).unwrap();
    let epochs: Vec<(&str, u64)> = forks[1..=until].iter().map(|fork| (fork.as_str(), 0)).collect();
    spec_of_forks(&epochs, &[])
}

/// Two blobs; their proofs take long, so that they are made once.
fn bundle(fork: ForkName) -> BlobsBundle {
    static MADE: OnceLock<[BlobsBundle; 2]> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let blob = |seed: u8| {
            let element = |number: usize| {
                let mut bytes = [0; 32];
                bytes[31] = seed.wrapping_add(number as u8);
                bytes
            };
            Bytes((0..BYTES_PER_BLOB / 32).flat_map(element).collect())
        };
        let blobs = vec![blob(1), blob(2)];
        let commitments: Vec<_> = blobs.iter().map(|blob| blob_to_kzg_commitment(&blob.0).unwrap()).collect();
        let of_blobs = blobs.iter().zip(&commitments);
        let of_blobs =
            of_blobs.map(|(blob, commitment)| compute_blob_kzg_proof(&blob.0, commitment).unwrap());
        let of_cells = blobs.iter().flat_map(|blob| compute_cells_and_kzg_proofs(&blob.0).unwrap().proofs);
        let (of_blobs, of_cells): (Vec<KzgProof>, Vec<KzgProof>) = (of_blobs.collect(), of_cells.collect());
        let bundle = |proofs| BlobsBundle { commitments: commitments.clone(), proofs, blobs: blobs.clone() };
        [bundle(of_blobs), bundle(of_cells)]
    });
    made[usize::from(fork >= ForkName::Fulu)].clone()
}

/// A network at a fork, with a node whose engine has blobs; it and the nodes after it keep these columns.
fn proposer(fork: ForkName, custody: impl IntoIterator<Item = u64>) -> Node {
    drop(Node::of(spec_at(fork)));
    let mut node = Node::keeping(custody);
    node.engine.bundle = bundle(fork);
    node
}

/// A block with blobs, published at this node with all that belongs to it.
fn publish(node: &mut Node, slot: u64) -> (Arc<SignedBeaconBlock>, Vec<GossipMessage>) {
    node.handle(at(slot, 0), Input::Tick);
    let block = node.propose(slot);
    assert_eq!(block.message.body.blob_kzg_commitments.len(), 2);
    node.published.clear();
    assert_eq!(node.publish(at(slot, 20), &block), Reply::Block(PublishOutcome::Imported));
    let mut messages = std::mem::take(&mut node.published);
    assert_eq!(messages.remove(0), GossipMessage::Block(block.clone()));
    (block, messages)
}

fn root_of(block: &SignedBeaconBlock) -> Root {
    block.message.hash_tree_root(support::spec().ctx_at_slot(block.message.slot))
}

fn sidecar(message: &GossipMessage) -> Sidecar {
    match message {
        GossipMessage::BlobSidecar { sidecar, .. } => Sidecar::Blob(sidecar.clone()),
        GossipMessage::DataColumnSidecar { sidecar, .. } => Sidecar::Column(sidecar.clone()),
        other => panic!("{other:?}"),
    }
}

fn indices(messages: &[GossipMessage]) -> Vec<u64> {
    messages.iter().map(|message| sidecar(message).index()).collect()
}

/// Those with these indices.
fn some<'a>(messages: &'a [GossipMessage], wanted: &[u64]) -> Vec<&'a GossipMessage> {
    messages.iter().filter(|message| wanted.contains(&sidecar(message).index())).collect()
}

/// The same sidecar with the proofs of other cells or blobs.
fn with_wrong_proof(message: &GossipMessage) -> GossipMessage {
    let mut message = message.clone();
    match &mut message {
        GossipMessage::BlobSidecar { sidecar, .. } => {
            Arc::make_mut(sidecar).kzg_proof = bundle(ForkName::Deneb).proofs[1 - sidecar.index as usize];
        }
        GossipMessage::DataColumnSidecar { sidecar, .. } => Arc::make_mut(sidecar).kzg_proofs.reverse(),
        other => panic!("{other:?}"),
    }
    message
}

fn gossip_all<'a>(node: &mut Node, slot: u64, messages: impl IntoIterator<Item = &'a GossipMessage>) {
    let give = |message: &GossipMessage| node.gossip(at(slot, 100), message.clone());
    let ids: Vec<_> = messages.into_iter().map(give).collect();
    // They wait a little for others.
    if ids.iter().any(|id| !node.verdicts.contains_key(id)) {
        node.handle(node.chain.deadline(), Input::Tick);
    }
    for id in ids {
        assert_eq!(node.verdicts[&id], Verdict::Accept);
    }
}

const OWN: [u64; 3] = [3, 70, 127];

#[test]
fn a_block_and_its_data_come_in_any_order() {
    for fork in [ForkName::Deneb, ForkName::Electra, ForkName::Fulu] {
        let mut node = proposer(fork, OWN);
        let (block, messages) = publish(&mut node, 1);
        let needed = if fork >= ForkName::Fulu { OWN.to_vec() } else { vec![0, 1] };
        let data = some(&messages, &needed);
        let message = GossipMessage::Block(block.clone());
        for split in 0..=data.len() {
            let mut follower = Node::new();
            gossip_all(&mut follower, 1, data[..split].iter().copied());
            // Peers may have them before the block is imported, which may need what only they have.
            let shown = follower.chain.view().sidecars.get(&root_of(&block)).map_or(0, Vec::len);
            assert_eq!(shown, split);
            assert_ne!(follower.head(), node.head());
            gossip_all(&mut follower, 1, [&message]);
            assert_eq!(follower.head() == node.head(), split == data.len(), "{fork}: {split}");
            gossip_all(&mut follower, 1, data[split..].iter().copied());
            assert_eq!(follower.head(), node.head(), "{fork}: {split}");
            assert_eq!(follower.faults, Vec::<String>::new());
            let stored: Vec<u64> =
                follower.disk.sidecars[&root_of(&block)].iter().map(Sidecar::index).collect();
            assert_eq!(stored, needed);
            assert_eq!(follower.chain.view().sidecars[&root_of(&block)].len(), needed.len());
            assert_eq!(follower.chain.view().counters.data_bytes_pending, 0);
        }
    }
}

#[test]
fn a_wrong_proof_is_rejected_and_the_block_stays_outside() {
    for fork in [ForkName::Deneb, ForkName::Fulu] {
        let mut node = proposer(fork, [0, 1]);
        let (block, messages) = publish(&mut node, 1);
        let mut follower = Node::new();
        gossip_all(&mut follower, 1, [&GossipMessage::Block(block), &messages[0]]);
        let id = follower.gossip(at(1, 200), with_wrong_proof(&messages[1]));
        follower.handle(at(1, 250), Input::Tick);
        assert!(matches!(follower.verdicts[&id], Verdict::Reject(_)), "{:?}", follower.verdicts[&id]);
        assert_ne!(follower.head(), node.head());
        gossip_all(&mut follower, 1, [&messages[1]]);
        assert_eq!(follower.head(), node.head());
    }
}

#[test]
fn a_wrong_signature_is_rejected_for_all_that_carry_it() {
    let mut node = proposer(ForkName::Fulu, OWN);
    let (_, messages) = publish(&mut node, 1);
    let mut follower = Node::new();
    let forged = |message: &GossipMessage| match message.clone() {
        GossipMessage::DataColumnSidecar { subnet, mut sidecar } => {
            Arc::make_mut(&mut sidecar).signed_block_header.signature.0[9] ^= 1;
            GossipMessage::DataColumnSidecar { subnet, sidecar }
        }
        other => panic!("{other:?}"),
    };
    for message in some(&messages, &OWN) {
        let id = follower.gossip(at(1, 100), forged(message));
        assert!(matches!(follower.verdicts[&id], Verdict::Reject(_)), "{:?}", follower.verdicts[&id]);
    }
    gossip_all(&mut follower, 1, some(&messages, &OWN));
}

#[test]
fn a_sidecar_is_accepted_once() {
    let mut node = proposer(ForkName::Deneb, OWN);
    let (_, messages) = publish(&mut node, 1);
    let mut follower = Node::new();
    let first = follower.gossip(at(1, 100), messages[0].clone());
    let second = follower.gossip(at(1, 101), messages[0].clone());
    follower.handle(at(1, 200), Input::Tick);
    let third = follower.gossip(at(1, 201), messages[0].clone());
    assert_eq!(follower.verdicts[&first], Verdict::Accept);
    assert!(matches!(follower.verdicts[&second], Verdict::Ignore(_)));
    assert!(matches!(follower.verdicts[&third], Verdict::Ignore(_)));
}

#[test]
fn what_is_missing_is_asked_of_peers_and_imported_when_it_comes() {
    for fork in [ForkName::Electra, ForkName::Fulu] {
        let mut node = proposer(fork, [0, 1]);
        let (block, messages) = publish(&mut node, 1);
        let root = root_of(&block);
        let mut follower = Node::new();
        gossip_all(&mut follower, 1, [&GossipMessage::Block(block), &messages[1]]);
        assert_eq!(follower.wanted_data, []);
        assert!(follower.chain.deadline() <= at(1, 1500));
        follower.handle(at(1, 1500), Input::Tick);
        assert_eq!(follower.wanted_data, [(root, vec![0])]);
        // Asked again, ever later.
        for ms in (1500..30_000).step_by(500) {
            follower.handle(at(1, ms), Input::Tick);
        }
        assert!((3..8).contains(&follower.wanted_data.len()), "{:?}", follower.wanted_data);
        let wrong = follower.lookup(at(6, 0), vec![sidecar(&with_wrong_proof(&messages[0]))]);
        assert!(matches!(wrong, Some(SidecarsOutcome::Invalid { index: 0, .. })), "{wrong:?}");
        assert_ne!(follower.head(), node.head());
        let right = follower.lookup(at(6, 100), messages[..2].iter().map(sidecar).collect());
        assert_eq!(right, Some(SidecarsOutcome::Taken));
        assert_eq!(follower.head(), node.head());
        // Nobody looks for it any more, and nobody needs it.
        assert_eq!(follower.wanted_data.pop(), Some((root, Vec::new())));
        let late = follower.lookup(at(6, 200), messages[..2].iter().map(sidecar).collect());
        assert_eq!(late, Some(SidecarsOutcome::Taken));
        assert_eq!(follower.faults, Vec::<String>::new());
    }
}

#[test]
fn blocks_whose_data_is_withheld_are_never_imported_and_take_bounded_room() {
    let mut node = proposer(ForkName::Deneb, OWN);
    let mut follower = Node::new();
    let last = 2 * (chain::limits::EXPECTED_BLOCKS_MAX as u64 + 10);
    for slot in 1..=last {
        node.handle(at(slot, 0), Input::Tick);
        node.engine.bundle = if slot % 2 == 0 { bundle(ForkName::Deneb) } else { BlobsBundle::default() };
        let block = node.propose(slot);
        let id = follower.gossip(at(slot, 100), GossipMessage::Block(block.clone()));
        assert_eq!(follower.verdicts[&id], Verdict::Accept);
        if slot % 2 == 1 {
            assert_eq!(node.publish(at(slot, 100), &block), Reply::Block(PublishOutcome::Imported));
        }
    }
    assert_eq!(follower.head(), node.head());
    let counters = follower.chain.view().counters;
    assert_eq!(counters.blocks_without_data, chain::limits::EXPECTED_BLOCKS_MAX as u64);
    assert_eq!(counters.overflows, 10);
    // When later blocks are finalized, what waits goes.
    node.engine.bundle = BlobsBundle::default();
    for slot in last + 1..last + 40 {
        let block = node.live(slot);
        follower.gossip(at(slot, 100), GossipMessage::Block(block));
    }
    follower.handle(at(last + 40, 0), Input::Tick);
    assert!(follower.finalized().epoch.start_slot(support::spec()) > last);
    assert_eq!(follower.chain.view().counters.blocks_without_data, 0);
    assert_eq!(follower.faults, Vec::<String>::new());
}

#[test]
fn half_of_the_columns_make_the_others() {
    let mut node = proposer(ForkName::Fulu, 0..COLUMNS);
    let (block, messages) = publish(&mut node, 1);
    let mut follower = Node::new();
    gossip_all(&mut follower, 1, [&GossipMessage::Block(block.clone())]);
    gossip_all(&mut follower, 1, messages.iter().step_by(2).take(63));
    follower.handle(at(1, 1000), Input::Tick);
    assert_eq!((follower.published.len(), follower.head() == node.head()), (0, false));
    gossip_all(&mut follower, 1, [&messages[127]]);
    follower.handle(at(1, 2000), Input::Tick);
    assert_eq!(follower.head(), node.head());
    let made = indices(&follower.published);
    assert_eq!(made.len(), 64);
    assert!(made.iter().all(|index| *index == 126 || index % 2 == 1 && *index != 127), "{made:?}");
    assert!(follower.published.iter().all(|message| messages.contains(message)));
    assert_eq!(follower.disk.sidecars[&root_of(&block)].len(), COLUMNS as usize);
    assert_eq!(follower.faults, Vec::<String>::new());
}

#[test]
fn the_engine_s_blobs_stand_in_for_those_of_the_network() {
    for fork in [ForkName::Deneb, ForkName::Fulu] {
        let mut node = proposer(fork, OWN);
        let (block, messages) = publish(&mut node, 1);
        let mut follower = Node::new();
        let BlobsBundle { commitments, proofs, blobs } = bundle(fork);
        let each = proofs.len() / blobs.len();
        for (place, commitment) in commitments.iter().enumerate() {
            let proofs = proofs[place * each..][..each].to_vec();
            let blob = BlobAndProofs { blob: blobs[place].clone(), proofs };
            follower.engine.pool.insert(kzg_commitment_to_versioned_hash(commitment), blob);
        }
        let mut partly = Node::new();
        partly.engine.pool = follower.engine.pool.clone();
        partly.engine.pool.pop_first();
        for node in [&mut follower, &mut partly] {
            gossip_all(node, 1, [&GossipMessage::Block(block.clone())]);
            assert_eq!(node.engine.asked["get_blobs"], 1);
        }
        assert_eq!(follower.head(), node.head());
        assert!(follower.published.iter().all(|message| messages.contains(message)));
        let own = if fork >= ForkName::Fulu { OWN.to_vec() } else { vec![0, 1] };
        assert_eq!(indices(&follower.published), own);
        // Where some are not there: each blob counts for itself, columns are made of all or none.
        assert_ne!(partly.head(), node.head());
        assert_eq!(partly.published.len(), usize::from(fork < ForkName::Fulu));
        let id = follower.gossip(at(1, 300), some(&messages, &own)[0].clone());
        assert!(matches!(follower.verdicts[&id], Verdict::Ignore(_)));
    }
}

#[test]
fn the_first_column_is_enough_to_ask_the_engine() {
    let mut node = proposer(ForkName::Fulu, OWN);
    let (block, messages) = publish(&mut node, 1);
    let mut follower = Node::new();
    let BlobsBundle { commitments, proofs, blobs } = bundle(ForkName::Fulu);
    for ((commitment, blob), proofs) in commitments.iter().zip(blobs).zip(proofs.chunks(COLUMNS as usize)) {
        let blob = BlobAndProofs { blob, proofs: proofs.to_vec() };
        follower.engine.pool.insert(kzg_commitment_to_versioned_hash(commitment), blob);
    }
    gossip_all(&mut follower, 1, some(&messages, &OWN[..1]));
    assert_eq!(indices(&follower.published), OWN[1..]);
    gossip_all(&mut follower, 1, [&GossipMessage::Block(block)]);
    assert_eq!(follower.head(), node.head());
    assert_eq!(follower.engine.asked["get_blobs"], 1);
}

#[test]
fn a_segment_needs_its_data() {
    for fork in [ForkName::Deneb, ForkName::Fulu] {
        let mut node = proposer(fork, OWN);
        let needed = if fork >= ForkName::Fulu { OWN.to_vec() } else { vec![0, 1] };
        let (mut blocks, mut data) = (Vec::new(), Vec::new());
        for slot in 1..=4 {
            let (block, messages) = publish(&mut node, slot);
            blocks.push(block);
            data.push(some(&messages, &needed).into_iter().map(sidecar).collect::<Vec<_>>());
        }
        let mut newcomer = Node::new();
        let third = root_of(&blocks[2]);
        let mut given = data.clone();
        given[2].remove(0);
        let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), given.concat());
        let missing = vec![needed[0]];
        assert_eq!(outcome, Some(SegmentOutcome::DataMissing { at: 2, root: third, missing }));
        assert_eq!(newcomer.head(), root_of(&blocks[1]));
        let subnet = 0;
        let message = match &data[2][0] {
            Sidecar::Blob(sidecar) => GossipMessage::BlobSidecar { subnet, sidecar: sidecar.clone() },
            Sidecar::Column(sidecar) => GossipMessage::DataColumnSidecar { subnet, sidecar: sidecar.clone() },
        };
        given[2].insert(0, sidecar(&with_wrong_proof(&message)));
        let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), given.concat());
        let Some(SegmentOutcome::InvalidSidecar { root, index, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((root, index), (third, needed[0]));
        let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), data.concat());
        assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 2 }));
        assert_eq!(newcomer.head(), node.head());
        assert_eq!(newcomer.disk.sidecars.len(), 4);
        assert!(newcomer.disk.sidecars.values().all(|sidecars| sidecars.len() == needed.len()));
        assert_eq!(newcomer.faults, Vec::<String>::new());
    }
}

#[test]
fn half_of_the_columns_are_enough_for_a_segment() {
    let mut node = proposer(ForkName::Fulu, 0..COLUMNS);
    let (mut blocks, mut data) = (Vec::new(), Vec::new());
    for slot in 1..=2 {
        let (block, messages) = publish(&mut node, slot);
        blocks.push(block);
        data.push(messages);
    }
    let sidecars = |messages: &[GossipMessage]| -> Vec<Sidecar> { messages.iter().map(sidecar).collect() };
    let mut newcomer = Node::new();
    // One is missing of half of the second block's.
    let given = [sidecars(&data[0]), sidecars(&data[1][40..103])].concat();
    let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), given);
    let Some(SegmentOutcome::DataMissing { at: 1, missing, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(missing.len(), 65);
    // Of half of them, one is wrong.
    let mut given = data[1][40..104].to_vec();
    given[5] = with_wrong_proof(&given[5]);
    let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), sidecars(&given));
    assert!(matches!(outcome, Some(SegmentOutcome::InvalidSidecar { index: 45, .. })), "{outcome:?}");
    let outcome = newcomer.segment_with(at(4, 500), blocks.clone(), sidecars(&data[1][40..104]));
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 1 }));
    assert_eq!(newcomer.head(), node.head());
    let made: Vec<Sidecar> = sidecars(&data[1]);
    assert_eq!(newcomer.disk.sidecars[&root_of(&blocks[1])].len(), made.len());
    assert_eq!(newcomer.chain.view().sidecars[&root_of(&blocks[1])], made);
    assert_eq!(newcomer.faults, Vec::<String>::new());
}

#[test]
fn old_blocks_need_no_data() {
    let forks: Vec<(&str, u64)> =
        ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB"].into_iter().map(|fork| (fork, 0)).collect();
    let mut node = Node::of(spec_of_forks(&forks, &[("MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS", 1)]));
    node.engine.bundle = bundle(ForkName::Deneb);
    let blocks = vec![publish(&mut node, 1).0, publish(&mut node, 2).0];
    let mut newcomer = Node::new();
    let outcome = newcomer.segment(at(15, 0), blocks[..1].to_vec());
    assert!(matches!(outcome, Some(SegmentOutcome::DataMissing { at: 0, .. })), "{outcome:?}");
    let outcome = newcomer.segment(at(16, 0), blocks);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 2 }));
}

#[test]
fn a_block_that_waits_may_come_with_a_segment() {
    let mut node = proposer(ForkName::Deneb, OWN);
    let (first, data) = publish(&mut node, 1);
    let (second, more) = publish(&mut node, 2);
    let mut follower = Node::new();
    gossip_all(&mut follower, 1, [&GossipMessage::Block(first.clone())]);
    // Sync is not kept waiting by a block that waits: it is told that the parent is not there.
    let outcome = follower.segment_with(at(2, 200), vec![second.clone()], more.iter().map(sidecar).collect());
    assert_eq!(outcome, Some(SegmentOutcome::UnknownParent));
    let data = data.iter().chain(&more).map(sidecar).collect();
    let outcome = follower.segment_with(at(2, 300), vec![first, second], data);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 2 }));
    assert_eq!(follower.head(), node.head());
    assert_eq!(follower.chain.view().counters.blocks_without_data, 0);
}

#[test]
fn sidecars_wait_for_the_parent_of_their_block() {
    let mut node = proposer(ForkName::Fulu, OWN);
    let (first, data) = publish(&mut node, 1);
    let (second, more) = publish(&mut node, 2);
    let mut follower = Node::new();
    for message in some(&more, &OWN).into_iter().cloned().chain([GossipMessage::Block(second)]) {
        let id = follower.gossip(at(2, 100), message);
        assert!(matches!(follower.verdicts[&id], Verdict::Ignore(_)));
    }
    assert!(follower.wanted.contains(&root_of(&first)));
    let data = some(&data, &OWN).into_iter().map(sidecar).collect();
    let outcome = follower.segment_with(at(2, 200), vec![first], data);
    assert_eq!(outcome, Some(SegmentOutcome::Imported { count: 1 }));
    follower.handle(at(2, 300), Input::Tick);
    assert_eq!(follower.head(), node.head());
}

#[test]
fn everything_of_an_own_block_is_published() {
    for (fork, count) in [(ForkName::Deneb, 2), (ForkName::Fulu, COLUMNS)] {
        let mut node = proposer(fork, OWN);
        let (block, messages) = publish(&mut node, 1);
        assert_eq!(indices(&messages), (0..count).collect::<Vec<u64>>());
        assert_eq!(node.engine.asked.get("get_blobs"), None);
        assert_eq!(node.disk.sidecars.len(), 1);
        let mut other = Node::new();
        other.handle(at(1, 0), Input::Tick);
        other.bundle = bundle(fork);
        let reply = other.publish(at(1, 100), &block);
        assert_eq!(reply, Reply::Block(PublishOutcome::Imported));
        assert_eq!(other.disk.sidecars.len(), 1);
        assert_eq!(other.faults, Vec::<String>::new());
    }
}

#[test]
fn blobs_of_the_api_are_enough_for_a_block_of_gossip() {
    for (fork, count) in [(ForkName::Deneb, 2), (ForkName::Fulu, COLUMNS as usize)] {
        let mut node = proposer(fork, OWN);
        let (block, _) = publish(&mut node, 1);
        let mut other = Node::new();
        gossip_all(&mut other, 1, [&GossipMessage::Block(block.clone())]);
        assert_ne!(other.head(), node.head());
        other.bundle = bundle(fork);
        let reply = other.publish(at(1, 100), &block);
        assert!(matches!(reply, Reply::Block(PublishOutcome::BroadcastOnly(_))), "{reply:?}");
        assert_eq!(other.head(), node.head());
        assert_eq!(other.published.len(), count);
    }
}

#[test]
fn wrong_blobs_are_refused_and_nothing_is_published() {
    for fork in [ForkName::Deneb, ForkName::Fulu] {
        let mut node = proposer(fork, OWN);
        node.handle(at(1, 0), Input::Tick);
        let block = node.propose(1);
        node.published.clear();
        let good = node.bundle.clone();
        let mut bad = vec![good.clone(); 4];
        bad[0].blobs.pop();
        bad[1].proofs.pop();
        bad[2].proofs.reverse();
        bad[3].blobs.reverse();
        for bundle in bad {
            node.bundle = bundle;
            let reply = node.publish(at(1, 100), &block);
            assert!(matches!(reply, Reply::Block(PublishOutcome::Invalid(_))), "{reply:?}");
        }
        assert_eq!(node.published, []);
        node.bundle = good;
        assert_eq!(node.publish(at(1, 200), &block), Reply::Block(PublishOutcome::Imported));
    }
}

#[test]
fn a_restart_does_not_ask_for_data_again() {
    let mut node = proposer(ForkName::Deneb, OWN);
    let mut follower = Node::new();
    for slot in 1..=3 {
        let (block, messages) = publish(&mut node, slot);
        gossip_all(&mut follower, slot, messages.iter().chain([&GossipMessage::Block(block)]));
    }
    assert_eq!(follower.disk.sidecars.len(), 3);
    let restarted = Node::restarted_with(follower.disk.clone(), at(3, 500), follower.engine.clone());
    assert_eq!(restarted.head(), node.head());
    assert_eq!((restarted.wanted_data.len(), restarted.faults.len()), (0, 0));
}

#[test]
fn more_columns_are_sampled_from_the_moment_they_are_named() {
    let mut node = proposer(ForkName::Fulu, [1]);
    let (block, messages) = publish(&mut node, 1);
    let mut follower = Node::new();
    let reply = follower.command(at(1, 0), Command::SetCustody([1, 2].into()));
    assert_eq!(reply, Reply::Items(Vec::new()));
    gossip_all(&mut follower, 1, [&GossipMessage::Block(block), &messages[1]]);
    assert_ne!(follower.head(), node.head());
    gossip_all(&mut follower, 1, [&messages[2]]);
    assert_eq!(follower.head(), node.head());
}
