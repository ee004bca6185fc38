//! The specification as a value: preset, configuration and fork schedule.

use ssz::{Bound, Ctx};

use crate::bounds::bounds;
use crate::constants::{FAR_FUTURE_EPOCH, GENESIS_EPOCH};
use crate::settings::{SettingError, Settings};
use crate::{BlobParameters, Config, Epoch, ForkName, Preset, Slot, Version};

/// Preset, configuration and fork schedule of one network.
///
/// A `Spec` lives as long as the program (`&'static Spec`): states and blocks refer to it freely, and no type
/// parameter carries it. A program loads one, or a few in tests.
#[derive(Debug)]
pub struct Spec {
    /// Sizes and rewards.
    pub preset: Preset,
    /// Network values.
    pub config: Config,
    bounds: Vec<Vec<Bound>>,
}

impl Spec {
    /// The names of the networks built in.
    pub const NETWORKS: [&'static str; 4] = ["mainnet", "sepolia", "hoodi", "minimal"];

    /// A network built in, by name.
    pub fn network(name: &str) -> Option<&'static Self> {
        match name {
            "mainnet" => Some(Self::mainnet()),
            "sepolia" => Some(Self::sepolia()),
            "hoodi" => Some(Self::hoodi()),
            "minimal" => Some(Self::minimal()),
            _ => None,
        }
    }

