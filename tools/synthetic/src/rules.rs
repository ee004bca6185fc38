//! Rules of networks that begin with a fork.

use types::{Config, ForkName, Settings, Spec};

/// The built-in configuration of a preset (`mainnet`, or else `minimal`), in which a fork and all before it begin at
/// genesis and none after it does: what official cases are of that carry no configuration.
pub fn spec_at(preset: &str, fork: ForkName) -> anyhow::Result<&'static Spec> {
    let base = if preset == "mainnet" { Config::MAINNET_YAML } else { Config::MINIMAL_YAML };
    let mut settings = Settings::parse(base)?;
    for other in ForkName::ALL.into_iter().skip(1) {
        let epoch = if other <= fork { 0 } else { u64::MAX };
        settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
    }
    Ok(Spec::from_settings(settings, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_begins_and_stays_with_its_fork() {
        for (preset, fork) in ["mainnet", "minimal"].into_iter().zip([ForkName::Phase0, ForkName::Deneb]) {
            let spec = spec_at(preset, fork).unwrap();
            assert_eq!(spec.fork_name_at_slot(types::Slot(0)), fork);
            assert_eq!(spec.fork_name_at_slot(types::Slot(1 << 40)), fork);
            assert_eq!(spec.preset.slots_per_epoch, if preset == "mainnet" { 32 } else { 8 });
        }
    }
}
