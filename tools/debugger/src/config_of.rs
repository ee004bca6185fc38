//! Which configuration a case of the official layout has where it carries none of its own.

use std::cmp::Ordering;

use anyhow::{anyhow, bail};
use types::{ForkName, Settings, Spec};

/// The rules of a case of a preset and fork: all forks before it begin at genesis, it begins at an epoch, and none after
/// it is scheduled.
pub(crate) fn usual_spec(preset: &str, fork: ForkName, fork_epoch: u64) -> anyhow::Result<&'static Spec> {
    let base = match preset {
        "mainnet" => types::Config::MAINNET_YAML,
        "minimal" => types::Config::MINIMAL_YAML,
        other => bail!("vectors are of the presets mainnet and minimal, not of {other:?}"),
    };
    let mut settings = Settings::parse(base)?;
    for other in ForkName::ALL.into_iter().skip(1) {
        let epoch = match other.cmp(&fork) {
            Ordering::Less => 0,
            Ordering::Equal => fork_epoch,
            Ordering::Greater => u64::MAX,
        };
        settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
    }
    Ok(Spec::from_settings(settings, None)?)
}

/// The name of the built-in preset that a spec has.
pub(crate) fn preset_name(spec: &Spec) -> anyhow::Result<&'static str> {
    let same = |other: &Spec| spec.preset.entries() == other.preset.entries();
    [("mainnet", Spec::mainnet()), ("minimal", Spec::minimal())]
        .into_iter()
        .find(|(_, other)| same(other))
        .map(|(name, _)| name)
        .ok_or_else(|| {
            anyhow!("vectors are of the presets mainnet and minimal; the network has one of its own")
        })
}
