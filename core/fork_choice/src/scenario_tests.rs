//! The rules of fork choice, one small tree each. See `fixture` for the notation.

use types::{Checkpoint, Epoch, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

use crate::fixture::{VALIDATORS, World, equal_balances, root};
use crate::naive::NaiveStore;
use crate::{
    AttestationInvalid, BalancesInvalid, BlockInvalid, Counted, ForkChoice, Imported, Origin,
    ProposerHeadInvalid, VALIDATORS_MAX,
};

const VOTE: u64 = 32_000_000_000;

#[test]
fn the_anchor_is_the_first_head() {
    assert_eq!(World::new().head(), "g");
}

#[test]
fn the_higher_root_breaks_a_tie() {
    let mut world = World::new();
    world.grow("g - a1; g - b1");
    world.tick(2);
    assert_eq!(world.head(), "b1");
}

#[test]
fn a_shorter_but_heavier_chain_wins() {
    let mut world = World::new();
    world.grow("g - a1; g - b1 - b2 - b3");
    world.tick(4);
    world.vote(0..1, "a1");
    assert_eq!(world.head(), "a1");
    world.vote(1..3, "b3");
    assert_eq!(world.head(), "b3");
}

#[test]
fn a_vote_moves_with_a_later_target_only() {
    let mut world = World::new();
    world.grow("g - a1; g - b1");
    world.tick(3);
    world.vote(0..1, "a1");
    world.vote(0..1, "b1");
    assert_eq!(world.head(), "a1");
    world.tick(10);
    world.vote(0..1, "b1");
    assert_eq!(world.head(), "b1");
    assert_eq!(world.store.get_weight(&root("a1")), Some(Gwei(0)));
    assert_eq!(world.store.get_weight(&root("g")), Some(Gwei(VOTE)));
}

#[test]
fn the_boosted_block_wins_against_three_votes_but_not_four() {
    for (votes, head) in [(3, "b2"), (4, "a1")] {
        let mut world = World::new();
        world.grow("g - a1");
        world.tick(2);
        world.vote(0..votes, "a1");
        world.grow("g - b2");
        assert_eq!(world.boosted(), "b2");
        assert_eq!(world.head(), head, "{votes} votes");
    }
}

#[test]
fn the_boost_ends_with_the_slot() {
    let mut world = World::new();
    world.grow("g - a1");
    world.tick(2);
    world.vote(0..1, "a1");
    world.grow("g - b2");
    assert_eq!(world.head(), "b2");
    world.tick(3);
    assert_eq!(world.boosted(), "");
    assert_eq!(world.head(), "a1");
}

#[test]
fn late_block_gets_no_boost() {
    let mut world = World::new();
    world.grow("g - a1*");
    assert_eq!(world.boosted(), "");
    assert!(!world.store.block(&root("a1")).unwrap().timely);
}

#[test]
fn a_block_one_millisecond_before_attestations_are_due_is_timely() {
    let mut world = World::new();
    let config = &world.store.spec().config;
    world.tick_ms(1, world.store.spec().get_slot_component_duration_ms(config.attestation_due_bps) - 1);
    world.grow("g - a1");
    assert_eq!(world.boosted(), "a1");
}

#[test]
fn a_block_imported_after_its_slot_is_timely_but_gets_no_boost() {
    let mut world = World::new();
    world.tick(1);
    let facts = world.draw("g", "a1");
    world.tick(2);
    assert_eq!(world.on_block(&facts), Ok(Imported::New));
    assert!(world.store.block(&root("a1")).unwrap().timely);
    assert_eq!(world.boosted(), "");
}

#[test]
fn only_the_first_timely_block_of_a_slot_gets_the_boost() {
    let mut world = World::new();
    world.grow("g - a1; g - b1=");
    assert_eq!(world.boosted(), "a1");
    assert_eq!(world.head(), "a1");
}

#[test]
fn a_block_of_another_shuffling_gets_no_boost() {
    // At epoch 2 the shuffling depends on the last block of epoch 0: a7 for one chain, b5 for the other.
    let mut world = World::new();
    world.grow("g - a1 - a7 - a8; a1 - b5 - b9");
    world.tick(10);
    world.vote(0..9, "a8");
    world.grow("b9 - b16");
    assert_eq!(world.boosted(), "");
    assert_eq!(world.head(), "a8");
    world.grow("a8 - a17");
    assert_eq!(world.boosted(), "a17");
    assert_eq!(world.head(), "a17");
}

#[test]
fn votes_of_equivocators_are_removed_and_never_count_again() {
    let mut world = World::new();
    world.grow("g - a1; g - b1");
    world.tick(2);
    world.vote(0..2, "a1");
    world.vote(2..3, "b1");
    assert_eq!(world.head(), "a1");
    world.slash(0..2);
    assert_eq!(world.head(), "b1");
    world.tick(10);
    world.vote(0..2, "a1");
    assert_eq!(world.head(), "b1");
    assert!(world.store.is_equivocating(ValidatorIndex(1)));
    assert!(!world.store.is_equivocating(ValidatorIndex(2)));
}

#[test]
fn a_tick_into_a_new_epoch_adopts_unrealized_checkpoints() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9 - a14:u1 - a15; a8 - b15");
    assert_eq!(world.store.justified_checkpoint().epoch, Epoch(0));
    assert_eq!(world.store.unrealized_justified_checkpoint().epoch, Epoch(1));
    world.tick(16);
    let justified = Checkpoint { epoch: Epoch(1), root: root("a8") };
    assert_eq!(world.store.justified_checkpoint(), &justified);
    // Both leaves are of a prior epoch; only one justifies epoch 1, but the other is recent enough.
    assert_eq!(world.head(), "b15");
}

