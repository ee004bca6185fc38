use types::{Epoch, Slot};

use super::harness::{GENESIS_MS, Play, SLOT_MS, key};
use crate::{Answer, Ask, Duty, Input, Message, SigningRequest};

fn is_data(ask: &Ask) -> bool {
    matches!(ask, Ask::AttestationData(_))
}

#[test]
fn without_a_head_event_votes_are_made_at_a_third_of_the_slot() {
    let mut play = Play::new(3);
    play.until(1, 1998);
    assert_eq!(play.times(is_data), [1999], "slot 0 only, and 3333 basis points of 6000 ms after its start");
    play.until(1, 1999);
    assert_eq!(play.times(is_data), [1999, SLOT_MS + 1999]);
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))), [1]);
}

#[test]
fn a_head_event_of_the_slot_brings_its_votes_forward_and_one_of_another_slot_does_not() {
    let mut play = Play::new(3);
    play.until(1, 500).head(0);
    assert_eq!(play.times(is_data), [1999]);
    play.until(1, 700).head(1);
    assert_eq!(play.times(is_data), [1999, SLOT_MS + 700]);
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))), [1]);
    play.until(1, 5999);
    assert_eq!(play.times(is_data).len(), 2, "the third of the slot asks for nothing more");
}

#[test]
fn all_keys_of_a_slot_share_one_question_one_batch_of_signatures_and_one_publication() {
    let mut play = Play::new(20);
    play.until(0, 5000);
    assert_eq!(play.times(is_data).len(), 1);
    let is_vote = |request: &SigningRequest| matches!(request.message, Message::Attestation { .. });
    let batches = play.asked.iter().filter_map(|(at, ask)| match ask {
        Ask::Sign(all) if all.iter().any(is_vote) => Some((at.0 - GENESIS_MS, all.len())),
        _ => None,
    });
    let batches: Vec<(u64, usize)> = batches.collect();
    assert_eq!(batches, [(1999, 3)], "validators 0, 8 and 16 vote in slot 0");
    let published = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishAttestations(all) => Some(all),
        _ => None,
    });
    let published: Vec<_> = published.collect();
    assert_eq!(published.len(), 1);
    let bits: Vec<usize> =
        published[0].iter().map(|of| of.aggregation_bits.iter().position(|bit| bit).unwrap()).collect();
    assert_eq!(bits, [0, 8, 16]);
    assert_eq!(play.done_of(Duty::Attestation(Slot(0))), [0, 8, 16]);
}

#[test]
fn every_validator_votes_once_an_epoch_for_two_epochs() {
    let mut play = Play::new(8);
    play.until(16, 0);
    let votes = play.votes_signed();
    assert_eq!(votes.len(), 16);
    for index in 0..8 {
        for epoch in 0..2 {
            let vote = (key(index), Slot(8 * epoch + index), Epoch(epoch));
            assert_eq!(votes.iter().filter(|found| **found == vote).count(), 1, "{vote:?}");
        }
    }
    assert!(play.missed.is_empty(), "{:?}", play.missed);
}

#[test]
fn a_second_answer_to_a_question_signs_nothing_more() {
    let mut play = Play::new(3);
    play.hold = is_data;
    play.until(1, 2000);
    let (id, ask) =
        play.held.iter().find(|(_, ask)| matches!(ask, Ask::AttestationData(Slot(1)))).unwrap().clone();
    let answer = play.usual(&ask);
    play.input(Input::Answer(id, answer.clone()));
    assert_eq!(play.votes_signed().len(), 1);
    play.input(Input::Answer(id, answer));
    assert_eq!(play.votes_signed().len(), 1);
    play.until(1, 4000).head(1);
    assert_eq!(play.votes_signed().len(), 1, "a head event after the vote asks for no second one");
}

#[test]
fn attestation_data_that_does_not_fit_the_slot_is_not_signed() {
    let mut play = Play::new(3);
    play.manner = Box::new(|ask| match ask {
        Ask::AttestationData(slot) => Some(Ok(Answer::AttestationData(super::harness::data(*slot + 8)))),
        _ => None,
    });
    play.until(3, 0);
    assert!(play.votes_signed().is_empty());
    let [(who, why)] = play.missed_of(Duty::Attestation(Slot(0))).try_into().unwrap();
    assert_eq!(who, [0]);
    assert_eq!(why, "the node gave no attestation data: it gave some for slot 8");
}

#[test]
fn a_client_that_starts_in_the_middle_of_an_epoch_is_not_blamed_for_the_slots_before() {
    let mut play = Play::new(8);
    play.leap(12, 100).until(20, 0);
    assert!(play.missed.is_empty(), "{:?}", play.missed);
    let first = play.votes_signed().iter().map(|(_, slot, _)| *slot).min();
    assert_eq!(first, Some(Slot(12)));
}
