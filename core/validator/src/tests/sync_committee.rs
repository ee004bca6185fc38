use types::{Slot, ValidatorIndex};

use super::harness::{GENESIS_MS, Play, SLOT_MS, contribution, key, root, signature};
use crate::{Answer, Ask, Duty, Input};

fn is_duties(ask: &Ask) -> bool {
    matches!(ask, Ask::SyncDuties(..))
}

fn is_vote(ask: &Ask) -> bool {
    matches!(ask, Ask::PublishSyncMessages(_))
}

fn is_contribution(ask: &Ask) -> bool {
    matches!(ask, Ask::PublishContributions(_))
}

/// Slots with votes handed over by a validator, doubles included.
fn votes_of(play: &Play, validator: u64) -> Vec<u64> {
    let all = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishSyncMessages(all) => Some(all),
        _ => None,
    });
    let own = all.flatten().filter(|message| message.validator_index == ValidatorIndex(validator));
    own.map(|message| message.slot.0).collect()
}

#[test]
fn a_vote_for_the_head_is_cast_a_third_into_each_slot() {
    let mut play = Play::with_altair(3, 0);
    play.until(3, 5999);
    // 3333 basis points of 6000 ms are 1999 ms.
    assert_eq!(play.times(is_vote), [0, 1, 2, 3].map(|slot| slot * SLOT_MS + 1999));
    for slot in 0..4 {
        assert_eq!(play.done_of(Duty::SyncMessage(Slot(slot))), [0, 1, 2]);
    }
    assert_eq!(votes_of(&play, 2), [0, 1, 2, 3]);
    assert!(play.missed.is_empty(), "{:?}", play.missed);
    assert_eq!(play.duties.due_in(Slot(2)).sync_messages, 3);
}

#[test]
fn the_head_event_of_the_slot_is_what_a_vote_waits_for_and_nobody_votes_twice() {
    let mut play = Play::with_altair(3, 0);
    play.until(2, 700);
    play.head(2);
    play.until(2, 5000);
    play.head(2);
    play.until(3, 100);
    assert_eq!(play.times(is_vote).last(), Some(&(2 * SLOT_MS + 700)));
    assert_eq!(votes_of(&play, 0), [0, 1, 2]);
}

#[test]
fn votes_and_contributions_are_signed_with_the_heads_root_and_the_proofs_of_the_slot() {
    let mut play = Play::with_altair(2, 0);
    play.until(1, 5000);
    let domains = play.duties.domains;
    let votes = play.asked.iter().rev().find_map(|(_, ask)| match ask {
        Ask::PublishSyncMessages(all) => Some(all),
        _ => None,
    });
    let vote = &votes.unwrap()[1];
    assert_eq!((vote.slot, vote.beacon_block_root), (Slot(1), root(9)));
    let request = domains.get_sync_committee_message_signature(key(1), Slot(1), &root(9));
    assert_eq!(vote.signature, signature(&request));
    // 3999 ms are 6667 basis points, rounded down, and a tick; places 1 and 17 are in subcommittees 0 and 2.
    let contributed = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::PublishContributions(all) => Some(all),
        _ => None,
    });
    let all: Vec<_> = contributed.flatten().filter(|of| of.message.contribution.slot == Slot(1)).collect();
    let pair = |of: &&types::SignedContributionAndProof| {
        (of.message.aggregator_index.0, of.message.contribution.subcommittee_index)
    };
    let who: Vec<(u64, u64)> = all.iter().map(pair).collect();
    assert_eq!(who, [(0, 0), (1, 0), (0, 2), (1, 2)], "in a small committee everyone aggregates");
    let last = &all[3];
    let proof = domains.get_sync_committee_selection_proof(key(1), Slot(1), 2);
    assert_eq!(last.message.selection_proof, signature(&proof));
    assert_eq!(last.message.contribution, contribution(Slot(1), 2, root(9)));
    let outer = domains.get_contribution_and_proof_signature(key(1), &last.message);
    assert_eq!(last.signature, signature(&outer));
    assert_eq!(play.done_of(Duty::Contribution(Slot(1))), [0, 1, 0, 1]);
    assert_eq!(play.times(is_contribution).last(), Some(&(SLOT_MS + 4000)));
}

#[test]
fn nobody_votes_before_the_fork_and_everybody_in_its_first_slot() {
    let mut play = Play::with_altair(3, 2);
    play.until(18, 5000);
    assert_eq!(votes_of(&play, 1), [16, 17, 18]);
    assert_eq!(play.times(is_duties).first(), Some(&(16 * SLOT_MS)), "the committee is drawn at the fork");
    assert!(play.missed.is_empty(), "{:?}", play.missed);
}

#[test]
fn members_of_the_next_period_are_asked_for_ahead_and_vote_from_the_slot_before_it() {
    let mut play = Play::with_altair(4, 0);
    // A period is eight epochs of eight slots; validators 0 and 1 are in the first, 2 and 3 in the second.
    play.manner = Box::new(|ask| match ask {
        Ask::SyncDuties(epoch, indices) => {
            let of_second = epoch.0 >= 8;
            let members = indices.iter().filter(|index| (index.0 >= 2) == of_second);
            let duty = |index: &ValidatorIndex| crate::SyncDuty {
                pubkey: key(index.0),
                validator_index: *index,
                places: vec![index.0],
            };
            Some(Ok(Answer::SyncDuties(members.map(duty).collect())))
        }
        _ => None,
    });
    play.until(65, 5000);
    let ahead = play.asked.iter().find(|(_, ask)| matches!(ask, Ask::SyncDuties(epoch, _) if epoch.0 == 8));
    assert_eq!(ahead.unwrap().0.0 - GENESIS_MS, 48 * SLOT_MS, "two epochs ahead");
    assert_eq!(votes_of(&play, 0), (0..63).collect::<Vec<_>>());
    assert_eq!(votes_of(&play, 3), [63, 64, 65]);
    assert!(play.missed.is_empty(), "{:?}", play.missed);
    let until = play.asked.iter().filter_map(|(_, ask)| match ask {
        Ask::SubscribeSync(all) => Some((all[0].validator_index.0, all[0].until.0)),
        _ => None,
    });
    let until: std::collections::BTreeSet<_> = until.collect();
    assert_eq!(until, [(0, 8), (2, 16)].into());
}