#[test]
fn a_block_of_a_prior_epoch_is_pulled_up_at_once() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9");
    world.tick(17);
    world.grow("a9 - a14:u1");
    assert_eq!(world.store.justified_checkpoint().epoch, Epoch(1));
}

#[test]
fn a_leaf_with_an_old_voting_source_is_not_viable() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a16 - a24; a1 - b9");
    world.tick(25);
    world.vote(0..9, "b9");
    assert_eq!(world.head(), "b9");
    world.grow("a24 - a26:j2");
    // In epoch 3 a voting source of epoch 0 is neither the justified epoch nor at most two epochs old, and
    // b9 does not descend from the justified block either.
    assert_eq!(world.head(), "a26");
    assert_eq!(world.store.viable_heads().len(), 1);
}

#[test]
fn no_viable_leaf_leaves_the_justified_block_as_head() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9:u1 - a17:j0u0; g - b3");
    world.tick(24);
    assert_eq!(world.store.justified_checkpoint().root, root("a8"));
    // In epoch 2 a voting source of epoch 0 is recent enough, in epoch 3 no more.
    assert_eq!(world.head(), "a8");
    assert!(world.store.viable_heads().is_empty());
}

#[test]
fn a_weak_late_head_is_orphaned_by_the_next_proposer() {
    let mut world = World::new();
    world.grow("g - a1 - a2 - a3*");
    world.tick(4);
    world.vote(0..13, "a2");
    world.vote(13..14, "a3");
    assert_eq!(world.head(), "a3");
    assert_eq!(world.proposer_head(4, 13..21), "a2");
    // A second vote makes the head strong.
    world.vote(14..15, "a3");
    assert_eq!(world.proposer_head(4, 13..21), "a3");
}

#[test]
fn every_condition_of_a_reorg_is_needed() {
    let late_head = |picture: &str, parent: &str, parent_votes: u64| {
        let mut world = World::new();
        world.grow(picture);
        world.tick(world.store.get_current_slot().0 + 1);
        world.vote(0..parent_votes, parent);
        world
    };
    assert_eq!(late_head("g - a1 - a2 - a3*", "a2", 13).proposer_head(4, 0..0), "a2");
    assert_eq!(late_head("g - a1 - a2 - a3", "a2", 13).proposer_head(4, 0..0), "a3", "timely");
    assert_eq!(late_head("g - a1 - a2 - a4*", "a2", 13).proposer_head(5, 0..0), "a4", "two slots");
    assert_eq!(late_head("g - a1 - a6 - a7*", "a6", 13).proposer_head(8, 0..0), "a7", "epoch boundary");
    assert_eq!(late_head("g - a1 - a2 - a3*", "a2", 12).proposer_head(4, 0..0), "a3", "weak parent");
    assert_eq!(late_head("g - a1 - a2 - a3*", "a2", 13).proposer_head(5, 0..0), "a3", "a slot later");
    assert_eq!(late_head("g - a25 - a26 - a27*", "a26", 13).proposer_head(28, 0..0), "a27", "not final");
    let mut ffg = late_head("g - a1 - a8 - a9 - a10*:u1", "a9", 13);
    assert_eq!(ffg.proposer_head(11, 0..0), "a10", "unrealized justification differs");
    let mut late_proposer = late_head("g - a1 - a2 - a3*", "a2", 13);
    late_proposer.tick_ms(4, 1001);
    assert_eq!(late_proposer.proposer_head(4, 0..0), "a3", "proposing too late");
}

