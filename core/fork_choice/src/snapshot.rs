//! The whole store as bytes, so that a restart continues where it stopped instead of replaying blocks.
//!
//! Own format, little-endian, with a version first. Weights are not written: they follow from votes and
//! balances, so that bytes cannot make them disagree. Decoding is strict: every invariant of the store is
//! checked, every count is compared with the bytes that are left before anything is allocated for it, and
//! nothing may follow the end.

use std::sync::Arc;

use types::{Checkpoint, Gwei, Slot, Spec, Time, ValidatorIndex};

use crate::attestation::{QUEUED_VOTES_MAX, Queue};
use crate::bytes::{Reader, Writer, ensure};
use crate::checkpoints::{Checkpoints, Quad};
use crate::facts::ODD;
use crate::index::Index;
use crate::tree::{BLOCKS_MAX, NONE, Tree};
use crate::votes::{VALIDATORS_MAX, Vote, Votes};
use crate::{ExecutionStatus, ForkChoice, JustifiedBalances, Node, SnapshotInvalid};

const VERSION: u32 = 4;
const QUAD_BYTES: usize = 4 * 40;
const NODE_BYTES: usize = 4 + 8 + 32 + 8 + 32 + 4 + 2 + 32;

impl ForkChoice {
    /// The store as bytes: about 120 bytes a block, and of a validator one or two for its vote and one for its balance.
    pub fn snapshot(&self) -> Vec<u8> {
        let validators = self.votes.as_slice().len() + self.balances.len();
        let bytes =
            4096 + self.tree.count() * (NODE_BYTES + 8) + validators * 2 + self.queue.voters.len() * 4;
        let mut out = Writer(Vec::with_capacity(bytes));
        out.u32(VERSION);
        out.u64(self.spec.preset.slots_per_epoch);
        out.u64(self.spec.config.slot_duration_ms);
        out.u64(self.genesis_time.0);
        out.u64(self.time.0);
        out.checkpoint(&self.justified_checkpoint);
        out.checkpoint(&self.finalized_checkpoint);
        out.checkpoint(&self.unrealized_justified_checkpoint);
        out.checkpoint(&self.unrealized_finalized_checkpoint);
        out.root(&self.proposer_boost_root);
        out.bool(self.balances_of.is_some());
        out.checkpoint(&self.balances_of.clone().unwrap_or_default());
        out.balances(&self.balances);
        let numbers = out.tree(&self.tree);
        out.votes(&self.votes, &numbers);
        out.queue(&self.queue, &numbers);
        out.0
    }

    /// The store that `snapshot` wrote. Needs no more memory than a small multiple of `bytes`.
    pub fn restore(spec: &'static Spec, bytes: &[u8]) -> Result<Self, SnapshotInvalid> {
        let mut input = Reader(bytes);
        if input.u32()? != VERSION {
            return Err(SnapshotInvalid::UnknownVersion);
        }
        let (slots_per_epoch, slot_duration_ms) = (input.u64()?, input.u64()?);
        if (slots_per_epoch, slot_duration_ms) != (spec.preset.slots_per_epoch, spec.config.slot_duration_ms)
        {
            return Err(SnapshotInvalid::OtherNetwork);
        }
        let genesis_time = Time(input.u64()?);
        let time = Time(input.u64()?);
        ensure(time >= genesis_time, "the time is before genesis")?;
        let justified_checkpoint = input.checkpoint()?;
        let finalized_checkpoint = input.checkpoint()?;
        let unrealized_justified_checkpoint = input.checkpoint()?;
        let unrealized_finalized_checkpoint = input.checkpoint()?;
        let proposer_boost_root = input.root()?;
        let (balances_of, balances) = input.balances()?;
        let mut tree = input.tree(&finalized_checkpoint, spec)?;
        let mut votes = input.votes(tree.count())?;
        let queue = input.queue(tree.count())?;
        if !input.0.is_empty() {
            return Err(SnapshotInvalid::TrailingBytes);
        }
        votes.count_anew(&balances, &mut tree.own);
        let store = Self {
            spec,
            time,
            genesis_time,
            justified_checkpoint,
            finalized_checkpoint,
            unrealized_justified_checkpoint,
            unrealized_finalized_checkpoint,
            proposer_boost_root,
            tree,
            votes,
            queue,
            balances: Arc::new(balances),
            balances_of,
            head: None,
        };
        store.check_restored()?;
        Ok(store)
    }

    fn check_restored(&self) -> Result<(), SnapshotInvalid> {
        ensure(self.contains(&self.justified_checkpoint.root), "the justified block is missing")?;
        let adoptable = [
            (&self.unrealized_justified_checkpoint, &self.justified_checkpoint),
            (&self.unrealized_finalized_checkpoint, &self.finalized_checkpoint),
        ];
        for (unrealized, realized) in adoptable {
            let kept = unrealized.epoch <= realized.epoch || self.contains(&unrealized.root);
            ensure(kept, "an unrealized checkpoint's block is missing")?;
        }
        Ok(())
    }
}

