//! Which columns a node keeps and samples, as a function of its identity.

use std::collections::BTreeSet;

use crypto::hash;
use types::{BeaconState, Spec, ValidatorIndex};

use crate::{ColumnIndex, CustodyIndex, NodeId};

/// More groups were asked for, or a later one, than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} is out of range: there are {groups} custody groups")]
pub struct NoSuchGroup {
    /// What was asked for.
    pub asked: u64,
    /// `NUMBER_OF_CUSTODY_GROUPS`.
    pub groups: u64,
}

/// [`get_custody_groups`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#get_custody_groups),
/// in ascending order.
pub fn get_custody_groups(
    spec: &Spec,
    node_id: &NodeId,
    custody_group_count: u64,
) -> Result<BTreeSet<CustodyIndex>, NoSuchGroup> {
    let groups = spec.config.number_of_custody_groups;
    if custody_group_count > groups {
        return Err(NoSuchGroup { asked: custody_group_count, groups });
    }
    if custody_group_count == groups {
        return Ok((0..groups).collect());
    }
    // Numbers are hashed little endian.
    let mut current_id = *node_id;
    current_id.reverse();
    let mut custody_groups = BTreeSet::new();
    while (custody_groups.len() as u64) < custody_group_count {
        let digest = hash(&current_id);
        let number = u64::from_le_bytes(digest[..8].try_into().expect("8 bytes"));
        custody_groups.insert(number % groups);
        increment(&mut current_id);
    }
    Ok(custody_groups)
}

/// Adds one to a little-endian number; the largest is followed by zero.
fn increment(number: &mut [u8; 32]) {
    for digit in number {
        *digit = digit.wrapping_add(1);
        if *digit != 0 {
            break;
        }
    }
}

/// [`compute_columns_for_custody_group`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#compute_columns_for_custody_group),
/// in ascending order.
pub fn compute_columns_for_custody_group(
    spec: &Spec,
    custody_group: CustodyIndex,
) -> Result<Vec<ColumnIndex>, NoSuchGroup> {
    let groups = spec.config.number_of_custody_groups;
    if custody_group >= groups {
        return Err(NoSuchGroup { asked: custody_group, groups });
    }
    Ok((0..spec.preset.number_of_columns / groups).map(|round| groups * round + custody_group).collect())
}

/// The columns of so many of a node's groups.
pub fn custody_columns(
    spec: &Spec,
    node_id: &NodeId,
    custody_group_count: u64,
) -> Result<BTreeSet<ColumnIndex>, NoSuchGroup> {
    let mut columns = BTreeSet::new();
    for group in get_custody_groups(spec, node_id, custody_group_count)? {
        columns.extend(compute_columns_for_custody_group(spec, group)?);
    }
    Ok(columns)
}

/// The columns that a node fetches in every slot, by
/// [custody sampling](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#custody-sampling):
/// those in its custody, and more where they are fewer than `SAMPLES_PER_SLOT` groups'.
pub fn sampling_columns(
    spec: &Spec,
    node_id: &NodeId,
    custody_group_count: u64,
) -> Result<BTreeSet<ColumnIndex>, NoSuchGroup> {
    let least = spec.config.samples_per_slot.min(spec.config.number_of_custody_groups);
    custody_columns(spec, node_id, custody_group_count.max(least))
}

/// [`get_validators_custody_requirement`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/validator.md#get_validators_custody_requirement):
/// how many groups a node must have whose validators these are. An index that the state does not have counts as a
/// validator without balance.
pub fn get_validators_custody_requirement(
    state: &BeaconState,
    validator_indices: impl IntoIterator<Item = ValidatorIndex>,
) -> u64 {
    let config = &state.spec().config;
    let balances = validator_indices
        .into_iter()
        .filter_map(|index| state.validators.get(index.as_usize()))
        .map(|validator| validator.effective_balance.0);
    let total_node_balance = balances.fold(0u64, u64::saturating_add);
    let count = total_node_balance / config.balance_per_additional_custody_group.max(1);
    count.max(config.validator_custody_requirement).min(config.number_of_custody_groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ForkName, Gwei, Validator};

    #[test]
    fn more_groups_extend_fewer_and_the_largest_identity_is_followed_by_zero() {
        let spec = Spec::mainnet();
        for node_id in [[0; 32], [255; 32], [7; 32]] {
            let mut smaller = BTreeSet::new();
            for count in 0..=128 {
                let groups = get_custody_groups(spec, &node_id, count).unwrap();
                assert_eq!(groups.len() as u64, count);
                assert!(groups.is_superset(&smaller), "{count}");
                smaller = groups;
            }
        }
        let mut largest = [255; 32];
        increment(&mut largest);
        assert_eq!(largest, [0; 32]);
    }

    #[test]
    fn all_groups_together_have_every_column_once() {
        let spec = Spec::mainnet();
        let columns: Vec<u64> =
            (0..128).flat_map(|group| compute_columns_for_custody_group(spec, group).unwrap()).collect();
        assert_eq!(columns.len() as u64, spec.preset.number_of_columns);
        assert_eq!(columns.into_iter().collect::<BTreeSet<_>>(), (0..128).collect());
    }

    #[test]
    fn what_is_sampled_includes_what_is_in_custody() {
        let spec = Spec::mainnet();
        let custody = custody_columns(spec, &[3; 32], spec.config.custody_requirement).unwrap();
        let sampled = sampling_columns(spec, &[3; 32], spec.config.custody_requirement).unwrap();
        assert_eq!((custody.len(), sampled.len()), (4, 8));
        assert!(sampled.is_superset(&custody));
        assert_eq!(sampling_columns(spec, &[3; 32], 20).unwrap().len(), 20);
    }

    #[test]
    fn a_node_with_validators_has_a_group_for_every_32_ether_within_bounds() {
        let spec = Spec::mainnet();
        let mut state = BeaconState::empty(spec, ForkName::Fulu);
        for index in 0..200u64 {
            let effective_balance = Gwei(if index == 0 { 2048 } else { 32 } * 1_000_000_000);
            state.validators.push(Validator { effective_balance, ..Validator::default() });
        }
        let of = |indices: std::ops::Range<u64>| {
            get_validators_custody_requirement(&state, indices.map(ValidatorIndex))
        };
        assert_eq!([of(1..2), of(1..9), of(1..10), of(1..129), of(1..200)], [8, 8, 9, 128, 128]);
        assert_eq!([of(0..1), of(0..2)], [64, 65]);
        assert_eq!(of(195..1000), 8, "five are known");
    }

    #[test]
    fn groups_that_are_not_there_are_refused() {
        let spec = Spec::mainnet();
        assert!(get_custody_groups(spec, &[0; 32], 129).is_err());
        assert_eq!(
            compute_columns_for_custody_group(spec, 128),
            Err(NoSuchGroup { asked: 128, groups: 128 })
        );
    }
}