#[test]
fn equivocators_in_the_committee_count_for_the_head() {
    let mut world = World::new();
    world.grow("g - a1 - a2 - a3*");
    world.tick(4);
    world.vote(0..13, "a2");
    world.vote(13..15, "a3");
    world.slash(13..15);
    assert_eq!(world.head(), "a3");
    assert_eq!(world.proposer_head(4, 13..21), "a3");
    assert_eq!(world.proposer_head(4, 15..21), "a2");
}

#[test]
fn a_weak_head_of_an_equivocating_proposer_is_orphaned_though_timely() {
    let mut world = World::new();
    world.grow("g - a1 - a2; a1 - b2=");
    world.tick(3);
    assert_eq!(world.head(), "b2");
    assert_eq!(world.proposer_head(3, 0..0), "a1");
    world.vote(0..2, "b2");
    assert_eq!(world.proposer_head(3, 0..0), "b2");
}

#[test]
fn there_is_no_proposer_head_without_head_parent_or_while_boosted() {
    let mut world = World::new();
    let ask = |world: &mut World, name: &str| world.store.get_proposer_head(&root(name), Slot(2), &[]);
    assert_eq!(ask(&mut world, "a1"), Err(ProposerHeadInvalid::HeadUnknown));
    assert_eq!(ask(&mut world, "g"), Err(ProposerHeadInvalid::ParentUnknown));
    world.grow("g - a1");
    assert_eq!(ask(&mut world, "a1"), Err(ProposerHeadInvalid::HeadIsBoosted));
    world.tick(2);
    assert_eq!(ask(&mut world, "a1"), Ok(root("a1")));
}

#[test]
fn an_invalid_block_names_its_fault_and_changes_nothing() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9; a1 - b3; a1 - c7");
    world.tick(16);
    world.grow("a9 - a16:j1f1u1v1");
    let before = world.store.snapshot();
    let mut add = |parent: &str, token: &str| {
        let facts = world.draw(parent, token);
        world.on_block(&facts)
    };
    assert_eq!(add("a16", "a17"), Err(BlockInvalid::SlotInFuture));
    assert_eq!(add("a1", "x8"), Err(BlockInvalid::SlotNotAfterFinalized));
    assert_eq!(add("b3", "b10"), Err(BlockInvalid::NotDescendantOfFinalized));
    assert_eq!(add("a16", "x16"), Err(BlockInvalid::SlotNotAfterParent));
    assert_eq!(add("a9", "a16"), Ok(Imported::AlreadyKnown));
    let mut orphan = world.draw("a16", "x16");
    orphan.parent_root = root("nobody");
    assert_eq!(world.on_block(&orphan), Err(BlockInvalid::ParentUnknown));
    let mut wrong = world.draw("a9", "x15");
    wrong.unrealized_justified = Checkpoint { epoch: Epoch(2), root: root("a9") };
    assert_eq!(world.store.on_block(&wrong), Err(BlockInvalid::CheckpointNotInChain));
    assert_eq!(world.store.snapshot(), before);
}

#[test]
fn an_invalid_attestation_names_its_fault_and_changes_nothing() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a20; a1 - b9");
    world.tick(21);
    let before = world.store.snapshot();
    let good = world.attestation(Slot(20), "a20");
    let mut judge = |change: &dyn Fn(&mut crate::AttestationFacts), origin| {
        let mut bad = good.clone();
        change(&mut bad);
        world.on_attestation(&bad, 0..1, origin).unwrap_err()
    };
    use AttestationInvalid::*;
    assert_eq!(judge(&|a| a.target.epoch = Epoch(3), Origin::Wire), TargetEpochInFuture);
    assert_eq!(judge(&|a| a.target.epoch = Epoch(0), Origin::Wire), TargetEpochTooOld);
    assert_eq!(judge(&|a| a.target.epoch = Epoch(0), Origin::Block), TargetEpochNotOfSlot);
    assert_eq!(judge(&|a| a.slot = Slot(15), Origin::Wire), TargetEpochNotOfSlot);
    assert_eq!(judge(&|a| a.target.root = root("x"), Origin::Wire), TargetUnknown);
    assert_eq!(judge(&|a| a.beacon_block_root = root("x"), Origin::Wire), BlockUnknown);
    assert_eq!(judge(&|a| a.slot = Slot(19), Origin::Wire), BlockAfterAttestation);
    assert_eq!(judge(&|a| a.target.root = root("a1"), Origin::Wire), TargetNotCheckpointOfBlock);
    assert_eq!(judge(&|a| a.beacon_block_root = root("b9"), Origin::Wire), TargetNotCheckpointOfBlock);
    assert_eq!(judge(&|a| a.slot = Slot(21), Origin::Wire), SlotNotPast);
    let huge = [ValidatorIndex(0), ValidatorIndex(VALIDATORS_MAX)];
    assert_eq!(world.store.on_attestation(&good, &huge, Origin::Wire), Err(ValidatorIndexTooLarge));
    assert_eq!(world.store.on_attester_slashing(&huge), Err(ValidatorIndexTooLarge));
    assert_eq!(world.store.snapshot(), before);
}

