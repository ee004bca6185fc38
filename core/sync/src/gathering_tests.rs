//! Batches and lookups of blocks with data, against peers that have it, withhold it, or lie about it.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use data_availability::Sidecar;
use types::{Epoch, Root, Slot, Spec};

use crate::batch::block_root;
use crate::*;
use world::Manner::{self, *};
use world::{DISHONEST, World, all, is_forged, spec};

#[test]
fn batches_bring_the_data_that_their_blocks_need_and_nothing_else() {
    let mut world = World::new(spec(), 64, [3, 9, 77].into());
    for peer in 0..3 {
        world.connect(peer, Honest, all());
    }
    world.run(60);
    assert!(world.charged.is_empty(), "{:?}", world.charged);
    let mut blobs = 0;
    for (_, request) in &world.log {
        match request {
            // Epoch 0 is of Capella; Fulu begins with slot 40.
            Request::BlobsByRange { start, count } => {
                blobs += 1;
                assert!(start.0 >= 8 && start.0 + count <= 40, "{request:?}");
            }
            Request::ColumnsByRange { start, columns, .. } => {
                assert!(*start >= 40 && columns.iter().all(|column| world.sampled.contains(column)));
            }
            Request::BlocksByRange { .. } => {}
            other => panic!("nothing failed, but {other:?}"),
        }
    }
    assert!(blobs > 0);
}

#[test]
fn each_column_is_asked_of_those_who_have_it_and_the_work_goes_round() {
    let mut world = World::new(spec(), 64, all());
    for peer in 0..8 {
        // Each column is at two peers.
        world.connect(peer, Honest, (0..128).filter(|column| [peer, (peer + 1) % 8].contains(&(column % 8))));
    }
    world.run(60);
    let mut loads: BTreeMap<PeerId, usize> = BTreeMap::new();
    for (peer, request) in &world.log {
        if let Request::ColumnsByRange { columns, .. } = request {
            assert!(columns.iter().all(|column| world.peers[peer].1.contains(column)));
            *loads.entry(*peer).or_default() += columns.len();
        }
    }
    assert_eq!(loads.len(), 8);
    let (least, most) = (loads.values().min().unwrap(), loads.values().max().unwrap());
    assert!(most <= &(3 * least), "{loads:?}");
}

