//! Blocks and deposit logs of a range of the execution chain, and whether they fit together.

use std::ops::RangeInclusive;

use types::{DepositData, DepositRequest, Eth1Data, Root};

use crate::{DepositTree, FollowedBlock, TreeError};

/// A block of the execution chain, as an engine tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionBlock {
    /// Its hash.
    pub hash: Root,
    /// Its parent's hash.
    pub parent_hash: Root,
    /// Its number.
    pub number: u64,
    /// In seconds.
    pub timestamp: u64,
}

/// A deposit as the deposit contract logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositLog {
    /// The block it is in.
    pub block_number: u64,
    /// That block's hash.
    pub block_hash: Root,
    /// The deposit, with its place among all deposits.
    pub deposit: DepositRequest,
}

/// What is wrong with what an engine said of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeFault {
    /// It does not have a block that it should have.
    #[error("the engine has no block {0}")]
    NoBlock(u64),
    /// It answered with another block than the one asked for.
    #[error("the engine answered with block {found} to a question for {wanted}")]
    OtherBlock {
        /// The number that was asked for.
        wanted: u64,
        /// The number of the answer.
        found: u64,
    },
    /// A block does not build on the one before it: the chain changed while it was read.
    #[error("block {0} does not build on the block before it")]
    NotLinked(u64),
    /// A log of a block outside of the range, or one that is not behind the log before it.
    #[error("the log of deposit {index} is of block {block}, where it cannot be")]
    LogOutOfOrder {
        /// The deposit.
        index: u64,
        /// The block that it is said to be in.
        block: u64,
    },
    /// A log of another block of the same number: the chain changed while it was read.
    #[error("the log of deposit {index} is of another block {block}")]
    LogOfOtherBlock {
        /// The deposit.
        index: u64,
        /// The number of the block.
        block: u64,
    },
    /// Deposits are missing: the engine does not have all logs.
    #[error("deposit {found} follows deposits up to {expected}: logs are missing")]
    Missing {
        /// The index that was to come.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// A deposit that was there before.
    #[error("deposit {found} came again, where {expected} was to come")]
    Repeated {
        /// The index that was to come.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// More deposits than the contract takes.
    #[error("{0}")]
    Tree(#[from] TreeError),
}

/// A range of blocks with all its logs.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) numbers: RangeInclusive<u64>,
    pub(crate) logs: Vec<DepositLog>,
    /// The last block alone, or all of them: those that are too old to be voted for are not asked for.
    pub(crate) blocks: Vec<ExecutionBlock>,
}

impl Range {
    /// The last block.
    pub(crate) fn end(&self) -> Option<&ExecutionBlock> {
        self.blocks.last()
    }

    /// The tree with the deposits of the range, and the blocks that are known with what the contract was after them.
    /// The tree is the one before the range.
    pub(crate) fn apply(&self, tree: &DepositTree) -> Result<(DepositTree, Vec<FollowedBlock>), RangeFault> {
        self.check_blocks()?;
        self.check_logs(tree.count())?;
        let (mut tree, mut followed) = (tree.clone(), Vec::with_capacity(self.blocks.len()));
        let mut logs = self.logs.as_slice();
        for block in &self.blocks {
            let (of_block, later) =
                logs.split_at(logs.partition_point(|log| log.block_number <= block.number));
            logs = later;
            tree.append(&of_block.iter().map(|log| deposit_data(&log.deposit)).collect::<Vec<_>>())?;
            followed.push(FollowedBlock {
                number: block.number,
                timestamp: block.timestamp,
                parent_hash: block.parent_hash,
                eth1_data: Eth1Data {
                    deposit_root: tree.root(),
                    deposit_count: tree.count(),
                    block_hash: block.hash,
                },
            });
        }
        Ok((tree, followed))
    }

    /// A block by its number, where it is known; the blocks were found to be consecutive.
    fn block(&self, number: u64) -> Option<&ExecutionBlock> {
        let place = number.checked_sub(self.blocks.first()?.number)?;
        self.blocks.get(usize::try_from(place).ok()?)
    }

    fn check_blocks(&self) -> Result<(), RangeFault> {
        let last = *self.numbers.end();
        let first = last + 1 - (self.blocks.len() as u64).min(last + 1);
        for (block, wanted) in self.blocks.iter().zip(first..) {
            if block.number != wanted {
                return Err(RangeFault::OtherBlock { wanted, found: block.number });
            }
        }
        let unlinked = self.blocks.windows(2).find(|pair| pair[1].parent_hash != pair[0].hash);
        match unlinked {
            Some(pair) => Err(RangeFault::NotLinked(pair[1].number)),
            None => Ok(()),
        }
    }

    fn check_logs(&self, count: u64) -> Result<(), RangeFault> {
        let mut last = *self.numbers.start();
        for (log, expected) in self.logs.iter().zip(count..) {
            let (index, block) = (log.deposit.index, log.block_number);
            if !self.numbers.contains(&block) || block < last {
                return Err(RangeFault::LogOutOfOrder { index, block });
            }
            last = block;
            if self.block(block).is_some_and(|known| known.hash != log.block_hash) {
                return Err(RangeFault::LogOfOtherBlock { index, block });
            }
            match index {
                found if found > expected => return Err(RangeFault::Missing { expected, found }),
                found if found < expected => return Err(RangeFault::Repeated { expected, found }),
                _ => {}
            }
        }
        Ok(())
    }
}

fn deposit_data(request: &DepositRequest) -> DepositData {
    let DepositRequest { pubkey, withdrawal_credentials, amount, signature, .. } = request.clone();
    DepositData { pubkey, withdrawal_credentials, amount, signature }
}