#[test]
fn an_old_attestation_counts_from_a_block_only() {
    let mut world = World::new();
    world.grow("g - a1; g - b1");
    world.tick(40);
    let old = world.attestation(Slot(2), "a1");
    let from_wire = world.on_attestation(&old, 0..1, Origin::Wire);
    assert_eq!(from_wire, Err(AttestationInvalid::TargetEpochTooOld));
    assert_eq!(world.head(), "b1");
    assert_eq!(world.on_attestation(&old, 0..1, Origin::Block), Ok(()));
    assert_eq!(world.head(), "a1");
}

#[test]
fn a_queued_vote_counts_from_the_next_slot() {
    let mut world = World::new();
    world.grow("g - a1*; g - b1*");
    world.queue(0..1, "a1");
    // The first vote of a validator counts, as it would have without a queue.
    world.queue(0..1, "b1");
    assert_eq!(world.head(), "b1");
    assert_eq!(world.store.queued_votes(), 2);
    world.tick(2);
    assert_eq!(world.store.get_head(), root("a1"));
    assert_eq!(world.store.queued_votes(), 0);
    let past = world.attestation(Slot(1), "b1");
    assert_eq!(world.store.queue_attestation(&past, &[ValidatorIndex(5)]), Ok(Counted::Now));
    let future = world.attestation(Slot(3), "b1");
    let refused = world.store.queue_attestation(&future, &[ValidatorIndex(5)]);
    assert_eq!(refused, Err(AttestationInvalid::SlotNotPast));
}

#[test]
fn a_full_queue_drops_repetitions_before_it_refuses() {
    let mut world = World::new();
    world.grow("g - a1*");
    let attestation = world.attestation(Slot(1), "a1");
    let half: Vec<_> = (0..crate::QUEUED_VOTES_MAX as u64 / 2).map(ValidatorIndex).collect();
    for _ in 0..4 {
        assert_eq!(world.store.queue_attestation(&attestation, &half), Ok(Counted::FromNextSlot));
    }
    let others: Vec<_> = half.iter().map(|index| *index + half.len() as u64).collect();
    assert_eq!(world.store.queue_attestation(&attestation, &others), Ok(Counted::FromNextSlot));
    let one_more = world.store.queue_attestation(&attestation, &[ValidatorIndex(VALIDATORS_MAX - 1)]);
    assert_eq!(one_more, Err(AttestationInvalid::QueueFull));
}

#[test]
fn pruning_keeps_the_finalized_block_and_what_descends_from_it() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9 - a17; a1 - b3; a8 - c10; g - d2");
    world.tick(18);
    world.vote(0..3, "c10");
    world.vote(3..8, "a17");
    world.grow("a17 - a25:j2f1u2v1");
    assert_eq!(world.head(), "a25");
    let weight = world.store.get_weight(&root("a8"));
    assert_eq!(world.prune(), ["g", "a1", "b3", "d2"]);
    assert_eq!(world.head(), "a25");
    assert_eq!(world.store.get_weight(&root("a8")), weight);
    assert_eq!(world.store.get_weight(&root("b3")), None);
    assert_eq!(world.store.get_ancestor(&root("a25"), Slot(3)), None);
    assert_eq!(world.prune(), Vec::<String>::new());
    let names: Vec<_> = world.store.heads().map(|view| view.node.slot.0).collect();
    assert_eq!(names, [10, 25]);
    world.grow("a25 - a26");
    assert_eq!(world.head(), "a26");
}

#[test]
fn balances_are_wanted_when_the_justified_checkpoint_moves() {
    let mut world = World::new();
    assert_eq!(world.store.wants_balances(), None);
    world.tick(10);
    let stale = world.store.justified_checkpoint().clone();
    world.grow("g - a1 - a8 - a9");
    let facts = world.draw("a9", "a10:j1");
    world.on_block(&facts).unwrap();
    let wanted = world.store.wants_balances().unwrap();
    assert_eq!(wanted, Checkpoint { epoch: Epoch(1), root: root("a8") });
    let refused = world.store.set_justified_balances(&stale, equal_balances(1));
    assert_eq!(refused, Err(BalancesInvalid::NotOfJustified));
    assert_eq!(world.store.set_justified_balances(&wanted, equal_balances(1)), Ok(()));
    assert_eq!(world.store.wants_balances(), None);
}

