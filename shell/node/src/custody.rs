//! Which columns the node keeps and serves, and which its peers have.
//!
//! The custody grows with the balance of the validators that use the node, and never shrinks: peers rely on what was
//! announced. It is kept in the database, so that a restart has it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_availability::columns::compute_subnet_for_data_column_sidecar;
use data_availability::custody::{custody_columns, get_validators_custody_requirement, sampling_columns};
use data_availability::{ColumnIndex, NodeId};
use storage::{Database, Op};
use types::{BeaconState, Epoch, ForkName, Slot, Spec, ValidatorIndex};

use crate::NodeError;

/// The meta entry with the columns of the last run, and since when they are kept.
const CUSTODY: &str = "custody";
/// The meta entry with the number of groups that were announced last.
const GROUPS: &str = "custody_groups";
/// Validator clients name their validators once an epoch. Who was not named for longer uses the node no more.
const ATTACHED_EPOCHS: u64 = 4;
/// Validators that are counted; those beyond make no difference, since a node of so many has all columns.
const ATTACHED_MAX: usize = 65_536;

/// What the node keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custody {
    /// How many groups the node announces.
    pub groups: u64,
    /// The columns that it samples and keeps: those of its groups, and more where those are fewer than
    /// `SAMPLES_PER_SLOT`.
    pub columns: BTreeSet<ColumnIndex>,
    /// The first slot of which it has all these columns.
    pub since: Slot,
}

impl Custody {
    fn new(spec: &Spec, node_id: &NodeId, groups: u64, since: Slot) -> Self {
        let groups = groups.min(spec.config.number_of_custody_groups);
        let columns = sampling_columns(spec, node_id, groups).expect("there are as many groups");
        Self { groups, columns, since }
    }

    /// The subnets of its columns.
    pub fn subnets(&self, spec: &Spec) -> BTreeSet<u64> {
        self.columns.iter().map(|column| compute_subnet_for_data_column_sidecar(spec, *column)).collect()
    }

    fn store(&self, database: &Database) -> Result<(), NodeError> {
        let numbers = [self.since.0].into_iter().chain(self.columns.iter().copied());
        let columns = numbers.flat_map(u64::to_le_bytes).collect();
        let groups = self.groups.to_le_bytes().to_vec();
        database.apply_aside(&[
            Op::PutMeta(CUSTODY.to_owned(), columns),
            Op::PutMeta(GROUPS.to_owned(), groups),
        ])?;
        Ok(())
    }
}

/// The first slot, and the columns since then.
fn read(bytes: &[u8]) -> Option<(Slot, BTreeSet<ColumnIndex>)> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let since = Slot(numbers.next().filter(|_| rest.is_empty())?);
    Some((since, numbers.collect()))
}

/// The node's own custody as it changes.
#[derive(Debug)]
pub struct OwnCustody {
    spec: &'static Spec,
    node_id: NodeId,
    database: Arc<Database>,
    // Each held for single look-ups only.
    current: Mutex<Arc<Custody>>,
    /// The validators that use the node, and the epoch in which each was named last.
    attached: Mutex<BTreeMap<ValidatorIndex, Epoch>>,
}

