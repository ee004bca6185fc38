//! [`light_client/sync`](https://github.com/ethereum/consensus-specs/blob/master/tests/formats/light_client/sync.md): a
//! client that follows updates, and upgrades its store on the way.
//!
//! Beyond the vector, each update is refused once its signature is spoilt.

use anyhow::{Context, anyhow, bail, ensure};
use light_client::upgrade::{upgrade_lc_bootstrap, upgrade_lc_store, upgrade_lc_update};
use light_client::{
    Invalid, LightClientStore, get_lc_execution_root, initialize_light_client_store,
    process_light_client_store_force_update, process_light_client_update,
};
use serde::Deserialize;
use ssz::{Ctx, SszExt};
use types::{ForkName, LightClientHeader, LightClientUpdate, Root, Slot, Spec, Version};

use crate::case::Case;
use crate::runners::NotBuilt;

/// Why a case with a store of Gloas does not pass though nothing is wrong.
const GLOAS_STORE: &str = "the store is Gloas's, whose form is not built; with a store of Electra's form every check of the case holds";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    genesis_validators_root: String,
    trusted_block_root: String,
    bootstrap_fork_digest: String,
    store_fork_version: String,
    #[serde(default)]
    bls_setting: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    process_update: Option<ProcessUpdate>,
    force_update: Option<ForceUpdate>,
    upgrade_store: Option<UpgradeStore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessUpdate {
    update_fork_digest: String,
    update: String,
    current_slot: u64,
    checks: Checks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForceUpdate {
    current_slot: u64,
    checks: Checks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeStore {
    store_fork_version: String,
    checks: Checks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    finalized_header: Header,
    optimistic_header: Header,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    slot: u64,
    beacon_root: String,
    execution_root: Option<String>,
}

struct Client<'a> {
    case: &'a Case,
    spec: &'static Spec,
    genesis_validators_root: Root,
    store: LightClientStore,
}

pub fn run(case: &Case) -> crate::runners::Result {
    let meta: Meta = case.yaml("meta.yaml")?;
    ensure!(meta.bls_setting != 2, "signatures are always verified here");
    let (spec, genesis_validators_root) = (case.spec()?, meta.genesis_validators_root.parse()?);
    let from = super::fork_of_digest(spec, genesis_validators_root, &meta.bootstrap_fork_digest)?;
    let (to, mut is_gloas) = store_fork(spec, &meta.store_fork_version)?;
    let bootstrap = upgrade_lc_bootstrap(super::object(case, "bootstrap", from)?, from, to);
    let trusted = meta.trusted_block_root.parse()?;
    let other = initialize_light_client_store(spec, to, Root::from([1; 32]), &bootstrap);
    ensure!(matches!(other, Err(Invalid::BootstrapRoot { .. })), "any bootstrap is taken");
    let store = initialize_light_client_store(spec, to, trusted, &bootstrap)?;
    let mut client = Client { case, spec, genesis_validators_root, store };
    for (place, step) in case.yaml::<Vec<Step>>("steps.yaml")?.into_iter().enumerate() {
        is_gloas |= client.take(step).with_context(|| format!("step {place}"))?;
    }
    if is_gloas { Err(NotBuilt(GLOAS_STORE).into()) } else { Ok(()) }
}

/// The fork with this version whose form a store is to have. Gloas is not known: its store is given Electra's form, and
/// true beside it says so.
fn store_fork(spec: &Spec, version: &str) -> anyhow::Result<(ForkName, bool)> {
    let version: Version = version.parse()?;
    match spec.fork_name_of_version(version) {
        Some(fork) => Ok((fork, false)),
        None if version == spec.config.gloas_fork_version => Ok((ForkName::Electra, true)),
        None => bail!("no fork has the version {version}"),
    }
}

impl Client<'_> {
    /// True where the store should now have Gloas's form.
    fn take(&mut self, step: Step) -> anyhow::Result<bool> {
        let mut is_gloas = false;
        let checks = match step {
            Step { process_update: Some(step), force_update: None, upgrade_store: None } => {
                self.process_update(&step)?;
                step.checks
            }
            Step { process_update: None, force_update: Some(step), upgrade_store: None } => {
                process_light_client_store_force_update(&mut self.store, Slot(step.current_slot))?;
                step.checks
            }
            Step { process_update: None, force_update: None, upgrade_store: Some(step) } => {
                let fork;
                (fork, is_gloas) = store_fork(self.spec, &step.store_fork_version)?;
                self.store = upgrade_lc_store(self.store.clone(), fork);
                step.checks
            }
            _ => bail!("the step is not of exactly one kind"),
        };
        self.check("finalized", &self.store.finalized_header, &checks.finalized_header)?;
        self.check("optimistic", &self.store.optimistic_header, &checks.optimistic_header)?;
        Ok(is_gloas)
    }

    fn process_update(&mut self, step: &ProcessUpdate) -> anyhow::Result<()> {
        let from = super::fork_of_digest(self.spec, self.genesis_validators_root, &step.update_fork_digest)?;
        let update: LightClientUpdate = super::object(self.case, &step.update, from)?;
        let fork_of_slot = self.spec.fork_name_at_slot(update.attested_header.beacon.slot);
        ensure!(from == fork_of_slot, "the digest is that of {from}, the update is of {fork_of_slot}");
        let update = upgrade_lc_update(update, from, self.store.fork);
        let process = |store: &mut LightClientStore, update: &LightClientUpdate| {
            process_light_client_update(store, update, Slot(step.current_slot), self.genesis_validators_root)
        };
        let mut spoilt = update.clone();
        spoilt.sync_aggregate.sync_committee_signature.0[95] ^= 1;
        let refused = process(&mut self.store.clone(), &spoilt);
        ensure!(refused == Err(Invalid::Signature), "with a spoilt signature: {refused:?}");
        process(&mut self.store, &update).map_err(|error| anyhow!("refused what is valid: {error}"))
    }

    fn check(&self, which: &str, header: &LightClientHeader, expected: &Header) -> anyhow::Result<()> {
        let (slot, root) = (header.beacon.slot, header.beacon.hash_tree_root(Ctx::PLAIN));
        ensure!(
            slot == expected.slot && root.to_string() == expected.beacon_root,
            "{which} is slot {slot} {root}, expected {} {}",
            expected.slot,
            expected.beacon_root
        );
        // Given for stores since Capella only, whatever the header's own fork.
        ensure!(
            expected.execution_root.is_some() == (self.store.fork >= ForkName::Capella),
            "the vector speaks of execution in a store of {}",
            self.store.fork
        );
        let execution = get_lc_execution_root(self.spec, header).to_string();
        if expected.execution_root.as_ref().is_some_and(|expected| *expected != execution) {
            bail!("{which} has the payload {execution}, expected {:?}", expected.execution_root);
        }
        Ok(())
    }
}