/// Whether a block of this status may build on one of the other.
fn follows(parent: ExecutionStatus, child: ExecutionStatus) -> bool {
    use ExecutionStatus::{Invalidated, Irrelevant, NotValidated, Valid};
    match child {
        Irrelevant => parent == Irrelevant,
        Valid { .. } => matches!(parent, Irrelevant | Valid { .. }),
        NotValidated { .. } => !parent.is_invalid(),
        Invalidated { .. } => true,
    }
}

impl Writer {
    fn balances(&mut self, balances: &JustifiedBalances) {
        self.u64(balances.total_active().0);
        let (units, odd) = balances.parts();
        self.column(&units.iter().map(|units| u64::from(*units)).collect::<Vec<_>>());
        for list in [odd, balances.uncounted()] {
            self.u32(list.len() as u32);
            for (validator, balance) in list {
                self.u32(*validator);
                self.u64(balance.0);
            }
        }
    }

    /// Writes the blocks that are not gone, and gives the number under which each is written; [`NONE`] for one that is not.
    fn tree(&mut self, tree: &Tree) -> Vec<u32> {
        let mut quads = Checkpoints::default();
        let mut written = Vec::with_capacity(tree.count());
        let mut numbers = vec![NONE; tree.places.len()];
        for (index, number) in tree.indices().zip(0..) {
            numbers[index as usize] = number;
            let quad = tree.quads[index as usize];
            // Most blocks have the checkpoints of the one before.
            let same = written.last().filter(|(last, _)| *last == quad).map(|(_, id)| *id);
            written.push((quad, same.unwrap_or_else(|| quads.id_of(tree.checkpoints.get(quad).clone()))));
        }
        self.u32(quads.len() as u32);
        for quad in quads.iter() {
            self.checkpoint(&quad.justified);
            self.checkpoint(&quad.finalized);
            self.checkpoint(&quad.unrealized_justified);
            self.checkpoint(&quad.unrealized_finalized);
        }
        self.root(&tree.before_oldest);
        self.u32(tree.count() as u32);
        for (index, (_, quad)) in tree.indices().zip(written) {
            let parent = tree.parent(index);
            self.u32(if parent == NONE { NONE } else { numbers[parent as usize] });
            self.u64(tree.slot(index).0);
            self.root(&tree.root(index));
            self.u64(tree.proposer_index(index).0);
            self.root(&tree.state_root(index));
            self.u32(quad);
            self.bool(tree.is_timely(index));
            self.execution(tree.execution(index));
        }
        numbers
    }

    fn execution(&mut self, execution: ExecutionStatus) {
        self.0.push(match execution {
            ExecutionStatus::Irrelevant => 0,
            ExecutionStatus::Valid { .. } => 1,
            ExecutionStatus::NotValidated { .. } => 2,
            ExecutionStatus::Invalidated { .. } => 3,
        });
        self.root(&execution.block_hash().unwrap_or_default());
    }

    fn votes(&mut self, votes: &Votes, numbers: &[u32]) {
        let number = |vote: &Vote| match vote.block() {
            NONE => NONE,
            block => numbers[block as usize],
        };
        let value = |vote| u64::from(number(vote)) << 32 | vote.moves_from();
        self.column(&votes.as_slice().iter().map(value).collect::<Vec<_>>());
    }

    fn queue(&mut self, queue: &Queue, numbers: &[u32]) {
        let runs: Vec<_> = queue.runs().filter(|(block, _)| numbers[*block as usize] != NONE).collect();
        self.u32(runs.len() as u32);
        for (block, voters) in runs {
            self.u32(numbers[block as usize]);
            self.u32(voters.len() as u32);
            voters.iter().for_each(|voter| self.u32(voter.0 as u32));
        }
    }
}

