//! The deposit contract's tree, of which only what may still be proven is kept: EIP-4881.
//!
//! A tree is a persistent value: a clone shares everything with the original. Subtrees that are finalized as a whole
//! are their root and nothing else, so what is kept are the deposits since finality and 32 hashes at most.
//!
//! [EIP-4881](https://eips.ethereum.org/EIPS/eip-4881)

use std::sync::Arc;

use ssz::{hash_concat, zero_hash};
use types::constants::DEPOSIT_CONTRACT_TREE_DEPTH;
use types::{Ctx, Deposit, DepositData, Eth1Data, Root, SszExt};

use crate::{DepositTreeSnapshot, SnapshotError};

pub(crate) const DEPTH: u32 = DEPOSIT_CONTRACT_TREE_DEPTH as u32;

/// The deposits that the contract takes at all.
pub(crate) const DEPOSITS_MAX: u64 = (1 << DEPTH) - 1;

/// What a tree cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The contract takes no more deposits than 2³² - 1.
    #[error("the deposit contract's tree is full")]
    Full,
    /// A deposit, or a count of deposits, that the tree does not have yet.
    #[error("{wanted} deposits are wanted, and {count} are known")]
    NotYet {
        /// The deposits that the tree would need.
        wanted: u64,
        /// The deposits that it has.
        count: u64,
    },
    /// Of these deposits only hashes are left.
    #[error("deposit {wanted} is wanted, and of the first {finalized} only hashes are left")]
    Finalized {
        /// The deposit, or the count of deposits, that was wanted.
        wanted: u64,
        /// The deposits that are finalized.
        finalized: u64,
    },
}

#[derive(Debug)]
enum Node {
    /// A whole subtree of finalized deposits.
    Finalized(Root),
    /// A deposit.
    Leaf { root: Root, data: DepositData },
    /// A subtree that has a deposit at least; without a right half where that has none.
    Branch { root: Root, left: Arc<Node>, right: Option<Arc<Node>> },
}

impl Node {
    fn root(&self) -> Root {
        match self {
            Self::Finalized(root) | Self::Leaf { root, .. } | Self::Branch { root, .. } => *root,
        }
    }
}

/// A branch of this depth.
fn branch(depth: u32, left: Arc<Node>, right: Option<Arc<Node>>) -> Arc<Node> {
    let right_root = right.as_ref().map_or(zero_hash(depth as usize - 1), |right| right.root());
    Arc::new(Node::Branch { root: hash_concat(&left.root(), &right_root), left, right })
}

/// The block up to which deposits are finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FinalizedAt {
    count: u64,
    block_hash: Root,
    block_height: u64,
}

/// The tree of the deposit contract. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct DepositTree {
    top: Option<Arc<Node>>,
    count: u64,
    finalized: Option<FinalizedAt>,
}

impl DepositTree {
    /// The deposits that it has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them that are finalized: no more can be told of those than their hashes.
    pub fn finalized_count(&self) -> u64 {
        self.finalized.map_or(0, |finalized| finalized.count)
    }

    /// The block that what is finalized ends with: its hash and its number.
    pub fn finalized_block(&self) -> Option<(Root, u64)> {
        self.finalized.map(|finalized| (finalized.block_hash, finalized.block_height))
    }

    /// The contract's `get_deposit_root`.
    pub fn root(&self) -> Root {
        with_count(self.top.as_ref().map_or(zero_hash(DEPTH as usize), |top| top.root()), self.count)
    }

    /// What [`Self::root`] was when the contract had `count` deposits; an error where that is in the future, or before
    /// what is finalized.
    pub fn root_at(&self, count: u64) -> Result<Root, TreeError> {
        self.check_count(count)?;
        Ok(with_count(root_of_first(self.top.as_deref(), DEPTH, count), count))
    }

