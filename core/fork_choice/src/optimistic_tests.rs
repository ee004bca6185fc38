//! What engines say of payloads, one small tree each. See `fixture` for the notation.

use types::{Gwei, Root, Slot};

use crate::fixture::{World, root};
use crate::{BlockInvalid, PayloadVerdictInvalid};

const VOTE: u64 = 32_000_000_000;

/// A world in which no engine has said anything of the payloads.
fn optimistic_world(picture: &str) -> World {
    let mut world = World::new();
    world.optimistic = true;
    world.grow(picture);
    world
}

#[test]
fn an_invalid_payload_takes_its_descendants_and_their_weight_along() {
    let mut world = optimistic_world("g - a1 - a2 - a3; a1 - b2");
    world.tick(4);
    world.vote(0..5, "a3");
    world.vote(5..7, "b2");
    assert_eq!(world.head(), "a3");
    assert_eq!(world.store.get_weight(&root("a1")), Some(Gwei(7 * VOTE)));
    assert_eq!(world.invalid("a2", None), ["a2", "a3"]);
    assert_eq!(world.head(), "b2");
    assert_eq!(world.store.get_weight(&root("a1")), Some(Gwei(2 * VOTE)));
    assert_eq!(world.store.get_weight(&root("a3")), Some(Gwei(0)));
    // Votes that leave an invalid block, or come to it, move no other block's weight.
    world.tick(12);
    world.vote(0..2, "b2");
    world.vote(5..6, "a3");
    assert_eq!(world.head(), "b2");
    assert_eq!(world.store.get_weight(&root("a1")), Some(Gwei(3 * VOTE)));
    assert_eq!(world.add("a3", "a12"), Err(BlockInvalid::ParentInvalidated));
}

#[test]
fn the_latest_valid_hash_says_where_the_invalid_blocks_begin() {
    let cases = [
        (None, vec!["a4"]),
        (Some("a3"), vec!["a4"]),
        (Some("a1"), vec!["a2", "a3", "a4", "b4"]),
        (Some("nobody's"), vec!["a4"]),
    ];
    for (latest_valid, expected) in cases {
        let mut world = optimistic_world("g - a1 - a2 - a3 - a4; a3 - b4; a1 - c2");
        assert_eq!(world.invalid("a4", latest_valid.map(root)), expected, "{latest_valid:?}");
    }
    // Zero says that no payload is valid: of the chain in question all are not.
    let mut world = optimistic_world("g - a1 - a2; g - b1");
    assert_eq!(world.invalid("a2", Some(Root::ZERO)), ["a1", "a2"]);
    assert_eq!(world.head(), "b1");
}

#[test]
fn a_payload_that_is_not_imported_tells_of_those_before_it() {
    let mut world = optimistic_world("g - a1 - a2 - a3");
    let upon = |world: &mut World, hash: Option<Root>| {
        let gone = world.store.on_invalid_payload_upon(&root("a3"), hash).unwrap();
        gone.len()
    };
    assert_eq!(upon(&mut world, None), 0);
    assert_eq!(upon(&mut world, Some(root("a3"))), 0);
    assert_eq!(upon(&mut world, Some(root("nobody's"))), 0);
    assert_eq!(upon(&mut world, Some(root("a1"))), 2);
    assert_eq!(upon(&mut world, Some(root("a1"))), 0);
}

#[test]
fn a_valid_payload_makes_all_before_it_valid_and_nothing_after_it() {
    let mut world = optimistic_world("g - a1 - a2 - a3");
    assert!(world.store.is_optimistic(&root("a1")));
    world.store.on_valid_payload(&root("a2")).unwrap();
    assert!(!world.store.is_optimistic(&root("a1")) && !world.store.is_optimistic(&root("a2")));
    assert!(world.store.is_optimistic(&root("a3")));
    // What an engine said stands: only an operator can tell which engine is wrong.
    let store = &mut world.store;
    assert_eq!(store.on_invalid_payload(&root("a2"), None), Err(PayloadVerdictInvalid::WasValid));
    assert_eq!(store.on_invalid_payload(&root("a3"), Some(root("a1"))), Err(PayloadVerdictInvalid::WasValid));
    assert_eq!(store.on_invalid_payload(&root("a3"), None).map(|gone| gone.len()), Ok(1));
    assert_eq!(store.on_valid_payload(&root("a3")), Err(PayloadVerdictInvalid::WasInvalid));
    assert_eq!(store.on_valid_payload(&root("g")), Err(PayloadVerdictInvalid::NoPayload));
    assert_eq!(store.on_valid_payload(&root("x1")), Err(PayloadVerdictInvalid::Unknown));
}

#[test]
fn without_a_valid_justified_block_the_head_is_the_last_one_that_can_be_executed() {
    let mut world = optimistic_world("g - a1 - a8 - a9:u1");
    world.tick(16);
    world.grow("a9 - a17");
    assert_eq!(world.store.justified_checkpoint().root, root("a8"));
    assert!(!world.store.is_justified_invalid());
    world.invalid("a17", Some(root("a1")));
    assert!(world.store.is_justified_invalid());
    assert_eq!(world.head(), "a1");
    world.grow("a1 - b18");
    assert_eq!(world.head(), "b18");
}

#[test]
fn only_a_merge_block_of_the_present_is_no_candidate_for_optimism() {
    let mut world = World::new();
    world.grow("g - a1");
    world.tick(200);
    let is_candidate = |world: &World, slot, parent| {
        world.store.is_optimistic_candidate_block(Slot(slot), &root(parent), 128)
    };
    assert!(is_candidate(&world, 72, "a1") && !is_candidate(&world, 73, "a1"));
    world.optimistic = true;
    world.grow("a1 - a199");
    assert!(is_candidate(&world, 200, "a199"));
}
