//! [`light_client/data_collection`](https://github.com/ethereum/consensus-specs/blob/master/tests/formats/light_client/data_collection.md):
//! what a full node has for light clients, while it imports blocks and changes its head.
//!
//! Blocks are executed and their signatures verified. What the vector does not list must not be there either.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use light_client::{LightClientData, Limits, compute_sync_committee_period_at_slot};
use serde::Deserialize;
use ssz::{Ssz, SszExt};
use transition::genesis::genesis_block;
use transition::misc::compute_fork_digest;
use transition::{Signatures, ValidateResult, state_transition};
use types::{BeaconState, Checkpoint, Root, SignedBeaconBlock, Slot, Spec};

use crate::case::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    new_block: Option<Object>,
    new_head: Option<NewHead>,
}

/// A file, and the fork of what is in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    fork_digest: String,
    data: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHead {
    head_block_root: String,
    checks: Checks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    latest_finalized_checkpoint: Finalized,
    bootstraps: Vec<OfBlock>,
    best_updates: Vec<OfPeriod>,
    latest_finality_update: Option<Object>,
    latest_optimistic_update: Option<Object>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finalized {
    epoch: u64,
    root: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfBlock {
    block_root: String,
    bootstrap: Option<Object>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPeriod {
    period: u64,
    update: Option<Object>,
}

struct Node<'a> {
    case: &'a Case,
    spec: &'static Spec,
    genesis_validators_root: Root,
    data: LightClientData,
    /// Post-states of all blocks.
    states: BTreeMap<Root, BeaconState>,
    /// The newest finalized checkpoint of any head.
    finalized: Checkpoint,
}

pub fn run(case: &Case) -> crate::runners::Result {
    let state = case.state("initial_state.ssz")?;
    let block = genesis_block(&state);
    let root = block.message.hash_tree_root(state.ctx());
    let mut node = Node {
        case,
        spec: state.spec(),
        genesis_validators_root: state.genesis_validators_root,
        data: LightClientData::new(&state, &block, Limits::default())?,
        finalized: state.finalized_checkpoint.clone(),
        states: BTreeMap::from([(root, state)]),
    };
    for (place, step) in case.yaml::<Vec<Step>>("steps.yaml")?.into_iter().enumerate() {
        node.take(step).with_context(|| format!("step {place}"))?;
    }
    Ok(())
}

impl Node<'_> {
    fn take(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step { new_block: Some(object), new_head: None } => self.new_block(&object),
            Step { new_block: None, new_head: Some(step) } => self.new_head(&step),
            _ => bail!("the step is not of exactly one kind"),
        }
    }

    fn new_block(&mut self, object: &Object) -> anyhow::Result<()> {
        let fork = super::fork_of_digest(self.spec, self.genesis_validators_root, &object.fork_digest)?;
        let block: SignedBeaconBlock = super::object(self.case, &object.data, fork)?;
        let message = &block.message;
        let mut state = self.states.get(&message.parent_root).context("the parent is not known")?.clone();
        state_transition(&mut state, &block, &mut Signatures::Verify, ValidateResult::Yes)?;
        ensure!(state.fork_name() == fork, "the digest is that of {fork}");
        self.data.add_block(&state, &block)?;
        self.states.insert(message.hash_tree_root(state.ctx()), state);
        Ok(())
    }

    fn new_head(&mut self, step: &NewHead) -> anyhow::Result<()> {
        let root: Root = step.head_block_root.parse()?;
        let state = self.states.get(&root).context("the head is not known")?;
        let finalized = &state.finalized_checkpoint;
        if finalized.epoch > self.finalized.epoch {
            self.finalized = finalized.clone();
        }
        let period = compute_sync_committee_period_at_slot(self.spec, state.slot);
        self.data.update_head(root, finalized.root);
        self.check(&step.checks, period)
    }

    /// Compares what there is with what the vector lists; `period` is the head's.
    fn check(&self, checks: &Checks, period: u64) -> anyhow::Result<()> {
        let Finalized { epoch, root } = &checks.latest_finalized_checkpoint;
        let is_same = self.finalized.epoch == *epoch && self.finalized.root.to_string() == *root;
        ensure!(is_same, "finalized is {:?}", self.finalized);
        self.check_bootstraps(&checks.bootstraps)?;
        let mut listed = BTreeSet::new();
        for OfPeriod { period, update } in &checks.best_updates {
            let found = self.data.best_update(*period);
            let found = found.as_ref().map(|found| (&**found, found.attested_header.beacon.slot));
            self.compare(update.as_ref(), found).with_context(|| format!("update of period {period}"))?;
            listed.insert(*period);
        }
        let unlisted = (0..=period + 1)
            .find(|period| !listed.contains(period) && self.data.best_update(*period).is_some());
        ensure!(unlisted.is_none(), "an update of period {unlisted:?} that is not listed");
        let found = self.data.finality_update();
        let found = found.as_ref().map(|found| (&**found, found.attested_header.beacon.slot));
        self.compare(checks.latest_finality_update.as_ref(), found).context("finality update")?;
        let found = self.data.optimistic_update();
        let found = found.as_ref().map(|found| (&**found, found.attested_header.beacon.slot));
        self.compare(checks.latest_optimistic_update.as_ref(), found).context("optimistic update")
    }

    fn check_bootstraps(&self, expected: &[OfBlock]) -> anyhow::Result<()> {
        let mut listed = BTreeSet::new();
        for OfBlock { block_root, bootstrap } in expected {
            let root: Root = block_root.parse()?;
            let found = self.data.bootstrap(&root);
            let found = found.as_ref().map(|found| (&**found, found.header.beacon.slot));
            self.compare(bootstrap.as_ref(), found).with_context(|| format!("bootstrap of {root}"))?;
            listed.insert(root);
        }
        let unlisted =
            self.states.keys().find(|root| !listed.contains(*root) && self.data.bootstrap(root).is_some());
        ensure!(unlisted.is_none(), "a bootstrap of {unlisted:?} that is not listed");
        Ok(())
    }

    /// Compares an object, which is of the fork of a slot, with a file and its digest.
    fn compare<T: Ssz>(&self, expected: Option<&Object>, found: Option<(&T, Slot)>) -> anyhow::Result<()> {
        let (expected, value, slot) = match (expected, found) {
            (None, None) => return Ok(()),
            (Some(expected), Some((value, slot))) => (expected, value, slot),
            (Some(_), None) => bail!("there is none"),
            (None, Some(_)) => bail!("there is one"),
        };
        let digest = compute_fork_digest(self.spec, self.genesis_validators_root, slot.epoch(self.spec));
        ensure!(digest.to_string() == expected.fork_digest, "the digest is {digest}");
        let wanted: T = super::object(self.case, &expected.data, self.spec.fork_name_at_slot(slot))?;
        ensure!(*value == wanted, "found {value:?}, expected {wanted:?}");
        Ok(())
    }
}
