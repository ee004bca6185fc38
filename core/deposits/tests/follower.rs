//! The follower against an execution chain in memory.

#![allow(clippy::unwrap_used)]

mod support;

use deposits::{
    Consumed, DepositTreeSnapshot, Follower, LOGS_RANGE_MAX, Origin, RangeFault, Request, Trouble,
};
use support::{Chain, World, data, spec, tree_of};
use types::{Eth1Data, Root};

const DISTANCE: u64 = 4;

fn follower_from(origin: Origin, stored: Option<DepositTreeSnapshot>) -> Follower {
    Follower::new(spec(), support::GENESIS_TIME, origin, stored).unwrap()
}

fn from_block(block: u64) -> Follower {
    follower_from(Origin::Deployed { block }, None)
}

/// A chain of so many blocks with one deposit in every third.
fn chain_of(length: u64) -> Chain {
    let mut chain = Chain::default();
    chain.grow(1, (0..length).map(|number| u64::from(number % 3 == 2)));
    chain
}

/// A world whose time is that of the chain's newest block.
fn world_of(chain: Chain, length: u64, follower: Follower) -> World {
    let mut world = World::new(chain, follower);
    world.run_until(Chain::timestamp(length));
    world
}

/// The newest block that was published is this one of the chain, with the deposits up to it.
fn check_followed_to(world: &World, number: u64) {
    let published = world.latest();
    let last = published.blocks().last().expect("a block was followed");
    assert_eq!((last.number, &last.eth1_data), (number, &world.chain.eth1_data(number)));
    assert_eq!(published.tree().count(), world.chain.count_at(number));
    for block in published.blocks() {
        assert_eq!(block.eth1_data, world.chain.eth1_data(block.number), "block {}", block.number);
    }
}

fn consumed(eth1_data: Eth1Data) -> Consumed {
    Consumed { eth1_deposit_index: eth1_data.deposit_count, eth1_data, is_over: false }
}

#[test]
fn every_block_up_to_the_follow_distance_gets_its_deposits() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    check_followed_to(&world, 29 - DISTANCE);
    world.chain.grow(1, [0, 2, 0, 0, 5]);
    world.run_until(Chain::timestamp(36));
    check_followed_to(&world, 34 - DISTANCE);
    assert_eq!(world.troubles, []);
    assert_eq!(world.published.len(), 2);
}

#[test]
fn nothing_is_followed_before_the_chain_is_long_enough() {
    let mut world = world_of(chain_of(4), 4, from_block(0));
    assert!(world.latest().blocks().is_empty());
    world.chain.grow(1, [0]);
    world.run_until(Chain::timestamp(6));
    check_followed_to(&world, 0);
}

#[test]
fn old_blocks_are_skipped_and_their_logs_are_not() {
    // So long that all but the newest blocks are older than the window: 2,500 blocks are over eight hours.
    let length = 2 * LOGS_RANGE_MAX + 500;
    let world = world_of(chain_of(length), length, from_block(0));
    check_followed_to(&world, length - 1 - DISTANCE);
    let asked = |(first, last)| last - first + 1;
    let blocks = world.chain.requests.iter().filter_map(|request| match request {
        Request::Blocks { first, last } => Some(asked((*first, *last))),
        _ => None,
    });
    assert!(blocks.sum::<u64>() < 600, "only the last range is looked at block by block");
    assert!(world.latest().blocks().len() < 100);
}

#[test]
fn ranges_that_are_refused_are_halved_until_they_are_answered() {
    let mut chain = chain_of(300);
    chain.range_max = Some(20);
    let world = world_of(chain, 300, from_block(0));
    check_followed_to(&world, 299 - DISTANCE);
    assert!(world.troubles.iter().all(|trouble| matches!(trouble, Trouble::LogsRefused { .. })));
    // 296, 148, 74, 37, 18; and one refusal each time it is tried with twice as many again.
    assert!((4..40).contains(&world.troubles.len()), "{}", world.troubles.len());
}

#[test]
fn an_engine_that_comes_back_is_followed_again() {
    let mut chain = chain_of(30);
    chain.is_offline = true;
    let mut world = world_of(chain, 60, from_block(0));
    let asked = world.chain.requests.len();
    assert!((6..20).contains(&asked), "{asked} requests in six minutes");
    assert!(world.published.is_empty());
    world.chain.is_offline = false;
    world.run_until(Chain::timestamp(66));
    check_followed_to(&world, 29 - DISTANCE);
}

#[test]
fn a_reorganization_below_the_follow_distance_is_taken_back() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    // Blocks from 20 on are replaced by others, with other numbers of deposits.
    world.chain.cut(20);
    world.chain.grow(2, [3, 0, 1, 0, 0, 0, 0, 2, 0, 0, 1, 0]);
    world.run_until(Chain::timestamp(33));
    check_followed_to(&world, 31 - DISTANCE);
    let left: Vec<&Trouble> = world.troubles.iter().collect();
    assert_eq!(
        left,
        (20..=25).rev().map(Trouble::Reorganized).collect::<Vec<_>>().iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_reorganization_above_the_follow_distance_is_not_noticed() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    world.chain.cut(27);
    world.chain.grow(2, [3, 0, 1, 0]);
    world.run_until(Chain::timestamp(33));
    check_followed_to(&world, 30 - DISTANCE);
    assert_eq!(world.troubles, []);
}

#[test]
fn missing_logs_are_noticed_and_read_again() {
    let mut chain = chain_of(30);
    chain.hidden = vec![4];
    let mut world = world_of(chain, 60, from_block(0));
    assert!(world.published.is_empty());
    let missing = Trouble::Range(RangeFault::Missing { expected: 4, found: 5 });
    assert!(world.troubles.iter().filter(|trouble| **trouble == missing).count() >= 3);
    assert!(world.troubles.contains(&Trouble::StartOver(0)));
    world.chain.hidden.clear();
    world.run_until(Chain::timestamp(1000));
    check_followed_to(&world, 29 - DISTANCE);
}