    /// Appends deposits; an error, and nothing changed, where there is no room for all of them.
    pub fn append(&mut self, deposits: &[DepositData]) -> Result<(), TreeError> {
        let count = self.count.checked_add(deposits.len() as u64).filter(|count| *count <= DEPOSITS_MAX);
        let count = count.ok_or(TreeError::Full)?;
        let leaf = |data: &DepositData| {
            Arc::new(Node::Leaf { root: data.hash_tree_root(Ctx::PLAIN), data: data.clone() })
        };
        let leaves: Vec<Arc<Node>> = deposits.iter().map(leaf).collect();
        if !leaves.is_empty() {
            self.top = Some(appended(self.top.as_ref(), DEPTH, self.count, &leaves));
            self.count = count;
        }
        Ok(())
    }

    /// A deposit by its index, with the proof of a contract that had `count` deposits: 32 siblings and the count.
    pub fn deposit(&self, index: u64, count: u64) -> Result<Deposit, TreeError> {
        if index >= count {
            return Err(TreeError::NotYet { wanted: index.saturating_add(1), count });
        }
        self.check_count(count)?;
        let gone = TreeError::Finalized { wanted: index, finalized: self.finalized_count() };
        let (mut node, mut first, mut count_inside) = (self.top.as_ref().ok_or(gone)?, 0, count);
        let mut proof = Vec::with_capacity(DEPTH as usize + 1);
        for depth in (1..=DEPTH).rev() {
            let Node::Branch { left, right, .. } = &**node else { return Err(gone) };
            let half = 1 << (depth - 1);
            if index - first < half {
                proof.push(root_of_first(right.as_deref(), depth - 1, count_inside.saturating_sub(half)));
                (node, count_inside) = (left, count_inside.min(half));
            } else {
                proof.push(left.root());
                (node, first, count_inside) =
                    (right.as_ref().ok_or(gone)?, first + half, count_inside - half);
            }
        }
        let Node::Leaf { data, .. } = &**node else { return Err(gone) };
        proof.reverse();
        proof.push(length_chunk(count));
        Ok(Deposit { proof, data: data.clone() })
    }

    /// Forgets all of the first `eth1_data.deposit_count` deposits but the hashes that proofs of later ones need. An
    /// error, and nothing changed, where there are not so many; nothing happens where as many are finalized already.
    pub fn finalize(&mut self, eth1_data: &Eth1Data, block_height: u64) -> Result<(), TreeError> {
        let count = eth1_data.deposit_count;
        if count > self.count {
            return Err(TreeError::NotYet { wanted: count, count: self.count });
        }
        if self.finalized.is_none_or(|finalized| finalized.count <= count) {
            self.top = self.top.as_ref().map(|top| finalized(top, DEPTH, count));
            self.finalized = Some(FinalizedAt { count, block_hash: eth1_data.block_hash, block_height });
        }
        Ok(())
    }

    /// The first `count` deposits alone: what the tree was before a reorganization of the execution chain.
    pub fn truncated(&self, count: u64) -> Result<Self, TreeError> {
        self.check_count(count)?;
        let top = self.top.as_ref().and_then(|top| first_of(top, DEPTH, count));
        Ok(Self { top, count, finalized: self.finalized })
    }

    /// All that is finalized, in a form that others can go on from; none before anything is.
    pub fn get_snapshot(&self) -> Option<DepositTreeSnapshot> {
        let FinalizedAt { count, block_hash, block_height } = self.finalized?;
        let mut finalized = Vec::new();
        if let Some(top) = &self.top {
            collect_finalized(top, &mut finalized);
        }
        let mut snapshot = DepositTreeSnapshot {
            finalized,
            deposit_root: Root::ZERO,
            deposit_count: count,
            execution_block_hash: block_hash,
            execution_block_height: block_height,
        };
        snapshot.deposit_root =
            snapshot.calculate_root().expect("a tree has a hash for each bit of its count");
        Some(snapshot)
    }