#[test]
fn a_node_that_names_no_head_is_asked_again_until_the_slot_ends_and_that_is_told() {
    let mut play = Play::with_altair(1, 0);
    play.manner = Box::new(|ask| matches!(ask, Ask::HeadRoot(_)).then(|| Err("503: syncing".to_owned())));
    play.until(1, 0);
    assert!(play.times(|ask| matches!(ask, Ask::HeadRoot(Slot(0)))).len() > 5);
    let why = "the node named no head: 503: syncing";
    assert_eq!(play.missed_of(Duty::SyncMessage(Slot(0))), [(vec![0], why)]);
    let none = "there was no vote to contribute to";
    assert_eq!(play.missed_of(Duty::Contribution(Slot(0))), [(vec![0], none), (vec![0], none)]);
    play.manner = Box::new(|_| None);
    play.until(2, 0);
    assert_eq!(votes_of(&play, 0), [1], "a vote of a slot that is over is worth nothing");
}

#[test]
fn items_that_are_refused_or_stay_unanswered_are_missed_with_the_reason() {
    let mut play = Play::with_altair(2, 0);
    play.manner = Box::new(|ask| match ask {
        Ask::PublishSyncMessages(_) => Some(Ok(Answer::Published(vec![(1, "not a member".into())]))),
        _ => None,
    });
    play.hold = |ask| matches!(ask, Ask::PublishContributions(_));
    play.until(1, 0);
    assert_eq!(play.done_of(Duty::SyncMessage(Slot(0))), [0]);
    let refused = "the node refused it: not a member";
    assert_eq!(play.missed_of(Duty::SyncMessage(Slot(0))), [(vec![1], refused)]);
    let silent = "it was not published: no answer in time";
    let missed = play.missed_of(Duty::Contribution(Slot(0)));
    assert_eq!(missed, [(vec![0, 1], silent), (vec![0, 1], silent)]);
}

#[test]
fn a_contribution_of_other_votes_is_not_signed() {
    let mut play = Play::with_altair(1, 0);
    play.manner = Box::new(|ask| match ask {
        Ask::Contribution(slot, part, _) => {
            Some(Ok(Answer::Contribution(Box::new(contribution(*slot, *part, root(66))))))
        }
        _ => None,
    });
    play.until(0, 5000);
    let why = "the node's contribution is of other votes";
    assert_eq!(play.missed_of(Duty::Contribution(Slot(0))), [(vec![0], why), (vec![0], why)]);
    assert!(play.times(is_contribution).is_empty());
}

#[test]
fn members_that_become_known_after_slots_of_their_period_are_told_once() {
    let mut play = Play::with_altair(2, 0);
    play.manner = Box::new(|ask| is_duties(ask).then(|| Err("cannot connect".to_owned())));
    play.until(3, 100);
    assert!(play.missed.is_empty(), "nobody knows whose duty it was");
    play.manner = Box::new(|_| None);
    play.until(4, 5000);
    let why = "those before slot 3: the duties became known after their slots";
    assert_eq!(play.missed_of(Duty::SyncPeriod(0)), [(vec![0, 1], why)]);
    assert_eq!(votes_of(&play, 0), [3, 4]);
}

#[test]
fn a_period_whose_members_nobody_told_is_missed_as_a_whole() {
    let mut play = Play::with_altair(2, 0);
    play.manner = Box::new(|ask| is_duties(ask).then(|| Err("cannot connect".to_owned())));
    play.until(64, 100);
    let why = "the node did not say who is in the committee: cannot connect";
    assert_eq!(play.missed_of(Duty::SyncPeriod(0)), [(vec![0, 1], why)]);
}

#[test]
fn the_first_committee_is_asked_for_again_when_the_block_before_the_fork_turns_out_to_be_another() {
    let mut play = Play::with_altair(2, 1);
    play.until(8, 500);
    assert_eq!(play.times(is_duties).len(), 1);
    play.head_of(8, root(1), root(2));
    assert_eq!(play.times(is_duties).len(), 2, "the first head of the fork's epoch");
    play.head_of(8, root(1), root(2));
    assert_eq!(play.times(is_duties).len(), 2);
    play.head_of(9, root(1), root(3));
    assert_eq!(play.times(is_duties).len(), 3, "a reorg of the last block before the fork");
}

#[test]
fn slots_that_the_clock_leapt_over_are_told() {
    let mut play = Play::with_altair(1, 0);
    play.until(2, 5000);
    play.leap(5, 100);
    let why = "it was learned too late, or the clock leapt over the slot";
    for slot in [3, 4] {
        assert_eq!(play.missed_of(Duty::SyncMessage(Slot(slot))), [(vec![0], why)]);
    }
    play.now = types::Time(GENESIS_MS + SLOT_MS);
    play.input(Input::Tick);
    play.until(5, 5000);
    assert_eq!(votes_of(&play, 0), [0, 1, 2, 5], "time that runs backwards repeats nothing");
}