#[test]
fn logs_that_were_missing_at_the_end_are_found_out_by_the_next_ones() {
    // The last deposit of what is read first; nothing shows that it is missing, until one follows.
    let mut chain = chain_of(30);
    chain.hidden = vec![7];
    let mut world = world_of(chain, 30, from_block(0));
    assert_eq!(world.latest().tree().count(), 7);
    world.chain.hidden.clear();
    world.chain.grow(1, [1; 6]);
    world.run_until(Chain::timestamp(1000));
    assert!(world.troubles.contains(&Trouble::Range(RangeFault::Missing { expected: 7, found: 8 })));
    check_followed_to(&world, 35 - DISTANCE);
}

#[test]
fn what_is_finalized_is_forgotten_and_a_restart_goes_on_from_its_snapshot() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    assert_eq!(world.follower.get_snapshot(), None);
    let agreed = world.chain.eth1_data(17);
    world.tell(consumed(agreed.clone()));
    let snapshot = world.latest().tree().get_snapshot().unwrap();
    assert_eq!((snapshot.eth1_data(), snapshot.execution_block_height), (agreed, 17));
    check_followed_to(&world, 29 - DISTANCE);

    let stored = DepositTreeSnapshot::from_bytes(&snapshot.to_bytes()).unwrap();
    let restarted = follower_from(Origin::Deployed { block: 0 }, Some(stored));
    assert_eq!(restarted.next_block(), 18);
    let world = world_of(world.chain, 30, restarted);
    check_followed_to(&world, 29 - DISTANCE);
    assert!(
        !world
            .chain
            .requests
            .iter()
            .skip(10)
            .any(|request| matches!(request, Request::DepositLogs { first: 0, .. }))
    );
    assert_eq!(world.latest().blocks()[0].number, 18);
}

#[test]
fn a_block_that_was_agreed_on_long_ago_is_asked_for_by_its_hash() {
    let length = LOGS_RANGE_MAX;
    let mut world = world_of(chain_of(length), length, from_block(0));
    let agreed = world.chain.eth1_data(100);
    world.tell(consumed(agreed.clone()));
    world.run_until(Chain::timestamp(length + 2));
    assert!(world.chain.requests.contains(&Request::BlockByHash(agreed.block_hash)));
    assert_eq!(world.latest().tree().finalized_block(), Some((agreed.block_hash, 100)));
    // One that nobody has, as in networks that begin with a made-up block, is not asked for twice.
    let unknown = Eth1Data { block_hash: Root::from([0x42; 32]), ..world.chain.eth1_data(200) };
    world.tell(consumed(unknown.clone()));
    world.run_until(Chain::timestamp(length + 20));
    let asked = |request: &&Request| **request == Request::BlockByHash(unknown.block_hash);
    assert_eq!(world.chain.requests.iter().filter(asked).count(), 1);
    assert_eq!(world.latest().tree().finalized_count(), agreed.deposit_count);
}

#[test]
fn deposits_that_were_taken_are_not_kept_while_history_is_read() {
    let length = 3 * LOGS_RANGE_MAX;
    let mut world = World::new(chain_of(length), from_block(0));
    let agreed = world.chain.eth1_data(length - 100);
    world.tell(consumed(agreed.clone()));
    world.run_until(Chain::timestamp(length));
    check_followed_to(&world, length - 1 - DISTANCE);
    assert_eq!(world.latest().tree().finalized_count(), agreed.deposit_count);
}

#[test]
fn logs_with_another_root_than_the_finalized_one_are_not_believed() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    let mut agreed = world.chain.eth1_data(17);
    agreed.deposit_root = Root::from([9; 32]);
    world.tell(consumed(agreed.clone()));
    let other = |trouble: &Trouble| matches!(trouble, Trouble::OtherRoot { count: 6, .. });
    assert!(world.troubles.iter().any(other));
    assert_eq!(world.follower.next_block(), 0);
    let before = world.published.len();
    world.run_until(Chain::timestamp(300));
    assert_eq!(world.published.len(), before, "nothing more is published");
    assert!(world.troubles.iter().filter(|trouble| other(trouble)).count() >= 3);
}

#[test]
fn it_ends_when_deposits_come_through_the_execution_layer() {
    let mut world = world_of(chain_of(30), 30, from_block(0));
    let agreed = world.chain.eth1_data(17);
    world.tell(Consumed { is_over: true, ..consumed(agreed) });
    assert!(world.is_finished && world.latest().blocks().is_empty());
    let asked = world.chain.requests.len();
    world.run_until(Chain::timestamp(300));
    assert_eq!((world.chain.requests.len(), world.follower.deadline()), (asked, None));
}

#[test]
fn a_network_that_begins_with_validators_goes_on_from_their_deposits() {
    // Ten deposits that no log tells of; the contract counts on from them.
    let mut tree = tree_of(10);
    let begin = Eth1Data { deposit_root: tree.root(), deposit_count: 10, block_hash: Root::from([0x42; 32]) };
    tree.finalize(&begin, 0).unwrap();
    let mut chain = Chain::default();
    chain.grow(1, [10, 0, 1, 0, 2, 0, 0, 0, 0, 0]);
    let origin = Origin::Snapshot(tree.get_snapshot().unwrap());
    let mut world = world_of(chain, 10, follower_from(origin, None));
    world.tell(consumed(begin));
    check_followed_to(&world, 9 - DISTANCE);
    let deposit = world.latest().tree().deposit(12, 13).unwrap();
    assert_eq!(deposit.data, data(12));
    assert_eq!(world.troubles, []);
}