    /// A tree of finalized deposits alone. The snapshot may come from anywhere: it has to fit to its own root, which
    /// whoever takes it has to compare with the state's.
    pub fn from_snapshot(snapshot: &DepositTreeSnapshot) -> Result<Self, SnapshotError> {
        snapshot.check()?;
        let count = snapshot.deposit_count;
        let mut hashes = snapshot.finalized.iter().copied();
        Ok(Self {
            top: from_hashes(DEPTH, count, &mut hashes),
            count,
            finalized: Some(FinalizedAt {
                count,
                block_hash: snapshot.execution_block_hash,
                block_height: snapshot.execution_block_height,
            }),
        })
    }

    fn check_count(&self, count: u64) -> Result<(), TreeError> {
        if count > self.count {
            return Err(TreeError::NotYet { wanted: count, count: self.count });
        }
        if count < self.finalized_count() {
            return Err(TreeError::Finalized { wanted: count, finalized: self.finalized_count() });
        }
        Ok(())
    }
}

/// The count as the chunk that the contract mixes in.
fn length_chunk(count: u64) -> Root {
    let mut chunk = [0; 32];
    chunk[..8].copy_from_slice(&count.to_le_bytes());
    Root::from(chunk)
}

pub(crate) fn with_count(root: Root, count: u64) -> Root {
    hash_concat(&root, &length_chunk(count))
}

/// A subtree with further leaves, at least one and no more than it has room for, behind those that it has.
fn appended(node: Option<&Arc<Node>>, depth: u32, count: u64, leaves: &[Arc<Node>]) -> Arc<Node> {
    if depth == 0 {
        return leaves[0].clone();
    }
    let half = 1 << (depth - 1);
    let (left, right) = match node.map(|node| &**node) {
        Some(Node::Branch { left, right, .. }) => (Some(left), right.as_ref()),
        _ => (None, None),
    };
    let to_left = (leaves.len() as u64).min(u64::saturating_sub(half, count)) as usize;
    let (for_left, for_right) = leaves.split_at(to_left);
    let left = match left {
        Some(left) if for_left.is_empty() => left.clone(),
        left => appended(left, depth - 1, count, for_left),
    };
    let right = match for_right {
        [] => right.cloned(),
        _ => Some(appended(right, depth - 1, count.saturating_sub(half), for_right)),
    };
    branch(depth, left, right)
}

/// The root of a subtree if it had only its first `count` leaves. Of a finalized one all are needed, which callers see to.
fn root_of_first(node: Option<&Node>, depth: u32, count: u64) -> Root {
    let Some(node) = node.filter(|_| count > 0) else { return zero_hash(depth as usize) };
    match node {
        Node::Branch { left, right, .. } if count < 1 << depth => {
            let half = 1 << (depth - 1);
            hash_concat(
                &root_of_first(Some(left), depth - 1, count.min(half)),
                &root_of_first(right.as_deref(), depth - 1, count.saturating_sub(half)),
            )
        }
        _ => node.root(),
    }
}

/// The first `count` leaves of a subtree, if any.
fn first_of(node: &Arc<Node>, depth: u32, count: u64) -> Option<Arc<Node>> {
    match &**node {
        _ if count == 0 => None,
        Node::Branch { left, right, .. } if count < 1 << depth => {
            let half = 1 << (depth - 1);
            let left = first_of(left, depth - 1, count.min(half))?;
            let in_right = count.saturating_sub(half);
            Some(branch(depth, left, right.as_ref().and_then(|right| first_of(right, depth - 1, in_right))))
        }
        _ => Some(node.clone()),
    }
}

/// A subtree whose first `count` leaves are finalized.
fn finalized(node: &Arc<Node>, depth: u32, count: u64) -> Arc<Node> {
    match &**node {
        Node::Finalized(_) => node.clone(),
        _ if count == 0 => node.clone(),
        _ if count == 1 << depth => Arc::new(Node::Finalized(node.root())),
        Node::Branch { left, right, .. } => {
            let half = 1 << (depth - 1);
            let in_right = count.saturating_sub(half);
            let left = finalized(left, depth - 1, count.min(half));
            branch(depth, left, right.as_ref().map(|right| finalized(right, depth - 1, in_right)))
        }
        Node::Leaf { .. } => node.clone(),
    }
}

