//! What the caller tells the store: the consequences of blocks, attestations and states.

use types::{Checkpoint, Gwei, Root, Slot, Time, ValidatorIndex};

use crate::BalancesInvalid;

/// The trusted block the store begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorBlock {
    /// Slot of the block, and of its post-state.
    pub slot: Slot,
    /// Root of the block.
    pub root: Root,
    /// Root of its parent, which the store does not know.
    pub parent_root: Root,
    /// Who proposed it.
    pub proposer_index: ValidatorIndex,
    /// Root of its post-state.
    pub state_root: Root,
    /// `current_justified_checkpoint` of its post-state.
    pub justified: Checkpoint,
    /// `finalized_checkpoint` of its post-state.
    pub finalized: Checkpoint,
    /// What is known of its payload. What is trusted is valid, or from before the merge.
    pub execution: ExecutionStatus,
}

/// A block that passed the state transition, and what its post-state says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFacts {
    /// Slot of the block.
    pub slot: Slot,
    /// Root of the block.
    pub root: Root,
    /// Root of its parent.
    pub parent_root: Root,
    /// Who proposed it.
    pub proposer_index: ValidatorIndex,
    /// Root of its post-state.
    pub state_root: Root,
    /// `current_justified_checkpoint` of its post-state.
    pub justified: Checkpoint,
    /// `finalized_checkpoint` of its post-state.
    pub finalized: Checkpoint,
    /// `current_justified_checkpoint` after `process_justification_and_finalization` on its post-state.
    pub unrealized_justified: Checkpoint,
    /// `finalized_checkpoint` after `process_justification_and_finalization` on its post-state.
    pub unrealized_finalized: Checkpoint,
    /// When the block was received. The specification takes the moment of the import instead, which would
    /// make a block late because this node was slow; with `arrived` equal to the store's time both agree.
    pub arrived: Time,
    /// What the execution layer says of its payload.
    pub execution: ExecutionStatus,
}

/// What the execution layer says of a block's payload, see
/// [optimistic sync](https://github.com/ethereum/consensus-specs/blob/master/sync/optimistic.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExecutionStatus {
    /// The block has no payload: it is from before the merge.
    #[default]
    Irrelevant,
    /// An engine executed the payload, or a payload that builds on it.
    Valid {
        /// The hash of the execution block.
        block_hash: Root,
    },
    /// No engine has executed it yet: the block is followed optimistically.
    NotValidated {
        /// The hash of the execution block.
        block_hash: Root,
    },
    /// An engine found it, or a payload that it builds on, invalid: the block leads to no head.
    Invalidated {
        /// The hash of the execution block.
        block_hash: Root,
    },
}

impl ExecutionStatus {
    /// The hash of the execution block; none before the merge.
    pub fn block_hash(&self) -> Option<Root> {
        match self {
            Self::Irrelevant => None,
            Self::Valid { block_hash }
            | Self::NotValidated { block_hash }
            | Self::Invalidated { block_hash } => Some(*block_hash),
        }
    }

    /// True where the block is followed without a verdict of an engine.
    pub fn is_optimistic(&self) -> bool {
        matches!(self, Self::NotValidated { .. })
    }

    /// True where nothing that descends from the block may be followed.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalidated { .. })
    }
}

/// The part of an `AttestationData` that fork choice reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationFacts {
    /// Slot the vote is for.
    pub slot: Slot,
    /// The head voted for.
    pub beacon_block_root: Root,
    /// The target voted for.
    pub target: Checkpoint,
}

/// How an attestation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Inside a block: an old target epoch is no fault.
    Block,
    /// Directly from the wire: the target must be of the current or the previous epoch.
    Wire,
}

/// The balances that votes weigh: those of the justified checkpoint's state.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct JustifiedBalances {
    effective: Vec<Gwei>,
    /// The effective balances, none of them zero, of validators that are slashed or not active, by index. They weigh no
    /// vote, and are few: who has left and withdrawn has none.
    uncounted: Vec<(u32, Gwei)>,
    total_active: Gwei,
}

impl JustifiedBalances {
    /// `effective[i]` is the effective balance of validator `i` where it is active and not slashed, else
    /// zero. `total_active` is `get_total_active_balance`, in which slashed but active validators count.
    ///
    /// Fails when the balances add up to more than the total, or the total is no sensible amount.
    pub fn new(effective: Vec<Gwei>, total_active: Gwei) -> Result<Self, BalancesInvalid> {
        // Deltas are signed, so a total must fit twice into an i64.
        if total_active.0 > i64::MAX as u64 / 2 {
            return Err(BalancesInvalid::TotalTooLarge);
        }
        let sum = effective.iter().try_fold(0u64, |sum, balance| sum.checked_add(balance.0));
        match sum {
            Some(sum) if sum <= total_active.0 => Ok(Self { effective, uncounted: Vec::new(), total_active }),
            _ => Err(BalancesInvalid::SumAboveTotal),
        }
    }

