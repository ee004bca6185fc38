//! Trees and votes of any size to measure the store with, and a plain proto-array to compare it with.
//!
//! Everything follows from the arguments: two runs measure the same work. Nothing here reads a clock, that is for who
//! measures.

mod proto_array;

use std::sync::Arc;

use types::{Checkpoint, Epoch, FixedBytes, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

pub use proto_array::ProtoArray;

use crate::{
    AnchorBlock, AttestationFacts, AttestationInvalid, BlockFacts, ExecutionStatus, ForkChoice,
    JustifiedBalances, Origin,
};

/// How many validators vote together: a committee of mainnet with a million validators.
pub const COMMITTEE_SIZE: usize = 512;

/// How the blocks of a tree hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every block upon the one before it.
    Chain,
    /// A chain, from every block of which another one forks that nobody builds upon.
    Comb,
    /// Every block upon any of those before it.
    Random,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 3] = [Self::Chain, Self::Comb, Self::Random];

    /// The place of the parent of block `index`, which is not the first.
    fn parent(self, index: usize, random: &mut Random) -> usize {
        match self {
            Self::Chain => index - 1,
            Self::Comb if index < 3 => 0,
            // Two blocks a level: the odd ones are the chain.
            Self::Comb => (index - 3) / 2 * 2 + 1,
            Self::Random => random.below(index),
        }
    }
}

/// The votes of one committee: who votes, and for which block, with the target epoch in the facts.
#[derive(Clone, Debug)]
pub struct CommitteeVote {
    /// What they vote for.
    pub facts: AttestationFacts,
    /// Who votes.
    pub validators: Vec<ValidatorIndex>,
}

/// A store with a tree, and votes to move in it.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The store. Its anchor is justified and finalized, so that no block is.
    pub store: ForkChoice,
    blocks: Vec<BlockFacts>,
    validators: u32,
    rounds: u64,
    random: Random,
}

impl Workload {
    /// A tree of so many blocks, at least two, whose slots follow each other, and equal balances of so many validators
    /// that have not voted yet.
    pub fn new(shape: Shape, blocks: usize, validators: u32) -> Self {
        let spec = Spec::mainnet();
        let mut random = Random(blocks as u64);
        let anchor = AnchorBlock {
            slot: Slot(0),
            root: random.root(),
            parent_root: Root::ZERO,
            proposer_index: ValidatorIndex(0),
            state_root: random.root(),
            justified: Checkpoint::default(),
            finalized: Checkpoint::default(),
            execution: ExecutionStatus::Irrelevant,
        };
        let mut tree = vec![block_upon(&anchor.root, Slot(0), anchor.root, random.root())];
        for index in 1..blocks {
            let parent = tree[shape.parent(index, &mut random)].root;
            let (root, state_root) = (random.root(), random.root());
            tree.push(block_upon(&parent, Slot(index as u64), root, state_root));
            tree[index].justified.root = anchor.root;
        }
        let store = ForkChoice::new(spec, anchor, Time(0));
        let mut workload = Self { store, blocks: tree, validators, rounds: 0, random };
        workload.tick(Slot(blocks as u64 + 1));
        workload.set_balances(Gwei(32_000_000_000));
        for block in &workload.blocks[1..] {
            workload.store.on_block(block).expect("each builds on one before it");
        }
        workload
    }

    /// The blocks in the order in which they came; the anchor is the first.
    pub fn blocks(&self) -> &[BlockFacts] {
        &self.blocks
    }

    /// Gives every validator this balance.
    pub fn set_balances(&mut self, each: Gwei) {
        let balances =
            JustifiedBalances::new(vec![each; self.validators as usize], each * u64::from(self.validators));
        let balances = Arc::new(balances.expect("they add up to their total"));
        let checkpoint = self.store.justified_checkpoint().clone();
        self.store
            .set_justified_balances(&checkpoint, balances)
            .expect("the checkpoint is the justified one");
    }

    /// Moves the clock.
    pub fn tick(&mut self, slot: Slot) {
        self.store.on_tick(Time(slot.0 * self.store.spec().config.slot_duration_ms));
    }

    /// Votes of so many validators, drawn at random, with the next epoch as target: committee by committee for blocks
    /// drawn at random, so that nearly all move. The clock moves to where they count, and the head is known there.
    pub fn round(&mut self, moved: usize) -> Vec<CommitteeVote> {
        let spec = self.store.spec();
        let epoch = Slot(self.blocks.len() as u64).epoch(spec) + 1 + self.rounds;
        self.rounds += 1;
        self.tick(epoch.start_slot(spec) + 1);
        self.store.get_head();
        let voters = self.random.choose(moved, self.validators);
        let committees = voters.chunks(COMMITTEE_SIZE.min(moved.div_ceil(64)).max(1));
        committees.map(|validators| self.votes_of(validators, epoch)).collect()
    }

