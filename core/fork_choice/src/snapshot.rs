//! The whole store as bytes, so that a restart continues where it stopped instead of replaying blocks.
//!
//! Own format, little-endian, with a version first. Weights are not written: they follow from votes and
//! balances, so that bytes cannot make them disagree. Decoding is strict: every invariant of the store is
//! checked, every count is compared with the bytes that are left before anything is allocated for it, and
//! nothing may follow the end.

use std::sync::Arc;

use types::{Checkpoint, Epoch, FixedBytes, Gwei, Root, Slot, Spec, Time, ValidatorIndex};

use crate::attestation::{QUEUED_VOTES_MAX, Queue};
use crate::tree::{BLOCKS_MAX, NONE, Tree};
use crate::votes::{VALIDATORS_MAX, Vote, Votes};
use crate::{ExecutionStatus, ForkChoice, JustifiedBalances, Node, SnapshotInvalid};

const VERSION: u32 = 3;
const NODE_BYTES: usize = 4 + 8 + 32 + 32 + 8 + 32 + 4 * 40 + 2 + 32;
const VOTE_BYTES: usize = 4 + 8;

impl ForkChoice {
    /// The store as bytes: about 12 bytes a vote, 8 a balance and 280 a block.
    pub fn snapshot(&self) -> Vec<u8> {
        let votes = self.votes.as_slice();
        let balances = self.balances.as_slice();
        let bytes = 512
            + self.tree.len() * NODE_BYTES
            + votes.len() * VOTE_BYTES
            + balances.len() * 8
            + self.balances.uncounted().len() * 12
            + self.queue.0.len() * 8;
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
        out.u64(self.balances.total_active().0);
        out.u32(balances.len() as u32);
        balances.iter().for_each(|balance| out.u64(balance.0));
        out.u32(self.balances.uncounted().len() as u32);
        for (validator, balance) in self.balances.uncounted() {
            out.u32(*validator);
            out.u64(balance.0);
        }
        out.u32(self.tree.len() as u32);
        for (node, link) in self.tree.iter() {
            out.u32(link.parent);
            out.node(node);
        }
        out.u32(votes.len() as u32);
        for vote in votes {
            out.u32(vote.next);
            out.u64(vote.moves_from);
        }
        out.u32(self.queue.0.len() as u32);
        for (validator, block) in &self.queue.0 {
            out.u32(*validator);
            out.u32(*block);
        }
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
        let tree = input.tree(&finalized_checkpoint, spec)?;
        let votes = input.votes(tree.len())?;
        let queue = input.queue(tree.len())?;
        if !input.0.is_empty() {
            return Err(SnapshotInvalid::TrailingBytes);
        }
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

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), SnapshotInvalid> {
    if holds { Ok(()) } else { Err(SnapshotInvalid::Contradiction(otherwise)) }
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

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bool(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    fn root(&mut self, root: &Root) {
        self.0.extend_from_slice(root.as_slice());
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        self.u64(checkpoint.epoch.0);
        self.root(&checkpoint.root);
    }

    fn node(&mut self, node: &Node) {
        self.u64(node.slot.0);
        self.root(&node.root);
        self.root(&node.parent_root);
        self.u64(node.proposer_index.0);
        self.root(&node.state_root);
        self.checkpoint(&node.justified);
        self.checkpoint(&node.finalized);
        self.checkpoint(&node.unrealized_justified);
        self.checkpoint(&node.unrealized_finalized);
        self.bool(node.timely);
        self.0.push(match node.execution {
            ExecutionStatus::Irrelevant => 0,
            ExecutionStatus::Valid { .. } => 1,
            ExecutionStatus::NotValidated { .. } => 2,
            ExecutionStatus::Invalidated { .. } => 3,
        });
        self.root(&node.execution.block_hash().unwrap_or_default());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotInvalid> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SnapshotInvalid::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, SnapshotInvalid> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SnapshotInvalid> {
        self.take().map(u64::from_le_bytes)
    }

    fn bool(&mut self) -> Result<bool, SnapshotInvalid> {
        let [byte] = self.take()?;
        ensure(byte <= 1, "a truth value is neither 0 nor 1")?;
        Ok(byte == 1)
    }

    fn root(&mut self) -> Result<Root, SnapshotInvalid> {
        self.take().map(FixedBytes)
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, SnapshotInvalid> {
        Ok(Checkpoint { epoch: Epoch(self.u64()?), root: self.root()? })
    }

    /// A count of items of `item_bytes` each, all of which are still there.
    fn count(&mut self, item_bytes: usize, max: usize) -> Result<usize, SnapshotInvalid> {
        let count = self.u32()? as usize;
        if count > max {
            return Err(SnapshotInvalid::TooLong);
        }
        if self.0.len() / item_bytes < count {
            return Err(SnapshotInvalid::Truncated);
        }
        Ok(count)
    }

    fn balances(&mut self) -> Result<(Option<Checkpoint>, JustifiedBalances), SnapshotInvalid> {
        let known = self.bool()?;
        let checkpoint = self.checkpoint()?;
        ensure(known || checkpoint == Checkpoint::default(), "balances of no checkpoint name one")?;
        let total_active = Gwei(self.u64()?);
        let count = self.count(8, VALIDATORS_MAX as usize)?;
        let effective = (0..count).map(|_| self.u64().map(Gwei)).collect::<Result<Vec<_>, _>>()?;
        let balances = JustifiedBalances::new(effective, total_active);
        let mut balances = balances.map_err(|_| SnapshotInvalid::Contradiction("impossible balances"))?;
        let count = self.count(12, VALIDATORS_MAX as usize)?;
        let one = |_| Ok((self.u32()?, Gwei(self.u64()?)));
        let uncounted = (0..count).map(one).collect::<Result<Vec<_>, _>>()?;
        ensure(balances.set_uncounted(uncounted), "a balance both weighs votes and does not")?;
        Ok((known.then_some(checkpoint), balances))
    }

    fn tree(&mut self, finalized: &Checkpoint, spec: &Spec) -> Result<Tree, SnapshotInvalid> {
        let count = self.count(NODE_BYTES, BLOCKS_MAX)?;
        ensure(count > 0, "there is no block")?;
        let parent = self.u32()?;
        ensure(parent == NONE, "the first block has a parent")?;
        let finalized_slot = finalized.epoch.start_slot(spec);
        let mut tree = Tree::new(self.node()?, finalized_slot);
        ensure(!tree.node(0).execution.is_invalid(), "the oldest block is invalid")?;
        for index in 1..count as u32 {
            let parent = self.u32()?;
            let node = self.node()?;
            ensure(parent < index, "a block comes before its parent")?;
            ensure(tree.node(parent).root == node.parent_root, "a parent has another root")?;
            ensure(tree.node(parent).slot < node.slot, "a block is not after its parent")?;
            ensure(tree.index_of(&node.root).is_none(), "a block is there twice")?;
            ensure(follows(tree.node(parent).execution, node.execution), "payloads contradict each other")?;
            tree.insert(node, parent);
        }
        let finalized = tree.index_of(&finalized.root);
        let finalized = finalized.ok_or(SnapshotInvalid::Contradiction("the finalized block is missing"))?;
        tree.set_finalized(finalized, finalized_slot);
        Ok(tree)
    }

    fn node(&mut self) -> Result<Node, SnapshotInvalid> {
        Ok(Node {
            slot: Slot(self.u64()?),
            root: self.root()?,
            parent_root: self.root()?,
            proposer_index: ValidatorIndex(self.u64()?),
            state_root: self.root()?,
            justified: self.checkpoint()?,
            finalized: self.checkpoint()?,
            unrealized_justified: self.checkpoint()?,
            unrealized_finalized: self.checkpoint()?,
            timely: self.bool()?,
            execution: self.execution()?,
        })
    }

    fn execution(&mut self) -> Result<ExecutionStatus, SnapshotInvalid> {
        let [byte] = self.take()?;
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
        let count = self.count(VOTE_BYTES, VALIDATORS_MAX as usize)?;
        let mut votes = Vec::with_capacity(count);
        for _ in 0..count {
            let vote = Vote::pending(self.u32()?, self.u64()?);
            ensure(vote.next == NONE || (vote.next as usize) < blocks, "a vote is for no block")?;
            ensure(vote.next == NONE || vote.epoch().is_some(), "a vote counts that must not")?;
            votes.push(vote);
        }
        Ok(Votes::pending(votes))
    }

    fn queue(&mut self, blocks: usize) -> Result<Queue, SnapshotInvalid> {
        let count = self.count(8, QUEUED_VOTES_MAX)?;
        let mut queue = Vec::with_capacity(count);
        for _ in 0..count {
            let (validator, block) = (self.u32()?, self.u32()?);
            ensure(u64::from(validator) < VALIDATORS_MAX, "a validator index is too large")?;
            ensure((block as usize) < blocks, "a waiting vote is for no block")?;
            queue.push((validator, block));
        }
        Ok(Queue(queue))
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
