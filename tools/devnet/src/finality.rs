//! Whether nodes finalize the same blocks.

use std::collections::BTreeMap;

use types::{Checkpoint, Epoch, Root};

/// Two nodes finalized different blocks: what consensus must never do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conflicting finality at epoch {epoch}: {one} has {one_root}, {other} has {other_root}")]
pub struct Conflict {
    /// The epoch.
    pub epoch: Epoch,
    /// A node.
    pub one: String,
    /// Its block.
    pub one_root: Root,
    /// Another node, or the same one at another time.
    pub other: String,
    /// Its block.
    pub other_root: Root,
}

/// All checkpoints that nodes were seen to have finalized.
#[derive(Clone, Debug, Default)]
pub struct Finality {
    /// By epoch, then by node.
    seen: BTreeMap<Epoch, BTreeMap<String, Root>>,
}

impl Finality {
    /// Notes a node's finalized checkpoint, and compares it with every other one of the same epoch.
    pub fn observe(&mut self, node: &str, finalized: Checkpoint) -> Result<(), Conflict> {
        // Before anything is final, nodes name the first epoch with no root or with that of genesis.
        if finalized.epoch == 0 {
            return Ok(());
        }
        let roots = self.seen.entry(finalized.epoch).or_default();
        if let Some((other, other_root)) = roots.iter().find(|(_, root)| **root != finalized.root) {
            return Err(Conflict {
                epoch: finalized.epoch,
                one: node.to_owned(),
                one_root: finalized.root,
                other: other.clone(),
                other_root: *other_root,
            });
        }
        roots.insert(node.to_owned(), finalized.root);
        Ok(())
    }

    /// The latest checkpoint that each of these nodes has finalized with one root, if it is of epoch `least` or later.
    pub fn agreed<'a>(
        &self,
        least: Epoch,
        nodes: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<Checkpoint> {
        let mut later = self.seen.range(least..).rev();
        let all = later.find(|(_, roots)| nodes.clone().all(|node| roots.contains_key(node)));
        all.and_then(|(epoch, roots)| {
            roots.values().next().map(|root| Checkpoint { epoch: *epoch, root: *root })
        })
    }

    /// The latest epoch that a node has finalized; the first where it has finalized nothing.
    pub fn of(&self, node: &str) -> Epoch {
        let mut epochs = self.seen.iter().rev();
        epochs.find(|(_, roots)| roots.contains_key(node)).map_or(Epoch(0), |(epoch, _)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 2] = ["node-0", "node-1"];

    fn checkpoint(epoch: u64, root: u8) -> Checkpoint {
        Checkpoint { epoch: Epoch(epoch), root: Root::from([root; 32]) }
    }

    #[test]
    fn agreement_needs_every_node_at_the_same_epoch() {
        let mut finality = Finality::default();
        finality.observe("node-0", checkpoint(3, 3)).unwrap();
        finality.observe("node-1", checkpoint(2, 2)).unwrap();
        assert_eq!(finality.agreed(Epoch(1), NODES.into_iter()), None);
        finality.observe("node-1", checkpoint(3, 3)).unwrap();
        assert_eq!(finality.agreed(Epoch(1), NODES.into_iter()), Some(checkpoint(3, 3)));
        assert_eq!(finality.agreed(Epoch(4), NODES.into_iter()), None);
        finality.observe("node-0", checkpoint(4, 4)).unwrap();
        assert_eq!(finality.agreed(Epoch(1), NODES.into_iter()), Some(checkpoint(3, 3)));
        assert_eq!((finality.of("node-0"), finality.of("node-1")), (Epoch(4), Epoch(3)));
    }

    #[test]
    fn different_roots_of_one_epoch_are_a_conflict() {
        let mut finality = Finality::default();
        finality.observe("node-0", checkpoint(3, 3)).unwrap();
        let conflict = finality.observe("node-1", checkpoint(3, 7)).unwrap_err();
        assert!(conflict.to_string().starts_with("conflicting finality at epoch 3: node-1 has 0x0707"));
        finality.observe("node-1", checkpoint(4, 7)).unwrap();
    }

    #[test]
    fn the_first_epoch_counts_for_nothing() {
        let mut finality = Finality::default();
        finality.observe("node-0", checkpoint(0, 0)).unwrap();
        finality.observe("node-1", checkpoint(0, 5)).unwrap();
        assert_eq!(finality.agreed(Epoch(0), NODES.into_iter()), None);
    }
}
