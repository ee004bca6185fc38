//! Which settings decide what a database means.

use crypto::hash;
use types::Spec;

/// Settings of the configuration that must not change under a stored chain. Those of forks to come may.
const FIXED: [&str; 13] = [
    "PRESET_BASE",
    "GENESIS_FORK_VERSION",
    "SLOT_DURATION_MS",
    "MIN_VALIDATOR_WITHDRAWABILITY_DELAY",
    "SHARD_COMMITTEE_PERIOD",
    "ETH1_FOLLOW_DISTANCE",
    "EJECTION_BALANCE",
    "MIN_PER_EPOCH_CHURN_LIMIT",
    "CHURN_LIMIT_QUOTIENT",
    "DEPOSIT_CHAIN_ID",
    "DEPOSIT_NETWORK_ID",
    "DEPOSIT_CONTRACT_ADDRESS",
    "INACTIVITY_SCORE_BIAS",
];

/// A digest over the preset and the settings that must not change under a stored chain.
pub fn config_fingerprint(spec: &Spec) -> [u8; 32] {
    let fixed = spec.config.entries().into_iter().filter(|(key, _)| FIXED.contains(&key.as_str()));
    let mut text = String::new();
    for (key, value) in spec.preset.entries().into_iter().chain(fixed) {
        text.push_str(&format!("{key}={value}\n"));
    }
    hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Settings;

    fn with(key: &str, value: u64) -> [u8; 32] {
        let mut settings = Settings::parse(types::Config::MINIMAL_YAML).unwrap();
        settings.set(key, value);
        config_fingerprint(Spec::from_settings(settings, None).unwrap())
    }

    #[test]
    fn forks_may_be_scheduled_later_and_slots_may_not_change() {
        let now = config_fingerprint(Spec::minimal());
        assert_eq!(with("ALTAIR_FORK_EPOCH", 77), now);
        assert_ne!(with("SLOT_DURATION_MS", 3000), now);
        assert_ne!(config_fingerprint(Spec::mainnet()), now);
        for key in FIXED {
            let known = Spec::minimal().config.entries();
            assert!(known.iter().any(|(name, _)| name == key), "{key} is no setting");
        }
    }
}