    /// Ethereum mainnet.
    pub fn mainnet() -> &'static Self {
        static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
        SPEC.get_or_init(|| Self::built_in(Config::MAINNET_YAML))
    }

    /// The Sepolia network.
    pub fn sepolia() -> &'static Self {
        static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
        SPEC.get_or_init(|| Self::built_in(Config::SEPOLIA_YAML))
    }

    /// The Hoodi network.
    pub fn hoodi() -> &'static Self {
        static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
        SPEC.get_or_init(|| Self::built_in(Config::HOODI_YAML))
    }

    /// The minimal test configuration, with no fork scheduled.
    pub fn minimal() -> &'static Self {
        static SPEC: std::sync::OnceLock<&'static Spec> = std::sync::OnceLock::new();
        SPEC.get_or_init(|| Self::built_in(Config::MINIMAL_YAML))
    }

    fn built_in(config: &str) -> &'static Self {
        Self::from_yaml(config, None).expect("the built-in configurations are tested")
    }

    /// Reads a `config.yaml` and, where it is given, a preset file; else the preset is the built-in one that the
    /// configuration's `PRESET_BASE` names.
    pub fn from_yaml(config: &str, preset: Option<&str>) -> Result<&'static Self, SettingError> {
        Self::from_settings(Settings::parse(config)?, preset)
    }

    /// As [`Spec::from_yaml`], from settings that the caller may have changed.
    pub fn from_settings(
        mut settings: Settings,
        preset: Option<&str>,
    ) -> Result<&'static Self, SettingError> {
        let base_name = settings.peek("PRESET_BASE").unwrap_or("mainnet").to_owned();
        let (base_config, base_preset) = match base_name.as_str() {
            "minimal" => (Config::MINIMAL_YAML, Some(Preset::MINIMAL_YAML)),
            "mainnet" => (Config::MAINNET_YAML, Some(Preset::MAINNET_YAML)),
            _ => (Config::MAINNET_YAML, None),
        };
        let preset = preset.or(base_preset).ok_or_else(|| SettingError::Wrong {
            key: "PRESET_BASE".into(),
            value: base_name,
            wanted: "mainnet, minimal, or another name with a preset file",
        })?;
        let mut base = Settings::parse(base_config)?;
        complete_slot_duration(&mut settings)?;
        for fork in ForkName::ALL.into_iter().skip(1) {
            // A fork that a network's file does not mention is one that the network has not scheduled.
            base.set(&epoch_key(fork), FAR_FUTURE_EPOCH);
        }
        Self::new(Preset::from_yaml(preset)?, Config::from_settings(settings, base)?)
    }

    /// A spec from its parts; it lives as long as the program.
    pub fn new(preset: Preset, config: Config) -> Result<&'static Self, SettingError> {
        let bounds = ForkName::ALL.into_iter().map(|fork| bounds(&preset, fork)).collect();
        let spec = Self { preset, config, bounds };
        spec.check()?;
        Ok(Box::leak(Box::new(spec)))
    }

    fn check(&self) -> Result<(), SettingError> {
        self.check_numbers()?;
        for (earlier, later) in ForkName::ALL.into_iter().zip(ForkName::ALL.into_iter().skip(1)) {
            if self.fork_epoch(later) < self.fork_epoch(earlier) {
                return Err(SettingError::Contradiction(format!(
                    "{} is {}, before {} at {}",
                    epoch_key(later),
                    self.fork_epoch(later),
                    epoch_key(earlier),
                    self.fork_epoch(earlier)
                )));
            }
            if self.fork_version(later) == self.fork_version(earlier) {
                return Err(SettingError::Contradiction(format!(
                    "{earlier} and {later} have the same fork version {}",
                    self.fork_version(later)
                )));
            }
        }
        Ok(())
    }

    /// Refuses what the rules would divide by zero with, or take more memory for than there is: every function after
    /// this one relies on it.
    fn check_numbers(&self) -> Result<(), SettingError> {
        const LENGTH_MAX: u64 = 1 << 32;
        let (config, preset) = (&self.config, &self.preset);
        let lengths = [
            ("SLOTS_PER_EPOCH", preset.slots_per_epoch),
            ("SLOTS_PER_HISTORICAL_ROOT", preset.slots_per_historical_root),
            ("EPOCHS_PER_HISTORICAL_VECTOR", preset.epochs_per_historical_vector),
            ("EPOCHS_PER_SLASHINGS_VECTOR", preset.epochs_per_slashings_vector),
            ("EPOCHS_PER_ETH1_VOTING_PERIOD", preset.epochs_per_eth1_voting_period),
            ("MAX_COMMITTEES_PER_SLOT", preset.max_committees_per_slot),
            ("MAX_ATTESTATIONS", preset.max_attestations),
            ("SYNC_COMMITTEE_SIZE", preset.sync_committee_size),
            ("EPOCHS_PER_SYNC_COMMITTEE_PERIOD", preset.epochs_per_sync_committee_period),
        ];
        let divisors = [
            ("SLOT_DURATION_MS", config.slot_duration_ms),
            ("CHURN_LIMIT_QUOTIENT", config.churn_limit_quotient),
            ("TARGET_COMMITTEE_SIZE", preset.target_committee_size),
            ("EFFECTIVE_BALANCE_INCREMENT", preset.effective_balance_increment),
            ("HYSTERESIS_QUOTIENT", preset.hysteresis_quotient),
            ("PROPOSER_REWARD_QUOTIENT", preset.proposer_reward_quotient),
            ("WHISTLEBLOWER_REWARD_QUOTIENT", preset.whistleblower_reward_quotient),
            ("INACTIVITY_PENALTY_QUOTIENT", preset.inactivity_penalty_quotient),
            ("MIN_SLASHING_PENALTY_QUOTIENT", preset.min_slashing_penalty_quotient),
            ("INACTIVITY_SCORE_BIAS", config.inactivity_score_bias),
            ("INACTIVITY_PENALTY_QUOTIENT_ALTAIR", preset.inactivity_penalty_quotient_altair),
            ("MIN_SLASHING_PENALTY_QUOTIENT_ALTAIR", preset.min_slashing_penalty_quotient_altair),
            ("INACTIVITY_PENALTY_QUOTIENT_BELLATRIX", preset.inactivity_penalty_quotient_bellatrix),
            ("MIN_SLASHING_PENALTY_QUOTIENT_BELLATRIX", preset.min_slashing_penalty_quotient_bellatrix),
            ("MIN_SLASHING_PENALTY_QUOTIENT_ELECTRA", preset.min_slashing_penalty_quotient_electra),
            ("WHISTLEBLOWER_REWARD_QUOTIENT_ELECTRA", preset.whistleblower_reward_quotient_electra),
        ];
        // The number of a round is one byte of what is hashed, and a seed comes from a mix that is still kept.
        let others = [
            ("SHUFFLE_ROUND_COUNT", preset.shuffle_round_count, 255),
            (
                "MIN_SEED_LOOKAHEAD",
                preset.min_seed_lookahead,
                preset.epochs_per_historical_vector.saturating_sub(1),
            ),
        ];
        let lengths = lengths.map(|(key, value)| (key, value, 1, LENGTH_MAX));
        let divisors = divisors.map(|(key, value)| (key, value, 1, u64::MAX));
        let others = others.map(|(key, value, most)| (key, value, 0, most));
        for (key, value, least, most) in lengths.into_iter().chain(divisors).chain(others) {
            if !(least..=most).contains(&value) {
                let wanted = if value == 0 { "a number above zero" } else { "a smaller number" };
                return Err(SettingError::Wrong { key: key.into(), value: value.to_string(), wanted });
            }
        }
        Ok(())
    }

    /// What SSZ needs to know of this preset at a fork.
    pub fn ctx(&'static self, fork: ForkName) -> Ctx {
        Ctx { fork: fork as u8, bounds: &self.bounds[fork as usize] }
    }

    /// What SSZ needs to know of this preset at a slot.
    pub fn ctx_at_slot(&'static self, slot: Slot) -> Ctx {
        self.ctx(self.fork_name_at_slot(slot))
    }

    /// The first epoch of a fork, [`FAR_FUTURE_EPOCH`] where it is not scheduled.
    pub fn fork_epoch(&self, fork: ForkName) -> Epoch {
        match fork {
            ForkName::Phase0 => GENESIS_EPOCH,
            ForkName::Altair => self.config.altair_fork_epoch,
            ForkName::Bellatrix => self.config.bellatrix_fork_epoch,
            ForkName::Capella => self.config.capella_fork_epoch,
            ForkName::Deneb => self.config.deneb_fork_epoch,
            ForkName::Electra => self.config.electra_fork_epoch,
            ForkName::Fulu => self.config.fulu_fork_epoch,
        }
    }

    /// The version of a fork.
    pub fn fork_version(&self, fork: ForkName) -> Version {
        match fork {
            ForkName::Phase0 => self.config.genesis_fork_version,
            ForkName::Altair => self.config.altair_fork_version,
            ForkName::Bellatrix => self.config.bellatrix_fork_version,
            ForkName::Capella => self.config.capella_fork_version,
            ForkName::Deneb => self.config.deneb_fork_version,
            ForkName::Electra => self.config.electra_fork_version,
            ForkName::Fulu => self.config.fulu_fork_version,
        }
    }

    /// The fork of an epoch.
    pub fn fork_name_at_epoch(&self, epoch: Epoch) -> ForkName {
        let begun = |fork: &ForkName| {
            let first = self.fork_epoch(*fork);
            first != FAR_FUTURE_EPOCH && first <= epoch
        };
        ForkName::ALL.into_iter().rev().find(begun).unwrap_or(ForkName::Phase0)
    }

    /// The fork of a slot.
    pub fn fork_name_at_slot(&self, slot: Slot) -> ForkName {
        self.fork_name_at_epoch(slot.epoch(self))
    }

    /// [`compute_fork_version`](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/fork.md#compute_fork_version).
    pub fn compute_fork_version(&self, epoch: Epoch) -> Version {
        self.fork_version(self.fork_name_at_epoch(epoch))
    }

    /// [`get_blob_parameters`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/beacon-chain.md#new-get_blob_parameters)
    /// of an epoch of Fulu or later.
    pub fn get_blob_parameters(&self, epoch: Epoch) -> BlobParameters {
        // The schedule is sorted by epoch.
        let begun = self.config.blob_schedule.iter().rfind(|entry| entry.epoch <= epoch);
        begun.copied().unwrap_or(BlobParameters {
            epoch: self.config.electra_fork_epoch,
            max_blobs_per_block: self.config.max_blobs_per_block_electra,
        })
    }

    /// The fork with this version.
    pub fn fork_name_of_version(&self, version: Version) -> Option<ForkName> {
        ForkName::ALL.into_iter().find(|fork| self.fork_version(*fork) == version)
    }

    /// The next fork scheduled after an epoch.
    pub fn next_fork(&self, epoch: Epoch) -> Option<ForkName> {
        ForkName::ALL
            .into_iter()
            .find(|fork| self.fork_epoch(*fork) > epoch && self.fork_epoch(*fork) != FAR_FUTURE_EPOCH)
    }

    /// The duration of a part of the slot given in basis points, in milliseconds:
    /// [`get_slot_component_duration_ms`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/validator.md).
    pub fn get_slot_component_duration_ms(&self, basis_points: u64) -> u64 {
        basis_points * self.config.slot_duration_ms / crate::constants::BASIS_POINTS
    }
}

