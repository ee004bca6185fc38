//! Every duty that is missed is missed aloud, once, with its reason.

use types::{Epoch, Slot};

use super::harness::Play;
use crate::{Answer, Ask, Duty, Input, Message};

#[test]
fn a_node_that_gives_no_data_is_asked_again_until_the_slot_is_given_up() {
    let mut play = Play::new(8);
    play.manner =
        Box::new(|ask| matches!(ask, Ask::AttestationData(_)).then(|| Err("cannot connect".to_owned())));
    play.until(2, 0);
    assert!(play.times(|ask| matches!(ask, Ask::AttestationData(Slot(0)))).len() > 5);
    let why = "the node gave no attestation data: cannot connect";
    assert_eq!(play.missed_of(Duty::Attestation(Slot(0))), [(vec![0], why)]);
    let aggregate = "there was no attestation data to aggregate for";
    assert_eq!(play.missed_of(Duty::Aggregate(Slot(0))), [(vec![0], aggregate)]);
    play.manner = Box::new(|_| None);
    play.until(2, 1000);
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))), [1], "a vote a slot late is better than none");
}

#[test]
fn a_refusal_of_slashing_protection_is_the_reason_and_hinders_no_other_key() {
    let mut play = Play::new(16);
    play.manner = Box::new(|ask| match ask {
        Ask::Sign(all) if matches!(all[0].message, Message::Attestation { .. }) => {
            let result = |request: &crate::SigningRequest| match request.pubkey == super::harness::key(8) {
                true => Err("slashing protection refuses: another attestation was signed".to_owned()),
                false => Ok(super::harness::signature(request)),
            };
            Some(Ok(Answer::Signed(all.iter().map(result).collect())))
        }
        _ => None,
    });
    play.until(0, 3000);
    assert_eq!(play.done_of(Duty::Attestation(Slot(0))), [0]);
    let why = "it was not signed: slashing protection refuses: another attestation was signed";
    assert_eq!(play.missed_of(Duty::Attestation(Slot(0))), [(vec![8], why)]);
    play.until(4, 0);
    assert_eq!(play.missed_of(Duty::Attestation(Slot(0))).len(), 1, "it is told once");
}

#[test]
fn items_that_the_node_refuses_are_missed_and_the_others_done() {
    let mut play = Play::new(16);
    play.manner = Box::new(|ask| match ask {
        Ask::PublishAttestations(_) => Some(Ok(Answer::Published(vec![(1, "too old".into())]))),
        _ => None,
    });
    play.until(0, 3000);
    assert_eq!(play.done_of(Duty::Attestation(Slot(0))), [0]);
    let why = "the node refused it: too old";
    assert_eq!(play.missed_of(Duty::Attestation(Slot(0))), [(vec![8], why)]);
}

#[test]
fn silence_is_no_answer_in_time() {
    let mut play = Play::new(8);
    play.hold = |ask| matches!(ask, Ask::PublishAttestations(_) | Ask::PublishBlock(_));
    play.until(3, 0);
    let why = "it was not published: no answer in time";
    assert_eq!(play.missed_of(Duty::Attestation(Slot(0))), [(vec![0], why)]);
    assert_eq!(play.missed_of(Duty::Block(Slot(1))), [(vec![1], why)]);
}

#[test]
fn slots_that_the_clock_leapt_over_are_told() {
    let mut play = Play::new(8);
    play.until(2, 5000);
    play.leap(6, 100);
    let why = "it was learned too late, or the clock leapt over the slot";
    for slot in [3, 4] {
        assert_eq!(play.missed_of(Duty::Attestation(Slot(slot))), [(vec![slot], why)]);
        assert_eq!(play.missed_of(Duty::Block(Slot(slot))), [(vec![slot], why)]);
    }
    assert!(play.done_of(Duty::Attestation(Slot(5))) == [5], "slot 5 is late but not over");
}

#[test]
fn time_that_runs_backwards_repeats_nothing() {
    let mut play = Play::new(8);
    play.until(3, 5000);
    let signed = play.votes_signed().len();
    play.now = types::Time(super::harness::GENESIS_MS + 1000);
    play.input(Input::Tick);
    play.head(1);
    play.until(3, 5000);
    assert_eq!(play.votes_signed().len(), signed);
}

#[test]
fn duties_that_become_known_too_late_are_told_with_that_reason() {
    let mut play = Play::new(8);
    play.hold = |ask| matches!(ask, Ask::AttesterDuties(Epoch(0), _));
    play.until(0, 100);
    let (id, ask) = play.held.pop().unwrap();
    // Each question is given up after two slots and asked again after a pause; the one of slot 4 is open.
    play.until(4, 1000);
    play.hold = |_| false;
    let answer = play.usual(&ask);
    play.input(Input::Answer(id, answer.clone()));
    assert!(play.missed.is_empty(), "an answer to a question that was given up is ignored");
    let (id, _) = play.held.pop().unwrap();
    play.input(Input::Answer(id, answer));
    let why = "the duty became known after its slot";
    for slot in [0, 1, 2] {
        assert_eq!(play.missed_of(Duty::Attestation(Slot(slot))), [(vec![slot], why)]);
    }
}

#[test]
fn an_epoch_whose_duties_nobody_told_is_missed_as_a_whole() {
    let mut play = Play::new(3);
    play.manner = Box::new(|ask| matches!(ask, Ask::AttesterDuties(..)).then(|| Err("503: syncing".into())));
    play.until(10, 100);
    let why = "the node did not say when they were due: 503: syncing";
    assert_eq!(play.missed_of(Duty::Epoch(Epoch(0))), [(vec![0, 1, 2], why)]);
}
