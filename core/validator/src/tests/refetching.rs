use types::{Epoch, Slot};

use super::harness::{GENESIS_MS, Play, SLOT_MS, dependent, key};
use crate::{Ask, Duty};

fn attesters_of(epoch: u64) -> impl Fn(&(types::Time, Ask)) -> bool {
    move |(_, ask)| matches!(ask, Ask::AttesterDuties(of, _) if *of == Epoch(epoch))
}

fn fetches(play: &Play, epoch: u64) -> usize {
    play.asked.iter().filter(|asked| attesters_of(epoch)(asked)).count()
}

#[test]
fn duties_of_this_and_the_next_epoch_are_fetched_once() {
    let mut play = Play::new(8);
    play.until(7, 0);
    play.head(6);
    assert_eq!((fetches(&play, 0), fetches(&play, 1), fetches(&play, 2)), (1, 1, 0));
    play.until(8, 0);
    assert_eq!((fetches(&play, 1), fetches(&play, 2)), (1, 1));
}

#[test]
fn before_genesis_only_the_duties_of_epoch_0_are_asked_for_and_not_earlier_than_an_epoch_before() {
    let mut play = Play::new(8);
    play.now = types::Time(0);
    play.input(crate::Input::Tick);
    play.manner = Box::new(|ask| matches!(ask, Ask::AttesterDuties(..)).then(|| Err("too early".into())));
    play.now = play.duties.deadline().unwrap();
    assert_eq!(play.now.0, GENESIS_MS - 8 * SLOT_MS);
    assert_eq!(fetches(&play, 0), 0);
    play.input(crate::Input::Tick);
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (1, 0));
    play.manner = Box::new(|_| None);
    play.until(0, 0);
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (2, 1));
    play.until(1, 0);
    assert_eq!(play.done_of(Duty::Attestation(Slot(0))), [0]);
}

#[test]
fn a_new_dependent_root_fetches_the_duties_that_hang_on_it_again() {
    let mut play = Play::new(8);
    play.until(1, 100).head(1);
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (1, 1));
    // The next epoch's attesters hang on the current dependent root, this epoch's on the previous one.
    play.head_of(1, dependent(0), dependent(1));
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (1, 2));
    play.head_of(1, dependent(1), dependent(1));
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (2, 2));
    play.head_of(2, dependent(1), dependent(1));
    assert_eq!((fetches(&play, 0), fetches(&play, 1)), (2, 2), "an unchanged root fetches nothing");
}

#[test]
fn who_attested_in_an_epoch_does_not_sign_again_when_its_duty_moves() {
    let mut play = Play::new(8);
    play.until(2, 5000);
    assert_eq!(play.votes_signed().len(), 3);
    // A reorganization moves every duty to slot 5.
    play.slot_of = |epoch, _| epoch.start_slot(types::Spec::minimal()) + 5;
    play.head_of(2, dependent(1), dependent(0));
    play.until(7, 5999);
    let votes = play.votes_signed();
    for index in 0..8 {
        let of: Vec<_> =
            votes.iter().filter(|(who, _, target)| *who == key(index) && *target == Epoch(0)).collect();
        assert_eq!(of.len(), 1, "validator {index} signed {of:?}");
    }
    assert_eq!(play.done_of(Duty::Attestation(Slot(5))), [3, 4, 5, 6, 7]);
    assert!(play.missed.is_empty(), "{:?}", play.missed);
}

#[test]
fn a_failed_fetch_is_tried_again_after_a_pause() {
    let mut play = Play::new(8);
    play.manner = Box::new(|ask| matches!(ask, Ask::AttesterDuties(..)).then(|| Err("503: syncing".into())));
    play.until(0, 3000);
    let asked = fetches(&play, 0);
    assert!((4..=7).contains(&asked), "{asked} questions in four seconds");
    play.manner = Box::new(|_| None);
    play.until(1, 2000);
    assert_eq!(play.done_of(Duty::Attestation(Slot(1))), [1]);
}

#[test]
fn a_key_that_becomes_active_later_gets_its_duties() {
    let mut play = Play::new(2);
    play.manner = Box::new(|ask| match ask {
        Ask::Keys(_) => Some(Ok(crate::Answer::Keys(Vec::new()))),
        _ => None,
    });
    play.until(7, 5000);
    assert!(play.votes_signed().is_empty());
    play.manner = Box::new(|_| None);
    play.until(9, 5000);
    let votes = play.votes_signed();
    assert_eq!(votes, [(key(0), Slot(8), Epoch(1)), (key(1), Slot(9), Epoch(1))]);
}