#[test]
fn who_withholds_or_is_silent_costs_time_but_not_progress() {
    for manner in [Withholding, Silent, OtherBranch, OtherSignature, Half] {
        let mut world = World::new(spec(), 64, [3, 9, 77].into());
        world.connect(0, manner, all());
        world.connect(1, manner, all());
        world.connect(2, Honest, all());
        world.run(900);
        assert!(!world.charged_peers().contains(&2), "{manner:?}");
        let blamed = world.charged.iter().any(|(_, offence)| *offence != Offence::NoAnswer);
        assert!(!blamed, "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn who_sends_wrong_data_is_charged_and_nobody_else() {
    let offences = [
        (Foreign, Offence::InvalidSidecar),
        (Forged, Offence::InvalidSidecar),
        (Unasked, Offence::BadAnswer),
        (Twice, Offence::BadAnswer),
    ];
    for (manner, offence) in offences {
        let mut world = World::new(spec(), 64, [3, 9, 77].into());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        world.run(900);
        assert!(world.charged.contains(&(PeerId(0), offence)), "{manner:?}: {:?}", world.charged);
        assert_eq!(world.charged_peers(), [0].into(), "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn a_column_that_nobody_has_is_waited_for_and_the_wait_costs_little() {
    let mut world = World::new(spec(), 64, [3, 9, 77].into());
    world.connect(0, Honest, all().into_iter().filter(|column| *column != 9));
    world.pass(600);
    assert!(world.head < 40, "no block is imported without its data");
    assert!(world.log.len() < 60, "{} requests", world.log.len());
    assert!(world.charged.is_empty());
    world.connect(1, Honest, [9]);
    world.run(60);
}

#[test]
fn half_of_the_columns_are_enough_where_nobody_has_the_others() {
    let mut world = World::new(spec(), 64, all());
    world.connect(0, Honest, 0..64);
    world.run(120);
    let mut world = World::new(spec(), 64, all());
    world.connect(0, Honest, 0..63);
    world.pass(120);
    assert!(world.head < 40);
}

#[test]
fn blocks_that_are_older_than_the_window_come_without_data() {
    let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\nCAPELLA_FORK_EPOCH: 0\n\
        DENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 0\nFULU_FORK_EPOCH: 0\n\
        MIN_EPOCHS_FOR_DATA_COLUMN_SIDECARS_REQUESTS: 3\n";
    let mut world = World::new(Spec::from_yaml(text, None).unwrap(), 80, [3].into());
    world.connect(0, Honest, all());
    world.run(60);
    let first = world.log.iter().filter_map(|(_, request)| match request {
        Request::ColumnsByRange { start, .. } => Some(*start),
        _ => None,
    });
    // The present epoch is 10, whose first slot is 80.
    assert!(first.min().unwrap() >= 56);
}

/// Lets so many seconds pass, whatever comes of it.
fn wait(world: &mut World, seconds: u64) {
    let end = world.now.after_ms(seconds * 1000);
    world.pump();
    while world.now < end {
        world.step(end);
    }
}

#[test]
fn columns_of_old_blocks_are_fetched_when_the_node_has_caught_up() {
    for manner in [Honest, Withholding, Forged, Foreign, Half] {
        let mut world = World::new(spec(), 64, [3].into());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        let blocks = world.blocks[47..56].to_vec();
        let wanted: BTreeSet<u64> = [9, 77].into();
        world.input(Input::Backfill { number: 4, blocks: blocks.clone(), columns: wanted.clone() });
        let is_backfill = |(_, request): &(PeerId, Request)| match request {
            Request::ColumnsByRange { columns, .. } => columns.iter().any(|column| wanted.contains(column)),
            _ => false,
        };
        assert!(!world.log.iter().any(is_backfill), "range sync goes first");
        world.run(900);
        wait(&mut world, 120);
        let (number, mut came) = world.backfilled.pop().unwrap();
        if manner == Forged {
            let wrong = came.iter().find(|sidecar| is_forged(sidecar)).expect("the peer was asked first");
            let invalid = Some((wrong.block_root(), wrong.index()));
            world.input(Input::BackfillDecided { number, invalid });
            wait(&mut world, 120);
            came = world.backfilled.pop().unwrap().1;
            assert!(world.charged_peers().contains(&0));
        }
        let roots = blocks.iter().map(|block| block_root(world.spec, block));
        let expected: Vec<Sidecar> = roots
            .flat_map(|root| world.data[&root].clone())
            .filter(|sidecar| wanted.contains(&sidecar.index()))
            .collect();
        came.sort_by_key(|sidecar| (sidecar.slot(), sidecar.index()));
        assert_eq!(came, expected, "{manner:?}");
        let asked = world.log.len();
        world.input(Input::BackfillDecided { number, invalid: None });
        wait(&mut world, 60);
        assert_eq!((world.log.len(), world.backfilled.len()), (asked, 0), "it is over");
        assert!(!world.charged_peers().contains(&1));
    }
}

#[test]
fn a_lookup_brings_the_data_that_the_chain_lacks() {
    for manner in [Honest, Withholding, Forged, Foreign] {
        let mut world = World::new(spec(), 50, [3, 9].into());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        // All but the last blocks are known, so range sync sees no gap.
        for slot in 1..=46 {
            let root = world.root_at(slot);
            world.known.insert(root);
        }
        world.head = Slot(46);
        let (root, current_slot) = (world.root_at(46), world.current_slot);
        world.asked.clear();
        world.log.clear();
        let chain =
            ChainStatus { head_slot: Slot(46), head_root: root, finalized_epoch: Epoch(0), current_slot };
        world.sync = Sync::new(world.spec, chain, world.sampled.clone());
        world.connect(0, manner, all());
        world.connect(1, Honest, all());
        let wanted = world.root_at(50);
        world.input(Input::Want(wanted, Some(PeerId(0))));
        world.run(300);
        let by_root = |request: &Request| matches!(request, Request::ColumnsByRoot(_));
        assert!(world.log.iter().any(|(_, request)| by_root(request)));
        assert_eq!(world.charged_peers().contains(&0), matches!(manner, Forged | Foreign), "{manner:?}");
        assert!(!world.charged_peers().contains(&1));
    }
}

/// A node at the head, and a block that the chain cannot import without data.
fn waiting_world(peers: &[(Manner, BTreeSet<u64>)]) -> (World, Root) {
    let mut world = World::new(spec(), 50, [3, 9, 77].into());
    world.head = world.current_slot;
    let chain = ChainStatus {
        head_slot: Slot(50),
        head_root: world.root_at(50),
        finalized_epoch: Epoch(0),
        current_slot: Slot(50),
    };
    world.input(Input::Chain(chain));
    for (number, (manner, columns)) in peers.iter().enumerate() {
        world.connect(number as u64, *manner, columns.iter().copied());
    }
    let root = world.root_at(50);
    (world, root)
}

impl World {
    /// Answers what was looked up as the chain does; what it took.
    fn decide(&mut self) -> BTreeSet<u64> {
        let mut taken = BTreeSet::new();
        for (id, sidecars) in std::mem::take(&mut self.looked_up) {
            let forged = sidecars.iter().find(|sidecar| is_forged(sidecar));
            let outcome = match forged {
                Some(sidecar) => {
                    SidecarsOutcome::Invalid { root: sidecar.block_root(), index: sidecar.index() }
                }
                None => {
                    taken.extend(sidecars.iter().map(Sidecar::index));
                    SidecarsOutcome::Taken
                }
            };
            self.input(Input::SidecarsDecided(id, outcome));
        }
        taken
    }

    fn look_up(&mut self, seconds: u64) -> BTreeSet<u64> {
        let (end, mut taken) = (self.now.after_ms(seconds * 1000), BTreeSet::new());
        self.pump();
        taken.extend(self.decide());
        self.pump();
        while self.now < end && taken.len() < 3 {
            self.step(end);
            taken.extend(self.decide());
            self.pump();
        }
        taken
    }
}

fn want(root: Root, from: Option<PeerId>) -> Input {
    Input::WantSidecars { root, slot: Slot(50), indices: vec![3, 9, 77], from }
}

#[test]
fn what_a_block_waits_for_is_looked_up_with_those_who_have_it() {
    let (mut world, root) = waiting_world(&[(Honest, [3, 4].into()), (Honest, [9].into()), (Honest, all())]);
    world.input(want(root, Some(PeerId(0))));
    assert_eq!(world.look_up(10), [3, 9, 77].into());
    assert!(
        world.log.contains(&(PeerId(0), Request::ColumnsByRoot(vec![(root, vec![3])]))),
        "{:?}",
        world.log
    );
    assert!(world.charged.is_empty());
    // Nothing more is asked for.
    let asked = world.log.len();
    world.look_up(0);
    world.pass(60);
    assert_eq!(world.log.len(), asked);
}

#[test]
fn the_sender_of_invalid_data_for_a_waiting_block_is_charged_and_others_asked() {
    for manner in DISHONEST {
        let (mut world, root) = waiting_world(&[(manner, all()), (Honest, all())]);
        world.input(want(root, Some(PeerId(0))));
        assert_eq!(world.look_up(300), [3, 9, 77].into(), "{manner:?}");
        assert!(!world.charged_peers().contains(&1), "{manner:?}: {:?}", world.charged);
        let is_blamed = matches!(manner, Foreign | Forged | Unasked | Twice);
        let blamed = world.charged.iter().any(|(_, offence)| *offence != Offence::NoAnswer);
        assert_eq!(blamed, is_blamed, "{manner:?}: {:?}", world.charged);
    }
}

#[test]
fn data_that_nobody_gives_is_asked_for_a_bounded_number_of_times() {
    let (mut world, root) = waiting_world(&[(Withholding, all()), (Withholding, all())]);
    world.input(want(root, None));
    assert_eq!(world.look_up(2000), [].into());
    let asked = world.log.len();
    assert!((4..=60).contains(&asked), "{asked}");
    let before = world.log.len();
    world.look_up(1000);
    assert_eq!(world.log.len(), before, "the lookup has ended");
    // Said again, it begins again.
    world.input(want(root, None));
    assert!(world.log.len() > before);
    // And ends where the chain needs nothing any more.
    world.input(Input::WantSidecars { root, slot: Slot(50), indices: vec![], from: None });
    world.pump();
    let before = world.log.len();
    world.look_up(100);
    assert_eq!(world.log.len(), before);
}

#[test]
fn lookups_of_data_are_bounded() {
    let (mut world, _) = waiting_world(&[]);
    for number in 0..1000u64 {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&number.to_be_bytes());
        let slot = Slot(50 + number % 7);
        world.input(Input::WantSidecars { root: Root::from(root), slot, indices: vec![3], from: None });
    }
    world.connect(0, Honest, all());
    world.look_up(60);
    assert!(world.log.len() <= 64 * 13, "{}", world.log.len());
}

#[test]
fn one_honest_peer_with_everything_suffices_whatever_the_others_do() {
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for round in 0..20 {
        let sampled = (0..8).map(|_| draw(128)).collect();
        let mut world = World::new(spec(), 60, sampled);
        let honest = draw(5);
        for peer in 0..5 {
            if peer == honest {
                world.connect(peer, Honest, all());
            } else {
                let manner = DISHONEST[draw(DISHONEST.len() as u64) as usize];
                let step = draw(4) + 1;
                world.connect(peer, manner, (0..128).filter(|column| column % step == 0));
            }
        }
        world.pass(3600);
        // A gap of so few slots is left to gossip and lookups.
        assert!(world.head + 4 >= world.current_slot, "round {round}: stuck at slot {}", world.head);
        assert!(!world.charged_peers().contains(&honest), "round {round}: {:?}", world.charged);
    }
}