/// The roots of finalized subtrees, from left to right.
fn collect_finalized(node: &Node, hashes: &mut Vec<Root>) {
    match node {
        Node::Finalized(root) => hashes.push(*root),
        Node::Leaf { .. } => {}
        Node::Branch { left, right, .. } => {
            collect_finalized(left, hashes);
            if let Some(right) = right {
                collect_finalized(right, hashes);
            }
        }
    }
}

/// A subtree of `count` finalized leaves; as many hashes are there as `count` has bits.
fn from_hashes(depth: u32, count: u64, hashes: &mut impl Iterator<Item = Root>) -> Option<Arc<Node>> {
    if count == 0 {
        return None;
    }
    if count == 1 << depth {
        return hashes.next().map(|hash| Arc::new(Node::Finalized(hash)));
    }
    let half = 1 << (depth - 1);
    let left = from_hashes(depth - 1, count.min(half), hashes)?;
    let right = from_hashes(depth - 1, count.saturating_sub(half), hashes);
    Some(branch(depth, left, right))
}

#[cfg(test)]
mod tests {
    use transition::predicates::is_valid_merkle_branch;
    use types::Gwei;

    use super::*;

    fn data(index: u64) -> DepositData {
        DepositData { amount: Gwei(index + 1), ..DepositData::default() }
    }

    fn tree_of(count: u64) -> DepositTree {
        let mut tree = DepositTree::default();
        tree.append(&(0..count).map(data).collect::<Vec<_>>()).unwrap();
        tree
    }

    /// The root and, for each level, all nodes: the whole tree, as nobody would keep it.
    fn naive_root(count: u64) -> Root {
        let mut nodes: Vec<Root> = (0..count).map(|index| data(index).hash_tree_root(Ctx::PLAIN)).collect();
        for level in 0..32 {
            if nodes.len() % 2 == 1 {
                nodes.push(zero_hash(level));
            }
            nodes = nodes.chunks(2).map(|pair| hash_concat(&pair[0], &pair[1])).collect();
        }
        with_count(nodes.first().copied().unwrap_or(zero_hash(32)), count)
    }

    fn eth1_data(count: u64) -> Eth1Data {
        Eth1Data {
            deposit_root: naive_root(count),
            deposit_count: count,
            block_hash: Root::from([count as u8; 32]),
        }
    }

    fn check_proofs(tree: &DepositTree, count: u64) {
        for index in tree.finalized_count()..count {
            let deposit = tree.deposit(index, count).unwrap();
            assert_eq!(deposit.data, data(index));
            let leaf = deposit.data.hash_tree_root(Ctx::PLAIN);
            let is_valid = is_valid_merkle_branch(leaf, &deposit.proof, 33, index, naive_root(count));
            assert!(is_valid, "deposit {index} of {count}");
        }
    }

    #[test]
    fn the_empty_root_is_the_one_of_the_contract() {
        // What `get_deposit_root` answers on every network before its first deposit.
        let known = "0xd70a234731285c6804c2a4f56711ddb8c82c99740f207854891028af34e27e5e";
        assert_eq!(DepositTree::default().root().to_string(), known);
    }

    #[test]
    fn roots_are_those_of_the_whole_tree_however_deposits_are_appended() {
        let mut tree = DepositTree::default();
        for (count, step) in [(0, 1), (1, 1), (2, 1), (3, 5), (8, 1), (9, 24), (33, 7)] {
            assert_eq!((tree.count(), tree.root()), (count, naive_root(count)));
            tree.append(&(count..count + step).map(data).collect::<Vec<_>>()).unwrap();
        }
        for count in 0..=40 {
            assert_eq!(tree.root_at(count), Ok(naive_root(count)));
        }
        assert_eq!(tree.root_at(41), Err(TreeError::NotYet { wanted: 41, count: 40 }));
    }