impl OwnCustody {
    /// That of a node where it is now: `CUSTODY_REQUIREMENT` groups, or all of a supernode, and no fewer than in an
    /// earlier run. A node that keeps columns which the last run did not keep has them from now on only.
    pub fn open(
        spec: &'static Spec,
        node_id: NodeId,
        supernode: bool,
        database: Arc<Database>,
        now: Slot,
    ) -> Result<Self, NodeError> {
        let least = match supernode {
            true => spec.config.number_of_custody_groups,
            false => spec.config.custody_requirement,
        };
        let stored = database.meta(GROUPS)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let mut custody = Custody::new(spec, &node_id, least.max(stored.unwrap_or_default()), now);
        let is_new = database.fork_choice()?.is_none();
        match database.meta(CUSTODY)?.as_deref().and_then(read) {
            Some((since, columns)) if custody.columns.is_subset(&columns) => custody.since = since,
            None if is_new => custody.since = Slot(0),
            _ => {}
        }
        custody.store(&database)?;
        let (current, attached) = (Mutex::new(Arc::new(custody)), Mutex::default());
        Ok(Self { spec, node_id, database, current, attached })
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Custody>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept now.
    pub fn current(&self) -> Arc<Custody> {
        self.lock().clone()
    }

    /// Remembers that these validators use the node.
    pub fn attach(&self, validators: impl IntoIterator<Item = ValidatorIndex>, epoch: Epoch) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        for index in validators {
            if attached.len() < ATTACHED_MAX || attached.contains_key(&index) {
                attached.insert(index, epoch);
            }
        }
    }

    /// The validators that use the node in an epoch, in ascending order.
    pub fn attached(&self, epoch: Epoch) -> Vec<ValidatorIndex> {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        let uses = |named: &Epoch| named.saturating_add(ATTACHED_EPOCHS) >= epoch;
        attached.iter().filter(|(_, named)| uses(named)).map(|(index, _)| *index).collect()
    }

    /// Extends the custody where the validators that use the node make it so, by a finalized state; what is kept then.
    /// Columns that are new are complete from the next slot on.
    pub fn grow(&self, finalized: &BeaconState, now: Slot) -> Result<Option<Arc<Custody>>, NodeError> {
        let epoch = now.epoch(self.spec);
        let required = {
            let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
            attached.retain(|_, named| named.saturating_add(ATTACHED_EPOCHS) >= epoch);
            if attached.is_empty() {
                return Ok(None);
            }
            get_validators_custody_requirement(finalized, attached.keys().copied())
        };
        let mut current = self.lock();
        if required <= current.groups {
            return Ok(None);
        }
        let mut grown = Custody::new(self.spec, &self.node_id, required, current.since);
        // Before the first block with columns there is nothing to miss.
        let first = self.spec.fork_epoch(ForkName::Fulu).start_slot(self.spec).max(Slot(1));
        if grown.columns != current.columns && now >= first {
            grown.since = now + 1;
        }
        grown.store(&self.database)?;
        *current = Arc::new(grown);
        Ok(Some(current.clone()))
    }

    /// Remembers that all columns are here from an earlier slot on, where the custody is still the same.
    pub fn filled(&self, custody: &Arc<Custody>, since: Slot) -> Result<(), NodeError> {
        let mut current = self.lock();
        if Arc::ptr_eq(&current, custody) || current.columns == custody.columns {
            let filled = Custody { since: since.min(current.since), ..(**current).clone() };
            filled.store(&self.database)?;
            *current = Arc::new(filled);
        }
        Ok(())
    }
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
    use storage::{Batch, Identity, Memory};
    use types::{Gwei, Validator};

    const FULU: &str = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\nBELLATRIX_FORK_EPOCH: 0\n\
        CAPELLA_FORK_EPOCH: 0\nDENEB_FORK_EPOCH: 0\nELECTRA_FORK_EPOCH: 0\nFULU_FORK_EPOCH: 2\n";

    fn database() -> Arc<Database> {
        let identity = Identity { genesis_validators_root: [1; 32], config_fingerprint: [2; 32] };
        Arc::new(Database::in_memory(&Memory::default(), &identity).unwrap())
    }

    fn open(database: &Arc<Database>, supernode: bool, now: u64) -> OwnCustody {
        let spec = Spec::from_yaml(FULU, None).unwrap();
        OwnCustody::open(spec, [7; 32], supernode, database.clone(), Slot(now)).unwrap()
    }

    /// From now on the database has a chain.
    fn begin_chain(database: &Database) {
        let ops = vec![Op::PutForkChoice(vec![1])];
        database.apply(&[Batch { seq: 1, ops }]).unwrap();
    }

