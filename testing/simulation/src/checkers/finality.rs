//! No two nodes, at no two moments, may finalize blocks of which neither descends from the other.

use std::collections::BTreeMap;

use types::{Checkpoint, Epoch, Root, Slot};

use super::Violation;
use crate::packet::Short;

/// All blocks of the world, and all checkpoints that a node ever called final.
#[derive(Debug, Default)]
pub struct Finality {
    /// Slot and parent of each block.
    blocks: BTreeMap<Root, (Slot, Root)>,
    /// The first node that finalized each.
    finalized: BTreeMap<(Epoch, Root), usize>,
}

impl Finality {
    /// A block was made.
    pub fn block(&mut self, root: Root, slot: Slot, parent: Root) {
        self.blocks.insert(root, (slot, parent));
    }

    /// True where the first is the second or one of its ancestors.
    pub fn is_ancestor(&self, ancestor: &Root, descendant: &Root) -> bool {
        let Some((slot, _)) = self.blocks.get(ancestor) else { return ancestor == descendant };
        let mut at = *descendant;
        while let Some((of, parent)) = self.blocks.get(&at) {
            if of <= slot {
                break;
            }
            at = *parent;
        }
        at == *ancestor
    }

    /// How many blocks each of two has that the other's chain does not.
    pub fn apart(&self, one: &Root, other: &Root) -> (usize, usize) {
        let beyond = |root: &Root, of: &Root| {
            let mut at = *root;
            let mut count = 0;
            while !self.is_ancestor(&at, of) {
                let Some((_, parent)) = self.blocks.get(&at) else { break };
                at = *parent;
                count += 1;
            }
            count
        };
        (beyond(one, other), beyond(other, one))
    }

    /// The highest epoch that any node finalized.
    pub fn highest(&self) -> Epoch {
        self.finalized.last_key_value().map_or(Epoch(0), |((epoch, _), _)| *epoch)
    }

    /// A node calls a checkpoint final.
    pub fn finalized(&mut self, node: usize, checkpoint: &Checkpoint) -> Result<(), Violation> {
        let key = (checkpoint.epoch, checkpoint.root);
        if checkpoint.epoch == 0 || self.finalized.contains_key(&key) {
            return Ok(());
        }
        for ((epoch, root), other) in &self.finalized {
            let (old, new) = match *epoch <= checkpoint.epoch {
                true => (root, &checkpoint.root),
                false => (&checkpoint.root, root),
            };
            let conflict = match *epoch == checkpoint.epoch {
                true => old != new,
                false => !self.is_ancestor(old, new),
            };
            if conflict {
                let what = format!(
                    "it finalized {} of epoch {}, node {other} had finalized {} of epoch {epoch}",
                    Short(&checkpoint.root),
                    checkpoint.epoch,
                    Short(root)
                );
                return Err(Violation::at("conflicting finality", node, what));
            }
        }
        self.finalized.insert(key, node);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ssz::FixedBytes;

    use super::*;

    fn root(name: u8) -> Root {
        FixedBytes([name; 32])
    }

    /// `1 (slot 0) - 2 (slot 8) - 3 (slot 16)`, and `4 (slot 9)` on 1.
    fn tree() -> Finality {
        let mut finality = Finality::default();
        for (name, slot, parent) in [(1, 0, 0), (2, 8, 1), (3, 16, 2), (4, 9, 1)] {
            finality.block(root(name), Slot(slot), root(parent));
        }
        finality
    }

    fn checkpoint(epoch: u64, name: u8) -> Checkpoint {
        Checkpoint { epoch: Epoch(epoch), root: root(name) }
    }

    #[test]
    fn one_chain_may_be_finalized_by_all_in_any_order() {
        let mut finality = tree();
        for (node, epoch, name) in [(0, 1, 2), (1, 2, 3), (2, 1, 2), (1, 2, 3)] {
            assert_eq!(finality.finalized(node, &checkpoint(epoch, name)), Ok(()));
        }
        assert_eq!(finality.highest(), Epoch(2));
    }

    #[test]
    fn two_roots_of_one_epoch_conflict() {
        let mut finality = tree();
        finality.finalized(0, &checkpoint(1, 2)).unwrap();
        let violation = finality.finalized(5, &checkpoint(1, 4)).unwrap_err();
        assert_eq!((violation.rule, violation.node), ("conflicting finality", Some(5)));
    }

    #[test]
    fn checkpoints_of_different_branches_conflict_whichever_comes_first() {
        for order in [[(2, 3), (1, 4)], [(1, 4), (2, 3)]] {
            let mut finality = tree();
            finality.finalized(0, &checkpoint(order[0].0, order[0].1)).unwrap();
            assert!(finality.finalized(1, &checkpoint(order[1].0, order[1].1)).is_err());
        }
    }
}
