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

/// `EFFECTIVE_BALANCE_INCREMENT` of every preset, in Gwei.
pub(crate) const UNIT: u64 = 1_000_000_000;

/// In place of units: the balance is kept apart.
pub(crate) const ODD: u16 = u16::MAX;

/// The balances that votes weigh: those of the justified checkpoint's state. Two bytes a validator, since an effective
/// balance is some increments; any other is kept apart.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct JustifiedBalances {
    /// The effective balances in [`UNIT`]s, or [`ODD`].
    units: Vec<u16>,
    /// Effective balances that no number of units below [`ODD`] makes, by ascending index.
    odd: Vec<(u32, Gwei)>,
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
        Self::of_validators(effective.into_iter().map(|balance| (balance, true)), total_active)
    }

    /// As [`Self::new`], of all validators in their order: the effective balance of each, and whether it is active and
    /// not slashed.
    pub fn of_validators(
        validators: impl Iterator<Item = (Gwei, bool)>,
        total_active: Gwei,
    ) -> Result<Self, BalancesInvalid> {
        // Scores are sums of balances and a boost, and must fit into an u64.
        if total_active.0 > i64::MAX as u64 / 2 {
            return Err(BalancesInvalid::TotalTooLarge);
        }
        let units = Vec::with_capacity(validators.size_hint().0);
        let mut balances = Self { units, odd: Vec::new(), uncounted: Vec::new(), total_active };
        let mut left = total_active.0;
        for ((balance, counts), index) in validators.zip(0..) {
            let counted = if counts { balance.0 } else { 0 };
            left = left.checked_sub(counted).ok_or(BalancesInvalid::SumAboveTotal)?;
            balances.units.push(match u16::try_from(counted / UNIT) {
                Ok(units) if units != ODD && counted % UNIT == 0 => units,
                _ => {
                    balances.odd.push((index, balance));
                    ODD
                }
            });
            if !counts && balance != Gwei(0) {
                balances.uncounted.push((index, balance));
            }
        }
        Ok(balances)
    }

    /// The effective balance of a validator, whether or not it is active or slashed; zero where it is not known.
    pub fn raw(&self, validator: ValidatorIndex) -> Gwei {
        find(&self.uncounted, validator).unwrap_or_else(|| self.effective(validator))
    }

    /// The validators whose balance weighs no vote though they have one, by ascending index.
    pub(crate) fn uncounted(&self) -> &[(u32, Gwei)] {
        &self.uncounted
    }

    /// Adds what [`Self::uncounted`] gave; false where it contradicts the rest.
    pub(crate) fn set_uncounted(&mut self, uncounted: Vec<(u32, Gwei)>) -> bool {
        let ascends = uncounted.is_sorted_by(|one, next| one.0 < next.0);
        let fits = |(index, balance): &(u32, Gwei)| {
            *balance != Gwei(0) && self.units.get(*index as usize) == Some(&0)
        };
        let is_right = ascends && uncounted.iter().all(fits);
        self.uncounted = uncounted;
        is_right
    }

    /// The effective balance of a validator that is active and not slashed, else zero.
    pub fn effective(&self, validator: ValidatorIndex) -> Gwei {
        match self.units.get(validator.as_usize()) {
            None => Gwei(0),
            Some(&ODD) => find(&self.odd, validator).expect("every odd balance is listed"),
            Some(units) => Self::of_units(*units),
        }
    }

    /// `get_total_active_balance` of the justified state.
    pub fn total_active(&self) -> Gwei {
        self.total_active
    }

    /// How many validators are known.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// True where no validator is known.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// One effective balance a validator, zero where it does not count.
    pub fn iter(&self) -> impl Iterator<Item = Gwei> + '_ {
        (0..self.units.len() as u64).map(|index| self.effective(ValidatorIndex(index)))
    }

    /// The effective balance in [`UNIT`]s; [`ODD`] where [`Self::effective`] has to be asked.
    pub(crate) fn units(&self, validator: usize) -> u16 {
        self.units.get(validator).copied().unwrap_or_default()
    }

    pub(crate) fn of_units(units: u16) -> Gwei {
        Gwei(u64::from(units) * UNIT)
    }

    /// The balances in [`UNIT`]s, and those that are [`ODD`].
    pub(crate) fn parts(&self) -> (&[u16], &[(u32, Gwei)]) {
        (&self.units, &self.odd)
    }
}

fn find(list: &[(u32, Gwei)], validator: ValidatorIndex) -> Option<Gwei> {
    let place = list.binary_search_by_key(&validator.0, |(index, _)| u64::from(*index));
    place.ok().map(|place| list[place].1)
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
