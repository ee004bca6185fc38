//! Which columns the node keeps and serves, and which its peers have.

use std::collections::BTreeSet;

use data_availability::columns::compute_subnet_for_data_column_sidecar;
use data_availability::custody::{custody_columns, sampling_columns};
use data_availability::{ColumnIndex, NodeId};
use storage::{Batch, Database, Op};
use types::{Slot, Spec};

use crate::NodeError;

/// The meta entry with the custody of the last run.
const CUSTODY: &str = "custody";

/// The node's own custody, which stays the same while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custody {
    /// How many groups the node announces.
    pub groups: u64,
    /// The columns that it samples and keeps: those of its groups, and more where those are fewer than
    /// `SAMPLES_PER_SLOT`.
    pub columns: BTreeSet<ColumnIndex>,
}

impl Custody {
    /// That of a node: `CUSTODY_REQUIREMENT` groups, or all of a supernode.
    pub fn new(spec: &Spec, node_id: &NodeId, supernode: bool) -> Self {
        let all = spec.config.number_of_custody_groups;
        let groups = if supernode { all } else { spec.config.custody_requirement.min(all) };
        let columns = sampling_columns(spec, node_id, groups).expect("there are as many groups");
        Self { groups, columns }
    }

    /// The subnets of its columns.
    pub fn subnets(&self, spec: &Spec) -> BTreeSet<u64> {
        self.columns.iter().map(|column| compute_subnet_for_data_column_sidecar(spec, *column)).collect()
    }

    /// The first slot whose columns the database has whole, given where the node is now. A node that keeps columns
    /// which an earlier run did not keep has them from now on only; it is written down, since it stays so.
    pub fn since(&self, database: &Database, now: Slot) -> Result<Slot, NodeError> {
        let is_new = database.fork_choice()?.is_none();
        let since = match database.meta(CUSTODY)?.as_deref().and_then(read) {
            Some((since, columns)) if self.columns.is_subset(&columns) => since,
            None if is_new => Slot(0),
            _ => now,
        };
        let seq = database.last_seq()? + 1;
        let op = Op::PutMeta(CUSTODY.to_owned(), self.write(since));
        database.apply(&[Batch { seq, ops: vec![op] }])?;
        Ok(since)
    }

    fn write(&self, since: Slot) -> Vec<u8> {
        [since.0].iter().chain(&self.columns).flat_map(|number| number.to_le_bytes()).collect()
    }
}

/// The first slot, and the columns since then.
fn read(bytes: &[u8]) -> Option<(Slot, BTreeSet<ColumnIndex>)> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let since = Slot(numbers.next().filter(|_| rest.is_empty())?);
    Some((since, numbers.collect()))
}

/// The columns that a peer has in custody. A peer that does not say how many groups it has must have
/// `CUSTODY_REQUIREMENT`; one that says more than there are has all.
pub fn columns_of_peer(spec: &Spec, node_id: &NodeId, groups: Option<u64>) -> BTreeSet<ColumnIndex> {
    let all = spec.config.number_of_custody_groups;
    let groups = groups.unwrap_or(spec.config.custody_requirement).min(all);
    custody_columns(spec, node_id, groups).expect("there are as many groups")
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{Identity, Memory};

    fn custody(columns: impl IntoIterator<Item = u64>) -> Custody {
        Custody { groups: 4, columns: columns.into_iter().collect() }
    }

    #[test]
    fn a_node_samples_what_it_has_in_custody_and_a_supernode_everything() {
        let spec = Spec::minimal();
        let minimal = Custody::new(spec, &[7; 32], false);
        assert_eq!((minimal.groups, minimal.columns.len()), (4, 8));
        assert!(columns_of_peer(spec, &[7; 32], None).is_subset(&minimal.columns));
        assert_eq!(minimal.subnets(spec).len(), 8);
        let all = Custody::new(spec, &[7; 32], true);
        assert_eq!((all.groups, all.columns.len()), (128, 128));
        assert_eq!(columns_of_peer(spec, &[7; 32], Some(u64::MAX)).len(), 128);
    }

    #[test]
    fn columns_that_an_earlier_run_did_not_keep_are_there_from_now_on_only() {
        let identity = Identity { genesis_validators_root: [1; 32], config_fingerprint: [2; 32] };
        let database = Database::in_memory(&Memory::default(), &identity).unwrap();
        assert_eq!(custody([1, 2]).since(&database, Slot(50)).unwrap(), Slot(0), "all of a new chain");
        let chain = Op::PutForkChoice(vec![1]);
        database.apply(&[Batch { seq: 9, ops: vec![chain] }]).unwrap();
        assert_eq!(custody([1, 2]).since(&database, Slot(60)).unwrap(), Slot(0));
        assert_eq!(custody([2]).since(&database, Slot(70)).unwrap(), Slot(0));
        // Column 1 was not kept in the last run.
        assert_eq!(custody([1, 2]).since(&database, Slot(80)).unwrap(), Slot(80));
        assert_eq!(custody([1, 2]).since(&database, Slot(90)).unwrap(), Slot(80));
    }
}
