//! What a proposer has to know of the execution chain: which block to vote for, and the deposits that are due.

use std::sync::Arc;

use transition::accessors::AccessError;
use types::{BeaconState, Deposit, Eth1Data, ForkName, Root};

use crate::vote;
use crate::{DepositTree, TreeError};

/// A block of the execution chain, and the deposit contract as it left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedBlock {
    /// Its number.
    pub number: u64,
    /// In seconds.
    pub timestamp: u64,
    /// Its parent's hash.
    pub parent_hash: Root,
    /// Its hash, and the deposits up to it.
    pub eth1_data: Eth1Data,
}

/// The execution chain as far as it was followed: blocks that may be voted for, ascending, and the contract's tree.
///
/// A clone shares both with the original.
#[derive(Clone, Debug, Default)]
pub struct Eth1Chain {
    blocks: Arc<[FollowedBlock]>,
    tree: DepositTree,
}

/// Why a block's deposits cannot be given; without them a block is invalid, so none can be proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepositsError {
    /// The state has taken more deposits than its contract has: no chain leads to such a state.
    #[error("the state took {taken} deposits of a contract with {count}")]
    CountBelowIndex {
        /// The deposits that were taken.
        taken: u64,
        /// The deposits of the contract.
        count: u64,
    },
    /// The execution chain was not followed far enough yet, or never.
    #[error(
        "{due} deposits are due up to number {wanted}, and the execution chain was followed up to {known} only"
    )]
    NotYetFollowed {
        /// The deposits that the block must have.
        due: u64,
        /// The deposits of the contract that the beacon chain has agreed on.
        wanted: u64,
        /// The deposits that are known.
        known: u64,
    },
    /// Of the deposits that are due only hashes are left. It happens where the state is from before finality.
    #[error("{due} deposits are due, of which only hashes were kept: {why}")]
    Forgotten {
        /// The deposits that the block must have.
        due: u64,
        /// What the tree says.
        why: TreeError,
    },
    /// The execution engine follows another chain than the beacon chain has agreed on, or its logs have gaps.
    #[error(
        "the deposit contract of the execution engine has the root {found} at {count} deposits, the beacon chain agreed on {agreed}"
    )]
    OtherRoot {
        /// The deposits of the contract.
        count: u64,
        /// The root by the engine's logs.
        found: Root,
        /// The root of the state.
        agreed: Root,
    },
}

impl Eth1Chain {
    /// Blocks that ascend, and the tree of all deposits up to the last of them.
    pub fn new(blocks: Vec<FollowedBlock>, tree: DepositTree) -> Self {
        Self { blocks: blocks.into(), tree }
    }

    /// The blocks that may be voted for, as far as their time goes, and some around them; ascending.
    pub fn blocks(&self) -> &[FollowedBlock] {
        &self.blocks
    }

    /// The contract's tree after the last block.
    pub fn tree(&self) -> &DepositTree {
        &self.tree
    }

    /// [`get_eth1_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#get_eth1_data)
    /// of the block with a hash; none where it is not among [`Self::blocks`].
    pub fn get_eth1_data(&self, block_hash: Root) -> Option<&Eth1Data> {
        self.blocks.iter().map(|block| &block.eth1_data).find(|eth1_data| eth1_data.block_hash == block_hash)
    }

    /// [`get_eth1_vote`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md#get_eth1_data);
    /// [modified in Electra](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#deposits).
    /// The state is that of the block's slot, before the block. An error where its times do not fit into 64 bits.
    pub fn get_eth1_vote(&self, state: &BeaconState) -> Result<Eth1Data, AccessError> {
        vote::get_eth1_vote(state, &self.blocks)
    }

    /// The deposits that a block on `state` must have, with proofs. `eth1_data` is what the block's own vote makes of
    /// the state's, see [`eth1_data_after_vote`]: it is counted before the deposits are.
    pub fn deposits_for(
        &self,
        state: &BeaconState,
        eth1_data: &Eth1Data,
    ) -> Result<Vec<Deposit>, DepositsError> {
        let due = get_eth1_pending_deposit_count(state, eth1_data)?;
        if due == 0 {
            return Ok(Vec::new());
        }
        let count = eth1_data.deposit_count;
        let cannot = |why: TreeError| match why {
            TreeError::NotYet { wanted, count } => {
                DepositsError::NotYetFollowed { due, wanted, known: count }
            }
            why => DepositsError::Forgotten { due, why },
        };
        let root = self.tree.root_at(count).map_err(cannot)?;
        if root != eth1_data.deposit_root {
            return Err(DepositsError::OtherRoot { count, found: root, agreed: eth1_data.deposit_root });
        }
        let first = state.eth1_deposit_index;
        (first..first + due).map(|index| self.tree.deposit(index, count).map_err(cannot)).collect()
    }
}

/// The state's Eth1 data after a block with this vote: the vote wins with more than half of the period's slots, see
/// [`process_eth1_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#eth1-data).
pub fn eth1_data_after_vote<'a>(state: &'a BeaconState, vote: &'a Eth1Data) -> &'a Eth1Data {
    let preset = &state.spec().preset;
    let period = preset.epochs_per_eth1_voting_period * preset.slots_per_epoch;
    let votes = state.eth1_data_votes.iter().filter(|other| *other == vote).count() as u64 + 1;
    if votes * 2 > period { vote } else { &state.eth1_data }
}

