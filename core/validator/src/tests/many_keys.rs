//! What a machine with thousands of keys asks: questions and signatures by the slot, not by the key.

use types::{Epoch, Slot};

use super::harness::{Play, dependent};
use crate::{Answer, Ask, Duty, Message, SigningRequest};

const KEYS: u64 = 2000;

/// The selection proofs that were asked for, portion by portion: their slots.
fn proofs(play: &Play) -> Vec<Vec<Slot>> {
    let portion = |requests: &Vec<SigningRequest>| {
        let slot = |request: &SigningRequest| match request.message {
            Message::SelectionProof { slot } => Some(slot),
            _ => None,
        };
        requests.iter().filter_map(slot).collect::<Vec<_>>()
    };
    let signed = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::Sign(requests) => Some(portion(requests)),
        _ => None,
    });
    signed.filter(|portion| !portion.is_empty()).collect()
}

fn count(play: &Play, kind: fn(&Ask) -> bool) -> usize {
    play.asked.iter().filter(|(_, ask)| kind(ask)).count()
}

#[test]
fn a_slot_costs_one_question_one_batch_of_signatures_and_one_publication() {
    let mut play = Play::new(KEYS);
    play.until(3, 3000);
    let slots = 4;
    assert_eq!(count(&play, |ask| matches!(ask, Ask::AttestationData(_))), slots);
    assert_eq!(count(&play, |ask| matches!(ask, Ask::PublishAttestations(_))), slots);
    let is_vote = |ask: &Ask| match ask {
        Ask::Sign(requests) => requests.iter().any(|of| matches!(of.message, Message::Attestation { .. })),
        _ => false,
    };
    assert_eq!(count(&play, is_vote), slots);
    assert_eq!(play.done_of(Duty::Attestation(Slot(2))).len() as u64, KEYS / 8);
    assert_eq!(count(&play, |ask| matches!(ask, Ask::AttesterDuties(..))), 2, "one for each epoch");
    assert_eq!(count(&play, |ask| matches!(ask, Ask::Keys(_))), 1);
}

#[test]
fn selection_proofs_are_signed_in_portions_and_those_of_the_next_slots_first() {
    let mut play = Play::new(KEYS);
    play.until(0, 0);
    let portions = proofs(&play);
    assert!(portions.iter().all(|portion| portion.len() <= 512), "no portion keeps the signer busy for long");
    let of_epoch = |epoch| {
        let slots = portions.iter().flatten().filter(|slot| slot.epoch(play.duties.spec) == epoch);
        slots.copied().collect::<Vec<_>>()
    };
    for epoch in [Epoch(0), Epoch(1)] {
        assert_eq!(of_epoch(epoch).len() as u64, KEYS);
        assert!(of_epoch(epoch).is_sorted());
    }
    let wishes = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::Subscribe(all) => Some(all.len() as u64),
        _ => None,
    });
    assert_eq!(wishes.sum::<u64>(), 2 * KEYS, "each duty's subnet is wished for once");
}

#[test]
fn a_portion_without_an_answer_does_not_end_the_others_and_votes_do_not_wait_for_it() {
    let mut play = Play::new(KEYS);
    play.hold = |ask| match ask {
        Ask::Sign(requests) => {
            requests.iter().any(|of| of.message == Message::SelectionProof { slot: Slot(0) })
        }
        _ => false,
    };
    play.until(1, 3000);
    assert_eq!(play.held.len(), 1);
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))).len() as u64, KEYS / 8);
    assert!(proofs(&play).iter().flatten().all(|slot| *slot >= 8 || *slot < 3), "one portion at a time");
    // It is given up after four slots.
    play.until(5, 0);
    let slots = proofs(&play);
    let lacking = |slot: u64| slots.iter().flatten().filter(|of| **of == slot).count() as u64;
    assert_eq!([lacking(0), lacking(6), lacking(7)], [KEYS / 8; 3], "no proof is asked for twice");
}

#[test]
fn the_signer_rests_after_a_portion_unless_the_next_slots_lack_proofs() {
    let mut play = Play::new(KEYS);
    play.hold = |ask| match ask {
        Ask::Sign(requests) => requests.iter().any(|of| matches!(of.message, Message::SelectionProof { .. })),
        _ => false,
    };
    // The first two portions reach into slot 4; slots 0 to 2 are urgent.
    for (ms, is_answered, portions) in [
        (0, true, 2),
        (100, true, 2),
        (399, false, 2),
        (400, false, 3),
        (900, true, 3),
        (2399, false, 3),
        (2400, false, 4),
    ] {
        play.until(0, ms);
        if let Some((id, ask)) = play.held.pop_if(|_| is_answered) {
            let answer = play.usual(&ask);
            play.input(crate::Input::Answer(id, answer));
        }
        assert_eq!(proofs(&play).len(), portions, "after {ms} ms");
    }
}

#[test]
fn duties_that_are_fetched_again_keep_their_proofs() {
    let mut play = Play::new(KEYS);
    play.until(1, 100).head(1);
    let before = proofs(&play).len();
    play.head_of(1, dependent(1), dependent(0));
    assert_eq!(count(&play, |ask| matches!(ask, Ask::AttesterDuties(Epoch(0), _))), 2);
    assert_eq!(proofs(&play).len(), before);
    play.until(1, 5000);
    assert!(!play.done_of(Duty::Aggregate(Slot(1))).is_empty() || play.missed.is_empty());
}

#[test]
fn a_proof_that_is_refused_is_not_asked_for_again() {
    let mut play = Play::new(16);
    play.manner = Box::new(|ask| match ask {
        Ask::Sign(requests) if matches!(requests[0].message, Message::SelectionProof { .. }) => {
            Some(Ok(Answer::Signed(requests.iter().map(|_| Err("the key is not loaded".into())).collect())))
        }
        _ => None,
    });
    play.until(1, 3000);
    assert_eq!(proofs(&play).concat().len(), 32, "once for each validator and epoch");
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))), [1, 9], "a vote needs no proof");
}