impl Reader<'_> {
    fn balances(&mut self) -> Result<(Option<Checkpoint>, JustifiedBalances), SnapshotInvalid> {
        let known = self.bool()?;
        let checkpoint = self.checkpoint()?;
        ensure(known || checkpoint == Checkpoint::default(), "balances of no checkpoint name one")?;
        let total_active = Gwei(self.u64()?);
        let max = VALIDATORS_MAX as usize;
        let units = self.column(max, |units| {
            u16::try_from(units).map_err(|_| SnapshotInvalid::Contradiction("a balance is too large"))
        })?;
        let odd = self.listed_balances(max)?;
        let uncounted = self.listed_balances(max)?;
        let mut odd = odd.into_iter().peekable();
        let one = |(units, index): (u16, u32)| match units {
            ODD => odd.next_if(|(at, _)| *at == index).map(|(_, balance)| balance),
            units => Some(JustifiedBalances::of_units(units)),
        };
        let effective = units.into_iter().zip(0..).map(one).collect::<Option<Vec<_>>>();
        let effective = effective.filter(|_| odd.peek().is_none());
        let effective = effective.ok_or(SnapshotInvalid::Contradiction("balances are missing"))?;
        let balances = JustifiedBalances::new(effective, total_active);
        let mut balances = balances.map_err(|_| SnapshotInvalid::Contradiction("impossible balances"))?;
        ensure(balances.set_uncounted(uncounted), "a balance both weighs votes and does not")?;
        Ok((known.then_some(checkpoint), balances))
    }

    fn listed_balances(&mut self, max: usize) -> Result<Vec<(u32, Gwei)>, SnapshotInvalid> {
        let count = self.count(12, max)?;
        (0..count).map(|_| Ok((self.u32()?, Gwei(self.u64()?)))).collect()
    }

    fn tree(&mut self, finalized: &Checkpoint, spec: &Spec) -> Result<Tree, SnapshotInvalid> {
        let count = self.count(QUAD_BYTES, BLOCKS_MAX)?;
        let quads = (0..count).map(|_| self.quad()).collect::<Result<Vec<_>, _>>()?;
        let before_oldest = self.root()?;
        let count = self.count(NODE_BYTES, BLOCKS_MAX)?;
        ensure(count > 0, "there is no block")?;
        let finalized_slot = finalized.epoch.start_slot(spec);
        let mut tree = Tree::empty(finalized_slot);
        tree.before_oldest = before_oldest;
        for index in 0..count as u32 {
            let parent = self.u32()?;
            let mut node = self.node(&quads)?;
            if index == 0 {
                ensure(parent == NONE, "the first block has a parent")?;
                ensure(!node.execution.is_invalid(), "the oldest block is invalid")?;
                node.parent_root = before_oldest;
            } else {
                ensure(parent < index, "a block comes before its parent")?;
                ensure(tree.slot(parent) < node.slot, "a block is not after its parent")?;
                ensure(follows(tree.execution(parent), node.execution), "payloads contradict each other")?;
            }
            tree.append(node, parent, true);
        }
        tree.index = Index::of_all(tree.indices().map(|index| (tree.root(index), index)));
        let is_found = |index: u32| tree.index_of(&tree.root(index)) == Some(index);
        ensure(tree.indices().all(is_found), "a block is there twice")?;
        let finalized = tree.index_of(&finalized.root);
        let finalized = finalized.ok_or(SnapshotInvalid::Contradiction("the finalized block is missing"))?;
        tree.set_finalized(finalized, finalized_slot);
        Ok(tree)
    }

    fn quad(&mut self) -> Result<Quad, SnapshotInvalid> {
        Ok(Quad {
            justified: self.checkpoint()?,
            finalized: self.checkpoint()?,
            unrealized_justified: self.checkpoint()?,
            unrealized_finalized: self.checkpoint()?,
        })
    }

    /// A block; the tree knows its parent's root.
    fn node(&mut self, quads: &[Quad]) -> Result<Node, SnapshotInvalid> {
        let (slot, root, proposer_index, state_root) = (self.u64()?, self.root()?, self.u64()?, self.root()?);
        let quad = quads.get(self.u32()? as usize).cloned();
        let quad = quad.ok_or(SnapshotInvalid::Contradiction("the checkpoints of a block are missing"))?;
        Ok(Node {
            slot: Slot(slot),
            root,
            parent_root: Default::default(),
            proposer_index: ValidatorIndex(proposer_index),
            state_root,
            justified: quad.justified,
            finalized: quad.finalized,
            unrealized_justified: quad.unrealized_justified,
            unrealized_finalized: quad.unrealized_finalized,
            timely: self.bool()?,
            execution: self.execution()?,
        })
    }

    fn execution(&mut self) -> Result<ExecutionStatus, SnapshotInvalid> {
        let byte = self.u8()?;
        let block_hash = self.root()?;
        match byte {
            0 => {
                ensure(block_hash.is_zero(), "a block without a payload has the hash of one")?;
                Ok(ExecutionStatus::Irrelevant)
            }
            1 => Ok(ExecutionStatus::Valid { block_hash }),
            2 => Ok(ExecutionStatus::NotValidated { block_hash }),
            3 => Ok(ExecutionStatus::Invalidated { block_hash }),
            _ => Err(SnapshotInvalid::Contradiction("an execution status is not known")),
        }
    }

    fn votes(&mut self, blocks: usize) -> Result<Votes, SnapshotInvalid> {
        let vote = |value: u64| {
            let (block, moves_from) = ((value >> 32) as u32, value & u64::from(u32::MAX));
            ensure(block == NONE || (block as usize) < blocks, "a vote is for no block")?;
            Vote::pending(block, moves_from)
                .ok_or(SnapshotInvalid::Contradiction("a vote counts that must not"))
        };
        Ok(Votes::pending(self.column(VALIDATORS_MAX as usize, vote)?))
    }

    fn queue(&mut self, blocks: usize) -> Result<Queue, SnapshotInvalid> {
        let mut queue = Queue::default();
        for _ in 0..self.count(8, QUEUED_VOTES_MAX)? {
            let block = self.u32()?;
            ensure((block as usize) < blocks, "a waiting vote is for no block")?;
            let count = self.count(4, QUEUED_VOTES_MAX - queue.voters.len())?;
            let voter = |_| Ok(ValidatorIndex(u64::from(self.u32()?)));
            let voters = (0..count).map(voter).collect::<Result<Vec<_>, _>>()?;
            let are_small = voters.iter().all(|voter| voter.0 < VALIDATORS_MAX);
            ensure(are_small, "a validator index is too large")?;
            queue.push(&voters, block);
        }
        Ok(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    fn busy_world() -> World {
        let mut world = World::new();
        world.grow("g - a1 - a2 - a3; a1 - b3*; a2 - c4");
        world.vote(0..9, "a3");
        world.vote(9..12, "b3");
        world.slash(3..5);
        world.queue(20..25, "c4");
        world
    }

    #[test]
    fn a_restored_store_is_the_same_and_has_the_same_head() {
        let mut world = busy_world();
        let bytes = world.store.snapshot();
        let mut restored = ForkChoice::restore(world.store.spec(), &bytes).unwrap();
        assert_eq!(restored.snapshot(), bytes);
        assert_eq!(restored.get_head(), world.store.get_head());
        let views = |store: &ForkChoice| -> Vec<_> {
            store.nodes().map(|view| (view.node.clone(), view.parent, view.weight, view.viable)).collect()
        };
        assert_eq!(views(&restored), views(&world.store));
        // The queue survives as well: after the next slot the heads still agree.
        let later = world.store.time().after_ms(world.store.spec().config.slot_duration_ms);
        restored.on_tick(later);
        world.store.on_tick(later);
        assert_eq!(restored.get_head(), world.store.get_head());
        assert_eq!(restored.snapshot(), world.store.snapshot());
    }

    #[test]
    fn a_snapshot_cut_anywhere_or_prolonged_is_refused() {
        let bytes = busy_world().store.snapshot();
        for end in 0..bytes.len() {
            let cut = ForkChoice::restore(Spec::minimal(), &bytes[..end]);
            assert!(matches!(cut, Err(SnapshotInvalid::Truncated)), "cut at {end}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(
            ForkChoice::restore(Spec::minimal(), &longer).unwrap_err(),
            SnapshotInvalid::TrailingBytes
        );
    }

    #[test]
    fn a_flipped_bit_gives_an_error_or_a_store_that_works() {
        let bytes = busy_world().store.snapshot();
        let mut refused = 0;
        for bit in 0..bytes.len() * 8 {
            let mut hostile = bytes.clone();
            hostile[bit / 8] ^= 1 << (bit % 8);
            match ForkChoice::restore(Spec::minimal(), &hostile) {
                Err(_) => refused += 1,
                Ok(mut store) => {
                    store.get_head();
                    store.prune();
                    store.on_tick(Time(u64::MAX));
                    store.get_head();
                    assert_eq!(ForkChoice::restore(Spec::minimal(), &store.snapshot()).err(), None);
                }
            }
        }
        assert!(refused > bytes.len(), "only {refused} of the flips were noticed");
    }

    #[test]
    fn a_huge_count_is_refused_before_memory_is_taken() {
        let world = World::new();
        let bytes = world.store.snapshot();
        let counts_at = 4 + 4 * 8 + 4 * 40 + 32 + 1 + 40 + 8;
        for count in [u32::MAX, VALIDATORS_MAX as u32] {
            let mut hostile = bytes.clone();
            hostile[counts_at..counts_at + 4].copy_from_slice(&count.to_le_bytes());
            let refused = ForkChoice::restore(Spec::minimal(), &hostile).unwrap_err();
            assert!(matches!(refused, SnapshotInvalid::TooLong | SnapshotInvalid::Truncated));
        }
    }

    #[test]
    fn another_network_or_version_is_named() {
        let bytes = busy_world().store.snapshot();
        let other = ForkChoice::restore(Spec::mainnet(), &bytes).unwrap_err();
        assert_eq!(other, SnapshotInvalid::OtherNetwork);
        let newer = [&[9, 0, 0, 0], &bytes[4..]].concat();
        assert_eq!(
            ForkChoice::restore(Spec::minimal(), &newer).unwrap_err(),
            SnapshotInvalid::UnknownVersion
        );
    }
}
