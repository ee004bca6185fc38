//! The specification that a case is run by.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::bail;
use types::{Config, ForkName, Settings, Spec};

/// A preset's configuration in which a fork and all before it begin at genesis, and those after it never.
pub fn spec_of(preset: &str, fork: ForkName) -> anyhow::Result<&'static Spec> {
    static SPECS: Mutex<BTreeMap<(String, ForkName), &'static Spec>> = Mutex::new(BTreeMap::new());
    let mut specs = SPECS.lock().expect("nothing panics while it holds this");
    if let Some(spec) = specs.get(&(preset.to_owned(), fork)) {
        return Ok(spec);
    }
    let base = match preset {
        "minimal" => Config::MINIMAL_YAML,
        "mainnet" => Config::MAINNET_YAML,
        other => bail!("no preset {other}, expected minimal or mainnet"),
    };
    let mut settings = Settings::parse(base)?;
    for other in ForkName::ALL.into_iter().skip(1) {
        let epoch = if other <= fork { 0 } else { u64::MAX };
        settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
    }
    let spec = Spec::from_settings(settings, None)?;
    specs.insert((preset.to_owned(), fork), spec);
    Ok(spec)
}
