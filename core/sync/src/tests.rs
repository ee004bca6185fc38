//! The machine against peers that are honest, slow, lying or silent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use types::{BeaconBlock, Epoch, Root, SignedBeaconBlock, Slot, Spec, SszExt, Time};

use crate::batch::block_root;
use crate::*;

/// How a peer of the test answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    /// Says that there are no blocks.
    Empty,
    /// Sends the blocks in the wrong order.
    Shuffled,
    /// Sends blocks that the chain finds invalid.
    Invalid,
    /// Never answers.
    Silent,
}

struct World {
    sync: Sync,
    now: Time,
    blocks: Vec<Arc<SignedBeaconBlock>>,
    peers: BTreeMap<PeerId, Manner>,
    known: BTreeSet<Root>,
    head: Slot,
    finalized: Epoch,
    charged: Vec<(PeerId, Offence)>,
    served: BTreeMap<PeerId, usize>,
    /// Requests on their way to the peers.
    asked: VecDeque<(RequestId, PeerId, Request)>,
}

fn chain_of(spec: &'static Spec, slots: u64) -> Vec<Arc<SignedBeaconBlock>> {
    let mut parent_root = Root::ZERO;
    // Every seventh slot is empty.
    let slots = (1..=slots).filter(|slot| slot % 7 != 0);
    slots
        .map(|slot| {
            let message = BeaconBlock {
                slot: Slot(slot),
                parent_root,
                ..BeaconBlock::new_default(spec.ctx_at_slot(Slot(slot)))
            };
            let block = SignedBeaconBlock { message, signature: Default::default() };
            parent_root = block_root(spec, &block);
            Arc::new(block)
        })
        .collect()
}

impl World {
    fn new(slots: u64, manners: &[Manner]) -> Self {
        let spec = Spec::minimal();
        let blocks = chain_of(spec, slots);
        let chain = ChainStatus { current_slot: Slot(slots), ..ChainStatus::default() };
        let mut world = Self {
            sync: Sync::new(spec, chain, BTreeSet::new()),
            now: Time(1_000_000),
            blocks,
            peers: BTreeMap::new(),
            known: BTreeSet::from([Root::ZERO]),
            head: Slot(0),
            finalized: Epoch(0),
            charged: Vec::new(),
            served: BTreeMap::new(),
            asked: VecDeque::new(),
        };
        for (number, manner) in manners.iter().enumerate() {
            world.peers.insert(PeerId(number as u64), *manner);
        }
        world
    }

    fn last(&self) -> &SignedBeaconBlock {
        self.blocks.last().unwrap()
    }

    fn connect_all(&mut self) {
        let head = self.last();
        let status = Status {
            finalized_root: Root::ZERO,
            finalized_epoch: Epoch(0),
            head_root: block_root(Spec::minimal(), head),
            head_slot: head.message.slot,
            earliest_available_slot: Slot(0),
        };
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.input(Input::Status(peer, status));
        }
    }

    fn input(&mut self, input: Input) {
        self.sync.handle(self.now, input);
        while let Some(output) = self.sync.poll() {
            match output {
                Output::Request(id, peer, request) => self.asked.push_back((id, peer, request)),
                Output::Import(id, blocks, _) => self.import(id, &blocks),
                Output::ImportSidecars(..) | Output::Backfilled(..) => panic!("phase 0 has no data"),
                Output::Charge(peer, offence) => self.charged.push((peer, offence)),
                Output::RefreshStatus(_) | Output::State(_) => {}
            }
        }
    }

    /// Lets the peers answer all that they were asked.
    fn pump(&mut self) {
        while let Some((id, peer, request)) = self.asked.pop_front() {
            self.answer(id, peer, &request);
        }
    }

    fn answer(&mut self, id: RequestId, peer: PeerId, request: &Request) {
        let mut blocks: Vec<_> = match request {
            Request::BlocksByRange { start, count } => {
                let range = start.0..start.0 + count;
                self.blocks.iter().filter(|block| range.contains(&block.message.slot.0)).cloned().collect()
            }
            Request::BlocksByRoot(roots) => {
                let wanted =
                    |block: &&Arc<SignedBeaconBlock>| roots.contains(&block_root(Spec::minimal(), block));
                self.blocks.iter().filter(wanted).cloned().collect()
            }
            other => panic!("phase 0 has no data: {other:?}"),
        };
        match self.peers[&peer] {
            Silent => return,
            Empty => blocks.clear(),
            Shuffled => blocks.reverse(),
            Invalid => {
                if let Some(last) = blocks.last_mut() {
                    Arc::make_mut(last).message.state_root = Root::from([0xbb; 32]);
                }
            }
            Honest => {}
        }
        *self.served.entry(peer).or_default() += blocks.len();
        for block in blocks {
            self.input(Input::Chunk(id, block));
        }
        self.input(Input::Done(id));
    }

    fn import(&mut self, id: ImportId, blocks: &[Arc<SignedBeaconBlock>]) {
        let mut outcome = ImportOutcome::Imported;
        for block in blocks {
            if block.message.state_root == Root::from([0xbb; 32]) {
                outcome = ImportOutcome::Invalid;
            } else if !self.known.contains(&block.message.parent_root) {
                outcome = ImportOutcome::UnknownParent;
            }
            if outcome != ImportOutcome::Imported {
                break;
            }
            self.known.insert(block_root(Spec::minimal(), block));
            self.head = self.head.max(block.message.slot);
        }
        let head_root = match self.blocks.iter().find(|block| block.message.slot == self.head) {
            Some(block) => block_root(Spec::minimal(), block),
            None => Root::ZERO,
        };
        let current_slot = self.last().message.slot;
        let chain =
            ChainStatus { head_slot: self.head, head_root, finalized_epoch: self.finalized, current_slot };
        self.input(Input::Chain(chain));
        self.input(Input::Decided(id, outcome));
    }

    /// Lets time pass until the head is reached; panics where it is not within `seconds`.
    fn run(&mut self, seconds: u64) {
        self.connect_all();
        let end = self.now.after_ms(seconds * 1000);
        self.pump();
        while self.head < self.last().message.slot {
            assert!(self.now < end, "stuck at slot {}", self.head);
            let deadline = self.sync.deadline(self.now).unwrap_or(end);
            self.now = deadline.max(self.now.after_ms(1));
            self.input(Input::Tick);
            self.pump();
        }
    }
}

