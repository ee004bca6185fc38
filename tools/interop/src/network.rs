//! The network that both clients are told about: one folder, read by both.

use std::path::{Path, PathBuf};

use devnet::{ForeignSeat, NetworkFolder, NodePorts, interop_genesis};
use types::constants::FAR_FUTURE_EPOCH;
use types::{Config, Epoch, ForkName, Settings, Slot, Spec};

/// A local network whose validators have the keys that everyone knows.
pub struct Network {
    folder: NetworkFolder,
    /// Its rules: the minimal preset with slots of whole seconds.
    pub spec: &'static Spec,
    /// Unix seconds.
    pub genesis_time: u64,
    /// Validators with the interop keys from 0 on.
    pub validators: u64,
}

impl Network {
    /// Writes the folder. Slots are in whole seconds, since Lodestar 1.5.1 knows no other. The genesis is of phase 0, and
    /// the chain merges as soon as it can: with the first block of its execution engines, which all have the same one.
    pub fn write(
        dir: &Path,
        slot_seconds: u64,
        validators: u64,
        genesis_time: u64,
        upgrades: &[(ForkName, Epoch)],
    ) -> anyhow::Result<Self> {
        let mut settings = Settings::parse(Config::MINIMAL_YAML)?;
        settings.set("CONFIG_NAME", "interop");
        settings.set("SLOT_DURATION_MS", slot_seconds * 1000);
        // Lodestar reads this older key alone; Interlock keeps it and checks that both agree.
        settings.set("SECONDS_PER_SLOT", slot_seconds);
        settings.set("MIN_GENESIS_ACTIVE_VALIDATOR_COUNT", validators);
        if !upgrades.is_empty() {
            settings.set("TERMINAL_TOTAL_DIFFICULTY", 0);
        }
        for (fork, epoch) in upgrades {
            settings.set(&format!("{}_FORK_EPOCH", fork.as_str().to_uppercase()), epoch);
        }
        let spec = Spec::from_settings(settings, None)?;
        let genesis = interop_genesis(spec, validators, genesis_time)?;
        let folder = NetworkFolder::write(dir, spec, &genesis)?;
        Ok(Self { folder, spec, genesis_time, validators })
    }

    /// True where its blocks carry payloads some day, so that its nodes need execution engines.
    pub fn merges(&self) -> bool {
        self.spec.fork_epoch(ForkName::Bellatrix) != FAR_FUTURE_EPOCH
    }

    /// The slot at a time in Unix seconds; none before genesis.
    pub fn slot_at(&self, seconds: u64) -> Option<Slot> {
        let since = seconds.checked_sub(self.genesis_time)?;
        Some(Slot(since * 1000 / self.spec.config.slot_duration_ms))
    }

    /// The epoch at a time in Unix seconds; the first one before genesis.
    pub fn epoch_at(&self, seconds: u64) -> Epoch {
        self.slot_at(seconds).unwrap_or_default().epoch(self.spec)
    }

    /// A place in the network for a process: its name, its folder, its ports.
    pub fn seat(&self, name: &str, dir: PathBuf, ports: NodePorts) -> ForeignSeat {
        ForeignSeat {
            name: name.to_owned(),
            network: self.folder.clone(),
            spec: self.spec,
            genesis_time: self.genesis_time,
            genesis_validators: self.validators,
            dir,
            ports,
            bootnodes: Vec::new(),
            beacon_urls: Vec::new(),
            beacon: 0,
            validators: 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use types::ForkName;

    use super::*;

    #[test]
    fn the_configuration_says_the_slot_in_the_words_of_both_clients() {
        let dir = tempfile::tempdir().unwrap();
        let network = Network::write(dir.path(), 2, 16, 1_700_000_000, &[]).unwrap();
        let config = std::fs::read_to_string(network.folder.config()).unwrap();
        assert!(
            config.contains("SLOT_DURATION_MS: 2000\n") && config.contains("SECONDS_PER_SLOT: 2\n"),
            "{config}"
        );
        let spec = Spec::from_yaml(&config, None).unwrap();
        assert_eq!(spec.fork_name_at_epoch(Epoch(1 << 40)), ForkName::Phase0);
        assert_eq!(network.slot_at(1_699_999_999), None);
        assert_eq!(network.slot_at(1_700_000_003), Some(Slot(1)));
        assert_eq!(network.epoch_at(1_700_000_016), Epoch(1));
    }
    /// What Lodestar 1.5.1 answers to `/eth/v1/config/spec` with the minimal preset.
    const THEIRS: &str = include_str!("../lodestar/spec.json");
    /// Keys with one name and two meanings: names of networks, and draft values of a fork that came out differently.
    const DIFFERENT: [&str; 3] = ["CONFIG_NAME", "MAX_BLOBS_PER_BLOCK", "FIELD_ELEMENTS_PER_BLOB"];

    #[test]
    fn lodestars_validator_client_finds_no_difference_in_our_specification() {
        let dir = tempfile::tempdir().unwrap();
        let spec = Network::write(dir.path(), 2, 64, 1_700_000_000, &[]).unwrap().spec;
        let ours: std::collections::BTreeMap<String, String> =
            spec.preset.entries().into_iter().chain(spec.config.entries()).collect();
        let theirs: serde_json::Value = serde_json::from_str(THEIRS).unwrap();
        let mut compared = 0;
        for (key, value) in theirs["data"].as_object().unwrap() {
            let Some(our_value) = ours.get(key).filter(|_| !DIFFERENT.contains(&key.as_str())) else {
                continue;
            };
            assert_eq!(our_value.to_lowercase(), value.as_str().unwrap().to_lowercase(), "{key}");
            compared += 1;
        }
        assert!(compared > 60, "only {compared} keys were compared");
    }
}