    #[test]
    fn every_deposit_is_proven_against_every_count_that_has_it() {
        let tree = tree_of(21);
        (1..=21).for_each(|count| check_proofs(&tree, count));
        assert!(tree.deposit(21, 21).is_err() && tree.deposit(3, 22).is_err() && tree.deposit(3, 3).is_err());
    }

    #[test]
    fn what_is_finalized_leaves_roots_and_later_proofs_as_they_were() {
        let mut tree = tree_of(21);
        let before = tree.clone();
        for finalized in [0, 1, 4, 7, 8, 13, 21] {
            tree.finalize(&eth1_data(finalized), finalized + 100).unwrap();
            assert_eq!(tree.root(), naive_root(21));
            (finalized.max(1)..=21).for_each(|count| check_proofs(&tree, count));
            if finalized > 0 {
                let gone = Err(TreeError::Finalized { wanted: finalized - 1, finalized });
                assert_eq!(tree.deposit(finalized - 1, 21), gone);
                assert_eq!(tree.root_at(finalized - 1), gone.map(|_| Root::ZERO));
            }
        }
        // An older block changes nothing, and one of the future is refused.
        tree.finalize(&eth1_data(3), 1).unwrap();
        assert_eq!(tree.get_snapshot().unwrap().execution_block_height, 121);
        assert!(tree.finalize(&eth1_data(22), 500).is_err());
        check_proofs(&before, 21);
    }

    #[test]
    fn a_tree_goes_on_from_a_snapshot_of_any_other() {
        for finalized in 0..=18 {
            let mut tree = tree_of(18);
            tree.finalize(&eth1_data(finalized), 7).unwrap();
            let snapshot = tree.get_snapshot().unwrap();
            assert_eq!(snapshot.deposit_root, naive_root(finalized));
            assert_eq!(snapshot.finalized.len(), finalized.count_ones() as usize);
            let mut copy = DepositTree::from_snapshot(&snapshot).unwrap();
            assert_eq!((copy.count(), copy.root()), (finalized, naive_root(finalized)));
            copy.append(&(finalized..18).map(data).collect::<Vec<_>>()).unwrap();
            assert_eq!(copy.root(), tree.root());
            check_proofs(&copy, 18);
            assert_eq!(copy.get_snapshot(), Some(snapshot));
        }
        assert_eq!(tree_of(3).get_snapshot(), None);
    }

    #[test]
    fn the_first_deposits_alone_are_the_tree_of_before() {
        let mut tree = tree_of(13);
        tree.finalize(&eth1_data(5), 7).unwrap();
        for count in 5..=13 {
            let mut before = tree.truncated(count).unwrap();
            assert_eq!((before.count(), before.root()), (count, naive_root(count)));
            before.append(&(count..14).map(data).collect::<Vec<_>>()).unwrap();
            assert_eq!(before.root(), naive_root(14));
            check_proofs(&before, 14);
        }
        assert!(tree.truncated(4).is_err() && tree.truncated(14).is_err());
    }

    #[test]
    fn a_full_tree_takes_nothing_more() {
        let snapshot = DepositTreeSnapshot {
            finalized: (1..=32).map(|byte| Root::from([byte; 32])).collect(),
            deposit_count: DEPOSITS_MAX,
            ..DepositTreeSnapshot::default()
        };
        let snapshot = DepositTreeSnapshot { deposit_root: snapshot.calculate_root().unwrap(), ..snapshot };
        let mut tree = DepositTree::from_snapshot(&snapshot).unwrap();
        assert_eq!(tree.append(&[data(0)]), Err(TreeError::Full));
        assert_eq!((tree.count(), tree.root()), (DEPOSITS_MAX, snapshot.deposit_root));
    }
}
