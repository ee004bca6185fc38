//! The specification that a case is run by.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::ensure;
use synthetic::spec_at;
use types::{ForkName, Spec};

/// A preset's configuration in which a fork and all before it begin at genesis, and those after it never.
pub fn spec_of(preset: &str, fork: ForkName) -> anyhow::Result<&'static Spec> {
    static SPECS: Mutex<BTreeMap<(String, ForkName), &'static Spec>> = Mutex::new(BTreeMap::new());
    let mut specs = SPECS.lock().expect("nothing panics while it holds this");
    if let Some(spec) = specs.get(&(preset.to_owned(), fork)) {
        return Ok(spec);
    }
    ensure!(["minimal", "mainnet"].contains(&preset), "no preset {preset}, expected minimal or mainnet");
    let spec = spec_at(preset, fork)?;
    specs.insert((preset.to_owned(), fork), spec);
    Ok(spec)
}