fn epoch_key(fork: ForkName) -> String {
    format!("{}_FORK_EPOCH", fork.as_str().to_uppercase())
}

/// Files made before `SLOT_DURATION_MS` existed have `SECONDS_PER_SLOT` only. A file with both must not
/// contradict itself, but a slot may be no whole number of seconds, which `SECONDS_PER_SLOT` cannot say.
fn complete_slot_duration(settings: &mut Settings) -> Result<(), SettingError> {
    let Some(seconds) = settings.peek("SECONDS_PER_SLOT") else { return Ok(()) };
    let wrong = || SettingError::Wrong {
        key: "SECONDS_PER_SLOT".into(),
        value: seconds.to_owned(),
        wanted: "a 64-bit number",
    };
    let seconds: u64 = seconds.parse().map_err(|_| wrong())?;
    let Some(ms) = settings.peek("SLOT_DURATION_MS") else {
        settings.set("SLOT_DURATION_MS", seconds.saturating_mul(1000));
        return Ok(());
    };
    match ms.parse::<u64>() {
        Ok(ms) if ms.div_ceil(1000) != seconds => Err(SettingError::Contradiction(format!(
            "SECONDS_PER_SLOT is {seconds}, but SLOT_DURATION_MS is {ms}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_networks_load_with_their_values() {
        assert_eq!(Spec::mainnet().config.slot_duration_ms, 12_000);
        assert_eq!(Spec::mainnet().preset.slots_per_epoch, 32);
        assert_eq!(Spec::sepolia().config.genesis_fork_version.to_string(), "0x90000069");
        assert_eq!(Spec::hoodi().config.genesis_fork_version.to_string(), "0x10000910");
        assert_eq!(Spec::minimal().preset.slots_per_epoch, 8);
        assert_eq!(Spec::minimal().fork_name_at_epoch(Epoch(1 << 40)), ForkName::Phase0);
        assert_eq!(Spec::mainnet().fork_name_at_epoch(Epoch(194_048)), ForkName::Capella);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_key() {
        let error =
            Spec::from_yaml("PRESET_BASE: 'minimal'\nSHARD_COMMITTEE_PERIOD: many\n", None).unwrap_err();
        assert_eq!(error.to_string(), "SHARD_COMMITTEE_PERIOD is \"many\", expected a 64-bit number");
        let error = Spec::from_yaml("GENESIS_FORK_VERSION: 0x01\n", None).unwrap_err();
        assert!(error.to_string().starts_with("GENESIS_FORK_VERSION is \"0x01\""), "{error}");
    }

    #[test]
    fn a_schedule_that_goes_backwards_is_refused() {
        let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 5\nBELLATRIX_FORK_EPOCH: 4\n";
        let error = Spec::from_yaml(text, None).unwrap_err();
        assert_eq!(error.to_string(), "BELLATRIX_FORK_EPOCH is 4, before ALTAIR_FORK_EPOCH at 5");
    }

    #[test]
    fn numbers_that_nothing_can_be_divided_by_are_refused_with_their_key() {
        let refused = |preset: &str, config: &str| {
            let config = format!("PRESET_BASE: 'mine'\n{config}");
            Spec::from_yaml(&config, Some(preset)).unwrap_err().to_string()
        };
        let minimal = Preset::MINIMAL_YAML;
        assert_eq!(
            refused(minimal, "CHURN_LIMIT_QUOTIENT: 0\n"),
            "CHURN_LIMIT_QUOTIENT is \"0\", expected a number above zero"
        );
        assert!(refused(minimal, "SLOT_DURATION_MS: 0\n").starts_with("SLOT_DURATION_MS is"));
        for (good, bad) in [
            ("\nSLOTS_PER_EPOCH: 8", "\nSLOTS_PER_EPOCH: 0"),
            ("\nTARGET_COMMITTEE_SIZE: 4", "\nTARGET_COMMITTEE_SIZE: 0"),
            ("\nEPOCHS_PER_HISTORICAL_VECTOR: 64", "\nEPOCHS_PER_HISTORICAL_VECTOR: 0"),
            ("\nEPOCHS_PER_HISTORICAL_VECTOR: 64", "\nEPOCHS_PER_HISTORICAL_VECTOR: 99999999999"),
            ("\nSHUFFLE_ROUND_COUNT: 10", "\nSHUFFLE_ROUND_COUNT: 256"),
            ("\nMIN_SEED_LOOKAHEAD: 1", "\nMIN_SEED_LOOKAHEAD: 64"),
        ] {
            assert!(minimal.contains(good), "{good}");
            let (key, value) = bad.trim().split_once(": ").unwrap();
            let error = refused(&minimal.replace(good, bad), "");
            assert!(error.starts_with(&format!("{key} is \"{value}\"")), "{bad}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_kept_and_the_file_round_trips() {
        let spec =
            Spec::from_yaml("PRESET_BASE: 'minimal'\nWHISK_PROPOSER_SELECTION_GAP: 2\n", None).unwrap();
        let again = Spec::from_yaml(&spec.config.to_yaml(), None).unwrap();
        assert_eq!(spec.config, again.config);
        assert_eq!(spec.config.unknown, [("WHISK_PROPOSER_SELECTION_GAP".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn seconds_per_slot_serves_older_files_and_must_not_contradict() {
        let spec = Spec::from_yaml("PRESET_BASE: 'minimal'\nSECONDS_PER_SLOT: 2\n", None).unwrap();
        assert_eq!(spec.config.slot_duration_ms, 2000);
        let text = "PRESET_BASE: 'minimal'\nSECONDS_PER_SLOT: 2\nSLOT_DURATION_MS: 3000\n";
        assert!(Spec::from_yaml(text, None).is_err());
    }

    #[test]
    fn a_custom_preset_needs_no_rebuild() {
        let preset = Preset::MINIMAL_YAML.replace("SLOTS_PER_EPOCH: 8", "SLOTS_PER_EPOCH: 6");
        let spec = Spec::from_yaml("PRESET_BASE: 'mine'\n", Some(&preset)).unwrap();
        assert_eq!(spec.preset.slots_per_epoch, 6);
        let error = Spec::from_yaml("PRESET_BASE: 'mine'\n", None).unwrap_err();
        assert!(error.to_string().starts_with("PRESET_BASE is \"mine\""), "{error}");
    }
}
