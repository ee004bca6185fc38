//! The steps of a case.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use fork_choice::NodeView;
use serde::Deserialize;
use types::{Attestation, Checkpoint, Root, SignedBeaconBlock, Time};

use super::client::{Client, Verdict};
use super::data::Data;
use crate::case::Case;

/// One step: exactly one of its kinds, with what belongs to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds of the wall clock.
    tick: Option<u64>,
    block: Option<String>,
    attestation: Option<String>,
    attester_slashing: Option<String>,
    checks: Option<Checks>,
    /// The file of the blobs of a block, one after the other.
    blobs: Option<String>,
    proofs: Option<Vec<String>>,
    /// The files of the columns of a block.
    columns: Option<Vec<String>>,
    valid: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    time: Option<u64>,
    genesis_time: Option<u64>,
    head: Option<Head>,
    justified_checkpoint: Option<Named>,
    finalized_checkpoint: Option<Named>,
    proposer_boost_root: Option<String>,
    get_proposer_head: Option<String>,
    viable_for_head_roots_and_weights: Option<Vec<Weighed>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    slot: u64,
    root: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    epoch: u64,
    root: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weighed {
    root: String,
    weight: u64,
}

impl Step {
    /// Does the step, and compares what comes of it with what the vector says.
    pub fn take(&self, case: &Case, client: &mut Client) -> anyhow::Result<()> {
        let kinds = [
            self.tick.is_some(),
            self.block.is_some(),
            self.attestation.is_some(),
            self.attester_slashing.is_some(),
            self.checks.is_some(),
        ];
        ensure!(kinds.iter().filter(|kind| **kind).count() == 1, "the step is not of exactly one kind");
        let has_data = self.blobs.is_some() || self.proofs.is_some() || self.columns.is_some();
        ensure!(self.block.is_some() || !has_data, "only a block has blobs or columns");
        let verdict = if let Some(seconds) = self.tick {
            client.on_tick(Time(seconds.checked_mul(1000).context("no such time")?))?;
            Verdict::Valid
        } else if let Some(name) = &self.block {
            let block: Arc<SignedBeaconBlock> = Arc::new(case.ssz(&format!("{name}.ssz"))?);
            client.on_block(&block, &self.data(case)?)?
        } else if let Some(name) = &self.attestation {
            client.on_attestation(&case.ssz::<Attestation>(&format!("{name}.ssz"))?)?
        } else if let Some(name) = &self.attester_slashing {
            client.on_attester_slashing(&case.ssz(&format!("{name}.ssz"))?)?
        } else {
            ensure!(self.valid.is_none(), "checks are neither valid nor invalid");
            self.checks.iter().try_for_each(|checks| checks.compare(client))?;
            Verdict::Valid
        };
        match (self.valid.unwrap_or(true), verdict) {
            (true, Verdict::Valid) | (false, Verdict::Invalid(_)) => Ok(()),
            (true, Verdict::Invalid(why)) => bail!("refused what is valid: {why}"),
            (false, Verdict::Valid) => bail!("took what is invalid"),
        }
    }

    fn data(&self, case: &Case) -> anyhow::Result<Data> {
        let file = |name: &String| format!("{name}.ssz");
        let blobs = self.blobs.as_ref().map(|name| case.bytes(&file(name))).transpose()?;
        let proofs = self.proofs.iter().flatten().map(|proof| Ok(proof.parse()?));
        let columns = self.columns.iter().flatten().map(|name| Ok(Arc::new(case.ssz(&file(name))?)));
        Ok(Data {
            blobs: blobs.unwrap_or_default(),
            proofs: proofs.collect::<anyhow::Result<_>>()?,
            columns: columns.collect::<anyhow::Result<_>>()?,
        })
    }
}

impl Checks {
    fn compare(&self, client: &mut Client) -> anyhow::Result<()> {
        self.compare_head(client)?;
        let store = &client.fork_choice;
        equal("time", self.time.map(|seconds| Time(seconds * 1000)), store.time())?;
        equal("genesis_time", self.genesis_time.map(|seconds| Time(seconds * 1000)), store.genesis_time())?;
        let (justified, finalized) = (store.justified_checkpoint(), store.finalized_checkpoint());
        equal("justified_checkpoint", named(&self.justified_checkpoint)?, justified.clone())?;
        equal("finalized_checkpoint", named(&self.finalized_checkpoint)?, finalized.clone())?;
        equal("proposer_boost_root", root(&self.proposer_boost_root)?, store.proposer_boost_root())?;
        if let Some(expected) = root(&self.get_proposer_head)? {
            equal("get_proposer_head", Some(expected), client.get_proposer_head()?)?;
        }
        Ok(())
    }

    fn compare_head(&self, client: &mut Client) -> anyhow::Result<()> {
        if let Some(Head { slot, root }) = &self.head {
            let found = client.fork_choice.get_head();
            let found_slot = client.fork_choice.block(&found).map(|node| node.slot.0);
            equal("head", Some((Some(*slot), root.parse()?)), (found_slot, found))?;
        }
        if let Some(expected) = &self.viable_for_head_roots_and_weights {
            let weighed = expected.iter().map(|Weighed { root, weight }| Ok((root.parse()?, *weight)));
            let expected: BTreeMap<Root, u64> = weighed.collect::<anyhow::Result<_>>()?;
            let viable = client.fork_choice.viable_heads();
            let found = viable.iter().map(|NodeView { node, weight, .. }| (node.root, weight.0)).collect();
            equal("viable_for_head_roots_and_weights", Some(expected), found)?;
        }
        Ok(())
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, expected: Option<T>, found: T) -> anyhow::Result<()> {
    match expected {
        Some(expected) if expected != found => bail!("{what} is {found:?}, expected {expected:?}"),
        _ => Ok(()),
    }
}

fn named(named: &Option<Named>) -> anyhow::Result<Option<Checkpoint>> {
    let checkpoint =
        |named: &Named| Ok(Checkpoint { epoch: types::Epoch(named.epoch), root: named.root.parse()? });
    named.as_ref().map(checkpoint).transpose()
}

fn root(root: &Option<String>) -> anyhow::Result<Option<Root>> {
    root.as_ref().map(|root| Ok(root.parse()?)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(step: &str) -> String {
        match serde_saphyr::from_str::<Step>(step) {
            Ok(_) => panic!("{step} is taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_step_or_a_check_that_is_not_known_is_never_passed_over() {
        assert!(refusal("{pow_block: pow_block_0x00}").contains("unknown field `pow_block`"));
        assert!(refusal("{checks: {should_override_forkchoice_update: {}}}").contains("should_override"));
        assert!(
            refusal("{checks: {head: {slot: 1, root: a, payload_status: 2}}}").contains("payload_status")
        );
        assert!(refusal("{checks: {head: {slot: 1}}}").contains("root"));
    }

    #[test]
    fn what_differs_is_told_by_name_and_what_is_not_asked_is_not_compared() {
        assert_eq!(equal("time", Some(3), 4).unwrap_err().to_string(), "time is 4, expected 3");
        assert!(equal("time", Some(3), 3).is_ok() && equal("time", None, 3).is_ok());
        assert!(root(&Some("0x12".to_owned())).is_err());
    }
}
