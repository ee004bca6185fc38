use types::ForkName;

use super::harness::{FEES, GENESIS_MS, Play, SLOT_MS};
use crate::{Answer, Ask, KeyInfo};

/// When the node was told who gets the fees, in slots, and of whose blocks.
fn told(play: &Play) -> Vec<(u64, Vec<u64>)> {
    let told = play.asked.iter().filter_map(|(at, ask)| match ask {
        Ask::PrepareBeaconProposer(all) => {
            assert!(all.iter().all(|(_, recipient)| *recipient == FEES));
            Some((at.0.saturating_sub(GENESIS_MS) / SLOT_MS, all.iter().map(|(index, _)| index.0).collect()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn the_node_is_told_at_the_start_and_each_epoch() {
    let mut play = Play::with_fork(2, ForkName::Bellatrix, 0);
    play.until(17, 0);
    assert_eq!(told(&play), [(0, vec![0, 1]), (8, vec![0, 1]), (16, vec![0, 1])]);
}

#[test]
fn before_bellatrix_there_are_no_fees_and_its_eve_is_early_enough() {
    let mut play = Play::with_fork(2, ForkName::Bellatrix, 2);
    play.until(17, 0);
    assert_eq!(told(&play).iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [8, 16]);
    let mut never = Play::with_fork(2, ForkName::Altair, 0);
    never.until(17, 0);
    assert!(told(&never).is_empty());
}

#[test]
fn what_failed_is_told_again_a_slot_later() {
    let mut play = Play::with_fork(2, ForkName::Bellatrix, 0);
    play.manner = Box::new(|ask| match ask {
        Ask::PrepareBeaconProposer(_) => Some(Err("cannot connect".to_owned())),
        _ => None,
    });
    play.until(3, 0);
    let slots: Vec<u64> = told(&play).iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [0, 0, 1, 2], "a second before genesis, and then each slot after it");
    play.manner = Box::new(|_| None);
    play.until(7, 5000);
    assert_eq!(told(&play).len(), 5);
}

#[test]
fn keys_that_join_are_told_of_at_once() {
    let mut play = Play::with_fork(2, ForkName::Bellatrix, 0);
    play.manner = Box::new(|ask| match ask {
        Ask::Keys(keys) => {
            let info = |index: u64| KeyInfo {
                pubkey: super::harness::key(index),
                index: index.into(),
                // The second key is not active when both are asked for.
                active: index == 0 || keys.len() == 1,
            };
            Some(Ok(Answer::Keys(vec![info(0), info(1)])))
        }
        _ => None,
    });
    play.until(9, 0);
    let told = told(&play);
    assert_eq!(told.first().unwrap().1, [0]);
    assert!(told.iter().any(|(slot, of)| *slot == 8 && *of == [0, 1]), "{told:?}");
}