    /// As [`Self::round`] of all validators, but a committee's members are neighbours: what an array of votes costs without
    /// what memory costs.
    pub fn round_in_order(&mut self) -> Vec<CommitteeVote> {
        let mut votes = self.round(self.validators as usize);
        let all = votes.iter_mut().flat_map(|vote| &mut vote.validators);
        all.zip(0..).for_each(|(validator, index)| *validator = ValidatorIndex(index));
        votes
    }

    /// Votes in the first slot of an epoch after all blocks, so that the block voted for is its own target.
    fn votes_of(&self, committee: &[ValidatorIndex], epoch: Epoch) -> CommitteeVote {
        let mut random = Random(committee[0].0 ^ epoch.0 << 32);
        let root = self.blocks[random.below(self.blocks.len())].root;
        let slot = epoch.start_slot(self.store.spec());
        let facts = AttestationFacts { slot, beacon_block_root: root, target: Checkpoint { epoch, root } };
        let mut validators = committee.to_vec();
        validators.sort();
        CommitteeVote { facts, validators }
    }

    /// Hands votes to the store.
    pub fn vote(&mut self, votes: &[CommitteeVote]) -> Result<(), AttestationInvalid> {
        votes
            .iter()
            .try_for_each(|vote| self.store.on_attestation(&vote.facts, &vote.validators, Origin::Block))
    }

    /// The block after all others, upon the head.
    pub fn next_block(&mut self) -> BlockFacts {
        let head = self.store.get_head();
        let slot = self.store.get_current_slot();
        let (root, state_root) = (self.random.root(), self.random.root());
        let mut block = block_upon(&head, slot, root, state_root);
        block.justified.root = self.blocks[0].root;
        block
    }

    /// The proto-array with the same blocks.
    pub fn proto_array(&self) -> ProtoArray {
        let mut array = ProtoArray::new(self.blocks[0].root);
        for block in &self.blocks[1..] {
            array.on_block(block.root, block.parent_root);
        }
        array
    }
}

fn block_upon(parent: &Root, slot: Slot, root: Root, state_root: Root) -> BlockFacts {
    BlockFacts {
        slot,
        root,
        parent_root: *parent,
        proposer_index: ValidatorIndex(slot.0 % 1000),
        state_root,
        justified: Checkpoint::default(),
        finalized: Checkpoint::default(),
        unrealized_justified: Checkpoint::default(),
        unrealized_finalized: Checkpoint::default(),
        arrived: Time(0),
        execution: ExecutionStatus::Irrelevant,
    }
}

/// SplitMix64: enough to spread votes, and without a dependency.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    fn root(&mut self) -> Root {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        FixedBytes(bytes)
    }

    /// Some of the validators, in random order.
    fn choose(&mut self, count: usize, of: u32) -> Vec<ValidatorIndex> {
        let mut all: Vec<u32> = (0..of).collect();
        for place in 0..count {
            let other = place + self.below(of as usize - place);
            all.swap(place, other);
        }
        all[..count].iter().map(|index| ValidatorIndex(u64::from(*index))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_proto_array_finds_the_same_heads() {
        for shape in Shape::ALL {
            let mut workload = Workload::new(shape, 200, 2000);
            let mut plain = workload.proto_array();
            let mut heads = Vec::new();
            for moved in [2000, 2000, 100, 0, 1, usize::MAX] {
                let votes = match moved {
                    usize::MAX => workload.round_in_order(),
                    moved => workload.round(moved),
                };
                workload.vote(&votes).unwrap();
                for CommitteeVote { facts, validators } in &votes {
                    for validator in validators {
                        plain.process_attestation(*validator, facts.beacon_block_root, facts.target.epoch);
                    }
                }
                heads.push(workload.store.get_head());
                let balances: Vec<Gwei> = workload.store.justified_balances().iter().collect();
                let justified = workload.store.justified_checkpoint().root;
                assert_eq!(plain.find_head(&justified, &balances), heads[heads.len() - 1], "{shape:?}");
            }
            assert!(shape == Shape::Chain || heads[0] != heads[1], "{shape:?}: votes decide");
            let block = workload.next_block();
            workload.store.on_block(&block).unwrap();
            assert_eq!(workload.store.get_head(), block.root);
        }
    }
}