use Manner::*;

#[test]
fn batches_come_from_several_peers() {
    let mut world = World::new(500, &[Honest, Honest, Honest]);
    world.run(60);
    assert_eq!(world.sync.state(), SyncState::Synced);
    assert!(world.charged.is_empty());
    assert!(world.served.values().filter(|blocks| **blocks > 50).count() >= 2, "{:?}", world.served);
}

#[test]
fn one_peer_that_says_there_is_nothing_does_not_stall_sync() {
    World::new(300, &[Empty, Honest]).run(600);
}

#[test]
fn a_peer_that_sends_blocks_out_of_order_is_charged() {
    let mut world = World::new(300, &[Shuffled, Honest]);
    world.run(600);
    assert!(world.charged.contains(&(PeerId(0), Offence::BadAnswer)));
    assert!(world.charged.iter().all(|(peer, _)| *peer == PeerId(0)));
}

#[test]
fn a_peer_that_sends_invalid_blocks_is_charged_and_another_asked() {
    let mut world = World::new(300, &[Invalid, Honest]);
    world.run(600);
    assert!(world.charged.contains(&(PeerId(0), Offence::InvalidBlock)));
    assert!(world.charged.iter().all(|(peer, _)| *peer == PeerId(0)));
}

#[test]
fn a_silent_peer_costs_time_but_not_progress() {
    let mut world = World::new(300, &[Silent, Honest]);
    world.run(600);
    assert!(world.charged.contains(&(PeerId(0), Offence::NoAnswer)));
}

#[test]
fn a_lookup_climbs_to_a_known_ancestor() {
    let mut world = World::new(20, &[Empty, Honest]);
    let spec = Spec::minimal();
    // Known up to slot 10; the block at slot 20 arrived by gossip.
    for block in world.blocks.iter().filter(|block| block.message.slot <= 10) {
        world.known.insert(block_root(spec, block));
    }
    world.head = Slot(10);
    let last = world.last().clone();
    let status = Status {
        finalized_root: Root::ZERO,
        finalized_epoch: Epoch(0),
        head_root: Root::ZERO,
        head_slot: Slot(0),
        earliest_available_slot: Slot(0),
    };
    world.input(Input::Status(PeerId(0), status));
    world.input(Input::Status(PeerId(1), status));
    world.input(Input::Want(last.message.parent_root, Some(PeerId(0))));
    world.pump();
    assert!(world.known.contains(&last.message.parent_root));
}

#[test]
fn a_lookup_that_meets_a_block_from_before_finality_ends_for_good() {
    let mut world = World::new(20, &[Honest]);
    // Another chain than the one of which epoch 1 is final, so that none of it is known.
    world.known.clear();
    world.finalized = Epoch(1);
    world.connect_all();
    world.pump();
    let wanted = world.last().message.parent_root;
    world.served.clear();
    world.input(Input::Want(wanted, None));
    world.pump();
    // Slots 19 down to 8, without the empty slot 14.
    assert_eq!(world.served.values().sum::<usize>(), 11);
    world.input(Input::Want(wanted, None));
    assert!(world.asked.is_empty());
}

#[test]
fn lookups_nobody_can_answer_end() {
    let mut world = World::new(20, &[Empty, Empty]);
    world.connect_all();
    for n in 0..200u8 {
        world.input(Input::Want(Root::from([n; 32]), None));
    }
    let end = world.now.after_ms(600_000);
    while world.now < end {
        world.now = world.sync.deadline(world.now).unwrap_or(end).max(world.now.after_ms(1));
        world.input(Input::Tick);
        world.pump();
    }
    assert!(world.sync.poll().is_none());
}
