//! Which column subnets a node hears, by its id and its custody group count: for discovery's searches.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md>

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use types::Spec;

/// How columns are dealt to nodes and subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnCustody {
    /// `NUMBER_OF_CUSTODY_GROUPS`.
    pub groups: u64,
    /// `NUMBER_OF_COLUMNS`.
    pub columns: u64,
    /// `DATA_COLUMN_SIDECAR_SUBNET_COUNT`.
    pub subnets: u64,
}

impl ColumnCustody {
    /// That of a network.
    pub fn of(spec: &Spec) -> Self {
        Self {
            groups: spec.config.number_of_custody_groups,
            columns: spec.preset.number_of_columns,
            subnets: spec.config.data_column_sidecar_subnet_count,
        }
    }

    /// [`get_custody_groups`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/das-core.md#get_custody_groups)
    /// of a node id (big-endian, as records have it). A count above the number of groups is taken for that number.
    pub fn get_custody_groups(&self, node_id: &[u8; 32], custody_group_count: u64) -> BTreeSet<u64> {
        if custody_group_count >= self.groups {
            return (0..self.groups).collect();
        }
        let mut current_id = *node_id;
        current_id.reverse();
        let mut groups = BTreeSet::new();
        while (groups.len() as u64) < custody_group_count {
            let hash: [u8; 32] = Sha256::digest(current_id).into();
            let number = u64::from_le_bytes(hash[..8].try_into().expect("8 bytes"));
            groups.insert(number % self.groups);
            // The next id, little-endian; the one after the last is 0.
            for byte in &mut current_id {
                let (next, carry) = byte.overflowing_add(1);
                *byte = next;
                if !carry {
                    break;
                }
            }
        }
        groups
    }

    /// The subnets of the columns that a node has in custody.
    pub fn subnets_of(&self, node_id: &[u8; 32], custody_group_count: u64) -> BTreeSet<u64> {
        let (subnets, per_group) = (self.subnets.max(1), self.columns / self.groups.max(1));
        let groups = self.get_custody_groups(node_id, custody_group_count);
        // compute_columns_for_custody_group, and compute_subnet_for_data_column_sidecar of each column.
        let columns =
            groups.iter().flat_map(|group| (0..per_group).map(move |index| self.groups * index + group));
        columns.map(|column| column % subnets).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(node_id: &str, count: u64) -> Vec<u64> {
        let mut node_id = types::Uint256::from_decimal(node_id).unwrap().0;
        node_id.reverse();
        ColumnCustody::of(Spec::minimal()).get_custody_groups(&node_id, count).into_iter().collect()
    }

    #[test]
    fn groups_follow_from_the_node_id_as_in_the_specification() {
        let id = "84065159290331321853352677657753050104170032838956724170714636178275273565505";
        assert_eq!(groups(id, 6), [27, 29, 58, 67, 96, 117]);
        // The number after the greatest is 0.
        let greatest = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(groups(greatest, 4), [1, 47, 87, 102]);
        assert_eq!(groups(greatest, 0), Vec::<u64>::new());
    }

    #[test]
    fn a_node_without_custody_hears_nothing_and_a_supernode_everything() {
        let custody = ColumnCustody::of(Spec::mainnet());
        assert!(custody.subnets_of(&[5; 32], 0).is_empty());
        assert_eq!(custody.subnets_of(&[5; 32], 128).len(), 128);
        assert_eq!(custody.subnets_of(&[5; 32], u64::MAX).len(), 128);
        assert_eq!(custody.subnets_of(&[0xff; 32], 4), BTreeSet::from([1, 47, 87, 102]));
        // With fewer groups each has several columns, and with fewer subnets each hears several.
        let coarse = ColumnCustody { groups: 4, columns: 16, subnets: 8 };
        for subnets in [coarse.subnets_of(&[1; 32], 1), coarse.subnets_of(&[2; 32], 1)] {
            assert_eq!(subnets.len(), 2, "{subnets:?}");
        }
    }
}