#[test]
fn new_balances_weigh_old_votes_anew() {
    let mut world = World::new();
    world.grow("g - a1; g - b1");
    world.tick(2);
    world.vote(10..12, "a1");
    world.vote(0..1, "b1");
    assert_eq!(world.head(), "a1");
    let checkpoint = world.store.justified_checkpoint().clone();
    let few = equal_balances(4);
    world.naive.balances = few.clone();
    world.store.set_justified_balances(&checkpoint, few).unwrap();
    assert_eq!(world.head(), "b1");
    assert_eq!(world.store.get_weight(&root("a1")), Some(Gwei(0)));
}

#[test]
fn the_clock_may_jump_to_the_end_of_time_and_not_back() {
    let mut world = World::new();
    world.grow("g - a1 - a8 - a9:u1");
    world.store.on_tick(Time(u64::MAX));
    assert_eq!(world.store.justified_checkpoint().epoch, Epoch(1));
    world.store.on_tick(Time(0));
    assert_eq!(world.store.time(), Time(u64::MAX));
    world.store.get_head();
}

#[test]
fn a_store_that_begins_within_an_epoch_accepts_the_next_blocks() {
    let anchor = crate::AnchorBlock {
        slot: Slot(21),
        root: root("a21"),
        parent_root: root("a20"),
        proposer_index: ValidatorIndex(0),
        state_root: Root::ZERO,
        justified: Checkpoint { epoch: Epoch(1), root: root("a8") },
        finalized: Checkpoint { epoch: Epoch(0), root: root("g") },
        execution: crate::ExecutionStatus::Irrelevant,
    };
    let mut store = ForkChoice::new(Spec::minimal(), anchor, Time(0));
    assert_eq!(store.get_current_slot(), Slot(21));
    assert_eq!(store.wants_balances(), Some(Checkpoint { epoch: Epoch(2), root: root("a21") }));
    store.on_tick(Time(22 * 6000));
    let mut world = World::new();
    world.tick(22);
    let mut next = world.draw("g", "a22");
    (next.parent_root, next.arrived) = (root("a21"), Time(22 * 6000));
    assert_eq!(store.on_block(&next), Ok(Imported::New));
    assert_eq!(store.proposer_boost_root(), root("a22"));
    assert_eq!(store.get_head(), root("a22"));
}

#[test]
fn what_the_naive_store_observes_gives_the_same_answers() {
    let mut world = World::new();
    world.grow("g - a1 - a2; a1 - b2; g - c3");
    world.tick(4);
    world.vote(0..3, "b2");
    world.vote(3..9, "c3");
    world.slash(4..9);
    let naive = NaiveStore::observe(&world.store);
    assert_eq!(naive.get_head(), world.store.get_head());
    assert_eq!(naive.latest_messages.len(), 4);
    assert_eq!(naive.equivocating_indices, world.naive.equivocating_indices);
}

#[test]
fn blocks_that_follow_the_head_or_cannot_beat_it_take_no_pass() {
    let mut world = World::new();
    world.grow("g - a1* - a2*");
    world.tick(3);
    world.vote(0..3, "a2");
    assert_eq!(world.head(), "a2");
    for (parent, block, head) in [("a2", "a3*", "a3"), ("a1", "b3*", "a3"), ("a3", "a4*", "a4")] {
        world.add(parent, block).unwrap();
        assert!(world.store.head.is_some(), "{block}");
        assert_eq!(world.head(), head);
    }
    // Nobody has voted for either: the roots decide.
    world.add("a3", "b5*").unwrap();
    assert!(world.store.head.is_none());
    assert_eq!(world.head(), "b5");
}

#[test]
fn votes_and_balances_that_change_nothing_take_no_pass() {
    let mut world = World::new();
    world.grow("g - a1* - a2*");
    world.tick(3);
    world.vote(0..3, "a2");
    world.head();
    world.vote(0..3, "a1");
    world.vote(VALIDATORS..VALIDATORS + 3, "a1");
    assert!(world.store.head.is_some());
    world.slash(3..5);
    assert!(world.store.head.is_some());
    world.vote(2..4, "a2");
    assert!(world.store.head.is_some());
    world.slash(2..3);
    assert!(world.store.head.is_none());
    world.head();
}