    fn state() -> BeaconState {
        let mut state = BeaconState::empty(Spec::from_yaml(FULU, None).unwrap(), ForkName::Fulu);
        for _ in 0..50 {
            let effective_balance = Gwei(32_000_000_000);
            state.validators.push(Validator { effective_balance, ..Validator::default() });
        }
        state
    }

    fn validators(count: u64) -> impl Iterator<Item = ValidatorIndex> {
        (0..count).map(ValidatorIndex)
    }

    #[test]
    fn a_node_samples_what_it_has_in_custody_and_a_supernode_everything() {
        let spec = Spec::minimal();
        let minimal = open(&database(), false, 0).current();
        assert_eq!((minimal.groups, minimal.columns.len()), (4, 8));
        assert!(columns_of_peer(spec, &[7; 32], None).is_subset(&minimal.columns));
        assert_eq!(minimal.subnets(spec).len(), 8);
        let all = open(&database(), true, 0).current();
        assert_eq!((all.groups, all.columns.len()), (128, 128));
        assert_eq!(columns_of_peer(spec, &[7; 32], Some(u64::MAX)).len(), 128);
    }

    #[test]
    fn columns_that_an_earlier_run_did_not_keep_are_there_from_now_on_only() {
        let database = database();
        assert_eq!(open(&database, false, 50).current().since, Slot(0), "all of a new chain");
        begin_chain(&database);
        assert_eq!(open(&database, false, 60).current().since, Slot(0));
        assert_eq!(open(&database, true, 80).current().since, Slot(80));
        assert_eq!(open(&database, true, 90).current().since, Slot(80));
    }

    #[test]
    fn the_custody_grows_with_the_validators_and_stays_after_they_have_gone_and_after_a_restart() {
        let (database, state) = (database(), state());
        let custody = open(&database, false, 0);
        begin_chain(&database);
        assert_eq!(custody.grow(&state, Slot(20)).unwrap(), None, "nobody uses it");
        custody.attach(validators(3), Epoch(2));
        let few = custody.grow(&state, Slot(20)).unwrap().unwrap();
        // Eight columns were sampled before as well.
        assert_eq!((few.groups, few.columns.len(), few.since), (8, 8, Slot(0)));
        custody.attach(validators(40), Epoch(2));
        let many = custody.grow(&state, Slot(20)).unwrap().unwrap();
        assert_eq!((many.groups, many.columns.len(), many.since), (40, 40, Slot(21)));
        assert!(few.columns.is_subset(&many.columns));
        assert_eq!(custody.grow(&state, Slot(20)).unwrap(), None, "it is as it should be");
        // Sixty epochs later nobody uses the node any more.
        assert_eq!(custody.grow(&state, Slot(500)).unwrap(), None);
        assert_eq!(custody.current(), many);
        assert_eq!(open(&database, false, 600).current(), many);
        assert_eq!(open(&database, true, 600).current().since, Slot(600));
    }

    #[test]
    fn before_there_are_columns_none_are_missed() {
        let custody = open(&database(), false, 0);
        custody.attach(validators(40), Epoch(0));
        // Fulu begins in slot 16.
        let grown = custody.grow(&state(), Slot(15)).unwrap().unwrap();
        assert_eq!((grown.groups, grown.since), (40, Slot(0)));
    }

    #[test]
    fn what_was_fetched_later_counts_unless_the_custody_has_grown_meanwhile() {
        let database = database();
        let custody = open(&database, false, 0);
        custody.attach(validators(20), Epoch(2));
        let first = custody.grow(&state(), Slot(20)).unwrap().unwrap();
        custody.filled(&first, Slot(18)).unwrap();
        assert_eq!(custody.current().since, Slot(18));
        custody.attach(validators(30), Epoch(3));
        let second = custody.grow(&state(), Slot(30)).unwrap().unwrap();
        custody.filled(&first, Slot(16)).unwrap();
        assert_eq!(custody.current(), second);
        assert_eq!(second.since, Slot(31));
    }
}
