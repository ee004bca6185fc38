use types::{BlockContents, BlsSignature, Bytes, FixedBytes, ForkName, SignedBeaconBlock, Slot};

use super::harness::{Play, SLOT_MS, block, signature};
use crate::{Answer, Ask, Due, Duty};

fn is_block(ask: &Ask) -> bool {
    matches!(ask, Ask::Block { .. })
}

#[test]
fn a_block_is_asked_for_at_the_start_of_its_slot_and_none_in_the_genesis_slot() {
    let mut play = Play::new(8);
    play.until(3, SLOT_MS - 1);
    assert_eq!(play.times(is_block), [SLOT_MS, 2 * SLOT_MS, 3 * SLOT_MS]);
    assert_eq!(play.done_of(Duty::Block(Slot(2))), [2]);
    assert!(play.done_of(Duty::Block(Slot(0))).is_empty() && play.missed.is_empty());
    assert_eq!(
        play.duties.due_in(Slot(0)),
        Due { blocks: 0, attestations: 1, aggregates: 1, ..Due::default() }
    );
    assert_eq!(
        play.duties.due_in(Slot(3)),
        Due { blocks: 1, attestations: 1, aggregates: 1, ..Due::default() }
    );
}

#[test]
fn the_first_slot_of_an_epoch_is_proposed_in_at_its_start_too() {
    let mut play = Play::new(8);
    play.until(8, 10);
    assert_eq!(play.times(is_block).last(), Some(&(8 * SLOT_MS)));
}

#[test]
fn the_reveal_of_the_epoch_and_the_block_are_signed() {
    let mut play = Play::new(8);
    play.until(2, 10);
    let published = play.asked.iter().rev().find_map(|(_, ask)| match ask {
        Ask::PublishBlock(block) => Some(block),
        _ => None,
    });
    let published = published.unwrap();
    let domains = play.duties.domains;
    let key = super::harness::key(2);
    let SignedBeaconBlock { message, signature: signed } = &published.signed_block;
    assert_eq!(message.body.randao_reveal, signature(&domains.get_epoch_signature(key, Slot(2))));
    assert_eq!(*signed, signature(&domains.get_block_signature(key, message)));
}

#[test]
fn a_block_that_is_not_the_one_asked_for_is_not_signed() {
    let other = |change: fn(&mut types::BeaconBlock)| -> String {
        let mut play = Play::new(8);
        play.manner = Box::new(move |ask| match ask {
            Ask::Block { slot, randao_reveal, .. } => {
                let mut block = block(*slot, slot.0, *randao_reveal);
                change(&mut block);
                Some(Ok(Answer::Block(Box::new(block.into()))))
            }
            _ => None,
        });
        play.until(1, 10);
        assert!(play.times(|ask| matches!(ask, Ask::PublishBlock(_))).is_empty());
        play.missed_of(Duty::Block(Slot(1)))[0].1.to_owned()
    };
    assert_eq!(other(|block| block.slot = Slot(2)), "the node's block is for slot 2");
    assert_eq!(other(|block| block.proposer_index = 5.into()), "the node says that validator 5 proposes");
    let reveal = other(|block| block.body.randao_reveal = BlsSignature::ZERO);
    assert_eq!(reveal, "the node's block has another randao reveal");
}

#[test]
fn a_block_is_asked_for_again_in_the_first_half_of_the_slot_only() {
    let mut play = Play::new(8);
    play.manner = Box::new(|ask| is_block(ask).then(|| Err("503: syncing".to_owned())));
    play.until(2, 0);
    let times: Vec<u64> = play.times(is_block).into_iter().filter(|at| *at < 2 * SLOT_MS).collect();
    assert!(times.len() > 3, "{times:?}");
    assert!(times.iter().all(|at| *at < SLOT_MS + SLOT_MS / 2), "{times:?}");
    assert_eq!(play.missed_of(Duty::Block(Slot(1))), [(vec![1], "the node gave no block: 503: syncing")]);
}

#[test]
fn one_slot_gets_one_block_whatever_head_events_and_ticks_there_are() {
    let mut play = Play::new(8);
    play.until(1, 10).head(1);
    play.until(1, 3000).head(1);
    // The duties are fetched anew and name the same proposer again.
    play.head_of(1, super::harness::dependent(5), super::harness::dependent(5));
    play.until(1, 5900);
    assert_eq!(play.times(|ask| matches!(ask, Ask::PublishBlock(_))).len(), 1);
}

#[test]
fn blobs_and_proofs_are_published_with_their_block_as_the_node_gave_them() {
    let mut play = Play::with_fork(8, ForkName::Deneb, 0);
    let (proofs, blobs) = (vec![FixedBytes([3; 48]); 2], vec![Bytes(vec![1; 4]), Bytes(vec![2; 4])]);
    let (kzg_proofs, given) = (proofs.clone(), blobs.clone());
    play.manner = Box::new(move |ask| match ask {
        Ask::Block { slot, randao_reveal, .. } => {
            let block = block(*slot, slot.0, *randao_reveal);
            let contents = BlockContents { block, kzg_proofs: kzg_proofs.clone(), blobs: given.clone() };
            Some(Ok(Answer::Block(Box::new(contents))))
        }
        _ => None,
    });
    play.until(1, 10);
    let published = play.asked.iter().rev().find_map(|(_, ask)| match ask {
        Ask::PublishBlock(contents) => Some(contents),
        _ => None,
    });
    let published = published.unwrap();
    assert_eq!((&published.kzg_proofs, &published.blobs), (&proofs, &blobs));
    let request =
        play.duties.domains.get_block_signature(super::harness::key(1), &published.signed_block.message);
    assert_eq!(published.signed_block.signature, signature(&request));
}