    /// As [`Self::new`], of all validators in their order: the effective balance of each, and whether it is active and
    /// not slashed.
    pub fn of_validators(
        validators: impl Iterator<Item = (Gwei, bool)>,
        total_active: Gwei,
    ) -> Result<Self, BalancesInvalid> {
        let (mut effective, mut uncounted) = (Vec::with_capacity(validators.size_hint().0), Vec::new());
        for ((balance, counts), index) in validators.zip(0..) {
            effective.push(if counts { balance } else { Gwei(0) });
            if !counts && balance != Gwei(0) {
                uncounted.push((index, balance));
            }
        }
        Ok(Self { uncounted, ..Self::new(effective, total_active)? })
    }

    /// The effective balance of a validator, whether or not it is active or slashed; zero where it is not known.
    pub fn raw(&self, validator: ValidatorIndex) -> Gwei {
        let place = self.uncounted.binary_search_by_key(&validator.0, |(index, _)| u64::from(*index));
        place.map_or_else(|_| self.effective(validator), |place| self.uncounted[place].1)
    }

    /// The validators whose balance weighs no vote though they have one, by ascending index.
    pub(crate) fn uncounted(&self) -> &[(u32, Gwei)] {
        &self.uncounted
    }

    /// Adds what [`Self::uncounted`] gave; false where it contradicts the rest.
    pub(crate) fn set_uncounted(&mut self, uncounted: Vec<(u32, Gwei)>) -> bool {
        let ascends = uncounted.is_sorted_by(|one, next| one.0 < next.0);
        let fits = |(index, balance): &(u32, Gwei)| {
            *balance != Gwei(0) && self.effective.get(*index as usize) == Some(&Gwei(0))
        };
        let is_right = ascends && uncounted.iter().all(fits);
        self.uncounted = uncounted;
        is_right
    }

    /// The effective balance of a validator that is active and not slashed, else zero.
    pub fn effective(&self, validator: ValidatorIndex) -> Gwei {
        self.effective.get(validator.as_usize()).copied().unwrap_or_default()
    }

    /// `get_total_active_balance` of the justified state.
    pub fn total_active(&self) -> Gwei {
        self.total_active
    }

    /// One effective balance a validator, zero where it does not count.
    pub fn as_slice(&self) -> &[Gwei] {
        &self.effective
    }

    pub(crate) fn at(&self, validator: usize) -> i64 {
        self.effective.get(validator).map_or(0, |balance| balance.0 as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_above_their_total_are_refused() {
        let too_much = JustifiedBalances::new(vec![Gwei(2), Gwei(3)], Gwei(4));
        assert_eq!(too_much, Err(BalancesInvalid::SumAboveTotal));
        let wraps = JustifiedBalances::new(vec![Gwei(u64::MAX), Gwei(2)], Gwei(4));
        assert_eq!(wraps, Err(BalancesInvalid::SumAboveTotal));
        assert_eq!(JustifiedBalances::new(vec![], Gwei(u64::MAX)), Err(BalancesInvalid::TotalTooLarge));
    }

    #[test]
    fn who_is_slashed_or_inactive_weighs_nothing_but_keeps_its_balance() {
        let validators = [(Gwei(2), true), (Gwei(3), false), (Gwei(0), false), (Gwei(4), true)];
        let balances = JustifiedBalances::of_validators(validators.into_iter(), Gwei(9)).unwrap();
        let each = |of: fn(&JustifiedBalances, ValidatorIndex) -> Gwei| {
            (0..5).map(|index| of(&balances, ValidatorIndex(index)).0).collect::<Vec<_>>()
        };
        assert_eq!(each(JustifiedBalances::effective), [2, 0, 0, 4, 0]);
        assert_eq!(each(JustifiedBalances::raw), [2, 3, 0, 4, 0]);
    }

    #[test]
    fn an_unknown_validator_weighs_nothing() {
        let balances = JustifiedBalances::new(vec![Gwei(2)], Gwei(4)).unwrap();
        assert_eq!(balances.effective(ValidatorIndex(0)), Gwei(2));
        assert_eq!(balances.effective(ValidatorIndex(9)), Gwei(0));
    }
}
