//! A deposit tree without deposits: what a node keeps on disk and gives to others, EIP-4881.

use ssz::{DecodeError, Ssz, hash_concat, zero_hash};
use types::{BeaconState, Ctx, DepositData, Eth1Data, Root, SszExt};

use crate::DepositTree;
use crate::tree::{DEPOSITS_MAX, DEPTH, with_count};

/// The finalized part of a deposit tree, and the block of the execution chain that it ends with.
///
/// [`DepositTreeSnapshot`](https://eips.ethereum.org/EIPS/eip-4881#specification)
#[derive(Clone, Debug, Default, PartialEq, Eq, Ssz)]
#[allow(missing_docs)]
pub struct DepositTreeSnapshot {
    #[ssz(list(32))]
    pub finalized: Vec<Root>,
    pub deposit_root: Root,
    pub deposit_count: u64,
    pub execution_block_hash: Root,
    pub execution_block_height: u64,
}

/// Why a snapshot is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are not those of a snapshot.
    #[error("not a deposit snapshot: {0}")]
    Decode(#[from] DecodeError),
    /// More deposits than the contract takes.
    #[error("{0} deposits are more than the contract takes")]
    Count(u64),
    /// There is a hash for each bit of the count.
    #[error("{found} hashes do not make a tree of {count} deposits")]
    Hashes {
        /// The hashes.
        found: usize,
        /// The deposits.
        count: u64,
    },
    /// The hashes do not add up to the root.
    #[error("the hashes have the root {calculated}, and the snapshot says {stated}")]
    Root {
        /// What the hashes add up to.
        calculated: Root,
        /// What the snapshot says.
        stated: Root,
    },
}

impl DepositTreeSnapshot {
    /// The root that the hashes and the count add up to; an error where there are not as many hashes as there have to be.
    pub fn calculate_root(&self) -> Result<Root, SnapshotError> {
        let count = self.deposit_count;
        if count > DEPOSITS_MAX {
            return Err(SnapshotError::Count(count));
        }
        if self.finalized.len() != count.count_ones() as usize {
            return Err(SnapshotError::Hashes { found: self.finalized.len(), count });
        }
        let mut hashes = self.finalized.iter().rev();
        let root = (0..DEPTH).fold(zero_hash(0), |root, level| match count >> level & 1 {
            1 => hash_concat(hashes.next().expect("a hash for each bit"), &root),
            _ => hash_concat(&root, &zero_hash(level as usize)),
        });
        Ok(with_count(root, count))
    }

    pub(crate) fn check(&self) -> Result<(), SnapshotError> {
        let calculated = self.calculate_root()?;
        match calculated == self.deposit_root {
            true => Ok(()),
            false => Err(SnapshotError::Root { calculated, stated: self.deposit_root }),
        }
    }

    /// The contract as the block of its snapshot left it.
    pub fn eth1_data(&self) -> Eth1Data {
        Eth1Data {
            deposit_root: self.deposit_root,
            deposit_count: self.deposit_count,
            block_hash: self.execution_block_hash,
        }
    }

    /// As SSZ, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_ssz(Ctx::PLAIN)
    }

    /// What [`Self::to_bytes`] has written; an error where it does not add up.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let snapshot = Self::from_ssz(bytes, Ctx::PLAIN)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    /// The contract of a network that begins with validators instead of deposits: each of them counts as a deposit with
    /// an empty signature, see [`transition::genesis::genesis_of_validators`]. None where the genesis state was made in
    /// another way, which its deposit root shows; such a network's contract has all deposits in its logs.
    pub fn of_genesis(genesis: &BeaconState, execution_block_height: u64) -> Option<Self> {
        let deposit = |(validator, balance): (&types::Validator, &types::Gwei)| DepositData {
            pubkey: validator.pubkey,
            withdrawal_credentials: validator.withdrawal_credentials,
            amount: *balance,
            ..DepositData::default()
        };
        let eth1_data = &genesis.eth1_data;
        if genesis.validators.is_empty() || eth1_data.deposit_count != genesis.validators.len() as u64 {
            return None;
        }
        let deposits: Vec<DepositData> =
            genesis.validators.iter().zip(genesis.balances.iter()).map(deposit).collect();
        let mut tree = DepositTree::default();
        tree.append(&deposits).ok()?;
        if tree.root() != eth1_data.deposit_root {
            return None;
        }
        tree.finalize(eth1_data, execution_block_height).ok()?;
        tree.get_snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> DepositTreeSnapshot {
        let mut tree = DepositTree::default();
        tree.append(&vec![DepositData::default(); 11]).unwrap();
        let eth1_data =
            Eth1Data { deposit_root: tree.root(), deposit_count: 11, block_hash: Root::from([7; 32]) };
        tree.finalize(&eth1_data, 900).unwrap();
        tree.get_snapshot().unwrap()
    }

    #[test]
    fn a_snapshot_comes_back_from_its_bytes() {
        let snapshot = snapshot();
        assert_eq!(snapshot.eth1_data().block_hash, Root::from([7; 32]));
        assert_eq!(DepositTreeSnapshot::from_bytes(&snapshot.to_bytes()), Ok(snapshot));
    }

    #[test]
    fn a_snapshot_that_does_not_add_up_is_refused_and_says_why() {
        let good = snapshot();
        let mut bad = good.clone();
        bad.finalized[1].0[0] ^= 1;
        assert!(matches!(DepositTreeSnapshot::from_bytes(&bad.to_bytes()), Err(SnapshotError::Root { .. })));
        bad.finalized.pop();
        let refused = DepositTreeSnapshot::from_bytes(&bad.to_bytes());
        assert_eq!(refused, Err(SnapshotError::Hashes { found: 2, count: 11 }));
        let bad = DepositTreeSnapshot { deposit_count: 1 << 32, ..good.clone() };
        assert_eq!(DepositTree::from_snapshot(&bad).unwrap_err(), SnapshotError::Count(1 << 32));
        let bytes = good.to_bytes();
        assert!((0..bytes.len()).all(|end| DepositTreeSnapshot::from_bytes(&bytes[..end]).is_err()));
    }
}
