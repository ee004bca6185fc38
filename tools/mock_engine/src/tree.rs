//! The blocks that an engine knows, and which of them are valid.

use std::collections::{BTreeMap, BTreeSet};

use engine::PowBlock;
use types::{ExecutionPayload, Root, Uint256};

/// The blocks that are kept. One more drops the one with the smallest number.
const BLOCKS_MAX: usize = 4096;

/// A block that an engine knows.
#[derive(Clone, Debug, PartialEq)]
pub struct MockBlock {
    /// Its hash.
    pub hash: Root,
    /// Its parent's hash.
    pub parent_hash: Root,
    /// Its number.
    pub number: u64,
    /// In seconds.
    pub timestamp: u64,
    /// Its payload; none for the first block, which is known by its hash alone.
    pub payload: Option<ExecutionPayload>,
}

impl MockBlock {
    /// What the merge asks about it: no work was ever done here, so that the first block is terminal where the terminal
    /// difficulty is zero.
    pub(crate) fn pow_block(&self) -> PowBlock {
        let Self { hash, parent_hash, .. } = *self;
        PowBlock { block_hash: hash, parent_hash, total_difficulty: Some(Uint256::default()) }
    }
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It and all its ancestors are valid.
    Valid,
    /// It or an ancestor is not; the newest ancestor that is.
    Invalid { latest_valid: Root },
    /// An ancestor is missing.
    Orphan,
}

#[derive(Debug)]
struct Node {
    block: MockBlock,
    /// It is invalid whatever its parent is.
    is_bad: bool,
    standing: Standing,
}

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<Root, Node>,
    by_number: BTreeSet<(u64, Root)>,
    pub(crate) genesis: Root,
}

impl Tree {
    pub(crate) fn new(genesis: MockBlock) -> Self {
        let (hash, number) = (genesis.hash, genesis.number);
        let node = Node { block: genesis, is_bad: false, standing: Standing::Valid };
        Self {
            nodes: BTreeMap::from([(hash, node)]),
            by_number: BTreeSet::from([(number, hash)]),
            genesis: hash,
        }
    }

    pub(crate) fn get(&self, hash: Root) -> Option<&MockBlock> {
        self.nodes.get(&hash).map(|node| &node.block)
    }

    pub(crate) fn standing(&self, hash: Root) -> Option<Standing> {
        self.nodes.get(&hash).map(|node| node.standing)
    }

    /// Takes a block in; what waited for it gets its standing. A block that is known stays as it is.
    pub(crate) fn insert(&mut self, block: MockBlock, is_bad: bool) {
        let (hash, number) = (block.hash, block.number);
        if self.nodes.contains_key(&hash) {
            return;
        }
        self.nodes.insert(hash, Node { block, is_bad, standing: Standing::Orphan });
        self.by_number.insert((number, hash));
        let mut changed = vec![hash];
        while let Some(hash) = changed.pop() {
            let standing = self.standing_by_parent(hash);
            let Some(node) = self.nodes.get_mut(&hash) else { continue };
            node.standing = standing;
            if standing != Standing::Orphan {
                changed.extend(self.orphans_on(hash, node_number(&self.nodes, hash)));
            }
        }
        while self.nodes.len() > BLOCKS_MAX {
            let oldest = self.by_number.pop_first().expect("as many numbers as blocks").1;
            self.nodes.remove(&oldest);
        }
    }

    /// Makes a block that waits for ancestors valid, as if they were known.
    pub(crate) fn adopt(&mut self, hash: Root) {
        if let Some(node) = self.nodes.get_mut(&hash)
            && node.standing == Standing::Orphan
            && !node.is_bad
        {
            node.standing = Standing::Valid;
        }
    }

    fn standing_by_parent(&self, hash: Root) -> Standing {
        let node = &self.nodes[&hash];
        match self.nodes.get(&node.block.parent_hash).map(|parent| parent.standing) {
            None | Some(Standing::Orphan) => Standing::Orphan,
            Some(Standing::Valid) if node.is_bad => {
                Standing::Invalid { latest_valid: node.block.parent_hash }
            }
            Some(standing) => standing,
        }
    }

    /// The orphans whose parent is this block. One that claims another number than the next stays an orphan.
    fn orphans_on(&self, parent: Root, number: u64) -> Vec<Root> {
        let next = number.saturating_add(1);
        let at_number = self.by_number.range((next, Root::ZERO)..).take_while(|(number, _)| *number == next);
        let is_child = |hash: &Root| {
            let node = &self.nodes[hash];
            node.block.parent_hash == parent && node.standing == Standing::Orphan
        };
        at_number.map(|(_, hash)| *hash).filter(is_child).collect()
    }

    /// True where `ancestor` is `hash` or comes before it, as far as blocks are kept.
    pub(crate) fn is_ancestor(&self, ancestor: Root, mut hash: Root) -> bool {
        loop {
            if hash == ancestor {
                return true;
            }
            match self.get(hash) {
                Some(block) => hash = block.parent_hash,
                None => return false,
            }
        }
    }

    /// The block of a number among the ancestors of a head, itself included.
    pub(crate) fn ancestor_at(&self, head: Root, number: u64) -> Option<&MockBlock> {
        let mut block = self.get(head)?;
        while block.number > number {
            block = self.get(block.parent_hash)?;
        }
        (block.number == number).then_some(block)
    }
}

fn node_number(nodes: &BTreeMap<Root, Node>, hash: Root) -> u64 {
    nodes[&hash].block.number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(byte: u64) -> Root {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&byte.to_be_bytes());
        Root::from(bytes)
    }

    fn block(hash: u64, parent: u64, number: u64) -> MockBlock {
        MockBlock { hash: root(hash), parent_hash: root(parent), number, timestamp: number, payload: None }
    }

    #[test]
    fn what_waited_for_a_block_gets_its_standing_with_it() {
        let mut tree = Tree::new(block(1, 0, 0));
        tree.insert(block(4, 3, 3), false);
        tree.insert(block(3, 2, 2), false);
        assert_eq!(tree.standing(root(4)), Some(Standing::Orphan));
        tree.insert(block(2, 1, 1), false);
        for hash in [2, 3, 4] {
            assert_eq!(tree.standing(root(hash)), Some(Standing::Valid));
        }
        assert!(tree.is_ancestor(root(1), root(4)) && !tree.is_ancestor(root(4), root(1)));
        assert_eq!(tree.ancestor_at(root(4), 2), tree.get(root(3)));
        assert_eq!(tree.ancestor_at(root(4), 9), None);
    }

    #[test]
    fn all_that_builds_on_a_bad_block_is_invalid_and_names_the_last_good_one() {
        let mut tree = Tree::new(block(1, 0, 0));
        tree.insert(block(2, 1, 1), false);
        tree.insert(block(4, 3, 3), false);
        tree.insert(block(3, 2, 2), true);
        for hash in [3, 4] {
            assert_eq!(tree.standing(root(hash)), Some(Standing::Invalid { latest_valid: root(2) }));
        }
    }

    #[test]
    fn the_oldest_blocks_are_dropped_for_new_ones() {
        let mut tree = Tree::new(block(1, 0, 0));
        for number in 1..BLOCKS_MAX as u64 + 10 {
            tree.insert(block(number + 1, number, number), false);
        }
        assert_eq!((tree.nodes.len(), tree.by_number.len()), (BLOCKS_MAX, BLOCKS_MAX));
        assert_eq!(tree.get(root(1)), None);
        assert_eq!(tree.standing(root(BLOCKS_MAX as u64 + 10)), Some(Standing::Valid));
    }
}