/// [`get_eth1_pending_deposit_count`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#deposits),
/// for all forks: how many deposits a block must have whose vote leaves the state with `eth1_data`. Before Electra an
/// error where the state took more than there are; since Fulu there are none.
pub fn get_eth1_pending_deposit_count(
    state: &BeaconState,
    eth1_data: &Eth1Data,
) -> Result<u64, DepositsError> {
    let (count, taken) = (eth1_data.deposit_count, state.eth1_deposit_index);
    let waiting = match state.fork_name() {
        ForkName::Fulu => 0,
        ForkName::Electra => count.min(state.deposit_requests_start_index).saturating_sub(taken),
        _ => count.checked_sub(taken).ok_or(DepositsError::CountBelowIndex { taken, count })?,
    };
    Ok(waiting.min(state.spec().preset.max_deposits))
}

#[cfg(test)]
mod tests {
    use types::constants::UNSET_DEPOSIT_REQUESTS_START_INDEX;
    use types::{DepositData, Gwei, Spec};

    use super::*;

    fn chain_of(count: u64) -> Eth1Chain {
        let data = |index| DepositData { amount: Gwei(index), ..DepositData::default() };
        let mut tree = DepositTree::default();
        tree.append(&(0..count).map(data).collect::<Vec<_>>()).unwrap();
        Eth1Chain::new(Vec::new(), tree)
    }

    fn eth1_data(chain: &Eth1Chain, deposit_count: u64) -> Eth1Data {
        let deposit_root = chain.tree().root_at(deposit_count).unwrap();
        Eth1Data { deposit_root, deposit_count, block_hash: Root::from([7; 32]) }
    }

    fn state(fork: ForkName, taken: u64) -> BeaconState {
        let mut state = BeaconState::empty(Spec::minimal(), fork);
        state.eth1_deposit_index = taken;
        state
    }

    #[test]
    fn deposits_satisfy_the_transition() {
        let chain = chain_of(40);
        let mut state = state(ForkName::Phase0, 3);
        state.eth1_data = eth1_data(&chain, 22);
        let first = chain.deposits_for(&state, &state.eth1_data).unwrap();
        assert_eq!(first.len() as u64, state.spec().preset.max_deposits);
        let mut taken = 0;
        while state.eth1_deposit_index < 22 {
            for deposit in chain.deposits_for(&state, &state.eth1_data.clone()).unwrap() {
                transition::block::process_deposit(&mut state, &deposit).unwrap();
                taken += 1;
            }
        }
        assert_eq!(taken, 22 - 3);
        assert_eq!(chain.deposits_for(&state, &state.eth1_data), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_had_is_an_error_that_says_why() {
        let mut chain = chain_of(10);
        let agreed = Eth1Data { deposit_count: 12, ..eth1_data(&chain, 10) };
        let error = chain.deposits_for(&state(ForkName::Deneb, 9), &agreed).unwrap_err();
        assert_eq!(error, DepositsError::NotYetFollowed { due: 3, wanted: 12, known: 10 });
        assert_eq!(
            error.to_string(),
            "3 deposits are due up to number 12, and the execution chain was followed up to 10 only"
        );
        let other = Eth1Data { deposit_root: Root::ZERO, ..eth1_data(&chain, 8) };
        let error = chain.deposits_for(&state(ForkName::Deneb, 7), &other).unwrap_err();
        assert!(matches!(error, DepositsError::OtherRoot { count: 8, .. }));
        let error = chain.deposits_for(&state(ForkName::Deneb, 9), &eth1_data(&chain, 8)).unwrap_err();
        assert_eq!(error, DepositsError::CountBelowIndex { taken: 9, count: 8 });
        let finalized = eth1_data(&chain, 8);
        chain.tree.finalize(&finalized, 1).unwrap();
        let error = chain.deposits_for(&state(ForkName::Deneb, 7), &finalized).unwrap_err();
        assert!(matches!(error, DepositsError::Forgotten { due: 1, .. }));
    }

    #[test]
    fn since_electra_deposits_end_where_requests_begin() {
        let chain = chain_of(20);
        let agreed = eth1_data(&chain, 20);
        let due = |fork, taken, start_index| {
            let mut state = state(fork, taken);
            state.deposit_requests_start_index = start_index;
            chain.deposits_for(&state, &agreed).unwrap().len()
        };
        assert_eq!(due(ForkName::Deneb, 14, 0), 6);
        assert_eq!(due(ForkName::Electra, 14, UNSET_DEPOSIT_REQUESTS_START_INDEX), 6);
        assert_eq!(due(ForkName::Electra, 14, 17), 3);
        assert_eq!(due(ForkName::Electra, 17, 17), 0);
        assert_eq!(due(ForkName::Electra, 18, 17), 0);
        assert_eq!(due(ForkName::Fulu, 14, UNSET_DEPOSIT_REQUESTS_START_INDEX), 0);
    }

    #[test]
    fn a_vote_counts_with_those_before_it() {
        let chain = chain_of(9);
        let (old, new) = (eth1_data(&chain, 8), eth1_data(&chain, 9));
        let mut state = state(ForkName::Phase0, 8);
        state.eth1_data = old.clone();
        // Minimal's period has 32 slots.
        state.eth1_data_votes = vec![new.clone(); 15].into();
        assert_eq!(eth1_data_after_vote(&state, &new), &old);
        state.eth1_data_votes.push(new.clone());
        assert_eq!(eth1_data_after_vote(&state, &new), &new);
        let after = eth1_data_after_vote(&state, &new);
        assert_eq!(chain.deposits_for(&state, after).unwrap().len(), 1);
    }
}
